//! A run in one sentence, for people.

use super::{Outcome, Replay, RunState, Status};
use crate::base::text;

impl RunState {
    /// Its status, in one sentence.
    pub fn message(&self) -> String {
        let done = format!(
            "{} of {} processed, {} stored{}",
            self.tickers_processed(),
            tickers(self.tickers_requested),
            text::count(self.counts.records_stored(), "record"),
            self.old_news()
        );
        let stopped = self.stopped.as_deref().unwrap_or("calls failed");
        let left_out = match self.watchlist_problems.count {
            0 => String::new(),
            1 => "; 1 watchlist document cannot be read".to_owned(),
            count => format!("; {count} watchlist documents cannot be read"),
        };
        if let Some(replay) = &self.replay {
            return self.message_of_replay(replay);
        }
        match self.status {
            Status::Skipped => format!("skipped, {}", self.skipped.as_deref().unwrap_or("nothing to do")),
            // Before the first checkpoint after the tickers are known, there is nothing to count.
            Status::Running => {
                let asked = if self.cancelled.is_some() { "being cancelled" } else { "running" };
                let so_far = if self.planned { &done } else { "resolving tickers" };
                format!("{asked}: {so_far}")
            }
            Status::Cancelled if !self.planned => format!("{stopped}; it had not started"),
            Status::Cancelled => match self.tickers_pending() {
                _ if self.pending.is_empty() => format!("{stopped}; {done}"),
                0 => format!("{stopped}; {done}; the call is left"),
                1 => format!("{stopped}; {done}; 1 ticker is left"),
                tickers => format!("{stopped}; {done}; {tickers} tickers are left"),
            },
            Status::Failed if !self.planned => format!("not started: {stopped}"),
            Status::Failed if self.has_pending() => {
                let left = match self.tickers_pending() {
                    0 => "the call is".to_owned(),
                    1 => "1 ticker is".to_owned(),
                    tickers => format!("{tickers} tickers are"),
                };
                format!("{done}; {left} left for the next attempt: {stopped}")
            }
            Status::Failed if self.stopped.is_some() => format!("{done}, but {stopped}"),
            Status::Failed => match (self.others_short().strip_suffix(", "), self.tickers_failed()) {
                (Some(others), 0) => format!("{done}; no current data: {others}"),
                (Some(others), failed) => format!("{done}; no current data: {failed} failed, {others}"),
                (None, _) => format!("{done}; nothing succeeded"),
            },
            _ if let Some(backfill) = self.backfill.filter(|_| self.tickers_requested == 0) => {
                format!("nothing to fill from {} to {}{left_out}", backfill.window.from, backfill.window.to)
            }
            _ if self.tickers_requested == 0 && self.counts.calls == 0 => {
                format!("the scope {} has no tickers: nothing to do{left_out}", self.identity.scope)
            }
            Status::Partial => {
                let failed = self.tickers_failed();
                let (failed, rejected) =
                    (tickers(failed), text::count(self.counts.records_rejected(), "record"));
                let others = self.others_short();
                format!("{done}; {failed} failed, {others}{rejected} rejected{left_out}")
            }
            Status::Succeeded => done,
        }
    }

    fn message_of_replay(&self, replay: &Replay) -> String {
        let superseded = match replay.records_superseded {
            0 => String::new(),
            count => format!(", {} superseded since", text::count(count, "record")),
        };
        let rejected = match self.counts.records_rejected() {
            0 => String::new(),
            count => format!(", {} rejected", text::count(count, "record")),
        };
        let unreadable = match replay.answers_unreadable {
            0 => String::new(),
            count => format!("; {} cannot be read any more", text::count(count, "answer")),
        };
        let done = format!(
            "{} of {} of {} taken in once more, {} written{}{superseded}{rejected}{unreadable}",
            text::count(replay.answers, "answer"),
            replay.runs_done,
            text::count(u64::try_from(replay.runs.len()).unwrap_or(u64::MAX), "run"),
            text::count(self.counts.records_stored(), "record"),
            self.old_news(),
        );
        let stopped = self.stopped.as_deref().unwrap_or("something is left to do");
        match self.status {
            Status::Running if self.cancelled.is_some() => format!("being cancelled: {done}"),
            Status::Running => format!("running: {done}"),
            Status::Failed | Status::Cancelled => format!("{done}; {stopped}"),
            Status::Succeeded | Status::Partial | Status::Skipped => done,
        }
    }

    /// Records that were stored before: ` (3 of them revised), 40 unchanged`.
    fn old_news(&self) -> String {
        let revised = match self.counts.records_revised {
            0 => String::new(),
            revised => format!(" ({revised} of them revised)"),
        };
        match self.counts.records_unchanged {
            0 => revised,
            unchanged => format!("{revised}, {unchanged} unchanged"),
        }
    }

    /// Tickers that came short without having failed: `3 empty, 2 stale, `.
    fn others_short(&self) -> String {
        let outcomes = [Outcome::Empty, Outcome::Stale, Outcome::Deferred].into_iter();
        let mut told = String::new();
        for outcome in outcomes {
            let count = self.tickers_short(outcome);
            if count > 0 {
                told = format!("{told}{count} {}, ", outcome.name());
            }
        }
        told
    }
}

fn tickers(number: usize) -> String {
    text::count(u64::try_from(number).unwrap_or(u64::MAX), "ticker")
}
