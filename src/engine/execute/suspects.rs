//! Tickers on which the provider has failed alone.
//!
//! It may have been down just then: an answer to a call that went out later shows that it was not. Until then nobody
//! can say whether the ticker or the provider is at fault.

use super::lane::Lane;
use super::queue::{Batch, Origin};
use super::reply::Fault;
use crate::resilience::class::Class;
use crate::run::Work;

/// An innocent ticker may be mistaken for a bad one once in this many times.
const ERRORS_RARE: f64 = 10_000.0;

/// A ticker on which the provider has failed alone, often enough.
#[derive(Debug)]
pub(super) struct Suspect {
    pub batch: Batch,
    pub fault: Fault,
    /// Calls of the attempt that had been sent by then.
    pub at: u64,
}

/// All suspects of a run, by endpoint.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    endpoints: Vec<(&'static str, Vec<Suspect>)>,
}

impl Suspects {
    /// None yet; the endpoints are told in this order.
    pub(super) fn new(endpoints: &[&'static str]) -> Self {
        Self { endpoints: endpoints.iter().map(|endpoint| (*endpoint, Vec::new())).collect() }
    }

    pub(super) fn add(&mut self, suspect: Suspect) {
        let endpoint = suspect.batch.endpoint;
        match self.endpoints.iter_mut().find(|(path, _)| *path == endpoint) {
            Some((_, suspects)) => suspects.push(suspect),
            None => self.endpoints.push((endpoint, vec![suspect])),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Suspects of an endpoint.
    pub(super) fn count(&self, endpoint: &str) -> usize {
        self.of(endpoint).count()
    }

    /// Those of an endpoint of which nothing came since the last answer.
    pub(super) fn without_data(&self, endpoint: &str) -> usize {
        self.of(endpoint).filter(|suspect| suspect.is_without_data()).count()
    }

    /// Takes these out.
    pub(super) fn take_without_data(&mut self, endpoint: &str) -> Vec<Suspect> {
        self.take_some(endpoint, Suspect::is_without_data)
    }

    /// Takes one of them out.
    pub(super) fn take_one_without_data(&mut self, endpoint: &str) -> Option<Suspect> {
        let (_, suspects) = self.endpoints.iter_mut().find(|(path, _)| *path == endpoint)?;
        let place = suspects.iter().position(Suspect::is_without_data)?;
        Some(suspects.remove(place))
    }

    /// Takes out those for whom the answer to call number `call` shows that the provider is up.
    pub(super) fn take_judged(&mut self, endpoint: &str, call: u64) -> Vec<Suspect> {
        self.take_some(endpoint, |suspect| suspect.at < call)
    }

    /// Takes out all.
    pub(super) fn take(&mut self) -> Vec<Suspect> {
        self.endpoints.iter_mut().flat_map(|(_, suspects)| suspects.drain(..)).collect()
    }

    /// Takes out all of an endpoint.
    pub(super) fn take_of(&mut self, endpoint: &str) -> Vec<Suspect> {
        self.take_some(endpoint, |_| true)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Suspect> {
        self.endpoints.iter().flat_map(|(_, suspects)| suspects)
    }

    fn of(&self, endpoint: &str) -> impl Iterator<Item = &Suspect> {
        self.iter().filter(move |suspect| suspect.batch.endpoint == endpoint)
    }

    fn take_some(&mut self, endpoint: &str, fits: impl Fn(&Suspect) -> bool) -> Vec<Suspect> {
        let of_endpoint = self.endpoints.iter_mut().find(|(path, _)| *path == endpoint);
        of_endpoint.map_or_else(Vec::new, |(_, suspects)| suspects.extract_if(.., |one| fits(one)).collect())
    }
}

impl Suspect {
    /// What is left to do about it while it is not judged.
    pub(super) fn into_work(self) -> Work {
        self.batch.into_work(Some(self.fault.message))
    }

    /// The same, where it stays.
    pub(super) fn work(&self) -> Work {
        self.batch.clone().into_work(Some(self.fault.message.clone()))
    }

    /// Whether it is suspected because nothing came of it, which may be a limit.
    pub(super) fn is_without_data(&self) -> bool {
        self.fault.class == Class::RateLimited
    }

    /// Whether the ticker is at fault, now that the provider has answered again. It has failed alone, the provider has
    /// answered others, it has failed again, and the provider has answered again. A refusal needs no more. A failure may
    /// be bad luck each time, and so may a response without data: the limit may have been exhausted just then. So these
    /// count when a ticker that is innocent would fail so often less than once in [`ERRORS_RARE`] times, by how often
    /// calls fail at this endpoint although nothing is wrong with them.
    pub(super) fn is_guilty(&self, lane: &Lane) -> bool {
        if self.batch.origin != Origin::Recheck {
            return false;
        }
        if self.fault.class == Class::BadBatch {
            return true;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of calls")]
        let (answered, flukes) = (lane.answered as f64, lane.flukes as f64);
        // Jeffreys' estimate of a share: never zero, however few calls there were.
        let share = (flukes + 0.5) / (answered + flukes + 1.0);
        share.powi(i32::try_from(self.failed_alone()).unwrap_or(i32::MAX)) * ERRORS_RARE < 1.0
    }

    /// How often it has failed alone. Without data it fails once between two answers, however often it was asked: as
    /// long as nobody is answered, it shares the limit with all others.
    pub(super) fn failed_alone(&self) -> u32 {
        self.batch.failed_alone + u32::from(self.is_without_data())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resilience::diagnosis::Diagnosis;
    use crate::run::tests::work;

    fn suspect(endpoint: &'static str, ticker: &str, class: Class, at: u64) -> Suspect {
        let batch = Batch::new(endpoint, work(endpoint, &[ticker]).tickers, 4);
        Suspect { batch, fault: Fault::new(class, "no".into()), at }
    }

    fn suspects() -> Suspects {
        let mut suspects = Suspects::new(&["/b", "/a"]);
        suspects.add(suspect("/a", "A", Class::Unavailable, 1));
        suspects.add(suspect("/a", "B", Class::RateLimited, 2));
        suspects.add(suspect("/b", "A", Class::Unavailable, 3));
        suspects
    }

    fn names(suspects: Vec<Suspect>) -> Vec<String> {
        suspects.into_iter().flat_map(|suspect| suspect.batch.tickers).map(|t| t.to_string()).collect()
    }

    #[test]
    fn endpoints_keep_their_order_and_a_further_one_is_not_lost() {
        let mut suspects = suspects();
        suspects.add(suspect("/c", "A", Class::Unavailable, 4));
        let order: Vec<_> = suspects.iter().map(|suspect| suspect.batch.endpoint).collect();
        assert_eq!(order, ["/b", "/a", "/a", "/c"]);
    }

    #[test]
    fn an_answer_judges_those_who_failed_before_its_call_went_out() {
        let mut suspects = suspects();
        assert_eq!(names(suspects.take_judged("/a", 1)), Vec::<String>::new());
        assert_eq!(names(suspects.take_judged("/a", 2)), ["A"]);
        assert_eq!((suspects.count("/a"), suspects.count("/b")), (1, 1));
    }

    #[test]
    fn those_without_data_are_told_apart() {
        let mut suspects = suspects();
        assert_eq!((suspects.without_data("/a"), suspects.without_data("/b")), (1, 0));
        assert_eq!(names(suspects.take_without_data("/a")), ["B"]);
        assert_eq!(names(suspects.take_of("/a")), ["A"]);
        assert_eq!(names(suspects.take_of("/b")), ["A"]);
        assert!(suspects.is_empty());
    }

    #[test]
    fn only_a_ticker_that_was_checked_again_is_guilty() {
        let mut one = suspect("/a", "A", Class::BadBatch, 1);
        let lane = Lane::new("/a", Diagnosis::default(), 4, None);
        assert!(!one.is_guilty(&lane));
        one.batch.origin = Origin::Recheck;
        assert!(one.is_guilty(&lane));
        one.fault.class = Class::RateLimited;
        assert!(!one.is_guilty(&lane), "the limit may have been exhausted each time");
    }

    #[test]
    fn failures_count_when_bad_luck_does_not_explain_them() {
        let mut one = suspect("/a", "A", Class::Unavailable, 1);
        one.batch.origin = Origin::Recheck;
        let mut lane = Lane::new("/a", Diagnosis::default(), 4, None);
        let mut guilty_after = |answered, flukes| {
            (lane.answered, lane.flukes) = (answered, flukes);
            (1..=40).find(|failed| {
                one.batch.failed_alone = *failed;
                one.is_guilty(&lane)
            })
        };
        assert_eq!(guilty_after(1_000, 0), Some(2), "an endpoint that never fails");
        assert_eq!(guilty_after(50, 50), Some(14), "one that fails every other time");
    }
}
