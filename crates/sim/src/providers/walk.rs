//! How a service works through the list of a call: upstream requests one after the other, pauses between them, and
//! refusals at its limit, as in `fetch_…` of `services/*/…_client.py`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::pace::Walk;
use super::words;
use crate::endpoint::{Endpoint, Rhythm};

/// Tickers requested at once by services that do so.
const AT_ONCE: usize = 5;

/// What the limit has refused: by the ticker's place in the list and, for indicators, by name.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// The whole call, if it is one upstream request without tickers: the message of the 502.
    pub(super) call: Option<String>,
    entries: BTreeMap<usize, String>,
    indicators: BTreeMap<(usize, String), String>,
}

impl Refused {
    /// Puts the refusals into the entries, as the services report them.
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

/// Works through the list of a call until all of it is answered or refused.
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

/// Five at once, then a pause except after the last.
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

/// A pause after each, including the last and refused ones.
async fn one_by_one(walk: &mut Walk, tickers: usize, pause: Duration, refused: &mut Refused) {
    for place in 0..tickers {
        if let Err(inner) = walk.send() {
            refused.entries.insert(place, inner);
        }
        walk.pause(pause).await;
    }
}
