//! No log, response or document contains a secret.

use std::collections::BTreeSet;

use e2e::stored::{RAW_LOGS, RUNS, list, payload};
use e2e::system::at;
use e2e::trust::{GUARDED, OPERATOR, ask_as, called_as, google, token};
use reqwest::Method;
use sim::endpoint::Service;
use sim::google::{Google, Key};
use sim::providers::{Defect, Fault, words};
use sim::scheduler::{JOBS, Reply, Tick};
use sim::stack::Stack;
use sim::watchlist::Scope;

/// What a service might reveal about its upstream.
const UPSTREAM: &str = "401 for url: https://api.example.com/v1?symbol=A&token=upstream-secret-0123 (http://me:upstream-secret-0123@proxy)";

/// Everything that must not appear anywhere.
fn secrets(google: &Google, callers: Vec<String>) -> Vec<String> {
    let key = Key::account().pem().lines().filter(|line| !line.starts_with('-')).map(str::to_owned);
    let assertions = google.journal().into_iter().filter_map(|asked| asked.fields.get("assertion").cloned());
    let fixed = [OPERATOR, "upstream-secret-0123"].map(str::to_owned);
    // The services call their upstream with these keys and leak them where the deployed ones do.
    let keys = Service::ALL.map(|service| words::api_key(service).to_owned());
    google
        .given_out()
        .into_iter()
        .chain(callers)
        .chain(key)
        .chain(assertions)
        .chain(fixed)
        .chain(keys)
        .collect()
}

/// All documents as text, with the payloads of raw logs decompressed.
async fn documents(stack: &Stack) -> Vec<String> {
    let mut texts = Vec::new();
    for collection in stack.db.collections().await.expect("the collections") {
        for doc in list(&stack.db, &collection).await {
            texts.push(doc.raw.to_string());
            if collection == RAW_LOGS {
                let body = payload(&stack.db, RAW_LOGS, &doc, "response").await;
                texts.push(String::from_utf8_lossy(&body).into_owned());
            }
        }
    }
    texts
}

/// Runs every job once, as the scheduler does; returns the responses and the callers' tokens.
async fn run_all(google: &Google, stack: &Stack, minutes: i64) -> (Vec<Reply>, Vec<String>) {
    let (mut replies, mut tokens) = (Vec::new(), Vec::new());
    for job in JOBS {
        let token = token(google);
        let tick = Tick::new(&job, at(minutes)).header("authorization", format!("Bearer {token}"));
        replies.push(e2e::system::send(&stack.orchestrator, &tick).await);
        tokens.push(token);
    }
    (replies, tokens)
}

/// The responses of every route that an operator can read.
async fn look_at_all(stack: &Stack) -> Vec<Reply> {
    let operator = format!("Bearer {OPERATOR}");
    let mut paths: Vec<String> =
        ["/health", "/status", "/runs", "/metrics", "/breakers", "/jobs"].map(str::to_owned).into();
    for run in list(&stack.db, RUNS).await {
        paths.extend([format!("/runs/{}", run.id), format!("/runs/{}/calls", run.id)]);
    }
    let mut replies = Vec::new();
    for path in paths {
        replies.push(ask_as(&stack.orchestrator, (Method::GET, &path), &[&operator], "").await);
        replies.push(ask_as(&stack.orchestrator, (Method::GET, &path), &[&operator, &operator], "").await);
    }
    replies
}

#[tokio::test]
async fn no_secret_is_in_any_line_response_or_document() {
    let google = google().await;
    let key = google.key_file();
    let settings: Vec<_> = GUARDED
        .into_iter()
        .chain([
            ("provider_auth", "id_token"),
            ("gcp_credentials", "service_account_key"),
            ("gcp_service_account_key", key.as_str()),
            ("retry_max_attempts", "2"),
        ])
        .collect();
    let stack = called_as(&google, google.access_gate(), true, &settings).await;
    let all_fail = || Fault::ticker_errors(stack.watchlist.tickers(Scope::EntireWatchlist));
    let page = |service| words::html_page(service, "AAPL");
    let odd = [Defect::NestedArray, Defect::MissingDate, Defect::HugeField(1 << 20)];
    let faults: [&dyn Fn(Service) -> Vec<Fault>; 8] = [
        &|_| Vec::new(),
        // Too large for one document: the raw log is compressed and stored in parts.
        &|_| vec![Fault::echo(), Fault::huge_body(300 << 10)],
        &|_| vec![Fault::status(500).detail(UPSTREAM), Fault::echo()],
        &|_| vec![all_fail().detail(UPSTREAM)],
        &|_| vec![Fault::leak(), Fault::bad_records(odd)],
        &|service| vec![all_fail().detail(page(service)), Fault::leak()],
        &|service| vec![Fault::status(502).detail(page(service))],
        &|_| vec![Fault::status(403).detail(UPSTREAM)],
    ];
    let (mut replies, mut tokens) = (Vec::new(), Vec::new());
    for (minutes, faults) in (0..).step_by(5).zip(faults) {
        for provider in stack.providers.all() {
            provider.clear();
            for fault in faults(provider.service()) {
                provider.fault(fault);
            }
        }
        let (answers, shown) = run_all(&google, &stack, minutes).await;
        replies.extend(answers);
        tokens.extend(shown);
    }
    replies.extend(look_at_all(&stack).await);
    let statuses: BTreeSet<_> = replies.iter().map(|reply| reply.status).collect();
    assert!(statuses.is_superset(&BTreeSet::from([200, 401, 503])), "{statuses:?}");

    let documents = documents(&stack).await;
    assert!(
        documents.iter().any(|text| text.contains("Bearer [redacted]")),
        "the services did repeat tokens"
    );
    assert!(documents.iter().any(|text| text.contains("token=[redacted]")), "and leaked their own");
    let answers = replies.iter().map(|reply| format!("{:?} {}", reply.headers, reply.body));
    let texts: Vec<String> =
        stack.orchestrator.log().lines().into_iter().chain(documents).chain(answers).collect();
    for secret in secrets(&google, tokens) {
        let found = texts.iter().find(|text| text.contains(&secret));
        assert_eq!(found, None, "{secret}");
    }
}
