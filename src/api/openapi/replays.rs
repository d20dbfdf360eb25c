//! The routes of replays.

use serde_json::{Value as Json, json};

use super::orders::{optional_reason, with_body};
use super::{key, of_run, problem, run, schema, with, with_parameters};
use crate::catalogue;
use crate::engine::replay::RUNS_MAX;

pub(super) fn operations() -> [(&'static str, &'static str, Json); 2] {
    [("/runs/{run_id}/replay", "post", replay()), ("/replays", "post", replays())]
}

fn replay() -> Json {
    let summary = "Takes in the stored answers of a run once more, from their raw logs: no provider is called, and what \
                   is newer stays. 409 if the run has not ended, or is a replay itself";
    let properties = json!({"reason": optional_reason(), "dry_run": dry_run()});
    let operation = of_run(replaying("replayRun", summary, &[404]));
    let parameters = operation.get("parameters").and_then(Json::as_array).cloned().unwrap_or_default();
    let parameters: Vec<_> = parameters.into_iter().chain([key()]).collect();
    let operation = with_parameters(operation, &parameters);
    with(operation, "requestBody", body_with(&[], &properties, &json!({"dry_run": true})))
}

fn replays() -> Json {
    let summary =
        format!("The same for all runs of a job that were created in some time, at most {RUNS_MAX}");
    let jobs: Vec<_> = catalogue::jobs().map(|job| job.name).collect();
    let time = |text: &str| json!({"type": "string", "minLength": 10, "description": text});
    let properties = json!({
        "job": {"enum": jobs},
        "from": time("A day (UTC), or a time: runs that were created then or later"),
        "to": time("The last day, or the time before which they were created"),
        "reason": optional_reason(),
        "dry_run": dry_run(),
    });
    let example =
        json!({"job": "tiingo-daily-prices", "from": "2026-11-01", "to": "2026-11-23", "dry_run": true});
    let operation = with_parameters(replaying("replayRuns", &summary, &[]), &[key()]);
    with(operation, "requestBody", body_with(&["job", "from", "to"], &properties, &example))
}

/// An operation that answers with a run, or, as a dry run, with what it would do.
fn replaying(id: &str, summary: &str, problems: &[u16]) -> Json {
    let mut operation = run(id, summary, &with_body(problems));
    let either = json!({"oneOf": [schema("RunReport"), schema("ReplayPreview")]});
    if let Some(good) = operation.pointer_mut("/responses/200/content/application~1json") {
        *good = json!({"schema": either});
    }
    let refused = problem(409).pointer("/content/application~1problem+json").cloned();
    if let (Some(content), Some(refused)) =
        (operation.pointer_mut("/responses/409/content").and_then(Json::as_object_mut), refused)
    {
        content.insert("application/problem+json".to_owned(), refused);
    }
    operation
}

fn body_with(required: &[&str], properties: &Json, example: &Json) -> Json {
    let schema = json!({"type": "object", "required": required, "properties": properties});
    json!({
        "description": "Any content type is accepted",
        "required": !required.is_empty(),
        "content": {"application/json": {"schema": schema, "example": example}},
    })
}

fn dry_run() -> Json {
    json!({"type": ["boolean", "null"], "default": false, "description": "Only tells what would change"})
}
