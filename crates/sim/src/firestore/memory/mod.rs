//! Firestore in memory: the part of its REST API that the orchestrator and the tests use, as a function of the time
//! and a request.
//!
//! It answers as the emulator does. The conformance suite (`tests/it/conformance`) checks that. What Google's cloud
//! enforces beyond the emulator is a [`Strictness`].

mod document;
mod field;
mod indexes;
mod limits;
mod query;
mod read;
mod refusal;
mod snapshot;
mod value;
mod write;

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use http::{Method, StatusCode};
use serde_json::{Map, Value as Json, json};

pub use refusal::Refusal;
pub use snapshot::Snapshot;

/// The fields of a document, in their typed JSON form.
pub type Fields = Map<String, Json>;

/// How much is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// What the emulator refuses.
    Emulator,
    /// Also what only Google's cloud refuses, with the indexes of `firestore.indexes.json`: queries without their index,
    /// documents with too many index entries, requests above 10 MiB.
    Cloud,
}

/// A stored document.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub fields: Fields,
    pub create_time: DateTime<Utc>,
    pub update_time: DateTime<Utc>,
}

/// All documents of all databases, by full name.
#[derive(Debug)]
pub struct Store {
    strictness: Strictness,
    documents: BTreeMap<String, Stored>,
    last_time: DateTime<Utc>,
    /// Paths of the documents written since this was last taken.
    written: Vec<String>,
    /// Counts the changes.
    revision: u64,
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub body: Json,
}

/// The database and the part of it that a request is about.
struct Target<'a> {
    /// `projects/P/databases/D`.
    database: String,
    /// The segments of the path below the root: a document's, a collection's, or none.
    path: &'a [String],
}

/// The strictest: what it accepts, both Firestores accept.
impl Default for Store {
    fn default() -> Self {
        Self::new(Strictness::Cloud)
    }
}

impl Store {
    /// An empty store.
    pub fn new(strictness: Strictness) -> Self {
        Self {
            strictness,
            documents: BTreeMap::new(),
            last_time: DateTime::default(),
            written: Vec::new(),
            revision: 0,
        }
    }

    /// Carries out a request to `path` (`/v1/projects/…`, with its query) at the true time `now`.
    pub fn handle(&mut self, now: DateTime<Utc>, method: &Method, path: &str, body: &[u8]) -> Reply {
        match self.route(now, method, path, body) {
            Ok(body) => Reply { status: StatusCode::OK, body },
            Err(refusal) => refusal.into_reply(),
        }
    }

    /// The paths, below the root, of the documents written since the last call.
    pub fn take_written(&mut self) -> Vec<String> {
        std::mem::take(&mut self.written)
    }

    /// All documents of a collection (a path below the root), by id.
    pub fn collection<'a>(
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
    pub fn remove(&mut self, name: &str) {
        if self.documents.remove(name).is_some() {
            self.revision += 1;
        }
    }

    /// Every document, by full name.
    pub fn documents(&self) -> &BTreeMap<String, Stored> {
        &self.documents
    }

    /// A number that grows with every change.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    fn route(
        &mut self,
        now: DateTime<Utc>,
        method: &Method,
        path: &str,
        body: &[u8],
    ) -> Result<Json, Refusal> {
        limits::check_request(body.len(), self.strictness)?;
        let (path, parameters) = path.split_once('?').unwrap_or((path, ""));
        let (path, verb) = split_verb(path, method);
        let segments: Vec<String> = path.trim_start_matches('/').split('/').map(decode).collect();
        let names: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (project, id, below) = match names.as_slice() {
            ["v1", "projects", project, "databases", id, "documents", ..] => (project, id, 6),
            ["emulator", "v1", "projects", project, "databases", id, "documents"]
                if method == Method::DELETE =>
            {
                self.clear(&format!("projects/{project}/databases/{id}"));
                return Ok(json!({}));
            }
            _ => return Err(Refusal::not_found("no such path")),
        };
        let target =
            Target { database: format!("projects/{project}/databases/{id}"), path: &segments[below..] };
        match (method, verb, target.path.len()) {
            (&Method::POST, Some("commit"), 0) => self.commit(now, &target.database, &parse(body)?),
            (&Method::POST, Some("batchWrite"), 0) => self.batch_write(now, &target.database, &parse(body)?),
            (&Method::POST, Some("batchGet"), 0) => Ok(self.batch_get(now, &parse(body)?)),
            (&Method::POST, Some("runQuery"), _) => self.run_query(now, &target, &parse(body)?),
            (&Method::POST, Some("runAggregationQuery"), _) => self.count(now, &target, &parse(body)?),
            (&Method::POST, Some("listCollectionIds"), _) => Ok(self.collection_ids(&target)),
            (_, None, 1..) => self.on_document(now, method, &target, parameters, body),
            _ => Err(Refusal::not_found("no such method")),
        }
    }

    /// Empties a database.
    fn clear(&mut self, database: &str) {
        let root = format!("{database}/documents/");
        self.documents.retain(|name, _| !name.starts_with(&root));
        self.revision += 1;
    }

    /// The time of a request, later than those of all earlier ones, in microseconds.
    fn tick(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.last_time = now.trunc_subsecs(6).max(self.last_time + TimeDelta::microseconds(1));
        self.last_time
    }
}

impl Target<'_> {
    /// The full name of what the path leads to; the parent of the root's collections if it is empty.
    fn name(&self) -> String {
        let root = format!("{}/documents", self.database);
        if self.path.is_empty() { root } else { format!("{root}/{}", self.path.join("/")) }
    }

    /// The path below the root of a collection whose parent this is.
    fn collection(&self, id: &str) -> String {
        if self.path.is_empty() { id.to_owned() } else { format!("{}/{id}", self.path.join("/")) }
    }
}

/// The path and the method after its colon, as in `documents:commit`. Only posts have one: elsewhere, a colon belongs to
/// an id.
fn split_verb<'a>(path: &'a str, method: &Method) -> (&'a str, Option<&'a str>) {
    match path.rsplit_once(':') {
        Some((path, verb)) if method == Method::POST && !verb.contains('/') => (path, Some(verb)),
        _ => (path, None),
    }
}

fn parse(body: &[u8]) -> Result<Json, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::invalid(format!("Payload isn't valid for request. {error}")))
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
