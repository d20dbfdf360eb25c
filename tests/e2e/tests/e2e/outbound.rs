//! The component can call only the hosts that the manifest allows.

use std::fs;
use std::path::PathBuf;

use e2e::runtime::{builder_for, component, manifest};
use e2e::system::{PATIENCE, expect, start_with, tick};
use sim::stack::Parts;
use sim::watchlist::Watchlist;

/// The project's manifest without one of the hosts, in a folder that is deleted after the test.
struct Manifest(PathBuf);

impl Manifest {
    fn without(host: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("e2e-manifest-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let text = fs::read_to_string(manifest()).expect("the manifest");
        let source = "target/wasm32-wasip2/release/orchestrator.wasm";
        assert!(text.contains(host) && text.contains(source), "the manifest has changed: {text}");
        let text = text.replace(host, "").replace(source, &component().display().to_string());
        fs::write(folder.join("spin.toml"), text).expect("written");
        Self(folder)
    }
}

impl Drop for Manifest {
    fn drop(&mut self) {
        // Left behind, it is one small file in the temporary folder.
        let _left = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_call_to_a_host_that_is_not_allowed_is_refused() {
    let manifest = Manifest::without("    \"{{ tiingo_service_url }}\",\n");
    let parts = Parts { watchlist: Some(Watchlist::new(5, 5)), ..Parts::default() };
    let stack = start_with(parts, builder_for(&manifest.0.join("spin.toml"))).await;

    let reply = expect(&stack.orchestrator, &tick("tiingo-daily-prices"), 503).await;
    assert_eq!(reply.body["status"], "error");
    assert_eq!(reply.body["data"]["tickers_pending"], 13, "nothing is lost: {:#}", reply.body);
    assert_eq!(stack.providers.tiingo().journal().requests().len(), 0);
    let address = stack.providers.tiingo().url();
    let line = stack.orchestrator.log().wait_for("allowed_outbound_hosts", PATIENCE).await.expect("a line");
    assert!(line.contains(&address), "{line} must name {address}");

    expect(&stack.orchestrator, &tick("finnhub-quote-portfolio"), 200).await;
}
