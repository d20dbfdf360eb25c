//! Firestore's typed values and their JSON form
//! (<https://firebase.google.com/docs/firestore/reference/rest/v1/Value>).

pub(super) mod encode;
pub(super) mod wire;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use wire::{binary, double, integer, null, timestamp};

/// The fields of a document or a map.
pub type Fields = BTreeMap<String, Value>;

/// One value. The JSON form is `{"integerValue": "5"}` and so on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    #[serde(rename = "nullValue", with = "null")]
    Null(()),
    #[serde(rename = "booleanValue")]
    Boolean(bool),
    #[serde(rename = "integerValue", with = "integer")]
    Integer(i64),
    #[serde(rename = "doubleValue", with = "double")]
    Double(f64),
    #[serde(rename = "timestampValue", with = "timestamp")]
    Timestamp(DateTime<Utc>),
    #[serde(rename = "stringValue")]
    String(String),
    #[serde(rename = "bytesValue", with = "binary")]
    Bytes(Bytes),
    #[serde(rename = "referenceValue")]
    Reference(String),
    #[serde(rename = "geoPointValue")]
    GeoPoint {
        #[serde(default)]
        latitude: f64,
        #[serde(default)]
        longitude: f64,
    },
    #[serde(rename = "arrayValue")]
    Array {
        #[serde(default)]
        values: Vec<Value>,
    },
    #[serde(rename = "mapValue")]
    Map {
        #[serde(default)]
        fields: Fields,
    },
}

/// Why Firestore cannot hold a JSON value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unstorable {
    #[error("an array directly inside an array")]
    NestedArray,
    #[error("the field name `{0}`")]
    FieldName(String),
    #[error("more than {DEPTH_MAX} levels of nesting")]
    Depth,
}

/// Maximum characters of a name that is repeated in an error.
const FIELD_NAME_CHARS_MAX: usize = 80;

/// Levels of maps and arrays that Firestore accepts.
pub const DEPTH_MAX: usize = 20;

impl Value {
    pub const NULL: Self = Self::Null(());

    pub fn string(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// A count; anything above 63 bits becomes the largest integer.
    pub fn count(count: usize) -> Self {
        Self::Integer(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub fn strings<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::Array { values: texts.into_iter().map(|text| Self::string(text.as_ref())).collect() }
    }

    pub fn map<const N: usize>(fields: [(&str, Self); N]) -> Self {
        Self::Map { fields: self::fields(fields) }
    }

    /// The value as plain JSON; times are RFC 3339, bytes base64.
    pub fn to_plain(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Null(()) => Json::Null,
            Self::Boolean(value) => Json::from(*value),
            Self::Integer(number) => Json::from(*number),
            // Not every double is a JSON number.
            Self::Double(number) if !number.is_finite() => Json::from(number.to_string()),
            Self::Double(number) => Json::from(*number),
            Self::Timestamp(time) => Json::from(time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            Self::String(text) | Self::Reference(text) => Json::from(text.as_str()),
            Self::Bytes(data) => Json::from(STANDARD.encode(data)),
            Self::GeoPoint { latitude, longitude } => {
                serde_json::json!({"latitude": latitude, "longitude": longitude})
            }
            Self::Array { values } => values.iter().map(Self::to_plain).collect(),
            Self::Map { fields } => {
                fields.iter().map(|(name, value)| (name.clone(), value.to_plain())).collect()
            }
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_timestamp(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Timestamp(time) => Some(*time),
            _ => None,
        }
    }

    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array { values } => Some(values),
            _ => None,
        }
    }

    pub fn as_map(&self) -> Option<&Fields> {
        match self {
            Self::Map { fields } => Some(fields),
            _ => None,
        }
    }

    /// The value for a JSON value: integers stay integers, decimals become doubles, strings stay strings.
    pub fn try_from_json(json: serde_json::Value) -> Result<Self, Unstorable> {
        convert(json, 0)
    }

    /// Whole numbers that fit into 64 bits with a sign are integers. All others are doubles, including whole numbers from
    /// 2^63 up, which do not fit into Firestore's integers.
    pub fn of_number(number: &serde_json::Number) -> Self {
        let double = || Self::Double(number.as_f64().unwrap_or(f64::NAN));
        number.as_i64().map_or_else(double, Self::Integer)
    }

    /// Bytes that count towards the document's limit
    /// (<https://firebase.google.com/docs/firestore/storage-size>).
    pub fn stored_bytes(&self) -> usize {
        match self {
            Self::Null(()) | Self::Boolean(_) => 1,
            Self::Integer(_) | Self::Double(_) | Self::Timestamp(_) => 8,
            Self::String(text) | Self::Reference(text) => text.len() + 1,
            Self::Bytes(bytes) => bytes.len(),
            Self::GeoPoint { .. } => 16,
            Self::Array { values } => values.iter().map(Self::stored_bytes).sum(),
            Self::Map { fields } => fields_stored_bytes(fields),
        }
    }
}

/// Fields from pairs of name and value.
pub fn fields<const N: usize>(fields: [(&str, Value); N]) -> Fields {
    named(&mut fields.into_iter())
}

/// One piece of code for any number of fields.
fn named(pairs: &mut dyn Iterator<Item = (&str, Value)>) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in pairs {
        fields.insert(name.to_owned(), value);
    }
    fields
}

pub fn fields_stored_bytes(fields: &Fields) -> usize {
    fields.iter().map(|(name, value)| name.len() + 1 + value.stored_bytes()).sum()
}

/// Levels of maps and arrays in a value.
pub fn depth(value: &Value) -> usize {
    match value {
        Value::Array { values } => 1 + values.iter().map(depth).max().unwrap_or_default(),
        Value::Map { fields } => 1 + fields.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// Whether Firestore accepts a field of that name: not empty, not `__x__`, at most 1,500 bytes.
pub fn is_field_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 1500
        && !(name.len() >= 4 && name.starts_with("__") && name.ends_with("__"))
}

fn convert(json: serde_json::Value, depth: usize) -> Result<Value, Unstorable> {
    if depth >= DEPTH_MAX && (json.is_array() || json.is_object()) {
        return Err(Unstorable::Depth);
    }
    Ok(match json {
        serde_json::Value::Null => Value::NULL,
        serde_json::Value::Bool(value) => Value::Boolean(value),
        serde_json::Value::Number(number) => Value::of_number(&number),
        serde_json::Value::String(text) => Value::String(text),
        serde_json::Value::Array(items) => {
            if items.iter().any(serde_json::Value::is_array) {
                return Err(Unstorable::NestedArray);
            }
            let values = items.into_iter().map(|item| convert(item, depth + 1)).collect::<Result<_, _>>()?;
            Value::Array { values }
        }
        serde_json::Value::Object(members) => {
            let mut fields = Fields::new();
            for (name, member) in members {
                if !is_field_name(&name) {
                    // A reason must stay short enough to be stored next to the record.
                    return Err(Unstorable::FieldName(name.chars().take(FIELD_NAME_CHARS_MAX).collect()));
                }
                fields.insert(name, convert(member, depth + 1)?);
            }
            Value::Map { fields }
        }
    })
}

#[cfg(test)]
mod tests;
