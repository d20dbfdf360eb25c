use super::*;

pub(crate) fn state() -> RunState {
    RunState {
        identity: Identity {
            run_id: "r".into(),
            scope: "entire_watchlist".into(),
            run_time: "2026-11-23T10:00:00Z".into(),
            ..Identity::default()
        },
        attempt: Attempt { number: 1, ..Attempt::default() },
        job: "tiingo-daily-prices".into(),
        planned: true,
        tickers_requested: 3,
        ..RunState::default()
    }
}

pub(crate) fn work(endpoint: &str, tickers: &[&str]) -> Work {
    let tickers = tickers.iter().map(|ticker| Ticker::parse(ticker).unwrap()).collect();
    Work::new(endpoint, tickers)
}

pub(crate) fn failure(endpoint: &str, ticker: &str) -> Shortfall {
    let ticker = Ticker::parse(ticker).ok();
    Shortfall {
        ticker,
        endpoint: endpoint.into(),
        window: None,
        outcome: Outcome::Failed,
        class: None,
        reason: "unknown symbol".into(),
    }
}

#[test]
fn a_ticker_counts_once_over_all_endpoints() {
    let state = RunState {
        pending: vec![work("/a", &["A"]), work("/b", &["A"])],
        shortfalls: vec![failure("/a", "B"), failure("/b", "B")],
        ..state()
    };
    assert_eq!((state.tickers_processed(), state.tickers_failed(), state.tickers_pending()), (1, 1, 1));
}

#[test]
fn the_status_follows_from_what_is_left() {
    assert_eq!(state().judge(), Status::Succeeded);
    assert_eq!(RunState { pending: vec![work("/a", &["A"])], ..state() }.judge(), Status::Failed);
    assert_eq!(RunState { shortfalls: vec![failure("/a", "A")], ..state() }.judge(), Status::Partial);
    let all = ["A", "B", "C"].map(|ticker| failure("/a", ticker)).to_vec();
    assert_eq!(RunState { shortfalls: all, ..state() }.judge(), Status::Failed);
    assert_eq!(RunState { planned: false, ..state() }.judge(), Status::Failed);
    assert_eq!(RunState { tickers_requested: 0, ..state() }.judge(), Status::Succeeded);
}

#[test]
fn resuming_takes_up_what_is_pending_and_else_what_failed() {
    let mut run =
        RunState { pending: vec![work("/a", &["A"])], shortfalls: vec![failure("/a", "B")], ..state() };
    run.resume(DateTime::UNIX_EPOCH);
    assert_eq!(
        (run.pending.clone(), run.shortfalls.len(), run.attempt.number),
        (vec![work("/a", &["A"])], 1, 2)
    );

    let mut run = RunState { shortfalls: vec![failure("/a", "A"), failure("/a", "B")], ..state() };
    run.resume(DateTime::UNIX_EPOCH);
    assert_eq!((run.pending, run.shortfalls), (vec![work("/a", &["A", "B"])], vec![]));
}

#[test]
fn only_a_run_that_has_ended_with_failures_can_be_tried_again() {
    let partial = RunState { status: Status::Partial, shortfalls: vec![failure("/a", "A")], ..state() };
    assert!(partial.can_try_again());
    assert!(
        !RunState { shortfalls: vec![], ..partial.clone() }.can_try_again(),
        "records alone were rejected"
    );
    assert!(!RunState { status: Status::Succeeded, ..partial }.can_try_again());
}

#[test]
fn the_latest_remarks_are_kept_each_once() {
    let mut run = state();
    for number in 0..REMARKS_MAX + 10 {
        run.remark(format!("remark {number}"));
        run.remark(format!("remark {number}"));
    }
    assert_eq!(run.remarks.len(), REMARKS_MAX);
    assert_eq!((run.remarks[0].as_str(), run.remarks[REMARKS_MAX - 1].as_str()), ("remark 10", "remark 59"));
}
