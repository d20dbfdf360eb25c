// The dialog that requests past days of a job: first what that would be, then the start.

import { plan } from "./api.js";
import { REASON_CHARS_MAX, close, open } from "./dialogs.js";
import { div, h, span } from "./dom.js";
import { duration, number, plural } from "./format.js";
import { facts, problem } from "./parts.js";

/** The calendar of sessions begins here. */
const FIRST_DAY = "2010-01-01";

/** What each choice requests. */
const ONLY = {
  missing: "Days without a record, except those the provider has said it has nothing for.",
  failed: "Days for which the provider reported an error, or whose record was rejected.",
  empty: "Days without a record, also those the provider had nothing for.",
  all: "Every day; what is stored is requested again.",
};

/**
 * Asks for the days, shows the plan, and starts it.
 *
 * jobs: the names to choose from; preset: { job, from, to, only }; today: the last day that can be requested;
 * start: receives the request and its key.
 */
export function askBackfill(jobs, preset, today, newKey, start) {
  const fields = fieldsOf(jobs, preset, today);
  const note = h("p", { id: "only-note", class: "sub" });
  const outcome = h("div", { class: "plan", role: "status" });
  const starter = h("button", { type: "button", class: "primary", disabled: true }, "Start");
  // A plan is of what the fields say: as soon as they say something else, it is not shown, and cannot be started.
  let asked = 0;
  let key = null;
  const forget = () => {
    asked += 1;
    starter.disabled = true;
    outcome.replaceChildren();
    outcome.removeAttribute("aria-busy");
    note.textContent = ONLY[fields.only.value];
    fields.to.min = fields.from.value || FIRST_DAY;
  };
  const preview = async () => {
    forget();
    const mine = asked;
    outcome.setAttribute("aria-busy", "true");
    outcome.replaceChildren(h("p", { class: "quiet" }, "Working out what would be requested…"));
    let shown;
    let cells = 0;
    try {
      const answer = await plan({ ...wanted(fields), dry_run: true });
      shown = planView(answer);
      cells = answer.data.cells;
    } catch (error) {
      shown = problem("There is no plan", error.message);
    }
    if (mine !== asked) return;
    outcome.removeAttribute("aria-busy");
    outcome.replaceChildren(shown);
    outcome.scrollIntoView({ block: "nearest" });
    // One key for each plan: however often it is started, it is one run.
    key = newKey();
    starter.disabled = cells === 0;
  };
  [fields.job, fields.from, fields.to, fields.only].forEach((field) => field.addEventListener("input", forget));
  starter.addEventListener("click", () => {
    starter.disabled = true;
    close();
    start(wanted(fields), key);
  });
  forget();
  const form = formOf(fields, note, outcome, starter);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!outcome.hasAttribute("aria-busy")) preview();
  });
  open(form);
}

function fieldsOf(jobs, preset, today) {
  const option = (value) => h("option", { value }, value);
  const date = (name) => h("input", { name, type: "date", required: true, min: FIRST_DAY, max: today });
  const fields = {
    job: h("select", { name: "job" }, jobs.map(option)),
    from: date("from"),
    to: date("to"),
    only: h("select", { name: "only", "aria-describedby": "only-note" }, Object.keys(ONLY).map(option)),
    reason: h("textarea", { name: "reason", rows: "2", maxlength: REASON_CHARS_MAX }),
  };
  fields.job.value = preset.job && jobs.includes(preset.job) ? preset.job : jobs[0];
  fields.from.value = preset.from ?? "";
  fields.to.value = preset.to ?? today;
  fields.only.value = preset.only ?? "missing";
  return fields;
}

function formOf({ job, from, to, only, reason }, note, outcome, starter) {
  const label = (text, field) => h("label", {}, h("span", {}, text), field);
  const leave = h("button", { type: "button", "data-close": true }, "Cancel");
  return h("form", {},
    h("h2", { id: "dialog-title" }, "Backfill past days"),
    h("p", {}, "The preview shows what would be requested. It writes nothing and does not call the provider."),
    label("Job", job),
    div("dates", label("From", from), label("To", to)),
    label("Only", only), note,
    label("Reason (optional)", reason),
    outcome,
    // Start has its place from the beginning: a second press on Preview must not start what nobody has read.
    div("buttons", leave, h("button", { type: "submit" }, "Preview"), starter));
}

/** The request, as the fields say it. */
function wanted({ job, from, to, only, reason }) {
  return { job: job.value, from: from.value, to: to.value, only: only.value, reason: reason.value.trim() || undefined };
}

function planView({ message, data }) {
  const { cells, holes } = data;
  const hole = ({ ticker, date, state }) => h("li", {}, `${ticker} ${date}`, state !== "missing" && ` ${state}`);
  return div(null,
    h("p", {}, h("strong", {}, message)),
    cells > 0 && facts([
      ["Records", number(cells)],
      ["Tickers", number(data.tickers)],
      ["Calls", number(data.calls)],
      ["Quota", plural(data.quota_requests, "request")],
      ["Time", data.minutes === null ? "unknown: no earlier runs to judge by" : minutes(data.minutes)],
    ]),
    holes.length > 0 && [
      h("p", { class: "sub" }, cells > holes.length ? `The first ${number(holes.length)} of them:` : "These are:"),
      h("ul", { class: "tickers" }, holes.map(hole)),
    ],
    cells > holes.length && h("p", {}, span("sub", `and ${number(cells - holes.length)} more`)));
}

function minutes(count) {
  return count === 0 ? "less than a minute" : `about ${duration(count * 60_000)}`;
}
