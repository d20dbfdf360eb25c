//! What an attempt of a run used: time, network, memory.

use serde::{Deserialize, Serialize};

/// What the latest attempt used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Resources {
    pub steps_ms: Steps,
    pub waits_ms: Waits,
    /// Bytes of bodies that came in from providers, Firestore and Google.
    pub bytes_in: u64,
    /// Bytes of bodies that went out to them.
    pub bytes_out: u64,
    /// Memory of the whole instance at the attempt's end; it is shared by all requests and never shrinks.
    pub memory_bytes: Option<u64>,
}

/// Time of each step, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Steps {
    /// Becoming the run's owner.
    pub claim: u64,
    /// Finding the tickers.
    pub plan: u64,
    /// Calling the provider and storing what it answers.
    pub execute: u64,
}

/// Time for which work was held back, in milliseconds, added up over batches that waited at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Waits {
    /// Backoff before retries.
    pub retry: u64,
    /// Pauses that the provider asked for, and the limit on new writes.
    pub limit: u64,
}
