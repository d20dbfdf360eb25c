//! The document in which a provider's shared state is stored.
//!
//! ```text
//! provider, position, until, openings, prober, reason     its worst breaker, for people and queries
//! endpoints            the breakers that are not closed, by endpoint
//! failures/PATH        consecutive failed calls to an endpoint, across all runs
//! paused_until, limits_in_row, pause_reason               the provider's limit
//! calls/OWNER, since/OWNER, renewed/OWNER                 who may call, and how many concurrent calls
//! transitions/POSITION how often a breaker entered it
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::catalogue::Provider;
use crate::firestore::document::Document;
use crate::firestore::value::fields;
use crate::firestore::{Fields, Value};
use crate::resilience::breaker::{BreakerState, Position};
use crate::resilience::limits::Limit;
use crate::resilience::slots::Entry;

const TRANSITIONS: &str = "transitions/";
pub(super) const FAILURES: &str = "failures";
pub(super) const CALLS: &str = "calls/";
pub(super) const SINCE: &str = "since/";
/// The mark of a run that leaves the provider to others.
pub(super) const BACKGROUND: &str = "background";
pub(super) const RENEWED: &str = "renewed/";

/// What all runs share about a provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    /// The breakers that are not closed.
    pub endpoints: BTreeMap<String, BreakerState>,
    pub failures: BTreeMap<String, u32>,
    pub limit: Limit,
    /// The runs that have registered to call; each writes its own entry.
    pub entries: Vec<Entry>,
}

impl State {
    pub fn endpoint(&self, endpoint: &str) -> BreakerState {
        self.endpoints.get(endpoint).cloned().unwrap_or_default()
    }

    pub fn with(&self, endpoint: &str, shared: BreakerState) -> Self {
        let mut state = self.clone();
        if shared == BreakerState::closed() {
            state.endpoints.remove(endpoint);
        } else {
            state.endpoints.insert(endpoint.to_owned(), shared);
        }
        state.failures.remove(endpoint);
        state
    }

    /// The most restrictive breaker.
    pub fn worst(&self) -> BreakerState {
        self.endpoints.values().max_by_key(|shared| shared.until).cloned().unwrap_or_default()
    }

    /// Whether nothing holds calls back.
    pub fn is_quiet(&self) -> bool {
        self.endpoints.is_empty()
            && self.failures.values().all(|count| *count == 0)
            && self.limit == Limit::default()
    }

    /// The fields to write: all except those the runs write for themselves.
    pub fn to_fields(&self, provider: Provider, now: DateTime<Utc>) -> Fields {
        let time = |time: Option<DateTime<Utc>>| time.map_or(Value::NULL, Value::Timestamp);
        let mut all = breaker_fields(&self.worst());
        let endpoints = self
            .endpoints
            .iter()
            .map(|(path, shared)| (path.clone(), Value::Map { fields: breaker_fields(shared) }));
        all.extend(fields([
            ("provider", Value::string(provider.name())),
            ("endpoints", Value::Map { fields: endpoints.collect() }),
            ("paused_until", time(self.limit.until)),
            ("limits_in_row", Value::Integer(self.limit.in_row.into())),
            ("pause_reason", self.limit.reason.as_ref().map_or(Value::NULL, Value::string)),
            ("changed_at", Value::Timestamp(now)),
        ]));
        for endpoint in provider.endpoints() {
            let count = self.failures.get(endpoint).copied().unwrap_or_default();
            all.insert(format!("{FAILURES}{endpoint}"), Value::Integer(count.into()));
        }
        all
    }

    pub fn from_document(document: &Document) -> Self {
        let stored = &document.fields;
        let mut state = Self::default();
        for (name, value) in stored {
            if let Some(endpoint) = name.strip_prefix(FAILURES).filter(|path| path.starts_with('/')) {
                let count = value.as_i64().and_then(|count| u32::try_from(count).ok()).unwrap_or_default();
                state.failures.insert(endpoint.to_owned(), count);
            } else if let Some(owner) = name.strip_prefix(CALLS) {
                state.entries.extend(entry(stored, owner, value));
            }
        }
        state.limit = Limit {
            until: stored.get("paused_until").and_then(Value::as_timestamp),
            in_row: number(stored, "limits_in_row"),
            reason: text(stored, "pause_reason"),
        };
        if let Some(endpoints) = stored.get("endpoints").and_then(Value::as_map) {
            let known =
                endpoints.iter().filter_map(|(path, value)| Some((path.clone(), breaker(value.as_map()?))));
            state.endpoints = known.filter(|(_, shared)| *shared != BreakerState::closed()).collect();
        }
        state
    }
}

/// The counter of a transition, `transitions/open`, and by how much it grows.
pub(super) fn transition(position: Position) -> (String, Value) {
    (format!("{TRANSITIONS}{}", position.name()), Value::Integer(1))
}

fn entry(stored: &Fields, owner: &str, value: &Value) -> Option<Entry> {
    let time = |prefix: &str| stored.get(&format!("{prefix}{owner}")).and_then(Value::as_timestamp);
    let value = value.as_map()?;
    Some(Entry {
        owner: owner.to_owned(),
        calls: usize::try_from(number(value, "calls")).ok()?,
        since: time(SINCE)?,
        renewed: time(RENEWED)?,
        lease: Duration::from_millis(number(value, "lease_ms").into()),
        background: value.contains_key(BACKGROUND),
    })
}

fn number(fields: &Fields, name: &str) -> u32 {
    let number = fields.get(name).and_then(Value::as_i64).unwrap_or_default();
    u32::try_from(number).unwrap_or_default()
}

fn text(fields: &Fields, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).map(ToOwned::to_owned)
}

fn breaker_fields(shared: &BreakerState) -> Fields {
    let text = |text: &Option<String>| text.as_ref().map_or(Value::NULL, Value::string);
    fields([
        ("position", Value::string(shared.position.name())),
        ("until", shared.until.map_or(Value::NULL, Value::Timestamp)),
        ("openings", Value::Integer(shared.openings.into())),
        ("prober", text(&shared.prober)),
        ("reason", text(&shared.reason)),
    ])
}

fn breaker(fields: &Fields) -> BreakerState {
    let name = text(fields, "position").unwrap_or_default();
    BreakerState {
        position: Position::ALL.into_iter().find(|position| position.name() == name).unwrap_or_default(),
        until: fields.get("until").and_then(Value::as_timestamp),
        openings: number(fields, "openings"),
        prober: text(fields, "prober"),
        reason: text(fields, "reason"),
    }
}

/// A provider's breakers as Firestore has them, for people.
#[derive(Clone, Debug, Default)]
pub struct StoredBreaker {
    /// The worst of them.
    pub shared: BreakerState,
    pub limit: Limit,
    pub changed_at: Option<DateTime<Utc>>,
    /// How often one entered each position.
    pub transitions: BTreeMap<&'static str, u64>,
}

impl StoredBreaker {
    pub fn from_document(document: &Document) -> Self {
        let count = |position: Position| {
            let count = document.fields.get(&format!("{TRANSITIONS}{}", position.name()))?.as_i64()?;
            Some((position.name(), u64::try_from(count).ok()?))
        };
        let mut transitions = BTreeMap::new();
        transitions.extend(Position::ALL.into_iter().filter_map(count));
        let state = State::from_document(document);
        Self {
            shared: state.worst(),
            limit: state.limit,
            changed_at: document.fields.get("changed_at").and_then(Value::as_timestamp),
            transitions,
        }
    }
}
