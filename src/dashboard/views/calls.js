// The timeline of a run's calls, one table per attempt of the run.

import { code, div, h, span } from "../dom.js";
import { days, duration, number, plural } from "../format.js";
import { button, empty, icon, loading, problem, sub, table } from "../parts.js";

/** Calls shown until the user asks for all: the failed ones and the first of the others. */
const CALLS_SHOWN = 50;

export function callsView({ calls, callsError, allCalls }) {
  const title = h("h3", { id: "calls-title" }, "Calls");
  if (callsError) return [title, problem("The calls could not be loaded", callsError.message)];
  if (!calls) return [title, loading("the calls", 4)];
  if (calls.calls.length === 0) {
    return [title, empty("No calls yet", "Each response from the provider appears here with the ID of its raw log.")];
  }
  const attempts = new Map();
  for (const call of calls.calls) {
    attempts.set(call.run_attempt, [...(attempts.get(call.run_attempt) ?? []), call]);
  }
  const newestFirst = [...attempts].sort((a, b) => b[0] - a[0]);
  return [
    title,
    calls.truncated && h("p", { class: "quiet" }, `The first ${number(calls.calls.length)} calls; the run made more.`),
    newestFirst.map(([attempt, made]) => attemptView(attempt, made, allCalls, newestFirst.length > 1)),
  ];
}

const COLUMNS = [
  ["Start", "num"], ["Timeline", "line"], ["Endpoint", ""], ["Latency", "num"], ["Status", ""],
  ["Tickers", "num"], ["Raw log", ""],
];

function attemptView(attempt, calls, all, several) {
  const start = Math.min(...calls.map((call) => Date.parse(call.requested_at)));
  const end = Math.max(...calls.map((call) => Date.parse(call.requested_at) + call.latency_ms));
  const whole = Math.max(end - start, 1);
  const first = calls.filter((call, at) => at < CALLS_SHOWN || isTroubled(call)).slice(0, 2 * CALLS_SHOWN);
  const shown = all ? calls : first;
  const troubled = calls.filter(isTroubled).length;
  const words = `${plural(calls.length, "call")} in ${duration(whole)}, ${troubled} with problems`;
  const name = `Calls of attempt ${attempt}`;
  return h("div", { class: "attempt", key: `attempt ${attempt}` },
    h("p", { class: "attempt-head" }, several ? `Attempt ${attempt}: ${words}` : words),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name },
      table(`${name}, in order of start time`, COLUMNS, shown.map((call) => row(call, start, whole)))),
    shown.length < calls.length && button(`Show all ${number(calls.length)} calls`, "all-calls"));
}

function isTroubled({ error, status_code: status, tickers_failed: failed }) {
  return Boolean(error) || failed > 0 || status === null || status >= 400;
}

function row(call, start, whole) {
  const from = Date.parse(call.requested_at) - start;
  const look = isTroubled(call) ? (call.tickers_successful > 0 ? "warn" : "bad") : "ok";
  return {
    key: call.log_id,
    look: look === "ok" ? null : "troubled",
    cells: [
      `+${duration(from)}`,
      bar(from / whole, call.latency_ms / whole, look),
      [code(call.endpoint), call.window && sub(days(call.window)), call.attempt > 1 && sub(`attempt ${call.attempt}`)],
      duration(call.latency_ms),
      [span(`code ${look}`, icon(look), call.status_code ?? "no response"),
        call.error && span("sub bad-text", call.error)],
      [`${number(call.tickers_successful)} of ${number(call.tickers_requested)}`,
        call.tickers_failed > 0 && span("sub bad-text", `${number(call.tickers_failed)} failed`)],
      div("log", h("code", { class: "wrap" }, call.log_id), " ",
        h("button", { type: "button", class: "small", "data-action": "copy", "data-text": call.log_id,
          "aria-label": `Copy the raw log ID ${call.log_id}` }, "Copy")),
    ],
  };
}

/** Where the call is within the attempt's time; both are fractions of the whole. */
function bar(from, length, look) {
  const width = Math.max(length * 1000, 4);
  const [y, height] = look === "ok" ? [1, 8] : [0, 10];
  return h("svg", { class: "span", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    h("rect", { class: "track", y: 4.5, width: 1000, height: 1 }),
    h("rect", { class: look, x: Math.min(from * 1000, 996), y, width, height }));
}
