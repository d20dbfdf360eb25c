use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn the_shape_is_checked_and_the_fault_named() {
    for (body, expect) in [
        ("{", "response cannot be parsed: EOF while parsing an object at line 1 column 1"),
        (
            r#"{"status":"ok","data":{}}"#,
            "response cannot be parsed: invalid type: map, expected a sequence at line 1 column 22; data: {}",
        ),
        (
            r#"{"status":"error","data":[],"errors":["down"]}"#,
            "response has the status `error` and no data: down",
        ),
        (
            r#"{"status":"error","data":null,"errors":["down","slow"]}"#,
            "response has the status `error` and no data: down; slow",
        ),
    ] {
        assert_eq!(Envelope::parse(body.as_bytes()).unwrap_err(), expect);
    }
}

#[test]
fn an_entry_that_cannot_be_read_costs_only_itself() {
    let envelope = Envelope::parse(br#"{"status":"ok","data":[null,{"ticker":"A","data":1e999}]}"#).unwrap();
    assert_eq!(envelope.data.unwrap().len(), 2);
}

#[test]
fn an_answer_that_holds_what_is_no_json_is_read_for_the_rest() {
    for odd in [b"{\"x\":\"\xff\"}".as_slice(), b"NaN", b"{\"x\":\"\x01\"}", b"01", b"{x:1}"] {
        let body =
            [b" {\"data\" : [{\"ticker\":\"A\"},", odd, b"], \"status\":\"ok\",\"errors\":[\"a\",null]}"]
                .concat();
        let envelope = Envelope::parse(&body).unwrap();
        assert_eq!(envelope.status.as_deref(), Some("ok"));
        assert_eq!(envelope.data, Some(vec![b"{\"ticker\":\"A\"}".as_slice(), odd]));
        assert_eq!(envelope.errors, ["a"]);
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_an_answer() {
    let body = "\u{feff}{\"status\":\"ok\",\"data\":[1]}";
    assert_eq!(Envelope::parse(body.as_bytes()).unwrap().data.unwrap().len(), 1);
    assert_eq!(failure_message("\u{feff}{\"detail\":\"gone\"}".as_bytes()), "gone");
}

#[test]
fn words_in_the_place_of_entries_are_kept() {
    let body = br#"{"status":"ok","data":{"Information":"25 requests per day"}}"#;
    let error = Envelope::parse(body).unwrap_err();
    assert!(error.ends_with(r#"; data: {"Information":"25 requests per day"}"#), "{error}");
    let body = br#"{"status":1,"data":null,"errors":"no quota"}"#;
    assert_eq!(Envelope::parse(body).unwrap_err(), "response has the status `1` and no data: no quota");
}

#[test]
fn failures_speak_in_the_providers_words() {
    assert_eq!(failure_message(br#"{"detail":"Rate limit"}"#), "Rate limit");
    assert_eq!(failure_message(br#"{"detail":[{"loc":["body"]}]}"#), r#"[{"loc":["body"]}]"#);
    assert_eq!(failure_message(b"<html>\nbad gateway"), "<html> bad gateway");
    assert_eq!(failure_message("é".repeat(1000).as_bytes()).chars().count(), MESSAGE_CHARS_MAX);
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
        assert!(error.chars().count() <= MESSAGE_CHARS_MAX + 1, "{} bytes", error.len());
    }
    let body = json!({"status": "ok", "data": [], "errors": vec![&long[..2000]; 5000]}).to_string();
    let envelope = Envelope::parse(body.as_bytes()).unwrap();
    assert_eq!(envelope.errors().len(), ERRORS_MAX);
    assert!(envelope.errors().iter().all(|error| error.len() <= MESSAGE_CHARS_MAX + '…'.len_utf8()));
}

#[test]
fn an_answer_of_tiny_values_is_too_much() {
    let body = [b"[0".as_slice(), &b",0".repeat(VALUES_MAX), b"]"].concat();
    check_values(&body).unwrap();
    let error = check_values(&[&body, b",".as_slice()].concat()).unwrap_err();
    assert_eq!(error, "response has too many values: 2500001, limit 2500000");
}

proptest! {
    #[test]
    fn no_body_panics(body: Vec<u8>) {
        let _ = Envelope::parse(&body);
        let _ = failure_message(&body);
    }
}
