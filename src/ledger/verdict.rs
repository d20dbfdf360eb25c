//! What a stored entry means for a request that wants its run.

use std::time::Duration;

use super::entry::Entry;
use crate::run::Status;

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody is working on it and work is left: the caller may take it.
    Free,
    /// Its owner is alive.
    Running { retry_after: Duration },
    /// Work is left, but its data is probably not published yet.
    NotDue { retry_after: Duration },
    /// It was to be cancelled, and its owner has died before it could.
    Cancelled,
    /// Nothing is left to do.
    Finished,
    /// It was made for another request.
    Different,
}

/// Decides about an entry that its owner has left unchanged for `silence`. `digest` is that of the caller's request;
/// none if an operator resumes the run itself and wants failures to be retried.
pub fn judge(entry: &Entry, digest: Option<&str>, silence: Duration) -> Verdict {
    if digest.is_some_and(|digest| digest != entry.state.request_digest) {
        return Verdict::Different;
    }
    let wait = entry
        .state
        .publish_wait_ms
        .filter(|_| digest.is_some())
        .map_or(Duration::ZERO, Duration::from_millis);
    let wait_left = wait.saturating_sub(silence);
    let lease_left = entry.lease.saturating_sub(silence);
    match entry.state.status {
        Status::Partial if digest.is_none() && entry.state.can_try_again() => Verdict::Free,
        // A person asked for it, so it is run.
        Status::Skipped | Status::Cancelled if digest.is_none() => Verdict::Free,
        Status::Succeeded | Status::Partial | Status::Skipped | Status::Cancelled => Verdict::Finished,
        Status::Failed if !wait_left.is_zero() => Verdict::NotDue { retry_after: wait_left },
        Status::Failed => Verdict::Free,
        Status::Running if lease_left.is_zero() && digest.is_some() && entry.state.cancelled.is_some() => {
            Verdict::Cancelled
        }
        Status::Running if lease_left.is_zero() => Verdict::Free,
        Status::Running => Verdict::Running { retry_after: lease_left },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::{failure, state};
    use crate::run::{Cancelled, RunState};

    fn check(status: Status, silence_seconds: u64, digest: Option<&str>) -> Verdict {
        let entry = Entry {
            state: RunState { status, request_digest: "d".into(), ..state() },
            owner: "o".into(),
            lease: Duration::from_secs(60),
            renewals: 0,
        };
        judge(&entry, digest, Duration::from_secs(silence_seconds))
    }

    #[test]
    fn a_living_lease_keeps_others_out() {
        assert_eq!(
            check(Status::Running, 30, Some("d")),
            Verdict::Running { retry_after: Duration::from_secs(30) }
        );
        assert_eq!(check(Status::Running, 60, Some("d")), Verdict::Free);
        assert_eq!(check(Status::Running, 30, None), check(Status::Running, 30, Some("d")));
    }

    #[test]
    fn what_has_ended_is_told_or_taken_up() {
        assert_eq!(check(Status::Succeeded, 0, Some("d")), Verdict::Finished);
        assert_eq!(check(Status::Partial, 90, None), Verdict::Finished);
        assert_eq!(check(Status::Failed, 0, None), Verdict::Free);
    }

    #[test]
    fn a_skipped_run_stays_skipped_unless_somebody_wants_it() {
        assert_eq!(check(Status::Skipped, 90, Some("d")), Verdict::Finished);
        assert_eq!(check(Status::Skipped, 0, None), Verdict::Free);
    }

    #[test]
    fn a_cancelled_run_stays_cancelled_unless_somebody_resumes_it() {
        assert_eq!(check(Status::Cancelled, 90, Some("d")), Verdict::Finished);
        assert_eq!(check(Status::Cancelled, 0, None), Verdict::Free);
    }

    #[test]
    fn a_run_that_was_to_be_cancelled_is_not_taken_over_for_its_tick() {
        let order = Cancelled { by: "ann".into(), at: chrono::DateTime::UNIX_EPOCH, reason: "wrong".into() };
        let state = RunState {
            status: Status::Running,
            request_digest: "d".into(),
            cancelled: Some(order),
            ..state()
        };
        let entry = Entry { state, owner: "o".into(), lease: Duration::from_secs(60), renewals: 0 };
        let judged = |digest, seconds| judge(&entry, digest, Duration::from_secs(seconds));
        assert!(matches!(judged(Some("d"), 59), Verdict::Running { .. }), "its owner is alive");
        assert_eq!(judged(Some("d"), 60), Verdict::Cancelled);
        assert_eq!(judged(None, 60), Verdict::Free, "who resumes it wants it");
    }

    #[test]
    fn only_who_means_the_run_itself_has_failed_tickers_tried_again() {
        let shortfalls = vec![failure("/a", "A")];
        let state = RunState { status: Status::Partial, request_digest: "d".into(), shortfalls, ..state() };
        let entry = Entry { state, owner: "o".into(), lease: Duration::from_secs(60), renewals: 0 };
        assert_eq!(judge(&entry, None, Duration::ZERO), Verdict::Free);
        assert_eq!(judge(&entry, Some("d"), Duration::from_secs(90)), Verdict::Finished);
    }

    #[test]
    fn a_run_that_waits_for_its_data_is_due_when_the_wait_is_over_or_a_person_resumes_it() {
        let state = RunState {
            status: Status::Failed,
            request_digest: "d".into(),
            publish_wait_ms: Some(900_000),
            ..state()
        };
        let entry = Entry { state, owner: "o".into(), lease: Duration::from_secs(60), renewals: 0 };
        let retry_after = Duration::from_secs(300);
        assert_eq!(judge(&entry, Some("d"), Duration::from_secs(600)), Verdict::NotDue { retry_after });
        assert_eq!(judge(&entry, Some("d"), Duration::from_secs(900)), Verdict::Free);
        assert_eq!(judge(&entry, None, Duration::from_secs(600)), Verdict::Free);
    }

    #[test]
    fn the_same_key_for_another_request_is_refused() {
        assert_eq!(check(Status::Succeeded, 0, Some("other")), Verdict::Different);
    }
}
