// Coverage: which data there is for which session, and the tickers of one day.

import { div, h, span } from "../dom.js";
import { number, plural } from "../format.js";
import { button, empty, facts, icon, loading, problem, runPath, when } from "../parts.js";

/** Share of stored tickers, in percent, from which a session looks good, and from which it looks doubtful. */
const GOOD = 99;
const DOUBTFUL = 90;

/** What a session may lack, in the order of urgency. */
const LACKING = ["missing", "failed", "stale", "empty", "deferred"];

/** The tone of each state. */
const TONES = { stored: "ok", flagged: "warn", deferred: "idle", empty: "warn", stale: "warn", failed: "bad", missing: "bad" };

const MEANING = {
  missing: "planned, and no run has brought or reported anything",
  failed: "the provider reported an error, or the record was rejected",
  stale: "the provider's newest record was older",
  empty: "the provider answered and had nothing",
  deferred: "the provider's quota did not reach",
  flagged: "stored, and of doubtful quality",
};

export function dayPath(dataset, date) {
  return `#/coverage/${encodeURIComponent(dataset)}/${date}`;
}

/** The grid: a row of sessions for each dataset. */
export function coverageView({ datasets, grids, error }) {
  if (!datasets) return error ? empty("Unknown", error) : loading("coverage", 4);
  return [
    h("ul", { class: "coverage" }, datasets.map((name) => row(name, grids.get(name)))),
    h("p", { class: "quiet legend" }, "Percentage of the expected tickers that are stored, by session: ",
      span("key ok", "■ ", `${GOOD} % or more`), " ", span("key warn", "■ ", `${DOUBTFUL} % or more`), " ",
      span("key bad", "■ ", "less"), " ",
      span("key", "■ limited by the quota"), " ", span("key", "! doubtful records")),
  ];
}

function row(name, grid) {
  return h("li", { key: name },
    h("h3", {}, name),
    !grid ? span("skeleton")
      : grid.error ? h("p", { class: "bad-text" }, grid.error)
        : grid.sessions.length === 0 ? h("p", { class: "quiet" }, "no session yet")
          : h("ol", {}, grid.sessions.map((session, at) => cell(name, session, grid.sessions[at - 1]))));
}

/** Rounded down: 98.9 % must not look like 99 %. */
export function share({ expected, stored, flagged }) {
  if (expected === 0) return null;
  return Math.min(100, Math.floor(((stored + flagged) * 100) / expected));
}

/** What the provider's quota does not reach today is nobody's fault: such a session is neither good nor bad. */
function tone(session, percent) {
  if (percent === null) return "idle";
  const due = share({ ...session, expected: Math.max(session.expected - session.deferred, 0) });
  if (percent < GOOD && session.deferred > 0 && (due ?? 100) >= GOOD) return "idle";
  return percent >= GOOD ? "ok" : percent >= DOUBTFUL ? "warn" : "bad";
}

function cell(dataset, session, before) {
  const percent = share(session);
  const lacking = LACKING.filter((state) => session[state] > 0).map((state) => `${number(session[state])} ${state}`);
  const flags = session.flagged > 0 && `${number(session.flagged)} flagged`;
  const words = [`${percent ?? "–"} % of ${number(session.expected)} tickers stored`, ...lacking, flags].filter(Boolean);
  const label = `${dataset}, ${day(session.date)}: ${words.join(", ")}`;
  return h("li", { key: session.date },
    h("a", { href: dayPath(dataset, session.date), class: `cell ${tone(session, percent)}`, title: label },
      h("small", {}, shortDay(session.date, before?.date)), h("strong", {}, percent ?? "–", flags && "!"), span("hidden", label)));
}

/** A date as people write it; it has no zone. */
function day(date) {
  const options = { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" };
  return new Intl.DateTimeFormat("en-GB", options).format(new Date(`${date}T00:00:00Z`));
}

/** The day of the month, with the month where a new one begins: "30", "2 Nov", "3". */
function shortDay(date, before) {
  const of = String(Number(date.slice(8)));
  if (before?.slice(0, 7) === date.slice(0, 7)) return of;
  const month = new Intl.DateTimeFormat("en-GB", { month: "short", timeZone: "UTC" });
  return `${of} ${month.format(new Date(`${date}T00:00:00Z`))}`;
}

/**
 * The tickers of one day, by state; fillable: whether a job can request past days of the dataset; recordOf: the path of a
 * ticker's record, if it has one.
 */
export function dayView({ dataset, date, answer, error }, fillable, recordOf) {
  const back = h("p", { class: "back" }, h("a", { href: "#/" }, "← Overview"));
  const title = h("h2", { tabindex: -1, key: "title" }, `${dataset}, ${day(date)}`);
  if (error) return [back, title, problem("This day cannot be shown", error.message, null, "day")];
  if (!answer) return [back, title, loading("this day")];
  const count = (name) => answer.states.find(({ state }) => state === name)?.count ?? 0;
  const percent = share({ expected: answer.expected, stored: count("stored"), flagged: count("flagged") });
  return [
    back, title,
    facts([
      ["Stored", `${percent ?? "–"} % of ${plural(answer.expected, "expected ticker")}`],
      ["Last change", answer.changed_at ? when(answer.changed_at) : "never: no run has recorded anything"],
      ["By", answer.run_id && (answer.run_id === "verified" ? "a count of the documents" : h("a", { href: runPath(answer.run_id) }, answer.run_id))],
    ]),
    div("buttons", fillable && fillButton(dataset, date, answer),
      answer.has_sessions && button("Count the documents…", "verify", { key: "verify", dataset, date })),
    answer.states.length === 0 ? empty("No tickers", "Nothing was expected on this day, and nothing is stored.")
      : answer.states.map((state) => group(state, recordOf)),
  ];
}

/** Requests what the day lacks, if it lacks anything. */
function fillButton(dataset, date, { states }) {
  const lacking = states.map(({ state }) => state).filter((state) => LACKING.includes(state));
  if (lacking.length === 0) return null;
  // What the provider had nothing for is only requested if there is nothing else to fill.
  const only = lacking.every((state) => state === "empty") ? "empty" : "missing";
  return button("Fill…", "backfill", { key: "fill", of: dataset, from: date, to: date, only }, "primary");
}

function group({ state, count, tickers, left_out: leftOut }, recordOf) {
  const isStored = state === "stored" || state === "flagged";
  const name = (ticker) => (recordOf && isStored ? h("a", { href: recordOf(ticker) }, ticker) : ticker);
  const list = h("ul", { class: "tickers" }, tickers.map((ticker) => h("li", {}, name(ticker))));
  const more = leftOut > 0 && h("p", { class: "quiet" }, `and ${number(leftOut)} more`);
  const head = div("group-head", span(`pill ${TONES[state]}`, icon(TONES[state]), state), h("strong", {}, plural(count, "ticker")),
    MEANING[state] && span("quiet", MEANING[state]));
  // What is in order is long, and nobody's first question.
  const body = state === "stored" ? h("details", {}, h("summary", {}, "Show them"), list, more) : [list, more];
  return h("section", { class: "group", key: state }, head, body);
}
