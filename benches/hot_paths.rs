//! What every record goes through, by itself: `cargo bench`.
//!
//! The input is one answer of the simulated Tiingo service, 50 tickers with 20 prices each, as a run of the default
//! settings gets it.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use divan::Bencher;
use divan::counter::ItemsCount;
use orchestrator::base::redact;
use orchestrator::catalogue::{Job, Scope, Ticker, find, find_dataset};
use orchestrator::engine::execute::queue::Queue;
use orchestrator::engine::plan;
use orchestrator::firestore::value::Fields;
use orchestrator::firestore::{Value, Write};
use orchestrator::intake::answer::take_in;
use orchestrator::intake::envelope::{Envelope, check_values};
use orchestrator::intake::record::{Asked, Context};
use orchestrator::settings::Config;
use sim::data::Spec;
use sim::endpoint::Endpoint;

const TICKERS: usize = 50;
const RECORDS: usize = 20;
const PLANNED: usize = 5_000;
/// 2024-03-15T16:00:00Z, when the prices were asked for.
const NOW: DateTime<Utc> = DateTime::from_timestamp_nanos(1_710_518_400_000_000_000);

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let settings = BTreeMap::from([
        ("google_cloud_project", "local"),
        ("firestore_emulator_host", "127.0.0.1:1"),
        ("inbound_auth", "none"),
    ]);
    Config::parse(|name| settings.get(name).map(|value| (*value).to_owned())).expect("the settings are valid")
});

/// The body of an answer.
static BODY: LazyLock<Bytes> = LazyLock::new(|| {
    let spec = Spec { records_per_ticker: RECORDS, ..Spec::default() };
    let tickers: Vec<_> = tickers(TICKERS).iter().map(ToString::to_string).collect();
    let data = sim::data::entries(&spec, Endpoint::TIINGO_PRICES, &tickers, sim::data::moment(None));
    Bytes::from(serde_json::json!({"status": "ok", "fetched": data.len(), "data": data}).to_string())
});

fn main() {
    divan::main();
}

fn job() -> &'static Job {
    find("tiingo-daily-prices").expect("the job is in the catalogue")
}

fn tickers(count: usize) -> Vec<Ticker> {
    (0..count).map(|number| Ticker::parse(&format!("T{number}")).expect("a ticker")).collect()
}

fn records(body: &Bytes) -> Vec<Write> {
    let context = Context {
        collections: &CONFIG.collections,
        source: "tiingo",
        run_id: "tiingo-daily-prices_2025-11-20T15:00:00Z",
        now: NOW,
        calendar: &CONFIG.ticks.calendar,
        tick: NOW,
        asked: Asked::default(),
    };
    let envelope = Envelope::parse(body).expect("an envelope");
    let dataset = find_dataset("daily_prices").expect("the dataset is in the catalogue");
    take_in(&envelope, dataset, &tickers(TICKERS), &context).expect("an answer").records
}

/// From a body to checked records.
#[divan::bench]
fn answer_to_records(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(TICKERS * RECORDS)).bench(|| records(&BODY));
}

/// The shape of a body alone, its entries unread.
#[divan::bench]
fn envelope(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(TICKERS * RECORDS)).bench(|| {
        check_values(&BODY).expect("few values");
        Envelope::parse(&BODY).expect("an envelope").data.map_or(0, |data| data.len())
    });
}

/// From records to what goes over the wire.
#[divan::bench]
fn records_to_wire(bencher: Bencher<'_, '_>) {
    let records = records(&BODY);
    let database = "projects/local/databases/(default)";
    bencher
        .counter(ItemsCount::new(records.len()))
        .bench(|| records.iter().map(|write| write.encode(database).json.len()).sum::<usize>());
}

/// From the wire to values, as ledger and watchlist are read.
#[divan::bench]
fn wire_to_values(bencher: Bencher<'_, '_>) {
    let wire: Vec<_> =
        records(&BODY).iter().map(|write| serde_json::to_vec(&write.fields).expect("JSON")).collect();
    bencher.counter(ItemsCount::new(wire.len())).bench(|| {
        let read = wire.iter().map(|json| serde_json::from_slice::<Fields>(json).expect("fields"));
        read.filter(|fields| fields.get("close").is_some_and(|close| *close != Value::NULL)).count()
    });
}

/// The raw log's search for credentials.
#[divan::bench]
fn credentials(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(TICKERS * RECORDS)).bench(|| redact::credentials(BODY.clone()));
}

/// From tickers to batches that wait for their call.
#[divan::bench]
fn tickers_to_batches(bencher: Bencher<'_, '_>) {
    let tickers = tickers(PLANNED);
    bencher.counter(ItemsCount::new(PLANNED)).bench(|| {
        let work = plan::work(job(), Scope::EntireWatchlist, &tickers);
        Queue::new(work, &["/fetch"], |_| TICKERS, 4).iter().count()
    });
}
