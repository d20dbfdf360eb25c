//! Which callers are admitted in which mode.

use e2e::runtime::builder;
use e2e::system::{PATIENCE, get, start_with};
use e2e::trust::{AUDIENCE, GUARDED, OPERATOR, SCHEDULER, ask_as, claims, google, system, token};
use reqwest::Method;
use serde_json::json;
use sim::google::Desk;
use sim::scheduler::JOBS;
use sim::stack::{Parts, Stack};

const JOBS_PAGE: (Method, &str) = (Method::GET, "/jobs");

/// Every route in the service's own API description except `GET /health`.
async fn routes(stack: &Stack) -> Vec<(Method, String)> {
    let operator = format!("Bearer {OPERATOR}");
    let described = ask_as(&stack.orchestrator, (Method::GET, "/openapi.json"), &[&operator], "").await;
    let mut routes = Vec::new();
    for (path, methods) in described.body["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys().filter(|_| path != "/health") {
            let method = method.to_uppercase().parse().expect("a method");
            let path = path.replace("{run_id}", "x").replace("{provider}", "tiingo");
            routes.push((method, path.replace("{job}", "tiingo-daily-prices")));
        }
    }
    assert!(JOBS.iter().all(|job| routes.contains(&(Method::POST, job.route.to_owned()))), "{routes:?}");
    routes
}

#[tokio::test]
async fn the_scheduler_and_the_operator_are_admitted() {
    let google = google().await;
    let stack = system(&google, &GUARDED).await;
    let orchestrator = &stack.orchestrator;
    for issuer in ["https://accounts.google.com", "accounts.google.com"] {
        let mut claims = claims(&google);
        claims["iss"] = json!(issuer);
        let token = format!("Bearer {}", google.sign(&claims));
        assert_eq!(ask_as(orchestrator, JOBS_PAGE, &[&token], "").await.status, 200, "{issuer}");
    }
    let operator = format!("Bearer {OPERATOR}");
    assert_eq!(ask_as(orchestrator, JOBS_PAGE, &[&operator], "").await.status, 200);
    let tick = e2e::system::tick("finnhub-quote-portfolio");
    let tick = tick.header("authorization", format!("Bearer {}", token(&google)));
    e2e::system::expect(orchestrator, &tick, 200).await;
}

#[tokio::test]
async fn configured_audiences_and_accounts_are_lists() {
    let google = google().await;
    let accounts = format!("first@sim.iam, {SCHEDULER}");
    let settings = [
        ("inbound_auth", "oidc"),
        ("scheduler_service_account", accounts.as_str()),
        ("oidc_audience", "https://one.example, two"),
    ];
    let stack = system(&google, &settings).await;
    for (email, audience, status) in [
        ("first@sim.iam", json!("https://one.example"), 200),
        (SCHEDULER, json!("two"), 200),
        (SCHEDULER, json!(["other", "two"]), 200),
        (SCHEDULER, json!(["other"]), 401),
        (SCHEDULER, json!(format!("{}/jobs", stack.orchestrator.url())), 401),
        ("third@sim.iam", json!("two"), 403),
    ] {
        let mut claims = google.claims(email, "");
        claims["aud"] = audience;
        let token = format!("Bearer {}", google.sign(&claims));
        let reply = ask_as(&stack.orchestrator, JOBS_PAGE, &[&token], "").await;
        assert_eq!(reply.status, status, "{claims}");
    }
}

#[tokio::test]
async fn every_route_but_health_is_guarded_before_anything_is_read() {
    let google = google().await;
    let gate = google.access_gate();
    let stack = e2e::trust::called_as(&google, gate, false, &GUARDED).await;
    for (method, path) in routes(&stack).await {
        for authorization in [&[][..], &["Bearer bad"]] {
            let reply =
                ask_as(&stack.orchestrator, (method.clone(), &path), authorization, "{ no JSON").await;
            assert_eq!(reply.status, 401, "{method} {path}");
            assert!(reply.headers["www-authenticate"].contains("Bearer"), "{method} {path}");
            assert_eq!(reply.headers["content-type"], "application/problem+json");
        }
    }
    assert_eq!(get(&stack.orchestrator, "/health").await.status, 200);
    assert_eq!(stack.front.as_ref().expect("a front").seen(), 0, "Firestore is not called");
    assert!(stack.providers.all().iter().all(|provider| provider.journal().requests().is_empty()));
    assert_eq!(google.count(Desk::Token) + google.count(Desk::Metadata), 0);
}

#[tokio::test]
async fn without_an_emulator_no_caller_is_admitted_unauthenticated() {
    let open = [("inbound_auth", "none"), ("firestore_emulator_host", "")];
    let stack = start_with(Parts::default(), builder().variables(open)).await;
    let reply = get(&stack.orchestrator, "/health").await;
    assert_eq!(reply.status, 503);
    assert!(reply.body["errors"][0].as_str().is_some_and(|error| error.starts_with("inbound_auth")));
    assert_eq!(get(&stack.orchestrator, "/jobs").await.status, 503);

    let allowed = open.into_iter().chain([("allow_unauthenticated", "true")]);
    let stack = start_with(Parts::default(), builder().variables(allowed)).await;
    assert_eq!(get(&stack.orchestrator, "/jobs").await.status, 200);
}

#[tokio::test]
async fn the_service_does_not_start_without_configured_callers() {
    let stack = start_with(Parts::default(), builder().variables([("inbound_auth", "oidc")])).await;
    let reply = get(&stack.orchestrator, "/health").await;
    assert_eq!(reply.status, 503);
    for (place, name) in [(0, "scheduler_service_account"), (1, "oidc_audience")] {
        let error = reply.body["errors"][place].as_str().expect("an error");
        assert!(error.starts_with(name), "{error}");
    }
}

/// For example a Cloud Scheduler job whose target has a query, or a caller who sends a token for another deployment of
/// the service, with that deployment's host name.
#[tokio::test]
async fn neither_the_host_header_nor_the_target_chooses_the_audience() {
    let google = google().await;
    let stack = system(&google, &GUARDED).await;
    let staging = "staging.example";
    let route = "/finnhub/quote-portfolio";
    let send = async |audience: &str, target: &str| {
        let token = google.sign(&google.claims(SCHEDULER, audience));
        let tick = e2e::system::tick("finnhub-quote-portfolio").route(target).header("host", staging);
        let tick = tick.header("authorization", format!("Bearer {token}"));
        e2e::system::send(&stack.orchestrator, &tick).await.status
    };
    for target in [route.to_owned(), format!("{route}?source=cron")] {
        for other in [
            format!("https://{staging}"),
            format!("https://{staging}{target}"),
            format!("http://{staging}{route}"),
        ] {
            assert_eq!(send(&other, &target).await, 401, "{other}");
        }
        assert_eq!(send(AUDIENCE, &target).await, 200, "{target}");
    }
}

#[tokio::test]
async fn behind_a_platform_every_caller_counts_as_authenticated() {
    let google = google().await;
    let stack = system(&google, &[("inbound_auth", "platform")]).await;
    assert_eq!(get(&stack.orchestrator, "/jobs").await.status, 200);
    assert_eq!(ask_as(&stack.orchestrator, JOBS_PAGE, &["Bearer anything"], "").await.status, 200);
    assert_eq!(google.journal().len(), 0);
    let line = stack.orchestrator.log().wait_for("instance started", PATIENCE).await.expect("a line");
    assert!(line.contains("\"inbound_auth\":\"Platform\""), "{line}");
}

#[tokio::test]
async fn the_first_log_line_names_the_modes() {
    let google = google().await;
    let settings: Vec<_> = GUARDED.into_iter().chain([("gcp_credentials", "metadata")]).collect();
    let stack = system(&google, &settings).await;
    get(&stack.orchestrator, "/health").await;
    let line = stack.orchestrator.log().wait_for("instance started", PATIENCE).await.expect("a line");
    assert!(
        line.contains("\"inbound_auth\":\"Oidc\"") && line.contains("\"credentials\":\"metadata\""),
        "{line}"
    );
}
