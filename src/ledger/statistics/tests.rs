use super::*;
use crate::run::tests::state;

fn counted(status: Status) -> Counted {
    Counted { status, counts: Counts::default(), tickers_failed: 0 }
}

fn check(status: Status, before: Option<Counted>, expect: [i64; 5]) {
    let (state, write) = count(RunState { status, counted: before.map(Box::new), ..state() }, "c");
    let increments: Vec<_> =
        write.increments.iter().filter_map(|(_, value)| value.as_i64()).take(5).collect();
    assert_eq!((increments, state.counted.map(|counted| counted.status)), (expect.to_vec(), Some(status)));
}

#[test]
fn a_run_counts_once_by_how_it_stands() {
    check(Status::Succeeded, None, [1, 1, 0, 0, 0]);
    check(Status::Partial, None, [1, 1, 1, 0, 0]);
    check(Status::Failed, None, [1, 0, 0, 1, 0]);
    check(Status::Failed, Some(counted(Status::Failed)), [0, 0, 0, 0, 0]);
    check(Status::Succeeded, Some(counted(Status::Failed)), [0, 1, 0, -1, 0]);
    check(Status::Cancelled, None, [1, 0, 0, 0, 1]);
    check(Status::Cancelled, Some(counted(Status::Failed)), [0, 0, 0, -1, 1]);
    check(Status::Succeeded, Some(counted(Status::Cancelled)), [0, 1, 0, 0, -1]);
    check(Status::Skipped, Some(counted(Status::Failed)), [-1, 0, 0, -1, 0]);
}

#[test]
fn a_run_that_is_cancelled_while_nobody_works_on_it_adds_no_attempt() {
    let counts = Counts { calls: 7, ..Counts::default() };
    let before = Counted { status: Status::Failed, counts: counts.clone(), tickers_failed: 2 };
    // Two calls of an attempt whose instance died: the attempt that goes on counts them.
    let state = RunState {
        status: Status::Cancelled,
        counts: Counts { calls: 9, ..Counts::default() },
        counted: Some(Box::new(before)),
        ..state()
    };
    let (state, write) = recount(state, "c");
    let totals = stored(&[write]);
    assert!(totals.attempts.is_empty() && totals.counts.calls == 0, "{totals:?}");
    assert_eq!((totals.statistics.jobs_cancelled, totals.statistics.jobs_failed), (1, -1));
    let counted = state.counted.unwrap();
    assert_eq!((counted.status, counted.counts, counted.tickers_failed), (Status::Cancelled, counts, 2));
}

#[test]
fn a_tick_that_is_skipped_again_counts_once() {
    let skip = |state: RunState| count(RunState { status: Status::Skipped, ..state }, "c");
    let (once, first) = skip(state());
    let (_, second) = skip(once);
    assert_eq!((stored(&[first]).ticks_skipped, stored(&[second]).ticks_skipped), (1, 0));
}

#[test]
fn how_a_replay_ends_says_nothing_about_its_job() {
    let replay = || Some(Box::new(crate::run::Replay::of(vec!["r".into()])));
    let counts = Counts { records_revised: 3, ..Counts::default() };
    let (failed, first) =
        count(RunState { status: Status::Failed, replay: replay(), counts, ..state() }, "c");
    let (_, cancelled) = recount(RunState { status: Status::Cancelled, ..failed.clone() }, "c");
    let (_, ended) = count(RunState { status: Status::Succeeded, ..failed }, "c");
    for write in [&first, &cancelled, &ended] {
        assert!(!write.fields.contains_key("last_success_time"), "{write:?}");
        assert!(write.maximums.iter().all(|(name, _)| name != COVERED_UNTIL), "{write:?}");
    }
    let totals = stored(&[first, cancelled, ended]);
    let statistics = &totals.statistics;
    assert_eq!((statistics.jobs_failed, statistics.jobs_cancelled, totals.counts.records_revised), (0, 0, 3));
}

/// What a document holds after these writes.
fn stored(writes: &[Write]) -> JobTotals {
    let mut fields = crate::firestore::Fields::default();
    for write in writes {
        fields.extend(write.fields.clone());
        for (name, by) in &write.increments {
            let old = fields.get(name).and_then(Value::as_i64).unwrap_or_default();
            fields.insert(name.clone(), Value::Integer(old + by.as_i64().unwrap_or_default()));
        }
    }
    let (update_time, read_time) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH);
    JobTotals::from_document(&Document {
        id: "j".into(),
        fields,
        create_time: update_time,
        update_time,
        read_time,
    })
}

#[test]
fn only_a_run_of_all_the_jobs_tickers_covers_a_scheduled_time() {
    let covers = |state: RunState| !count(state, "c").1.maximums.is_empty();
    assert!(covers(RunState { status: Status::Partial, ..state() }));
    assert!(!covers(RunState { status: Status::Failed, ..state() }));
    assert!(!covers(RunState { status: Status::Succeeded, tickers_given: Some(vec![]), ..state() }));
    let mut indices = RunState { status: Status::Succeeded, ..state() };
    indices.identity.scope = "indices".into();
    assert!(!covers(indices));
}

#[test]
fn a_ticks_run_covers_its_scheduled_time_also_by_a_clock_that_is_behind() {
    let due: DateTime<Utc> = "2026-11-23T23:00:00Z".parse().unwrap();
    let covered = |created_at, scheduled_at| {
        let mut state = RunState { status: Status::Succeeded, scheduled_at, ..state() };
        state.identity.created_at = created_at;
        count(state, "c").1.maximums[0].1.as_i64().unwrap()
    };
    let early = due - chrono::TimeDelta::milliseconds(200);
    let late = due + chrono::TimeDelta::seconds(3);
    assert_eq!(covered(early, Some(due)), due.timestamp_millis());
    assert_eq!(covered(late, Some(due)), late.timestamp_millis());
    assert_eq!(
        covered(early, None),
        early.timestamp_millis(),
        "a run by hand before the time is not the tick's"
    );
}

#[test]
fn a_ticker_that_fails_again_when_it_is_tried_again_is_not_counted_again() {
    let failed = |tickers: &[&str]| tickers.iter().map(|t| crate::run::tests::failure("/a", t)).collect();
    let attempt = |run: RunState, tickers: &[&str]| {
        count(RunState { status: Status::Partial, shortfalls: failed(tickers), ..run }, "c")
    };
    let (run, first) = attempt(state(), &["A", "B"]);
    let (run, second) = attempt(run, &[]);
    let (_, third) = attempt(run, &["A", "B", "C"]);
    assert_eq!(stored(&[first, second, third]).tickers_failed, 3);
}

#[test]
fn a_run_that_waits_for_its_data_has_not_failed() {
    let pending = vec![crate::run::tests::work("/a", &["A"])];
    let waiting = RunState { status: Status::Failed, publish_wait_ms: Some(900_000), pending, ..state() };
    let (run, first) = count(waiting, "c");
    let (run, second) = count(run, "c");
    let totals = stored(&[first.clone(), second.clone()]);
    assert_eq!(totals.attempts, BTreeMap::from([(WAITING.into(), 2)]));
    assert_eq!((totals.statistics.jobs_processed, totals.statistics.jobs_failed), (0, 0));
    let (_, third) = count(RunState { status: Status::Partial, publish_wait_ms: None, ..run }, "c");
    let totals = stored(&[first, second, third]);
    assert_eq!(totals.attempts, BTreeMap::from([(WAITING.into(), 2), ("partial".into(), 1)]));
    let JobStatistics { jobs_processed, jobs_successful, jobs_failed, .. } = totals.statistics;
    assert_eq!((jobs_processed, jobs_successful, jobs_failed), (1, 1, 0));
}

#[test]
fn an_attempt_adds_what_it_did_itself() {
    let mut first = RunState { status: Status::Failed, ..state() };
    first.attempt.duration_ms = 700;
    first.counts.collections.insert("prices_daily".into(), 5);
    first.counts.classes.insert("timeout".into(), 2);
    first.counts.latency.observe(&[50], 40);
    let (mut second, write) = count(first, "c");
    let totals = stored(std::slice::from_ref(&write));
    assert_eq!(totals.counts.collections["prices_daily"], 5);
    assert_eq!(totals.statistics.last_success_time, None);

    second.status = Status::Succeeded;
    second.attempt.duration_ms = 400;
    second.counts.collections.insert("prices_daily".into(), 8);
    second.counts.latency.observe(&[50], 60);
    let (_, again) = count(second, "c");
    let totals = stored(&[write, again]);
    assert_eq!(totals.counts.collections["prices_daily"], 8);
    assert_eq!(totals.counts.classes["timeout"], 2);
    assert_eq!(totals.attempts, BTreeMap::from([("failed".into(), 1), ("succeeded".into(), 1)]));
    assert_eq!(
        (totals.duration.sum_ms, totals.duration.buckets["1000"], totals.duration.buckets["500"]),
        (1100, 1, 1)
    );
    assert_eq!((totals.counts.latency.sum_ms, totals.counts.latency.buckets["inf"]), (100, 1));
    assert_eq!(totals.statistics.jobs_processed, 1);
    assert_eq!(totals.statistics.last_success_time, Some(DateTime::UNIX_EPOCH));
}
