//! Documents as read.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::error::{FirestoreError, shorten};
use super::value::wire::{Text, timestamp};
use super::value::{Fields, Value};
use crate::base::time;

/// A stored document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub id: String,
    pub fields: Fields,
    pub create_time: DateTime<Utc>,
    pub update_time: DateTime<Utc>,
    /// When Firestore read it, by the same clock as its update time.
    pub read_time: DateTime<Utc>,
}

impl Document {
    /// How long before the read it was last changed. Both times are Firestore's own, so no clock of ours matters.
    pub fn age(&self) -> Duration {
        (self.read_time - self.update_time).to_std().unwrap_or(Duration::ZERO)
    }

    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }
}

/// One page of a collection's documents.
#[derive(Debug)]
pub struct Page {
    pub documents: Vec<Document>,
    /// Whether it is the last page.
    pub is_last: bool,
}

impl Page {
    /// The last document, after which the next page starts; none if there is no next page.
    pub fn next(&self) -> Option<&Document> {
        self.documents.last().filter(|_| !self.is_last)
    }
}

/// A document on the wire.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireDocument<'a> {
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(default)]
    fields: Fields,
    #[serde(borrow)]
    create_time: Option<Text<'a>>,
    #[serde(with = "timestamp")]
    update_time: DateTime<Utc>,
}

impl WireDocument<'_> {
    /// The document as of a read time.
    pub(super) fn read_at(self, read_time: DateTime<Utc>) -> Result<Document, FirestoreError> {
        let create_time = match self.create_time {
            None => self.update_time,
            Some(Text(text)) => time::utc(&text)
                .map_err(|_| FirestoreError::Protocol(format!("the createTime `{}`", shorten(&text))))?,
        };
        match self.name.0.rsplit_once('/') {
            Some((_, id)) => Ok(Document {
                id: id.to_owned(),
                fields: self.fields,
                create_time,
                update_time: self.update_time,
                read_time,
            }),
            None => Err(FirestoreError::Protocol(format!("the document name `{}`", shorten(&self.name.0)))),
        }
    }
}
