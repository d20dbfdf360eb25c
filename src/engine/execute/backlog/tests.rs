use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::super::deliveries::Delivery;
use super::super::reply::Fault;
use super::super::suspects::Suspect;
use super::*;
use crate::base::ports::Instant;
use crate::resilience::class::Class;
use crate::run::tests::work;

const ENDPOINTS: [&str; 2] = ["/a", "/b"];
const NOW: Instant = Instant::from_origin(Duration::ZERO);

fn backlog(pending: &[Work]) -> Backlog {
    Backlog::new(Queue::new(pending.to_vec(), &ENDPOINTS, |_| 3, 4), &ENDPOINTS)
}

fn next(backlog: &mut Backlog) -> Option<Batch> {
    backlog.queue.next(NOW, |_| true)
}

fn suspect(batch: Batch) -> Suspect {
    Suspect { batch, fault: Fault::new(Class::Unavailable, "no".into()), at: 1 }
}

#[test]
fn what_is_left_is_told_wherever_it_is() {
    let mut backlog = backlog(&[work("/a", &["A", "B", "C", "D", "E"]), work("/b", &["A"])]);
    let calling = next(&mut backlog).unwrap().into_work(None);
    let stored = next(&mut backlog).unwrap().into_work(None);
    backlog.deliveries.open(Delivery { work: Some(stored), ..Delivery::default() });
    let alone = backlog.queue.take_one("/a", 0, |ticker| ticker.as_str() == "D").unwrap();
    backlog.suspects.add(suspect(alone));
    let told = backlog.pending(std::iter::once(calling));
    let expect = [
        work("/a", &["A", "B", "C", "E"]),
        work("/b", &["A"]),
        Work { reason: Some("no".into()), ..work("/a", &["D"]) },
    ];
    assert_eq!(told, expect);
}

#[test]
fn an_endpoint_that_is_left_alone_loses_nothing() {
    let mut backlog = backlog(&[work("/a", &["A", "B"]), work("/b", &["A"])]);
    let alone = backlog.queue.take_one("/a", 0, |ticker| ticker.as_str() == "B").unwrap();
    backlog.suspects.add(suspect(alone));
    backlog.defer_endpoint("/a", "down");
    let deferred = |ticker, reason: &str| Work { reason: Some(reason.into()), ..work("/a", &[ticker]) };
    let expect = [work("/b", &["A"]), deferred("B", "no"), deferred("A", "down")];
    assert_eq!(backlog.pending(std::iter::empty()), expect);
    assert!(backlog.has_work(), "the other endpoint goes on");
    backlog.defer_endpoint("/b", "down");
    assert!(!backlog.has_work());
}

/// What may happen to work.
#[derive(Clone, Copy, Debug)]
enum Step {
    Call,
    Answer,
    Retry,
    Split,
    Suspect,
    Defer,
    Judge { guilty: bool },
    Stored,
    NotStored,
    Hold,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Call),
        2 => Just(Step::Answer),
        1 => Just(Step::Retry),
        1 => Just(Step::Split),
        1 => Just(Step::Suspect),
        1 => Just(Step::Defer),
        1 => any::<bool>().prop_map(|guilty| Step::Judge { guilty }),
        1 => Just(Step::Stored),
        1 => Just(Step::NotStored),
        1 => Just(Step::Hold),
    ]
}

/// A backlog with its surroundings: calls, and what is done or has failed.
struct Model {
    backlog: Backlog,
    calls: Vec<Batch>,
    open: Vec<u64>,
    ended: Vec<Work>,
}

impl Model {
    fn take(&mut self, step: Step, which: usize) {
        if matches!(step, Step::Call) {
            return self.calls.extend(next(&mut self.backlog));
        }
        let backlog = &mut self.backlog;
        match step {
            Step::Judge { guilty } => {
                for suspect in backlog.suspects.take_judged("/a", 2) {
                    if guilty {
                        self.ended.push(suspect.into_work());
                    } else {
                        backlog.queue.push(suspect.batch);
                    }
                }
            }
            Step::Stored | Step::NotStored if !self.open.is_empty() => {
                let id = self.open.swap_remove(which % self.open.len());
                let work = backlog.deliveries.close(id).and_then(|delivery| delivery.work).unwrap();
                if matches!(step, Step::Stored) { self.ended.push(work) } else { backlog.defer_work(work) }
            }
            Step::Hold => backlog.defer_endpoint(ENDPOINTS[which % 2], "down"),
            _ if self.calls.is_empty() => {}
            _ => {
                let batch = self.calls.swap_remove(which % self.calls.len());
                match step {
                    Step::Answer => {
                        let work = Some(batch.into_work(None));
                        self.open.push(backlog.deliveries.open(Delivery { work, ..Delivery::default() }));
                    }
                    Step::Split => backlog.queue.split(&batch, &[], 4),
                    Step::Suspect => backlog.suspects.add(suspect(batch)),
                    Step::Defer => backlog.defer(batch, None),
                    _ => backlog.queue.retry(batch, NOW),
                }
            }
        }
    }

    /// Every ticker at every endpoint, as often as it is somewhere.
    fn everything(&self) -> Vec<(String, String)> {
        let calling = self.calls.iter().map(|batch| batch.clone().into_work(None));
        let all = self.backlog.pending(calling).into_iter().chain(self.ended.iter().cloned());
        let cells = all.flat_map(|Work { endpoint, tickers, .. }| {
            tickers.into_iter().map(move |ticker| (endpoint.clone(), ticker.to_string()))
        });
        let mut cells: Vec<_> = cells.collect();
        cells.sort_unstable();
        cells
    }
}

proptest! {
    /// Whatever happens, every ticker is done, has failed or is pending, and is so once.
    #[test]
    fn no_ticker_is_lost_or_doubled(
        tickers in prop::collection::btree_set("[A-Z]{1,4}", 1..12),
        steps in prop::collection::vec((step(), any::<usize>()), 0..60),
    ) {
        let tickers: Vec<_> = tickers.iter().map(String::as_str).collect();
        let backlog = backlog(&ENDPOINTS.map(|endpoint| work(endpoint, &tickers)));
        let mut model = Model { backlog, calls: Vec::new(), open: Vec::new(), ended: Vec::new() };
        let planned = model.everything();
        prop_assert_eq!(planned.iter().collect::<BTreeSet<_>>().len(), tickers.len() * 2);
        for (step, which) in steps {
            model.take(step, which);
            prop_assert_eq!(&model.everything(), &planned, "after {:?}", step);
        }
    }
}
