// Jobs.

import { div, h, span } from "../dom.js";
import { city, duration, localZone, percent, plural, slot } from "../format.js";
import { ago, jobLink, leftOver, loading, pill, runLink, sourceOf, sparkline, stateOf, sub, table, when } from "../parts.js";

/** catalogue: the jobs of `GET /jobs`, none before they are known. */
export function jobsView(status, catalogue) {
  if (!status) return loading("jobs", 8);
  const columns = [
    ["Job", ""], ["Last run", ""], ["Success", "num"], ["Durations", ""], ["Next run", ""], ["Action", "act"],
  ];
  const firing = new Set(status.alerts.map(({ job }) => job));
  const able = new Set(catalogue.filter(({ endpoints }) => endpoints.some((known) => known.past_days)).map(({ job }) => job));
  const rows = status.jobs.map((job) => ({
    key: job.job,
    look: firing.has(job.job) || job.overdue ? "marked" : null,
    cells: jobCells(job, status.time_zone, able.has(job.job)),
  }));
  return table("Jobs: last run, success rate, durations and next scheduled time", columns, rows);
}

function jobCells(job, zone, takesDays) {
  return [
    [span("name", jobLink(job, 0)),
      sub(job.summary), sub(`${job.provider} · ${job.scope}`)],
    lastRun(job),
    [span("big", percent(job.success_percent)), sub(successWords(job))],
    [sparkline(job.recent_runs), job.recent_runs.length > 0
      && sub(`last ${duration(job.recent_runs[0].duration_ms)}`)],
    nextRun(job, zone),
    div("buttons", act(job, "run-now", "Run"), takesDays && act(job, "backfill", "Backfill"),
      act(job, job.paused ? "unpause" : "pause", job.paused ? "Unpause" : "Pause", "pause")),
  ];
}

function act({ job }, action, verb, key = action) {
  return h("button", { type: "button", key, "data-action": action, "data-job": job, "aria-label": `${verb} ${job}…` }, `${verb}…`);
}

function lastRun(job) {
  const [run] = job.recent_runs;
  if (!run) return span("quiet", "never run");
  const waits = stateOf(run) === "waiting";
  return [
    pill(stateOf(run)), " ", runLink(run, ago(run.started_at), span("hidden", `: last run of ${job.job}`)),
    run.trigger === "backfill" && sub(sourceOf(job.job, run)),
    sub(leftOver(run) ?? plural(run.tickers_requested, "ticker")),
    waits && sub("due again ", ago(run.waits_until)),
    run.stopped && h("span", { class: `sub clip ${waits ? "" : "bad-text"}`, title: run.stopped }, run.stopped),
  ];
}

function successWords(job) {
  const ended = job.recent_runs.filter((run) => !["running", "waiting", "cancelled"].includes(stateOf(run))).length;
  if (ended === 0) return "no finished runs";
  if (job.recent_runs[0]?.run_status === "succeeded") return `last ${plural(ended, "run")}`;
  return ["last success ", ago(job.last_success_time)];
}

function nextRun(job, zone) {
  const local = localZone();
  return [
    job.overdue && span("overdue", pill("overdue"), " due ", ago(job.last_due_time)),
    job.paused && pauseOf(job.paused),
    job.next_run_time && h("time", { datetime: job.next_run_time }, `${slot(job.next_run_time, zone)} ${city(zone)}`),
    job.next_run_time && local !== zone && sub(`${slot(job.next_run_time, local)} ${city(local)}`),
    job.next_run_time && sub(ago(job.next_run_time)),
  ];
}

/** Since when a job is paused, until when, by whom and why. */
function pauseOf({ since, until, by, reason }) {
  return span("paused", pill("paused"), " ", ago(since),
    sub(until ? ["until ", when(until)] : "until somebody unpauses it"),
    h("span", { class: "sub clip", title: reason }, `${by}: ${reason}`));
}
