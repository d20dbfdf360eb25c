//! Which tickers' earlier records have changed, according to the newest ones.

use super::Execution;
use crate::catalogue::Ticker;
use crate::firestore::Value;
use crate::intake::answer::Intake;
use crate::intake::quality;
use crate::ledger::coverage::days::Follows;
use crate::run::backfill::Only;

/// Sessions in which a change is news: what is older was seen when it was new, or when its hole was filled.
const NEWS_SESSIONS: usize = 5;

impl Execution<'_> {
    /// Notes the tickers of which a recent record says that earlier ones have changed.
    pub(super) fn note_adjusted(&mut self, intake: &Intake) {
        let dataset = intake.dataset;
        let follows = Follows::of(dataset);
        // A run that requests whole histories is what follows from such a change.
        let is_refetch = self.state.backfill.is_some_and(|backfill| backfill.only == Only::All);
        if dataset.adjusts.is_empty() || is_refetch {
            return;
        }
        let calendar = self.coverage.calendar();
        let latest = calendar.latest_published_by(self.run.tick);
        let first = latest.and_then(|latest| calendar.sessions_back(latest.date, NEWS_SESSIONS));
        let Some(first) = first else { return };
        for record in intake.records.iter().filter(|record| quality::changes_history(dataset, record)) {
            let ticker = record.fields.get("ticker").and_then(Value::as_str).map(Ticker::parse);
            let day = follows.day_of(&record.fields).filter(|day| *day >= first);
            let (Some(Ok(ticker)), Some(day)) = (ticker, day) else { continue };
            let known = self.state.adjusted.entry(day).or_default();
            if !known.contains(&ticker) {
                known.push(ticker);
            }
        }
    }
}
