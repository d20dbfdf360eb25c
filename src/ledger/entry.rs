//! The stored form of a run.
//!
//! `state` holds the whole [`RunState`] ([`packing`]), so that it costs one index entry; the other fields repeat what
//! people and queries look for.

use std::time::Duration;

use chrono::TimeDelta;

use super::packing;
use crate::base::ports::millis;
use crate::base::text::clip;
use crate::firestore::value::fields;
use crate::firestore::{Fields, Value};
use crate::run::{Cancelled, Outcome, RunState};

pub(super) const OWNER: &str = "owner";
/// Fields that runs are listed by.
pub(super) const JOB: &str = "job";
pub(super) const STATUS: &str = "status";
pub(super) const CREATED_AT: &str = "created_at";
/// The order to stop the run: the one field that others write while the run has an owner.
pub(super) const CANCELLED: &str = "cancelled";

/// The lease of an entry without one, as written by versions that stored its end instead: the longest that can be set.
const LEASE_UNKNOWN: Duration = Duration::from_secs(600);

/// Maximum bytes of a message in a field of its own.
const WORDS_BYTES_MAX: usize = 2_000;

/// One ledger document.
#[derive(Clone, Debug)]
pub struct Entry {
    pub state: RunState,
    /// Who may write it: a name unique to this claim.
    pub owner: String,
    /// How long after its last change a running entry belongs to its owner. Both times are Firestore's, so no
    /// instance's clock matters.
    pub lease: Duration,
    /// How often its owner has written it: rewriting identical content would not count as a change.
    pub renewals: u64,
}

impl Entry {
    pub fn to_fields(&self, retention: TimeDelta) -> Fields {
        let state = &self.state;
        // The time comes from a stored document: adding to one near the maximum would panic.
        let expire_at =
            state.identity.created_at.checked_add_signed(retention).unwrap_or(state.identity.created_at);
        let mut fields = fields([
            (OWNER, Value::string(&self.owner)),
            ("lease_ms", Value::Integer(millis(self.lease).cast_signed())),
            ("renewals", Value::Integer(self.renewals.cast_signed())),
            ("run_id", Value::string(&state.identity.run_id)),
            (JOB, Value::string(&state.job)),
            ("scope", Value::string(&state.identity.scope)),
            ("trigger", Value::string(state.identity.trigger.name())),
            (STATUS, Value::string(state.status.name())),
            ("attempt", Value::Integer(state.attempt.number.into())),
            (CREATED_AT, Value::Timestamp(state.identity.created_at)),
            ("started_at", Value::Timestamp(state.attempt.started_at)),
            ("ended_at", state.attempt.ended_at.map_or(Value::NULL, Value::Timestamp)),
            ("expire_at", Value::Timestamp(expire_at)),
            ("tickers_requested", Value::count(state.tickers_requested)),
            ("tickers_processed", Value::count(state.tickers_processed())),
            ("tickers_failed", Value::count(state.tickers_failed())),
            ("tickers_empty", Value::count(state.tickers_short(Outcome::Empty))),
            ("tickers_stale", Value::count(state.tickers_short(Outcome::Stale))),
            ("tickers_deferred", Value::count(state.tickers_short(Outcome::Deferred))),
            ("tickers_pending", Value::count(state.tickers_pending())),
            ("records_stored", Value::Integer(state.counts.records_stored().cast_signed())),
            ("records_rejected", Value::Integer(state.counts.records_rejected().cast_signed())),
            ("records_unchanged", Value::Integer(state.counts.records_unchanged.cast_signed())),
            ("records_revised", Value::Integer(state.counts.records_revised.cast_signed())),
            ("records_flagged", Value::Integer(state.counts.records_flagged.cast_signed())),
            ("duration_ms", Value::Integer(state.attempt.duration_ms.cast_signed())),
            ("trace_id", state.attempt.trace_id.as_ref().map_or(Value::NULL, Value::string)),
            ("stopped", state.stopped.as_deref().map_or(Value::NULL, words)),
            ("waits_until", state.waits_until().map_or(Value::NULL, Value::Timestamp)),
            ("message", words(&state.message())),
        ]);
        fields.insert("state".to_owned(), packing::pack(state));
        fields.extend(state.cancelled.as_ref().map(|order| (CANCELLED.to_owned(), order_value(order))));
        fields
    }

    pub fn from_fields(fields: &Fields) -> Result<Self, String> {
        let broken = |what: &str| format!("a ledger entry {what}");
        let unpacked = match fields.get("state") {
            Some(state) => packing::unpack(state),
            None => Err("it is missing".to_owned()),
        };
        let number =
            |name| fields.get(name).and_then(Value::as_i64).and_then(|number| u64::try_from(number).ok());
        let state = unpacked.map_err(|error| broken(&format!("whose state cannot be read: {error}")))?;
        Ok(Self {
            state: RunState { cancelled: order_of(fields), ..state },
            owner: fields.get(OWNER).and_then(Value::as_str).unwrap_or_default().to_owned(),
            lease: number("lease_ms").map_or(LEASE_UNKNOWN, Duration::from_millis),
            renewals: number("renewals").unwrap_or_default(),
        })
    }
}

/// The stored form of an order to stop a run.
pub(super) fn order_value(order: &Cancelled) -> Value {
    let Cancelled { by, at, reason } = order;
    let fields =
        fields([("by", Value::string(by)), ("at", Value::Timestamp(*at)), ("reason", Value::string(reason))]);
    Value::Map { fields }
}

/// The order to stop a run, if its entry has one.
pub(super) fn order_of(fields: &Fields) -> Option<Cancelled> {
    let Value::Map { fields } = fields.get(CANCELLED)? else { return None };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Cancelled { by: text("by"), at: fields.get("at")?.as_timestamp()?, reason: text("reason") })
}

fn words(text: &str) -> Value {
    Value::string(clip(text, WORDS_BYTES_MAX))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::run::tests::state;

    fn entry(state: RunState) -> Entry {
        Entry { state, owner: "o".into(), lease: Duration::from_secs(60), renewals: 3 }
    }

    #[test]
    fn an_entry_comes_back_as_it_was_stored() {
        let stored = Entry::from_fields(&entry(state()).to_fields(TimeDelta::days(90))).unwrap();
        assert_eq!((stored.state, stored.owner.as_str()), (state(), "o"));
        assert_eq!((stored.lease, stored.renewals), (Duration::from_secs(60), 3));
    }

    #[test]
    fn an_order_to_stop_is_a_field_of_its_own() {
        let order = Cancelled { by: "ann".into(), at: DateTime::UNIX_EPOCH, reason: "wrong key".into() };
        let asked = RunState { cancelled: Some(order), ..state() };
        let fields = entry(asked.clone()).to_fields(TimeDelta::days(90));
        assert_eq!(Entry::from_fields(&fields).unwrap().state, asked);
        let mut without = fields;
        without.remove(CANCELLED);
        assert_eq!(Entry::from_fields(&without).unwrap().state, state());
    }

    #[test]
    fn an_entry_that_names_no_lease_has_the_longest() {
        let mut fields = entry(state()).to_fields(TimeDelta::days(90));
        fields.remove("lease_ms");
        assert_eq!(Entry::from_fields(&fields).unwrap().lease, LEASE_UNKNOWN);
    }

    #[test]
    fn a_stored_time_at_the_end_of_time_is_no_panic() {
        let mut state = state();
        state.identity.created_at = DateTime::<Utc>::MAX_UTC;
        let fields = entry(state).to_fields(TimeDelta::days(90));
        assert_eq!(fields["expire_at"], Value::Timestamp(DateTime::<Utc>::MAX_UTC));
    }
}
