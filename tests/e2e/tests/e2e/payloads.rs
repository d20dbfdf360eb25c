//! Responses and records that exceed the size limit of a document.

use e2e::stored::{RAW_LOGS, REJECTED, assert_exactly, assert_raw_logs, list, payload};
use e2e::system::{at, expect, job, start, tick};
use serde_json::{Value, json};
use sim::providers::Fault;
use sim::watchlist::Watchlist;

const QUOTES: &str = "finnhub-quote-portfolio";
const MIB: usize = 1 << 20;

#[tokio::test]
async fn a_huge_response_is_kept_in_parts_byte_for_byte() {
    for mebibytes in [1, 5, 20] {
        let stack = start(Watchlist::new(5, 5), &[]).await;
        let finnhub = stack.providers.finnhub();
        finnhub.journal().keep_bodies(true);
        finnhub.fault(Fault::huge_body(mebibytes * MIB));
        expect(&stack.orchestrator, &tick(QUOTES), 200).await;
        assert_exactly(&stack, job(QUOTES), at(0), &format!("{QUOTES}_2025-11-20T15:00:00Z")).await;
        let log = list(&stack.db, RAW_LOGS).await.remove(0);
        let response = &log.fields["response"];
        assert!(response["data_bytes"].as_u64().is_some_and(|bytes| bytes >= (mebibytes * MIB) as u64));
        if mebibytes > 1 {
            assert!(response["parts"].as_u64().is_some_and(|parts| parts > 1), "{response:#}");
        }
        assert_raw_logs(&stack).await;
    }
}

#[tokio::test]
async fn records_too_big_for_a_document_are_kept_whole() {
    let stack = start(Watchlist::new(0, 0), &[]).await;
    stack.providers.tiingo().fault(Fault::huge_records(4 * MIB));
    let request = tick("tiingo-daily-prices").tickers(["AAPL", "MSFT"]);
    let reply = expect(&stack.orchestrator, &request, 200).await;
    let data = &reply.body["data"];
    assert_eq!(
        (&data["records_stored"], &data["records_rejected"]),
        (&json!(10), &json!(2)),
        "{:#}",
        reply.body
    );
    let rejected = list(&stack.db, REJECTED).await;
    assert_eq!(rejected.len(), 2);
    for doc in rejected {
        let record = payload(&stack.db, REJECTED, &doc, "record").await;
        let record: Value = serde_json::from_slice(&record).expect("JSON");
        assert_eq!(record["padding"].as_str().map(str::len), Some(2 * MIB));
        assert_eq!(record["ticker"], doc.fields["ticker"]);
    }
}
