resource "google_firestore_index" "index" {
  for_each    = local.indexes
  database    = var.database
  collection  = each.value.collectionGroup
  query_scope = each.value.queryScope

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = fields.value.fieldPath
      order      = fields.value.order
    }
  }

  depends_on = [google_project_service.needed]
}

# Exemptions from automatic indexes, and TTL policies.
resource "google_firestore_field" "field" {
  for_each   = local.fields
  database   = var.database
  collection = each.value.collectionGroup
  field      = each.value.fieldPath

  # Empty: no single-field index.
  index_config {}

  dynamic "ttl_config" {
    for_each = try(each.value.ttl, false) ? [1] : []
    content {}
  }

  depends_on = [google_project_service.needed]
}
