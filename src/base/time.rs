//! Days and times as they are written in what is read most: records and Firestore's responses. The parsers of chrono
//! take every form that their formats allow; they took 7 % of the time that a run spends in the component.

use chrono::{DateTime, NaiveDate, Utc};

/// The day of `YYYY-MM-DD`, with these ten characters and no others.
pub fn day(text: &str) -> Option<NaiveDate> {
    match *text.as_bytes() {
        [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] => {
            let year = number(&[y0, y1, y2, y3])?;
            NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, number(&[m0, m1])?, number(&[d0, d1])?)
        }
        _ => None,
    }
}

/// The time of an RFC 3339 text, as long as Firestore writes it (`2026-11-27T10:00:00.123456Z`) without chrono.
pub fn utc(text: &str) -> Result<DateTime<Utc>, chrono::ParseError> {
    match plain(text) {
        Some(time) => Ok(time),
        None => DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()),
    }
}

/// A time of the form `YYYY-MM-DDTHH:MM:SS[.fraction]Z`.
fn plain(text: &str) -> Option<DateTime<Utc>> {
    /// Digits of a fraction in nanoseconds.
    const NANO_DIGITS: usize = 9;
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').map_or((time, None), |(time, rest)| (time, Some(rest)));
    let nanos = match fraction {
        None => 0,
        Some(digits) if (1..=NANO_DIGITS).contains(&digits.len()) => {
            let zeros = u32::try_from(NANO_DIGITS - digits.len()).ok()?;
            number(digits.as_bytes())? * 10_u32.pow(zeros)
        }
        Some(_) => return None,
    };
    match *time.as_bytes() {
        [h0, h1, b':', m0, m1, b':', s0, s1] => {
            let (hour, minute, second) = (number(&[h0, h1])?, number(&[m0, m1])?, number(&[s0, s1])?);
            Some(day(date)?.and_hms_nano_opt(hour, minute, second, nanos)?.and_utc())
        }
        _ => None,
    }
}

/// At most nine digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_plain_form_is_a_day() {
        assert_eq!(day("2024-02-29"), NaiveDate::from_ymd_opt(2024, 2, 29));
        for odd in [
            "2023-02-29",
            "2024-2-29",
            "2024-02-29 ",
            "+024-02-29",
            "2024/02/29",
            "20240229",
            "",
            "２024-02-2",
        ] {
            assert_eq!(day(odd), None, "{odd}");
        }
    }

    #[test]
    fn odd_times_are_left_to_chrono() {
        for text in [
            "2026-11-27T10:00:00Z",
            "2026-11-27T10:00:00.5Z",
            "2026-11-27T10:00:00.123456789Z",
            "2026-11-27T10:00:00.1234567891Z",
            "2026-11-27t10:00:00z",
            "2026-11-27T10:00:00+01:00",
            "2026-11-27T23:59:60Z",
            "2026-11-27T24:00:00Z",
            "2026-11-27T10:00:00.Z",
            "2026-11-27",
            "",
        ] {
            let expect = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
            assert_eq!(utc(text).ok(), expect.ok(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn days_and_times_are_those_of_chrono(seconds in -62_135_596_800i64..253_402_300_799, nanos in 0u32..1_000_000_000) {
            let time = DateTime::from_timestamp(seconds, nanos).unwrap();
            let written = time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
            prop_assert_eq!(utc(&written).unwrap(), time);
            prop_assert_eq!(day(&time.date_naive().to_string()), Some(time.date_naive()));
        }

        #[test]
        fn no_text_panics(text in "(\\PC|[0-9TZ:.-]){0,32}") {
            let expect = DateTime::parse_from_rfc3339(&text).ok();
            prop_assert_eq!(utc(&text).ok(), expect.map(|time| time.to_utc()));
            let _ = day(&text);
        }
    }
}
