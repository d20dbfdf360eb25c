//! Firestore's typed values and plain JSON.

use serde_json::{Map, Value, json};

/// Plain JSON as a Firestore value: integers become `integerValue`, other numbers `doubleValue`.
pub fn to_typed(plain: &Value) -> Value {
    match plain {
        Value::Null => json!({"nullValue": null}),
        Value::Bool(flag) => json!({"booleanValue": flag}),
        Value::Number(number) if number.is_i64() => json!({"integerValue": number.to_string()}),
        Value::Number(number) => json!({"doubleValue": number}),
        Value::String(text) => json!({"stringValue": text}),
        Value::Array(items) => {
            json!({"arrayValue": {"values": items.iter().map(to_typed).collect::<Vec<_>>()}})
        }
        Value::Object(fields) => json!({"mapValue": {"fields": typed_fields(fields)}}),
    }
}

/// A Firestore value as plain JSON. Times, bytes, references, NaN and infinities become strings.
pub fn to_plain(typed: &Value) -> Value {
    let Some((kind, value)) = typed.as_object().and_then(|object| object.iter().next()) else {
        return Value::Null;
    };
    match kind.as_str() {
        "integerValue" => {
            value.as_str().and_then(|text| text.parse::<i64>().ok()).map_or(Value::Null, Value::from)
        }
        "doubleValue" => value.as_f64().map_or_else(|| value.clone(), Value::from),
        "arrayValue" => {
            let items = value["values"].as_array().map(Vec::as_slice).unwrap_or_default();
            Value::Array(items.iter().map(to_plain).collect())
        }
        "mapValue" => plain_fields(&value["fields"]),
        _ => value.clone(),
    }
}

pub(super) fn typed_fields(fields: &Map<String, Value>) -> Map<String, Value> {
    fields.iter().map(|(name, value)| (name.clone(), to_typed(value))).collect()
}

/// The fields of a document or map. `fields` is missing if it has none.
pub(super) fn plain_fields(typed: &Value) -> Value {
    let fields = typed.as_object().into_iter().flatten();
    Value::Object(fields.map(|(name, value)| (name.clone(), to_plain(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_json_survives_the_round_trip() {
        let plain = json!({
            "null": null, "yes": true, "int": -7, "whole": 3.0, "half": 0.5, "text": "é",
            "list": [1, {"deep": []}], "map": {}
        });
        assert_eq!(to_plain(&to_typed(&plain)), plain);
    }

    #[test]
    fn numbers_keep_their_kind() {
        assert_eq!(to_typed(&json!(3)), json!({"integerValue": "3"}));
        assert_eq!(to_typed(&json!(3.0)), json!({"doubleValue": 3.0}));
        assert!(to_plain(&json!({"doubleValue": 3})).is_f64());
    }

    #[test]
    fn values_that_json_cannot_hold_become_strings() {
        assert_eq!(to_plain(&json!({"doubleValue": "NaN"})), "NaN");
        assert_eq!(to_plain(&json!({"timestampValue": "2024-01-01T00:00:00Z"})), "2024-01-01T00:00:00Z");
    }
}
