//! No redirect can send the component's requests and tokens to another address.

use e2e::system::{expect, start, tick};
use e2e::trust::{called_as, google};
use sim::firestore::proxy::Fault as FirestoreFault;
use sim::gate::Gate;
use sim::google::{Desk, Outage};
use sim::providers::Fault;
use sim::stack::Stack;
use sim::watchlist::Watchlist;

const PRICES: &str = "tiingo-daily-prices";
const TOKEN: &str = "access-token-0123456789";

/// The redirect's target is an allowed host, so only the refusal of redirects prevents the call.
fn assert_not_followed(stack: &Stack) {
    assert_eq!(stack.providers.finnhub().journal().requests().len(), 0, "the redirect was followed");
}

#[tokio::test]
async fn a_providers_redirect_is_a_failure() {
    let stack = start(Watchlist::new(5, 5).without_indices(), &[]).await;
    let other = format!("{}/fetch", stack.providers.finnhub().url());
    stack.providers.tiingo().fault(Fault::redirect(other));
    let reply = expect(&stack.orchestrator, &tick(PRICES), 503).await;
    let reason = reply.body.to_string();
    assert!(reason.contains("307: redirects are not followed"), "{reason}");
    assert_not_followed(&stack);
}

#[tokio::test]
async fn firestores_redirect_is_a_failure() {
    let google = google().await;
    let settings = [("gcp_credentials", "access_token"), ("gcp_access_token", TOKEN)];
    let stack = called_as(&google, Gate::token(TOKEN), false, &settings).await;
    let url = stack.providers.finnhub().url();
    let port = url.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
    stack.front.as_ref().expect("a front").fault(FirestoreFault::redirect(port));
    let reply = expect(&stack.orchestrator, &tick(PRICES), 503).await;
    let detail = reply.body["detail"].as_str().expect("a detail");
    assert!(detail.contains("redirects are not followed"), "{detail}");
    assert_not_followed(&stack);
}

#[tokio::test]
async fn googles_redirects_are_failures() {
    let google = google().await;
    let key = google.key_file();
    for (credentials, desk) in [("service_account_key", Desk::Token), ("metadata", Desk::Metadata)] {
        let settings = [("gcp_credentials", credentials), ("gcp_service_account_key", key.as_str())];
        let stack = called_as(&google, google.access_gate(), false, &settings).await;
        google.fail(desk, Outage::Redirect(format!("{}/fetch", stack.providers.finnhub().url())));
        let reply = expect(&stack.orchestrator, &tick(PRICES), 503).await;
        let detail = reply.body["detail"].as_str().expect("a detail");
        assert!(detail.contains("redirects are not followed"), "{detail}");
        assert_not_followed(&stack);
    }
}
