//! The body of a request for a run.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};

use super::fields::{excerpt, flag, members, text};
use super::past::Past;
use crate::api::problem::{FieldError, Problem};
use crate::catalogue::ticker::TICKERS_MAX;
use crate::catalogue::{Scope, Ticker};

/// Maximum errors listed in one response.
const ERRORS_MAX: usize = 20;

/// A request to run a job; omitted fields follow from the route or the catalogue.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Default)]
#[cfg_attr(not(target_family = "wasm"), schema(as = TriggerRequest))]
pub struct Body {
    pub job: Option<String>,
    #[cfg_attr(not(target_family = "wasm"), schema(value_type = Option<String>))]
    pub scope: Option<Scope>,
    /// The time the providers are asked for: from 2010-01-01 on, and at most one day ahead.
    pub run_time: Option<DateTime<Utc>>,
    pub tickers: Option<Vec<Ticker>>,
    /// Whether records are written even if they say what is stored already.
    #[cfg_attr(not(target_family = "wasm"), schema(ignore))]
    pub force: bool,
    #[cfg_attr(not(target_family = "wasm"), schema(ignore))]
    pub past: Past,
}

impl Body {
    /// Reads a body of any content type; an empty one sets nothing.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        let members = members(body)?;
        let mut errors = Vec::new();
        let body = Self {
            job: text(&members, "job", &mut errors).map(ToOwned::to_owned),
            scope: text(&members, "scope", &mut errors).and_then(|text| scope(text, &mut errors)),
            run_time: text(&members, "run_time", &mut errors)
                .and_then(|text| time("run_time", text, &mut errors)),
            tickers: tickers(&members, &mut errors),
            force: flag(&members, "force", &mut errors),
            past: Past::parse(&members, &mut errors),
        };
        Problem::check(errors)?;
        Ok(body)
    }
}

fn scope(text: &str, errors: &mut Vec<FieldError>) -> Option<Scope> {
    let scope = Scope::parse(text);
    if scope.is_none() {
        let known = Scope::ALL.map(Scope::name).join(", ");
        errors.push(FieldError::new("scope", excerpt(text), format!("must be one of {known}")));
    }
    scope
}

/// A time without a zone, and perhaps without seconds, which counts as UTC: the services accept the same.
fn zoneless(text: &str) -> Option<DateTime<Utc>> {
    let with = |rest: &&str| DateTime::parse_from_rfc3339(&format!("{text}{rest}")).ok();
    ["Z", ":00Z"].iter().find_map(with).map(|time| time.to_utc())
}

pub(in crate::api) fn time(
    name: &'static str,
    text: &str,
    errors: &mut Vec<FieldError>,
) -> Option<DateTime<Utc>> {
    let text = text.trim();
    match DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()) {
        Ok(time) => Some(time),
        Err(error) => zoneless(text).or_else(|| {
            let message = format!("must be an RFC 3339 time such as 2026-01-31T18:00:00Z: {error}");
            errors.push(FieldError::new(name, excerpt(text), message));
            None
        }),
    }
}

/// The tickers, each once, in the order given.
fn tickers(members: &Map<String, Json>, errors: &mut Vec<FieldError>) -> Option<Vec<Ticker>> {
    let items = match members.get("tickers")? {
        Json::Null => return None,
        Json::Array(items) => items,
        other => {
            errors.push(FieldError::new("tickers", excerpt(&other.to_string()), "must be a list of strings"));
            return None;
        }
    };
    if items.len() > TICKERS_MAX {
        let message = format!("ticker list too long: {}, limit {TICKERS_MAX}", items.len());
        errors.push(FieldError::new("tickers", "", message));
        return None;
    }
    let mut seen = BTreeSet::new();
    let mut tickers = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let ticker = item.as_str().map(Ticker::parse);
        match ticker {
            Some(Ok(ticker)) if seen.insert(ticker.clone()) => tickers.push(ticker),
            Some(Ok(_)) => {}
            _ if errors.len() >= ERRORS_MAX => {}
            Some(Err(error)) => errors.push(FieldError::new(
                format!("tickers[{at}]"),
                excerpt(&item.to_string()),
                error.to_string(),
            )),
            None => errors.push(FieldError::new(
                format!("tickers[{at}]"),
                excerpt(&item.to_string()),
                "must be a string",
            )),
        }
    }
    Some(tickers)
}
