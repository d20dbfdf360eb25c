// One run: its outcome, what failed and why, every call that it made.

import { callsView } from "./calls.js";
import { code, div, h, span } from "../dom.js";
import { askedAgain, pendingGroups, shortfallGroups } from "../evidence.js";
import { bytes, days, duration, number, plural } from "../format.js";
import { SHORTFALLS, button, empty, facts, icon, loading, pill, problem, sourceOf, stateOf, when } from "../parts.js";

/** Tickers per reason that are shown until the user asks for the rest. */
const TICKERS_SHOWN = 60;

/** Groups per outcome that are shown likewise: a run for past days may have one for each of them. */
const GROUPS_SHOWN = 20;

/** From this many tickers on, the page offers to search them. */
const SEARCH_FROM = 20;

/** Longer than any deadline: a run that still counts as running has lost its owner. */
const ABANDONED_MS = 16 * 60_000;

/** page: { id, report, error, calls, callsError, order, find, allCalls }; order: what this page requested of the run. */
export function runView(page, now) {
  const back = h("p", { class: "back", key: "back" }, h("a", { href: "#/" }, "← All runs"));
  const title = (look, ...words) => h("h2", { class: look, tabindex: "-1", key: "title" }, words);
  if (!page.report) return [back, title("mono wrap", page.id), h("div", { key: "state" }, missing(page))];
  const { job, message, data } = page.report;
  const part = (name, content) => h("section", { key: name, "aria-labelledby": `${name}-title` }, content);
  return [
    back,
    h("div", { class: "section-head", key: "head" }, title(null, job, " ", pill(stateOf(data))),
      orders(page, job, data, now)),
    daysView(data.backfill),
    orderView(page.order),
    stopping(data),
    waiting(data, now) ?? h("p", { class: "message", key: "message" }, message),
    progress(data),
    h("div", { key: "figures" }, figures(data)),
    part("problems", problems(data, page.find)),
    part("calls", callsView(page)),
    part("details", details(job, data)),
  ];
}

const ONLY = {
  missing: "only what is missing", failed: "only what had failed", empty: "only what is missing or was empty",
  all: "whatever is stored",
};

/** The past days that a run is for. */
function daysView(backfill) {
  if (!backfill) return null;
  return h("p", { class: "quiet", key: "days" }, "For past days: ", h("strong", {}, days(backfill)), `, ${ONLY[backfill.only] ?? backfill.only}`);
}

function missing({ error, order }) {
  if (order?.error) return problem("The run was not started", order.error.message);
  if (order && !order.done) {
    return h("div", { class: "notice busy", role: "status" }, icon("busy"),
      div(null, h("strong", {}, "Starting…"), h("p", {}, "The run is not in the ledger yet.")));
  }
  if (!error) return loading("the run", 6);
  if (error.status === 404) return empty("Run not found", "The ledger has no run with this ID.");
  return problem("The run could not be loaded", error.message);
}

function orders({ order }, job, data, now) {
  const busy = order && !order.done;
  const abandoned = data.run_status === "running" && now - Date.parse(data.started_at) > ABANDONED_MS;
  const resumable = (["failed", "cancelled"].includes(data.run_status) || abandoned) && !busy;
  const cancellable = ["running", "failed"].includes(data.run_status) && !data.cancelled;
  const again = data.run_status === "partial" ? askedAgain(data).length : 0;
  const onlyFailed = listed(data, "empty").length + listed(data, "stale").length === 0;
  return div("buttons",
    resumable && button("Resume…", "resume", { run: data.run_id }, "primary"),
    cancellable && button("Cancel run…", "cancel-run", { run: data.run_id }),
    data.run_status === "skipped" && !busy && button("Run anyway…", "resume", { run: data.run_id }),
    again > 0 && (data.backfill ? button("Backfill again…", "backfill", { job, ...preset(data.backfill) })
      : button(onlyFailed ? "Rerun failed tickers…" : "Rerun incomplete tickers…", "run-failed", { job })));
}

/** The same days for another backfill: a run of the tickers would request current data. */
function preset({ from, to, only }) {
  return { from, to, only };
}

/** The tickers of a report with this outcome, as far as they fit into it. */
function listed(data, outcome) {
  return data[`tickers_${outcome}`] ?? [];
}

/** Says that somebody has told a run to stop, as long as it has not. */
function stopping({ run_status: status, cancelled }) {
  if (status !== "running" || !cancelled) return null;
  return h("div", { class: "notice busy", key: "stopping", role: "status" }, icon("busy"), div(null,
    h("strong", {}, "This run is being cancelled"),
    h("p", {}, `${cancelled.by}: ${cancelled.reason}`)));
}

/** Says that a run waits for its data, and until when. */
function waiting(data, now) {
  if (stateOf(data) !== "waiting") return null;
  const due = Date.parse(data.waits_until) <= now;
  return h("div", { class: "notice busy", key: "waiting" }, icon("wait"), div(null,
    h("strong", {}, "This run waits for its data to be published"),
    h("p", {}, data.stopped),
    h("p", {}, due ? "It has been due since " : "The scheduler's attempts leave the provider alone until ",
      when(data.waits_until), due ? ": the scheduler's next attempt requests the data again. " : ". ",
      "Resume requests it immediately and then ends the run, whatever has been published.")));
}

function orderView(order) {
  if (!order?.error) return null;
  const title = order.kind === "resume" ? "The run was not resumed" : "No response for this run";
  return h("div", { key: "order", role: "alert" }, problem(title, order.error.message));
}

/** The shares of tickers by outcome: a bar, with the same as text. */
function progress(data) {
  if (data.tickers_requested === 0) return null;
  // A ticker can fail at one endpoint of a job and be stored at the other; within an outcome it counts once.
  const short = (outcome) => new Set(listed(data, outcome).map(({ ticker }) => ticker)).size + leftOut(data, outcome);
  const parts = [
    ["ok", "stored", data.tickers_processed - data.tickers_unchanged], ["same", "unchanged", data.tickers_unchanged], ["none", "empty", short("empty")], ["warn", "stale", short("stale")],
    ["bad", "failed", short("failed")], ["wait", "deferred", short("deferred")], ["idle", "pending", data.tickers_pending],
  ].filter(([, , count]) => count > 0);
  const whole = Math.max(data.tickers_requested, parts.reduce((sum, [, , count]) => sum + count, 0));
  let x = 0;
  const rects = parts.map(([look, , count]) => {
    const rect = h("rect", { class: look, x, width: (count / whole) * 1000, height: 10 });
    x += (count / whole) * 1000;
    return rect;
  });
  const words = parts.map(([look, name, count]) => span(`key ${look}`, icon(look === "same" ? "idle" : look), `${number(count)} ${name}`));
  return h("div", { class: "progress", key: "progress" },
    h("svg", { viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" }, rects),
    h("p", {}, words, span("quiet", `of ${plural(data.tickers_requested, "ticker")}`)));
}

function figures(data) {
  const retries = data.retries > 0 ? `, ${plural(data.retries, "retry", "retries")}` : "";
  return facts([
    ["Started", when(data.started_at)],
    ["Duration", duration(data.duration_ms)],
    ["Attempt", number(data.attempt)],
    ["Records stored", number(data.records_stored)],
    ["Records unchanged", number(data.records_unchanged)],
    ["Records revised", number(data.records_revised)],
    ["Records flagged", number(data.records_flagged), data.records_flagged > 0 ? "warn-text" : null],
    ["Records rejected", number(data.records_rejected), data.records_rejected > 0 ? "bad-text" : null],
    ["Calls", number(data.calls) + retries],
  ], "tiles");
}

function problems(data, find) {
  const short = SHORTFALLS.map((outcome) => [outcome, shortfallGroups(listed(data, outcome)), leftOut(data, outcome)]);
  const all = [...short, ["pending", pendingGroups(data.pending), data.pending_left_out ?? 0]];
  const title = h("h3", { id: "problems-title" }, "Problems");
  const remarks = [...watchlistRemarks(data), ...data.remarks];
  if (remarks.length === 0 && all.every(([, found, more]) => found.length + more === 0)) {
    const words = data.run_status === "running" ? "None so far." : "Nothing failed or pending.";
    return [title, h("p", { class: "all-clear" }, icon("ok"), words)];
  }
  const count = SHORTFALLS.reduce((sum, outcome) => sum + listed(data, outcome).length, data.tickers_pending);
  const searchable = count >= SEARCH_FROM;
  const wanted = searchable ? find.trim().toUpperCase() : "";
  return [
    h("div", { class: "section-head", key: "head" }, title,
      searchable && h("label", { class: "search" }, span(null, "Find a ticker"),
        h("input", { type: "search", "data-find": "true", autocomplete: "off", spellcheck: "false" }))),
    h("ul", { class: "remarks", key: "remarks" }, remarks.map((remark) => h("li", {}, remark))),
    all.map(([outcome, found, more]) => h("div", { key: outcome }, groupViews(outcome, found, wanted),
      more > 0 && h("p", { class: "quiet" }, `${plural(more, "more ticker")} ${outcome}: the report has no room for them.`))),
  ];
}

/** Tickers of this outcome that did not fit into the report. */
function leftOut(data, outcome) {
  return data[`tickers_${outcome}_left_out`] ?? 0;
}

/** Watchlist documents that were left out, and how many more there are. */
function watchlistRemarks({ watchlist_problems: listed, watchlist_problems_count: count }) {
  const words = listed.map(({ document, field, value, problem }) =>
    `Watchlist document ${document} was skipped: ${field}${value && ` ${value}`}: ${problem}`);
  return count > listed.length ? [...words, `${plural(count - listed.length, "more watchlist document")} skipped`] : words;
}

/** The first groups, and the others folded; all of them while a ticker is searched. */
function groupViews(outcome, found, wanted) {
  const shown = found.map((group) => groupView(outcome, group, wanted)).filter(Boolean);
  if (wanted || shown.length <= GROUPS_SHOWN) return shown;
  const rest = shown.slice(GROUPS_SHOWN);
  return [shown.slice(0, GROUPS_SHOWN), h("details", { key: "more" },
    h("summary", {}, `${number(rest.length)} more groups ${outcome}`), rest)];
}

function groupView(state, group, wanted) {
  const tickers = group.tickers.filter((ticker) => ticker.toUpperCase().includes(wanted));
  if (wanted && tickers.length === 0) return null;
  const count = group.tickers.length === 0 ? "the call" : plural(group.tickers.length, "ticker");
  const rest = tickers.slice(TICKERS_SHOWN);
  return h("article", { class: "group", key: `${state} ${group.key}` },
    div("group-head", pill(state), h("strong", {}, count), code(group.endpoint),
      group.window && span(null, days(group.window)),
      group.kind && span("quiet", group.kind.replaceAll("_", " ")),
      group.tickers.length > 0 && button("Copy tickers", "copy", { text: group.tickers.join(",") }, "small")),
    h("p", { class: "reason" }, group.reason),
    tickers.length > 0 && tickerList(tickers.slice(0, TICKERS_SHOWN)),
    rest.length > 0 && h("details", { key: "rest" },
      h("summary", {}, `${number(rest.length)} more`), tickerList(rest)));
}

function tickerList(tickers) {
  return h("ul", { class: "tickers" }, tickers.map((ticker) => h("li", {}, ticker)));
}

function details(job, data) {
  const { resources } = data;
  const lengths = (named) => Object.entries(named).map(([name, ms]) => `${name} ${duration(ms)}`).join(" · ");
  const stored = Object.entries(data.collections)
    .map(([name, count], at) => [at > 0 && ", ", code(name), ` ${number(count)}`]);
  return [
    h("h3", { id: "details-title" }, "Details"),
    facts([
      ["Run", [h("code", { class: "wrap" }, data.run_id), " ", button("Copy", "copy", { text: data.run_id }, "small")]],
      ["Trace", data.trace_id && code(data.trace_id)],
      ["Scope", data.scope], ["Provider", data.provider], ["Trigger", sourceOf(job, data)],
      ["Days", data.backfill && days(data.backfill)],
      ["Run time", when(data.run_time)], ["Created", when(data.created_at)],
      ["Ended", data.ended_at && when(data.ended_at)],
      ["Cancelled", data.cancelled && [`by ${data.cancelled.by}, `, when(data.cancelled.at)]],
      ["Batches", number(data.batches)], ["Raw logs", number(data.raw_logs)], ["Write retries", number(data.write_retries)],
      ["Documents", `${number(data.documents_read)} read, ${number(data.documents_written)} written`],
      ["Stored in", stored.length > 0 && stored],
      ...(resources ? [
        ["Steps", lengths(resources.steps_ms)], ["Waits", lengths(resources.waits_ms)],
        ["Received", bytes(resources.bytes_in)], ["Sent", bytes(resources.bytes_out)],
        ["Memory", resources.memory_bytes && bytes(resources.memory_bytes)],
      ] : []),
    ], "facts wide"),
  ];
}
