//! The description of the HTTP interface, `OpenAPI` 3.1. `docs/openapi.json` is written from it (`UPDATE=1
//! cargo test --test it tidy`) and served; the types are those that parse and answer.

mod trigger;

use serde_json::{Map, Value as Json, json};
use utoipa::OpenApi as _;

use crate::api::problem::Problem;
use crate::api::request::Body;
use crate::api::{answer, jobs, runs};
use crate::catalogue::{self, Provider};
use crate::intake::call_log::CallList;
use crate::ops::status::StatusReport;
use crate::run::Status;
use crate::run::report::RunReport;

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(
    answer::Health,
    Body,
    CallList,
    jobs::Jobs,
    Problem,
    RunReport,
    runs::BreakerList,
    runs::BreakerView,
    runs::RunList,
    StatusReport
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
            "description": "Runs the ingestion jobs of Cloud Scheduler. Every answer carries `X-Request-Id` and `traceparent`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"idToken": []}, {"operator": []}],
        "paths": paths(),
        "components": {
            "schemas": types.pointer("/components/schemas"),
            "securitySchemes": {
                "idToken": {"type": "http", "scheme": "bearer", "description": "An ID token of the scheduler's service account, or the operator's token."},
                "operator": {"type": "http", "scheme": "basic", "description": "Any name, and the operator's token as password: for browsers."},
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
        read("status", "All services, jobs, statistics and alerts at once", "StatusReport", &[]),
    );
    add("/metrics", "get", metrics());
    add("/jobs", "get", read("jobs", "The catalogue of jobs", "Jobs", &[]));
    add("/runs", "get", list_runs());
    add("/runs/{run_id}", "get", of_run(read("run", "One run", "RunReport", &[404])));
    add(
        "/runs/{run_id}/calls",
        "get",
        of_run(read("calls", "The provider calls of a run", "CallList", &[404])),
    );
    add(
        "/runs/{run_id}/resume",
        "post",
        of_run(run("resume", "Goes on with what is pending or failed of a run", &[404])),
    );
    add("/providers/{provider}/probe", "post", probe());
    add("/breakers", "get", read("breakers", "All circuit breakers", "BreakerList", &[]));
    add("/breakers/{provider}/reset", "post", reset());
    add(
        "/manual/trigger-job",
        "post",
        triggered("trigger", "Runs any job by its name; scope and tickers may be set", trigger::of_any()),
    );
    for job in catalogue::jobs() {
        add(job.route, "post", triggered(job.name, job.summary, trigger::of_job(job)));
    }
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
        400 => "The job is not known, or the body broke off",
        401 => "No token, or none that is valid",
        403 => "The caller is known and not allowed",
        404 => "There is no such thing",
        409 => "Not now; Retry-After says when to come again",
        408 => "The body did not arrive within 30 s",
        413 => "The body is longer than 1 MiB",
        422 => "A field has a value that cannot be accepted",
        _ => "Not available now; Retry-After says when to come again",
    };
    answer_of(description, "application/problem+json", &schema("Problem"))
}

/// An operation with its good answer and its problems; every route but the health check may refuse a caller.
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
        "operationId": "health", "summary": "Whether the service is configured; touches nothing else", "security": [],
        "responses": {"200": body("The configuration is valid"), "503": body("Every mistake of the configuration")},
    })
}

fn page(summary: &str) -> Json {
    operation("dashboard", summary, answer_of(summary, "text/html", &json!({"type": "string"})), &[])
}

fn metrics() -> Json {
    let summary = "Metrics in Prometheus' text format";
    operation("metrics", summary, answer_of(summary, "text/plain", &json!({"type": "string"})), &[])
}

fn document_of_this() -> Json {
    let summary = "This description";
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

fn list_runs() -> Json {
    let jobs: Vec<_> = catalogue::jobs().map(|job| job.name).collect();
    let statuses = Status::ALL.map(Status::name);
    let parameters = [
        parameter("job", "query", "Only runs of this job", &json!({"type": "string", "enum": jobs})),
        parameter(
            "status",
            "query",
            "Only runs in this status",
            &json!({"type": "string", "enum": statuses}),
        ),
        parameter(
            "limit",
            "query",
            "Runs in one page",
            &json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 20}),
        ),
        parameter("page_token", "query", "`next_page_token` of the page before", &json!({"type": "string"})),
    ];
    with_parameters(read("runs", "Runs, newest first", "RunList", &[422]), &parameters)
}

fn of_run(operation: Json) -> Json {
    with_parameters(
        operation,
        &[parameter("run_id", "path", "The run's id", &json!({"type": "string", "minLength": 1}))],
    )
}

fn reset() -> Json {
    let providers = Provider::all().map(Provider::name);
    let parameter =
        parameter("provider", "path", "Whose breaker", &json!({"type": "string", "enum": providers}));
    with_parameters(read("reset", "Closes a circuit breaker by hand", "BreakerView", &[404]), &[parameter])
}

fn probe() -> Json {
    let providers = Provider::all().map(Provider::name);
    let schema = json!({"type": "string", "enum": providers});
    let parameter = parameter("provider", "path", "Whose service", &schema);
    let summary = "Asks a provider's service how it is, at most every few minutes and never beside a run";
    with_parameters(read("probe", summary, "ProbeResult", &[404, 409]), &[parameter])
}

/// An operation that works on a run and answers when it has ended.
fn run(id: &str, summary: &str, problems: &[u16]) -> Json {
    let report = |text: &str| answer_of(text, "application/json", &schema("RunReport"));
    let mut responses = responses(report("Done; `status` is ok or partial"), problems);
    let left = json!({
        "description": "Something is left to do; Retry-After says when to come again for it",
        "content": {
            "application/json": {"schema": schema("RunReport")},
            "application/problem+json": {"schema": schema("Problem")},
        },
    });
    responses.extend([
        ("409".to_owned(), report("The run is being worked on; Retry-After says when to come again")),
        ("502".to_owned(), report("No ticker succeeded")),
        ("503".to_owned(), left),
    ]);
    json!({"operationId": id, "summary": summary, "responses": responses})
}

fn triggered(id: &str, summary: &str, body: Json) -> Json {
    let run = run(id, summary, &[400, 408, 413, 422]);
    let key = json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"});
    let tick = "The tick, RFC 3339: requests with the same one are the same run. One that cannot be read, or lies ahead, \
                counts as none";
    let parameters = [
        parameter("Idempotency-Key", "header", "Requests with the same key are the same run", &key),
        parameter("X-CloudScheduler-ScheduleTime", "header", tick, &json!({"type": "string"})),
    ];
    with(with_parameters(run, &parameters), "requestBody", body)
}
