variable "project" {
  type        = string
  description = "Google Cloud project"
}

variable "region" {
  type        = string
  description = "Region of the service and the scheduler jobs"
  default     = "us-east1"
}

variable "image" {
  type        = string
  description = "Image to run, preferably by digest"
}

variable "database" {
  type        = string
  description = "Firestore database"
  default     = "(default)"
}

variable "provider_urls" {
  type = object({
    # providers:start
    tiingo       = string
    finnhub      = string
    polygon      = string
    alphavantage = string
    # providers:end
  })
  description = "Addresses of the provider services"
}

variable "provider_auth" {
  type        = string
  description = "id_token if the providers require one, otherwise none"
  default     = "id_token"
  validation {
    condition     = contains(["id_token", "none"], var.provider_auth)
    error_message = "provider_auth must be id_token or none."
  }
}

variable "provider_services" {
  type        = set(string)
  description = "Cloud Run services of the providers, in the same region, that the orchestrator may call"
  default     = []
}

variable "notifications" {
  type        = set(string)
  description = "Which of notify_webhook, notify_slack, notify_pagerduty and heartbeat_url are set; Terraform never sees their values"
  default     = []
  validation {
    condition = length(setsubtract(var.notifications, [
      "notify_webhook", "notify_slack", "notify_pagerduty", "heartbeat_url"
    ])) == 0
    error_message = "notifications may contain notify_webhook, notify_slack, notify_pagerduty and heartbeat_url."
  }
}

variable "notify_webhook_origin" {
  type        = string
  description = "Origin of notify_webhook, scheme://host[:port]"
  default     = ""
}

variable "heartbeat_origin" {
  type        = string
  description = "Origin of heartbeat_url, scheme://host[:port]"
  default     = ""
}

variable "dashboard_url" {
  type        = string
  description = "Address at which people open the dashboard, for links in notifications"
  default     = ""
}

variable "log_level" {
  type        = string
  description = "error, warn, info or debug"
  default     = "info"
}

variable "operator_token_version" {
  type        = string
  description = "Version of the secret with the operator token; Terraform never sees its value"
  default     = "latest"
}
