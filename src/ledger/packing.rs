//! A run's state as one value, of bounded size whatever happened in the run.
//!
//! A document holds 1 MiB, and an entry that does not fit could never be closed. So there are three forms:
//!
//! 1. JSON text, while it is short: nearly every run, readable in the database.
//! 2. The same, compressed; then again with the failure reasons truncated.
//! 3. [`tight`]: every ticker and every reason once, within limits that always fit.
//!
//! No form omits a pending or failed ticker. Only the providers' messages are truncated; the raw logs have them
//! in full.

mod tight;

use bytes::Bytes;

use crate::base::text::clip;
use crate::catalogue::Ticker;
use crate::firestore::Value;
use crate::firestore::payload;
use crate::run::{RunState, Work};

/// Longest state stored as text, in bytes.
const TEXT_BYTES_MAX: usize = 256 << 10;
/// Longest state that is compressed as is; above it, trying would take longer than a checkpoint may.
const WHOLE_BYTES_MAX: usize = 4 << 20;
/// Longest state in a document: 1 MiB, minus the rest of the entry.
const PACKED_BYTES_MAX: usize = 960_000;
/// Bytes of a reason, if reasons have to be truncated.
const SHORT_REASON_BYTES: usize = 80;
/// Longest state that is unpacked, in bytes.
const STATE_BYTES_MAX: usize = 64 << 20;

/// Maximum tickers of one run: as many as the tight form can hold at every endpoint of a job.
pub const PLAN_TICKERS_MAX: usize = 20_000;
/// Maximum bytes of all their names, likewise: 10,000 of the longest.
pub const PLAN_BYTES_MAX: usize = 650_000;

/// Why a run cannot have these tickers; none if it can.
pub fn excess(tickers: &[Ticker]) -> Option<String> {
    let bytes: usize = tickers.iter().map(|ticker| ticker.as_str().len() + 1).sum();
    if tickers.len() > PLAN_TICKERS_MAX {
        Some(format!("too many tickers for one run: {}, limit {PLAN_TICKERS_MAX}", tickers.len()))
    } else if bytes > PLAN_BYTES_MAX {
        Some(format!("ticker names too long for one run: {bytes} bytes, limit {PLAN_BYTES_MAX}"))
    } else {
        None
    }
}

/// The value of a state.
pub(super) fn pack(state: &RunState) -> Value {
    let json = to_json(state);
    if json.len() <= TEXT_BYTES_MAX
        && let Ok(text) = String::from_utf8(json.clone())
    {
        return Value::String(text);
    }
    let packed = compressed(&json)
        .or_else(|| compressed(&to_json(&with_short_reasons(state))))
        .unwrap_or_else(|| payload::compress(tight::encode(state).as_bytes()));
    Value::Bytes(Bytes::from(packed))
}

/// The state of a value.
pub(super) fn unpack(value: &Value) -> Result<RunState, String> {
    let text = match value {
        Value::String(json) => json.clone(),
        Value::Bytes(packed) => {
            let bytes = payload::join(std::slice::from_ref(packed), STATE_BYTES_MAX)
                .map_err(|error| error.to_string())?;
            String::from_utf8(bytes).map_err(|error| error.to_string())?
        }
        _ => return Err("it is neither a string nor bytes".to_owned()),
    };
    // The JSON written here has no line breaks.
    match text.split_once('\n') {
        Some((head, tickers)) => tight::decode(head, tickers),
        None => serde_json::from_str(&text).map_err(|error| error.to_string()),
    }
}

/// Plain data with string keys always encodes.
fn to_json(state: &RunState) -> Vec<u8> {
    serde_json::to_vec(state).unwrap_or_default()
}

/// None if it does not fit.
fn compressed(json: &[u8]) -> Option<Vec<u8>> {
    let packed = (json.len() <= WHOLE_BYTES_MAX).then(|| payload::compress(json))?;
    (packed.len() <= PACKED_BYTES_MAX).then_some(packed)
}

fn with_short_reasons(state: &RunState) -> RunState {
    let mut state = state.clone();
    for failure in &mut state.shortfalls {
        failure.reason = clip(&failure.reason, SHORT_REASON_BYTES);
    }
    for Work { reason, .. } in &mut state.pending {
        *reason = reason.as_ref().map(|reason| clip(reason, SHORT_REASON_BYTES));
    }
    state
}

#[cfg(test)]
mod tests;
