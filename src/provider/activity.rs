//! What this instance knows about its calls to each provider. The connections themselves, and their reuse, belong
//! to the runtime.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::catalogue::{PerProvider, Provider};
use crate::run::LastCalls;

/// This instance's calls to one provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
pub struct Connections {
    pub calls_in_flight: u64,
    /// Maximum calls in flight per run.
    pub calls_in_flight_max: usize,
    /// Finished calls.
    pub calls: u64,
    pub last_success_time: Option<DateTime<Utc>>,
    pub last_error_time: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
    pub failures_in_row: u64,
}

impl Connections {
    pub fn last_calls(&self) -> LastCalls {
        LastCalls {
            success_time: self.last_success_time,
            error_time: self.last_error_time,
            error: self.last_error.clone(),
        }
    }
}

/// Tracks the calls of all providers.
#[derive(Debug, Default)]
pub struct ConnectionBook {
    providers: Mutex<PerProvider<Connections>>,
}

impl ConnectionBook {
    /// Records a call that was sent; it is in flight until the guard is dropped.
    pub fn started(self: &std::sync::Arc<Self>, provider: Provider) -> InFlight {
        self.with(provider, |connections| connections.calls_in_flight += 1);
        InFlight { book: self.clone(), provider }
    }

    /// Records the end of a call, with its error if it failed.
    pub fn ended(&self, provider: Provider, error: Option<&str>, now: DateTime<Utc>) {
        self.with(provider, |connections| {
            connections.calls += 1;
            match error {
                None => {
                    connections.failures_in_row = 0;
                    connections.last_success_time = Some(now);
                }
                Some(error) => {
                    connections.failures_in_row += 1;
                    connections.last_error_time = Some(now);
                    connections.last_error = Some(error.to_owned());
                }
            }
        });
    }

    pub fn of(&self, provider: Provider) -> Connections {
        self.with(provider, |connections| connections.clone())
    }

    fn with<T>(&self, provider: Provider, act: impl FnOnce(&mut Connections) -> T) -> T {
        let mut providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        act(providers.get_mut(provider))
    }
}

/// A call in flight.
#[derive(Debug)]
pub struct InFlight {
    book: std::sync::Arc<ConnectionBook>,
    provider: Provider,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.book.with(self.provider, |connections| connections.calls_in_flight -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn failures_count_up_to_the_next_success_and_calls_while_they_last() {
        let book = Arc::new(ConnectionBook::default());
        let now = DateTime::UNIX_EPOCH;
        let [polygon, tiingo] = ["polygon", "tiingo"].map(|name| Provider::parse(name).unwrap());
        let call = book.started(polygon);
        assert_eq!(book.of(polygon).calls_in_flight, 1);
        drop(call);
        book.ended(polygon, Some("500: down"), now);
        book.ended(polygon, Some("501: still"), now);
        let known = book.of(polygon);
        assert_eq!((known.calls_in_flight, known.calls, known.failures_in_row), (0, 2, 2));
        book.ended(polygon, None, now);
        let known = book.of(polygon);
        assert_eq!((known.failures_in_row, known.last_error.as_deref()), (0, Some("501: still")));
        assert_eq!(book.of(tiingo), Connections::default());
    }
}
