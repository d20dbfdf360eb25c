//! Firestore in memory: the part of its REST API that the component uses. It answers as the emulator does, with the
//! cloud's limits in addition.
//!
//! The conformance suite (`tests/it/conformance`) checks it against the real emulator.

mod limits;
mod read;
mod refusal;
mod value;
mod write;

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use http::{Method, StatusCode};
use serde_json::{Map, Value as Json, json};

pub(crate) use refusal::Refusal;

/// The fields of a document, in their typed JSON form.
pub(crate) type Fields = Map<String, Json>;

/// Maximum bytes of one request (the emulator's limit; the cloud's is 10 MiB).
const REQUEST_BYTES_MAX: usize = 4 << 20;

/// A stored document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) fields: Fields,
    pub(crate) create_time: DateTime<Utc>,
    pub(crate) update_time: DateTime<Utc>,
}

/// All documents of all databases, by full name.
#[derive(Debug, Default)]
pub(crate) struct Store {
    documents: BTreeMap<String, Stored>,
    last_time: DateTime<Utc>,
    /// Paths of the documents written since this was last taken.
    written: Vec<String>,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Json,
}

impl Store {
    /// Carries out a request to `path` (`/v1/projects/…`, with its query) at the true time `now`.
    pub(crate) fn handle(&mut self, now: DateTime<Utc>, method: &Method, path: &str, body: &[u8]) -> Reply {
        match self.route(now, method, path, body) {
            Ok(body) => Reply { status: StatusCode::OK, body },
            Err(refusal) => refusal.into_reply(),
        }
    }

    /// The paths, below the root, of the documents written since the last call.
    pub(crate) fn take_written(&mut self) -> Vec<String> {
        std::mem::take(&mut self.written)
    }

    /// All documents of a collection (a path below the root), by id.
    pub(crate) fn collection<'a>(
        &'a self,
        database: &str,
        collection: &str,
    ) -> impl Iterator<Item = (&'a str, &'a Stored)> + use<'a> {
        let prefix = format!("{database}/documents/{collection}/");
        let start = prefix.clone();
        self.documents
            .range(start..)
            .map_while(move |(name, stored)| Some((name.strip_prefix(&prefix)?, stored)))
            .filter(|(id, _)| !id.contains('/'))
    }

    /// Deletes a document, as somebody does in the console.
    pub(crate) fn remove(&mut self, name: &str) {
        self.documents.remove(name);
    }

    /// Every document, by full name.
    pub(crate) fn documents(&self) -> &BTreeMap<String, Stored> {
        &self.documents
    }

    fn route(
        &mut self,
        now: DateTime<Utc>,
        method: &Method,
        path: &str,
        body: &[u8],
    ) -> Result<Json, Refusal> {
        if body.len() > REQUEST_BYTES_MAX {
            let message = format!("gRPC message exceeds maximum size {REQUEST_BYTES_MAX}: {}", body.len());
            return Err(Refusal::new("RESOURCE_EXHAUSTED", message));
        }
        let segments: Vec<String> = path.trim_start_matches('/').split('/').map(decode).collect();
        let names: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["v1", "projects", project, "databases", database, rest @ ..] = names.as_slice() else {
            return Err(Refusal::not_found("no such path"));
        };
        let database = format!("projects/{project}/databases/{database}");
        match (method, rest) {
            (&Method::POST, ["documents:commit"]) => self.commit(now, &database, &parse(body)?),
            (&Method::POST, ["documents:batchWrite"]) => self.batch_write(now, &database, &parse(body)?),
            (&Method::POST, ["documents:batchGet"]) => Ok(self.batch_get(now, &parse(body)?)),
            (&Method::POST, ["documents:runQuery"]) => self.run_query(now, &database, &parse(body)?),
            _ => Err(Refusal::not_found("no such method")),
        }
    }

    /// The time of a change, later than all earlier ones, in microseconds.
    fn tick(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.last_time = now.trunc_subsecs(6).max(self.last_time + TimeDelta::microseconds(1));
        self.last_time
    }
}

fn parse(body: &[u8]) -> Result<Json, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::invalid(format!("cannot parse: {error}")))
}

/// Decodes percent-encoding; invalid sequences are kept.
fn decode(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| segment.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn to_json(name: &str, stored: &Stored, fields: &Fields) -> Json {
    let mut document = json!({
        "name": name,
        "createTime": rfc3339(stored.create_time),
        "updateTime": rfc3339(stored.update_time),
    });
    if !fields.is_empty() {
        document["fields"] = Json::Object(fields.clone());
    }
    document
}
