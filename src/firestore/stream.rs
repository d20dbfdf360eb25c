//! Streamed responses, checked through to their last element.
//!
//! `:runQuery` and `:batchGet` answer with an array. The status 200 is sent before the first element, so a later
//! failure comes as an element `{"error": …}`, or the body is cut off. If it were ignored, it would look like a
//! response with fewer documents: a watchlist of 300 symbols, or a run that does not exist.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::document::{Document, WireDocument};
use super::error::{Detail, FirestoreError, shorten};
use super::value::wire::Text;
use crate::base::time;

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
struct Element<'a> {
    error: Option<Detail>,
    #[serde(borrow)]
    found: Option<WireDocument<'a>>,
    #[serde(borrow)]
    missing: Option<Text<'a>>,
    #[serde(borrow)]
    document: Option<WireDocument<'a>>,
    #[serde(borrow)]
    read_time: Option<Text<'a>>,
    #[serde(default)]
    done: bool,
}

impl Element<'_> {
    /// The document that a requested name stands for.
    fn name(&self) -> Option<&str> {
        match (&self.found, &self.missing) {
            (Some(found), None) => Some(&found.name.0),
            (None, Some(missing)) => Some(&missing.0),
            _ => None,
        }
    }
}

/// Reads times, the same of which come one after the other.
#[derive(Default)]
struct Times {
    last: Option<(String, DateTime<Utc>)>,
}

impl Times {
    fn read(&mut self, text: &str) -> Result<DateTime<Utc>, FirestoreError> {
        match &self.last {
            Some((last, time)) if last == text => Ok(*time),
            _ => {
                let time = time::utc(text)
                    .map_err(|_| FirestoreError::Protocol(format!("the readTime `{}`", shorten(text))))?;
                self.last = Some((text.to_owned(), time));
                Ok(time)
            }
        }
    }
}

/// Reads the response to a query.
pub(super) fn query(body: &[u8]) -> Result<Found, FirestoreError> {
    let mut found = Found { documents: Vec::new(), is_done: false };
    let mut times = Times::default();
    for element in elements(body)? {
        found.is_done = element.done;
        match element {
            Element { document: Some(document), read_time: Some(read_time), .. } => {
                found.documents.push(document.read_at(times.read(&read_time.0)?)?);
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
    let elements = elements(body)?;
    // Mostly the answer has the order of the request; then no name must be looked for.
    let in_order = elements.len() == names.len()
        && elements.iter().zip(names).all(|(element, name)| element.name().is_some_and(|own| own == name));
    let mut open: HashSet<&str> =
        if in_order { HashSet::new() } else { names.iter().map(String::as_str).collect() };
    let (mut documents, mut times) = (Vec::new(), Times::default());
    for element in elements {
        let name = element.name().ok_or_else(unknown_element)?;
        if !in_order && !open.remove(name) {
            let message = format!("a document that was not requested: {}", shorten(name));
            return Err(FirestoreError::Protocol(message));
        }
        if let Some(found) = element.found {
            let read_time = element.read_time.ok_or_else(unknown_element)?;
            documents.push(found.read_at(times.read(&read_time.0)?)?);
        }
    }
    match open.iter().min() {
        None => Ok(documents),
        Some(first) => Err(FirestoreError::Protocol(format!(
            "{} of {} documents are neither found nor missing, the first being {first}",
            open.len(),
            names.len()
        ))),
    }
}

/// All elements, or the first error among them.
fn elements(body: &[u8]) -> Result<Vec<Element<'_>>, FirestoreError> {
    let mut elements: Vec<Element<'_>> = match serde_json::from_slice(body) {
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
