//! What an answer says about the coverage: which cells are stored once its documents are, and which stay without.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use serde_json::Value as Json;

use crate::calendar::Calendar;
use crate::catalogue::Dataset;
use crate::catalogue::dataset::{DOUBTFUL, QUALITY_FIELD};
use crate::firestore::{DocumentPath, Fields, Value, Write};
use crate::intake::expectation::day_of_time;
use crate::intake::rejected::Rejected;
use crate::ledger::coverage::days::{Follows, has_windows};
use crate::run::Window;
use crate::run::cell::{Cell, CellState, WHOLE_MARKET};

/// How far an answer's holes and rejected records are followed back: one wrong date must not become thousands of cells.
const LOOK_BACK: Days = Days::new(120);

/// The cell of one document.
#[derive(Debug)]
pub(super) struct Found {
    pub document: DocumentPath,
    pub ticker: Arc<str>,
    pub date: NaiveDate,
    pub cell: Cell,
}

/// The cells of an answer.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// Cells that are stored once these documents are.
    pub found: Vec<Found>,
    /// Cells for which the answer has nothing.
    pub absent: Vec<(Arc<str>, NaiveDate, CellState)>,
    /// Without sessions: how many records each ticker has.
    pub records: BTreeMap<Arc<str>, usize>,
    /// Without sessions, of a window: how many it has of each day.
    pub by_day: BTreeMap<(Arc<str>, NaiveDate), usize>,
    /// The days that were requested, if they were.
    pub window: Option<Window>,
}

impl Cells {
    /// Reads an answer's records.
    pub(super) fn of(
        dataset: &Dataset,
        records: &[Write],
        rejected: &[Rejected],
        calendar: &Calendar,
        today: NaiveDate,
    ) -> Self {
        let follows = Follows::of(dataset);
        let mut cells = Self::default();
        let mut names = BTreeMap::<&str, Arc<str>>::new();
        let mut windows = BTreeMap::<Arc<str>, BTreeSet<NaiveDate>>::new();
        for record in records {
            let name = ticker_of(&record.fields);
            let ticker = names.entry(name).or_insert_with(|| Arc::from(name)).clone();
            if !follows.has_sessions() {
                *cells.records.entry(ticker).or_default() += 1;
                continue;
            }
            let Some(date) = follows.day_of(&record.fields) else { continue };
            if has_windows(dataset) {
                windows.entry(ticker.clone()).or_default().insert(date);
            }
            let cell = Cell::stored(codes_of(&record.fields));
            cells.found.push(Found { document: record.document.clone(), ticker, date, cell });
        }
        for (ticker, days) in &windows {
            cells.absent_within(ticker, days, calendar);
        }
        cells.reject(follows, rejected, calendar, today);
        cells
    }

    /// Reads the records of an answer to a request for a window; `days` are those of its days that have something to
    /// cover, `dated` is the field that says when a record is from.
    pub(super) fn of_window(
        dataset: &Dataset,
        records: &[Write],
        rejected: &[Rejected],
        window: Window,
        days: &[NaiveDate],
        dated: &str,
    ) -> Self {
        let follows = Follows::of(dataset);
        let mut cells = Self { window: Some(window), ..Self::default() };
        let mut answered = BTreeMap::<Arc<str>, BTreeSet<NaiveDate>>::new();
        for record in records {
            let name = ticker_of(&record.fields);
            let ticker =
                answered.get_key_value(name).map_or_else(|| Arc::from(name), |(name, _)| name.clone());
            let Some(date) = record.fields.get(dated).and_then(day_of_time) else { continue };
            answered.entry(ticker.clone()).or_default().insert(date);
            if follows.has_sessions() {
                let cell = Cell::stored(codes_of(&record.fields));
                cells.found.push(Found { document: record.document.clone(), ticker, date, cell });
            } else {
                *cells.by_day.entry((ticker, date)).or_default() += 1;
            }
        }
        // One that sends days far away has ignored the window: what it lacks may exist.
        answered.retain(|_, found| !found.iter().any(|day| window.is_far_from(*day)));
        for (ticker, found) in answered.iter().filter(|_| follows.has_sessions()) {
            let absent = days.iter().filter(|day| !found.contains(day));
            cells.absent.extend(absent.map(|day| (ticker.clone(), *day, CellState::Empty)));
        }
        cells.reject_on(follows, rejected, |day| days.contains(day));
        cells
    }

    /// Sessions between a ticker's oldest and newest record without one.
    fn absent_within(&mut self, ticker: &Arc<str>, days: &BTreeSet<NaiveDate>, calendar: &Calendar) {
        let (Some(first), Some(last)) = (days.first(), days.last()) else { return };
        let first = last.checked_sub_days(LOOK_BACK).map_or(*first, |back| back.max(*first));
        let absent = calendar.sessions(first..=*last).filter(|session| !days.contains(&session.date));
        self.absent.extend(absent.map(|session| (ticker.clone(), session.date, CellState::Empty)));
    }

    /// A rejected record is not stored, and its day is not empty either, if it is a session of late.
    fn reject(&mut self, follows: Follows, rejected: &[Rejected], calendar: &Calendar, today: NaiveDate) {
        let oldest = today.checked_sub_days(LOOK_BACK).unwrap_or(today);
        let is_recent =
            |date: &NaiveDate| (oldest..=today).contains(date) && calendar.session(*date).is_some();
        self.reject_on(follows, rejected, is_recent);
    }

    fn reject_on(&mut self, follows: Follows, rejected: &[Rejected], is_known: impl Fn(&NaiveDate) -> bool) {
        for Rejected { ticker, record, .. } in rejected {
            let record: Json = serde_json::from_slice(record).unwrap_or_default();
            if let (Some(ticker), Some(date)) = (ticker, follows.day_of_json(&record).filter(&is_known)) {
                self.absent.push((Arc::from(ticker.as_str()), date, CellState::Failed));
            }
        }
    }

    /// Without what a later answer may have changed: only what is stored.
    pub(super) fn stored_only(self) -> Self {
        Self { found: self.found, ..Self::default() }
    }

    /// These documents were not stored.
    pub(super) fn refuse<'a>(&mut self, documents: impl Iterator<Item = &'a DocumentPath>) {
        let documents: BTreeSet<_> = documents.collect();
        let refused = self.found.extract_if(.., |found| documents.contains(&found.document));
        let absent: Vec<_> = refused.map(|found| (found.ticker, found.date, CellState::Failed)).collect();
        self.absent.extend(absent);
    }
}

/// The ticker of a record, or the whole market.
pub(super) fn ticker_of(record: &Fields) -> &str {
    record.get("ticker").and_then(Value::as_str).unwrap_or(WHOLE_MARKET)
}

fn codes_of(record: &Fields) -> impl Iterator<Item = &str> {
    let codes = record.get(QUALITY_FIELD).and_then(Value::as_array).unwrap_or_default();
    codes.iter().filter_map(Value::as_str).filter(|code| DOUBTFUL.contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::find_dataset;
    use crate::firestore::value::fields;

    fn price(ticker: &str, date: &str) -> Write {
        let fields = fields([("ticker", Value::string(ticker)), ("date", Value::string(date))]);
        Write::overwrite(DocumentPath::new("prices_daily", &format!("{ticker}_{date}")), fields)
    }

    fn of(dataset: &str, records: &[Write], rejected: &[Rejected]) -> Cells {
        Cells::of(
            find_dataset(dataset).unwrap(),
            records,
            rejected,
            &Calendar::default(),
            "2026-11-27".parse().unwrap(),
        )
    }

    fn told(cells: &Cells) -> (Vec<String>, Vec<String>) {
        let found = cells
            .found
            .iter()
            .map(|found| format!("{} {} {}", found.ticker, found.date, found.cell.state.name()));
        let absent =
            cells.absent.iter().map(|(ticker, date, state)| format!("{ticker} {date} {}", state.name()));
        (found.collect(), absent.collect())
    }

    #[test]
    fn a_session_between_two_records_without_one_is_empty_and_a_holiday_is_not() {
        // Thanksgiving 2026 is on 26 November.
        let records = [
            price("A", "2026-11-23"),
            price("A", "2026-11-25"),
            price("A", "2026-11-27"),
            price("B", "2026-11-27"),
        ];
        let (found, absent) = told(&of("daily_prices", &records, &[]));
        assert_eq!(found.len(), 4);
        assert_eq!(absent, ["A 2026-11-24 empty"]);
    }

    #[test]
    fn a_doubtful_record_is_a_flagged_cell_and_a_rejected_one_a_failed_cell() {
        let mut record = price("A", "2026-11-23");
        record.fields.insert("quality".into(), Value::strings(["price_jump", "good"]));
        let dataset = find_dataset("daily_prices").unwrap();
        let ticker = crate::catalogue::Ticker::parse("A").unwrap();
        let json = serde_json::json!({"date": "2026-11-24", "close": -1});
        let rejected = Rejected::new(dataset, Some(&ticker), vec!["close".into()], json);
        let mut cells = of("daily_prices", &[record.clone()], &[rejected]);
        assert_eq!(told(&cells), (vec!["A 2026-11-23 flagged".into()], vec!["A 2026-11-24 failed".into()]));
        cells.refuse([&record.document].into_iter());
        assert_eq!(told(&cells), (vec![], vec!["A 2026-11-24 failed".into(), "A 2026-11-23 failed".into()]));
    }

    #[test]
    fn a_wrong_date_is_not_followed_through_all_sessions_since() {
        let records = [price("A", "2004-03-01"), price("A", "2026-11-27")];
        let (_, absent) = told(&of("daily_prices", &records, &[]));
        assert!((70..=90).contains(&absent.len()), "{}", absent.len());
        let dataset = find_dataset("daily_prices").unwrap();
        let ticker = crate::catalogue::Ticker::parse("A").unwrap();
        for date in ["1969-12-31", "2026-11-26", "2030-01-07"] {
            let json = serde_json::json!({"date": date, "close": -1});
            let rejected = Rejected::new(dataset, Some(&ticker), vec!["date".into()], json);
            assert_eq!(told(&of("daily_prices", &[], &[rejected])).1, Vec::<String>::new(), "{date}");
        }
    }

    #[test]
    fn without_sessions_records_are_counted() {
        let article = |ticker: Value| {
            let fields = fields([("ticker", ticker), ("article_id", Value::string("x"))]);
            Write::overwrite(DocumentPath::new("news", "x"), fields)
        };
        let news = of("finnhub_news", &[article(Value::string("A")), article(Value::string("A"))], &[]);
        assert_eq!(news.records, BTreeMap::from([(Arc::from("A"), 2)]));
        let market = of("market_news", &[article(Value::NULL)], &[]);
        assert_eq!(market.records, BTreeMap::from([(Arc::from(WHOLE_MARKET), 1)]));
    }
}
