resource "google_cloud_scheduler_job" "job" {
  for_each         = local.jobs
  name             = each.key
  description      = each.value.description
  region           = var.region
  schedule         = each.value.schedule
  time_zone        = local.scheduler.time_zone
  attempt_deadline = "${local.limits.attempt_deadline_seconds}s"

  http_target {
    http_method = "POST"
    uri         = "${google_cloud_run_v2_service.orchestrator.uri}${each.value.route}"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode(jsonencode(each.value.body))
    oidc_token {
      service_account_email = google_service_account.scheduler.email
      audience              = google_cloud_run_v2_service.orchestrator.uri
    }
  }

  # Cloud Scheduler continues until both are used up, so that a run of many requests gets as many as it needs.
  retry_config {
    retry_count          = each.value.retries
    max_retry_duration   = "${each.value.retry_duration_seconds}s"
    min_backoff_duration = "${local.limits.min_backoff_seconds}s"
    max_backoff_duration = "${local.limits.max_backoff_seconds}s"
    max_doublings        = local.limits.max_doublings
  }

  depends_on = [google_project_service.needed]
}

# The watch: every minute, without retries, because the next one comes soon.
resource "google_cloud_scheduler_job" "watch" {
  name             = local.scheduler.watch.name
  description      = local.scheduler.watch.description
  region           = var.region
  schedule         = local.scheduler.watch.schedule
  time_zone        = local.scheduler.time_zone
  attempt_deadline = "${local.limits.attempt_deadline_seconds}s"

  http_target {
    http_method = "POST"
    uri         = "${google_cloud_run_v2_service.orchestrator.uri}${local.scheduler.watch.route}"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode("{}")
    oidc_token {
      service_account_email = google_service_account.scheduler.email
      audience              = google_cloud_run_v2_service.orchestrator.uri
    }
  }

  retry_config {
    retry_count = 0
  }

  depends_on = [google_project_service.needed]
}
