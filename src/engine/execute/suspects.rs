//! Tickers whose calls failed even when they were requested alone.
//!
//! The provider may have been down at that moment; a response to a call sent later shows that it was not. Until then
//! there is no telling whether the ticker or the provider is at fault.

use super::lane::Lane;
use super::queue::{Batch, Origin};
use super::reply::Fault;
use crate::resilience::class::Class;
use crate::run::Work;

/// A good ticker may be mistaken for a bad one once in this many times.
const ERRORS_RARE: f64 = 10_000.0;

/// A ticker that has failed alone, often enough.
#[derive(Debug)]
pub(super) struct Suspect {
    pub batch: Batch,
    pub fault: Fault,
    /// Number of calls that the attempt had sent by then.
    pub at: u64,
}

/// All suspects of a run, by endpoint.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    endpoints: Vec<(&'static str, Vec<Suspect>)>,
}

impl Suspects {
    /// No suspects yet; iteration follows the order of these endpoints.
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

    /// Suspects of an endpoint without data since its last response.
    pub(super) fn without_data(&self, endpoint: &str) -> usize {
        self.of(endpoint).filter(|suspect| suspect.is_without_data()).count()
    }

    /// Removes all of these.
    pub(super) fn take_without_data(&mut self, endpoint: &str) -> Vec<Suspect> {
        self.take_some(endpoint, Suspect::is_without_data)
    }

    /// Removes one of them.
    pub(super) fn take_one_without_data(&mut self, endpoint: &str) -> Option<Suspect> {
        let (_, suspects) = self.endpoints.iter_mut().find(|(path, _)| *path == endpoint)?;
        let place = suspects.iter().position(Suspect::is_without_data)?;
        Some(suspects.remove(place))
    }

    /// Removes the suspects for which the response to call number `call` shows that the provider is up.
    pub(super) fn take_judged(&mut self, endpoint: &str, call: u64) -> Vec<Suspect> {
        self.take_some(endpoint, |suspect| suspect.at < call)
    }

    /// Removes all suspects.
    pub(super) fn take(&mut self) -> Vec<Suspect> {
        self.endpoints.iter_mut().flat_map(|(_, suspects)| suspects.drain(..)).collect()
    }

    /// Removes all suspects of an endpoint.
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
    /// The work that is left for it as long as it is not judged.
    pub(super) fn into_work(self) -> Work {
        self.batch.into_work(Some(self.fault.message))
    }

    /// The same, without consuming it.
    pub(super) fn work(&self) -> Work {
        self.batch.clone().into_work(Some(self.fault.message.clone()))
    }

    /// Whether it is suspected because there was no data for it, which may be due to a limit.
    pub(super) fn is_without_data(&self) -> bool {
        self.fault.class == Class::RateLimited
    }

    /// Whether the ticker is at fault, now that the provider has answered again: it has failed alone, the provider has
    /// answered others, it has failed again, and the provider has answered again. For a refusal that is enough. A
    /// failure may be bad luck each time, and so may a response without data, because the limit may have been exhausted
    /// at that moment. These count once a good ticker would fail this often less than once in [`ERRORS_RARE`] times,
    /// judging by how often calls to this endpoint fail without a cause of their own.
    pub(super) fn is_guilty(&self, lane: &Lane) -> bool {
        if self.batch.origin != Origin::Recheck {
            return false;
        }
        if self.fault.class == Class::BadBatch {
            return true;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of calls")]
        let (answered, flukes) = (lane.answered as f64, lane.flukes as f64);
        // Jeffreys' estimate of a proportion: never zero, however few calls there were.
        let share = (flukes + 0.5) / (answered + flukes + 1.0);
        share.powi(i32::try_from(self.failed_alone()).unwrap_or(i32::MAX)) * ERRORS_RARE < 1.0
    }

    /// How often it has failed alone. A ticker without data counts once between two responses, however often it was
    /// requested: as long as no ticker is answered, all share the same limit.
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
