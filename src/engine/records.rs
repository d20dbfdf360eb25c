//! What is known about a record, and what was known about it at any earlier time.

use chrono::{DateTime, Utc};
use futures::future::try_join;

use super::Engine;
use crate::firestore::document::Document;
use crate::firestore::query::{NameRange, Start};
use crate::firestore::{DocumentPath, Fields, FirestoreError, Value};
use crate::intake::content::REVISION_FIELD;
use crate::intake::revision;

/// Revisions in one page.
const PAGE: usize = 300;

/// One form of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    pub fields: Fields,
    /// When it was stored.
    pub known_since: DateTime<Utc>,
    /// What became of it; none if it is the current one.
    pub end: Option<End>,
}

/// How a form was replaced.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// How many forms there were before it.
    pub number: i64,
    pub superseded_at: DateTime<Utc>,
    pub superseded_by_run: String,
    /// The fields in which its successor differs.
    pub changed: Vec<String>,
}

/// A record's forms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// None if somebody has deleted the document.
    pub current: Option<Form>,
    /// The earlier forms, oldest first.
    pub revisions: Vec<Form>,
}

impl History {
    /// The form that was stored at a time; none if there was none.
    pub fn at(&self, time: DateTime<Utc>) -> Option<&Form> {
        let is_stored = |form: &&Form| {
            form.known_since <= time && form.end.as_ref().is_none_or(|end| time < end.superseded_at)
        };
        self.revisions.iter().chain(&self.current).find(is_stored)
    }

    fn new(current: Option<Document>, revisions: &[Document]) -> Self {
        let mut revisions: Vec<_> = revisions.iter().filter_map(revision).collect();
        revisions.sort_by_key(|(end, ..)| end.superseded_at);
        let mut history = Self::default();
        let mut before = None;
        for (end, fields, stored_at) in revisions {
            // A mark on the record may have changed since it replaced the form before.
            let known_since = before.filter(|_| end.number > 0).unwrap_or(stored_at);
            before = Some(end.superseded_at);
            history.revisions.push(Form { fields, known_since, end: Some(end) });
        }
        history.current = current.map(|document| {
            let is_first = !document.fields.contains_key(REVISION_FIELD);
            let known_since = before.filter(|_| !is_first).unwrap_or(document.create_time);
            Form { fields: document.fields, known_since, end: None }
        });
        history
    }
}

fn revision(document: &Document) -> Option<(End, Fields, DateTime<Utc>)> {
    let time = |name| document.fields.get(name).and_then(Value::as_timestamp);
    let changed = document.fields.get("changed").and_then(Value::as_array).unwrap_or_default();
    let end = End {
        number: document.fields.get("number").and_then(Value::as_i64)?,
        superseded_at: time("superseded_at")?,
        superseded_by_run: document.text("superseded_by_run")?.to_owned(),
        changed: changed.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
    };
    Some((end, revision::fields_of(document)?, time("stored_at")?))
}

impl Engine {
    /// All forms of a record.
    pub async fn history(&self, collection: &str, id: &str) -> Result<History, FirestoreError> {
        let path = DocumentPath::new(collection, id);
        let (current, revisions) = try_join(self.firestore.get(&path), self.revisions(&path)).await?;
        Ok(History::new(current, &revisions))
    }

    async fn revisions(&self, path: &DocumentPath) -> Result<Vec<Document>, FirestoreError> {
        let revisions = &self.settings.collections.revisions;
        let (from, until) = revision::names(revisions, path);
        let name = |path: &DocumentPath| format!("{}/documents/{path}", self.firestore.database());
        let mut start = Start::At(name(&from));
        let mut found = Vec::new();
        loop {
            let until = Some(name(&until));
            let range =
                NameRange { collection: revisions, from: Some(start), until, limit: PAGE, select: &[] };
            let page = self.firestore.names(&range).await?;
            let next = page.next().map(|last| last.id.clone());
            found.extend(page.documents);
            match next {
                Some(last) => {
                    start =
                        Start::After(format!("{}/documents/{revisions}/{last}", self.firestore.database()));
                }
                None => return Ok(found),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firestore::value::fields;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn close(close: i64) -> Fields {
        fields([("close", Value::Integer(close))])
    }

    /// A form that was replaced; its mark was changed a second before.
    fn replaced(number: i64, value: i64, superseded_at: i64) -> Document {
        let fields = fields([
            ("number", Value::Integer(number)),
            ("superseded_at", Value::Timestamp(at(superseded_at))),
            ("superseded_by_run", Value::string("run")),
            ("changed", Value::strings(["close"])),
            ("stored_at", Value::Timestamp(if number == 0 { at(10) } else { at(superseded_at - 1) })),
            ("fields", Value::Map { fields: close(value) }),
        ]);
        Document { id: "r".into(), fields, create_time: at(0), update_time: at(0), read_time: at(0) }
    }

    #[test]
    fn what_was_known_at_a_time_is_the_form_that_was_stored_then() {
        let mut now = close(3);
        now.insert(REVISION_FIELD.into(), Value::Integer(3));
        let now = Document { fields: now, create_time: at(10), ..replaced(0, 0, 0) };
        // The first value came back in between.
        let old = [replaced(2, 1, 40), replaced(0, 1, 20), replaced(1, 2, 30)];
        let history = History::new(Some(now), &old);
        let known = |second| {
            let form = history.at(at(second))?;
            form.fields.get("close").and_then(Value::as_i64)
        };
        let expect = [(9, None), (10, Some(1)), (19, Some(1)), (20, Some(2)), (30, Some(1)), (39, Some(1))];
        for (second, value) in expect.into_iter().chain([(40, Some(3)), (99, Some(3))]) {
            assert_eq!(known(second), value, "at {second}");
        }
    }

    #[test]
    fn a_document_that_was_deleted_and_came_back_was_unknown_in_between() {
        let now = Document { fields: close(5), create_time: at(50), ..replaced(0, 0, 0) };
        let history = History::new(Some(now), &[replaced(0, 1, 20)]);
        assert!(history.at(at(30)).is_none());
        assert!(history.at(at(50)).is_some());
    }
}
