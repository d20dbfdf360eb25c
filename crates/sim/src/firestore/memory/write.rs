//! `commit` (all or nothing) and `batchWrite` (each on its own).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use super::field::FieldPath;
use super::limits::{check_count, check_document, check_fields, check_name};
use super::value::{add, larger};
use super::{Fields, Refusal, Store, Stored, rfc3339};

impl Store {
    pub(super) fn commit(
        &mut self,
        now: DateTime<Utc>,
        database: &str,
        body: &Json,
    ) -> Result<Json, Refusal> {
        let writes = self.checked(database, body)?;
        if writes.is_empty() {
            return Ok(json!({}));
        }
        let before: Vec<_> = writes
            .iter()
            .map(|write| (name_of(write).to_owned(), self.documents.get(name_of(write)).cloned()))
            .collect();
        let written = self.written.len();
        let time = self.tick(now);
        let mut results = Vec::new();
        for write in &writes {
            match self.apply(database, write, time) {
                Ok(result) => results.push(result),
                Err(refusal) => {
                    self.undo(before);
                    self.written.truncate(written);
                    return Err(refusal);
                }
            }
        }
        Ok(json!({"writeResults": results, "commitTime": rfc3339(time)}))
    }

    pub(super) fn batch_write(
        &mut self,
        now: DateTime<Utc>,
        database: &str,
        body: &Json,
    ) -> Result<Json, Refusal> {
        let writes = self.checked(database, body)?;
        let names: BTreeSet<_> = writes.iter().map(|write| name_of(write)).collect();
        if names.len() < writes.len() {
            let message = "the same document cannot be written more than once in a single request";
            return Err(Refusal::invalid(message));
        }
        let mut results = Vec::new();
        let mut statuses = Vec::new();
        for write in writes {
            let time = self.tick(now);
            match self.apply(database, write, time) {
                Ok(result) => {
                    results.push(result);
                    statuses.push(json!({}));
                }
                Err(refusal) => {
                    results.push(json!({}));
                    statuses.push(refusal.into_write_status());
                }
            }
        }
        Ok(if statuses.is_empty() { json!({}) } else { json!({"writeResults": results, "status": statuses}) })
    }

    /// The writes of a request, each of a form that Firestore accepts.
    fn checked<'a>(&self, database: &str, body: &'a Json) -> Result<Vec<&'a Json>, Refusal> {
        if body["transaction"].is_string() {
            return Err(Refusal::unsupported("transactions"));
        }
        let writes: Vec<_> = body["writes"].as_array().into_iter().flatten().collect();
        check_count(writes.len(), self.strictness)?;
        for write in &writes {
            if name_of(write).is_empty() {
                return Err(Refusal::invalid("empty write operation"));
            }
            check_name(database, name_of(write))?;
            if let Some(fields) = write.pointer("/update/fields").and_then(Json::as_object) {
                check_fields(fields)?;
            }
        }
        Ok(writes)
    }

    /// Undoes the changes of a refused commit.
    fn undo(&mut self, before: Vec<(String, Option<Stored>)>) {
        for (name, stored) in before {
            match stored {
                Some(stored) => self.documents.insert(name, stored),
                None => self.documents.remove(&name),
            };
        }
    }

    /// Carries out one write or returns why not.
    fn apply(&mut self, database: &str, write: &Json, time: DateTime<Utc>) -> Result<Json, Refusal> {
        let name = name_of(write);
        let stored = self.documents.get(name);
        check_precondition(name, stored, &write["currentDocument"])?;
        if write.get("delete").is_some() {
            self.remove(name);
            return Ok(json!({}));
        }
        let mut fields = merged(stored, write);
        let transformed = transform(&mut fields, write, time);
        check_document(name, &fields, self.strictness)?;
        let update_time = match stored {
            // A write that changes nothing keeps the document's time.
            Some(stored) if stored.fields == fields => stored.update_time,
            _ => time,
        };
        let create_time = stored.map_or(time, |stored| stored.create_time);
        let path = name.strip_prefix(database).and_then(|rest| rest.strip_prefix("/documents/"));
        self.written.push(path.unwrap_or(name).to_owned());
        self.documents.insert(name.to_owned(), Stored { fields, create_time, update_time });
        self.revision += 1;
        let mut result = json!({"updateTime": rfc3339(update_time)});
        if !transformed.is_empty() {
            result["transformResults"] = Json::Array(transformed);
        }
        Ok(result)
    }
}

/// Carries out the transforms of a write; returns the new values.
fn transform(fields: &mut Fields, write: &Json, time: DateTime<Utc>) -> Vec<Json> {
    let mut transformed = Vec::new();
    for transform in write["updateTransforms"].as_array().into_iter().flatten() {
        let path = FieldPath::parse(transform["fieldPath"].as_str().unwrap_or_default());
        let value = match (&transform["maximum"], &transform["setToServerValue"]) {
            (_, Json::String(_)) => json!({"timestampValue": rfc3339(time)}),
            (Json::Null, _) => add(path.get(fields), &transform["increment"]),
            (number, _) => larger(path.get(fields), number),
        };
        transformed.push(value.clone());
        path.set(fields, value);
    }
    transformed
}

fn name_of(write: &Json) -> &str {
    let name = write.pointer("/update/name").or(write.get("delete"));
    name.and_then(Json::as_str).unwrap_or_default()
}

fn check_precondition(name: &str, stored: Option<&Stored>, precondition: &Json) -> Result<(), Refusal> {
    if let Some(exists) = precondition["exists"].as_bool() {
        return match (exists, stored.is_some()) {
            (false, true) => Err(Refusal::new("ALREADY_EXISTS", format!("entity already exists: {name}"))),
            (true, false) => Err(Refusal::not_found(format!("no entity to update: {name}"))),
            _ => Ok(()),
        };
    }
    let Some(text) = precondition["updateTime"].as_str() else { return Ok(()) };
    let required = DateTime::parse_from_rfc3339(text).map_err(|error| Refusal::invalid(error.to_string()))?;
    let version = stored.map_or(0, |stored| stored.update_time.timestamp_micros());
    if version == required.timestamp_micros() {
        return Ok(());
    }
    let message = format!(
        "the stored version ({version}) does not match the required base version ({})",
        required.timestamp_micros()
    );
    Err(Refusal::new("FAILED_PRECONDITION", message))
}

/// The fields after the write: only its own, or merged into the stored ones if it has a mask.
fn merged(stored: Option<&Stored>, write: &Json) -> Fields {
    let empty = Fields::new();
    let new = write.pointer("/update/fields").and_then(Json::as_object).unwrap_or(&empty);
    let Some(mask) = write.pointer("/updateMask/fieldPaths").and_then(Json::as_array) else {
        return new.clone();
    };
    let mut fields = stored.map(|stored| stored.fields.clone()).unwrap_or_default();
    for path in mask.iter().filter_map(Json::as_str).map(FieldPath::parse) {
        match path.get(new) {
            Some(value) => path.set(&mut fields, value.clone()),
            None => path.remove(&mut fields),
        }
    }
    fields
}
