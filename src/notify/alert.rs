//! What is known about an alert: whether it was firing at the last look, which changes were told to whom.
//!
//! Pure: decides what becomes of it when it holds, or no longer holds.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

use super::target::Target;
use crate::ops::alerts::{Alert, Severity};

/// An alert has to be gone for this long before it counts as resolved: one that comes and goes is told once.
const QUIET: TimeDelta = TimeDelta::minutes(5);
/// A watch that has not said for this long what it has told is taken for dead. Longer than a watch works.
pub const CLAIM: TimeDelta = TimeDelta::seconds(60);
/// Changes of one alert that are kept for a target that takes no messages; older ones are not told.
const CHANGES_MAX: usize = 20;
/// Changes that no target has taken within this time are not told any more.
const TOO_OLD: TimeDelta = TimeDelta::hours(24);

/// Whether an alert holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Firing,
    Resolved,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// A time of Firestore's clock, which all instances share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The time of the write that stores it.
    Now,
    At(DateTime<Utc>),
}

/// What an alert is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    pub alert: String,
    pub job: Option<String>,
    pub provider: Option<String>,
    pub dataset: Option<String>,
}

/// A change that is told: it began to hold, became more severe, or no longer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The same in every message about it.
    pub id: String,
    pub state: State,
    pub at: DateTime<Utc>,
    pub severity: Severity,
    /// As it was when it began to hold, or became more severe.
    pub message: String,
    pub since: Option<DateTime<Utc>>,
    /// The targets that have not taken it, each with its latest error.
    pub pending: Vec<(Target, Option<String>)>,
}

impl Change {
    /// Whether a target has not taken it.
    pub fn is_pending(&self, target: Target) -> bool {
        self.pending.iter().any(|(pending, _)| *pending == target)
    }
}

/// What is stored about an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub subject: Subject,
    pub state: State,
    pub severity: Severity,
    pub message: String,
    pub since: Option<DateTime<Utc>>,
    pub changed_at: Option<DateTime<Utc>>,
    /// Since when it has not held, while it does not count as resolved.
    pub quiet_since: Option<Moment>,
    /// Oldest first; without those that all targets have taken.
    pub changes: Vec<Change>,
    /// The watch that is telling the changes.
    pub claim: Option<(String, Moment)>,
}

/// What a watch has found out about an alert.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    Holds(&'a Alert),
    Gone,
    /// It could not be evaluated.
    Unknown,
}

/// The circumstances of a decision.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    pub targets: &'a [Target],
    /// The watch's own clock.
    pub now: DateTime<Utc>,
    /// The time at which the alert's document was read, by Firestore's clock.
    pub read_at: DateTime<Utc>,
    /// The id of a new change.
    pub id: &'a str,
    /// Who is looking.
    pub watch: &'a str,
}

impl Known {
    fn of(alert: &Alert) -> Self {
        let text = |name: Option<&str>| name.map(ToOwned::to_owned);
        Self {
            subject: Subject {
                alert: alert.alert.to_owned(),
                job: text(alert.job),
                provider: text(alert.provider),
                dataset: text(alert.dataset),
            },
            state: State::Resolved,
            severity: alert.severity,
            message: String::new(),
            since: None,
            changed_at: None,
            quiet_since: None,
            changes: Vec::new(),
            claim: None,
        }
    }

    /// Whether another watch is telling its changes.
    pub fn is_claimed(&self, look: &Look<'_>) -> bool {
        match &self.claim {
            Some((by, Moment::At(at))) => by != look.watch && look.read_at - *at < CLAIM,
            Some((by, Moment::Now)) => by != look.watch,
            None => false,
        }
    }

    pub fn is_claimed_by(&self, watch: &str) -> bool {
        self.claim.as_ref().is_some_and(|(by, _)| by == watch)
    }

    /// What becomes of an alert; none if nothing changes. Changes to tell are claimed by this watch.
    pub fn next(stored: Option<&Self>, found: Found<'_>, look: &Look<'_>) -> Option<Self> {
        let mut next = match (stored, found) {
            (Some(known), _) => known.clone(),
            (None, Found::Holds(alert)) => Self::of(alert),
            (None, _) => return None,
        };
        if next.is_claimed(look) {
            return None;
        }
        next.claim = None;
        next.find(found, look);
        next.forget(look);
        if next.changes.iter().any(|change| !change.pending.is_empty()) {
            next.claim = Some((look.watch.to_owned(), Moment::Now));
        }
        (Some(&next) != stored).then_some(next)
    }

    fn find(&mut self, found: Found<'_>, look: &Look<'_>) {
        match (self.state, found) {
            (_, Found::Unknown) | (State::Resolved, Found::Gone) => {}
            (State::Resolved, Found::Holds(alert)) => self.fire(alert, look),
            (State::Firing, Found::Holds(alert)) => {
                self.quiet_since = None;
                // A lower severity is no news, and one that goes up and down is told once.
                if alert.severity > self.severity {
                    self.fire(alert, look);
                }
            }
            (State::Firing, Found::Gone) => match self.quiet_since {
                None => self.quiet_since = Some(Moment::Now),
                Some(Moment::At(since)) if look.read_at - since >= QUIET => {
                    self.quiet_since = None;
                    self.change(State::Resolved, look);
                }
                Some(_) => {}
            },
        }
    }

    fn fire(&mut self, alert: &Alert, look: &Look<'_>) {
        self.severity = alert.severity;
        self.message.clone_from(&alert.message);
        self.since = alert.since.map(stored);
        self.quiet_since = None;
        self.change(State::Firing, look);
    }

    fn change(&mut self, state: State, look: &Look<'_>) {
        self.state = state;
        let at = stored(look.now);
        self.changed_at = Some(at);
        let change = Change {
            id: look.id.to_owned(),
            state,
            at,
            severity: self.severity,
            message: self.message.clone(),
            since: self.since,
            pending: look.targets.iter().map(|target| (*target, None)).collect(),
        };
        self.changes.push(change);
    }

    /// Drops what will not be told any more.
    fn forget(&mut self, look: &Look<'_>) {
        for change in &mut self.changes {
            change.pending.retain(|(target, _)| look.targets.contains(target));
        }
        self.changes.retain(|change| !change.pending.is_empty() && look.now - change.at < TOO_OLD);
        let too_many = self.changes.len().saturating_sub(CHANGES_MAX);
        self.changes.drain(..too_many);
    }

    /// Takes in what became of messages of a watch, and ends its claim. It may be repeated.
    #[must_use]
    pub fn told(&self, results: &[Told], watch: &str) -> Self {
        let mut next = self.clone();
        for Told { change, target, error } in results {
            let Some(change) = next.changes.iter_mut().find(|known| known.id == *change) else { continue };
            match error {
                None => change.pending.retain(|(pending, _)| pending != target),
                Some(error) => {
                    let pending = change.pending.iter_mut().find(|(pending, _)| pending == target);
                    if let Some((_, latest)) = pending {
                        *latest = Some(error.clone());
                    }
                }
            }
        }
        next.changes.retain(|change| !change.pending.is_empty());
        if next.is_claimed_by(watch) {
            next.claim = None;
        }
        next
    }
}

/// A time as Firestore keeps it: a message must not change when it is repeated by what was stored.
fn stored(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The id of the change.
    pub change: String,
    pub target: Target,
    /// Why it was not taken.
    pub error: Option<String>,
}

#[cfg(test)]
mod tests;
