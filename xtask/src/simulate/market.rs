//! Mutants that the tests of the market and of the ledger must catch: backfills, the watch, healing, orders, pauses and replays.

use super::patch::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "the watch takes a run whose owner is alive",
        file: "src/ledger/mod.rs",
        old: "if let Some(claim) = self.take_over(run_id, Some(&state.request_digest), &owner, beside).await? {",
        new: "let Some(document) = self.firestore.get(&self.document(run_id)).await? else { return Ok(None) };\n            let mut state = state;\n            state.resume(self.world.clock.now());\n            let unchanged = Precondition::UnchangedSince(document.update_time);\n            let owned = self.own(state, &owner, unchanged, beside).await?;\n            if let Some(claim) = owned.map(|owned| Claim::Owned(Box::new(owned))) {",
    },
    Mutant {
        name: "an owner does not look for orders between two checkpoints",
        file: "src/engine/execute/watch.rs",
        old: "(self.seen_at + LOOK_INTERVAL).since(now))",
        new: "(self.seen_at + LOOK_INTERVAL * 1_000).since(now))",
    },
    Mutant {
        name: "what is stored is requested again",
        file: "src/run/backfill.rs",
        old: "(_, Some(CellState::Stored | CellState::Flagged)) => false,",
        new: "(_, Some(CellState::Stored | CellState::Flagged)) => true,",
    },
    Mutant {
        name: "what the provider had nothing for is never requested again",
        file: "src/engine/watch/heal.rs",
        old: "only: Only::Empty, insists: false",
        new: "only: Only::Missing, insists: false",
    },
    Mutant {
        name: "only the last session is healed",
        file: "src/engine/watch/heal.rs",
        old: "let from = ticks.calendar.sessions_back(last, sessions)?;",
        new: "let from = ticks.calendar.sessions_back(last, sessions.min(1))?;",
    },
    Mutant {
        name: "a job is healed once and for all",
        file: "src/engine/watch/heal.rs",
        old: "format!(\"{}_heal_{last}\", job.name)",
        new: "format!(\"{}_heal_{sessions}\", job.name)",
    },
    Mutant {
        name: "a paused job is healed",
        file: "src/engine/watch/mod.rs",
        old: "trigger.backfill.filter(|_| !pause.is_some_and(|pause| pause.is_active(now)))",
        new: "trigger.backfill.filter(|_| !pause.is_some_and(|pause| !pause.is_active(now)))",
    },
    Mutant {
        name: "the watch leaves a run whose owner has died",
        file: "src/engine/watch/due.rs",
        old: "        Status::Running => true,",
        new: "        Status::Running => false,",
    },
    Mutant {
        name: "the watch leaves what has failed",
        file: "src/engine/watch/due.rs",
        old: "let has_work = run.stopped.is_some();",
        new: "let has_work = run.stopped.is_none();",
    },
    Mutant {
        name: "a split that a backfill brings is not noted",
        file: "src/engine/execute/adjusted.rs",
        old: "self.state.backfill.is_some_and(|backfill| backfill.only == Only::All);",
        new: "self.state.backfill.is_some_and(|backfill| backfill.only != Only::Failed);",
    },
    Mutant {
        name: "a history is requested only where it has holes",
        file: "src/engine/watch/heal.rs",
        old: "window, only: Only::All, insists: true",
        new: "window, only: Only::Missing, insists: true",
    },
    Mutant {
        name: "a history that comes short is left so",
        file: "src/engine/watch/heal.rs",
        old: "window, only: Only::All, insists: true",
        new: "window, only: Only::All, insists: false",
    },
    Mutant {
        name: "one history a day is requested",
        file: "src/engine/watch/heal.rs",
        old: "let run_id = format!(\"{}_adjust_{day}_{}\", job.name, digest.get(..16)?);",
        new: "let run_id = format!(\"{}_adjust_{day}_{}\", job.name, digest.get(..0)?);",
    },
    Mutant {
        name: "a backfill does not give way",
        file: "src/engine/execute/background.rs",
        old: "last.took.saturating_mul(PAUSE_CALLS).min(PAUSE_MAX)",
        new: "last.took.saturating_mul(PAUSE_CALLS / 19).min(PAUSE_MAX)",
    },
    Mutant {
        name: "an answer that lacks what is stored is believed",
        file: "src/engine/execute/coverage/windows.rs",
        old: "names.contains(ticker.as_str()) && !known.contains(ticker);",
        new: "names.contains(ticker.as_str()) && known.contains(ticker);",
    },
    Mutant {
        name: "a day between two windows is lost",
        file: "src/run/window.rs",
        old: "Some(before) => to = before,",
        new: "Some(before) => to = before - Days::new(1),",
    },
    Mutant {
        name: "a window ends at its first hole",
        file: "src/engine/backfill.rs",
        old: "Window { from: days.from.min(date), to: days.to.max(date) }",
        new: "Window { from: days.from.min(date), to: days.to.min(date) }",
    },
    Mutant {
        name: "an answer may be as large as it gets",
        file: "src/engine/backfill.rs",
        old: "usize::try_from(RECORDS_MAX / each).unwrap_or(batch_max).clamp(1, batch_max)",
        new: "usize::try_from(RECORDS_MAX / each).unwrap_or(batch_max).max(batch_max)",
    },
    Mutant {
        name: "the newest run is resumed first",
        file: "src/engine/orders.rs",
        old: "found.into_iter().rev().take(wanted.limit)",
        new: "found.into_iter().take(wanted.limit)",
    },
    Mutant {
        name: "a run that is cancelled counts nowhere",
        file: "src/ledger/cancel.rs",
        old: "let writes: Vec<_> = [write, statistics].into_iter().chain(beside).collect();",
        new: "drop(statistics);\n        let writes: Vec<_> = std::iter::once(write).chain(beside).collect();",
    },
    Mutant {
        name: "who cancels a run undoes what its owner writes meanwhile",
        file: "src/ledger/cancel.rs",
        old: "let asked = asked.only_if(Precondition::UnchangedSince(update_time));",
        new: "let _ = update_time;",
    },
    Mutant {
        name: "an order of a person is lost",
        file: "src/ledger/cancel.rs",
        old: "std::iter::once(asked).chain(beside.iter().cloned()).collect();",
        new: "std::iter::once(asked).chain(beside.iter().take(0).cloned()).collect();",
    },
    Mutant {
        name: "a pause has no end",
        file: "src/ledger/pauses.rs",
        old: "Pause::of(&document).filter(|pause| pause.is_active(document.read_time))",
        new: "Pause::of(&document).filter(|pause| pause.is_active(DateTime::UNIX_EPOCH))",
    },
    Mutant {
        name: "a replay stamps its records with the time of today",
        file: "src/engine/execute/recall.rs",
        old: "        requested_at: received_at,\n        latency: Duration::ZERO,\n        received_at,",
        new: "        requested_at: received_at,\n        latency: Duration::ZERO,\n        received_at: received_at + chrono::TimeDelta::days(30),",
    },
];
