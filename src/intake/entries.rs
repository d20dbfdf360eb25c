//! Reads one entry of a response, as far as it can be read.

use serde_json::{Error, Map, Value as Json};

use super::pieces::{elements, members};
use crate::catalogue::dataset::Shape;

/// Maximum records of one response, valid or not: each costs kilobytes until it is stored.
pub const RECORDS_MAX: usize = 100_000;

/// An entry.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// The readable part of it.
    pub json: Json,
    /// Its records that cannot be read.
    pub odd: Vec<Odd<'a>>,
}

/// A record that the parser rejects.
#[derive(Debug)]
pub(super) struct Odd<'a> {
    pub raw: &'a [u8],
    pub reason: String,
}

/// Reads an entry; the error says why none of it can be read.
pub(super) fn read(raw: &[u8], shape: Shape) -> Result<Entry<'_>, String> {
    match serde_json::from_slice(raw) {
        Ok(json) => Ok(Entry { json, odd: Vec::new() }),
        Err(error) => salvage(raw, shape).ok_or_else(|| reason(&error)),
    }
}

/// Reads an entry record by record; none if its ticker cannot be read, or if it is a record itself.
fn salvage(raw: &[u8], shape: Shape) -> Option<Entry<'_>> {
    let (mut json, mut odd) = (Map::new(), Vec::new());
    if shape == Shape::Bare {
        return None;
    }
    for (name, value) in members(raw)? {
        match serde_json::from_slice::<String>(name).ok()?.as_str() {
            "ticker" => drop(json.insert("ticker".to_owned(), serde_json::from_slice(value).ok()?)),
            "error" => drop(json.insert("error".to_owned(), readable(value))),
            "data" => {
                if let Some(data) = records(value, shape, &mut odd) {
                    json.insert("data".to_owned(), data);
                }
            }
            // Other members of an entry are not read.
            _ => {}
        }
    }
    json.contains_key("ticker").then_some(Entry { json: Json::Object(json), odd })
}

/// The readable records; at most one more than a response may have.
fn records<'a>(data: &'a [u8], shape: Shape, odd: &mut Vec<Odd<'a>>) -> Option<Json> {
    let mut read = |raw: &'a [u8], name: &str| match serde_json::from_slice::<Json>(raw) {
        Ok(record) => Some(record),
        Err(error) => {
            odd.push(Odd { raw, reason: format!("{name}{}", reason(&error)) });
            None
        }
    };
    match (shape, elements(data), members(data)) {
        (Shape::List, Some(records), _) => {
            Some(records.into_iter().take(RECORDS_MAX + 1).filter_map(|record| read(record, "")).collect())
        }
        (Shape::Indicators(_), _, Some(indicators)) => {
            let named = indicators.into_iter().take(RECORDS_MAX + 1).filter_map(|(name, record)| {
                let name: String = serde_json::from_slice(name).ok()?;
                read(record, &format!("{name}: ")).map(|record| (name, record))
            });
            Some(named.collect())
        }
        _ => read(data, ""),
    }
}

/// A value, or its bytes as text if it cannot be parsed.
pub(super) fn readable(raw: &[u8]) -> Json {
    serde_json::from_slice(raw).unwrap_or_else(|_| Json::String(String::from_utf8_lossy(raw).into_owned()))
}

/// Why the parser rejects something.
fn reason(error: &Error) -> String {
    let message = error.to_string();
    // The position refers to the whole response, or to a piece of it, so it would help nobody.
    let message = message.split(" at line ").next().unwrap_or_default();
    let plain = match message {
        "recursion limit exceeded" => "it is nested more than 127 levels deep",
        "number out of range" => "it has a number that is out of range for a double",
        "invalid unicode code point" => "it has bytes that are not UTF-8",
        "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
            "it has an unpaired surrogate"
        }
        other => other,
    };
    format!("cannot be read: {plain}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(raw: &[u8], shape: Shape, expect: &Json, reasons: &[&str]) {
        let entry = read(raw, shape).unwrap();
        assert_eq!(&entry.json, expect);
        let found: Vec<_> = entry.odd.iter().map(|odd| odd.reason.as_str()).collect();
        assert_eq!(found, reasons);
    }

    #[test]
    fn an_odd_record_costs_no_other_whatever_is_odd() {
        let deep = [b"{\"a\":".repeat(140).as_slice(), b"1", b"}".repeat(140).as_slice()].concat();
        for (odd, reason) in [
            (deep.as_slice(), "it is nested more than 127 levels deep"),
            (b"{\"close\":1e999}", "it has a number that is out of range for a double"),
            (b"{\"close\":-1e999}", "it has a number that is out of range for a double"),
            (b"{\"name\":\"\xff\xfe\"}", "it has bytes that are not UTF-8"),
            (b"{\"name\":\"\\ud800\"}", "it has an unpaired surrogate"),
            (b"{\"name\":\"\\ud800x\"}", "it has an unpaired surrogate"),
            (b"{\"name\":\"\\udc00\"}", "it has an unpaired surrogate"),
            (b"{\"close\":NaN}", "expected value"),
            (b"{\"close\":-Infinity}", "invalid number"),
            (b"{\"name\":\"\x01\"}", "control character (\\u0000-\\u001F) found while parsing a string"),
            (b"{\"name\":\"\\x\"}", "invalid escape"),
            (b"{'close': 1}", "key must be a string"),
            (b"", "EOF while parsing a value"),
        ] {
            let list = [b"{\"ticker\":\"A\",\"data\":[1, ", odd, b" ,{\"b\":2}],\"count\":1e999}"].concat();
            let reason = format!("cannot be read: {reason}");
            check(&list, Shape::List, &json!({"ticker": "A", "data": [1, {"b": 2}]}), &[&reason]);
            let map = [b"{\"ticker\":\"A\",\"data\":{\"SMA\":1,\"RSI\":", odd, b"}}"].concat();
            let named = format!("RSI: {reason}");
            check(&map, Shape::Indicators(&[]), &json!({"ticker": "A", "data": {"SMA": 1}}), &[&named]);
            let one = [b"{\"data\":", odd, b",\"ticker\":\"A\"}"].concat();
            check(&one, Shape::One, &json!({"ticker": "A"}), &[&reason]);
            assert_eq!(read(odd, Shape::Bare).unwrap_err(), reason);
        }
    }

    #[test]
    fn an_error_is_told_even_if_it_is_no_text() {
        let raw = b"{\"ticker\":\"A\",\"error\":\"caf\xe9 closed\",\"data\":null}";
        let expect = json!({"ticker": "A", "error": "\"caf\u{fffd} closed\"", "data": null});
        check(raw, Shape::List, &expect, &[]);
    }

    #[test]
    fn without_a_ticker_an_entry_is_nobodys() {
        assert!(read(b"{\"ticker\":\"\xff\",\"data\":[]}", Shape::List).is_err());
        assert!(read(b"{\"data\":[1e999]}", Shape::List).is_err());
        assert!(read(b"[1e999]", Shape::List).is_err());
    }
}
