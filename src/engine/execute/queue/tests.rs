use super::*;
use crate::run::tests::work;

fn at(seconds: u64) -> Instant {
    Instant::from_origin(Duration::from_secs(seconds))
}

fn any(_: &'static str) -> bool {
    true
}

fn names(batch: &Batch) -> String {
    let tickers: Vec<_> = batch.tickers.iter().map(Ticker::as_str).collect();
    format!("{} {}", batch.endpoint, tickers.join(","))
}

fn queue(pending: &[Work], size: usize) -> Queue {
    Queue::new(pending.to_vec(), &["/a", "/b"], |_| size, 4)
}

/// All that is ready, in order.
fn order(queue: &mut Queue) -> Vec<String> {
    std::iter::from_fn(|| queue.next(at(0), any)).map(|batch| names(&batch)).collect()
}

#[test]
fn endpoints_take_turns() {
    let mut queue = queue(&[work("/a", &["A", "B", "C"]), work("/b", &["A", "B"])], 2);
    assert_eq!(order(&mut queue), ["/a A,B", "/b A,B", "/a C"]);
}

#[test]
fn an_endpoint_that_may_not_be_called_does_not_hold_up_the_others() {
    let mut queue = queue(&[work("/a", &["A"]), work("/b", &["A"])], 2);
    assert_eq!(queue.next(at(0), |path| path == "/b").map(|batch| names(&batch)), Some("/b A".into()));
    assert_eq!(queue.wait(at(0), |path| path == "/b"), None);
    assert_eq!(queue.drain("/a").len(), 1);
    assert!(queue.is_empty());
}

#[test]
fn work_without_tickers_is_one_batch() {
    let mut queue = queue(&[work("/a", &[])], 2);
    assert_eq!(order(&mut queue), ["/a "]);
    assert!(queue.is_empty());
}

#[test]
fn a_retry_waits_for_its_time() {
    let mut queue = queue(&[work("/a", &["A"])], 2);
    let batch = queue.next(at(0), any).unwrap();
    queue.retry(batch, at(5));
    assert_eq!(queue.next(at(4), any), None);
    assert_eq!(queue.wait(at(4), any), Some(Duration::from_secs(1)));
    assert!(queue.next(at(5), any).is_some());
}

#[test]
fn halves_come_next_and_are_tried_once_a_single_ticker_more_often() {
    let mut queue = queue(&[work("/a", &["A", "B", "C"]), work("/b", &["D"])], 3);
    let batch = queue.next(at(0), any).unwrap();
    queue.split(&batch, &[], 4);
    let (one, two) = (queue.next(at(0), any).unwrap(), queue.next(at(0), any).unwrap());
    assert_eq!((names(&one).as_str(), one.attempts_max, one.origin), ("/a A", 4, Origin::Piece));
    assert_eq!((names(&two).as_str(), two.attempts_max), ("/a B,C", 1));
}

#[test]
fn tickers_that_the_provider_names_are_taken_out() {
    let mut queue = queue(&[work("/a", &["A", "B", "C", "D"])], 4);
    let batch = queue.next(at(0), any).unwrap();
    queue.split(&batch, &work("/a", &["C"]).tickers, 4);
    assert_eq!(order(&mut queue), ["/a A,B,D", "/a C"]);
}

#[test]
fn work_that_was_deferred_comes_in_smaller_batches() {
    let deferred = |deferrals| Work { deferrals, ..work("/a", &["A", "B", "C", "D"]) };
    let sizes = |deferrals| {
        let mut queue = queue(&[deferred(deferrals)], 4);
        std::iter::from_fn(|| queue.next(at(0), any)).map(|batch| batch.tickers.len()).collect::<Vec<_>>()
    };
    assert_eq!((sizes(0), sizes(1), sizes(2), sizes(40)), (vec![4], vec![2, 2], vec![1; 4], vec![1; 4]));
}

#[test]
fn work_that_asks_for_more_records_still_does_so_in_pieces_and_in_the_next_attempt() {
    let larger = Work { enlarged: true, ..work("/a", &["A", "B", "C"]) };
    let mut queue = queue(&[work("/a", &["D"]), larger.clone()], 4);
    let enlarged =
        |batch: &Batch| batch.tickers.iter().all(|ticker| ticker.as_str() != "D") == batch.enlarged;
    assert!(queue.iter().all(enlarged));
    let batch = queue.iter().find(|batch| batch.enlarged).cloned().unwrap();
    queue.split(&batch, &[], 4);
    assert!(queue.iter().all(enlarged));
    assert_eq!(batch.of(larger.tickers.clone()).into_work(None), larger);
    let both = vec![larger.clone(), work("/a", &["D"])];
    assert_eq!(crate::run::merged(both.clone()), both, "they are not asked for together");
}

#[test]
fn one_ticker_is_taken_out_of_any_batch_and_the_others_stay() {
    let mut queue = queue(&[work("/a", &["A", "B", "C"]), work("/b", &["X"])], 2);
    let not_b = |ticker: &Ticker| ticker.as_str() != "B";
    assert_eq!(queue.take_one("/a", 1, not_b).map(|one| names(&one)), Some("/a C".into()));
    assert_eq!(queue.take_one("/a", 5, not_b).map(|one| names(&one)), Some("/a A".into()));
    assert_eq!(queue.take_one("/a", 5, not_b), None);
    assert_eq!(order(&mut queue), ["/a B", "/b X"]);
}

#[test]
fn what_a_ticker_has_failed_alone_stays_with_it() {
    let mut queue = Queue::default();
    queue.push(Batch { failed_alone: 3, ..Batch::new("/a", work("/a", &["A"]).tickers, 4) });
    assert_eq!(queue.take_one("/a", 0, |_| true).map(|one| one.failed_alone), Some(3));
}
