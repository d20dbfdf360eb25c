locals {
  # jobs.json is generated from the catalogue and checked by a test. The other ways to deploy use the same limits and
  # indexes.
  scheduler = jsondecode(file("${path.module}/jobs.json"))
  limits    = jsondecode(file("${path.module}/../limits.json"))["cloud-run"]
  firestore = jsondecode(file("${path.module}/../../firestore.indexes.json"))

  jobs = { for job in local.scheduler.jobs : job.name => job }

  # Firestore appends __name__ to every index by itself.
  indexes = {
    for index in local.firestore.indexes :
    join("-", concat([index.collectionGroup], [
      for field in index.fields : field.fieldPath if field.fieldPath != "__name__"
    ])) => merge(index, { fields = [for field in index.fields : field if field.fieldPath != "__name__"] })
  }
  fields = {
    for field in local.firestore.fieldOverrides : "${field.collectionGroup}-${field.fieldPath}" => field
  }

  environment = {
    GOOGLE_CLOUD_PROJECT = var.project
    FIRESTORE_DATABASE   = var.database
    LOG_LEVEL            = var.log_level

    # providers:start
    TIINGO_SERVICE_URL       = var.provider_urls.tiingo
    FINNHUB_SERVICE_URL      = var.provider_urls.finnhub
    POLYGON_SERVICE_URL      = var.provider_urls.polygon
    ALPHAVANTAGE_SERVICE_URL = var.provider_urls.alphavantage
    # providers:end

    # IAM has authenticated the caller before a request reaches the component.
    SPIN_VARIABLE_INBOUND_AUTH            = "platform"
    SPIN_VARIABLE_GCP_CREDENTIALS         = "metadata"
    SPIN_VARIABLE_PROVIDER_AUTH           = var.provider_auth
    SPIN_VARIABLE_JOB_DEADLINE_SECONDS    = tostring(local.limits.job_deadline_seconds)
    SPIN_VARIABLE_SERVICE_TIMEOUT_SECONDS = tostring(local.limits.service_timeout_seconds)
    SPIN_VARIABLE_LEASE_SECONDS           = tostring(local.limits.lease_seconds)
    # The origins of the addresses in the secrets below, and the dashboard's address for links.
    SPIN_VARIABLE_NOTIFY_WEBHOOK_ORIGIN = var.notify_webhook_origin
    SPIN_VARIABLE_HEARTBEAT_ORIGIN      = var.heartbeat_origin
    SPIN_VARIABLE_DASHBOARD_URL         = var.dashboard_url
    # Shorter than the time after which Cloud Run kills the instance.
    DRAIN_SECONDS = tostring(local.limits.stop_grace_seconds - 2)
  }

  # Who is told about alerts: secrets, by variable. Those in var.notifications are created and read.
  notification_secrets = {
    SPIN_VARIABLE_NOTIFY_WEBHOOK   = "orchestrator-notify-webhook"
    SPIN_VARIABLE_NOTIFY_SLACK     = "orchestrator-notify-slack"
    SPIN_VARIABLE_NOTIFY_PAGERDUTY = "orchestrator-notify-pagerduty"
    SPIN_VARIABLE_HEARTBEAT_URL    = "orchestrator-heartbeat-url"
  }
  notifications = {
    for variable, secret in local.notification_secrets : variable => secret
    if contains(var.notifications, lower(trimprefix(variable, "SPIN_VARIABLE_")))
  }
}
