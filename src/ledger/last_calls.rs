//! The latest calls to a provider, as the statistics of a job keep them.

use chrono::DateTime;

use crate::firestore::document::Document;
use crate::firestore::{Fields, Value};
use crate::run::LastCalls;

/// In milliseconds since 1970. Firestore keeps the larger value, so that instances that finish in a different order
/// than they called cannot turn back the time.
const SUCCESS: &str = "last_call_success_ms";
const ERROR: &str = "last_call_error_ms";
const ERROR_WORDS: &str = "last_call_error";
/// Maximum characters of an error message that are kept.
const WORDS_CHARS_MAX: usize = 500;

impl LastCalls {
    /// As stored in a job's statistics.
    pub fn from_document(document: &Document) -> Self {
        let time = |name: &str| {
            let ms = document.fields.get(name).and_then(Value::as_i64);
            ms.and_then(DateTime::from_timestamp_millis)
        };
        let error = document.text(ERROR_WORDS).map(ToOwned::to_owned);
        Self { success_time: time(SUCCESS), error_time: time(ERROR), error }
    }

    /// The message as a field, and the times as numbers of which the larger is kept.
    pub fn to_fields(&self) -> (Fields, Vec<(String, Value)>) {
        let words = self.error.as_ref().map(|words| words.chars().take(WORDS_CHARS_MAX).collect::<String>());
        let words = words.map(|words| (ERROR_WORDS.to_owned(), Value::string(words)));
        let times = [(SUCCESS, self.success_time), (ERROR, self.error_time)];
        let times = times
            .into_iter()
            .filter_map(|(name, time)| Some((name.to_owned(), Value::Integer(time?.timestamp_millis()))));
        (words.into_iter().collect(), times.collect())
    }
}

#[cfg(test)]
mod tests {
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
            create_time: DateTime::UNIX_EPOCH,
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
}
