//! Checks that a record is only written if it says something new, and that what it said before is kept first.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::stage::Stage;
use sim::firestore::memory::Fields;

/// Collections whose records are compared, and that of the revisions.
pub(super) const COMPARED: [&str; 5] =
    ["prices_daily", "news_articles", "fundamentals", "earnings_calendar", "technical_indicators"];
const REVISIONS: &str = "record_revisions";

/// What says nothing about a record's content.
const APART: [&str; 5] = ["content_hash", "content_revision", "ingested_at", "quality", "run_id"];

/// Checks the records that a request has written.
pub(super) fn check_written(stage: &Stage, written: &[String]) {
    let of_records = |path: &&String| {
        COMPARED.iter().any(|name| path.starts_with(name) && path[name.len()..].starts_with('/'))
    };
    let paths: BTreeSet<_> = written.iter().filter(of_records).collect();
    for path in paths {
        let name = format!("{}/documents/{path}", stage.database);
        let now = stage.store().documents()[&name].fields.clone();
        let before = stage.journal().records.insert(path.clone(), now.clone());
        let Some(before) = before else { continue };
        let is_same = content(&before) == content(&now);
        let by_another = before.get("run_id") != now.get("run_id");
        // A record that is merged may lack a field that an earlier one had: its hash is another.
        let is_marked_alike =
            ["quality", "content_hash"].iter().all(|name| before.get(*name) == now.get(*name));
        if is_same && by_another && is_marked_alike {
            stage.accuse(format!("{path} is written again, and says nothing new"));
        }
        if !is_same && !is_kept(stage, path, &before) {
            stage.accuse(format!("{path} is overwritten, and what it said is lost"));
        }
    }
}

fn content(fields: &Fields) -> Fields {
    fields
        .iter()
        .filter(|(name, _)| !APART.contains(&name.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// Whether a revision has all that a record said.
fn is_kept(stage: &Stage, path: &str, before: &Fields) -> bool {
    let (collection, id) = path.split_once('/').expect("a document");
    let store = stage.store();
    store.collection(&stage.database, REVISIONS).any(|(_, revision)| {
        let is_of =
            |name: &str, value: &str| revision.fields.get(name) == Some(&json!({"stringValue": value}));
        let kept = revision.fields.get("fields").and_then(|kept| kept.pointer("/mapValue/fields"));
        is_of("collection", collection)
            && is_of("document", id)
            && kept.and_then(Json::as_object).is_some_and(|kept| *kept == *before)
    })
}
