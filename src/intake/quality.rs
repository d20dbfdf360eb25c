//! Doubtful records: stored, but marked. The mark is the field `quality`, a list of codes.

use chrono::{DateTime, NaiveDate, Utc};

use super::expectation::day_of;
use super::record::as_number;
use crate::catalogue::Dataset;
use crate::catalogue::dataset::{DOUBTFUL, Quality};
use crate::firestore::{Value, Write};

pub use crate::catalogue::dataset::QUALITY_FIELD;

/// The open is outside of the day's low and high.
const OPEN_OUTSIDE_RANGE: &str = "open_outside_range";
/// The close is outside of the day's low and high.
const CLOSE_OUTSIDE_RANGE: &str = "close_outside_range";
/// The close has moved by more than [`JUMP_MIN`] since the previous day, without split or dividend.
const PRICE_JUMP: &str = "price_jump";
/// The close has moved by a usual split ratio, without a split factor.
const SPLIT_WITHOUT_FACTOR: &str = "split_without_factor";
/// Close and volume are those of the previous day.
const REPEATED_DAY: &str = "repeated_day";
/// The answer has as many records as were asked for, even the larger number: more may exist. It says nothing against the records
/// in it, so it is not among [`DOUBTFUL`].
const CUT_AT_LIMIT: &str = "cut_at_limit";

/// Smallest movement of the close that is doubtful: the natural logarithm of the ratio.
const JUMP_MIN: f64 = 0.4;
/// Ratios of usual splits.
const SPLITS: [f64; 6] = [2.0, 3.0, 4.0, 5.0, 10.0, 20.0];
/// How far a movement may be from a split's ratio: a split day has a movement of its own.
const SPLIT_TOLERANCE: f64 = 0.1;
/// Prices are rounded to cents, each by itself.
const ROUNDING: f64 = 0.011;

/// One day's prices.
struct Bar {
    day: NaiveDate,
    /// Its place among the records.
    at: usize,
    close: f64,
    volume: f64,
    /// Whether a split or a dividend explains a movement.
    is_adjusted: bool,
    is_split: bool,
}

/// Whether a record is marked as doubtful.
pub fn is_flagged(record: &Write) -> bool {
    // A provider may have a field of its own under this name.
    let is_code = |code: &Value| code.as_str().is_some_and(|code| DOUBTFUL.contains(&code));
    matches!(record.fields.get(QUALITY_FIELD), Some(Value::Array { values }) if values.iter().any(is_code))
}

/// Whether a record says that its provider has changed earlier ones, as a split does with adjusted prices.
pub fn changes_history(dataset: &Dataset, record: &Write) -> bool {
    let mut fields = dataset.adjusts.iter();
    fields.any(|(field, neutral)| {
        number(record, field).is_some_and(|value| value > 0.0 && (value - neutral).abs() > f64::EPSILON)
    })
}

/// Whether a ticker's answer, in which the provider sent this many records, has as many as were asked for:
/// `is_enlarged` if that was the larger number.
pub fn is_cut(quality: Quality, sent: usize, is_enlarged: bool) -> bool {
    match quality {
        Quality::Limited { larger, .. } if is_enlarged => sent >= usize::from(larger),
        Quality::Limited { records, .. } => sent >= records,
        Quality::Unchecked | Quality::Bars => false,
    }
}

/// Whether an answer reaches back to a time up to which earlier runs have requested everything: then nothing is missing in
/// it, however many records it has. Without this, a provider that sends its latest ten articles of any age would be asked twice
/// for every ticker.
pub fn reaches_back(quality: Quality, records: &[Write], since: Option<DateTime<Utc>>) -> bool {
    let (Quality::Limited { dated, .. }, Some(since)) = (quality, since) else { return false };
    let time = |record: &Write| {
        let text = record.fields.get(dated)?.as_str()?;
        Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
    };
    records.iter().filter_map(time).any(|time| time <= since)
}

/// Marks the doubtful ones among the records of one ticker's answer.
pub fn flag(quality: Quality, records: &mut [Write]) {
    match quality {
        Quality::Unchecked | Quality::Limited { .. } => {}
        Quality::Bars => flag_bars(records),
    }
}

/// Marks the records of an answer that was cut although the larger number was asked for.
pub fn flag_cut(records: &mut [Write]) {
    for record in records {
        mark(record, CUT_AT_LIMIT);
    }
}

fn flag_bars(records: &mut [Write]) {
    let mut bars: Vec<Bar> = records.iter().enumerate().filter_map(|(at, record)| bar(at, record)).collect();
    bars.sort_by_key(|bar| bar.day);
    records.iter_mut().for_each(flag_range);
    for pair in bars.windows(2) {
        let [before, bar] = pair else { continue };
        let Some(record) = records.get_mut(bar.at) else { continue };
        if bar.day == before.day {
            continue;
        }
        let ratio = bar.close / before.close;
        let is_split = |split: &f64| {
            (ratio / split).ln().abs() < SPLIT_TOLERANCE || (ratio * split).ln().abs() < SPLIT_TOLERANCE
        };
        if !bar.is_split && SPLITS.iter().any(is_split) {
            mark(record, SPLIT_WITHOUT_FACTOR);
        } else if !bar.is_adjusted && ratio.ln().abs() > JUMP_MIN {
            mark(record, PRICE_JUMP);
        }
        #[expect(clippy::float_cmp, reason = "a repeated day has exactly the same numbers")]
        if bar.volume > 0.0 && bar.close == before.close && bar.volume == before.volume {
            mark(record, REPEATED_DAY);
        }
    }
}

fn number(record: &Write, field: &str) -> Option<f64> {
    record.fields.get(field).and_then(as_number)
}

fn bar(at: usize, record: &Write) -> Option<Bar> {
    let close = number(record, "close").filter(|close| *close > 0.0)?;
    let is_split = number(record, "split_factor")
        .is_some_and(|factor| factor > 0.0 && (factor - 1.0).abs() > f64::EPSILON);
    let has_dividend = number(record, "div_cash").is_some_and(|dividend| dividend > 0.0);
    Some(Bar {
        day: day_of(&record.fields, "date")?,
        at,
        close,
        volume: number(record, "volume").unwrap_or_default(),
        is_adjusted: is_split || has_dividend,
        is_split,
    })
}

fn flag_range(record: &mut Write) {
    let (Some(low), Some(high)) = (number(record, "low"), number(record, "high")) else { return };
    for (field, code) in [("open", OPEN_OUTSIDE_RANGE), ("close", CLOSE_OUTSIDE_RANGE)] {
        let is_outside =
            number(record, field).is_some_and(|price| price < low - ROUNDING || price > high + ROUNDING);
        if is_outside {
            mark(record, code);
        }
    }
}

fn mark(record: &mut Write, code: &str) {
    let is_ours =
        |value: &Value| value.as_str().is_some_and(|code| code == CUT_AT_LIMIT || DOUBTFUL.contains(&code));
    match record.fields.get_mut(QUALITY_FIELD) {
        Some(Value::Array { values }) if values.iter().all(is_ours) => values.push(Value::string(code)),
        // A field of the provider's own under this name gives way.
        _ => {
            let codes = Value::Array { values: vec![Value::string(code)] };
            record.fields.insert(QUALITY_FIELD.to_owned(), codes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firestore::DocumentPath;
    use crate::firestore::value::fields;

    /// Day, close, volume, split factor, dividend.
    type Given = (&'static str, f64, i64, f64, f64);

    fn bars(days: &[Given]) -> Vec<Write> {
        let bar = |(day, close, volume, split, dividend): &Given| {
            let record = fields([
                ("date", Value::string(*day)),
                ("open", Value::Double(*close)),
                ("high", Value::Double(close + 1.0)),
                ("low", Value::Double(close - 1.0)),
                ("close", Value::Double(*close)),
                ("volume", Value::Integer(*volume)),
                ("split_factor", Value::Double(*split)),
                ("div_cash", Value::Double(*dividend)),
            ]);
            Write::overwrite(DocumentPath::new("prices", day), record)
        };
        days.iter().map(bar).collect()
    }

    fn codes(record: &Write) -> Vec<&str> {
        match record.fields.get(QUALITY_FIELD) {
            Some(Value::Array { values }) => values.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    fn check(days: &[Given], expect: &[&[&str]]) {
        let mut records = bars(days);
        flag(Quality::Bars, &mut records);
        let found: Vec<_> = records.iter().map(codes).collect();
        assert_eq!(found, expect);
        let flagged: Vec<_> = records.iter().map(is_flagged).collect();
        assert_eq!(flagged, expect.iter().map(|codes| !codes.is_empty()).collect::<Vec<_>>());
    }

    #[test]
    fn every_code_but_that_of_a_cut_answer_is_a_doubt() {
        let codes = [OPEN_OUTSIDE_RANGE, CLOSE_OUTSIDE_RANGE, PRICE_JUMP, SPLIT_WITHOUT_FACTOR, REPEATED_DAY];
        assert_eq!(codes, DOUBTFUL);
    }

    #[test]
    fn usual_days_are_not_doubtful() {
        let usual = [
            ("2026-11-23", 100.0, 5, 1.0, 0.0),
            ("2026-11-24", 125.0, 6, 1.0, 0.0),
            ("2026-11-25", 90.0, 7, 1.0, 0.0),
        ];
        check(&usual, &[&[], &[], &[]]);
        check(&[], &[]);
        // A halted share has no volume, day after day.
        check(&[("2026-11-23", 5.0, 0, 1.0, 0.0), ("2026-11-24", 5.0, 0, 1.0, 0.0)], &[&[], &[]]);
    }

    #[test]
    fn a_jump_is_doubtful_unless_a_split_or_a_dividend_explains_it() {
        check(
            &[("2026-11-23", 100.0, 5, 1.0, 0.0), ("2026-11-24", 160.0, 6, 1.0, 0.0)],
            &[&[], &[PRICE_JUMP]],
        );
        check(&[("2026-11-23", 100.0, 5, 1.0, 0.0), ("2026-11-24", 160.0, 6, 1.0, 9.0)], &[&[], &[]]);
        check(&[("2026-11-23", 100.0, 5, 1.0, 0.0), ("2026-11-24", 16.0, 6, 6.0, 0.0)], &[&[], &[]]);
    }

    #[test]
    fn the_ratio_of_a_split_needs_its_factor_in_both_directions_and_any_order() {
        check(
            &[("2026-11-24", 51.0, 6, 1.0, 0.0), ("2026-11-23", 100.0, 5, 1.0, 0.0)],
            &[&[SPLIT_WITHOUT_FACTOR], &[]],
        );
        check(
            &[("2026-11-23", 10.0, 5, 1.0, 0.0), ("2026-11-24", 203.0, 6, 1.0, 0.0)],
            &[&[], &[SPLIT_WITHOUT_FACTOR]],
        );
        check(&[("2026-11-23", 100.0, 5, 1.0, 0.0), ("2026-11-24", 50.0, 6, 2.0, 0.0)], &[&[], &[]]);
    }

    #[test]
    fn a_day_that_repeats_the_one_before_is_doubtful() {
        check(
            &[("2026-11-23", 100.0, 5, 1.0, 0.0), ("2026-11-24", 100.0, 5, 1.0, 0.0)],
            &[&[], &[REPEATED_DAY]],
        );
        check(&[("2026-11-23", 100.0, 5, 1.0, 0.0), ("2026-11-24", 100.0, 6, 1.0, 0.0)], &[&[], &[]]);
    }

    #[test]
    fn open_and_close_lie_within_the_days_range_but_for_rounding() {
        let mut records = bars(&[("2026-11-23", 100.0, 5, 1.0, 0.0)]);
        records[0].fields.insert("open".into(), Value::Double(101.01));
        flag(Quality::Bars, &mut records);
        assert_eq!(codes(&records[0]), Vec::<&str>::new());
        records[0].fields.insert("open".into(), Value::Double(101.02));
        records[0].fields.insert("close".into(), Value::Integer(98));
        flag(Quality::Bars, &mut records);
        assert_eq!(codes(&records[0]), [OPEN_OUTSIDE_RANGE, CLOSE_OUTSIDE_RANGE]);
    }

    #[test]
    fn an_answer_at_the_providers_limit_may_be_cut() {
        let mut records = bars(&[("2026-11-23", 1.0, 5, 1.0, 0.0), ("2026-11-24", 1.0, 5, 1.0, 0.0)]);
        let limited = Quality::Limited { records: 2, parameter: "limit", larger: 5, dated: "at" };
        let cut = |is_enlarged| [1, 2, 4, 5].map(|sent| is_cut(limited, sent, is_enlarged));
        assert_eq!(cut(false), [false, true, true, true]);
        assert_eq!(cut(true), [false, false, false, true]);
        assert!(!is_cut(Quality::Bars, 1_000, false), "the others have no limit");
        flag_cut(&mut records);
        assert_eq!(codes(&records[1]), [CUT_AT_LIMIT]);
        assert!(!records.iter().any(is_flagged), "that says nothing against the records");
    }

    #[test]
    fn an_answer_that_reaches_back_to_what_is_known_is_not_cut() {
        let limited = Quality::Limited { records: 2, parameter: "limit", larger: 5, dated: "at" };
        let article = |time: &str| {
            let fields = fields([("at", Value::string(time))]);
            Write::overwrite(DocumentPath::new("news", time), fields)
        };
        let records = [article("2026-11-25T15:00:00Z"), article("soon"), article("2026-11-25T12:00:00Z")];
        let since = |text: &str| Some(text.parse::<DateTime<Utc>>().unwrap());
        assert!(reaches_back(limited, &records, since("2026-11-25T12:00:00Z")));
        assert!(!reaches_back(limited, &records, since("2026-11-25T11:59:59Z")));
        assert!(!reaches_back(limited, &records, None), "of past days, nothing is known before");
        assert!(!reaches_back(Quality::Bars, &records, since("2026-11-26T00:00:00Z")));
    }

    #[test]
    fn a_providers_own_field_of_that_name_is_no_mark() {
        let mut records = bars(&[("2026-11-23", 1.0, 5, 1.0, 0.0)]);
        for own in [Value::string("good"), Value::Array { values: vec![Value::string("good")] }] {
            records[0].fields.insert(QUALITY_FIELD.into(), own);
            assert!(!is_flagged(&records[0]));
            records[0].fields.insert("close".into(), Value::Double(1_000.0));
            let mut marked = records.clone();
            flag(Quality::Bars, &mut marked);
            assert_eq!(codes(&marked[0]), [CLOSE_OUTSIDE_RANGE], "it gives way to ours");
        }
    }
}
