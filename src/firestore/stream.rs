//! Streamed responses, checked through to their last element.
//!
//! `:runQuery` and `:batchGet` answer with an array. The status 200 is sent before the first element, so a later
//! failure comes as an element `{"error": …}`, or the body is cut off. If it were ignored, it would look like a
//! response with fewer documents: a watchlist of 300 symbols, or a run that does not exist.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::document::{Document, WireDocument};
use super::error::{Detail, FirestoreError, shorten};

/// The result of a query.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub documents: Vec<Document>,
    /// Whether Firestore says that the results are complete.
    pub is_done: bool,
}

/// One element of a response.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Element {
    error: Option<Detail>,
    found: Option<WireDocument>,
    missing: Option<String>,
    document: Option<WireDocument>,
    read_time: Option<DateTime<Utc>>,
    #[serde(default)]
    done: bool,
}

/// Reads the response to a query.
pub(super) fn query(body: &[u8]) -> Result<Found, FirestoreError> {
    let mut found = Found { documents: Vec::new(), is_done: false };
    for element in elements(body)? {
        found.is_done = element.done;
        match element {
            Element { document: Some(document), read_time: Some(read_time), .. } => {
                found.documents.push(document.read_at(read_time)?);
            }
            // Progress of the query, without a document.
            Element { document: None, found: None, missing: None, read_time: Some(_), .. } => {}
            _ => return Err(unknown_element()),
        }
    }
    Ok(found)
}

/// Reads the response to a request for these documents, by their full names, and returns those that exist. Each must be
/// reported exactly once, as found or as missing.
pub(super) fn batch_get(body: &[u8], names: &[String]) -> Result<Vec<Document>, FirestoreError> {
    let mut open: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let mut documents = Vec::new();
    for element in elements(body)? {
        let name = match (&element.found, &element.missing) {
            (Some(found), None) => &found.name,
            (None, Some(missing)) => missing,
            _ => return Err(unknown_element()),
        };
        if !open.remove(name.as_str()) {
            return Err(FirestoreError::Protocol(format!(
                "a document that was not requested: {}",
                shorten(name)
            )));
        }
        if let Some(found) = element.found {
            documents.push(found.read_at(element.read_time.ok_or_else(unknown_element)?)?);
        }
    }
    match open.first() {
        None => Ok(documents),
        Some(first) => Err(FirestoreError::Protocol(format!(
            "{} of {} documents are neither found nor missing, the first being {first}",
            open.len(),
            names.len()
        ))),
    }
}

/// All elements, or the first error among them.
fn elements(body: &[u8]) -> Result<Vec<Element>, FirestoreError> {
    let mut elements: Vec<Element> = match serde_json::from_slice(body) {
        Ok(elements) => elements,
        Err(broken) => return Err(FirestoreError::of_body(body, &broken)),
    };
    match elements.iter_mut().find_map(|element| element.error.take()) {
        None => Ok(elements),
        Some(detail) => Err(detail.into()),
    }
}

fn unknown_element() -> FirestoreError {
    FirestoreError::Protocol("the response has an element of an unknown kind".to_owned())
}

#[cfg(test)]
mod tests;
