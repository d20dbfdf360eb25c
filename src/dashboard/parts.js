// Small parts that every view is made of.

import { div, h, span } from "./dom.js";
import { clock, duration, exact, number, plural, relative } from "./format.js";

/** How a state looks. Each tone has its own icon: no state is shown by colour alone. */
const TONES = {
  succeeded: "ok", healthy: "ok", closed: "ok",
  partial: "warn", degraded: "warn", half_open: "warn", warning: "warn", overdue: "warn",
  failed: "bad", unhealthy: "bad", open: "bad", critical: "bad",
  running: "busy", waiting: "wait", paused: "wait", cancelled: "none",
  empty: "none", stale: "warn", deferred: "wait",
};

/** What becomes of a ticker that is not stored, as the fields of a run are named, worst first. */
export const SHORTFALLS = ["failed", "empty", "stale", "deferred"];

/** A run's state for people: one that only waits for its data to be published has not failed. */
export function stateOf({ run_status: status, waits_until: until }) {
  return status === "failed" && until ? "waiting" : status;
}

/** What made a run start. The watch's backfills are told by their ID. */
export function sourceOf(job, { trigger, run_id: id }) {
  if (trigger !== "backfill") return trigger;
  const [, kind, day] = id.slice(job.length).match(/^_(heal|adjust)_(\d{4}-\d\d-\d\d)/) ?? [];
  if (kind === "heal") return `backfill by the watch: holes up to ${day}`;
  if (kind === "adjust") return `backfill by the watch: prices adjusted on ${day}`;
  return "backfill";
}

export function tone(state) {
  return TONES[state] ?? "idle";
}

export function icon(name) {
  return h("svg", { class: `icon icon-${name}`, "aria-hidden": "true" }, h("use", { href: `#i-${name}` }));
}

/** A state in a word, with its icon. */
export function pill(state, text = state.replaceAll("_", " ")) {
  return span(`pill ${tone(state)}`, icon(tone(state)), text);
}

/** How long ago, or how soon; kept current by the page's clock. */
export function ago(time) {
  if (!time) return "never";
  return h("time", { datetime: time, title: exact(time), "data-relative": true }, relative(time));
}

/** The time of day and how long ago. */
export function when(time) {
  if (!time) return "never";
  return [h("time", { datetime: time, title: exact(time) }, clock(time)), " · ", ago(time)];
}

/** A second line, in small print. */
export function sub(...words) {
  return span("sub", words);
}

/** The unfinished part of a run: "12 failed, 40 pending of 508". */
export function leftOver(run) {
  const counts = [...SHORTFALLS, "pending"].filter((name) => run[`tickers_${name}`] > 0)
    .map((name) => `${number(run[`tickers_${name}`])} ${name}`);
  return counts.length > 0 ? `${counts.join(", ")} of ${number(run.tickers_requested)}` : null;
}

export function jobPath(job) {
  return `#/?job=${encodeURIComponent(job)}`;
}

export function button(text, action, data = {}, kind = "") {
  const dataset = Object.fromEntries(Object.entries(data).map(([name, value]) => [`data-${name}`, value]));
  return h("button", { type: "button", class: kind || null, "data-action": action, ...dataset }, text);
}

export function runPath(runId) {
  return `#/runs/${encodeURIComponent(runId)}`;
}

/** A section's message in place of its content. */
export function empty(title, ...words) {
  return div("empty", h("p", {}, h("strong", {}, title)), words.length > 0 && h("p", {}, words));
}

export function loading(what, lines = 3) {
  const bars = Array.from({ length: lines }, () => span("skeleton"));
  return div("loading", h("p", { class: "hidden" }, `Loading ${what}…`), bars);
}

export function problem(title, words, action, key) {
  const told = div(null, h("strong", {}, title), h("p", {}, words));
  return h("div", { class: "notice bad", key }, icon("bad"), told, action);
}

/** Terms and their values; entries without a value are left out. */
export function facts(entries, kind = "facts") {
  const told = entries.filter(([, value]) => value);
  return h("dl", { class: kind }, told.map(([name, value, look]) =>
    h("div", { class: look ?? null }, h("dt", {}, name), h("dd", {}, value))));
}

/**
 * A table that becomes a list of cards on a narrow screen.
 *
 * The roles are explicit, because that change of display removes the native ones in some browsers.
 * columns: [name, class]; rows: { key, look, cells }, the first cell names the row.
 */
export function table(caption, columns, rows) {
  const head = columns.map(([name, look]) =>
    h("th", { role: "columnheader", scope: "col", class: look }, name));
  const body = rows.map(({ key, look, cells }) =>
    h("tr", { role: "row", key, class: look }, cells.map((cell, at) => {
      const [name, kind] = columns[at];
      if (at === 0) return h("th", { role: "rowheader", scope: "row", class: kind }, cell);
      return h("td", { role: "cell", class: kind, "data-label": name }, h("div", {}, cell));
    })));
  return h("table", { role: "table" },
    h("caption", { class: "hidden" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)),
    h("tbody", { role: "rowgroup" }, body));
}

const BAR = { width: 5, gap: 2, height: 24, count: 20 };

/** The durations of the last runs, oldest first. A failed run has a cross-bar, a partial one is hollow. */
export function sparkline(runs) {
  const last = runs.slice(0, BAR.count).reverse();
  if (last.length === 0) return span("quiet", "no runs yet");
  const longest = Math.max(...last.map((run) => run.duration_ms ?? 0), 1);
  const step = BAR.width + BAR.gap;
  const width = BAR.count * step;
  const bars = last.map((run, at) => {
    const height = Math.max(3, Math.round(((run.duration_ms ?? 0) / longest) * (BAR.height - 4)));
    const x = width - (last.length - at) * step;
    const state = stateOf(run);
    const hollow = state !== "succeeded" && state !== "failed";
    const inset = hollow ? 0.75 : 0;
    return h("g", { class: `bar ${tone(state)}` },
      h("title", {}, `${state}, ${duration(run.duration_ms)}, ${clock(run.started_at)}`),
      h("rect", {
        class: hollow ? "hollow" : null, x: x + inset, y: BAR.height - height + inset,
        width: BAR.width - 2 * inset, height: height - 2 * inset,
      }),
      state === "failed" && h("rect", { x: x - 1, y: BAR.height + 2, width: step, height: 2.5 }));
  });
  const bad = last.filter((run) => stateOf(run) === "failed").length;
  const words = `durations of the last ${plural(last.length, "run")}, longest ${duration(longest)}, ${bad} failed`;
  const viewBox = `-1 0 ${width + 2} ${BAR.height + 5}`;
  return h("svg", { class: "sparkline", role: "img", "aria-label": words, viewBox },
    h("rect", { class: "track", y: BAR.height, width, height: 1 }), bars);
}

/** A link to a job; after a comma if it is not the first. */
export function jobLink({ job }, at) {
  return [at > 0 && ", ", h("a", { href: jobPath(job) }, job)];
}

/** A link to a run. */
export function runLink(run, ...words) {
  return h("a", { href: runPath(run.run_id) }, words);
}
