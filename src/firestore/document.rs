//! Documents as they are read.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::error::FirestoreError;
use super::value::{Fields, Value};

/// A stored document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub id: String,
    pub fields: Fields,
    pub update_time: DateTime<Utc>,
}

impl Document {
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }
}

/// Some documents of a collection.
#[derive(Debug)]
pub struct Page {
    pub documents: Vec<Document>,
    /// The id after which the next page starts; none after the last.
    pub next: Option<String>,
}

/// A document on the wire.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireDocument {
    name: String,
    #[serde(default)]
    fields: Fields,
    update_time: DateTime<Utc>,
}

impl TryFrom<WireDocument> for Document {
    type Error = FirestoreError;

    fn try_from(wire: WireDocument) -> Result<Self, FirestoreError> {
        match wire.name.rsplit_once('/') {
            Some((_, id)) => {
                Ok(Self { id: id.to_owned(), fields: wire.fields, update_time: wire.update_time })
            }
            None => Err(FirestoreError::Protocol(format!("the document name `{}`", wire.name))),
        }
    }
}
