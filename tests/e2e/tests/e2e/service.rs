//! What the service reports about itself.

use e2e::runtime::{builder, component};
use e2e::system::{expect, get, start, start_with, tick};
use serde_json::{Value, json};
use sim::endpoint::Endpoint;
use sim::scheduler::JOBS;
use sim::stack::Parts;
use sim::watchlist::Watchlist;

#[tokio::test]
async fn health_is_good_and_touches_nothing() {
    let stack = start(Watchlist::new(5, 5), &[]).await;
    let reply = get(&stack.orchestrator, "/health").await;
    assert_eq!((reply.status, &reply.body["status"]), (200, &json!("healthy")));
    for provider in stack.providers.all() {
        assert_eq!(provider.journal().requests().len(), 0, "{}", provider.service());
    }
}

#[tokio::test]
async fn all_configuration_mistakes_are_reported_together() {
    let mistakes = [
        ("google_cloud_project", ""),
        ("log_level", "loud"),
        ("inbound_auth", "perhaps"),
        ("batch_size_polygon", "0"),
        ("lease_seconds", "soon"),
        ("job_deadline_seconds", "3601"),
        ("retry_max_attempts", "-1"),
        ("collection_news", "a/b"),
        ("cors_allow_origins", "*"),
        ("calendar_overrides", "2026-12-31=13"),
    ];
    let stack = start_with(Parts::default(), builder().variables(mistakes)).await;
    let reply = get(&stack.orchestrator, "/health").await;
    assert_eq!((reply.status, &reply.body["status"]), (503, &json!("unhealthy")));
    let errors: Vec<_> =
        reply.body["errors"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    for (name, value) in mistakes {
        let error = errors.iter().find(|error| error.starts_with(name));
        let error = error.unwrap_or_else(|| panic!("{name} is not among {errors:#?}"));
        assert!(error.contains(value), "{error}");
    }
    assert_eq!(errors.len(), mistakes.len(), "{errors:#?}");

    let reply = expect(&stack.orchestrator, &tick("tiingo-daily-prices"), 503).await;
    assert_eq!(reply.headers["content-type"], "application/problem+json");
    assert_eq!(stack.providers.tiingo().journal().count(), 0);
}

#[tokio::test]
async fn the_catalogue_is_that_of_cloud_scheduler() {
    let stack = start(Watchlist::new(5, 5), &[]).await;
    let reply = get(&stack.orchestrator, "/jobs").await;
    assert_eq!(reply.status, 200);
    let jobs = reply.body["jobs"].as_array().expect("a list");
    assert_eq!(jobs.len(), JOBS.len());
    for job in JOBS {
        let row = jobs.iter().find(|row| row["job"] == job.name).expect(job.name);
        let endpoint = |endpoint: &Endpoint| (endpoint.path(), endpoint.collection());
        let endpoints: Vec<_> = row["endpoints"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|row| (row["path"].as_str().expect("a path"), row["collection"].as_str().expect("a name")))
            .collect();
        assert_eq!(endpoints, job.endpoints.iter().map(endpoint).collect::<Vec<_>>(), "{}", job.name);
        for (field, value) in [
            ("route", job.route),
            ("scope", job.scope.name()),
            ("schedule", job.schedule),
            ("provider", job.endpoints[0].service().name()),
            ("time_zone", "America/New_York"),
        ] {
            assert_eq!(row[field], value, "{}: {field}", job.name);
        }
    }
}

#[test]
fn the_component_stays_small() {
    /// The size that docs/performance.md weighs against speed, and some room.
    const BYTES_MAX: u64 = 3_600_000;
    let bytes = std::fs::metadata(component()).expect("the component is built").len();
    assert!(bytes <= BYTES_MAX, "{bytes} bytes, limit {BYTES_MAX}: see [profile.release] in Cargo.toml");
}
