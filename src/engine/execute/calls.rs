//! The calls in flight, and the work that is left if they are cut off.

use std::future::pending;

use futures::stream::{FuturesUnordered, StreamExt};

use crate::base::ports::{BoxFuture, Instant};
use crate::run::Work;

/// Calls in flight; `R` is the result of a call.
pub(super) struct Calls<R> {
    replies: FuturesUnordered<BoxFuture<'static, R>>,
    in_flight: Vec<InFlight>,
    started: u64,
}

/// A call in flight.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InFlight {
    number: u64,
    pub started: Instant,
    pub purpose: Purpose,
}

/// What a call is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Purpose {
    pub endpoint: &'static str,
    /// The work that is left if it is cut off; none for a control call.
    pub work: Option<Work>,
    /// Whether its purpose is to find out if the provider is up.
    pub is_check: bool,
}

impl<R> Calls<R> {
    pub(super) fn new() -> Self {
        Self { replies: FuturesUnordered::new(), in_flight: Vec::new(), started: 0 }
    }

    /// Starts a call; `send` receives its number.
    pub(super) fn start(
        &mut self,
        purpose: Purpose,
        now: Instant,
        send: impl FnOnce(u64) -> BoxFuture<'static, R>,
    ) {
        self.started += 1;
        self.in_flight.push(InFlight { number: self.started, started: now, purpose });
        self.replies.push(send(self.started));
    }

    /// The next reply; waits forever if no call is in flight. Its call counts as in flight until it
    /// [lands](Self::land).
    pub(super) async fn next(&mut self) -> R {
        match self.replies.next().await {
            Some(reply) => reply,
            None => pending().await,
        }
    }

    /// A call has ended: from now on its reply determines the work that is left.
    pub(super) fn land(&mut self, number: u64) {
        self.in_flight.retain(|call| call.number != number);
    }

    /// Cuts off all calls, and returns them.
    pub(super) fn cut(&mut self) -> Vec<InFlight> {
        self.replies.clear();
        std::mem::take(&mut self.in_flight)
    }

    /// Number of calls started, which is also the number of the latest one.
    pub(super) fn started(&self) -> u64 {
        self.started
    }

    pub(super) fn len(&self) -> usize {
        self.in_flight.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Calls in flight to an endpoint.
    pub(super) fn count(&self, endpoint: &str) -> usize {
        self.to(endpoint).count()
    }

    /// Whether a call that checks if an endpoint is up is in flight.
    pub(super) fn is_checking(&self, endpoint: &str) -> bool {
        self.to(endpoint).any(|call| call.purpose.is_check)
    }

    /// The work that is left if all calls are cut off.
    pub(super) fn work(&self) -> impl Iterator<Item = Work> {
        self.in_flight.iter().filter_map(|call| call.purpose.work.clone())
    }

    fn to(&self, endpoint: &str) -> impl Iterator<Item = &InFlight> {
        self.in_flight.iter().filter(move |call| call.purpose.endpoint == endpoint)
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;
    use crate::run::tests::work;

    const NOW: Instant = Instant::from_origin(Duration::ZERO);

    fn purpose(endpoint: &'static str, work: Option<Work>) -> Purpose {
        Purpose { endpoint, is_check: work.is_none(), work }
    }

    /// Two calls for work that are answered immediately, and a control call that is not.
    fn three() -> Calls<u64> {
        let mut calls = Calls::new();
        for endpoint in ["/a", "/b"] {
            calls.start(purpose(endpoint, Some(work(endpoint, &["A"]))), NOW, |number| {
                Box::pin(ready(number))
            });
        }
        calls.start(purpose("/a", None), NOW, |_| Box::pin(pending()));
        calls
    }

    #[test]
    fn calls_are_numbered_from_one() {
        let mut calls = three();
        let mut numbers = [calls.next().now_or_never().unwrap(), calls.next().now_or_never().unwrap()];
        numbers.sort_unstable();
        assert_eq!((numbers, calls.started()), ([1, 2], 3));
    }

    #[test]
    fn a_call_is_on_its_way_until_its_reply_is_taken_in() {
        let mut calls = three();
        let number = calls.next().now_or_never().unwrap();
        assert_eq!(calls.len(), 3, "if the loop ended here, its work would be pending");
        calls.land(number);
        assert_eq!(calls.len(), 2);
        assert_eq!(calls.work().count(), 1);
    }

    #[test]
    fn without_calls_there_is_nothing_to_wait_for() {
        assert_eq!(Calls::<u64>::new().next().now_or_never(), None);
    }

    #[test]
    fn calls_count_for_their_endpoint_and_controls_are_checks() {
        let calls = three();
        assert_eq!(["/a", "/b", "/c"].map(|endpoint| calls.count(endpoint)), [2, 1, 0]);
        assert_eq!(["/a", "/b"].map(|endpoint| calls.is_checking(endpoint)), [true, false]);
    }

    #[test]
    fn what_is_cut_leaves_its_work_and_a_control_leaves_none() {
        let mut calls = three();
        let left: Vec<_> = calls.work().collect();
        assert_eq!(left, [work("/a", &["A"]), work("/b", &["A"])]);
        let cut: Vec<_> = calls.cut().into_iter().filter_map(|call| call.purpose.work).collect();
        assert_eq!(cut, left);
        assert!(calls.is_empty());
        assert_eq!(calls.next().now_or_never(), None);
    }
}
