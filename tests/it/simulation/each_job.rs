//! Every job of the catalogue once, in a world without faults.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use orchestrator::catalogue::{Job, Provider, jobs};

use super::alarms::Alarms;
use super::operators::Orders;
use super::run::whole;
use super::scenario::{Scenario, Tick};
use crate::world::clock::EPOCH;

/// A weekday on which markets are open.
const RUN_TIME: &str = "2026-11-20T15:00:00Z";

fn calm_world(job: &'static Job) -> Scenario {
    let run_time: DateTime<Utc> = RUN_TIME.parse().expect("a time");
    let tick = Tick {
        job,
        at: Duration::ZERO,
        key: None,
        run_time,
        tickers: None,
        duplicates: Vec::new(),
        patience: Duration::from_secs(1_800),
        outlives_caller: false,
    };
    let mut settings = BTreeMap::from(
        [
            ("google_cloud_project", "world"),
            ("inbound_auth", "platform"),
            ("firestore_emulator_host", "firestore.test:8080"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    for name in Provider::all().map(Provider::name) {
        settings.insert(format!("{name}_service_url"), format!("http://{name}.test"));
    }
    Scenario {
        begins: EPOCH,
        settings,
        instances: 1,
        tickers: ["AAPL", "MSFT", "BRK/B"].map(str::to_owned).to_vec(),
        ticks: vec![tick],
        storms: Vec::new(),
        poison: BTreeMap::new(),
        thin: BTreeMap::new(),
        restated: BTreeMap::new(),
        published_at: Duration::ZERO,
        poison_stays: false,
        calm_at: Duration::from_secs(60),
        mortality: 0,
        skew_ms: 0,
        records_per_ticker: 2,
        articles_per_ticker: None,
        pacing: None,
        is_forgetful: false,
        alarms: Alarms::default(),
        orders: Orders::default(),
    }
}

/// The invariants compare what is stored with what the simulated services have sent, document by document.
#[test]
fn every_job_stores_its_records_in_the_collections_of_its_datasets() {
    for job in jobs() {
        let (outcome, stage) = whole(1, |_| calm_world(job));
        assert_eq!(outcome.violations, Vec::<String>::new(), "{}: {:#?}", job.name, outcome.story);
        let store = stage.store();
        for endpoint in job.endpoints {
            let folder = format!("{}/documents/{}/", stage.database, endpoint.dataset.collection.default);
            let stored = store.documents().keys().filter(|name| name.starts_with(&folder)).count();
            assert!(stored > 0, "{}: nothing is stored in {folder}", job.name);
        }
    }
}

#[test]
fn news_beyond_the_usual_number_is_requested_once_more_and_stored() {
    let job = jobs().find(|job| job.name == "polygon-news-universe").expect("known");
    for (articles, calls, flagged) in [(9, 1, false), (10, 2, false), (99, 2, false), (130, 2, true)] {
        let world = |_: &_| Scenario { articles_per_ticker: Some(articles), ..calm_world(job) };
        let (outcome, stage) = whole(1, world);
        assert_eq!(outcome.violations, Vec::<String>::new(), "{articles}: {:#?}", outcome.story);
        let store = stage.store();
        let of = |collection: &str| {
            let folder = format!("{}/documents/{collection}/", stage.database);
            let documents = store.documents().iter().filter(move |(name, _)| name.starts_with(&folder));
            documents.map(|(_, stored)| format!("{:?}", stored.fields)).collect::<Vec<_>>()
        };
        let (stored, logs) = (of("news_articles"), of("api_usage_logs"));
        // Every world does its work twice.
        assert_eq!((stored.len(), logs.len()), (3 * articles.min(100), 2 * calls), "{articles}");
        let marked = stored.iter().filter(|record| record.contains("cut_at_limit")).count();
        assert_eq!(marked, if flagged { stored.len() } else { 0 }, "{articles}");
    }
}
