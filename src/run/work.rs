//! A run's remaining work.

use serde::{Deserialize, Serialize};

use super::Window;
use crate::catalogue::Ticker;

/// Tickers that are still to be requested from one endpoint. Empty if the endpoint takes no tickers.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    pub endpoint: String,
    pub tickers: Vec<Ticker>,
    /// The days that are requested; none for what the endpoint sends by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// The parts of each ticker's data that are still missing; empty means all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// Parts that an answer before had no current record of: they make the tickers stale.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outdated: Vec<String>,
    /// Why it was deferred, if it was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Number of attempts of the run that deferred it because the provider failed.
    #[serde(default, rename = "tries", skip_serializing_if = "is_zero")]
    pub deferrals: u32,
    /// Whether more records are asked for than usual, because an answer with the usual number may have been cut.
    #[serde(default, skip_serializing_if = "is_false")]
    pub enlarged: bool,
}

pub(super) fn is_false(flag: &bool) -> bool {
    !flag
}

impl Work {
    /// Work that was never tried.
    pub fn new(endpoint: &str, tickers: Vec<Ticker>) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            tickers,
            window: None,
            parts: Vec::new(),
            outdated: Vec::new(),
            reason: None,
            deferrals: 0,
            enlarged: false,
        }
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Joins work with the same endpoint and the same history, in order of appearance.
pub fn merged(works: Vec<Work>) -> Vec<Work> {
    let mut merged: Vec<Work> = Vec::new();
    for work in works {
        let same = |into: &&mut Work| {
            (
                &into.endpoint,
                into.window,
                &into.parts,
                &into.outdated,
                &into.reason,
                into.deferrals,
                into.enlarged,
            ) == (
                &work.endpoint,
                work.window,
                &work.parts,
                &work.outdated,
                &work.reason,
                work.deferrals,
                work.enlarged,
            )
        };
        match merged.iter_mut().find(same) {
            Some(into) => into.tickers.extend(work.tickers),
            None => merged.push(work),
        }
    }
    merged
}
