//! Writes, encoded once: sizes are known before anything is sent, and a retry needs no second encoding.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::path::DocumentPath;
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
        let wire = WireWrite {
            update: WireDocument {
                name: format!("{database}/documents/{}", self.document),
                fields: &self.fields,
            },
            update_mask: (self.mode == Mode::Merge).then(|| FieldMask {
                field_paths: self.fields.keys().chain(&self.removals).map(|name| field_path(name)).collect(),
            }),
            update_transforms: self
                .increments
                .iter()
                .map(|(name, amount)| (name, Transform::Increment(amount)))
                .chain(self.maximums.iter().map(|(name, number)| (name, Transform::Maximum(number))))
                .chain(self.times.iter().map(|name| (name, Transform::SetToServerValue("REQUEST_TIME"))))
                .map(|(name, transform)| FieldTransform { field_path: field_path(name), transform })
                .collect(),
            current_document: self.precondition.map(|precondition| match precondition {
                Precondition::Missing => WirePrecondition::Exists(false),
                Precondition::UnchangedSince(time) => {
                    WirePrecondition::UpdateTime(time.to_rfc3339_opts(SecondsFormat::Micros, true))
                }
            }),
        };
        // Maps with string keys and plain numbers always encode.
        let json = serde_json::to_vec(&wire).unwrap_or_default();
        EncodedWrite { document: self.document.clone(), json: json.into() }
    }
}

/// A write in its wire format.
#[derive(Clone, Debug)]
pub struct EncodedWrite {
    pub document: DocumentPath,
    pub json: Bytes,
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
struct WireWrite<'a> {
    update: WireDocument<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    update_mask: Option<FieldMask>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    update_transforms: Vec<FieldTransform<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_document: Option<WirePrecondition>,
}

#[derive(Serialize)]
struct WireDocument<'a> {
    name: String,
    fields: &'a Fields,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FieldMask {
    field_paths: Vec<String>,
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum WirePrecondition {
    Exists(bool),
    UpdateTime(String),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::firestore::value::fields;

    fn encoded(write: &Write) -> serde_json::Value {
        serde_json::from_slice(&write.encode("projects/p/databases/d").json).unwrap()
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
    fn field_paths_are_quoted_where_they_must_be() {
        for (name, expect) in
            [("abc_1", "abc_1"), ("1a", "`1a`"), ("a.b", "`a.b`"), ("a`\\", "`a\\`\\\\`"), ("", "``")]
        {
            assert_eq!(field_path(name), expect);
        }
    }
}
