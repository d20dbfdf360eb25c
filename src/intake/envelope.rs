//! The body of a provider's response.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::entries::readable;
use super::pieces::{elements, members};
use crate::base::{redact, text};
use crate::intake::record::error_message;

/// The response with its entries not yet parsed, so that an unreadable entry affects only itself.
#[derive(Debug)]
pub struct Envelope<'a> {
    pub status: Option<String>,
    /// The entries, as they arrived.
    pub data: Option<Vec<&'a [u8]>>,
    errors: Vec<String>,
}

/// The response in its expected form.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(default)]
    status: Option<String>,
    #[serde(borrow, default)]
    data: Option<Vec<&'a RawValue>>,
    #[serde(default, deserialize_with = "few")]
    errors: Vec<String>,
}

/// The byte order mark that some editors and encoders put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Maximum characters of a provider's message in a report.
const MESSAGE_CHARS_MAX: usize = 300;
/// Maximum errors of a response that are read: each is searched for every ticker of the batch.
const ERRORS_MAX: usize = 1_000;
/// Maximum bytes of a failure's body that are read if it has no `detail`.
const FAILURE_BYTES_MAX: usize = 4 * MESSAGE_CHARS_MAX;
/// Maximum values in one response, counted by its commas: a value of two bytes takes fifty or more once it is parsed,
/// and an instance that runs out of memory takes down all its requests. 32 MiB of prices have fewer.
pub const VALUES_MAX: usize = 2_500_000;

/// Whether a response has more values than may be read; the error says how many.
pub fn check_values(body: &[u8]) -> Result<(), String> {
    #[expect(clippy::naive_bytecount, reason = "milliseconds for the longest response")]
    let values = body.iter().filter(|byte| **byte == b',').count();
    if values > VALUES_MAX {
        return Err(format!("response has too many values: {values}, limit {VALUES_MAX}"));
    }
    Ok(())
}

impl<'a> Envelope<'a> {
    /// Reads the body of a success; the error says what is wrong with its shape.
    pub fn parse(body: &'a [u8]) -> Result<Self, String> {
        let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
        let envelope = match serde_json::from_slice::<Wire<'_>>(body) {
            Ok(Wire { status, data, errors }) => {
                let data = data.map(|data| data.into_iter().map(|entry| entry.get().as_bytes()).collect());
                Self { status, data, errors }
            }
            Err(error) => Self::salvage(body)
                .map_err(|message| shorten(&format!("response cannot be parsed: {error}{message}")))?,
        };
        let status = envelope.status.as_deref().unwrap_or("missing");
        if status != "ok" && envelope.data.as_ref().is_none_or(Vec::is_empty) {
            let errors = envelope.errors.join("; ");
            return Err(shorten(&format!("response has the status `{status}` and no data: {errors}")));
        }
        Ok(envelope)
    }

    /// Reads a response that the parser rejects because of a part of it: it is cut into entries, which are read one by
    /// one. The error contains whatever is in place of the entries.
    fn salvage(body: &'a [u8]) -> Result<Self, String> {
        let mut envelope = Self { status: None, data: None, errors: Vec::new() };
        for (name, value) in members(body).ok_or_else(String::new)? {
            match name {
                b"\"status\"" => envelope.status = Some(error_message(&readable(value))),
                b"\"data\"" if value != b"null" => {
                    let entries = elements(value)
                        .ok_or_else(|| format!("; data: {}", error_message(&readable(value))))?;
                    envelope.data = Some(entries);
                }
                b"\"errors\"" => {
                    let errors = elements(value).unwrap_or_else(|| vec![value]);
                    let errors = errors.into_iter().filter(|error| *error != b"null").take(ERRORS_MAX);
                    envelope.errors = errors.map(|error| shorten(&error_message(&readable(error)))).collect();
                }
                _ => {}
            }
        }
        Ok(envelope)
    }

    /// The failures that the provider reports.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }
}

/// The start of a provider's message: reports, ledger entries and raw logs must stay small enough to be stored.
pub fn shorten(message: &str) -> String {
    text::excerpt(message, MESSAGE_CHARS_MAX)
}

/// The first errors of a response, as strings.
fn few<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Few;

    impl<'de> de::Visitor<'de> for Few {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list of errors")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut errors: A) -> Result<Self::Value, A::Error> {
            let mut few = Vec::new();
            while few.len() < ERRORS_MAX {
                match errors.next_element::<Json>()? {
                    Some(error) => few.push(shorten(&error_message(&error))),
                    None => return Ok(few),
                }
            }
            while errors.next_element::<de::IgnoredAny>()?.is_some() {}
            Ok(few)
        }
    }

    deserializer.deserialize_any(Few)
}

/// The provider's message in the body of a failure: its `detail`, or the start of the body.
pub fn failure_message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Failure<'a> {
        #[serde(borrow)]
        detail: Option<&'a RawValue>,
    }
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let detail = serde_json::from_slice::<Failure<'_>>(body).ok().and_then(|failure| failure.detail);
    let text = match detail.map(RawValue::get) {
        Some(detail) => serde_json::from_str::<String>(detail).map_or(Cow::Borrowed(detail), Cow::Owned),
        None => String::from_utf8_lossy(body.get(..FAILURE_BYTES_MAX).unwrap_or(body)),
    };
    let text = redact::words(text.into_owned());
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
