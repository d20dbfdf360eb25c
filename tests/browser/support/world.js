// Answers of the service for the mock: a healthy world, and what can go wrong with it.

export const JOBS = [
  ["tiingo-daily-prices", "/tiingo/daily-prices", "tiingo", "entire_watchlist", "0 18 * * 1-5", "End-of-day prices of the entire watchlist"],
  ["tiingo-daily-prices-indices", "/tiingo/daily-prices-indices", "tiingo", "indices", "5 18 * * 1-5", "End-of-day prices of the market indices"],
  ["finnhub-quote-portfolio", "/finnhub/quote-portfolio", "finnhub", "active_symbols", "*/5 9-16 * * 1-5", "Intraday quotes of the active positions"],
  ["finnhub-quote-indices", "/finnhub/quote-indices", "finnhub", "indices", "*/5 9-16 * * 1-5", "Intraday quotes of the market indices"],
  ["finnhub-company-news-universe", "/finnhub/company-news-universe", "finnhub", "entire_watchlist", "0 8-18/2 * * 1-5", "Company news of the entire watchlist"],
  ["finnhub-company-news-portfolio", "/finnhub/company-news-portfolio", "finnhub", "active_symbols", "0 8-18 * * 1-5", "Company news of the active positions"],
  ["finnhub-fundamentals-earnings", "/finnhub/fundamentals-earnings", "finnhub", "entire_watchlist", "0 7 * * 1-5", "Fundamentals and the earnings calendar of the entire watchlist"],
  ["polygon-news-universe", "/polygon/news-universe", "polygon", "entire_watchlist", "0 8-17/3 * * 1-5", "Company news of the entire watchlist"],
  ["polygon-news-portfolio", "/polygon/news-portfolio", "polygon", "active_symbols", "0 8-18 * * 1-5", "Company news of the active positions"],
  ["polygon-news-market", "/polygon/news-market", "polygon", "none", "0,30 8-18 * * 1-5", "Market-wide news"],
  ["alpha-vantage-technical-indicators", "/alphavantage/technical-indicators", "alphavantage", "entire_watchlist", "0 17 * * 1-5", "Technical indicators of the entire watchlist"],
];

const SHORTFALLS = ["failed", "empty", "stale", "deferred"];

const SIZE = { entire_watchlist: 508, active_symbols: 50, indices: 8, none: 0 };

/** A time that lies `seconds` ahead of now, or behind it. */
export function at(seconds) {
  return new Date(Date.now() + seconds * 1000).toISOString();
}

export function tickers(count, from = 0) {
  return Array.from({ length: count }, (_, index) => `T${String(from + index).padStart(3, "0")}`);
}

/** A run's report. `change` overrides fields of its data; `message` is the sentence. */
export function report(job, change = {}, message = null) {
  const [, , provider, scope] = JOBS.find(([name]) => name === job);
  const requested = change.tickers_requested ?? SIZE[scope];
  const short = SHORTFALLS.reduce((sum, outcome) => sum + (change[`tickers_${outcome}`]?.length ?? 0), 0);
  const pending = change.pending?.reduce((sum, work) => sum + work.tickers.length, 0) ?? 0;
  const data = {
    run_id: `${job}_2026-11-24T18:00:00Z`, run_status: "succeeded", attempt: 1, trigger: "scheduler", scope, provider,
    run_time: at(-600), tickers_requested: requested, tickers_processed: requested - short - pending, tickers_unchanged: 0,
    tickers_failed: [], tickers_empty: [], tickers_stale: [], tickers_deferred: [], tickers_pending: pending, pending: [],
    records_stored: requested - short - pending, records_rejected: 0, records_flagged: 0,
    records_unchanged: 0, records_revised: 0, documents_read: 1214, documents_written: 1050,
    collections: { [`${provider}_daily_records`]: requested - short - pending }, raw_logs: 11,
    batches: 11, calls: 11, retries: 0, write_retries: 0, remarks: [], watchlist_problems: [],
    watchlist_problems_count: 0, created_at: at(-601), started_at: at(-600), ended_at: at(-596), duration_ms: 4321,
    trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
    resources: {
      steps_ms: { claim: 12, plan: 140, execute: 4100, close: 20 }, waits_ms: { retry: 0, limit: 310 }, bytes_in: 2_345_678,
      bytes_out: 34_567, memory_bytes: 21_000_000,
    },
    ...change,
  };
  const status = { succeeded: "ok", partial: "partial" }[data.run_status] ?? "error";
  const done = `${data.tickers_processed} of ${requested} tickers processed, ${data.records_stored} records stored`;
  return { status, job, message: message ?? done, data, timestamp: at(-596) };
}

/** A run as the list of all runs has it. */
export function line(run) {
  const { status, job, message } = run;
  return { status, job, message, data: brief(run) };
}

/** A run as the status page lists it. */
export function brief({ data }, stopped = null) {
  const kept = ["run_id", "run_status", "trigger", "attempt", "created_at", "started_at", "ended_at", "duration_ms",
    "tickers_requested", "tickers_processed", "tickers_pending", "records_stored", "records_unchanged", "records_revised",
    "records_flagged", "waits_until"];
  const run = Object.fromEntries(kept.map((name) => [name, data[name] ?? null]));
  const short = Object.fromEntries(SHORTFALLS.map((outcome) => [`tickers_${outcome}`, data[`tickers_${outcome}`].length]));
  return { ...run, ...short, stopped: stopped ?? data.stopped ?? null };
}

/** The calls of a run: batches of 50 tickers, four at once. */
export function calls(count, change = () => ({})) {
  return Array.from({ length: count }, (_, index) => ({
    log_id: `018f3c2e-7a1b-7c3d-9e4f-${String(index).padStart(12, "0")}`, endpoint: "/fetch",
    requested_at: at(-600 + Math.floor(index / 4) * 0.9 + (index % 4) * 0.05), latency_ms: 620 + ((index * 137) % 400), status_code: 200,
    attempt: 1, run_attempt: 1, tickers_requested: 50, tickers_successful: 50, tickers_failed: 0, error: null, ...change(index),
  }));
}

function history(job, at0) {
  return Array.from({ length: 20 }, (_, index) => brief(report(job, {
    run_id: `${job}_tick-${index}`, duration_ms: 1500 + ((index * 7919 + at0 * 104_729) % 2600), started_at: at(-3600 * (index + 1)),
    run_status: "succeeded",
  })));
}

function service(provider, index) {
  return {
    provider, url: `http://localhost:${8001 + index}`, healthy: true, source: "calls", checked_at: at(-30 - index), error: null,
    probe: null,
    breaker: { position: "closed", until: null, openings: 0, prober: null, reason: null },
    connections: {
      calls_in_flight: index, calls_in_flight_max: 4, calls: 1200, last_success_time: at(-30 - index), last_error_time: null,
      last_error: null, failures_in_row: 0,
    },
  };
}

/** A service in which all is well. */
export function healthy() {
  const jobs = JOBS.map(([job, route, provider, scope, schedule, summary], index) => ({
    job, route, provider, scope, summary, schedule, next_run_time: "2026-11-24T23:00:00.000Z", last_due_time: at(-3000), overdue: false, paused: null,
    statistics: { jobs_processed: 40, jobs_successful: 40, jobs_partial: 0, jobs_failed: 0, last_job_time: at(-3600) },
    last_success_time: at(-3600), success_percent: 100, recent_runs: history(job, index),
  }));
  return {
    status: "healthy", service: "orchestrator", version: "0.2.0", time: at(0), project: "demo-project", database: "(default)",
    time_zone: "America/New_York",
    instance: { id: "0192f0c1-2d3e-7f40-8a5b-6c7d8e9f0a1b", started_at: at(-86_000), requests_in_flight: 1, memory_bytes: 12_345_678 },
    statistics: { jobs_processed: 440, jobs_successful: 431, jobs_partial: 6, jobs_failed: 3, last_job_time: at(-300) },
    firestore: { reachable: true, latency_ms: 4, error: null },
    services: ["tiingo", "finnhub", "polygon", "alphavantage"].map(service),
    jobs, alerts: [],
  };
}

/** A service that has never run a job. */
export function fresh() {
  const world = healthy();
  const none = { jobs_processed: 0, jobs_successful: 0, jobs_partial: 0, jobs_failed: 0, last_job_time: null };
  world.jobs.forEach((job) => Object.assign(job, {
    statistics: none, recent_runs: [], success_percent: null, last_success_time: null,
  }));
  world.services.forEach((service) => {
    Object.assign(service, { healthy: null, source: null, checked_at: null });
    Object.assign(service.connections, { last_success_time: null, calls: 0 });
  });
  return { ...world, statistics: none };
}

const DATASETS = {
  "tiingo-daily-prices": ["daily_prices"], "tiingo-daily-prices-indices": ["daily_prices"], "finnhub-quote-portfolio": ["quotes"],
  "finnhub-quote-indices": ["quotes"], "finnhub-company-news-universe": ["finnhub_news"], "finnhub-company-news-portfolio": ["finnhub_news"],
  "finnhub-fundamentals-earnings": ["fundamentals", "earnings"], "polygon-news-universe": ["polygon_news"],
  "polygon-news-portfolio": ["polygon_news"], "polygon-news-market": ["market_news"],
  "alpha-vantage-technical-indicators": ["technical_indicators"],
};

/** Datasets of which past days can be requested. */
const PAST_DAYS = ["daily_prices", "finnhub_news", "polygon_news"];

/** The catalogue, as far as the page reads it. */
export function jobList() {
  const collection = { daily_prices: "prices_daily" };
  const endpoint = (dataset) => ({ path: "/fetch", dataset, collection: collection[dataset] ?? dataset, past_days: PAST_DAYS.includes(dataset) });
  return { jobs: JOBS.map(([job]) => ({ job, endpoints: DATASETS[job].map(endpoint) })) };
}

/** The weekdays before Tuesday, 24 November 2026, oldest first. */
function sessions(count) {
  const days = [];
  for (let day = new Date("2026-11-23T00:00:00Z"); days.length < count; day = new Date(day.getTime() - 86_400_000)) {
    if (![0, 6].includes(day.getUTCDay())) days.unshift(day.toISOString().slice(0, 10));
  }
  return days;
}

/** The coverage of a dataset: all is well, but for some sessions of prices and all of the indicators. */
export function coverage({ url }) {
  const dataset = url.searchParams.get("dataset");
  const expected = { quotes: 54, market_news: 1 }[dataset] ?? 508;
  const odd = (at) => {
    if (dataset === "daily_prices") return { 12: { failed: 3, flagged: 2 }, 20: { missing: 508 }, 29: { stale: 12, failed: 3, missing: 21 } }[at];
    if (dataset === "technical_indicators") return { deferred: 483 };
    return undefined;
  };
  return {
    dataset,
    sessions: sessions(30).map((date, at) => {
      const counts = { flagged: 0, empty: 0, stale: 0, failed: 0, deferred: 0, missing: 0, ...odd(at) };
      const lacking = Object.values(counts).reduce((sum, count) => sum + count, 0);
      return { date, expected, stored: expected - lacking, ...counts, changed_at: null };
    }),
  };
}

/** The tickers of 23 November 2026. */
export function dayOfPrices() {
  const state = (name, list, leftOut = 0) => ({ state: name, count: list.length + leftOut, tickers: list, left_out: leftOut });
  return {
    dataset: "daily_prices", date: "2026-11-23", has_sessions: true, expected: 508, changed_at: at(-3000),
    run_id: "tiingo-daily-prices_2026-11-23T23:00:00Z",
    states: [state("missing", tickers(21)), state("failed", ["XYZ", "BRK.B", "^GSPC"]), state("stale", tickers(12, 40)),
      state("stored", tickers(400, 100), 72)],
  };
}

/** The same with a paused job; `until`: null if it is paused without an end. */
export function paused(status, job, until = at(7200)) {
  const pause = { since: at(-600), until, by: "ann@example.com", reason: "the key has expired" };
  const next = until ? "2026-11-25T23:00:00.000Z" : null;
  const jobs = status.jobs.map((known) => (known.job === job ? { ...known, paused: pause, next_run_time: next } : known));
  return { ...status, jobs };
}

/** The latest orders. */
export function given() {
  const order = (seconds, what, subject, why, more = {}) => ({
    when: at(-seconds), who: "ann@example.com", what, subject, why, details: null, ...more,
  });
  return {
    orders: [
      order(90, "cancel", "tiingo-daily-prices_2026-11-23T23:00:00Z", "wrong day"),
      order(600, "pause", "finnhub-quote-portfolio", "<script>alert(1)</script>", { details: "until 2026-11-25T18:30:00+00:00" }),
      order(4000, "resume_runs", "status=failed from=2026-11-20T00:00:00+00:00 limit=20", "the provider is back", { details: "a, b, c" }),
      order(90_000, "reset_breaker", "tiingo", null, { who: "operator" }),
      order(95_000, "backfill", "tiingo-daily-prices_key_4711", "the provider was down", { details: "tiingo-daily-prices of 2026-11-02 to 2026-11-06, entire_watchlist, only missing" }),
    ],
  };
}

/** What a backfill of prices would request: 24 records, 20 of them named. */
export function planOfPrices(change = {}) {
  const holes = tickers(20).map((ticker, at) => ({ ticker, date: "2026-11-02", state: at === 3 ? "failed" : "missing" }));
  return {
    status: "ok", job: "tiingo-daily-prices", message: "dry run: 24 records of 24 tickers would be requested with 2 calls, about 3 minutes at the present rate",
    data: { dry_run: true, from: "2026-11-02", to: "2026-11-06", only: "missing", cells: 24, tickers: 24, calls: 2, quota_requests: 48, minutes: 3, holes, ...change },
  };
}

/** A run for past days, with two pieces of them, one of which is left, and their calls. */
export function backfillRun(change = {}) {
  const [early, late] = [{ from: "2025-01-02", to: "2025-12-31" }, { from: "2026-01-02", to: "2026-11-24" }];
  const reason = "503: upstream provider is in maintenance";
  return report("tiingo-daily-prices", {
    run_id: "tiingo-daily-prices_key_4711", run_status: "failed", trigger: "backfill",
    backfill: { from: "2025-01-02", to: "2026-11-24", only: "missing" }, tickers_requested: 24,
    tickers_failed: ["XYZ", "BRK.B"].map((ticker) => ({ ticker, endpoint: "/fetch", window: late, class: "malformed", reason: "the service ignored the requested days" })),
    pending: [
      { endpoint: "/fetch", tickers: tickers(3), window: early, reason, tries: 1 },
      { endpoint: "/fetch", tickers: tickers(2), window: late, reason, tries: 1 },
    ],
    ...change,
  });
}

export function backfillCalls() {
  const windows = [{ from: "2026-01-02", to: "2026-11-24" }, { from: "2025-06-02", to: "2025-06-02" }];
  return { calls: calls(3, (at) => (windows[at] ? { window: windows[at] } : {})), truncated: false };
}

const AAPL = { ticker: "AAPL", date: "2026-11-20", open: 231.5, high: 236.2, low: 230.9, close: 235.5, volume: 40_125_300, source: "tiingo" };

/** A record of prices that was corrected once, and then adjusted for a dividend. */
export function historyOfPrices() {
  const forms = [
    { ...AAPL, adj_close: 235.5, volume: 39_870_000 }, { ...AAPL, adj_close: 235.5 },
    { ...AAPL, adj_close: 235.26, note: "restated <after> the dividend of 2026-11-24" },
  ];
  const times = ["2026-11-20T23:00:41.250Z", "2026-11-21T23:00:39.000Z", "2026-11-24T23:00:52.125Z"];
  const revision = (number, changed) => ({
    number, fields: forms[number], known_since: times[number], superseded_at: times[number + 1],
    superseded_by_run: `tiingo-daily-prices_${times[number + 1].slice(0, 10)}T23:00:00Z`, changed,
  });
  return {
    collection: "prices_daily", document: "AAPL_2026-11-20", current: { fields: forms[2], known_since: times[2] },
    revisions: [revision(1, ["adj_close", "note"]), revision(0, ["volume"])],
  };
}

/** What was known of that record at a time; now if there is none. */
export function recordOfPrices(asOf = null) {
  const { collection, document, current, revisions } = historyOfPrices();
  const form = asOf ? revisions.find(({ known_since: since, superseded_at: until }) => since <= asOf && asOf < until) : current;
  if (!form) return [404, { title: "Not found", detail: `${document} was not known at ${asOf}` }];
  return {
    collection, document, as_of: asOf, fields: form.fields, known_since: form.known_since, superseded_at: form.superseded_at ?? null,
    superseded_by_run: form.superseded_by_run ?? null, revisions: revisions.length,
  };
}

/** The answers about it. */
export function recordAnswers() {
  const path = "GET /records/prices_daily/AAPL_2026-11-20";
  return {
    [path]: ({ url }) => recordOfPrices(url.searchParams.get("as_of")),
    [`${path}/revisions`]: historyOfPrices(),
  };
}
