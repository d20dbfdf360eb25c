use super::*;

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

const NOW: &str = "2026-11-28T12:00:00Z";

const RULES: Rules = Rules { interval: Duration::from_secs(300), attempt: Duration::from_secs(840) };

fn run(status: Status, started_at: &str) -> RunSummary {
    RunSummary {
        run_id: "r".into(),
        run_status: status,
        attempt: 1,
        trigger: String::new(),
        tickers_processed: 0,
        created_at: None,
        started_at: Some(time(started_at)),
        ended_at: None,
        duration_ms: 0,
        tickers_requested: 1,
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
        stopped: None,
    }
}

fn asked(asked_at: &str) -> StoredProbe {
    StoredProbe { asked_at: Some(time(asked_at)), result: None }
}

fn allow(known: &StoredProbe, runs: &[RunSummary], now: &str) -> Result<(), (String, u64)> {
    RULES.allow(known, runs, time(now)).map_err(|(reason, wait)| (reason, wait.as_secs()))
}

#[test]
fn two_probes_lie_apart_also_where_the_first_never_answered() {
    assert!(allow(&StoredProbe::default(), &[], NOW).is_ok());
    let refused = allow(&asked("2026-11-28T11:58:20Z"), &[], NOW).unwrap_err();
    let reason = "the last probe was requested 100 s ago; probe_interval_seconds is 300";
    assert_eq!(refused, (reason.to_owned(), 200));
    assert!(allow(&asked("2026-11-28T11:55:00Z"), &[], NOW).is_ok());
    assert!(allow(&asked("2026-11-28T12:00:30Z"), &[], NOW).is_ok(), "another clock runs ahead");
}

#[test]
fn no_probe_takes_a_request_from_a_run() {
    let running =
        [run(Status::Succeeded, "2026-11-28T11:59:00Z"), run(Status::Running, "2026-11-28T11:50:00Z")];
    let (reason, _) = allow(&StoredProbe::default(), &running, NOW).unwrap_err();
    assert_eq!(reason, "run r is calling the provider: its calls show how healthy it is");
    let dead = [run(Status::Running, "2026-11-28T11:45:00Z")];
    assert!(allow(&StoredProbe::default(), &dead, NOW).is_ok(), "no request works longer than its deadline");
}

#[test]
fn what_was_answered_comes_back_from_the_store() {
    let provider = Provider::parse("alphavantage").unwrap();
    for (status_code, error) in
        [(Some(200), None), (Some(503), Some("503: down".to_owned())), (None, Some("no answer".into()))]
    {
        let result = ProbeResult { probed_at: time(NOW), latency_ms: 12_345, status_code, error };
        let mut fields = to_fields(provider, &result);
        fields.insert("asked_at".into(), Value::Timestamp(time("2026-11-28T11:59:48Z")));
        let document = Document {
            id: document_id(provider),
            fields,
            create_time: time(NOW),
            update_time: time(NOW),
            read_time: time(NOW),
        };
        let stored = StoredProbe::from_document(&document);
        assert_eq!(stored, StoredProbe { result: Some(result), ..asked("2026-11-28T11:59:48Z") });
    }
}
