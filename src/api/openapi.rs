//! The description of the HTTP interface, `OpenAPI` 3.1. `docs/openapi.json` is written from it (`UPDATE=1
//! cargo test --test it tidy`) and served; the types are those that parse and answer.

mod coverage;
mod orders;
mod records;
mod replays;
mod trigger;

use serde_json::{Map, Value as Json, json};
use utoipa::OpenApi as _;

use crate::api::problem::Problem;
use crate::api::request::Body;
use crate::api::{
    answer, calendar, coverage as api_coverage, jobs, orders as api_orders, records as api_records,
    replays as api_replays, runs, watch,
};
use crate::catalogue::{self, Provider};
use crate::intake::call_log::CallList;
use crate::ops::status::StatusReport;
use crate::run::Status;
use crate::run::report::RunReport;

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(
    answer::Health,
    Body,
    api_coverage::CoverageGrid,
    api_coverage::DayCoverage,
    api_coverage::FlagList,
    api_coverage::Verification,
    api_coverage::ticker::TickerView,
    calendar::Sessions,
    CallList,
    jobs::Jobs,
    api_orders::JobPause,
    api_orders::OrderList,
    api_orders::ResumedRuns,
    Problem,
    RunReport,
    runs::BreakerList,
    runs::BreakerView,
    api_records::RecordView,
    api_records::RevisionList,
    api_replays::ReplayPreview,
    runs::RunList,
    StatusReport,
    watch::TestReport,
    watch::WatchReport
)))]
struct Types;

/// The whole description.
pub fn document() -> Json {
    let mut types = serde_json::to_value(Types::openapi()).unwrap_or_default();
    if let Some(request) = types.pointer_mut("/components/schemas/TriggerRequest") {
        trigger::narrow(request);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Orchestrator",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Runs ingestion jobs triggered by Cloud Scheduler. Every response carries `X-Request-Id` and `traceparent`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"idToken": []}, {"operator": []}],
        "paths": paths(),
        "components": {
            "schemas": types.pointer("/components/schemas"),
            "securitySchemes": {
                "idToken": {"type": "http", "scheme": "bearer", "description": "An ID token of the scheduler's service account, or the operator token."},
                "operator": {"type": "http", "scheme": "basic", "description": "For browsers: any user name, with the operator token as the password."},
            },
        },
    })
}

fn paths() -> Json {
    let mut paths = Map::new();
    let mut add = |path: &str, method: &str, operation: Json| {
        paths.insert(path.to_owned(), json!({method: operation}));
    };
    add("/health", "get", health());
    add("/", "get", page("The dashboard"));
    add(
        "/status",
        "get",
        read("status", "Status of all services and jobs, with statistics and alerts", "StatusReport", &[]),
    );
    add("/metrics", "get", metrics());
    add("/calendar", "get", sessions());
    for (path, method, operation) in coverage::operations() {
        add(path, method, operation);
    }
    add("/jobs", "get", read("jobs", "The job catalogue", "Jobs", &[]));
    add("/runs", "get", list_runs());
    add("/runs/{run_id}", "get", of_run(read("run", "One run", "RunReport", &[404])));
    add(
        "/runs/{run_id}/calls",
        "get",
        of_run(read("calls", "The provider calls of a run", "CallList", &[404])),
    );
    for (path, method, operation) in records::operations() {
        add(path, method, operation);
    }
    for (path, method, operation) in orders::operations().into_iter().chain(replays::operations()) {
        add(path, method, operation);
    }
    add("/providers/{provider}/probe", "post", probe());
    add("/breakers", "get", read("breakers", "All circuit breakers", "BreakerList", &[]));
    add(
        "/manual/trigger-job",
        "post",
        triggered("trigger", "Runs any job by name; scope and tickers are optional", trigger::of_any()),
    );
    for job in catalogue::jobs() {
        add(job.route, "post", triggered(job.name, job.summary, trigger::of_job(job)));
    }
    let told = "Evaluates the alerts and tells what has changed; called every minute by the scheduler";
    add("/watch", "post", read("watch", told, "WatchReport", &[]));
    let tested = "Sends a test message to every target of notifications that is set";
    add("/notify/test", "post", read("testNotifications", tested, "TestReport", &[]));
    add("/openapi.json", "get", document_of_this());
    Json::Object(paths)
}

fn schema(name: &str) -> Json {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn answer_of(description: &str, media_type: &str, schema: &Json) -> Json {
    json!({"description": description, "content": {media_type: {"schema": schema}}})
}

fn problem(status: u16) -> Json {
    let description = match status {
        400 => "Unknown job, or incomplete request body",
        401 => "Missing or invalid credentials",
        403 => "The caller is authenticated but not allowed",
        404 => "Not found",
        409 => "Not possible in this state; Retry-After says when to try again, if it helps",
        408 => "The request body did not arrive within 30 s",
        413 => "The request body is larger than 1 MiB",
        422 => "A field has an invalid value",
        _ => "Service unavailable; Retry-After says when to try again",
    };
    answer_of(description, "application/problem+json", &schema("Problem"))
}

/// An operation with its success response and its problems; every route except the health check may refuse a caller.
fn operation(id: &str, summary: &str, good: Json, problems: &[u16]) -> Json {
    json!({"operationId": id, "summary": summary, "responses": responses(good, problems)})
}

fn responses(good: Json, problems: &[u16]) -> Map<String, Json> {
    let mut responses = Map::from_iter([("200".to_owned(), good)]);
    for status in [401, 403, 503].iter().chain(problems) {
        responses.insert(status.to_string(), problem(*status));
    }
    responses
}

fn read(id: &str, summary: &str, name: &str, problems: &[u16]) -> Json {
    operation(id, summary, answer_of(summary, "application/json", &schema(name)), problems)
}

fn health() -> Json {
    let body = |text: &str| answer_of(text, "application/json", &schema("Health"));
    json!({
        "operationId": "health", "summary": "Whether the configuration is valid; checks nothing else", "security": [],
        "responses": {"200": body("The configuration is valid"), "503": body("All configuration errors")},
    })
}

fn page(summary: &str) -> Json {
    operation("dashboard", summary, answer_of(summary, "text/html", &json!({"type": "string"})), &[])
}

fn metrics() -> Json {
    let summary = "Metrics in the Prometheus text format";
    operation("metrics", summary, answer_of(summary, "text/plain", &json!({"type": "string"})), &[])
}

fn document_of_this() -> Json {
    let summary = "This OpenAPI document";
    operation("openapi", summary, answer_of(summary, "application/json", &json!({"type": "object"})), &[])
}

fn parameter(name: &str, place: &str, description: &str, schema: &Json) -> Json {
    json!({"name": name, "in": place, "description": description, "required": place == "path", "schema": schema})
}

fn with(mut operation: Json, name: &str, value: Json) -> Json {
    if let Json::Object(members) = &mut operation {
        members.insert(name.to_owned(), value);
    }
    operation
}

fn with_parameters(operation: Json, parameters: &[Json]) -> Json {
    with(operation, "parameters", parameters.into())
}

fn sessions() -> Json {
    let day = |name: &str, default: &str| {
        let description = format!("YYYY-MM-DD, from 2010 to 2099; by default {default}");
        parameter(name, "query", &description, &json!({"type": "string", "format": "date"}))
    };
    let from = day("from", "today in New York");
    let to = day("to", &format!("{} days after `from`", calendar::DAYS_DEFAULT));
    let summary = format!("The sessions of US equities, at most {} days at once", calendar::DAYS_MAX);
    with_parameters(read("calendar", &summary, "Sessions", &[422]), &[from, to])
}

fn list_runs() -> Json {
    let jobs: Vec<_> = catalogue::jobs().map(|job| job.name).collect();
    let statuses = Status::ALL.map(Status::name);
    let parameters = [
        parameter("job", "query", "Only runs of this job", &json!({"type": "string", "enum": jobs})),
        parameter(
            "status",
            "query",
            "Only runs with this status",
            &json!({"type": "string", "enum": statuses}),
        ),
        parameter(
            "limit",
            "query",
            "Runs per page",
            &json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 20}),
        ),
        parameter(
            "page_token",
            "query",
            "`next_page_token` of the previous page",
            &json!({"type": "string"}),
        ),
    ];
    with_parameters(read("runs", "Runs, newest first", "RunList", &[422]), &parameters)
}

fn of_run(operation: Json) -> Json {
    with_parameters(
        operation,
        &[parameter("run_id", "path", "Run ID", &json!({"type": "string", "minLength": 1}))],
    )
}

fn probe() -> Json {
    let providers = Provider::all().map(Provider::name);
    let schema = json!({"type": "string", "enum": providers});
    let parameter = parameter("provider", "path", "Provider whose service is probed", &schema);
    let summary =
        "Probes the health of a provider's service; at most every few minutes and never during a run";
    with_parameters(read("probe", summary, "ProbeResult", &[404, 409]), &[parameter])
}

/// An operation that works on a run and responds when it has ended.
fn run(id: &str, summary: &str, problems: &[u16]) -> Json {
    let report = |text: &str| answer_of(text, "application/json", &schema("RunReport"));
    let mut responses = responses(report("Ended; `status` is ok, partial or cancelled"), problems);
    let left = json!({
        "description": "Work is left to do; Retry-After says when to continue it",
        "content": {
            "application/json": {"schema": schema("RunReport")},
            "application/problem+json": {"schema": schema("Problem")},
        },
    });
    responses.extend([
        ("409".to_owned(), report("The run is in progress; Retry-After says when to try again")),
        ("502".to_owned(), report("No ticker succeeded")),
        ("503".to_owned(), left),
    ]);
    json!({"operationId": id, "summary": summary, "responses": responses})
}

fn key() -> Json {
    let key = json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"});
    parameter("Idempotency-Key", "header", "Requests with the same key belong to the same run", &key)
}

fn triggered(id: &str, summary: &str, body: Json) -> Json {
    let run = run(id, summary, &[400, 408, 413, 422]);
    let tick = "The scheduled time, RFC 3339: requests with the same time belong to the same run. Ignored if it \
                cannot be parsed or lies in the future";
    let parameters =
        [key(), parameter("X-CloudScheduler-ScheduleTime", "header", tick, &json!({"type": "string"}))];
    with(with_parameters(run, &parameters), "requestBody", body)
}
