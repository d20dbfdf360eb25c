//! What Firestore refuses independently of what is stored.

use serde_json::Value as Json;

use super::{Fields, Refusal};

/// Maximum writes in one request.
pub(super) const WRITES_MAX: usize = 500;
/// Maximum bytes of a document, including its name.
const DOCUMENT_BYTES_MAX: usize = 1_048_576;
/// Maximum bytes of a single string.
const TEXT_BYTES_MAX: usize = 1_048_487;
const ID_BYTES_MAX: usize = 1_500;
const DEPTH_MAX: usize = 20;
/// Maximum index entries of a document. This is the cloud's limit; the emulator has no indexes.
const INDEX_ENTRIES_MAX: usize = 40_000;

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
pub(super) fn check_document(name: &str, fields: &Fields) -> Result<(), Refusal> {
    let bytes =
        name.len() + 32 + fields.iter().map(|(name, value)| name.len() + 1 + bytes_of(value)).sum::<usize>();
    if bytes > DOCUMENT_BYTES_MAX {
        let message = format!(
            "Document '{name}' cannot be written because its size ({bytes} bytes) exceeds the maximum allowed size of 1,048,576 bytes."
        );
        return Err(Refusal::invalid(message));
    }
    let entries: usize = fields.values().map(index_entries).sum();
    if entries > INDEX_ENTRIES_MAX {
        return Err(Refusal::invalid(format!("too many index entries for entity: {entries}")));
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

/// Entries in the automatic indexes: ascending and descending for each value, one for each array item.
fn index_entries(value: &Json) -> usize {
    if let Some(items) = value.pointer("/arrayValue/values").and_then(Json::as_array) {
        return 2 + items.len();
    }
    match value.pointer("/mapValue/fields").and_then(Json::as_object) {
        Some(fields) => 2 + fields.values().map(index_entries).sum::<usize>(),
        None => 2,
    }
}
