//! When the loop wakes up although nothing has arrived, and why.

use std::time::Duration;

/// Shortest sleep: whatever is due now is done now, the rest may wait this long.
const SLEEP_MIN: Duration = Duration::from_millis(1);
/// Longest sleep while waiting for a turn to call; the list of callers is read again after it.
const SHARE_POLL: Duration = Duration::from_millis(50);

/// A reason to wake up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Calls in flight are cut off.
    HardDeadline,
    /// Another instance may take over the run.
    LeaseEnd,
    /// Progress must be recorded, or the lease renewed.
    Checkpoint,
    /// There may be an order to stop the run.
    Look,
    /// What is stored must be recorded in the coverage.
    Coverage,
    /// No further call may start.
    SoftDeadline,
    /// The run must maintain its place in the list of callers.
    Upkeep,
    /// The provider may be called again.
    PauseOver,
    /// A batch that waits for its retry may go out.
    Retry,
    /// Other runs may have made room for this one.
    SharePoll,
}

/// Time left until each event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub hard_deadline: Duration,
    pub lease_end: Duration,
    /// None while a checkpoint is in flight.
    pub checkpoint: Option<Duration>,
    /// None while one is in flight.
    pub look: Option<Duration>,
    /// None while it is written, or if there is nothing to write.
    pub coverage: Option<Duration>,
    /// None if nothing is left to call in this attempt.
    pub calling: Option<Calling>,
}

/// Time left until each event that matters while there is something left to call. Events that are already due are not
/// waited for: they were handled before the loop went to sleep, or whatever blocks them will wake it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calling {
    pub soft_deadline: Duration,
    pub upkeep: Duration,
    pub pause_over: Duration,
    /// None if no batch is waiting.
    pub retry: Option<Duration>,
    /// Whether this run currently has no share of the provider's calls.
    pub awaits_share: bool,
    /// Whether a step that changes the shared state is in flight; its completion wakes the loop.
    pub is_stepping: bool,
}

impl Due {
    /// What is due next, and how long to sleep until then.
    pub(super) fn next(facts: &Facts) -> (Self, Duration) {
        let waits = Self::table(facts).into_iter().filter_map(|(due, wait)| Some((due, wait?)));
        let next = waits.min_by_key(|(_, wait)| *wait);
        let (due, wait) = next.unwrap_or((Self::HardDeadline, facts.hard_deadline));
        (due, wait.max(SLEEP_MIN))
    }

    /// Every reason with the time left until it; none if it is not a reason to wake up. If several are due together,
    /// the first counts.
    fn table(facts: &Facts) -> [(Self, Option<Duration>); 10] {
        let calling = |wait: fn(Calling) -> Option<Duration>| facts.calling.and_then(wait);
        let later = |wait: fn(Calling) -> Duration| facts.calling.map(wait).filter(|wait| !wait.is_zero());
        [
            (Self::HardDeadline, Some(facts.hard_deadline)),
            (Self::LeaseEnd, Some(facts.lease_end)),
            (Self::Checkpoint, facts.checkpoint),
            (Self::Look, facts.look),
            (Self::Coverage, facts.coverage),
            (Self::SoftDeadline, later(|calling| calling.soft_deadline)),
            (Self::Upkeep, later(|calling| calling.upkeep)),
            (Self::PauseOver, later(|calling| calling.pause_over)),
            (Self::Retry, later(|calling| calling.retry.unwrap_or_default())),
            (Self::SharePoll, calling(|calling| calling.polls_share().then_some(SHARE_POLL))),
        ]
    }
}

impl Calling {
    /// Whether reading the list of callers again can give this run its turn.
    fn polls_share(self) -> bool {
        self.awaits_share && self.pause_over.is_zero() && !self.is_stepping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const FAR: Duration = Duration::from_secs(3_600);

    /// Everything is far away.
    const CALLING: Calling = Calling {
        soft_deadline: FAR,
        upkeep: FAR,
        pause_over: Duration::ZERO,
        retry: Some(FAR),
        awaits_share: false,
        is_stepping: false,
    };
    const FACTS: Facts = Facts {
        hard_deadline: FAR,
        lease_end: FAR,
        checkpoint: Some(FAR),
        look: Some(FAR),
        coverage: None,
        calling: Some(CALLING),
    };

    fn calling(calling: Calling) -> Facts {
        Facts { calling: Some(calling), ..FACTS }
    }

    #[test]
    fn each_reason_wakes_when_it_is_the_next() {
        let table = [
            (Due::HardDeadline, Facts { hard_deadline: SECOND, ..FACTS }),
            (Due::LeaseEnd, Facts { lease_end: SECOND, ..FACTS }),
            (Due::Checkpoint, Facts { checkpoint: Some(SECOND), ..FACTS }),
            (Due::Look, Facts { look: Some(SECOND), ..FACTS }),
            (Due::Coverage, Facts { coverage: Some(SECOND), ..FACTS }),
            (Due::SoftDeadline, calling(Calling { soft_deadline: SECOND, ..CALLING })),
            (Due::Upkeep, calling(Calling { upkeep: SECOND, ..CALLING })),
            (Due::PauseOver, calling(Calling { pause_over: SECOND, ..CALLING })),
            (Due::Retry, calling(Calling { retry: Some(SECOND), ..CALLING })),
        ];
        for (due, facts) in table {
            assert_eq!(Due::next(&facts), (due, SECOND));
        }
        let poll = calling(Calling { awaits_share: true, ..CALLING });
        assert_eq!(Due::next(&poll), (Due::SharePoll, SHARE_POLL));
        assert_eq!(Due::table(&FACTS).len(), table.len() + 1, "no reason is left out here");
    }

    #[test]
    fn a_run_with_nothing_left_to_call_waits_only_for_what_is_on_its_way() {
        let waits = Due::table(&Facts { calling: None, ..FACTS }).into_iter();
        let reasons: Vec<_> = waits.filter(|(_, wait)| wait.is_some()).map(|(due, _)| due).collect();
        assert_eq!(reasons, [Due::HardDeadline, Due::LeaseEnd, Due::Checkpoint, Due::Look]);
    }

    #[test]
    fn a_checkpoint_on_its_way_is_not_waited_for_twice() {
        let facts = Facts { checkpoint: None, calling: None, lease_end: SECOND, ..FACTS };
        assert_eq!(Due::next(&facts), (Due::LeaseEnd, SECOND));
    }

    #[test]
    fn what_is_due_already_was_seen_to_and_does_not_spin_the_loop() {
        let now = Calling {
            soft_deadline: Duration::ZERO,
            upkeep: Duration::ZERO,
            retry: Some(Duration::ZERO),
            ..CALLING
        };
        assert_eq!(Due::next(&calling(now)).1, FAR);
        let cut = Facts { hard_deadline: Duration::ZERO, ..FACTS };
        assert_eq!(Due::next(&cut), (Due::HardDeadline, SLEEP_MIN), "a deadline in the past wakes at once");
    }

    #[test]
    fn the_list_of_callers_is_not_polled_while_it_cannot_help() {
        let waiting = Calling { awaits_share: true, ..CALLING };
        for calling in [
            Calling { pause_over: FAR, ..waiting },
            Calling { is_stepping: true, ..waiting },
            Calling { awaits_share: false, ..waiting },
        ] {
            assert_eq!(Due::next(&self::calling(calling)).1, FAR);
        }
    }
}
