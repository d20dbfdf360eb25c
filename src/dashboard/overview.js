// Alerts, services and jobs.

import { code, div, h, span } from "./dom.js";
import { detailKey, summary, witness } from "./evidence.js";
import { city, duration, localZone, number, percent, plural, slot } from "./format.js";
import {
  ago, button, facts, icon, jobPath, leftOver, loading, pill, runPath, sparkline, sub, table, tone, when,
} from "./parts.js";

/** Tickers named in an alert; the run's page names all. */
const TICKERS_NAMED = 12;

/** Reasons named in an alert. */
const REASONS_NAMED = 2;

export function alertsView(status, details) {
  if (!status) return null;
  if (status.alerts.length === 0) {
    return h("p", { class: "all-clear", key: "clear" }, icon("ok"), "No alerts are firing.");
  }
  const rank = (alert) => (alert.severity === "critical" ? 0 : 1);
  const alerts = [...status.alerts].sort((a, b) => rank(a) - rank(b));
  return [
    h("h2", { key: "title" }, `Alerts (${alerts.length})`),
    h("ul", { class: "alerts", key: "list" }, alerts.map((alert) => alertItem(status, details, alert))),
  ];
}

export function alertKey(alert) {
  return [alert.alert, alert.job, alert.provider].filter(Boolean).join(" ");
}

function alertItem(status, details, alert) {
  const run = witness(status, alert);
  const provider = alert.provider ?? status.jobs.find(({ job }) => job === alert.job)?.provider;
  return h("li", { class: `alert ${alert.severity}`, key: alertKey(alert) },
    div("alert-head",
      pill(alert.severity), h("strong", {}, alert.alert),
      alert.job && jobLink(alert, 0), span(null, provider),
      alert.since && span("quiet", "since ", when(alert.since)),
      span("runbook", "Runbook: ", code(alert.runbook))),
    h("p", {}, alert.message),
    facts(alertFacts(status, details.get(run && detailKey(run)), alert, run)));
}

function alertFacts(status, report, alert, run) {
  const touched = alert.job ? [] : status.jobs.filter(({ provider }) => provider === alert.provider);
  const told = run?.stopped && alert.message.includes(run.stopped);
  return [
    ["Affected jobs", touched.length > 0 && touched.map(jobLink)],
    ["Tickers", run && tickersNamed(run, report)],
    ["Why", run && (reasonsNamed(report) ?? (told ? null : run.stopped))],
    ["Run", run && [runLink(run, `${run.run_status} run`), run.job && ` of ${run.job}`, " started ", ago(run.started_at)]],
  ];
}

function jobLink({ job }, at) {
  return [at > 0 && ", ", h("a", { href: jobPath(job) }, job)];
}

function runLink(run, ...words) {
  return h("a", { href: runPath(run.run_id) }, words);
}

function tickersNamed(run, report) {
  const head = leftOver(run);
  if (!head) return null;
  const tickers = report ? summary(report.data).tickers : [];
  if (tickers.length === 0) return head;
  const more = tickers.length - TICKERS_NAMED;
  const names = tickers.slice(0, TICKERS_NAMED).join(", ");
  return [head, ": ", span("mono", names), more > 0 && ` and ${number(more)} more`];
}

function reasonsNamed(report) {
  const reasons = report ? summary(report.data).reasons.slice(0, REASONS_NAMED) : [];
  if (reasons.length === 0) return null;
  return reasons.map(([reason, times]) => span("reason", reason, times > 1 && ` (${number(times)}×)`));
}

export function servicesView(status) {
  if (!status) return loading("services", 2);
  return h("ul", { class: "cards" }, status.services.map(serviceCard), firestoreCard(status.firestore));
}

function serviceCard(service) {
  const { breaker, connections, probe, provider } = service;
  const shut = breaker.position !== "closed";
  const row = connections.failures_in_row > 1 && `, ${number(connections.failures_in_row)} in a row`;
  const state = { true: "healthy", false: "unhealthy", null: "unknown" }[service.healthy];
  const look = service.healthy === false ? "bad" : tone(breaker.position);
  return h("li", { class: `card ${look}`, key: provider, "data-provider": provider },
    div("card-head", h("h3", {}, provider), pill(state)),
    facts([
      ["Health", service.checked_at ? [`from its ${service.source === "probe" ? "probe" : "calls"}, `, ago(service.checked_at)]
        : "unknown: never called"],
      ["Why", service.error, "stack bad-text"],
      ["Breaker", [pill(breaker.position), shut && breaker.until && [" until ", when(breaker.until)]]],
      ["Opened", breaker.openings > 0 && plural(breaker.openings, "time")],
      ["Reason", breaker.reason, "stack"],
      ["Probe", probe && [ago(probe.probed_at), `, ${probe.status_code ?? "no response"} in ${duration(probe.latency_ms)}`]],
      ["In flight", `${number(connections.calls_in_flight)} of ${number(connections.calls_in_flight_max)}`],
      ["Last success", connections.last_success_time && ago(connections.last_success_time)],
      ["Last error", connections.last_error_time && [ago(connections.last_error_time), row, ": ",
        connections.last_error], "stack"],
    ]),
    div("card-orders",
      button("Probe…", "probe", { provider }),
      shut && button("Reset breaker…", "reset-breaker", { provider })));
}

function firestoreCard({ reachable, latency_ms: latency, error }) {
  return h("li", { class: `card ${reachable ? "" : "bad"}`, key: "firestore", "data-provider": "firestore" },
    div("card-head", h("h3", {}, "Firestore"), pill(reachable ? "healthy" : "unhealthy",
      reachable ? "reachable" : "unreachable")),
    facts([["Latency", duration(latency)], ["Error", error, "stack bad-text"]]));
}

export function jobsView(status) {
  if (!status) return loading("jobs", 8);
  const columns = [
    ["Job", ""], ["Last run", ""], ["Success", "num"], ["Durations", ""], ["Next run", ""], ["Action", "act"],
  ];
  const firing = new Set(status.alerts.map(({ job }) => job));
  const rows = status.jobs.map((job) => ({
    key: job.job,
    look: firing.has(job.job) || job.overdue ? "marked" : null,
    cells: jobCells(job, status.time_zone),
  }));
  return table("Jobs: last run, success rate, durations and next scheduled time", columns, rows);
}

function jobCells(job, zone) {
  return [
    [span("name", jobLink(job, 0)),
      sub(job.summary), sub(`${job.provider} · ${job.scope}`)],
    lastRun(job),
    [span("big", percent(job.success_percent)), sub(successWords(job))],
    [sparkline(job.recent_runs), job.recent_runs.length > 0
      && sub(`last ${duration(job.recent_runs[0].duration_ms)}`)],
    nextRun(job, zone),
    h("button", { type: "button", "data-action": "run-now", "data-job": job.job, "aria-label": `Run ${job.job}…` },
      "Run…"),
  ];
}

function lastRun(job) {
  const [run] = job.recent_runs;
  if (!run) return span("quiet", "never run");
  return [
    pill(run.run_status), " ", runLink(run, ago(run.started_at), span("hidden", `: last run of ${job.job}`)),
    sub(leftOver(run) ?? plural(run.tickers_requested, "ticker")),
    run.stopped && h("span", { class: "sub bad-text clip", title: run.stopped }, run.stopped),
  ];
}

function successWords(job) {
  const ended = job.recent_runs.filter(({ run_status: state }) => state !== "running").length;
  if (ended === 0) return "no finished runs";
  if (job.recent_runs[0]?.run_status === "succeeded") return `last ${plural(ended, "run")}`;
  return ["last success ", ago(job.last_success_time)];
}

function nextRun(job, zone) {
  const local = localZone();
  return [
    job.overdue && span("overdue", pill("overdue"), " due ", ago(job.last_due_time)),
    h("time", { datetime: job.next_run_time }, `${slot(job.next_run_time, zone)} ${city(zone)}`),
    local !== zone && sub(`${slot(job.next_run_time, local)} ${city(local)}`),
    sub(ago(job.next_run_time)),
  ];
}
