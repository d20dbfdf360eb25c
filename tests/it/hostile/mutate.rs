//! Makes hostile bytes from valid ones: parts of a sample's JSON are replaced, dropped, duplicated and nested, then its
//! bytes are damaged.

use proptest::prelude::*;
use serde_json::Value as Json;

/// Marks the place of a raw piece of text, which need not be valid JSON.
const RAW: &str = "\u{1}raw:";

/// Short pieces.
const PIECES: &[&str] = &[
    "null",
    "true",
    "0",
    "-0",
    "7",
    "-1",
    "1.5",
    "1e999",
    "-1e999",
    "1e-400",
    "NaN",
    "Infinity",
    "0x10",
    "01",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "123456789012345678901234567890",
    "0.1e1000000000",
    "1e-1000000000",
    "{}",
    "[]",
    "[[]]",
    "{\"\":{}}",
    "{\"__x__\":1}",
    "{\"a\":1,\"a\":2}",
    "\"\"",
    "\" \"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\u{202e}\u{1d56c}\u{fe0f}\"",
    "\"..\"",
    "\"__x__\"",
    "\"a/b\"",
    "\"NaN\"",
    "\"-Infinity\"",
    "\"NULL_VALUE\"",
    "\"ok\"",
    "\"AAPL\"",
    "\"t001\"",
    "\"2026-02-30\"",
    "\"0000-00-00T00:00:00Z\"",
    "\"9999-12-31T23:59:60.999999999Z\"",
    "\"+262142-12-31T23:59:59Z\"",
    "\"-262143-01-01T00:00:00+23:59\"",
    "\"99999999999999999999\"",
    "\"//////////\"",
    "\"AAA=\"",
    "[null,null]",
    "{\"error\":{\"a\":[1]}}",
    "{\"stringValue\":\"x\"}",
    "{\"integerValue\":\"x\"}",
    "{\"integerValue\":1e30}",
    "{\"doubleValue\":\"NaN\"}",
    "{\"timestampValue\":\"9999-12-31T23:59:60Z\"}",
    "{\"mapValue\":{\"fields\":{\"a\":{\"nullValue\":0}}}}",
    "{\"bytesValue\":\"H4sIAAAAAAAAAwMAAAAAAAAAAAA=\"}",
    "{\"arrayValue\":{}}",
    "{\"mapValue\":{}}",
];

/// Pieces of text to put where a value should be.
fn pieces() -> Vec<String> {
    let nested = |depth: usize, open: &str, inner: &str, close: &str| {
        [open.repeat(depth), inner.to_owned(), close.repeat(depth)].concat()
    };
    let mut pieces: Vec<String> = PIECES.iter().map(|piece| (*piece).to_owned()).collect();
    pieces.extend([
        nested(100, "[", "1", "]"),
        nested(100, "{\"data\":", "1", "}"),
        nested(126, "[", "", "]"),
        nested(50_000, "[", "", "]"),
        nested(20_000, "{\"a\":", "1", "}"),
        nested(40, "{\"arrayValue\":{\"values\":[", "{\"nullValue\":null}", "]}}"),
        nested(60, "{\"mapValue\":{\"fields\":{\"a\":", "{}", "}}}"),
        format!("\"{}\"", "x".repeat(70_000)),
        format!("{{\"{}\":1}}", "y".repeat(5_000)),
        format!("[{}0]", "0,".repeat(20_000)),
        format!("[{}[]]", "[],".repeat(5_000)),
    ]);
    pieces
}

/// Bytes that are printed as text.
#[derive(Clone)]
pub(crate) struct Hostile(pub(crate) Vec<u8>);

impl std::fmt::Debug for Hostile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text: String = String::from_utf8_lossy(&self.0).chars().take(2_000).collect();
        write!(f, "{} bytes: {text:?}", self.0.len())
    }
}

/// One mutation: what, where and with which piece.
type Step = (u8, prop::sample::Index, prop::sample::Index);

/// Bytes made from one of the samples.
pub(crate) fn hostile(samples: Vec<String>) -> impl Strategy<Value = Hostile> {
    let pieces = pieces();
    let raw = prop::collection::vec(any::<u8>(), 0..200);
    let step = || any::<Step>();
    let steps = prop::collection::vec(step(), 0..6);
    let damage = prop::collection::vec(step(), 0..3);
    let made = (prop::sample::select(samples), steps, damage, 0..4_u8).prop_map(
        move |(sample, steps, damage, damaged)| {
            let (head, body) =
                sample.split_once("\n\n").map_or(("", sample.as_str()), |(head, body)| (head, body));
            let mut text = match serde_json::from_str::<Json>(body) {
                Ok(mut json) => {
                    for step in &steps {
                        change(&mut json, step, pieces.len());
                    }
                    write(&json, &pieces)
                }
                Err(_) => body.to_owned(),
            };
            if !head.is_empty() {
                text = format!("{head}\n\n{text}");
            }
            let mut bytes = text.into_bytes();
            if damaged == 0 {
                for step in &damage {
                    harm(&mut bytes, step);
                }
            }
            bytes
        },
    );
    prop_oneof![9 => made, 1 => raw].prop_map(Hostile)
}

/// Changes one node of the tree.
fn change(json: &mut Json, (what, at, with): &Step, pieces: usize) {
    let mut left = at.index(count(json));
    let Some(node) = find(json, &mut left) else { return };
    let piece = || Json::String(format!("{RAW}{}", with.index(pieces)));
    match (what % 6, node) {
        (0 | 1, node) => *node = piece(),
        (2, Json::Array(items)) => {
            let double = items.first().cloned().unwrap_or_else(piece);
            items.insert(0, double);
        }
        (2, Json::Object(members)) => {
            members.insert("ticker".to_owned(), piece());
        }
        (3, Json::Array(items)) if !items.is_empty() => drop(items.remove(with.index(items.len()))),
        (3, Json::Object(members)) => {
            let name = members.keys().next().cloned().unwrap_or_default();
            members.remove(&name);
        }
        (4, node) => *node = Json::Array(vec![node.take(), piece()]),
        (5, Json::Object(members)) => {
            let value = members.values().next().cloned().unwrap_or_else(piece);
            members.insert("\u{202e}".repeat(with.index(600)), value);
        }
        (_, node) => *node = Json::from_iter([("data", node.take())]),
    }
}

fn count(json: &Json) -> usize {
    1 + match json {
        Json::Array(items) => items.iter().map(count).sum(),
        Json::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// The node with this number, counted from the root.
fn find<'a>(json: &'a mut Json, left: &mut usize) -> Option<&'a mut Json> {
    if *left == 0 {
        return Some(json);
    }
    *left -= 1;
    match json {
        Json::Array(items) => items.iter_mut().find_map(|item| find(item, left)),
        Json::Object(members) => members.values_mut().find_map(|member| find(member, left)),
        _ => None,
    }
}

fn write(json: &Json, pieces: &[String]) -> String {
    let mut text = json.to_string();
    for (number, piece) in pieces.iter().enumerate().rev() {
        let mark = Json::String(format!("{RAW}{number}")).to_string();
        text = text.replace(&mark, piece);
    }
    text
}

/// Damages the bytes at one place.
fn harm(bytes: &mut Vec<u8>, (what, at, with): &Step) {
    if bytes.is_empty() {
        return;
    }
    let at = at.index(bytes.len());
    match what % 4 {
        0 => bytes[at] = with.index(256).try_into().unwrap_or(0),
        1 => bytes.truncate(at),
        2 => drop(bytes.drain(at..(at + with.index(40)).min(bytes.len()))),
        _ => {
            let piece = bytes[at..(at + with.index(40)).min(bytes.len())].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}
