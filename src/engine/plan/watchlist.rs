//! What the fields of a watchlist document mean, and which values cannot be read.
//!
//! People and imports write these documents, so a field is accepted if its meaning is clear (a spreadsheet exports
//! `false` as the string "FALSE"). A document with any other value is skipped and reported: guessing would request what
//! is disabled, or skip what is wanted, without anyone noticing.

use crate::firestore::{Fields, Value};
use crate::run::WatchlistProblems;

/// A field whose value cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable {
    field: &'static str,
    value: String,
    problem: String,
}

impl Unreadable {
    pub fn new(field: &'static str, value: &str, problem: impl Into<String>) -> Self {
        Self { field, value: value.to_owned(), problem: problem.into() }
    }

    pub fn note(&self, document: &str, problems: &mut WatchlistProblems) {
        problems.note(document, self.field, &self.value, &self.problem);
    }
}

/// A string, trimmed; missing, null and blank are none.
pub fn text<'a>(fields: &'a Fields, name: &'static str) -> Result<Option<&'a str>, Unreadable> {
    match fields.get(name) {
        None | Some(Value::Null(())) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
        Some(other) => Err(wrong(name, other, "must be a string")),
    }
}

/// Spellings of yes and no, in any case.
const YES: [&str; 7] = ["true", "t", "yes", "y", "on", "1", "1.0"];
const NO: [&str; 7] = ["false", "f", "no", "n", "off", "0", "0.0"];

/// A truth value: a boolean, the numbers 1 and 0, or one of the spellings above; missing, null and blank are none.
pub fn truth(fields: &Fields, name: &'static str) -> Result<Option<bool>, Unreadable> {
    let Some(value) = fields.get(name) else { return Ok(None) };
    let spelt = match value {
        Value::Null(()) => return Ok(None),
        Value::Boolean(truth) => return Ok(Some(*truth)),
        Value::Integer(number) => number.to_string(),
        // Adding zero removes the sign of a negative zero.
        Value::Double(number) => (number + 0.0).to_string(),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => text.trim().to_owned(),
        _ => String::new(),
    };
    let is_one_of = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(&spelt));
    match (is_one_of(&YES), is_one_of(&NO)) {
        (true, _) => Ok(Some(true)),
        (_, true) => Ok(Some(false)),
        _ => Err(wrong(name, value, "must be true or false, 1 or 0, or a word such as yes or no")),
    }
}

fn wrong(field: &'static str, value: &Value, expected: &str) -> Unreadable {
    let (kind, shown) = match value {
        Value::Null(()) => ("null", String::new()),
        Value::Boolean(truth) => ("a boolean", truth.to_string()),
        Value::Integer(number) => ("a number", number.to_string()),
        Value::Double(number) => ("a number", number.to_string()),
        Value::Timestamp(time) => ("a timestamp", time.to_rfc3339()),
        Value::String(text) => ("a string", text.clone()),
        Value::Bytes(bytes) => ("bytes", format!("{} bytes", bytes.len())),
        Value::Reference(name) => ("a reference", name.clone()),
        Value::GeoPoint { latitude, longitude } => ("a place", format!("{latitude}, {longitude}")),
        Value::Array { values } => ("a list", format!("{} items", values.len())),
        Value::Map { fields } => ("a map", format!("{} fields", fields.len())),
    };
    let problem = match value {
        Value::String(_) => expected.to_owned(),
        _ => format!("{expected}, not {kind}"),
    };
    Unreadable::new(field, &shown, problem)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::DateTime;

    use super::*;
    use crate::firestore::value::fields;

    /// Every type other than string, boolean and number.
    fn others() -> Vec<Value> {
        vec![
            Value::Timestamp(DateTime::UNIX_EPOCH),
            Value::Bytes(Bytes::from_static(b"A")),
            Value::Reference("projects/p".into()),
            Value::GeoPoint { latitude: 1.0, longitude: 2.0 },
            Value::strings(["Index"]),
            Value::map([("symbol", Value::string("A"))]),
        ]
    }

    #[test]
    fn a_text_is_a_text_or_nothing() {
        for (value, expected) in
            [(Value::string(" A "), Some("A")), (Value::string(" "), None), (Value::NULL, None)]
        {
            assert_eq!(text(&fields([("symbol", value)]), "symbol"), Ok(expected));
        }
        assert_eq!(text(&Fields::new(), "symbol"), Ok(None));
        let numbers = [Value::Integer(700), Value::Double(0.5), Value::Boolean(true)];
        for value in others().into_iter().chain(numbers) {
            let unreadable = text(&fields([("symbol", value.clone())]), "symbol").unwrap_err();
            assert!(unreadable.problem.starts_with("must be a string, not "), "{value:?}: {unreadable:?}");
        }
    }

    #[test]
    fn a_truth_value_has_the_spellings_that_are_plain() {
        let read = |value: Value| truth(&fields([("isActive", value)]), "isActive");
        for text in ["false", "FALSE", "False", " no ", "n", "0", "off", "f", "0.0"] {
            assert_eq!(read(Value::string(text)), Ok(Some(false)), "{text}");
        }
        for text in ["true", "TRUE", "yes", "Y", "1", "on", "t", "1.0"] {
            assert_eq!(read(Value::string(text)), Ok(Some(true)), "{text}");
        }
        for number in [Value::Integer(0), Value::Double(0.0), Value::Double(-0.0), Value::Boolean(false)] {
            assert_eq!(read(number), Ok(Some(false)));
        }
        for number in [Value::Integer(1), Value::Double(1.0), Value::Boolean(true)] {
            assert_eq!(read(number), Ok(Some(true)));
        }
        for nothing in [Value::NULL, Value::string(""), Value::string("  ")] {
            assert_eq!(read(nothing), Ok(None));
        }
        let odd = ["sold", "falsch", "-1", "2"].map(Value::string);
        let numbers = [Value::Integer(2), Value::Integer(-1), Value::Double(0.5), Value::Double(f64::NAN)];
        for value in others().into_iter().chain(odd).chain(numbers) {
            assert!(read(value.clone()).is_err(), "{value:?}");
        }
    }
}
