//! Writes, encoded once: sizes are known before anything is sent, and a retry needs no second encoding.

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::path::DocumentPath;
use super::value::encode::{put_fields, put_text};
use super::value::{Fields, Value, fields_stored_bytes};

/// Maximum bytes of a document, with room for what Firestore adds.
pub const DOCUMENT_BYTES_MAX: usize = 1_000_000;

/// One change of one document.
#[derive(Clone, Debug)]
pub struct Write {
    pub document: DocumentPath,
    pub fields: Fields,
    pub mode: Mode,
    pub precondition: Option<Precondition>,
    /// Fields that grow by an amount, in the same atomic change.
    pub increments: Vec<(String, Value)>,
    /// Fields that become the larger of their value and this number, in the same atomic change.
    pub maximums: Vec<(String, Value)>,
    /// Fields that become Firestore's own time of the change.
    pub times: Vec<String>,
    /// Fields to delete in a write that keeps the others.
    pub removals: Vec<String>,
}

/// What happens to fields that the write does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are deleted.
    Overwrite,
    /// They are kept.
    Merge,
}

/// What must be true of the stored document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    Missing,
    /// It was last changed at this time.
    UnchangedSince(DateTime<Utc>),
}

impl Write {
    pub fn overwrite(document: DocumentPath, fields: Fields) -> Self {
        Self {
            document,
            fields,
            mode: Mode::Overwrite,
            precondition: None,
            increments: Vec::new(),
            maximums: Vec::new(),
            times: Vec::new(),
            removals: Vec::new(),
        }
    }

    pub fn merge(document: DocumentPath, fields: Fields) -> Self {
        Self { mode: Mode::Merge, ..Self::overwrite(document, fields) }
    }

    #[must_use]
    pub fn only_if(self, precondition: Precondition) -> Self {
        Self { precondition: Some(precondition), ..self }
    }

    /// Bytes that count towards the document's limit.
    pub fn stored_bytes(&self) -> usize {
        self.document.stored_bytes() + fields_stored_bytes(&self.fields) + 32
    }

    /// The JSON of the write; `database` is `projects/P/databases/D`.
    pub fn encode(&self, database: &str) -> EncodedWrite {
        /// What names a value's type, beyond the bytes that it counts for.
        const TYPE_BYTES: usize = 24;
        let bytes = self.stored_bytes() + TYPE_BYTES * self.fields.len() + database.len() + 128;
        let mut json = Vec::with_capacity(bytes);
        json.extend_from_slice(b"{\"update\":{\"name\":");
        put_text(&mut json, &[database, "/documents/", self.document.as_str()]);
        json.extend_from_slice(b",\"fields\":");
        put_fields(&mut json, &self.fields);
        json.push(b'}');
        if self.mode == Mode::Merge {
            json.extend_from_slice(b",\"updateMask\":{\"fieldPaths\":[");
            for (at, name) in self.fields.keys().chain(&self.removals).enumerate() {
                if at > 0 {
                    json.push(b',');
                }
                put_text(&mut json, &[&field_path(name)]);
            }
            json.extend_from_slice(b"]}");
        }
        let transforms = self.transforms();
        if !transforms.is_empty() {
            json.extend_from_slice(b",\"updateTransforms\":");
            // Maps with string keys and plain numbers always encode.
            let _ = serde_json::to_writer(&mut json, &transforms);
        }
        json.push(b'}');
        EncodedWrite { document: self.document.clone(), json: json.into(), precondition: self.precondition }
    }

    fn transforms(&self) -> Vec<FieldTransform<'_>> {
        let increments = self.increments.iter().map(|(name, amount)| (name, Transform::Increment(amount)));
        let maximums = self.maximums.iter().map(|(name, number)| (name, Transform::Maximum(number)));
        let times = self.times.iter().map(|name| (name, Transform::SetToServerValue("REQUEST_TIME")));
        let all = increments.chain(maximums).chain(times);
        all.map(|(name, transform)| FieldTransform { field_path: field_path(name), transform }).collect()
    }
}

/// A write in its wire format.
#[derive(Clone, Debug)]
pub struct EncodedWrite {
    pub document: DocumentPath,
    /// Without its precondition: that may change between two attempts.
    pub json: Bytes,
    pub precondition: Option<Precondition>,
}

impl EncodedWrite {
    #[must_use]
    pub fn only_if(self, precondition: Precondition) -> Self {
        Self { precondition: Some(precondition), ..self }
    }

    /// Bytes that it takes up in a request.
    pub fn sent_bytes(&self) -> usize {
        /// A precondition with a time, and the comma after a write.
        const REST: usize = 72;
        self.json.len() + REST
    }

    pub fn put(&self, body: &mut BytesMut) {
        let Some(precondition) = self.precondition else { return body.put_slice(&self.json) };
        body.put_slice(self.json.strip_suffix(b"}").unwrap_or(&self.json));
        body.put_slice(b",\"currentDocument\":");
        let json = match precondition {
            Precondition::Missing => "{\"exists\":false}".to_owned(),
            Precondition::UnchangedSince(time) => {
                format!("{{\"updateTime\":\"{}\"}}", time.to_rfc3339_opts(SecondsFormat::Micros, true))
            }
        };
        body.put_slice(json.as_bytes());
        body.put_u8(b'}');
    }

    /// The fields that it writes.
    pub fn fields(&self) -> Fields {
        #[derive(Deserialize)]
        struct Sent {
            update: Update,
        }
        #[derive(Deserialize)]
        struct Update {
            fields: Fields,
        }
        // It was encoded from such fields.
        serde_json::from_slice::<Sent>(&self.json).map(|sent| sent.update.fields).unwrap_or_default()
    }

    /// The same write with one more field.
    #[must_use]
    pub fn with_field(&self, name: &str, value: &Value) -> Self {
        let mut sent: Json = serde_json::from_slice(&self.json).unwrap_or_default();
        if let Some(fields) = sent.pointer_mut("/update/fields").and_then(Json::as_object_mut) {
            fields.insert(name.to_owned(), json!(value));
        }
        if let Some(Json::Array(mask)) = sent.pointer_mut("/updateMask/fieldPaths") {
            mask.push(Json::String(field_path(name)));
        }
        Self { json: sent.to_string().into(), ..self.clone() }
    }
}

/// A field's name in a field path: quoted unless it is a simple identifier.
pub fn field_path(name: &str) -> String {
    let simple = name
        .chars()
        .enumerate()
        .all(|(at, c)| c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit()));
    if simple && !name.is_empty() {
        name.to_owned()
    } else {
        format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FieldTransform<'a> {
    field_path: String,
    #[serde(flatten)]
    transform: Transform<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Transform<'a> {
    Increment(&'a Value),
    Maximum(&'a Value),
    SetToServerValue(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firestore::value::fields;

    fn encoded(write: &Write) -> Json {
        let mut body = BytesMut::new();
        write.encode("projects/p/databases/d").put(&mut body);
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn an_overwrite_is_a_plain_update() {
        let write = Write::overwrite(DocumentPath::new("c", "x/y"), fields([("a", Value::Integer(1))]));
        let expect = json!({"update": {
            "name": "projects/p/databases/d/documents/c/x%2Fy",
            "fields": {"a": {"integerValue": "1"}},
        }});
        assert_eq!(encoded(&write), expect);
    }

    #[test]
    fn a_merge_names_its_fields_and_a_precondition_its_time() {
        let time = "2026-11-23T10:00:00.123456Z".parse().unwrap();
        let mut write = Write::merge(DocumentPath::new("c", "x"), fields([("a b", Value::NULL)]))
            .only_if(Precondition::UnchangedSince(time));
        write.increments.push(("n".into(), Value::Integer(2)));
        write.maximums.push(("m".into(), Value::Integer(3)));
        write.times.push("t/1".into());
        write.removals.push("gone".into());
        let json = encoded(&write);
        assert_eq!(json["updateMask"], json!({"fieldPaths": ["`a b`", "gone"]}));
        assert_eq!(json["currentDocument"], json!({"updateTime": "2026-11-23T10:00:00.123456Z"}));
        let transforms = json!([
            {"fieldPath": "n", "increment": {"integerValue": "2"}},
            {"fieldPath": "m", "maximum": {"integerValue": "3"}},
            {"fieldPath": "`t/1`", "setToServerValue": "REQUEST_TIME"},
        ]);
        assert_eq!(json["updateTransforms"], transforms);
    }

    #[test]
    fn an_encoded_write_takes_another_field_and_gives_its_fields_back() {
        let write = Write::merge(DocumentPath::new("c", "x"), fields([("a", Value::Double(0.1))]))
            .only_if(Precondition::Missing)
            .encode("d")
            .with_field("n", &Value::Integer(1));
        assert_eq!(write.fields(), fields([("a", Value::Double(0.1)), ("n", Value::Integer(1))]));
        let mut body = BytesMut::new();
        write.put(&mut body);
        assert!(body.len() <= write.sent_bytes(), "{body:?}");
        let json: Json = serde_json::from_slice(&body).unwrap();
        assert_eq!(json["updateMask"], json!({"fieldPaths": ["a", "n"]}));
        assert_eq!(json["currentDocument"], json!({"exists": false}));
    }

    #[test]
    fn field_paths_are_quoted_where_they_must_be() {
        for (name, expect) in
            [("abc_1", "abc_1"), ("1a", "`1a`"), ("a.b", "`a.b`"), ("a`\\", "`a\\`\\\\`"), ("", "``")]
        {
            assert_eq!(field_path(name), expect);
        }
    }
}
