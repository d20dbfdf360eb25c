// The latest runs, with filters that are part of the URL.

import { h, span } from "../dom.js";
import { duration, number } from "../format.js";
import { SHORTFALLS, button, empty, icon, loading, pill, problem, runPath, sourceOf, stateOf, table, when } from "../parts.js";

const STATUSES = ["running", "succeeded", "partial", "failed", "skipped", "cancelled"];

/** filter: { job, status, page }; answer: { runs, next_page_token }, null before the first response. */
export function runsView(filter, answer, error, unreachable, jobs) {
  return [
    h("div", { class: "section-head", key: "head" }, h("h2", { id: "runs-title" }, "Runs"), filters(filter, jobs)),
    h("div", { key: "body", "aria-busy": answer || error || unreachable ? null : "true" },
      body(filter, answer, error, unreachable)),
  ];
}

export function overviewPath({ job, status, page }) {
  const query = new URLSearchParams();
  if (job) query.set("job", job);
  if (status) query.set("status", status);
  if (page) query.set("page", page);
  return query.size > 0 ? `#/?${query}` : "#/";
}

function filters(filter, jobs) {
  // A job in the URL that the service does not know stays visible, so that it can be deselected.
  const names = [...new Set([...jobs, filter.job].filter(Boolean))];
  return h("div", { class: "filters", role: "group", "aria-label": "Filter runs" },
    select("Job", "job", filter.job, names, "all jobs"),
    select("Status", "status", filter.status, STATUSES, "any status"));
}

function select(label, name, chosen, values, all) {
  return h("label", {}, h("span", {}, label), h("select", { "data-filter": name },
    h("option", { value: "", selected: !chosen }, all),
    values.map((value) => h("option", { value, selected: value === chosen }, value))));
}

function body(filter, answer, error, unreachable) {
  if (error) return problem("The runs could not be loaded", error.message);
  if (!answer && unreachable) return empty("Unknown", "The service has not responded yet.");
  if (!answer) return loading("runs", 6);
  if (answer.runs.length === 0) return nothing(filter);
  return [
    h("div", { key: "table" }, table("Latest runs, newest first", COLUMNS, answer.runs.map(row))),
    pager(filter, answer.next_page_token),
  ];
}

function nothing({ job, status, page }) {
  const clear = h("a", { href: "#/" }, "Show all runs");
  if (page) return empty("No older runs", clear);
  if (!job && !status) {
    return empty("No runs yet", "The first one appears here when a job's schedule is due. ",
      button("Run a job now…", "run-now"));
  }
  const words = [job && `of ${job}`, status && `with status ${status}`].filter(Boolean).join(" ");
  return empty(`No runs ${words}`, clear);
}

const COLUMNS = [
  ["Job", ""], ["Status", ""], ["Started", ""], ["Duration", "num"], ["Tickers done", "num"],
  ["Failed", "num"], ["Missing", "num"], ["Pending", "num"], ["Records", "num"], ["Trigger", ""],
];

function row({ job, message, data }) {
  const explained = ["failed", "partial", "skipped", "cancelled"].includes(data.run_status);
  return {
    key: data.run_id,
    cells: [
      [h("a", { href: runPath(data.run_id), class: "name" }, job),
        explained && h("span", { class: "sub clip", title: message }, message)],
      pill(stateOf(data)),
      when(data.started_at),
      duration(data.duration_ms),
      `${number(data.tickers_processed)} of ${number(data.tickers_requested)}`,
      marked(data.tickers_failed),
      missing(data),
      marked(data.tickers_pending),
      number(data.records_stored),
      data.attempt > 1 ? `${sourceOf(job, data)}, attempt ${data.attempt}` : sourceOf(job, data),
    ],
  };
}

function marked(count) {
  return count > 0 ? span("count-bad", icon("warn"), " ", number(count)) : span("zero", "0");
}

/** Tickers that did not fail, but have no current data: "3 empty", "2 stale", one below the other. */
function missing(data) {
  const counts = SHORTFALLS.filter((name) => name !== "failed" && data[`tickers_${name}`] > 0)
    .map((name) => span("count-warn", `${number(data[`tickers_${name}`])} ${name}`));
  return counts.length > 0 ? counts : span("zero", "0");
}

function pager(filter, next) {
  if (!filter.page && !next) return null;
  return h("nav", { class: "pager", "aria-label": "Pages of runs", key: "pager" },
    filter.page && h("a", { href: overviewPath({ ...filter, page: null }) }, "Newest runs"),
    next && h("a", { href: overviewPath({ ...filter, page: next }) }, "Older runs"));
}
