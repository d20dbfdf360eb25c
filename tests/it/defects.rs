//! Faults of the data itself: each seeded one is found in the run that takes it in, and clean data raises no alarm.
//!
//! The responses are those of the simulated services, at ticks of the jobs' own schedules.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use orchestrator::calendar::Calendar;
use orchestrator::catalogue::{Job, Scope, Ticker, Ticks, find, jobs};
use orchestrator::config::Collections;
use orchestrator::intake::answer::{Intake, take_in};
use orchestrator::intake::envelope::Envelope;
use orchestrator::intake::quality::QUALITY_FIELD;
use orchestrator::intake::record::{Asked, Context};
use orchestrator::run::Outcome;
use orchestrator::settings::Config;
use serde_json::{Value as Json, json};
use sim::data::{Spec, entries};
use sim::endpoint::{Endpoint, Service};

use crate::hostile::deaf;

/// The ticker that a defect is seeded into, and one beside it.
const BAD: &str = "T001";
const GOOD: &str = "T002";
/// Ticks of clean data.
const CLEAN_RUNS: usize = 10_000;

/// How a defect shows.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// As the ticker's outcome.
    Ticker(Outcome),
    /// As a rejected record, while the ticker has the outcome.
    Rejected(Outcome),
    /// As a mark on a record that is stored.
    Flagged(&'static str),
}

use Found::{Flagged, Rejected};

/// A defect: its name, the job and endpoint it is in, what it does to the entry, and how it is found.
type Seeded = (&'static str, &'static str, fn(&mut Json), Found);

const PRICES: &str = "tiingo-daily-prices";
const QUOTES: &str = "finnhub-quote-portfolio";
const INDICATORS: &str = "alpha-vantage-technical-indicators";
const FUNDAMENTALS: &str = "finnhub-fundamentals-earnings";
const NEWS: &str = "finnhub-company-news-universe";
const POLYGON: &str = "polygon-news-universe";

/// The ticker's records.
fn data(entry: &mut Json) -> &mut Vec<Json> {
    entry["data"].as_array_mut().expect("a list")
}

/// Its newest record.
fn newest(entry: &mut Json) -> &mut Json {
    data(entry).last_mut().expect("a record")
}

/// Multiplies all prices of the newest record, for which nothing accounts.
fn times(entry: &mut Json, factor: f64) {
    set(entry, "split_factor", json!(1.0));
    set(entry, "div_cash", json!(0.0));
    for field in ["open", "high", "low", "close"] {
        let price = newest(entry)[field].as_f64().expect("a number");
        newest(entry)[field] = json!(price * factor);
    }
}

fn set(entry: &mut Json, field: &str, value: Json) {
    newest(entry)[field] = value;
}

/// Moves the last records of a ticker into the past.
fn cut_newest(entry: &mut Json, count: usize) {
    let kept = data(entry).len() - count;
    data(entry).truncate(kept);
}

const SEEDED: &[Seeded] = &[
    ("prices: no records", PRICES, |e| e["data"] = json!([]), Found::Ticker(Outcome::Empty)),
    ("prices: null", PRICES, |e| e["data"] = Json::Null, Found::Ticker(Outcome::Empty)),
    ("prices: the last session is missing", PRICES, |e| cut_newest(e, 1), Found::Ticker(Outcome::Stale)),
    (
        "prices: the last three sessions are missing",
        PRICES,
        |e| cut_newest(e, 3),
        Found::Ticker(Outcome::Stale),
    ),
    ("prices: open 0", PRICES, |e| set(e, "open", json!(0)), Rejected(Outcome::Stale)),
    ("prices: high 0", PRICES, |e| set(e, "high", json!(0)), Rejected(Outcome::Stale)),
    ("prices: low 0", PRICES, |e| set(e, "low", json!(0.0)), Rejected(Outcome::Stale)),
    ("prices: close 0", PRICES, |e| set(e, "close", json!(0)), Rejected(Outcome::Stale)),
    ("prices: close negative", PRICES, |e| set(e, "close", json!(-12.5)), Rejected(Outcome::Stale)),
    ("prices: all zero", PRICES, |e| times(e, 0.0), Rejected(Outcome::Stale)),
    (
        "prices: high and low inverted",
        PRICES,
        |e| {
            let (low, high) = (newest(e)["low"].clone(), newest(e)["high"].clone());
            set(e, "low", high);
            set(e, "high", low);
        },
        Rejected(Outcome::Stale),
    ),
    ("prices: volume negative", PRICES, |e| set(e, "volume", json!(-1)), Rejected(Outcome::Stale)),
    ("prices: a Saturday", PRICES, |e| set(e, "date", json!("2026-03-07")), Rejected(Outcome::Stale)),
    ("prices: a holiday", PRICES, |e| set(e, "date", json!("2025-12-25")), Rejected(Outcome::Stale)),
    ("prices: a future session", PRICES, |e| set(e, "date", json!("2030-01-07")), Rejected(Outcome::Stale)),
    ("prices: no such day", PRICES, |e| set(e, "date", json!("2026-02-30")), Rejected(Outcome::Stale)),
    ("prices: close missing", PRICES, |e| set(e, "close", Json::Null), Rejected(Outcome::Stale)),
    ("prices: close is a string", PRICES, |e| set(e, "close", json!("NaN")), Rejected(Outcome::Stale)),
    (
        "prices: another ticker's record",
        PRICES,
        |e| set(e, "ticker", json!("T999")),
        Rejected(Outcome::Stale),
    ),
    ("prices: split 2 without factor", PRICES, |e| times(e, 0.5), Flagged("split_without_factor")),
    ("prices: split 3 without factor", PRICES, |e| times(e, 1.0 / 3.0), Flagged("split_without_factor")),
    ("prices: split 4 without factor", PRICES, |e| times(e, 0.25), Flagged("split_without_factor")),
    ("prices: split 10 without factor", PRICES, |e| times(e, 0.1), Flagged("split_without_factor")),
    ("prices: split 20 without factor", PRICES, |e| times(e, 0.05), Flagged("split_without_factor")),
    ("prices: reverse split 5 without factor", PRICES, |e| times(e, 5.0), Flagged("split_without_factor")),
    ("prices: reverse split 10 without factor", PRICES, |e| times(e, 10.0), Flagged("split_without_factor")),
    ("prices: up by two thirds", PRICES, |e| times(e, 1.66), Flagged("price_jump")),
    ("prices: down by a third and more", PRICES, |e| times(e, 0.6), Flagged("price_jump")),
    ("prices: in cents", PRICES, |e| times(e, 100.0), Flagged("price_jump")),
    (
        "prices: a session doubled under the next day",
        PRICES,
        |e| {
            let at = data(e).len() - 2;
            let (before, day) = (data(e)[at].clone(), newest(e)["date"].clone());
            *newest(e) = before;
            set(e, "date", day);
        },
        Flagged("repeated_day"),
    ),
    (
        "prices: open above the high",
        PRICES,
        |e| {
            let high = newest(e)["high"].as_f64().expect("a number");
            set(e, "open", json!(high + 1.0));
        },
        Flagged("open_outside_range"),
    ),
    (
        "prices: close below the low",
        PRICES,
        |e| {
            let low = newest(e)["low"].as_f64().expect("a number");
            set(e, "close", json!(low - 1.0));
        },
        Flagged("close_outside_range"),
    ),
    ("quotes: null", QUOTES, |e| e["data"] = Json::Null, Found::Ticker(Outcome::Empty)),
    ("quotes: price 0", QUOTES, |e| e["data"]["current_price"] = json!(0), Rejected(Outcome::Failed)),
    (
        "quotes: price negative",
        QUOTES,
        |e| e["data"]["current_price"] = json!(-3.5),
        Rejected(Outcome::Failed),
    ),
    (
        "quotes: four days old",
        QUOTES,
        |e| {
            let time = e["data"]["timestamp"].as_i64().expect("a time");
            e["data"]["timestamp"] = json!(time - 4 * 86_400);
        },
        Found::Ticker(Outcome::Stale),
    ),
    (
        "quotes: two days ahead",
        QUOTES,
        |e| {
            let time = e["data"]["timestamp"].as_i64().expect("a time");
            e["data"]["timestamp"] = json!(time + 2 * 86_400);
        },
        Rejected(Outcome::Failed),
    ),
    ("quotes: of 1999", QUOTES, |e| e["data"]["timestamp"] = json!(920_000_000), Rejected(Outcome::Failed)),
    ("indicators: none", INDICATORS, |e| e["data"] = json!({}), Found::Ticker(Outcome::Empty)),
    (
        "indicators: of last year",
        INDICATORS,
        |e| {
            for indicator in e["data"].as_object_mut().expect("indicators").values_mut() {
                indicator["data"]["date"] = json!("2024-06-03");
            }
        },
        Found::Ticker(Outcome::Stale),
    ),
    (
        "indicators: one of a future day",
        INDICATORS,
        |e| {
            e["data"]["SMA"]["data"]["date"] = json!("2030-01-07");
        },
        Rejected(Outcome::Stored),
    ),
    ("fundamentals: null", FUNDAMENTALS, |e| e["data"] = Json::Null, Found::Ticker(Outcome::Empty)),
    (
        "news: an article of a future month",
        NEWS,
        |e| {
            set(e, "datetime", json!(1_999_999_999));
        },
        Rejected(Outcome::Stored),
    ),
    (
        "news: cut at the limit",
        POLYGON,
        |e| {
            let article = newest(e).clone();
            while data(e).len() < 100 {
                let number = data(e).len();
                data(e).push(article.clone());
                set(e, "article_id", json!(format!("polygon_more_{number}")));
                set(e, "url", json!(format!("https://news.example.com/more/{number}")));
            }
        },
        Flagged("cut_at_limit"),
    ),
];

struct Reader {
    collections: Collections,
    calendar: Calendar,
}

impl Reader {
    fn new() -> Self {
        let config = Config::parse(deaf::setting).expect("the settings are valid");
        Self { collections: config.collections, calendar: Calendar::default() }
    }

    /// Takes in a response at a tick.
    fn read(&self, job: &'static Job, endpoint: usize, tick: DateTime<Utc>, data: &[Json]) -> Intake {
        let body = json!({"status": "ok", "fetched": data.len(), "data": data}).to_string();
        let context = Context {
            collections: &self.collections,
            source: job.provider.name(),
            run_id: "r",
            now: tick + TimeDelta::seconds(30),
            calendar: &self.calendar,
            tick,
            asked: Asked { is_enlarged: true, ..Asked::default() },
        };
        let ticker = |ticker: &str| Ticker::parse(ticker).expect("a ticker");
        let asked = if job.scope == Scope::None { vec![] } else { vec![ticker(BAD), ticker(GOOD)] };
        let envelope = Envelope::parse(body.as_bytes()).expect("an envelope");
        take_in(&envelope, job.endpoints[endpoint].dataset, &asked, &context).expect("not too large")
    }
}

/// The clean entries of a job's endpoint at a tick.
fn clean(job: &Job, endpoint: usize, tick: DateTime<Utc>) -> Vec<Json> {
    let service = Service::ALL.into_iter().find(|service| service.name() == job.provider.name());
    let endpoint = service.and_then(|service| Endpoint::find(service, job.endpoints[endpoint].path));
    let tickers = [BAD, GOOD].map(str::to_owned);
    entries(&Spec::default(), endpoint.expect("known"), &tickers, tick)
}

/// The outcome of the ticker that the defect is in.
fn outcome(intake: &Intake) -> Outcome {
    let is_bad = |ticker: &Ticker| ticker.as_str() == BAD;
    match intake.lacking.iter().find(|lacking| is_bad(&lacking.ticker)) {
        Some(lacking) => lacking.outcome,
        None if intake.failed.iter().any(|(ticker, _)| is_bad(ticker)) => Outcome::Failed,
        None => Outcome::Stored,
    }
}

/// The codes of all marked records.
fn codes(intake: &Intake) -> String {
    let marks: Vec<_> = intake.records.iter().filter_map(|record| record.fields.get(QUALITY_FIELD)).collect();
    if marks.is_empty() { String::new() } else { format!("{marks:?}") }
}

fn check(reader: &Reader, (name, job, spoil, found): &Seeded, tick: DateTime<Utc>) {
    let job = find(job).expect("a job");
    let mut entries = clean(job, 0, tick);
    spoil(&mut entries[0]);
    let intake = reader.read(job, 0, tick, &entries);
    let (seen, codes) = (outcome(&intake), codes(&intake));
    let place = format!("{name} at {tick}: {seen:?}, rejected {:?}, {codes}", intake.rejected);
    match found {
        Found::Ticker(expected) => assert_eq!((seen, intake.rejected.len()), (*expected, 0), "{place}"),
        Rejected(expected) => assert_eq!((seen, intake.rejected.len()), (*expected, 1), "{place}"),
        Flagged(code) => {
            assert_eq!((seen, intake.rejected.len()), (Outcome::Stored, 0), "{place}");
            assert!(codes.contains(code), "{place}");
        }
    }
    // The ticker beside it is not touched.
    assert!(intake.succeeded.iter().any(|ticker| ticker.as_str() == GOOD), "{place}");
}

/// Ticks of a job that are not skipped, from the first of January 2025 on.
fn ticks(job: &'static Job) -> impl Iterator<Item = DateTime<Utc>> {
    let run = Ticks { calendar: Calendar::default(), skip: true };
    let start = "2025-01-01T05:00:00Z".parse().expect("a time");
    std::iter::successors(run.next(job, start), move |tick| run.next(job, *tick))
}

#[test]
fn every_seeded_defect_is_found_in_the_run_that_takes_it_in() {
    assert!(SEEDED.len() >= 40);
    let reader = Reader::new();
    for seeded in SEEDED {
        // At 20 places of two years: before and after holidays, in summer and in winter.
        for tick in ticks(find(seeded.1).expect("a job")).skip(240).step_by(11).take(20) {
            check(&reader, seeded, tick);
        }
    }
}

#[test]
fn clean_data_raises_no_alarm_over_two_years() {
    let reader = Reader::new();
    let each = CLEAN_RUNS.div_ceil(jobs().count());
    let end: DateTime<Utc> = "2027-01-01T05:00:00Z".parse().expect("a time");
    let mut runs = 0;
    let mut seen = BTreeMap::<&str, usize>::new();
    for job in jobs() {
        let all: Vec<_> = ticks(job).take_while(|tick| *tick < end).collect();
        // Jobs with few ticks run several times, at other seconds of the minute.
        for number in 0..each {
            let tick = all[number * all.len() / each]
                + TimeDelta::seconds(i64::try_from(number % 60).expect("small"));
            for endpoint in 0..job.endpoints.len() {
                let intake = reader.read(job, endpoint, tick, &clean(job, endpoint, tick));
                let flagged = codes(&intake);
                let alarms = (&intake.failed, &intake.lacking, intake.rejected.len(), flagged.as_str());
                assert_eq!(alarms, (&vec![], &vec![], 0, ""), "{} at {tick}", job.name);
                *seen.entry(job.name).or_default() += intake.records.len();
            }
            runs += 1;
        }
    }
    assert!(runs >= CLEAN_RUNS);
    assert!(seen.len() == jobs().count() && seen.values().all(|records| *records > 0), "{seen:?}");
}
