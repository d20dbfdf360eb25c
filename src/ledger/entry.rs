//! The stored form of a run.
//!
//! `state` holds the whole [`RunState`] as JSON (compressed when it is big), so that it costs one index
//! entry; the other fields repeat what people and queries look for.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use crate::firestore::value::fields;
use crate::firestore::{Fields, Value};
use crate::persist::payload;
use crate::run::RunState;

pub(super) const OWNER: &str = "owner";
/// Fields by which runs are listed.
pub(super) const JOB: &str = "job";
pub(super) const STATUS: &str = "status";
pub(super) const CREATED_AT: &str = "created_at";

/// Longest state kept as text, in bytes.
const STATE_TEXT_BYTES_MAX: usize = 256 << 10;

/// Longest state that is unpacked, in bytes: 5,000 tickers that fail at two endpoints have five mebibytes.
const STATE_BYTES_MAX: usize = 64 << 20;

/// One document of the ledger.
#[derive(Clone, Debug)]
pub struct Entry {
    pub state: RunState,
    /// Who may write it: a name that no other claim has.
    pub owner: String,
    /// After this a running entry may be taken over.
    pub lease_expires_at: DateTime<Utc>,
}

impl Entry {
    pub fn to_fields(&self, retention: TimeDelta) -> Fields {
        let state = &self.state;
        // The time comes from a stored document: adding to one at the end of time would panic.
        let expire_at = state.created_at.checked_add_signed(retention).unwrap_or(state.created_at);
        let mut fields = fields([
            (OWNER, Value::string(&self.owner)),
            ("lease_expires_at", Value::Timestamp(self.lease_expires_at)),
            ("run_id", Value::string(&state.run_id)),
            (JOB, Value::string(&state.job)),
            ("scope", Value::string(&state.scope)),
            ("trigger", Value::string(state.trigger.name())),
            (STATUS, Value::string(state.status.name())),
            ("attempt", Value::Integer(state.attempt.into())),
            (CREATED_AT, Value::Timestamp(state.created_at)),
            ("started_at", Value::Timestamp(state.started_at)),
            ("ended_at", state.ended_at.map_or(Value::NULL, Value::Timestamp)),
            ("expire_at", Value::Timestamp(expire_at)),
            ("tickers_requested", Value::count(state.tickers_requested)),
            ("tickers_processed", Value::count(state.tickers_processed())),
            ("tickers_failed", Value::count(state.tickers_failed())),
            ("tickers_pending", Value::count(state.tickers_pending())),
            ("records_stored", Value::Integer(state.counts.records_stored().cast_signed())),
            ("records_rejected", Value::Integer(state.counts.records_rejected().cast_signed())),
            ("duration_ms", Value::Integer(state.duration_ms.cast_signed())),
            ("trace_id", state.trace_id.as_ref().map_or(Value::NULL, Value::string)),
            ("stopped", state.stopped.as_ref().map_or(Value::NULL, Value::string)),
        ]);
        // Plain data with text keys cannot fail to encode.
        let json = serde_json::to_vec(state).unwrap_or_default();
        let packed = if json.len() <= STATE_TEXT_BYTES_MAX {
            Value::String(String::from_utf8(json).unwrap_or_default())
        } else {
            Value::Bytes(Bytes::from(payload::compress(&json)))
        };
        fields.insert("state".to_owned(), packed);
        fields
    }

    pub fn from_fields(fields: &Fields) -> Result<Self, String> {
        let broken = |what: &str| format!("a ledger entry {what}");
        let state = match fields.get("state") {
            Some(Value::String(json)) => serde_json::from_slice(json.as_bytes()),
            Some(Value::Bytes(packed)) => {
                let json = payload::join(std::slice::from_ref(packed), STATE_BYTES_MAX)
                    .map_err(|error| broken(&error.to_string()))?;
                serde_json::from_slice(&json)
            }
            _ => return Err(broken("without a state")),
        };
        Ok(Self {
            state: state.map_err(|error| broken(&format!("whose state cannot be read: {error}")))?,
            owner: fields.get(OWNER).and_then(Value::as_str).unwrap_or_default().to_owned(),
            lease_expires_at: fields
                .get("lease_expires_at")
                .and_then(Value::as_timestamp)
                .ok_or_else(|| broken("without a lease"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::{failure, state};

    #[test]
    fn a_state_of_any_size_fits_and_comes_back() {
        for failures in [0, 20_000] {
            let failed = (0..failures).map(|n| failure("/fetch", &format!("T{n}"))).collect();
            let entry = Entry {
                state: RunState { failed, ..state() },
                owner: "o".into(),
                lease_expires_at: DateTime::UNIX_EPOCH,
            };
            let fields = entry.to_fields(TimeDelta::days(90));
            assert!(crate::firestore::value::fields_stored_bytes(&fields) < 900_000);
            assert_eq!(Entry::from_fields(&fields).unwrap().state, entry.state);
        }
    }

    #[test]
    fn a_stored_time_at_the_end_of_time_is_no_panic() {
        let state = RunState { created_at: DateTime::<Utc>::MAX_UTC, ..state() };
        let entry = Entry { state, owner: "o".into(), lease_expires_at: DateTime::UNIX_EPOCH };
        let fields = entry.to_fields(TimeDelta::days(90));
        assert_eq!(fields["expire_at"], Value::Timestamp(DateTime::<Utc>::MAX_UTC));
    }
}
