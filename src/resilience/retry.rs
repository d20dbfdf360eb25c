//! What happens to a batch whose call failed.

use std::time::Duration;

use super::backoff::Backoff;
use super::class::Class;

/// A failed call and all that the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    pub class: Class,
    /// Tries of this batch so far, this one included.
    pub attempt: u32,
    pub attempts_max: u32,
    /// How many tickers the batch has.
    pub tickers: usize,
    /// What the provider asked for.
    pub retry_after: Option<Duration>,
    /// Whether the provider answered another batch of this run since this one, or the one it is a piece
    /// of, was first tried.
    pub provider_answers_others: bool,
    /// Whether it failed before, as a piece of a batch or in an earlier attempt, and the provider answered
    /// another since its own first try: then it is the cause, not bad luck and not an outage.
    pub is_proven: bool,
    /// Whether the run may still spend calls on splitting.
    pub may_split: bool,
    /// Any random number.
    pub jitter: u64,
}

/// What to do with the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try it again after the wait; `pause` holds back the provider's other batches too.
    Retry { after: Duration, pause: bool },
    /// Try its halves.
    Split,
    /// Its tickers have failed for good.
    Fail,
    /// Its tickers stay pending: a later request may succeed.
    Postpone,
    /// Nothing more can be done in this run until an operator has acted.
    Stop,
}

/// Tries of a batch whose answer cannot be read.
const MALFORMED_ATTEMPTS_MAX: u32 = 2;

/// Decides by the failure policy.
pub fn decide(failure: &Failure, backoff: &Backoff) -> Decision {
    let splittable = failure.tickers > 1 && failure.may_split;
    match failure.class {
        Class::Unauthorized => Decision::Stop,
        Class::Refused => Decision::Fail,
        Class::BadBatch if splittable => Decision::Split,
        Class::BadBatch => Decision::Fail,
        Class::RateLimited if failure.attempt < failure.attempts_max => retry(failure, backoff, true),
        Class::RateLimited => Decision::Postpone,
        // Nobody's fault but the token endpoint's: it holds back all calls, and no ticker is the cause.
        Class::Token if failure.attempt < failure.attempts_max => retry(failure, backoff, true),
        Class::Token => Decision::Postpone,
        // Before a single ticker may be given up as the cause, it has all its tries.
        Class::Malformed
            if failure.is_proven && failure.tickers == 1 && failure.attempt < failure.attempts_max =>
        {
            retry(failure, backoff, false)
        }
        Class::Malformed if failure.attempt < failure.attempts_max.min(MALFORMED_ATTEMPTS_MAX) => {
            retry(failure, backoff, false)
        }
        Class::Connect | Class::Timeout | Class::Unavailable if failure.attempt < failure.attempts_max => {
            retry(failure, backoff, failure.retry_after.is_some())
        }
        // Exhausted. Where the provider answers others, something in this batch is the cause.
        _ if failure.provider_answers_others && splittable => Decision::Split,
        _ if failure.is_proven && failure.tickers == 1 => Decision::Fail,
        _ => Decision::Postpone,
    }
}

fn retry(failure: &Failure, backoff: &Backoff, pause: bool) -> Decision {
    let delay = backoff.delay(failure.attempt, failure.jitter);
    Decision::Retry { after: failure.retry_after.map_or(delay, |asked| asked.max(delay)), pause }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF_MAX: Duration = Duration::from_secs(20);

    fn failure(class: Class) -> Failure {
        Failure {
            class,
            attempt: 1,
            attempts_max: 4,
            tickers: 50,
            retry_after: None,
            provider_answers_others: false,
            is_proven: false,
            may_split: true,
            jitter: 7,
        }
    }

    fn check(failure: Failure) -> Decision {
        decide(&failure, &Backoff::try_new(Duration::from_millis(500), BACKOFF_MAX).unwrap())
    }

    #[test]
    fn transient_failures_are_retried_up_to_the_limit() {
        for class in [Class::Connect, Class::Timeout, Class::Unavailable] {
            assert!(matches!(check(failure(class)), Decision::Retry { pause: false, .. }));
            assert_eq!(check(Failure { attempt: 4, ..failure(class) }), Decision::Postpone);
        }
    }

    #[test]
    fn the_providers_own_wait_is_obeyed_when_longer() {
        let asked = Failure { retry_after: Some(Duration::from_secs(30)), ..failure(Class::RateLimited) };
        assert_eq!(check(asked), Decision::Retry { after: Duration::from_secs(30), pause: true });
        let short =
            Failure { retry_after: Some(Duration::ZERO), jitter: 400_000, ..failure(Class::Unavailable) };
        assert_eq!(check(short), Decision::Retry { after: Duration::from_millis(400), pause: true });
    }

    #[test]
    fn a_rejected_batch_is_split_down_to_one_ticker_that_fails_alone() {
        assert_eq!(check(failure(Class::BadBatch)), Decision::Split);
        assert_eq!(check(Failure { tickers: 1, ..failure(Class::BadBatch) }), Decision::Fail);
        assert_eq!(check(Failure { may_split: false, ..failure(Class::BadBatch) }), Decision::Fail);
    }

    #[test]
    fn an_exhausted_batch_is_split_only_while_the_provider_answers_others() {
        let exhausted = Failure { attempt: 4, ..failure(Class::Unavailable) };
        assert_eq!(check(exhausted), Decision::Postpone);
        let alone = Failure { provider_answers_others: true, ..exhausted };
        assert_eq!(check(alone), Decision::Split);
        assert_eq!(check(Failure { tickers: 1, ..alone }), Decision::Postpone, "may be bad luck");
        assert_eq!(check(Failure { tickers: 1, is_proven: true, ..alone }), Decision::Fail);
        assert_eq!(check(Failure { may_split: false, ..alone }), Decision::Postpone);
    }

    #[test]
    fn an_unreadable_answer_is_asked_for_once_more() {
        assert!(matches!(check(failure(Class::Malformed)), Decision::Retry { .. }));
        let again = Failure { attempt: 2, ..failure(Class::Malformed) };
        assert_eq!(check(again), Decision::Postpone);
        let proven = Failure { tickers: 1, is_proven: true, ..again };
        assert!(matches!(check(proven), Decision::Retry { .. }));
        assert_eq!(check(Failure { attempt: 4, ..proven }), Decision::Fail);
    }

    #[test]
    fn no_ticker_is_the_cause_of_a_missing_token() {
        let proven =
            Failure { tickers: 1, is_proven: true, provider_answers_others: true, ..failure(Class::Token) };
        assert!(matches!(check(proven), Decision::Retry { pause: true, .. }));
        assert_eq!(check(Failure { attempt: 4, ..proven }), Decision::Postpone);
        assert_eq!(check(Failure { attempt: 4, tickers: 50, ..proven }), Decision::Postpone);
    }

    #[test]
    fn refusals_are_not_repeated() {
        assert_eq!(check(failure(Class::Unauthorized)), Decision::Stop);
        assert_eq!(check(failure(Class::Refused)), Decision::Fail);
    }
}
