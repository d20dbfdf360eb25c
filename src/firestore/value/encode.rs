//! Values as JSON, written into one buffer. What serde makes of them is the same byte for byte, at a higher
//! price for each record of a run.

use serde_json::to_writer;

use super::{Fields, Value};

/// Appends a map of fields.
pub(in crate::firestore) fn put_fields(json: &mut Vec<u8>, fields: &Fields) {
    json.push(b'{');
    for (at, (name, value)) in fields.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        put_text(json, &[name]);
        json.push(b':');
        put_value(json, value);
    }
    json.push(b'}');
}

/// Appends a string of these pieces.
pub(in crate::firestore) fn put_text(json: &mut Vec<u8>, pieces: &[&str]) {
    json.push(b'"');
    for piece in pieces {
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        if piece.bytes().all(is_plain) {
            json.extend_from_slice(piece.as_bytes());
        } else {
            // Its quotes are replaced by ours.
            let start = json.len();
            put(json, piece);
            json.remove(start);
            json.pop();
        }
    }
    json.push(b'"');
}

fn put_value(json: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null(()) => json.extend_from_slice(b"{\"nullValue\":null}"),
        Value::Boolean(true) => json.extend_from_slice(b"{\"booleanValue\":true}"),
        Value::Boolean(false) => json.extend_from_slice(b"{\"booleanValue\":false}"),
        Value::Integer(number) => {
            json.extend_from_slice(b"{\"integerValue\":\"");
            put(json, number);
            json.extend_from_slice(b"\"}");
        }
        Value::Double(number) if number.is_finite() => {
            json.extend_from_slice(b"{\"doubleValue\":");
            put(json, number);
            json.push(b'}');
        }
        Value::String(text) => {
            json.extend_from_slice(b"{\"stringValue\":");
            put_text(json, &[text]);
            json.push(b'}');
        }
        Value::Array { values } => {
            json.extend_from_slice(b"{\"arrayValue\":{\"values\":[");
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    json.push(b',');
                }
                put_value(json, value);
            }
            json.extend_from_slice(b"]}}");
        }
        Value::Map { fields } => {
            json.extend_from_slice(b"{\"mapValue\":{\"fields\":");
            put_fields(json, fields);
            json.extend_from_slice(b"}}");
        }
        Value::Double(_)
        | Value::Timestamp(_)
        | Value::Bytes(_)
        | Value::Reference(_)
        | Value::GeoPoint { .. } => put(json, value),
    }
}

/// Maps with string keys and plain numbers always encode.
fn put(json: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    let _ = to_writer(json, value);
}
