//! The provider services: their responses, with and without faults.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use orchestrator::base::ports::{InboundResponse, TransportError};
use serde_json::{Value as Json, json};
use sim::data::{Spec, entries, entries_of, entries_within, moment};
use sim::endpoint::{DayRange, Endpoint};

use super::scenario::{Poison, Scenario, Thin};
use super::stage::Stage;
use super::storm::{Fault, RetryAfter};

/// One request to a service.
#[derive(Clone, Debug)]
pub(super) struct Fetch {
    pub(super) endpoint: Endpoint,
    pub(super) job: String,
    pub(super) tickers: Vec<String>,
    pub(super) run_time: String,
    /// The days that are asked for.
    pub(super) days: Option<DayRange>,
    /// How many records of a ticker it wants at most.
    pub(super) limit: Option<usize>,
}

impl Fetch {
    pub(super) fn parse(endpoint: Endpoint, body: &[u8]) -> Self {
        let body: Json = serde_json::from_slice(body).expect("the component sends JSON");
        let text = |name: &str| body[name].as_str().expect("the contract's fields").to_owned();
        let tickers = body["tickers"].as_array().expect("a list of tickers").iter();
        let run_time = text("run_time");
        let days = endpoint.days(&body, moment(Some(&run_time))).expect("days");
        Self {
            endpoint,
            days,
            job: text("job_id"),
            tickers: tickers.map(|ticker| ticker.as_str().expect("a string").to_owned()).collect(),
            run_time,
            limit: body["limit"].as_u64().map(|limit| usize::try_from(limit).expect("small")),
        }
    }
}

/// The deployed services' message for an exceeded limit.
pub(super) const LIMITED: &str = "Per-minute rate limit (5) exceeded";

impl Fetch {
    /// A ticker of the call that breaks it in this way.
    pub(super) fn poisoned_by(&self, scenario: &Scenario, kind: Poison, now: Duration) -> Option<&String> {
        self.tickers.iter().find(|ticker| scenario.poison_of(ticker, now) == Some(kind))
    }
}

/// The data of the services.
pub(super) fn spec(scenario: &Scenario, endpoint: Endpoint) -> Spec {
    let busy = scenario.articles_per_ticker.filter(|_| endpoint == Endpoint::POLYGON_NEWS);
    let records_per_ticker = busy.unwrap_or(scenario.records_per_ticker);
    Spec { seed: 1, records_per_ticker, market_articles: 3 }
}

/// The response to a request that has arrived.
pub(super) fn answer(
    stage: &Stage,
    fetch: &Fetch,
    fault: Option<Fault>,
) -> Result<InboundResponse, TransportError> {
    let (scenario, now) = (&*stage.scenario, stage.civil());
    let poison = |kind| fetch.poisoned_by(scenario, kind, stage.now());
    if let Some(ticker) = poison(Poison::Named) {
        let place = fetch.tickers.iter().position(|asked| asked == ticker);
        let detail = json!([{"type": "value_error", "loc": ["body", "tickers", place], "msg": "bad symbol"}]);
        return Ok(response(422, json!({"detail": detail}).to_string()));
    }
    if poison(Poison::Garbage).is_some() {
        return Ok(response(200, "{\"status\": \"ok\", \"data\": [{\"tick"));
    }
    if let Some(ticker) = poison(Poison::Rejected) {
        return Ok(refusal(422, &format!("bad symbol {ticker}"), RetryAfter::Nothing, now));
    }
    if let Some(ticker) = poison(Poison::Crash) {
        return Ok(refusal(500, &format!("crashed at {ticker}"), RetryAfter::Nothing, now));
    }
    if fetch.endpoint.has_articles() && !stage.admits(fetch.endpoint.service()) {
        // As in the deployed service: a call without tickers has no entry to put the error in.
        return Ok(refusal(502, &format!("Polygon API error: {LIMITED}"), RetryAfter::Nothing, now));
    }
    match fault {
        Some(Fault::Status(code, asked)) => Ok(refusal(code, "simulated refusal", asked, now)),
        Some(Fault::Garbage) => Ok(response(200, "<html>{\"status\": \"ok\"")),
        Some(Fault::WrongShape) => Ok(response(200, "{\"results\": {\"T1\": [1, 2]}}")),
        Some(Fault::Truncated) => {
            let whole = response(200, envelope(stage, fetch, None).to_string());
            let body = whole.body.slice(..whole.body.len() / 2);
            let partial = Box::new(InboundResponse { body, ..whole });
            Err(TransportError::BodyBroken { partial, reason: "simulated end".to_owned() })
        }
        fault => Ok(response(200, envelope(stage, fetch, fault).to_string())),
    }
}

fn response(status: u16, body: impl Into<Bytes>) -> InboundResponse {
    let status = StatusCode::from_u16(status).expect("a valid status");
    InboundResponse { status, headers: HeaderMap::new(), body: body.into() }
}

fn refusal(status: u16, detail: &str, asked: RetryAfter, now: DateTime<Utc>) -> InboundResponse {
    let mut response = response(status, json!({"detail": detail}).to_string());
    let value = match asked {
        RetryAfter::Nothing => return response,
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::Date(seconds) => {
            let at = now + TimeDelta::seconds(i64::try_from(seconds).expect("small"));
            at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
        }
    };
    let value = HeaderValue::from_str(&value).expect("a valid header");
    response.headers.insert(header::RETRY_AFTER, value);
    response
}

fn envelope(stage: &Stage, fetch: &Fetch, fault: Option<Fault>) -> Json {
    let (scenario, now, dice) = (&*stage.scenario, stage.now(), &stage.dice);
    let at = moment(Some(&fetch.run_time));
    let spec = spec(scenario, fetch.endpoint);
    let mut entries = match fetch.days {
        Some(days) => entries_of(&spec, fetch.endpoint, &fetch.tickers, days, fetch.limit, at),
        None => entries_within(&spec, fetch.endpoint, &fetch.tickers, fetch.limit, at),
    };
    let now_text = stage.civil().format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    let mut errors = Vec::new();
    entries.retain_mut(|entry| {
        let ticker = entry["ticker"].as_str().unwrap_or_default().to_owned();
        // A missing market article is not detectable, only a broken one is.
        let is_article = fetch.endpoint.has_articles();
        let hit = dice.chance(40) && (!is_article || fault == Some(Fault::BadRecords));
        let poison = scenario.poison_of(&ticker, now);
        let poisoned = matches!(poison, Some(Poison::Error | Poison::Barren));
        let has_indicators = fetch.endpoint.has_indicators();
        if !is_article && !stage.admits(fetch.endpoint.service()) {
            if has_indicators && scenario.pacing.is_some_and(|pacing| pacing.is_mute) {
                bare(entry);
            } else {
                *entry = json!({"ticker": entry["ticker"], "error": format!("Failed to fetch: {LIMITED}"), "data": null});
            }
            return true;
        }
        match scenario.lack(fetch.endpoint, &ticker, now) {
            Some(Thin::PartlyStale) if has_indicators => age_one(entry, scenario, fetch, &ticker, at),
            Some(thin) => *entry = lacking(scenario, fetch, &ticker, thin, at),
            None => {}
        }
        if scenario.is_restated(&ticker, now) {
            restate(fetch.endpoint, entry);
        }
        match fault {
            Some(Fault::MissingEntries) if hit => return false,
            Some(Fault::BadRecords) if hit => spoil(fetch.endpoint, entry),
            Some(Fault::TickerErrors) if hit => fail(entry, &mut errors),
            _ if has_indicators && poison == Some(Poison::Barren) => bare(entry),
            _ if poisoned => fail(entry, &mut errors),
            _ => {}
        }
        ingested_now(entry, &now_text);
        true
    });
    let errors = if errors.is_empty() { Json::Null } else { json!(errors) };
    json!({"status": "ok", "fetched": entries.len(), "data": entries, "errors": errors, "duration_ms": 5})
}

/// Services stamp their records when they answer.
fn ingested_now(json: &mut Json, now: &str) {
    match json {
        Json::Object(members) => {
            for (name, value) in members {
                match value {
                    Json::String(time) if name == "ingested_at" => now.clone_into(time),
                    value => ingested_now(value, now),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| ingested_now(item, now)),
        _ => {}
    }
}

/// How old the data of a stale ticker is: there are sessions in any week.
pub(super) const STALE: TimeDelta = TimeDelta::days(7);

/// The entry of a ticker without current data.
fn lacking(scenario: &Scenario, fetch: &Fetch, ticker: &String, thin: Thin, at: DateTime<Utc>) -> Json {
    let old =
        entries(&spec(scenario, fetch.endpoint), fetch.endpoint, std::slice::from_ref(ticker), at - STALE)
            .remove(0);
    match (thin, &old["data"]) {
        (Thin::Stale | Thin::PartlyStale, _) => old,
        (Thin::Empty, Json::Array(_)) => json!({"ticker": ticker, "data": []}),
        (Thin::Empty, _) if fetch.endpoint.has_indicators() => json!({"ticker": ticker, "data": {}}),
        (Thin::Empty, _) => json!({"ticker": ticker, "data": null}),
    }
}

/// Changes what an entry's records say.
fn restate(endpoint: Endpoint, entry: &mut Json) {
    let mark = |record: &mut Json| {
        if let Some(record) = record.as_object_mut() {
            record.insert("restated".to_owned(), json!(1.5));
        }
    };
    match &mut entry["data"] {
        _ if endpoint.has_articles() => mark(entry),
        Json::Object(indicators) if endpoint.has_indicators() => indicators.values_mut().for_each(mark),
        Json::Array(records) => records.iter_mut().for_each(mark),
        data => mark(data),
    }
}

/// Makes one indicator old and removes another, if it has any of them: a request may name others.
fn age_one(entry: &mut Json, scenario: &Scenario, fetch: &Fetch, ticker: &String, at: DateTime<Utc>) {
    let old = lacking(scenario, fetch, ticker, Thin::Stale, at);
    let indicators = entry["data"].as_object_mut().expect("indicators");
    if let Some(indicator) = indicators.get_mut("RSI") {
        *indicator = old["data"]["RSI"].clone();
    }
    indicators.remove("ADX");
}

fn fail(entry: &mut Json, errors: &mut Vec<String>) {
    errors.push(format!("Failed: {}", entry["ticker"].as_str().unwrap_or_default()));
    *entry = json!({"ticker": entry["ticker"], "error": "no data for this symbol", "data": null});
}

/// Removes the data of all indicators.
fn bare(entry: &mut Json) {
    for (name, indicator) in entry["data"].as_object_mut().expect("indicators") {
        *indicator = json!({"error": format!("No time series data found for {name}")});
    }
}

/// Adds a record that breaks its schema, or breaks the only one.
fn spoil(endpoint: Endpoint, entry: &mut Json) {
    match &mut entry["data"] {
        _ if endpoint.has_articles() => entry["article_id"] = json!(7),
        Json::Object(indicators) if endpoint.has_indicators() => {
            indicators.insert("BROKEN".to_owned(), json!({"data": {"date": "never"}}));
        }
        Json::Array(records) => records.push(json!({"broken": [[1]]})),
        data => *data = json!({"broken": true}),
    }
}
