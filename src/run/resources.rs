//! What an attempt of a run used: time, network, memory.

use serde::{Deserialize, Serialize};

/// Resources used by the latest attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Resources {
    pub steps_ms: Steps,
    pub waits_ms: Waits,
    /// Bytes of bodies received from providers, Firestore and Google.
    pub bytes_in: u64,
    /// Bytes of bodies sent to them.
    pub bytes_out: u64,
    /// Memory of the whole instance at the end of the attempt; shared by all requests, never shrinks.
    pub memory_bytes: Option<u64>,
}

/// Duration of each step, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Steps {
    /// Claiming the run.
    pub claim: u64,
    /// Resolving the tickers.
    pub plan: u64,
    /// Calling the provider and storing its data.
    pub execute: u64,
}

/// Time that work was delayed, in milliseconds; concurrent waits of several batches add up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Waits {
    /// Backoff before retries.
    pub retry: u64,
    /// Pauses requested by the provider, and the limit on new writes.
    pub limit: u64,
}
