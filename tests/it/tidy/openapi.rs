//! The stored API description matches the code: `UPDATE=1 cargo test --test it tidy` updates it.

use std::collections::BTreeSet;

use orchestrator::api::openapi::document;
use serde_json::Value as Json;

use super::generated::check_file;

#[test]
fn the_stored_description_matches_the_code() {
    let expected = serde_json::to_string_pretty(&document()).expect("JSON") + "\n";
    check_file("docs/openapi.json", &expected);
}

#[test]
fn every_reference_in_the_description_resolves() {
    let document = document();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(references.len() > 10, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("a reference within the document");
        assert!(document.pointer(pointer).is_some(), "{reference} does not resolve");
    }
}

fn collect(json: &Json, references: &mut BTreeSet<String>) {
    match json {
        Json::Object(members) => {
            if let Some(Json::String(reference)) = members.get("$ref") {
                references.insert(reference.clone());
            }
            members.values().for_each(|member| collect(member, references));
        }
        Json::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
