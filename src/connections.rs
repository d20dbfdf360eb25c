//! What this instance knows about its calls to each provider. The connections themselves, and their reuse, belong
//! to the runtime.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::firestore::document::Document;
use crate::firestore::{Fields, Value};
use crate::job::Provider;

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

/// How the latest calls to a provider ended, as far as known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastCalls {
    pub success_time: Option<DateTime<Utc>>,
    pub error_time: Option<DateTime<Utc>>,
    /// Message of the latest error.
    pub error: Option<String>,
}

/// In milliseconds since 1970, of which Firestore keeps the larger: instances that end in another order than they
/// called must not turn the time back.
const SUCCESS: &str = "last_call_success_ms";
const ERROR: &str = "last_call_error_ms";
const ERROR_WORDS: &str = "last_call_error";
/// Most characters of the words of an error that are kept.
const WORDS_CHARS_MAX: usize = 500;

impl LastCalls {
    /// As the statistics of a job have them.
    pub fn from_document(document: &Document) -> Self {
        let time = |name: &str| {
            let ms = document.fields.get(name).and_then(Value::as_i64);
            ms.and_then(DateTime::from_timestamp_millis)
        };
        let error = document.text(ERROR_WORDS).map(ToOwned::to_owned);
        Self { success_time: time(SUCCESS), error_time: time(ERROR), error }
    }

    /// The words as a field, and the times as numbers of which the larger is kept.
    pub fn to_fields(&self) -> (Fields, Vec<(String, Value)>) {
        let words = self.error.as_ref().map(|words| words.chars().take(WORDS_CHARS_MAX).collect::<String>());
        let words = words.map(|words| (ERROR_WORDS.to_owned(), Value::string(words)));
        let times = [(SUCCESS, self.success_time), (ERROR, self.error_time)];
        let times = times
            .into_iter()
            .filter_map(|(name, time)| Some((name.to_owned(), Value::Integer(time?.timestamp_millis()))));
        (words.into_iter().collect(), times.collect())
    }

    /// What both know together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let later = if other.error_time > self.error_time { other } else { self };
        Self {
            success_time: self.success_time.max(other.success_time),
            error_time: later.error_time,
            error: later.error.clone(),
        }
    }
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
    providers: Mutex<[Connections; 4]>,
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
        act(provider.pick(providers.each_mut()))
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
    fn the_latest_calls_come_back_from_the_statistics_and_the_later_of_two_is_kept() {
        let at = |ms| DateTime::from_timestamp_millis(ms);
        let calls = |success, error: i64| LastCalls {
            success_time: at(success),
            error_time: at(error),
            error: Some(format!("error {error}")),
        };
        let (mut fields, times) = calls(7, 9).to_fields();
        fields.extend(times);
        let document = Document {
            id: "j".into(),
            fields,
            update_time: DateTime::UNIX_EPOCH,
            read_time: DateTime::UNIX_EPOCH,
        };
        assert_eq!(LastCalls::from_document(&document), calls(7, 9));
        let both = calls(5, 9).and(&calls(6, 8));
        assert_eq!(
            (both.success_time, both.error_time, both.error.as_deref()),
            (at(6), at(9), Some("error 9"))
        );
        assert_eq!(calls(5, 9).and(&LastCalls::default()), calls(5, 9));
    }

    #[test]
    fn failures_count_up_to_the_next_success_and_calls_while_they_last() {
        let book = Arc::new(ConnectionBook::default());
        let now = DateTime::UNIX_EPOCH;
        let call = book.started(Provider::Polygon);
        assert_eq!(book.of(Provider::Polygon).calls_in_flight, 1);
        drop(call);
        book.ended(Provider::Polygon, Some("500: down"), now);
        book.ended(Provider::Polygon, Some("501: still"), now);
        let known = book.of(Provider::Polygon);
        assert_eq!((known.calls_in_flight, known.calls, known.failures_in_row), (0, 2, 2));
        book.ended(Provider::Polygon, None, now);
        let known = book.of(Provider::Polygon);
        assert_eq!((known.failures_in_row, known.last_error.as_deref()), (0, Some("501: still")));
        assert_eq!(book.of(Provider::Tiingo), Connections::default());
    }
}
