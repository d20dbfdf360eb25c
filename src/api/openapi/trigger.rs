//! What a request for a run may contain, per route: the type defines what is read, the catalogue what is accepted.

use serde_json::{Value as Json, json};

use crate::api::request::order::REASON_CHARS_MAX;
use crate::catalogue::ticker::TICKERS_MAX;
use crate::catalogue::{Job, Scope, jobs};
use crate::run::backfill::Only;

/// Narrows the type's schema to what any route accepts.
pub(super) fn narrow(schema: &mut Json) {
    let Some(Json::Object(properties)) = schema.get_mut("properties") else { return };
    properties.insert("job".to_owned(), one_of(jobs().map(|job| job.name)));
    properties.insert("scope".to_owned(), one_of(Scope::ALL.into_iter().flat_map(spellings)));
    let time = json!({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]});
    properties.insert("run_time".to_owned(), time);
    // `src/api/request` reads them.
    let day = json!({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]});
    for (name, schema, what) in [
        ("from", day.clone(), "First day of a backfill, a day in New York"),
        ("to", day, "Last day of a backfill, included; today if it is left out"),
        ("only", one_of(Only::ALL.map(Only::name)), "Which of the days' records are requested"),
        ("dry_run", json!({"type": ["boolean", "null"]}), "Whether only the plan of the backfill is wanted"),
        (
            "force",
            json!({"type": ["boolean", "null"]}),
            "Whether records are written even if they say what is stored already",
        ),
        (
            "reason",
            json!({"type": ["string", "null"], "maxLength": REASON_CHARS_MAX}),
            "Why it is wanted; stored with the order",
        ),
    ] {
        let mut schema = schema;
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), what.into());
        }
        properties.insert(name.to_owned(), schema);
    }
    if let Some(Json::Object(tickers)) = properties.get_mut("tickers") {
        tickers.insert("maxItems".to_owned(), TICKERS_MAX.into());
    }
}

/// The body of a job's own route: name and scope may be left out, but must not be those of another job.
pub(super) fn of_job(job: &Job) -> Json {
    let own = properties(&one_of([job.name]), &one_of(spellings(job.scope)), job.scope != Scope::None);
    body(false, &own, &json!({"job": job.name, "scope": job.scope.name()}))
}

/// The body of the route for any job: it must name one, and a scope that fits it.
pub(super) fn of_any() -> Json {
    let kind = |with_tickers: bool| {
        let is_kind = |scope: &Scope| (*scope != Scope::None) == with_tickers;
        let jobs = jobs().filter(|job| is_kind(&job.scope)).map(|job| job.name);
        let jobs = json!({"enum": jobs.collect::<Vec<_>>()});
        let scopes = Scope::ALL.into_iter().filter(is_kind).flat_map(spellings);
        properties(&jobs, &one_of(scopes), with_tickers)
    };
    let own = json!({"required": ["job"], "anyOf": [kind(true), kind(false)]});
    body(true, &own, &json!({"job": "finnhub-quote-portfolio", "tickers": ["AAPL"]}))
}

fn properties(job: &Json, scope: &Json, with_tickers: bool) -> Json {
    let tickers = if with_tickers { json!({}) } else { json!({"maxItems": 0}) };
    json!({"properties": {"job": job, "scope": scope, "tickers": tickers}})
}

fn body(required: bool, own: &Json, example: &Json) -> Json {
    let schema = json!({"allOf": [{"$ref": "#/components/schemas/TriggerRequest"}, own]});
    json!({
        "description": "Any content type is accepted; omitted fields follow from the job",
        "required": required,
        "content": {"application/json": {"schema": schema, "example": example}},
    })
}

/// A scope's name in both spellings, the scheduler's and the mission's.
fn spellings(scope: Scope) -> [String; 2] {
    [scope.name().to_owned(), scope.name().to_ascii_uppercase()]
}

/// One of these strings, or null.
fn one_of(texts: impl IntoIterator<Item = impl Into<String>>) -> Json {
    let texts = texts.into_iter().map(|text| Json::String(text.into()));
    json!({"enum": texts.chain([Json::Null]).collect::<Vec<_>>()})
}
