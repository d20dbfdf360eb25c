//! The body of a provider's answer.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::persist::record::words;
use crate::redact;

/// The answer, its entries not yet read: one that cannot be read costs only itself.
#[derive(Debug, Deserialize)]
pub struct Envelope<'a> {
    #[serde(default)]
    pub status: Option<String>,
    #[serde(borrow, default)]
    pub data: Option<Vec<&'a RawValue>>,
    #[serde(default, deserialize_with = "few")]
    errors: Vec<String>,
}

/// Most characters of a provider's words that reach a report.
const WORDS_CHARS_MAX: usize = 300;
/// Most errors of an answer that are read: each is looked through for every ticker of the batch.
const ERRORS_MAX: usize = 1_000;
/// Most bytes of a failure's body that are looked at where it has no `detail`.
const FAILURE_BYTES_MAX: usize = 4 * WORDS_CHARS_MAX;
/// Most values in one answer, by its commas: a value of two bytes takes fifty and more once it is read, and an
/// instance that runs out of memory takes all its requests with it. 32 MiB of prices have fewer.
pub const VALUES_MAX: usize = 2_500_000;

/// Whether an answer has more values than may be read; the error says how many.
pub fn check_values(body: &[u8]) -> Result<(), String> {
    #[expect(clippy::naive_bytecount, reason = "milliseconds for the longest answer")]
    let values = body.iter().filter(|byte| **byte == b',').count();
    if values > VALUES_MAX {
        return Err(format!("answer has too many values: {values}, limit {VALUES_MAX}"));
    }
    Ok(())
}

impl<'a> Envelope<'a> {
    /// Reads the body of a success; the error says what is wrong with its shape.
    pub fn parse(body: &'a [u8]) -> Result<Self, String> {
        let envelope: Self = serde_json::from_slice(body)
            .map_err(|error| shorten(&format!("answer cannot be read: {error}")))?;
        let status = envelope.status.as_deref().unwrap_or("missing");
        if status != "ok" && envelope.data.is_none() {
            let errors = envelope.errors.join("; ");
            return Err(shorten(&format!("answer has the status `{status}` and no data: {errors}")));
        }
        Ok(envelope)
    }

    /// The provider's own words on what failed.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }
}

/// The start of a provider's words: reports, ledger entries and raw logs must stay of a size that can be stored.
pub fn shorten(words: &str) -> String {
    match words.char_indices().nth(WORDS_CHARS_MAX) {
        None => words.to_owned(),
        Some((end, _)) => words.get(..end).unwrap_or_default().chars().chain(['…']).collect(),
    }
}

/// The first errors of an answer, as texts.
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
                    Some(error) => few.push(shorten(&words(&error))),
                    None => return Ok(few),
                }
            }
            while errors.next_element::<de::IgnoredAny>()?.is_some() {}
            Ok(few)
        }
    }

    deserializer.deserialize_any(Few)
}

/// The provider's words in the body of a failure: its `detail`, or the start of the body.
pub fn failure_words(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Failure<'a> {
        #[serde(borrow)]
        detail: Option<&'a RawValue>,
    }
    let detail = serde_json::from_slice::<Failure<'_>>(body).ok().and_then(|failure| failure.detail);
    let text = match detail.map(RawValue::get) {
        Some(detail) => serde_json::from_str::<String>(detail).map_or(Cow::Borrowed(detail), Cow::Owned),
        None => String::from_utf8_lossy(body.get(..FAILURE_BYTES_MAX).unwrap_or(body)),
    };
    let text = redact::words(text.into_owned());
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_shape_is_checked_and_the_fault_named() {
        for (body, expect) in [
            ("{", "answer cannot be read: EOF while parsing an object at line 1 column 1"),
            (
                r#"{"status":"ok","data":{}}"#,
                "answer cannot be read: invalid type: map, expected a sequence at line 1 column 22",
            ),
            (
                r#"{"status":"error","data":null,"errors":["down","slow"]}"#,
                "answer has the status `error` and no data: down; slow",
            ),
        ] {
            assert_eq!(Envelope::parse(body.as_bytes()).unwrap_err(), expect);
        }
    }

    #[test]
    fn an_entry_that_cannot_be_read_costs_only_itself() {
        let envelope =
            Envelope::parse(br#"{"status":"ok","data":[null,{"ticker":"A","data":1e999}]}"#).unwrap();
        assert_eq!(envelope.data.unwrap().len(), 2);
    }

    #[test]
    fn failures_speak_in_the_providers_words() {
        assert_eq!(failure_words(br#"{"detail":"Rate limit"}"#), "Rate limit");
        assert_eq!(failure_words(br#"{"detail":[{"loc":["body"]}]}"#), r#"[{"loc":["body"]}]"#);
        assert_eq!(failure_words(b"<html>\nbad gateway"), "<html> bad gateway");
        assert_eq!(failure_words("é".repeat(1000).as_bytes()).chars().count(), WORDS_CHARS_MAX);
    }

    #[test]
    fn words_stay_short_whatever_is_said() {
        let long = "x".repeat(1 << 20);
        for body in [
            json!({"status": long}),
            json!({"status": "ok", "data": long}),
            json!({"status": "error", "errors": [long]}),
        ] {
            let error = Envelope::parse(body.to_string().as_bytes()).unwrap_err();
            assert!(error.chars().count() <= WORDS_CHARS_MAX + 1, "{} bytes", error.len());
        }
        let body = json!({"status": "ok", "data": [], "errors": vec![&long[..2000]; 5000]}).to_string();
        let envelope = Envelope::parse(body.as_bytes()).unwrap();
        assert_eq!(envelope.errors().len(), ERRORS_MAX);
        assert!(envelope.errors().iter().all(|error| error.len() <= WORDS_CHARS_MAX + '…'.len_utf8()));
    }

    #[test]
    fn an_answer_of_tiny_values_is_too_much() {
        let body = [b"[0".as_slice(), &b",0".repeat(VALUES_MAX), b"]"].concat();
        check_values(&body).unwrap();
        let error = check_values(&[&body, b",".as_slice()].concat()).unwrap_err();
        assert_eq!(error, "answer has too many values: 2500001, limit 2500000");
    }

    proptest! {
        #[test]
        fn no_body_panics(body: Vec<u8>) {
            let _ = Envelope::parse(&body);
            let _ = failure_words(&body);
        }
    }
}
