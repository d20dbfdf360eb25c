resource "google_project_service" "needed" {
  for_each = toset([
    "cloudscheduler.googleapis.com",
    "firestore.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
  ])
  service            = each.key
  disable_on_destroy = false
}

# The account that the service runs as.
resource "google_service_account" "run" {
  account_id   = "orchestrator-run"
  display_name = "orchestrator-run"
}

# The account that Cloud Scheduler calls the service as.
resource "google_service_account" "scheduler" {
  account_id   = "orchestrator-scheduler"
  display_name = "orchestrator-scheduler"
}

resource "google_project_iam_member" "firestore" {
  project = var.project
  role    = "roles/datastore.user"
  member  = google_service_account.run.member
  condition {
    title      = "orchestrator-database"
    expression = "resource.name==\"projects/${var.project}/databases/${var.database}\""
  }
}

resource "google_secret_manager_secret" "operator_token" {
  secret_id = "orchestrator-operator-token"
  replication {
    auto {}
  }
  depends_on = [google_project_service.needed]
}

resource "google_secret_manager_secret_iam_member" "operator_token" {
  secret_id = google_secret_manager_secret.operator_token.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.run.member
}

resource "google_secret_manager_secret" "notification" {
  for_each  = local.notifications
  secret_id = each.value
  replication {
    auto {}
  }
  depends_on = [google_project_service.needed]
}

resource "google_secret_manager_secret_iam_member" "notification" {
  for_each  = google_secret_manager_secret.notification
  secret_id = each.value.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.run.member
}

resource "google_cloud_run_v2_service_iam_member" "providers" {
  for_each = var.provider_services
  name     = each.key
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.run.member
}

resource "google_cloud_run_v2_service_iam_member" "scheduler" {
  name     = google_cloud_run_v2_service.orchestrator.name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.scheduler.member
}
