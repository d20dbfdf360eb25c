use serde_json::{Value as Json, json};

use super::*;
use crate::firestore::Code;

const NAME: &str = "projects/p/databases/d/documents/c/";

fn document(id: &str) -> Json {
    json!({"name": format!("{NAME}{id}"), "updateTime": "2026-11-23T10:00:00Z"})
}

fn row(kind: &str, id: &str) -> Json {
    json!({kind: document(id), "readTime": "2026-11-23T10:00:05Z"})
}

fn missing(id: &str) -> Json {
    json!({"missing": format!("{NAME}{id}"), "readTime": "2026-11-23T10:00:05Z"})
}

fn error() -> Json {
    json!({"error": {"code": 503, "message": "the stream broke", "status": "UNAVAILABLE"}})
}

fn check_query(body: &Json, expect: Result<(&[&str], bool), &str>) {
    let found = query(body.to_string().as_bytes());
    match (found, expect) {
        (Ok(found), Ok((ids, is_done))) => {
            assert_eq!(found.documents.iter().map(|document| document.id.as_str()).collect::<Vec<_>>(), ids);
            assert_eq!(found.is_done, is_done, "{body}");
        }
        (Err(error), Err(words)) => assert_eq!(error.to_string(), words),
        (found, expect) => panic!("{body}: {found:?}, expected {expect:?}"),
    }
}

#[test]
fn a_query_ends_where_firestore_says_so() {
    let mut last = row("document", "b");
    last["done"] = json!(true);
    check_query(&json!([row("document", "a"), last]), Ok((&["a", "b"], true)));
    check_query(&json!([row("document", "a"), row("document", "b")]), Ok((&["a", "b"], false)));
    check_query(&json!([{"readTime": "2026-11-23T10:00:05Z", "done": true}]), Ok((&[], true)));
    check_query(&json!([]), Ok((&[], false)));
}

#[test]
fn an_error_after_the_first_documents_is_an_error() {
    let broken = "firestore answered UNAVAILABLE: the stream broke";
    check_query(&json!([row("document", "a"), error()]), Err(broken));
    check_query(&json!([error(), row("document", "a")]), Err(broken));
    check_query(&error(), Err(broken));
    let error = query(json!([row("document", "a"), error()]).to_string().as_bytes()).unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(error.code(), Some(Code::Unavailable));
}

#[test]
fn a_body_that_breaks_off_is_an_error_at_every_byte() {
    let body = json!([row("document", "a"), row("document", "b")]).to_string();
    for end in 0..body.len() {
        assert!(query(&body.as_bytes()[..end]).is_err_and(|error| error.is_retryable()), "{end}");
    }
}

#[test]
fn an_element_that_says_nothing_known_is_an_error() {
    for odd in [json!({}), json!({"document": document("a")}), row("found", "a"), json!({"done": true})] {
        check_query(
            &json!([odd]),
            Err("firestore's response cannot be parsed: the response has an element of an unknown kind"),
        );
    }
}

fn check_get(body: &Json, asked: &[&str], expect: Result<&[&str], &str>) {
    let names: Vec<_> = asked.iter().map(|id| format!("{NAME}{id}")).collect();
    let found = batch_get(body.to_string().as_bytes(), &names)
        .map(|documents| documents.into_iter().map(|document| document.id).collect::<Vec<_>>())
        .map_err(|error| error.to_string().replace(NAME, ""));
    assert_eq!(found, expect.map(|ids| ids.iter().map(ToString::to_string).collect()).map_err(str::to_owned));
}

#[test]
fn every_document_that_is_asked_for_is_accounted_for() {
    let two = json!([row("found", "b"), missing("a")]);
    check_get(&two, &["a", "b"], Ok(&["b"]));
    check_get(&two, &["a", "b", "a"], Ok(&["b"]));
    check_get(
        &two,
        &["a", "b", "c"],
        Err(
            "firestore's response cannot be parsed: 1 of 3 documents are neither found nor missing, the first being c",
        ),
    );
    check_get(
        &two,
        &["a"],
        Err("firestore's response cannot be parsed: a document that was not requested: b"),
    );
    check_get(
        &json!([missing("a"), missing("a")]),
        &["a"],
        Err("firestore's response cannot be parsed: a document that was not requested: a"),
    );
    check_get(
        &json!([row("found", "b"), error()]),
        &["a", "b"],
        Err("firestore answered UNAVAILABLE: the stream broke"),
    );
}

#[test]
fn a_document_knows_when_it_was_read() {
    let found = batch_get(json!([row("found", "a")]).to_string().as_bytes(), &[format!("{NAME}a")]).unwrap();
    assert_eq!(found[0].age(), std::time::Duration::from_secs(5));
}
