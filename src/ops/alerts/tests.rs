use super::*;
use crate::config::PerJob;
use crate::ledger::pauses::Window;
use crate::ledger::statistics::JobStatistics;

const JOB: &str = "tiingo-daily-prices";

fn config() -> AlertConfig {
    let all = |default| PerJob { default, jobs: std::collections::BTreeMap::new() };
    AlertConfig {
        failure_percent: all(50),
        failure_runs_min: 3,
        run_seconds: all(600),
        overdue_minutes: all(30),
        flagged_percent: all(5),
        restated_percent: PerJob { default: 100, jobs: [(JOB, 5)].into() },
        coverage_percent: 99,
    }
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Monday, 20:00 in New York: the job was due at 18:00, that is 23:00 UTC.
fn now() -> DateTime<Utc> {
    time("2026-11-24T01:00:00Z")
}

fn run(status: Status, ended_at: &str, seconds: u64) -> RunSummary {
    RunSummary {
        run_id: format!("run-{ended_at}"),
        run_status: status,
        trigger: "scheduler".to_owned(),
        attempt: 1,
        created_at: Some(time(ended_at)),
        started_at: Some(time(ended_at)),
        ended_at: Some(time(ended_at)),
        duration_ms: seconds * 1000,
        tickers_requested: 1,
        tickers_processed: 1,
        tickers_failed: 0,
        tickers_empty: 0,
        tickers_stale: 0,
        tickers_deferred: 0,
        tickers_pending: 0,
        records_stored: 0,
        records_unchanged: 0,
        records_revised: 0,
        records_flagged: 0,
        waits_until: None,
        stopped: (status == Status::Failed).then(|| "the provider is down".to_owned()),
    }
}

/// Names and severities of the alerts that fire.
fn check(
    last_success: Option<&str>,
    recent_runs: Vec<RunSummary>,
    expect: &[(&str, Severity)],
) -> Vec<Alert> {
    let config = config();
    let ticks = Ticks { skip: true, ..Ticks::default() };
    let rules = Rules { config: &config, ticks: &ticks };
    let job = crate::catalogue::find(JOB).unwrap();
    let last_success_time = last_success.map(time);
    let overdue_since = overdue_since(job, last_success_time, None, &rules, now());
    let statistics = JobStatistics { last_success_time, ..JobStatistics::default() };
    let facts = JobFacts { job, statistics, overdue_since, pause: None, recent_runs };
    let alerts = of_job(&facts, &rules, now());
    let told: Vec<_> = alerts.iter().map(|alert| (alert.alert, alert.severity)).collect();
    assert_eq!(told, expect, "{alerts:#?}");
    alerts
}

#[test]
fn a_job_that_succeeded_for_its_time_raises_nothing() {
    check(Some("2026-11-23T23:04:00Z"), vec![run(Status::Succeeded, "2026-11-23T23:04:00Z", 200)], &[]);
}

#[test]
fn a_job_that_did_not_run_for_its_time_is_overdue_after_its_grace() {
    let alerts = check(
        Some("2026-11-20T23:04:00Z"),
        vec![run(Status::Succeeded, "2026-11-20T23:04:00Z", 200)],
        &[("JobOverdue", Severity::Critical)],
    );
    assert_eq!(alerts[0].since, Some(time("2026-11-23T23:00:00Z")));
    assert_eq!(
        alerts[0].message,
        "tiingo-daily-prices has not run since it was due: check whether the scheduler called"
    );
    assert_eq!(alerts[0].runbook, "docs/operations.md#joboverdue");
    check(None, vec![], &[("JobOverdue", Severity::Warning)]);

    let (job, config) = (crate::catalogue::find(JOB).unwrap(), config());
    let ticks = Ticks { skip: true, ..Ticks::default() };
    let rules = Rules { config: &config, ticks: &ticks };
    let at = |now| overdue_since(job, Some(time("2026-11-20T23:04:00Z")), None, &rules, time(now)).is_some();
    assert_eq!((at("2026-11-23T23:29:59Z"), at("2026-11-23T23:30:00Z")), (false, true));
}

#[test]
fn an_overdue_job_that_was_tried_says_what_went_wrong() {
    let alerts = check(
        Some("2026-11-20T23:04:00Z"),
        vec![run(Status::Failed, "2026-11-23T23:02:00Z", 100)],
        &[("JobOverdue", Severity::Critical)],
    );
    assert!(alerts[0].message.ends_with("the provider is down"), "{}", alerts[0].message);
}

#[test]
fn a_run_of_some_tickers_does_not_make_a_job_punctual() {
    let by_hand = run(Status::Succeeded, "2026-11-23T23:20:00Z", 1);
    let alerts = check(Some("2026-11-20T23:04:00Z"), vec![by_hand], &[("JobOverdue", Severity::Critical)]);
    assert!(alerts[0].message.contains("for only some of its tickers"), "{}", alerts[0].message);
}

#[test]
fn a_clock_that_is_a_little_behind_makes_no_job_overdue() {
    check(Some("2026-11-23T22:59:59.8Z"), vec![run(Status::Succeeded, "2026-11-23T23:04:00Z", 200)], &[]);
    let earlier = vec![run(Status::Succeeded, "2026-11-23T22:58:00Z", 20)];
    check(Some("2026-11-23T22:58:00Z"), earlier, &[("JobOverdue", Severity::Critical)]);
}

#[test]
fn failures_of_one_day_above_the_share_raise_an_alert() {
    let success = Some("2026-11-23T23:50:00Z");
    let runs =
        |statuses: &[Status]| statuses.iter().map(|status| run(*status, "2026-11-23T23:50:00Z", 1)).collect();
    let (bad, good) = (Status::Failed, Status::Partial);
    check(success, runs(&[good, bad, bad]), &[("JobFailing", Severity::Critical)]);
    check(success, runs(&[bad, bad, good, good]), &[]);
    check(success, runs(&[bad, bad]), &[]);
    let old = vec![
        run(bad, "2026-11-22T23:50:00Z", 1),
        run(bad, "2026-11-22T23:51:00Z", 1),
        run(bad, "2026-11-22T23:52:00Z", 1),
    ];
    check(success, old, &[]);
}

#[test]
fn runs_that_wait_for_their_data_have_not_failed() {
    let success = Some("2026-11-23T23:50:00Z");
    let failed = || run(Status::Failed, "2026-11-23T23:50:00Z", 1);
    let waiting = || RunSummary { waits_until: Some(time("2026-11-24T00:05:00Z")), ..failed() };
    check(success, vec![waiting(), waiting(), waiting()], &[]);
    check(success, vec![waiting(), failed(), failed()], &[]);
    check(success, vec![waiting(), failed(), failed(), failed()], &[("JobFailing", Severity::Critical)]);
}

#[test]
fn a_job_that_waits_for_its_data_is_overdue_but_only_a_warning_until_the_wait_is_over() {
    let failed = || run(Status::Failed, "2026-11-23T23:50:00Z", 1);
    let until = |text| RunSummary { waits_until: Some(time(text)), ..failed() };
    let before = Some("2026-11-20T23:04:00Z");
    let alerts = check(before, vec![until("2026-11-24T01:00:01Z")], &[("JobOverdue", Severity::Warning)]);
    assert!(alerts[0].message.contains("waits for its data since it was due; run run-2026"), "{alerts:#?}");
    check(before, vec![until("2026-11-24T01:00:00Z")], &[("JobOverdue", Severity::Critical)]);
    check(before, vec![failed()], &[("JobOverdue", Severity::Critical)]);
}

#[test]
fn doubtful_records_above_the_share_raise_an_alert() {
    let success = Some("2026-11-23T23:50:00Z");
    let doubtful = |ended_at, records_flagged| RunSummary {
        records_stored: 100,
        records_flagged,
        ..run(Status::Succeeded, ended_at, 1)
    };
    let (now, before, old) = ("2026-11-23T23:50:00Z", "2026-11-23T23:40:00Z", "2026-11-22T23:50:00Z");
    let alerts =
        check(success, vec![doubtful(now, 7), doubtful(before, 4)], &[("RecordsFlagged", Severity::Warning)]);
    assert_eq!(
        alerts[0].message,
        "11 of 200 records that tiingo-daily-prices took in during the last 24 hours are doubtful, limit 5 %; \
         latest in run-2026-11-23T23:50:00Z"
    );
    assert_eq!(alerts[0].since, Some(time(before)));
    check(success, vec![doubtful(now, 6), doubtful(before, 4)], &[]);
    check(success, vec![doubtful(now, 0), doubtful(old, 90)], &[]);
}

#[test]
fn doubtful_records_that_come_again_are_compared_with_all_that_came() {
    let success = Some("2026-11-23T23:50:00Z");
    let repeated = |records_unchanged| RunSummary {
        records_stored: 10,
        records_unchanged,
        records_flagged: 9,
        ..run(Status::Succeeded, "2026-11-23T23:50:00Z", 1)
    };
    check(success, vec![repeated(290)], &[]);
    check(success, vec![repeated(100)], &[("RecordsFlagged", Severity::Warning)]);
}

#[test]
fn restated_records_above_the_share_raise_an_alert() {
    let success = Some("2026-11-23T23:50:00Z");
    let restated = |ended_at, records_revised| RunSummary {
        records_stored: 10,
        records_unchanged: 90,
        records_revised,
        ..run(Status::Succeeded, ended_at, 1)
    };
    let (now, before, old) = ("2026-11-23T23:50:00Z", "2026-11-23T23:40:00Z", "2026-11-22T23:50:00Z");
    let expect = [("RecordsRestated", Severity::Warning)];
    let alerts = check(success, vec![restated(now, 8), restated(before, 3)], &expect);
    assert_eq!(
        alerts[0].message,
        "11 of 200 records that tiingo-daily-prices took in during the last 24 hours say something else than before, \
         limit 5 %; latest in run-2026-11-23T23:50:00Z"
    );
    assert_eq!(
        (alerts[0].since, alerts[0].key()),
        (Some(time(before)), "RecordsRestated_tiingo-daily-prices".into())
    );
    check(success, vec![restated(now, 7), restated(before, 3)], &[]);
    check(success, vec![restated(now, 0), restated(old, 10)], &[]);
    for trigger in ["backfill", "replay"] {
        let other = RunSummary { trigger: trigger.to_owned(), ..restated(now, 10) };
        check(success, vec![other, restated(before, 5)], &[]);
    }
}

#[test]
fn a_job_whose_limit_is_all_records_never_alerts_about_restatements() {
    let recent_runs = vec![RunSummary {
        records_stored: 10,
        records_revised: 10,
        ..run(Status::Succeeded, "2026-11-23T23:50:00Z", 1)
    }];
    let (config, ticks) = (config(), Ticks::default());
    let rules = Rules { config: &config, ticks: &ticks };
    let job = crate::catalogue::find("finnhub-fundamentals-earnings").unwrap();
    let facts =
        JobFacts { job, statistics: JobStatistics::default(), overdue_since: None, pause: None, recent_runs };
    assert_eq!(of_job(&facts, &rules, now()), []);
}

#[test]
fn a_run_that_took_too_long_raises_an_alert() {
    let success = Some("2026-11-23T23:50:00Z");
    check(success, vec![run(Status::Succeeded, "2026-11-23T23:50:00Z", 600)], &[]);
    check(
        success,
        vec![run(Status::Succeeded, "2026-11-23T23:50:00Z", 601)],
        &[("JobSlow", Severity::Warning)],
    );
}

#[test]
fn a_job_is_not_overdue_for_a_tick_that_was_skipped() {
    let (prices, news) = (JOB, "polygon-news-portfolio");
    let config = config();
    let check = |job: &str, covered: &str, skip| {
        let ticks = Ticks { skip, ..Ticks::default() };
        let rules = Rules { config: &config, ticks: &ticks };
        let job = crate::catalogue::find(job).unwrap();
        // Friday noon, the day after Thanksgiving.
        overdue_since(job, Some(time(covered)), None, &rules, time("2026-11-27T17:00:00Z"))
    };
    assert_eq!(check(prices, "2026-11-25T23:00:00Z", true), None);
    assert_eq!(check(prices, "2026-11-25T23:00:00Z", false), Some(time("2026-11-26T23:00:00Z")));
    // A day that was missed before the holiday stays overdue.
    assert_eq!(check(prices, "2026-11-24T23:00:00Z", true), Some(time("2026-11-25T23:00:00Z")));
    // News come on holidays, too.
    assert_eq!(check(news, "2026-11-25T23:00:00Z", true), Some(time("2026-11-27T16:00:00Z")));
}

fn pause(since: &str, until: Option<&str>) -> Pause {
    let window = Window { since: time(since), until: until.map(time) };
    Pause { window, by: "ann@example.com".into(), reason: "key expired".into(), earlier: Vec::new() }
}

#[test]
fn a_job_is_not_overdue_for_a_tick_that_fell_into_a_pause() {
    let config = config();
    let ticks = Ticks { skip: true, ..Ticks::default() };
    let rules = Rules { config: &config, ticks: &ticks };
    let job = crate::catalogue::find(JOB).unwrap();
    // Friday's tick was run; Monday's is due.
    let overdue =
        |pause: Option<&Pause>, covered: &str| overdue_since(job, Some(time(covered)), pause, &rules, now());
    let (friday, thursday) = ("2026-11-20T23:00:00Z", "2026-11-19T23:00:00Z");
    let monday = Some(time("2026-11-23T23:00:00Z"));
    assert_eq!(overdue(None, friday), monday);
    for until in [None, Some("2026-11-24T00:00:00Z"), Some("2026-11-25T00:00:00Z")] {
        let paused = pause("2026-11-23T20:00:00Z", until);
        assert_eq!(overdue(Some(&paused), friday), None, "{until:?}");
        assert_eq!(
            overdue(Some(&paused), thursday),
            Some(time(friday)),
            "missed before the pause, {until:?}"
        );
    }
    assert_eq!(overdue(Some(&pause("2026-11-23T20:00:00Z", Some("2026-11-23T22:59:00Z"))), friday), monday);
}

#[test]
fn a_pause_of_more_than_a_day_raises_an_alert() {
    let check = |pause: Pause| {
        let config = config();
        let ticks = Ticks { skip: true, ..Ticks::default() };
        let rules = Rules { config: &config, ticks: &ticks };
        let job = crate::catalogue::find(JOB).unwrap();
        let (statistics, recent_runs) = (JobStatistics::default(), Vec::new());
        let facts = JobFacts { job, statistics, overdue_since: None, pause: Some(pause), recent_runs };
        of_job(&facts, &rules, now())
    };
    let alerts = check(pause("2026-11-23T00:59:59Z", None));
    assert_eq!((alerts[0].alert, alerts[0].severity), ("JobPaused", Severity::Warning));
    assert_eq!(
        alerts[0].message,
        "tiingo-daily-prices has been paused for more than a day: paused by ann@example.com: key expired"
    );
    assert_eq!(alerts[0].since, Some(time("2026-11-23T00:59:59Z")));
    assert!(check(pause("2026-11-23T01:00:00Z", None)).is_empty());
    assert!(check(pause("2026-11-01T00:00:00Z", Some("2026-11-24T01:00:00Z"))).is_empty(), "it is over");
}

#[test]
fn cancelled_runs_have_not_failed() {
    let success = Some("2026-11-23T23:50:00Z");
    let ended = |status| run(status, "2026-11-23T23:50:00Z", 1);
    let (bad, stopped) = (Status::Failed, Status::Cancelled);
    check(success, [stopped, stopped, stopped, bad, bad].map(ended).to_vec(), &[]);
    let alerts = [("JobFailing", Severity::Critical)];
    check(success, [stopped, bad, bad, bad].map(ended).to_vec(), &alerts);
}
