resource "google_cloud_run_v2_service" "orchestrator" {
  name                = "orchestrator"
  location            = var.region
  ingress             = "INGRESS_TRAFFIC_ALL"
  deletion_protection = false

  template {
    service_account                  = google_service_account.run.email
    timeout                          = "${local.limits.platform_timeout_seconds}s"
    max_instance_request_concurrency = 100
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"

    scaling {
      min_instance_count = 0
      max_instance_count = 10
    }

    containers {
      image = var.image

      ports {
        container_port = 8080
      }

      resources {
        limits = {
          cpu    = "2"
          memory = "2Gi"
        }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      # 503 while the configuration is invalid: such a revision never gets traffic.
      startup_probe {
        http_get {
          path = "/health"
        }
        period_seconds    = 3
        timeout_seconds   = 2
        failure_threshold = 20
      }

      # Spin itself answers this, so a busy component is not restarted.
      liveness_probe {
        http_get {
          path = "/.well-known/spin/health"
        }
        period_seconds    = 30
        timeout_seconds   = 5
        failure_threshold = 3
      }

      dynamic "env" {
        for_each = local.environment
        content {
          name  = env.key
          value = env.value
        }
      }

      env {
        name = "SPIN_VARIABLE_OPERATOR_TOKEN"
        value_source {
          secret_key_ref {
            secret  = google_secret_manager_secret.operator_token.secret_id
            version = var.operator_token_version
          }
        }
      }

      dynamic "env" {
        for_each = google_secret_manager_secret.notification
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value.secret_id
              version = "latest"
            }
          }
        }
      }
    }
  }

  depends_on = [
    google_project_service.needed,
    google_secret_manager_secret_iam_member.operator_token,
    google_secret_manager_secret_iam_member.notification,
  ]
}

output "url" {
  description = "Address of the service"
  value       = google_cloud_run_v2_service.orchestrator.uri
}
