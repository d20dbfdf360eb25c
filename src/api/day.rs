//! A day, as callers write it.

use chrono::{Datelike, NaiveDate};

use crate::calendar::FIRST_YEAR;

/// The last year that the calendar's rules are known to be right for, as far as rules are.
const LAST_YEAR: i32 = 2099;
/// Length of `YYYY-MM-DD`.
const DAY_BYTES: usize = 10;

/// A day that the calendar knows; or what is wrong with the text.
pub(super) fn parse(text: &str) -> Result<NaiveDate, String> {
    let date = if text.len() == DAY_BYTES { text.parse::<NaiveDate>().ok() } else { None };
    date.filter(|date| (FIRST_YEAR..=LAST_YEAR).contains(&date.year()))
        .ok_or_else(|| format!("must be a day, YYYY-MM-DD, from {FIRST_YEAR} to {LAST_YEAR}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_ten_characters_and_a_year_that_the_calendar_knows() {
        for text in ["2010-01-01", "2026-02-28", "2099-12-31"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        let message = "must be a day, YYYY-MM-DD, from 2010 to 2099";
        for text in ["", "today", "2026-1-2", "2026-02-30", "+2026-01-02", "2009-12-31", "2100-01-01"] {
            assert_eq!(parse(text), Err(message.to_owned()), "{text}");
        }
    }
}
