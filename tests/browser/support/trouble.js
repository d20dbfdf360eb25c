// A bad evening: a provider is down with its breaker open, a job fails, another is overdue, one is slow.

import { at, brief, calls, healthy, report, tickers } from "./world.js";

const DOWN = "503: upstream provider failed: <b>connection refused</b>";
const UNKNOWN = "symbol not found";

/** 12 tickers failed for good, 40 are pending. */
export function failedRun() {
  const failed = tickers(12).map((ticker) => ({ ticker, endpoint: "/fetch", class: "refused", reason: UNKNOWN }));
  return report("tiingo-daily-prices", {
    run_id: "tiingo-daily-prices_2026-11-23T23:00:00Z", run_status: "failed", attempt: 2, tickers_failed: failed,
    pending: [{ endpoint: "/fetch", tickers: tickers(40, 100), reason: DOWN, tries: 2 }],
    remarks: ["Failed: upstream provider is in maintenance until 20:00"], started_at: at(-1500), ended_at: at(-1320), duration_ms: 180_400,
    retries: 9, calls: 20,
  }, "456 of 508 tickers processed, 456 records stored; 40 tickers are left for the next attempt: the provider is down");
}

/** Every ticker failed, for three reasons, one of them very long. */
export function disaster() {
  const reason = (index) => (index < 420 ? DOWN : index < 490 ? UNKNOWN : `invalid payload: ${"x".repeat(160)} at line 1 column 4711`);
  const failed = tickers(500).map((ticker, index) => ({ ticker, endpoint: "/fetch", class: index < 420 ? "unavailable" : "refused", reason: reason(index) }));
  return report("tiingo-daily-prices", {
    run_id: "tiingo-daily-prices_2026-11-22T23:00:00Z", run_status: "failed", tickers_requested: 500, tickers_failed: failed,
    records_stored: 0, started_at: at(-90_000), ended_at: at(-89_000), duration_ms: 840_000,
  }, "0 of 500 tickers processed, 0 records stored; nothing succeeded");
}

const OLD = "newest record is dated 2026-11-20; expected 2026-11-23";

/** Every outcome at once, some records doubtful. */
export function shortRun() {
  const short = (names, reason, more = {}) => names.map((ticker) => ({ ticker, endpoint: "/fetch", reason, ...more }));
  return report("tiingo-daily-prices", {
    run_id: "tiingo-daily-prices_2026-11-20T23:00:00Z", run_status: "partial",
    tickers_failed: short(tickers(6), UNKNOWN, { class: "refused" }),
    tickers_empty: short(tickers(14, 100), "the provider returned no records for it", { outcome: "empty" }),
    tickers_stale: [
      ...short(tickers(70, 200), OLD, { outcome: "stale" }),
      ...short(tickers(2, 290), "newest record is dated 2025-06-30; expected 2026-11-23", { outcome: "stale" }),
    ],
    tickers_stale_left_out: 3,
    tickers_deferred: short(tickers(25, 400), "the provider's quota is used up until 2026-11-24T00:00:00Z", { outcome: "deferred" }),
    records_flagged: 12, started_at: at(-9000), ended_at: at(-8990),
  }, "391 of 508 tickers processed, 391 records stored; 6 tickers failed, 14 empty, 72 stale, 25 deferred, 0 records rejected");
}

/** Nothing that the provider answered is current: the run waits. */
export function waitingRun() {
  const stopped = `not published yet: 300 of 508 tickers that /fetch answered have no current data (${OLD}); requesting them again in 900 s`;
  return report("tiingo-daily-prices", {
    run_id: "tiingo-daily-prices_2026-11-24T23:00:00Z", run_status: "failed", stopped, waits_until: at(720),
    pending: [{ endpoint: "/fetch", tickers: tickers(300), reason: `not published yet: ${OLD}` }], started_at: at(-183), ended_at: at(-180),
  }, `208 of 508 tickers processed, 208 records stored; 300 tickers are left for the next attempt: ${stopped}`);
}

/** The calls of [`failedRun`]: two attempts, the second against a provider that is down. */
export function failedCalls() {
  const first = calls(14, (index) => (index === 5 ? { tickers_successful: 38, tickers_failed: 12 } : {}));
  const second = calls(6, (index) => ({
    log_id: `018f3c2e-0000-7c3d-9e4f-00000000100${index}`, requested_at: at(-1490 + index * 4), run_attempt: 2, attempt: (index % 4) + 1, latency_ms: 900,
    tickers_requested: 40, tickers_successful: 0, status_code: index % 2 ? 503 : null, error: index % 2 ? DOWN : "no complete response within 30 s",
  }));
  return { calls: [...first, ...second], truncated: false };
}

export function troubled() {
  const world = healthy();
  const job = (name) => world.jobs.find((one) => one.job === name);
  const failed = brief(failedRun(), "the provider is down: its breaker is open");
  const prices = job("tiingo-daily-prices");
  const before = prices.recent_runs.slice(2, 20);
  Object.assign(before[0], { run_status: "partial", tickers_failed: 3 });
  Object.assign(before[4], { run_status: "failed", tickers_failed: 508 });
  Object.assign(prices, { recent_runs: [failed, ...before], success_percent: 89.47, last_success_time: at(-90_000) });
  Object.assign(job("alpha-vantage-technical-indicators"), { overdue: true, last_due_time: at(-5400) });
  const running = job("finnhub-quote-portfolio");
  running.recent_runs[0] = { ...running.recent_runs[0], run_status: "running", ended_at: null, started_at: at(-4), duration_ms: 1900, tickers_pending: 20 };
  Object.assign(world.services[0], {
    healthy: false, source: "probe", checked_at: at(-20), error: "no complete response within 30 s",
    probe: { probed_at: at(-20), latency_ms: 30_000, status_code: null, error: "no complete response within 30 s" },
    breaker: { position: "open", until: at(95), openings: 3, prober: null, reason: "12 of the last 20 calls failed" },
  });
  Object.assign(world.services[0].connections, { last_error_time: at(-25), last_error: DOWN, failures_in_row: 12 });
  world.services[2].breaker = { position: "half_open", until: null, openings: 1, prober: "0192f0c1", reason: null };
  const runbook = (name) => `docs/operations.md#${name.toLowerCase()}`;
  const alert = (name, severity, about, message, since) =>
    ({ alert: name, severity, job: null, provider: null, ...about, message, since, runbook: runbook(name) });
  world.alerts = [
    alert("JobOverdue", "warning", { job: "alpha-vantage-technical-indicators" }, "no run has succeeded since it was due 1 h 30 min ago", at(-5400)),
    alert("JobFailing", "critical", { job: "tiingo-daily-prices" }, "the last 2 runs failed", at(-1320)),
    alert("BreakerOpen", "warning", { provider: "tiingo" }, "the breaker is open: 12 of the last 20 calls failed", at(-1400)),
  ];
  return { ...world, status: "unhealthy" };
}

/** All is well, but a job waits for its data, and records of another are doubtful. */
export function waiting() {
  const world = healthy();
  const job = (name) => world.jobs.find((one) => one.job === name);
  job("tiingo-daily-prices").recent_runs.unshift(brief(waitingRun()));
  job("tiingo-daily-prices").recent_runs[3] = brief(shortRun());
  const doubtful = job("polygon-news-universe").recent_runs[0];
  Object.assign(doubtful, { records_flagged: 61 });
  world.alerts = [{
    alert: "RecordsFlagged", severity: "warning", job: "polygon-news-universe", provider: "polygon", since: at(-7200), runbook: "docs/operations.md#recordsflagged",
    message: `61 of 508 records that polygon-news-universe took in during the last 24 hours are doubtful, limit 5 %; latest in ${doubtful.run_id}`,
  }];
  return { ...world, status: "degraded" };
}
