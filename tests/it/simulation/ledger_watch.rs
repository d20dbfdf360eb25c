//! Checks every write to the ledger: an entry has one owner at a time and is taken over only when allowed.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use orchestrator::ledger::entry::Entry;
use orchestrator::run::{RunState, Status};

use super::instance::Identity;
use super::order_watch;
use super::stage::Stage;
use sim::firestore::memory::Fields;

/// An entry after its latest write.
#[derive(Clone, Debug)]
pub(super) struct View {
    owner: String,
    lease: Duration,
    /// When it last changed, by Firestore's clock.
    changed_at: DateTime<Utc>,
    /// When its owner claimed it.
    claimed_at: DateTime<Utc>,
    pub(super) state: RunState,
}

impl View {
    pub(super) fn changed_at(&self) -> DateTime<Utc> {
        self.changed_at
    }

    pub(super) fn claimed_at(&self) -> DateTime<Utc> {
        self.claimed_at
    }
}

/// Reads an entry as the component would.
pub(super) fn entry(fields: &Fields) -> Entry {
    let typed = serde_json::from_value(fields.clone().into()).expect("fields are values");
    Entry::from_fields(&typed).expect("the ledger's entries can be read")
}

/// Checks what a request from `from` has written to the ledger.
pub(super) fn check_written(stage: &Stage, from: &Identity, written: &[String]) {
    for path in written.iter().filter(|path| path.starts_with("ingestion_runs/")) {
        let name = format!("{}/documents/{path}", stage.database);
        let stored = stage.store().documents()[&name].clone();
        let entry = entry(&stored.fields);
        let (owner, lease, state) = (entry.owner, entry.lease, entry.state);
        let changed_at = stored.update_time;
        let before = stage.journal().ledger.get(path).filter(|old| old.owner == owner).map(View::claimed_at);
        let claimed_at = before.unwrap_or(changed_at);
        let new = View { owner, lease, changed_at, claimed_at, state };
        let old = stage.journal().ledger.insert(path.clone(), new.clone());
        stage.tell(format!(
            "{} writes {path}: {} attempt {}, {} pending",
            from.name(),
            new.state.status.name(),
            new.state.attempt.number,
            new.state.tickers_pending()
        ));
        let is_resumed = stage.journal().resumed.contains(&new.state.identity.run_id);
        order_watch::check_written(stage, path, old.as_ref(), &new);
        if let Some(fault) = fault(old.as_ref(), &new, is_resumed) {
            stage.accuse(format!("{} wrote {path}: {fault}", from.name()));
        }
    }
}

/// What is wrong with a write that turns `old` into `new`, by Firestore's clock.
fn fault(old: Option<&View>, new: &View, is_resumed: bool) -> Option<String> {
    let Some(old) = old else {
        let begins = matches!(new.state.status, Status::Running | Status::Skipped);
        let first = new.state.attempt.number == 1 && begins;
        return (!first).then(|| "the first write is not a claim".to_owned());
    };
    // An operator may resume a run to retry what failed, and to run what was skipped.
    let is_skipped = old.state.status == Status::Skipped;
    let again =
        (old.state.can_try_again() || is_skipped) && new.owner != old.owner && new.state.has_pending();
    if (old.state.status.is_success() || is_skipped) && !again {
        return Some(format!("it was finished already, as {}", old.state.status.name()));
    }
    if old.state.status == Status::Cancelled && (new.owner == old.owner || !is_resumed) {
        return Some("it was cancelled, and nobody has resumed it".to_owned());
    }
    if let Some(imbalance) = new.state.imbalance() {
        return Some(imbalance);
    }
    let mut seen = BTreeSet::new();
    let mut units = new.state.units();
    if let Some(unit) = units.find(|unit| !seen.insert((unit.endpoint, unit.window, unit.ticker))) {
        return Some(format!("the work on {:?} at {} has two outcomes", unit.ticker, unit.endpoint));
    }
    if new.owner == old.owner {
        let same =
            new.state.attempt.number == old.state.attempt.number && old.state.status == Status::Running;
        return (!same).then(|| "its owner had closed it already".to_owned());
    }
    let silence = (new.changed_at - old.changed_at).to_std().unwrap_or_default();
    if new.state.status == Status::Cancelled {
        // By whoever found that nobody works on it.
        let lives = old.state.status == Status::Running && silence < old.lease;
        let same = new.state.attempt.number == old.state.attempt.number;
        return (lives || !same).then(|| format!("cancelled {silence:?} after its owner wrote it"));
    }
    if new.state.attempt.number != old.state.attempt.number + 1 {
        return Some(format!(
            "attempt {} after attempt {}",
            new.state.attempt.number, old.state.attempt.number
        ));
    }
    let wait = Duration::from_millis(old.state.publish_wait_ms.unwrap_or_default());
    if silence < wait && !is_resumed {
        return Some(format!("taken up {:?} before its data is due", wait.saturating_sub(silence)));
    }
    if old.state.status == Status::Running && silence < old.lease {
        return Some(format!("taken over {:?} before the lease ended", old.lease.saturating_sub(silence)));
    }
    None
}
