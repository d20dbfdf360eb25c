// Jobs.

import { h, span } from "../dom.js";
import { city, duration, localZone, percent, plural, slot } from "../format.js";
import { ago, jobLink, leftOver, loading, pill, runLink, sparkline, stateOf, sub, table } from "../parts.js";

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
  const waits = stateOf(run) === "waiting";
  return [
    pill(stateOf(run)), " ", runLink(run, ago(run.started_at), span("hidden", `: last run of ${job.job}`)),
    sub(leftOver(run) ?? plural(run.tickers_requested, "ticker")),
    waits && sub("due again ", ago(run.waits_until)),
    run.stopped && h("span", { class: `sub clip ${waits ? "" : "bad-text"}`, title: run.stopped }, run.stopped),
  ];
}

function successWords(job) {
  const ended = job.recent_runs.filter((run) => !["running", "waiting"].includes(stateOf(run))).length;
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
