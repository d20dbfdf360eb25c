//! A store as text, so that its data can outlive the process: one line with the number of documents, then one line for
//! each document.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use super::{Store, Stored, Strictness, to_json};

/// What the first line says that it is.
const FORMAT: &str = "embedded-firestore-1";

/// All documents at one time.
#[derive(Debug)]
pub struct Snapshot {
    documents: BTreeMap<String, Stored>,
}

impl Snapshot {
    /// Writes the text.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        writeln!(to, "{}", json!({"format": FORMAT, "documents": self.documents.len()}))?;
        for (name, stored) in &self.documents {
            writeln!(to, "{}", to_json(name, stored, &stored.fields))?;
        }
        to.flush()
    }
}

impl Store {
    /// A copy of all documents.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { documents: self.documents.clone() }
    }

    /// A store with the documents of a snapshot's text; the error names the line.
    pub fn restore(strictness: Strictness, text: impl BufRead) -> Result<Self, String> {
        let mut store = Self::new(strictness);
        let mut lines = text.lines().zip(1..);
        let head = match lines.next() {
            Some((Ok(line), _)) => serde_json::from_str(&line).unwrap_or(Json::Null),
            _ => Json::Null,
        };
        let expected = head["documents"].as_u64().filter(|_| head["format"] == FORMAT);
        let expected = expected.ok_or("line 1 does not say that this is data of the embedded Firestore")?;
        for (line, number) in lines {
            let line = line.map_err(|error| format!("line {number}: {error}"))?;
            let (name, stored) = document(&line).ok_or_else(|| format!("line {number} is not a document"))?;
            store.last_time = store.last_time.max(stored.update_time);
            store.documents.insert(name, stored);
        }
        let found = store.documents.len();
        if u64::try_from(found) != Ok(expected) {
            return Err(format!("it has {found} of {expected} documents"));
        }
        Ok(store)
    }
}

fn document(line: &str) -> Option<(String, Stored)> {
    let mut document: Json = serde_json::from_str(line).ok()?;
    let time = |name: &str| document[name].as_str()?.parse::<DateTime<Utc>>().ok();
    let (create_time, update_time) = (time("createTime")?, time("updateTime")?);
    let name = document["name"].as_str()?.to_owned();
    let fields = match document["fields"].take() {
        Json::Null => super::Fields::new(),
        Json::Object(fields) => fields,
        _ => return None,
    };
    Some((name, Stored { fields, create_time, update_time }))
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn filled() -> Store {
        let mut store = Store::default();
        let documents = "projects/p/databases/d/documents";
        for (id, fields) in [("a", json!({"n": {"doubleValue": 0.1}})), ("b", json!({}))] {
            let update = json!({"name": format!("{documents}/things/{id}"), "fields": fields});
            let body = json!({"writes": [{"update": update}]}).to_string();
            let now = DateTime::from_timestamp(1_795_456_800, 0).expect("a time");
            let reply = store.handle(now, &Method::POST, &format!("/v1/{documents}:commit"), body.as_bytes());
            assert!(reply.status.is_success(), "{:?}", reply.body);
        }
        store
    }

    fn text(store: &Store) -> String {
        let mut text = Vec::new();
        store.snapshot().write(&mut text).expect("written");
        String::from_utf8(text).expect("text")
    }

    fn restored(text: &str) -> Result<Store, String> {
        Store::restore(Strictness::Cloud, text.as_bytes())
    }

    #[test]
    fn a_restored_store_is_the_same() {
        let store = filled();
        let again = restored(&text(&store)).expect("restored");
        assert_eq!((again.documents(), again.last_time), (store.documents(), store.last_time));
    }

    #[test]
    fn a_broken_text_is_refused() {
        let whole = text(&filled());
        let short = whole.lines().take(2).collect::<Vec<_>>().join("\n");
        assert_eq!(restored(&short).expect_err("short"), "it has 1 of 2 documents");
        let broken = restored(&whole[..whole.len() - 5]).expect_err("broken");
        assert_eq!(broken, "line 3 is not a document");
        for other in ["", "something else", "{}"] {
            assert!(restored(other).expect_err("foreign").starts_with("line 1 "), "{other}");
        }
    }
}
