//! The worst known inputs. If one of them costs more than linear time, its test does not end.

use orchestrator::api::request::BODY_BYTES_MAX;
use orchestrator::api::request::Body;
use orchestrator::intake::envelope::{VALUES_MAX, check_values};

use super::targets;

/// A string of at most `bytes` bytes that repeats one piece.
fn filled(head: &str, piece: &str, tail: &str, bytes: usize) -> Vec<u8> {
    let times = (bytes - head.len() - tail.len()) / piece.len();
    [head, &piece.repeat(times), tail].concat().into_bytes()
}

#[test]
fn a_mebibyte_of_mistakes_is_reported_in_twenty() {
    for (piece, last) in [("0,", "0"), ("\"\",", "0"), ("\"\u{202e}\",", "0"), ("[],", "0"), ("{},", "0")] {
        // Too many tickers are one mistake; fewer are checked one by one.
        for bytes in [BODY_BYTES_MAX, 10_000] {
            let body = filled("{\"tickers\":[", piece, &format!("{last}]}}"), bytes);
            let problem = Body::parse(&body).expect_err("no tickers");
            assert!(problem.errors.len() <= 20, "{} errors", problem.errors.len());
            targets::request(&body);
        }
    }
}

#[test]
fn a_mebibyte_of_nesting_or_nothing_is_refused() {
    for (head, piece, tail) in [
        ("", "[", ""),
        ("", "{\"a\":", ""),
        ("", ",", ""),
        ("", " ", ""),
        ("{\"job\":\"", "\u{202e}", "\"}"),
        ("{\"scope\":\"", "\\u0000", "\"}"),
        ("{\"run_time\":\"", "9", "\"}"),
        ("{\"run_time\":\"2026-01-31T18:00:00.", "9", "Z\"}"),
        ("{\"tickers\":[\"", "A", "\"]}"),
        ("{", "\"a\":1,", "\"a\":1}"),
    ] {
        targets::request(&filled(head, piece, tail, BODY_BYTES_MAX));
    }
}

#[test]
fn responses_of_many_megabytes_of_tiny_values_are_bounded() {
    const BYTES: usize = 256 << 10;
    let head = "{\"status\":\"ok\",\"data\":[";
    for (piece, last) in [
        ("0,", "0"),
        ("[],", "0"),
        ("{\"ticker\":\"A\"},", "0"),
        ("{\"ticker\":\"AAPL\",\"error\":\"x\"},", "0"),
        ("{\"ticker\":\"AAPL\",\"data\":[0,0,0,0,0,0,0,0]},", "0"),
        ("{\"ticker\":\"AAPL\",\"data\":[NaN,NaN,NaN,NaN]},", "0"),
        ("NaN,", "NaN"),
        ("\"\u{1}\",", "0"),
    ] {
        targets::provider(&filled(head, piece, &format!("{last}]}}"), BYTES));
    }
    let errors = "{\"status\":\"ok\",\"data\":[],\"errors\":[";
    targets::provider(&filled(errors, "\"AAPL \",", "0]}", BYTES));
    targets::provider(&filled(errors, "[", "]}", BYTES));
    targets::provider(&filled("{\"status\":\"ok\",\"data\":[],\"errors\":[\"", "AAPL ", "\"]}", BYTES));
    targets::provider(&filled("{\"detail\":[", "0,", "0]}", BYTES));
    targets::provider(&filled("{\"status\":\"", "\u{202e}", "\"}", BYTES));
    targets::provider(&filled("{\"data\":\"", "x", "\"}", BYTES));
    let indicators = "{\"status\":\"ok\",\"data\":[{\"ticker\":\"AAPL\",\"data\":{\"";
    targets::provider(&filled(indicators, "x", "\":1}}]}", BYTES));
    let figures = "{\"status\":\"ok\",\"data\":[{\"ticker\":\"AAPL\",\"data\":{\"report_date\":\"2026-01-30\",\"metrics\":{\"";
    targets::provider(&filled(figures, "x", "\":1}}}]}", BYTES));
    let mut body = filled("[", "0,", "0]", 2 * VALUES_MAX);
    check_values(&body).expect("fits");
    body.extend_from_slice(b",,,");
    check_values(&body).expect_err("too many");
}

#[test]
fn nested_or_repetitive_firestore_responses_are_bounded() {
    const BYTES: usize = 256 << 10;
    let fields = "[{\"found\":{\"name\":\"a/b\",\"updateTime\":\"2026-01-31T18:00:00Z\",\"fields\":{\"a\":";
    targets::firestore(&filled(fields, "{\"arrayValue\":{\"values\":[", "", BYTES));
    targets::firestore(&filled(fields, "{\"mapValue\":{\"fields\":{\"a\":", "", BYTES));
    targets::firestore(&filled("[", "{},", "{}]", BYTES));
    targets::firestore(&filled("{\"documents\":[],\"nextPageToken\":\"", "x", "\"}", BYTES));
    targets::firestore(&filled("{\"status\":[{\"code\":3,\"message\":\"", "x", "\"}]}", BYTES));
}

#[test]
fn long_names_are_hashed_and_long_lists_refused() {
    targets::ids("\u{202e}%/".repeat(100_000).as_bytes());
    targets::settings(&filled("cors_allow_origins=", "https://a.test,", "x", 1 << 20));
    targets::settings(&filled("alert_run_seconds=", "1,", "1", 1 << 20));
    targets::key_file(&filled("{\"private_key\":\"", "A", "\"}", 1 << 20));
    targets::google(&filled("e.", "A", ".s", 64 << 10));
    targets::retry(&filled("Mon, 23 Nov ", "2", " 10:01:30 GMT", 64 << 10));
}
