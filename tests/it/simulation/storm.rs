//! Periods in which parts of the system fail.

use std::time::Duration;

use crate::world::dice::Dice;

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Firestore,
    /// One provider, by its index; an index out of range means all.
    Provider(usize),
}

/// A period in which some of the requests to a target fail.
#[derive(Clone, Debug)]
pub(super) struct Storm {
    pub(super) target: Target,
    pub(super) from: Duration,
    pub(super) to: Duration,
    /// Percentage of requests affected.
    percent: u64,
    /// The only fault that occurs; none if any may.
    kind: Option<usize>,
}

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection is refused.
    Refused,
    /// The connection breaks before the request arrives.
    LostBefore,
    /// The connection breaks before the response arrives.
    LostAfter,
    /// The request never arrives, and there is no response.
    Hang,
    /// The request is carried out, but the response never arrives.
    HangAfter,
    /// The request arrives after this delay.
    Late(Duration),
    /// Refused with this status and not carried out.
    Status(u16, RetryAfter),
    /// Carried out, but answered with 503.
    StatusAfter,
    /// Single writes of a batch are refused with a retryable error.
    SomeWrites,
    /// A streamed response fails after its beginning.
    Stream(Break),
    /// The body is not JSON.
    Garbage,
    /// The body is JSON of another shape.
    WrongShape,
    /// The body breaks off.
    Truncated,
    /// Some tickers' entries are errors.
    TickerErrors,
    /// Some tickers have no entry.
    MissingEntries,
    /// Some records break their schema.
    BadRecords,
}

/// How a streamed response fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Break {
    /// An error follows after some elements.
    Error,
    /// It ends after some elements as if complete, but without `done`.
    Short,
    /// One element is missing; if it is the last one of a query, so is `done`.
    Missing,
    /// The body breaks off before its announced length.
    Truncated,
}

/// The `Retry-After` header of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RetryAfter {
    Nothing,
    Seconds(u64),
    /// As an HTTP date.
    Date(u64),
}

const STATUSES: [u16; 14] = [400, 401, 403, 404, 408, 413, 422, 429, 429, 429, 500, 502, 503, 504];
const FIRESTORE_STATUSES: [u16; 5] = [409, 429, 500, 503, 504];
const FIRESTORE_KINDS: usize = 10;
const PROVIDER_KINDS: usize = 14;

impl Storm {
    pub(super) fn draw(dice: &Dice, calm_at: Duration) -> Self {
        let calm_ms = u64::try_from(calm_at.as_millis()).expect("fits");
        let from = dice.millis(0, calm_ms);
        let length = dice.millis(100, calm_ms);
        let firestore = dice.chance(45);
        let target = if firestore { Target::Firestore } else { Target::Provider(dice.below(8)) };
        let kinds = if firestore { FIRESTORE_KINDS } else { PROVIDER_KINDS };
        Self {
            target,
            from,
            to: (from + length).min(calm_at),
            percent: dice.pick(&[3, 10, 30, 60, 100]),
            kind: dice.chance(60).then(|| dice.below(kinds)),
        }
    }

    /// Whether it may blame single tickers of a provider: errors in entries, refusals of a batch.
    pub(super) fn may_blame(&self, provider: usize) -> bool {
        let hits = matches!(self.target, Target::Provider(storm) if storm == provider || storm >= 4);
        hits && self.kind.is_none_or(|kind| kind >= 8)
    }

    /// Whether it affects a provider.
    pub(super) fn hits_provider(&self) -> bool {
        self.target != Target::Firestore
    }

    /// The fault of a request at this time, if any.
    pub(super) fn strike(&self, dice: &Dice, target: Target, now: Duration) -> Option<Fault> {
        let hit = match (self.target, target) {
            (Target::Firestore, Target::Firestore) => true,
            (Target::Provider(storm), Target::Provider(called)) => storm == called || storm >= 4,
            _ => false,
        };
        if !hit || now < self.from || now >= self.to || !dice.chance(self.percent) {
            return None;
        }
        Some(match target {
            Target::Firestore => {
                let kind = self.kind.unwrap_or_else(|| dice.below(FIRESTORE_KINDS));
                firestore_fault(kind, dice)
            }
            Target::Provider(_) => {
                let kind = self.kind.unwrap_or_else(|| dice.below(PROVIDER_KINDS));
                provider_fault(kind, dice)
            }
        })
    }
}

fn firestore_fault(kind: usize, dice: &Dice) -> Fault {
    match kind {
        0 => Fault::Refused,
        1 => Fault::LostBefore,
        2 => Fault::LostAfter,
        3 => Fault::Hang,
        4 => Fault::HangAfter,
        5 => Fault::Late(dice.millis(100, 30_000)),
        6 => Fault::StatusAfter,
        7 => Fault::SomeWrites,
        8 => Fault::Stream(dice.pick(&[Break::Error, Break::Short, Break::Missing, Break::Truncated])),
        _ => Fault::Status(dice.pick(&FIRESTORE_STATUSES), RetryAfter::Nothing),
    }
}

fn provider_fault(kind: usize, dice: &Dice) -> Fault {
    match kind {
        0 => Fault::Refused,
        1 => Fault::LostBefore,
        2 => Fault::LostAfter,
        3 => Fault::Hang,
        4 => Fault::Late(dice.millis(100, 60_000)),
        5 => Fault::Garbage,
        6 => Fault::WrongShape,
        7 => Fault::Truncated,
        8 => Fault::TickerErrors,
        9 => Fault::MissingEntries,
        10 => Fault::BadRecords,
        _ => {
            let seconds = dice.pick(&[0, 1, 30, 600]);
            let asked = [RetryAfter::Nothing, RetryAfter::Seconds(seconds), RetryAfter::Date(seconds)];
            Fault::Status(dice.pick(&STATUSES), dice.pick(&asked))
        }
    }
}
