//! What happens to a batch whose call failed.
//!
//! Only a single ticker can ever fail permanently, and not by this decision alone: it becomes a suspect, and fails when
//! the provider answers a later call. A batch is split until the suspects are alone.

use std::time::Duration;

use super::backoff::Backoff;
use super::class::Class;

/// A failed call and everything the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    pub class: Class,
    /// Attempts of this batch so far, including this one.
    pub attempt: u32,
    pub attempts_max: u32,
    /// How many tickers the batch has.
    pub tickers: usize,
    /// The wait that the provider asked for.
    pub retry_after: Option<Duration>,
    /// Whether the endpoint has answered another call since this batch, or the one it is a piece of, was first tried.
    pub answers_others: bool,
    /// Any random number.
    pub jitter: u64,
}

/// What to do with the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Retry it after the delay.
    Retry { after: Duration },
    /// Try its pieces.
    Split,
    /// Its only ticker has failed, unless it turns out that the provider was down.
    Accuse,
    /// It has failed permanently: there is no ticker that could be at fault.
    Fail,
    /// Its tickers stay pending: a later request may succeed.
    Defer,
    /// Nothing more can be done in this run until an operator acts.
    Stop,
}

/// Attempts of a whole batch while the provider answers others: what fails twice has a reason.
const ATTEMPTS_BESIDE_OTHERS: u32 = 2;
/// Attempts of a single ticker that times out.
const TIMEOUT_ATTEMPTS_MAX: u32 = 2;
/// Attempts of a batch whose response cannot be parsed.
const MALFORMED_ATTEMPTS_MAX: u32 = 2;

/// Decides by the failure policy.
pub fn decide(failure: &Failure, backoff: &Backoff) -> Decision {
    match failure.class {
        Class::Unauthorized => Decision::Stop,
        Class::RateLimited => Decision::Defer,
        // Only the token endpoint is at fault: no ticker is the cause.
        Class::Token if failure.attempt < failure.attempts_max => {
            Decision::Retry { after: wait(failure, backoff) }
        }
        Class::Token => Decision::Defer,
        Class::BadBatch => match failure.tickers {
            0 => Decision::Fail,
            1 => Decision::Accuse,
            _ => Decision::Split,
        },
        class => {
            let tries_max = match (failure.tickers, class) {
                // Another timeout costs as much again: one retry is enough.
                (1, Class::Timeout) => failure.attempts_max.min(TIMEOUT_ATTEMPTS_MAX),
                (0 | 1, _) => failure.attempts_max,
                // A half needs half the time.
                (_, Class::Timeout) => 1,
                (_, Class::Malformed) => failure.attempts_max.min(MALFORMED_ATTEMPTS_MAX),
                _ if failure.answers_others => failure.attempts_max.min(ATTEMPTS_BESIDE_OTHERS),
                _ => failure.attempts_max,
            };
            match failure.tickers {
                _ if failure.attempt < tries_max => Decision::Retry { after: wait(failure, backoff) },
                0 => Decision::Defer,
                1 => Decision::Accuse,
                _ => Decision::Split,
            }
        }
    }
}

fn wait(failure: &Failure, backoff: &Backoff) -> Duration {
    let delay = backoff.delay(failure.attempt, failure.jitter);
    failure.retry_after.map_or(delay, |asked| asked.max(delay))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(class: Class) -> Failure {
        Failure {
            class,
            attempt: 1,
            attempts_max: 4,
            tickers: 50,
            retry_after: None,
            answers_others: false,
            jitter: 7,
        }
    }

    fn check(failure: Failure) -> Decision {
        decide(&failure, &Backoff::try_new(Duration::from_millis(500), Duration::from_secs(20)).unwrap())
    }

    fn is_retry(failure: Failure) -> bool {
        matches!(check(failure), Decision::Retry { .. })
    }

    #[test]
    fn transient_failures_are_retried_up_to_the_limit_and_then_taken_apart() {
        for class in [Class::Connect, Class::Unavailable, Class::Refused] {
            assert!(is_retry(Failure { attempt: 3, ..failure(class) }), "{class:?}");
            assert_eq!(check(Failure { attempt: 4, ..failure(class) }), Decision::Split, "{class:?}");
        }
    }

    #[test]
    fn while_the_provider_answers_others_a_batch_is_taken_apart_sooner() {
        let beside = Failure { answers_others: true, ..failure(Class::Unavailable) };
        assert!(is_retry(beside));
        assert_eq!(check(Failure { attempt: 2, ..beside }), Decision::Split);
    }

    #[test]
    fn a_single_ticker_has_all_its_tries_and_is_then_accused() {
        for class in [Class::Connect, Class::Unavailable, Class::Refused, Class::Malformed] {
            let alone = Failure { tickers: 1, answers_others: true, ..failure(class) };
            assert!(is_retry(Failure { attempt: 3, ..alone }), "{class:?}");
            assert_eq!(check(Failure { attempt: 4, ..alone }), Decision::Accuse, "{class:?}");
        }
    }

    #[test]
    fn a_refusal_of_the_batch_is_never_repeated_as_it_is() {
        assert_eq!(check(failure(Class::BadBatch)), Decision::Split);
        assert_eq!(check(Failure { tickers: 1, ..failure(Class::BadBatch) }), Decision::Accuse);
        assert_eq!(check(Failure { tickers: 0, ..failure(Class::BadBatch) }), Decision::Fail);
    }

    #[test]
    fn what_takes_too_long_is_halved_at_once() {
        assert_eq!(check(failure(Class::Timeout)), Decision::Split);
        let alone = Failure { tickers: 1, ..failure(Class::Timeout) };
        assert!(is_retry(alone));
        assert_eq!(check(Failure { attempt: 2, ..alone }), Decision::Accuse);
    }

    #[test]
    fn an_unreadable_answer_is_asked_for_once_more() {
        assert!(is_retry(failure(Class::Malformed)));
        assert_eq!(check(Failure { attempt: 2, ..failure(Class::Malformed) }), Decision::Split);
    }

    #[test]
    fn a_call_without_tickers_is_left_to_the_next_attempt() {
        let call = Failure { tickers: 0, ..failure(Class::Unavailable) };
        assert!(is_retry(call));
        assert_eq!(check(Failure { attempt: 4, ..call }), Decision::Defer);
    }

    #[test]
    fn retry_after_is_obeyed_when_longer() {
        let asked = Duration::from_secs(30);
        let decision = check(Failure { retry_after: Some(asked), ..failure(Class::Unavailable) });
        assert_eq!(decision, Decision::Retry { after: asked });
    }

    #[test]
    fn no_ticker_is_the_cause_of_a_missing_token() {
        for tickers in [1, 50] {
            let failure = Failure { tickers, answers_others: true, ..failure(Class::Token) };
            assert!(is_retry(failure));
            assert_eq!(check(Failure { attempt: 4, ..failure }), Decision::Defer);
        }
    }

    #[test]
    fn without_permission_nothing_is_tried_again() {
        assert_eq!(check(failure(Class::Unauthorized)), Decision::Stop);
    }
}
