//! The way of a service through the list of a call: one request upstream after the other, pauses between them, and
//! what its limit refuses. As `fetch_…` of `services/*/…_client.py` do it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::pace::Walk;
use super::words;
use crate::endpoint::{Endpoint, Rhythm};

/// Tickers that a service asks for at once, where it does.
const AT_ONCE: usize = 5;

/// What the limit has refused: by ticker's place in the list and, for indicators, by name.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// The whole call, where it is one request upstream and has no tickers: the words of the 502.
    pub(super) call: Option<String>,
    entries: BTreeMap<usize, String>,
    indicators: BTreeMap<(usize, String), String>,
}

impl Refused {
    /// Puts the refusals into the entries, in the services' words and forms.
    pub(super) fn apply(&self, endpoint: Endpoint, entries: &mut [Value]) {
        for (place, inner) in &self.entries {
            if let Some(entry) = entries.get_mut(*place) {
                let ticker = entry["ticker"].as_str().unwrap_or_default().to_owned();
                let error = words::wrapped(endpoint, &ticker, inner);
                *entry = json!({"ticker": ticker, "error": error, "data": (endpoint.spec().nothing)()});
            }
        }
        for ((place, name), inner) in &self.indicators {
            if let Some(entry) = entries.get_mut(*place) {
                let error = words::of_indicator(name, entry["ticker"].as_str().unwrap_or_default(), inner);
                entry["data"][name] = json!({"error": error});
            }
        }
    }
}

/// Works on the list of a call; it is over when all of it is answered or refused.
pub(super) async fn through(
    mut walk: Walk,
    endpoint: Endpoint,
    tickers: usize,
    indicators: Vec<String>,
) -> Refused {
    let mut refused = Refused::default();
    match endpoint.spec().rhythm {
        Rhythm::FiveAtOnce(pause) => at_once(&mut walk, tickers, pause, &mut refused).await,
        Rhythm::OneByOne(pause) => one_by_one(&mut walk, tickers, pause, &mut refused).await,
        Rhythm::Together if tickers > 0 => {
            if let Err(inner) = walk.send() {
                refused.entries.extend((0..tickers).map(|place| (place, inner.clone())));
            }
        }
        Rhythm::Together => {}
        Rhythm::Whole => refused.call = walk.send().err(),
        Rhythm::Indicators => {
            for place in 0..tickers {
                for name in &indicators {
                    match walk.send() {
                        Ok(()) => walk.wait().await,
                        Err(inner) => drop(refused.indicators.insert((place, name.clone()), inner)),
                    }
                }
            }
        }
    }
    refused
}

/// Five at once, then a pause, unless they were the last.
async fn at_once(walk: &mut Walk, tickers: usize, pause: Duration, refused: &mut Refused) {
    for first in (0..tickers).step_by(AT_ONCE) {
        let batch = first..tickers.min(first + AT_ONCE);
        if let Err(inner) = walk.send_together(batch.len()) {
            refused.entries.extend(batch.clone().map(|place| (place, inner.clone())));
        }
        if batch.end < tickers {
            walk.pause(pause).await;
        }
    }
}

/// A pause after each, also after the last and after one that was refused.
async fn one_by_one(walk: &mut Walk, tickers: usize, pause: Duration, refused: &mut Refused) {
    for place in 0..tickers {
        if let Err(inner) = walk.send() {
            refused.entries.insert(place, inner);
        }
        walk.pause(pause).await;
    }
}
