//! What Firestore refuses independently of what is stored.

use chrono::DateTime;
use serde_json::Value as Json;

use super::field::FieldPath;
use super::indexes::Indexes;
use super::{Fields, Refusal, Strictness};

/// Maximum bytes of one request to the emulator.
const EMULATOR_REQUEST_BYTES_MAX: usize = 4 << 20;
/// Maximum bytes of one request to the cloud.
const CLOUD_REQUEST_BYTES_MAX: usize = 10 << 20;
/// Maximum writes in one request to the cloud.
const WRITES_MAX: usize = 500;
/// Maximum bytes of a document, including its name.
const DOCUMENT_BYTES_MAX: usize = 1_048_576;
/// Maximum bytes of a single string.
const TEXT_BYTES_MAX: usize = 1_048_487;
const ID_BYTES_MAX: usize = 1_500;
const DEPTH_MAX: usize = 20;
/// Maximum index entries of a document in the cloud; the emulator has no indexes.
const INDEX_ENTRIES_MAX: usize = 40_000;

/// Checks the size of a request. The cloud's limit is the larger one, so it decides only on what to say.
pub(super) fn check_request(bytes: usize, strictness: Strictness) -> Result<(), Refusal> {
    if strictness == Strictness::Cloud && bytes > CLOUD_REQUEST_BYTES_MAX {
        let message = format!("Request payload size exceeds the limit: {CLOUD_REQUEST_BYTES_MAX} bytes.");
        return Err(Refusal::invalid(message));
    }
    if bytes > EMULATOR_REQUEST_BYTES_MAX {
        let message = format!("gRPC message exceeds maximum size {EMULATOR_REQUEST_BYTES_MAX}: {bytes}");
        return Err(Refusal::new("RESOURCE_EXHAUSTED", message));
    }
    Ok(())
}

/// Checks the number of writes in a request.
pub(super) fn check_count(writes: usize, strictness: Strictness) -> Result<(), Refusal> {
    if strictness == Strictness::Cloud && writes > WRITES_MAX {
        return Err(Refusal::invalid(format!("maximum {WRITES_MAX} writes allowed per request")));
    }
    Ok(())
}

/// Checks a document's name: `{database}/documents/collection/id`, or deeper.
pub(super) fn check_name(database: &str, name: &str) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::invalid(message));
    let Some(path) = name.strip_prefix(database).and_then(|rest| rest.strip_prefix("/documents/")) else {
        return refuse(format!("Document name \"{name}\" is of another database"));
    };
    if path.split('/').count() % 2 == 1 {
        return refuse(format!("Document name \"{name}\" lacks \"/\""));
    }
    for segment in path.split('/') {
        if matches!(segment, "" | "." | "..") {
            return refuse(format!("Document name \"{name}\" contains a resource id \"{segment}\""));
        }
        if is_reserved(segment) {
            return refuse(format!("Resource id \"{segment}\" is invalid because it is reserved."));
        }
        if segment.len() > ID_BYTES_MAX {
            return refuse(format!("The key path element name is longer than {ID_BYTES_MAX} bytes."));
        }
    }
    Ok(())
}

/// Checks the fields of a write.
pub(super) fn check_fields(fields: &Fields) -> Result<(), Refusal> {
    for (name, value) in fields {
        check_field_name(name)?;
        check_value(name, value, 1)?;
    }
    Ok(())
}

/// Checks a document as it would be stored.
pub(super) fn check_document(name: &str, fields: &Fields, strictness: Strictness) -> Result<(), Refusal> {
    let bytes =
        name.len() + 32 + fields.iter().map(|(name, value)| name.len() + 1 + bytes_of(value)).sum::<usize>();
    if bytes > DOCUMENT_BYTES_MAX {
        let message = format!(
            "Document '{name}' cannot be written because its size ({bytes} bytes) exceeds the maximum allowed size of 1,048,576 bytes."
        );
        return Err(Refusal::invalid(message));
    }
    match strictness {
        Strictness::Emulator => Ok(()),
        Strictness::Cloud => check_index_entries(name, fields),
    }
}

/// Checks the entries in the fields' own indexes and the composite ones.
fn check_index_entries(name: &str, fields: &Fields) -> Result<(), Refusal> {
    let collection = name.rsplit('/').nth(1).unwrap_or_default();
    let (indexes, root) = (Indexes::deployed(), FieldPath::default());
    let own = fields.iter().map(|(name, value)| index_entries(collection, &root.member(name), value));
    let entries = own.sum::<usize>() + indexes.composite_count(collection);
    if entries > INDEX_ENTRIES_MAX {
        return Err(Refusal::invalid(format!("too many index entries for entity {name}")));
    }
    Ok(())
}

fn check_field_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::invalid("The property.name is the empty string."));
    }
    if is_reserved(name) {
        return Err(Refusal::invalid(format!("field name {name} is reserved")));
    }
    Ok(())
}

fn is_reserved(name: &str) -> bool {
    name.len() >= 4 && name.starts_with("__") && name.ends_with("__")
}

fn check_value(field: &str, value: &Json, depth: usize) -> Result<(), Refusal> {
    if depth > DEPTH_MAX + 1 {
        return Err(Refusal::invalid(format!("Property {field} contains an invalid nested entity.")));
    }
    check_kind(value)?;
    if let Some(text) = value["stringValue"].as_str()
        && text.len() > TEXT_BYTES_MAX
    {
        let message = format!("The value of property \"{field}\" is longer than {TEXT_BYTES_MAX} bytes.");
        return Err(Refusal::invalid(message));
    }
    for item in value.pointer("/arrayValue/values").and_then(Json::as_array).into_iter().flatten() {
        if item.get("arrayValue").is_some() {
            return Err(Refusal::invalid("Cannot convert an array value in an array value."));
        }
        check_value(field, item, depth + 1)?;
    }
    for (name, member) in value.pointer("/mapValue/fields").and_then(Json::as_object).into_iter().flatten() {
        check_field_name(name)?;
        check_value(field, member, depth + 1)?;
    }
    Ok(())
}

/// Whether it is a typed value at all.
fn check_kind(value: &Json) -> Result<(), Refusal> {
    let refuse = || Err(Refusal::invalid(format!("Payload isn't valid for request. Not a value: {value}")));
    let mut kinds = value.as_object().into_iter().flatten();
    let (Some((kind, inner)), None) = (kinds.next(), kinds.next()) else { return refuse() };
    let is_valid = match kind.as_str() {
        "nullValue" => true,
        "booleanValue" => inner.is_boolean(),
        "integerValue" => inner.as_str().is_some_and(|text| text.parse::<i64>().is_ok()),
        "doubleValue" => {
            inner.is_number() || ["NaN", "Infinity", "-Infinity"].iter().any(|name| inner == name)
        }
        "timestampValue" => inner.as_str().is_some_and(|text| DateTime::parse_from_rfc3339(text).is_ok()),
        "stringValue" | "bytesValue" | "referenceValue" => inner.is_string(),
        "geoPointValue" | "arrayValue" | "mapValue" => inner.is_object(),
        _ => false,
    };
    if is_valid { Ok(()) } else { refuse() }
}

/// Bytes by Firestore's rules of storage size.
fn bytes_of(value: &Json) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else { return 1 };
    match kind.as_str() {
        "nullValue" | "booleanValue" => 1,
        "stringValue" | "referenceValue" => value.as_str().map_or(0, str::len) + 1,
        "bytesValue" => value.as_str().map_or(0, str::len) / 4 * 3,
        "geoPointValue" => 16,
        "arrayValue" => value["values"].as_array().into_iter().flatten().map(bytes_of).sum(),
        "mapValue" => {
            let fields = value["fields"].as_object().into_iter().flatten();
            fields.map(|(name, member)| name.len() + 1 + bytes_of(member)).sum()
        }
        _ => 8,
    }
}

/// Entries in the automatic indexes: ascending and descending for each value, one for each array item. An exempt field
/// has none.
fn index_entries(collection: &str, field: &FieldPath, value: &Json) -> usize {
    if Indexes::deployed().is_exempt(collection, field) {
        return 0;
    }
    if let Some(items) = value.pointer("/arrayValue/values").and_then(Json::as_array) {
        return 2 + items.len();
    }
    let members = value.pointer("/mapValue/fields").and_then(Json::as_object).into_iter().flatten();
    2 + members.map(|(name, member)| index_entries(collection, &field.member(name), member)).sum::<usize>()
}
