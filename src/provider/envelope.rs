//! The body of a provider's answer.

use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::persist::record::words;

/// The answer, its entries not yet read: one that cannot be read costs only itself.
#[derive(Debug, Deserialize)]
pub struct Envelope<'a> {
    #[serde(default)]
    pub status: Option<String>,
    #[serde(borrow, default)]
    pub data: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    errors: Option<Vec<Json>>,
}

/// Most characters of an error body that reach a report.
const WORDS_CHARS_MAX: usize = 300;

impl<'a> Envelope<'a> {
    /// Reads the body of a success; the error says what is wrong with its shape.
    pub fn parse(body: &'a [u8]) -> Result<Self, String> {
        let envelope: Self =
            serde_json::from_slice(body).map_err(|error| format!("answer cannot be read: {error}"))?;
        let status = envelope.status.as_deref().unwrap_or("missing");
        if status != "ok" && envelope.data.is_none() {
            let errors = envelope.errors().join("; ");
            return Err(format!("answer has the status `{status}` and no data: {errors}"));
        }
        Ok(envelope)
    }

    /// The provider's own words on what failed.
    pub fn errors(&self) -> Vec<String> {
        self.errors.iter().flatten().map(words).collect()
    }
}

/// The provider's words in the body of a failure: its `detail`, or the start of the body.
pub fn failure_words(body: &[u8]) -> String {
    let detail = serde_json::from_slice::<Json>(body).ok().and_then(|body| body.get("detail").map(words));
    let text = detail.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn no_body_panics(body: Vec<u8>) {
            let _ = Envelope::parse(&body);
            let _ = failure_words(&body);
        }
    }
}
