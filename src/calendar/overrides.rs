//! Days on which the exchange departs from the rules, as an operator sets them.

use chrono::{Datelike, NaiveDate, NaiveTime, Weekday};

use super::rules::{CLOSE, OPEN};

/// What happens on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Day {
    Closed,
    /// A session that closes at this time.
    Until(NaiveTime),
}

/// One entry: a date, and what happens on it.
pub(super) type Override = (NaiveDate, Day);

/// Reads `2026-12-31=13:00, 2027-01-08=closed`, or says what is wrong with which entry. Sorted by date.
pub(super) fn parse(text: &str) -> Result<Vec<Override>, String> {
    let mut overrides: Vec<Override> = Vec::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (date, day) = one(entry).ok_or_else(|| {
            format!(
                "must contain entries such as 2027-01-08=closed, 2026-12-31=13:00 (closes early, after 09:30 and \
                 before 16:00) or 2027-01-15=open, not `{entry}`"
            )
        })?;
        if matches!(date.weekday(), Weekday::Sat | Weekday::Sun) {
            return Err(format!("must contain only days from Monday to Friday, not `{entry}`"));
        }
        match overrides.binary_search_by_key(&date, |(date, _)| *date) {
            Ok(_) => return Err(format!("sets {date} twice: `{entry}`")),
            Err(place) => overrides.insert(place, (date, day)),
        }
    }
    Ok(overrides)
}

fn one(entry: &str) -> Option<Override> {
    let (date, day) = entry.split_once('=')?;
    let date = NaiveDate::parse_from_str(date.trim(), "%Y-%m-%d").ok()?;
    let day = match day.trim() {
        "closed" => Day::Closed,
        "open" => Day::Until(CLOSE),
        time => {
            let close = NaiveTime::parse_from_str(time, "%H:%M").ok()?;
            (close > OPEN && close < CLOSE).then_some(Day::Until(close))?
        }
    };
    Some((date, day))
}
