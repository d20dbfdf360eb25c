//! The routes of orders.

use serde_json::{Value as Json, json};

use super::{answer_of, of_run, operation, parameter, problem, read, run, schema, with, with_parameters};
use crate::api::orders::{LISTED_DEFAULT, LISTED_MAX};
use crate::api::request::order::{PAUSE_DAYS_MAX, REASON_CHARS_MAX, RESUMABLE, RESUMED_DEFAULT, RESUMED_MAX};
use crate::catalogue::{self, Provider};
use crate::run::Status;

/// What may be wrong with the body of an order.
const BODY: [u16; 4] = [400, 408, 413, 422];

pub(super) fn operations() -> [(&'static str, &'static str, Json); 7] {
    [
        ("/orders", "get", list()),
        ("/jobs/{job}/pause", "post", pause()),
        ("/jobs/{job}/unpause", "post", unpause()),
        ("/runs/{run_id}/cancel", "post", cancel()),
        ("/runs/{run_id}/resume", "post", resume()),
        ("/runs/resume", "post", resume_runs()),
        ("/breakers/{provider}/reset", "post", reset()),
    ]
}

fn list() -> Json {
    let limit = json!({"type": "integer", "minimum": 1, "maximum": LISTED_MAX, "default": LISTED_DEFAULT});
    let summary = "What people have told the service to do, newest first";
    with_parameters(
        read("orders", summary, "OrderList", &[422]),
        &[parameter("limit", "query", "Number of orders", &limit)],
    )
}

fn pause() -> Json {
    let summary = "Pauses a job: its ticks are skipped until then, or until it is unpaused";
    let until = json!({
        "anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}],
        "description": format!("When the pause ends by itself, at most {PAUSE_DAYS_MAX} days ahead"),
    });
    let example = json!({"reason": "the provider moves to new servers", "until": "2027-01-15T18:00:00Z"});
    let operation = of_job(read("pause", summary, "JobPause", &with_body(&[404])));
    with(operation, "requestBody", body(true, &json!({"reason": reason(), "until": until}), &example))
}

fn unpause() -> Json {
    let summary = "Ends the pause of a job; 409 if it is not paused";
    let example = json!({"reason": "the provider is back"});
    let operation = of_job(read("unpause", summary, "JobPause", &with_body(&[404, 409])));
    with(operation, "requestBody", body(true, &json!({"reason": reason()}), &example))
}

fn cancel() -> Json {
    let summary = "Stops a run, on whatever instance works on it; 409 if it has ended";
    let report = |text: &str| answer_of(text, "application/json", &schema("RunReport"));
    let mut operation = operation(
        "cancel",
        summary,
        report("It is cancelled; what is left can be resumed"),
        &with_body(&[404]),
    );
    if let Some(Json::Object(responses)) = operation.get_mut("responses") {
        let asked =
            report("Its owner is asked and has not stopped yet: it stops at the latest when its lease ends");
        responses.insert("202".to_owned(), asked);
        responses.insert("409".to_owned(), problem(409));
    }
    let example = json!({"reason": "started for the wrong day"});
    with(of_run(operation), "requestBody", body(true, &json!({"reason": reason()}), &example))
}

fn resume() -> Json {
    let summary = "Resumes a run: continues pending work, or retries failed work if none is pending";
    let operation = of_run(run("resume", summary, &with_body(&[404])));
    let example = json!({"reason": "the symbol is known now"});
    with(operation, "requestBody", body(false, &json!({"reason": optional_reason()}), &example))
}

fn resume_runs() -> Json {
    let summary = "Resumes the runs that a filter matches, one after the other, the oldest first, as many as this request has time for";
    let time = |text: &str| json!({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}], "description": text});
    let jobs: Vec<_> = catalogue::jobs().map(|job| Json::from(job.name)).chain([Json::Null]).collect();
    let statuses: Vec<_> =
        RESUMABLE.map(Status::name).into_iter().map(Json::from).chain([Json::Null]).collect();
    let properties = json!({
        "reason": {
            "type": ["string", "null"], "minLength": 1, "maxLength": REASON_CHARS_MAX,
            "description": "Why; required unless it is a dry run",
        },
        "dry_run": {"type": ["boolean", "null"], "default": false, "description": "Only tells which runs would be resumed"},
        "job": {"enum": jobs},
        "status": {"enum": statuses, "default": Status::Failed.name()},
        "from": time("Only runs created at this time or later"),
        "to": time("Only runs created before this time"),
        "limit": {"type": ["integer", "null"], "minimum": 1, "maximum": RESUMED_MAX, "default": RESUMED_DEFAULT},
    });
    let example = json!({"dry_run": true, "status": "failed", "from": "2026-11-23T00:00:00Z"});
    let operation = read("resumeRuns", summary, "ResumedRuns", &with_body(&[]));
    with(operation, "requestBody", body(true, &properties, &example))
}

fn reset() -> Json {
    let providers = Provider::all().map(Provider::name);
    let schema = json!({"type": "string", "enum": providers});
    let parameter = parameter("provider", "path", "Provider whose breaker is reset", &schema);
    let operation = read("reset", "Closes a circuit breaker manually", "BreakerView", &with_body(&[404]));
    let example = json!({"reason": "the provider says that it is repaired"});
    let body = body(false, &json!({"reason": optional_reason()}), &example);
    with(with_parameters(operation, &[parameter]), "requestBody", body)
}

pub(super) fn with_body(problems: &[u16]) -> Vec<u16> {
    BODY.into_iter().chain(problems.iter().copied()).collect()
}

fn of_job(operation: Json) -> Json {
    let jobs: Vec<_> = catalogue::jobs().map(|job| job.name).collect();
    let parameter = parameter("job", "path", "Job", &json!({"type": "string", "enum": jobs}));
    with_parameters(operation, &[parameter])
}

fn reason() -> Json {
    json!({
        "type": "string", "minLength": 1, "maxLength": REASON_CHARS_MAX, "pattern": "\\S",
        "description": "Why, for those who look at it later",
    })
}

pub(super) fn optional_reason() -> Json {
    json!({
        "type": ["string", "null"], "maxLength": REASON_CHARS_MAX,
        "description": "Why, for those who look at it later",
    })
}

/// The body of an order; `required` says whether there must be one, with a reason.
fn body(required: bool, properties: &Json, example: &Json) -> Json {
    let needs_reason = required && properties.get("dry_run").is_none();
    let mut schema = json!({"type": "object", "properties": properties});
    if let Some(schema) = schema.as_object_mut().filter(|_| needs_reason) {
        schema.insert("required".to_owned(), json!(["reason"]));
    }
    if let (Some(schema), true) = (schema.as_object_mut(), properties.get("dry_run").is_some()) {
        let dry = json!({"properties": {"dry_run": {"const": true}}, "required": ["dry_run"]});
        let meant = json!({"properties": {"reason": reason()}, "required": ["reason"]});
        schema.insert("anyOf".to_owned(), json!([dry, meant]));
    }
    json!({
        "description": "Any content type is accepted",
        "required": required,
        "content": {"application/json": {"schema": schema, "example": example}},
    })
}
