// The time line of a run's calls, one table for each attempt of the run.

import { h } from "./dom.js";
import { duration, number, plural } from "./format.js";
import { button, empty, icon, loading, problem, sub, table } from "./parts.js";

/** Calls shown before one asks for all: the failed ones and the first of the others. */
const CALLS_SHOWN = 50;

export function callsView({ calls, callsError, allCalls }) {
  const title = h("h3", { id: "calls-title" }, "Calls");
  if (callsError) return [title, problem("The calls cannot be shown", callsError.message)];
  if (!calls) return [title, loading("the calls", 4)];
  if (calls.calls.length === 0) return [title, empty("No calls yet", "Each answer of the provider shows up here with the id of its raw log.")];
  const attempts = byAttempt(calls.calls);
  const newestFirst = [...attempts].sort((a, b) => b[0] - a[0]);
  return [
    title,
    calls.truncated && h("p", { class: "quiet" }, `The first ${number(calls.calls.length)} calls; the run made more.`),
    newestFirst.map(([attempt, made]) => attemptView(attempt, made, allCalls, newestFirst.length > 1)),
  ];
}

function byAttempt(calls) {
  const attempts = new Map();
  for (const call of calls) attempts.set(call.run_attempt, [...(attempts.get(call.run_attempt) ?? []), call]);
  return attempts;
}

const COLUMNS = [
  ["Start", "num"], ["Time line", "line"], ["Endpoint", ""], ["Latency", "num"], ["Status", ""], ["Tickers", "num"],
  ["Raw log", ""],
];

function attemptView(attempt, calls, all, several) {
  const start = Math.min(...calls.map((call) => Date.parse(call.requested_at)));
  const end = Math.max(...calls.map((call) => Date.parse(call.requested_at) + call.latency_ms));
  const span = Math.max(end - start, 1);
  const troubled = calls.filter(isTroubled).length;
  const shown = all ? calls : calls.filter((call, at) => at < CALLS_SHOWN || isTroubled(call)).slice(0, 2 * CALLS_SHOWN);
  const words = `${plural(calls.length, "call")} in ${duration(span)}, ${troubled} with trouble`;
  const name = several ? `Attempt ${attempt}: ${words}` : words;
  return h("div", { class: "attempt", key: `attempt ${attempt}` },
    h("p", { class: "attempt-head" }, h("strong", {}, name)),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Calls of attempt ${attempt}` },
      table(`Calls of attempt ${attempt}, in the order of their start`, COLUMNS, shown.map((call) => row(call, start, span)))),
    shown.length < calls.length && button(`Show all ${number(calls.length)} calls`, "all-calls"));
}

function isTroubled(call) {
  return Boolean(call.error) || call.tickers_failed > 0 || call.status_code === null || call.status_code >= 400;
}

function row(call, start, span) {
  const from = Date.parse(call.requested_at) - start;
  const look = isTroubled(call) ? (call.tickers_successful > 0 ? "warn" : "bad") : "ok";
  return {
    key: call.log_id,
    look: look === "ok" ? null : "troubled",
    cells: [
      `+${duration(from)}`,
      bar(from, call.latency_ms, span, look),
      [h("code", {}, call.endpoint), call.attempt > 1 && sub(`try ${call.attempt}`)],
      duration(call.latency_ms),
      [h("span", { class: `code ${look}` }, icon(look), call.status_code ?? "no answer"),
        call.error && h("span", { class: "sub bad-text" }, call.error)],
      [`${number(call.tickers_successful)} of ${number(call.tickers_requested)}`,
        call.tickers_failed > 0 && h("span", { class: "sub bad-text" }, `${number(call.tickers_failed)} failed`)],
      h("span", { class: "log" }, h("code", { class: "wrap" }, call.log_id), " ",
        h("button", { type: "button", class: "small", "data-action": "copy", "data-text": call.log_id,
          "aria-label": `Copy the raw log's id ${call.log_id}` }, "Copy")),
    ],
  };
}

function bar(from, length, span, look) {
  const x = (from / span) * 1000;
  const width = Math.max((length / span) * 1000, 4);
  return h("svg", { class: "span", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    h("rect", { class: "track", x: 0, y: 4.5, width: 1000, height: 1 }),
    h("rect", { class: look, x: Math.min(x, 996), y: look === "ok" ? 1 : 0, width, height: look === "ok" ? 8 : 10 }));
}
