//! What a stored entry means for a request that wants its run.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::entry::Entry;
use crate::run::Status;

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody works on it and something is left: the caller may take it.
    Free,
    /// Its owner is alive.
    Running { retry_after: Duration },
    /// Nothing is left to do.
    Finished,
    /// It was made for another request.
    Different,
}

/// Decides; `digest` is that of the caller's request, none where the caller means the run itself.
pub fn judge(entry: &Entry, digest: Option<&str>, now: DateTime<Utc>) -> Verdict {
    if digest.is_some_and(|digest| digest != entry.state.request_digest) {
        return Verdict::Different;
    }
    let lease_left = (entry.lease_expires_at - now).to_std().unwrap_or(Duration::ZERO);
    match entry.state.status {
        Status::Succeeded | Status::Partial => Verdict::Finished,
        Status::Failed => Verdict::Free,
        Status::Running if lease_left.is_zero() => Verdict::Free,
        Status::Running => Verdict::Running { retry_after: lease_left },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunState;
    use crate::run::tests::state;

    fn check(status: Status, lease_seconds: i64, digest: Option<&str>) -> Verdict {
        let entry = Entry {
            state: RunState { status, request_digest: "d".into(), ..state() },
            owner: "o".into(),
            lease_expires_at: DateTime::from_timestamp(lease_seconds, 0).unwrap(),
        };
        judge(&entry, digest, DateTime::from_timestamp(100, 0).unwrap())
    }

    #[test]
    fn a_living_lease_keeps_others_out() {
        assert_eq!(
            check(Status::Running, 130, Some("d")),
            Verdict::Running { retry_after: Duration::from_secs(30) }
        );
        assert_eq!(check(Status::Running, 100, Some("d")), Verdict::Free);
    }

    #[test]
    fn what_has_ended_is_told_or_taken_up() {
        assert_eq!(check(Status::Succeeded, 130, Some("d")), Verdict::Finished);
        assert_eq!(check(Status::Partial, 0, None), Verdict::Finished);
        assert_eq!(check(Status::Failed, 130, None), Verdict::Free);
    }

    #[test]
    fn the_same_key_for_another_request_is_refused() {
        assert_eq!(check(Status::Succeeded, 130, Some("other")), Verdict::Different);
    }
}
