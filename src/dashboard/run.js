// One run: what became of it, what failed and why, every call that it made.

import { h } from "./dom.js";
import { failureGroups, pendingGroups } from "./evidence.js";
import { bytes, duration, number, plural } from "./format.js";
import { button, empty, facts, icon, loading, pill, problem, when } from "./parts.js";
import { callsView } from "./calls.js";

/** Tickers of one reason that are shown before one asks for the rest. */
const TICKERS_SHOWN = 60;

/** From this many failed tickers on, the page offers to search them. */
const SEARCH_FROM = 20;

/** A run that has not ended after this long has lost its owner, or soon will: the longest deadline, and a bit. */
const ABANDONED_MS = 16 * 60_000;

/** page: { id, report, error, calls, callsError, order, find, allCalls }. order: what this page has told the run to do. */
export function runView(page, now) {
  const back = h("p", { class: "back", key: "back" }, h("a", { href: "#/" }, "← All runs"));
  if (!page.report) return [back, h("h2", { class: "mono wrap", key: "title", tabindex: "-1" }, page.id), missing(page)];
  const { job, message, data } = page.report;
  return [
    back,
    h("div", { class: "section-head", key: "head" },
      h("h2", { tabindex: "-1", key: "title" }, job, " ", pill(data.run_status)), orders(page, job, data, now)),
    orderView(page.order),
    h("p", { class: "message", key: "message" }, message),
    progress(data),
    h("div", { key: "figures" }, figures(data)),
    h("section", { key: "problems", "aria-labelledby": "problems-title" }, problems(data, page.find)),
    h("section", { key: "calls", "aria-labelledby": "calls-title" }, callsView(page)),
    h("section", { key: "details", "aria-labelledby": "details-title" }, details(data)),
  ];
}

function missing({ error, order }) {
  if (order?.error) return h("div", { key: "state" }, problem("The run was not started", order.error.message));
  if (order && !order.done) {
    return h("div", { class: "notice busy", role: "status", key: "state" }, icon("busy"),
      h("div", {}, h("strong", {}, "Starting…"), h("p", {}, "The service has been told; its ledger does not know the run yet.")));
  }
  if (!error) return h("div", { key: "state" }, loading("the run", 6));
  if (error.status === 404) return h("div", { key: "state" }, empty("No such run", "The ledger does not know this id."));
  return h("div", { key: "state" }, problem("The run cannot be shown", error.message));
}

function orders(page, job, data, now) {
  const busy = page.order && !page.order.done && !page.order.error;
  const abandoned = data.run_status === "running" && now - Date.parse(data.started_at) > ABANDONED_MS;
  const failed = [...new Set(data.tickers_failed.map(({ ticker }) => ticker).filter(Boolean))];
  return h("div", { class: "buttons" },
    (data.run_status === "failed" || abandoned) && !busy && button("Resume…", "resume", { run: data.run_id }, "primary"),
    data.run_status === "partial" && failed.length > 0
      && button("Run the failed tickers again…", "run-failed", { job }));
}

function orderView(order) {
  if (!order?.error) return null;
  const title = order.kind === "resume" ? "The run was not resumed" : "The answer to this run did not arrive";
  return h("div", { key: "order", role: "alert" }, problem(title, order.error.message));
}

/** What part of the tickers is done, failed, pending: a bar, with the same in words. */
function progress(data) {
  const all = data.tickers_requested;
  if (all === 0) return null;
  // A ticker can fail at one endpoint of a job and be done at the other: the bar's parts are of tickers, not of calls.
  const failed = new Set(data.tickers_failed.map(({ ticker }) => ticker).filter(Boolean)).size;
  const parts = [["ok", "done", data.tickers_processed], ["bad", "failed", failed], ["idle", "pending", data.tickers_pending]];
  const whole = Math.max(all, parts.reduce((sum, part) => sum + part[2], 0));
  let from = 0;
  const rects = parts.map(([look, , count]) => {
    const width = (count / whole) * 1000;
    const rect = h("rect", { class: look, x: from, y: 0, width, height: 10 });
    from += width;
    return rect;
  });
  const words = parts.filter(([, , count]) => count > 0).map(([look, name, count]) =>
    h("span", { class: `key ${look}` }, icon(look), `${number(count)} ${name}`));
  return h("div", { class: "progress", key: "progress" },
    h("svg", { viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" }, rects),
    h("p", {}, words, h("span", { class: "quiet" }, `of ${plural(all, "ticker")}`)));
}

function figures(data) {
  return facts([
    ["Started", when(data.started_at)],
    ["Duration", duration(data.duration_ms)],
    ["Attempt", number(data.attempt)],
    ["Records stored", number(data.records_stored)],
    ["Records rejected", number(data.records_rejected), data.records_rejected > 0 ? "bad-text" : null],
    ["Calls", data.retries > 0 ? `${number(data.calls)}, ${plural(data.retries, "retry", "retries")}` : number(data.calls)],
    ["Raw logs", number(data.raw_logs)],
  ], "tiles");
}

function problems(data, find) {
  const failures = failureGroups(data.tickers_failed);
  const pending = pendingGroups(data.pending);
  if (failures.length + pending.length + data.remarks.length === 0) {
    return data.run_status === "running" ? null : [h("h3", { id: "problems-title" }, "Problems"),
      h("p", { class: "all-clear" }, icon("ok"), "Nothing failed, nothing is pending.")];
  }
  const total = data.tickers_failed.length + data.tickers_pending;
  const wanted = total >= SEARCH_FROM ? find.trim().toUpperCase() : "";
  return [
    h("div", { class: "section-head", key: "head" }, h("h3", { id: "problems-title" }, "Problems"),
      total >= SEARCH_FROM && h("label", { class: "search" }, h("span", {}, "Find a ticker"),
        h("input", { type: "search", "data-find": "true", autocomplete: "off", spellcheck: "false" }))),
    data.remarks.length > 0 && h("ul", { class: "remarks", key: "remarks" }, data.remarks.map((remark) => h("li", {}, remark))),
    h("div", { key: "failed" }, failures.map((group) => groupView("failed", group, wanted))),
    h("div", { key: "pending" }, pending.map((group) => groupView("pending", group, wanted))),
  ];
}

function groupView(state, group, wanted) {
  const tickers = wanted ? group.tickers.filter((ticker) => ticker.toUpperCase().includes(wanted)) : group.tickers;
  if (wanted && tickers.length === 0) return null;
  const count = group.tickers.length === 0 ? "the call" : plural(group.tickers.length, "ticker");
  const rest = tickers.slice(TICKERS_SHOWN);
  return h("article", { class: `group ${state}`, key: `${state} ${group.key}` },
    h("div", { class: "group-head" }, pill(state === "failed" ? "failed" : "pending"), h("strong", {}, count),
      h("code", {}, group.endpoint), group.kind && h("span", { class: "quiet" }, group.kind.replaceAll("_", " ")),
      group.tickers.length > 0 && button("Copy tickers", "copy", { text: group.tickers.join(",") }, "small")),
    h("p", { class: "reason" }, group.reason),
    tickers.length > 0 && tickerList(tickers.slice(0, TICKERS_SHOWN)),
    rest.length > 0 && h("details", { key: "rest" }, h("summary", {}, `${number(rest.length)} more`), tickerList(rest)));
}

function tickerList(tickers) {
  return h("ul", { class: "tickers" }, tickers.map((ticker) => h("li", {}, ticker)));
}

function details(data) {
  const { resources } = data;
  const steps = resources && Object.entries(resources.steps_ms).map(([step, ms]) => `${step} ${duration(ms)}`).join(" · ");
  const waits = resources && Object.entries(resources.waits_ms).map(([wait, ms]) => `${wait} ${duration(ms)}`).join(" · ");
  const collections = Object.entries(data.collections);
  return [
    h("h3", { id: "details-title" }, "Details"),
    facts([
      ["Run", [h("code", { class: "wrap" }, data.run_id), " ", button("Copy", "copy", { text: data.run_id }, "small")]],
      ["Trace", data.trace_id && h("code", { class: "wrap" }, data.trace_id)],
      ["Scope", data.scope], ["Provider", data.provider], ["Trigger", data.trigger],
      ["Run time", when(data.run_time)], ["Created", when(data.created_at)],
      ["Ended", data.ended_at && when(data.ended_at)],
      ["Batches", number(data.batches)], ["Write retries", number(data.write_retries)],
      ["Stored in", collections.length > 0 && collections.map(([name, count], at) => [at > 0 && ", ", h("code", {}, name), ` ${number(count)}`])],
      ["Steps", steps], ["Waits", waits],
      ["Received", resources && bytes(resources.bytes_in)], ["Sent", resources && bytes(resources.bytes_out)],
      ["Memory", resources?.memory_bytes && bytes(resources.memory_bytes)],
    ], "facts wide"),
  ];
}
