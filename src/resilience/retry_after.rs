//! The header `Retry-After`, in both of its forms (RFC 9110, section 10.2.3).

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use http::HeaderMap;

/// Longest wait accepted from a header: anything longer means "not today" rather than "in a moment".
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The wait that the header asks for; none if it is missing or invalid.
pub fn parse(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        (http_date(text)? - now).to_std().unwrap_or(Duration::ZERO)
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` and its two obsolete spellings (RFC 9110, section 5.6.7).
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(date) = DateTime::parse_from_rfc2822(text) {
        return Some(date.to_utc());
    }
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|date| date.and_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(value: &str, expect_seconds: Option<u64>) {
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, value.parse().unwrap())]);
        assert_eq!(parse(&headers, now), expect_seconds.map(Duration::from_secs), "{value:?}");
    }

    #[test]
    fn both_forms_are_read() {
        check("7", Some(7));
        check(" 0 ", Some(0));
        check("Mon, 23 Nov 2026 10:01:30 GMT", Some(90));
        check("Monday, 23-Nov-26 10:01:30 GMT", Some(90));
        check("Mon Nov 23 10:01:30 2026", Some(90));
    }

    #[test]
    fn a_date_that_has_passed_is_no_wait() {
        check("Mon, 23 Nov 2026 09:00:00 GMT", Some(0));
    }

    #[test]
    fn the_wait_is_bounded_and_nonsense_is_none() {
        check("999999999999999999999999", Some(86_400));
        for nonsense in ["", "-1", "soon", "1.5", "Mon, 99 Nov 2026 10:00:00 GMT"] {
            check(nonsense, None);
        }
    }

    proptest! {
        #[test]
        fn no_value_panics_or_exceeds_the_limit(value in "[ -~]{0,40}") {
            let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, value.parse().unwrap())]);
            let wait = parse(&headers, DateTime::UNIX_EPOCH);
            prop_assert!(wait.is_none_or(|wait| wait <= RETRY_AFTER_MAX));
        }
    }
}
