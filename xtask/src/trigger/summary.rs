//! The response of a run in a few lines, for people.

use serde_json::Value;

/// Tickers of each outcome that are named.
const NAMED_MAX: usize = 5;
/// Holes of a plan that are named.
const HOLES_MAX: usize = 10;

/// What is said of a response: of a run, of a plan, or of a refusal.
pub(super) fn of(url: &str, response: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned).unwrap_or_default();
    let data = &response["data"];
    if let Some(detail) = response["detail"].as_str() {
        return vec![format!("{}: {detail}", text(&response["title"]))];
    }
    let mut lines = vec![format!("{}: {}", text(&response["status"]), text(&response["message"]))];
    if data["dry_run"] == true {
        lines.extend(holes(data));
        return lines;
    }
    let Some(run_id) = data["run_id"].as_str() else { return lines };
    lines.push(format!("tickers   {}", tickers(data)));
    lines.push(format!("records   {}", records(data)));
    for outcome in ["failed", "empty", "stale", "deferred"] {
        lines.extend(named(data, outcome));
    }
    for remark in data["remarks"].as_array().into_iter().flatten().take(NAMED_MAX) {
        lines.push(format!("remark    {}", text(remark)));
    }
    let seconds = data["duration_ms"].as_f64().unwrap_or_default() / 1_000.0;
    lines.push(format!("time      {seconds:.1} s, attempt {}", number(&data["attempt"])));
    lines.push(format!("look at   {}/#/runs/{run_id}", url.trim_end_matches('/')));
    lines
}

fn tickers(data: &Value) -> String {
    let (processed, unchanged) = (number(&data["tickers_processed"]), number(&data["tickers_unchanged"]));
    let mut told =
        vec![(processed.saturating_sub(unchanged), "stored".to_owned()), (unchanged, "unchanged".to_owned())];
    for outcome in ["failed", "empty", "stale", "deferred"] {
        let listed = data[format!("tickers_{outcome}")].as_array().map_or(0, Vec::len);
        let left_out = number(&data[format!("tickers_{outcome}_left_out")]);
        told.push((u64::try_from(listed).unwrap_or(u64::MAX).saturating_add(left_out), outcome.to_owned()));
    }
    told.push((number(&data["tickers_pending"]), "pending".to_owned()));
    let told = told.into_iter().filter(|(count, _)| *count > 0);
    let told: Vec<_> = told.map(|(count, what)| format!("{count} {what}")).collect();
    let requested = number(&data["tickers_requested"]);
    if told.is_empty() {
        format!("{requested} requested")
    } else {
        format!("{requested} requested: {}", told.join(", "))
    }
}

fn records(data: &Value) -> String {
    let count = |name: &str| number(&data[format!("records_{name}")]);
    let revised = match count("revised") {
        0 => String::new(),
        revised => format!(" ({revised} of them revised)"),
    };
    let mut told = format!("{} stored{revised}", count("stored"));
    for name in ["unchanged", "rejected", "flagged"] {
        if count(name) > 0 {
            told = format!("{told}, {} {name}", count(name));
        }
    }
    told
}

/// Tickers with this outcome, each with the reason.
fn named(data: &Value, outcome: &str) -> Vec<String> {
    let short = data[format!("tickers_{outcome}")].as_array().map(Vec::as_slice).unwrap_or_default();
    let left_out = number(&data[format!("tickers_{outcome}_left_out")]);
    let line = |short: &Value| {
        let text = |name: &str| short[name].as_str().unwrap_or("-").to_owned();
        format!("{outcome:<10}{} at {}: {}", text("ticker"), text("endpoint"), text("reason"))
    };
    let mut lines: Vec<_> = short.iter().take(NAMED_MAX).map(line).collect();
    let more =
        u64::try_from(short.len().saturating_sub(NAMED_MAX)).unwrap_or(u64::MAX).saturating_add(left_out);
    if more > 0 {
        lines.push(format!("{outcome:<10}and {more} more: `-o json` names them"));
    }
    lines
}

/// What a backfill would request.
fn holes(data: &Value) -> Vec<String> {
    let holes = data["holes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let line = |hole: &Value| {
        let text = |name: &str| hole[name].as_str().unwrap_or_default().to_owned();
        format!("{:<10}{} {}", text("state"), text("ticker"), text("date"))
    };
    holes.iter().take(HOLES_MAX).map(line).collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_is_told_in_a_few_lines() {
        let failed =
            |ticker: &str| json!({"ticker": ticker, "endpoint": "/fetch", "reason": "no such symbol"});
        let failed = ["A", "B", "C", "D", "E", "F"].map(failed);
        let response = json!({
            "status": "partial", "message": "9 of 16 tickers processed",
            "data": {
                "run_id": "r1", "tickers_requested": 16, "tickers_processed": 9, "tickers_unchanged": 2,
                "tickers_failed": failed, "tickers_failed_left_out": 1,
                "tickers_empty": [], "records_stored": 140, "records_revised": 3, "records_unchanged": 40,
                "records_rejected": 0, "duration_ms": 1_250, "attempt": 2, "remarks": ["slow today"],
            },
        });
        let told = of("http://localhost:8000/", &response);
        let expect = [
            "partial: 9 of 16 tickers processed",
            "tickers   16 requested: 7 stored, 2 unchanged, 7 failed",
            "records   140 stored (3 of them revised), 40 unchanged",
            "failed    A at /fetch: no such symbol",
            "failed    B at /fetch: no such symbol",
            "failed    C at /fetch: no such symbol",
            "failed    D at /fetch: no such symbol",
            "failed    E at /fetch: no such symbol",
            "failed    and 2 more: `-o json` names them",
            "remark    slow today",
            "time      1.2 s, attempt 2",
            "look at   http://localhost:8000/#/runs/r1",
        ];
        assert_eq!(told, expect);
    }

    #[test]
    fn a_plan_and_a_refusal_are_told_too() {
        let plan = json!({
            "status": "ok", "message": "dry run: 1 record would be requested",
            "data": {"dry_run": true, "holes": [{"ticker": "A", "date": "2026-01-02", "state": "missing"}]},
        });
        assert_eq!(of("", &plan), ["ok: dry run: 1 record would be requested", "missing   A 2026-01-02"]);
        let refused = json!({"title": "Unknown job", "detail": "unknown job `x`"});
        assert_eq!(of("", &refused), ["Unknown job: unknown job `x`"]);
    }
}
