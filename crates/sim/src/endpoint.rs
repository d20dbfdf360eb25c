//! A simulated service and its endpoints as data: `services/` has one file for each.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;

use crate::spec::Spec;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A provider service.
pub(crate) struct ServiceSpec {
    /// The name as it appears in paths, variables and records' `source`.
    pub(crate) name: &'static str,
    /// The name as it appears in error messages.
    pub(crate) title: &'static str,
    pub(crate) default_port: u16,
    /// The key with which it calls its upstream.
    pub(crate) api_key: &'static str,
    /// The limits in `services/*/…_client.py`, `_check_rate_limit`, in the order in which they are checked: the window,
    /// the requests allowed in it, the limit's name.
    pub(crate) limits: &'static [(Duration, usize, &'static str)],
    /// Whether `GET /health` takes as long as any other request upstream.
    pub(crate) is_slow_to_tell_health: bool,
    /// The error message when upstream has answered 500.
    pub(crate) server_error: &'static str,
    /// The upstream address for a ticker, including the API key.
    pub(crate) address: fn(ticker: &str, api_key: &str) -> String,
    pub(crate) endpoints: &'static [Endpoint],
}

/// A path of a service that returns records.
pub(crate) struct EndpointSpec {
    pub(crate) service: Service,
    pub(crate) path: &'static str,
    /// The Firestore collection that its records belong in.
    pub(crate) collection: &'static str,
    pub(crate) form: Form,
    /// How many records of a ticker an answer has at most; the newest.
    pub(crate) limit: Option<Limit>,
    /// Its records for a ticker; those of articles are the same for every ticker.
    pub(crate) records: fn(&Spec, &str, DateTime<Utc>) -> Vec<Value>,
    /// How it is asked for past days; none if it cannot be.
    pub(crate) past: Option<Past>,
    /// The id of a record's document; none if the record lacks a part of it.
    pub(crate) document_id: fn(&Value) -> Option<String>,
    /// How the service asks its upstream for the tickers of a call.
    pub(crate) rhythm: Rhythm,
    /// Wraps the message of an error that does not come from upstream, given the ticker and the message.
    pub(crate) wrapped: fn(&str, &str) -> String,
    /// Upstream's message for a symbol that does not exist, if the service passes it on.
    pub(crate) unknown_symbol: Option<&'static str>,
    /// The `data` of a ticker that failed.
    pub(crate) nothing: fn() -> Value,
}

/// The first and the last of some days.
pub type DayRange = (NaiveDate, NaiveDate);

/// How an endpoint is asked for past days.
#[derive(Clone, Copy)]
pub(crate) struct Past {
    /// The field of a request with the first day.
    pub(crate) from: &'static str,
    /// The field with the last day; none if it takes a single day.
    pub(crate) to: Option<&'static str>,
    /// The records of a ticker for these days.
    pub(crate) records: fn(&Spec, &str, DayRange, DateTime<Utc>) -> Vec<Value>,
}

/// How many records of a ticker an answer has at most.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    /// Without the request's parameter `limit`.
    pub(crate) usual: usize,
    /// The highest number that upstream takes.
    pub(crate) most: usize,
    /// What the orchestrator must ask for where the usual number is not enough.
    pub(crate) wanted: usize,
}

/// How an entry of an answer holds its records.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// `data` is a list of them.
    List,
    /// `data` is the one record.
    One,
    /// `data` has one record for each of these names; the function makes the record of a name.
    Indicators(&'static [&'static str], fn(&Spec, &str, &str, DateTime<Utc>) -> Value),
    /// The entries are the records themselves; there are no tickers.
    Articles,
}

/// How a service asks its upstream for the tickers of a call.
#[derive(Clone, Copy)]
pub(crate) enum Rhythm {
    /// Five at once, then a pause except after the last.
    FiveAtOnce(Duration),
    /// A pause after each, including the last and refused ones.
    OneByOne(Duration),
    /// One request for all tickers.
    Together,
    /// One request; if it is refused, so is the call.
    Whole,
    /// One request for each indicator of each ticker, and a long pause after each.
    Indicators,
}

/// The unescaped id of a record's document: its ticker and these string fields.
pub(crate) fn id_of(record: &Value, fields: &[&str]) -> Option<String> {
    let texts: Option<Vec<&str>> =
        ["ticker"].iter().chain(fields).map(|field| record.get(field).and_then(Value::as_str)).collect();
    Some(texts?.join("_"))
}

/// One of the provider services.
#[derive(Clone, Copy)]
pub struct Service(pub(crate) &'static ServiceSpec);

impl Service {
    pub(crate) const fn spec(self) -> &'static ServiceSpec {
        self.0
    }

    /// The name as it appears in paths, variables and records' `source`.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// The port that a default deployment gives to this service.
    pub const fn default_port(self) -> u16 {
        self.0.default_port
    }
}

impl PartialEq for Service {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Service {}

impl PartialOrd for Service {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Service {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}

impl Hash for Service {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.title)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One path of one provider service that returns records.
#[derive(Clone, Copy)]
pub struct Endpoint(pub(crate) &'static EndpointSpec);

impl Endpoint {
    pub(crate) const fn spec(self) -> &'static EndpointSpec {
        self.0
    }

    /// The endpoint of `service` at `path`.
    pub fn find(service: Service, path: &str) -> Option<Self> {
        service.0.endpoints.iter().copied().find(|endpoint| endpoint.path() == path)
    }

    /// The service that offers this endpoint.
    pub const fn service(self) -> Service {
        self.0.service
    }

    /// The path of this endpoint on its service.
    pub const fn path(self) -> &'static str {
        self.0.path
    }

    /// The Firestore collection that this endpoint's records belong in.
    pub const fn collection(self) -> &'static str {
        self.0.collection
    }

    /// The id of the document that holds `record`, or `None` if the record lacks a part of it.
    ///
    /// The id is not escaped: the orchestrator escapes characters that Firestore forbids.
    pub fn document_id(self, record: &Value) -> Option<String> {
        (self.0.document_id)(record)
    }

    /// The days that a request asks for, as the service reads them; an error names the field that is not a day.
    pub fn days(self, body: &Value, at: DateTime<Utc>) -> Result<Option<DayRange>, &'static str> {
        let Some(past) = self.0.past else { return Ok(None) };
        let day = |name: &'static str| match body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_str().and_then(|text| text.parse().ok()) {
                Some(day) => Ok(Some(day)),
                None => Err(name),
            },
        };
        let from = day(past.from)?;
        let to = past.to.map_or(Ok(from), day)?;
        Ok(from.map(|from| (from, to.unwrap_or(at.date_naive()))))
    }

    /// Whether its entries are articles without a ticker.
    pub const fn has_articles(self) -> bool {
        matches!(self.0.form, Form::Articles)
    }

    /// Whether its entries hold indicators by name.
    pub const fn has_indicators(self) -> bool {
        matches!(self.0.form, Form::Indicators(..))
    }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        (self.service(), self.path()) == (other.service(), other.path())
    }
}

impl Eq for Endpoint {}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.service(), self.path())
    }
}
