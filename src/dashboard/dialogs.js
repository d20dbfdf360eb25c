// Dialogs before anything is changed: run a job, pause it, cancel or resume a run, reset a breaker.

import { div, h } from "./dom.js";
import { plural } from "./format.js";

const SCOPES = ["entire_watchlist", "active_symbols", "indices", "none"];

/** What the service accepts as a ticker. The service has the last word. */
const TICKER = /^[A-Z0-9.\-_:^=/+]{1,32}$/;

/** As long as the service accepts. */
export const REASON_CHARS_MAX = 500;

const dialog = document.getElementById("dialog");

/** Asks for confirmation; `order` runs if it is given. */
export function confirm(title, words, yes, order) {
  show(title, [words.map((text) => h("p", {}, text))], yes, order);
}

/**
 * Asks for the reason of an order, and perhaps until when it holds; `give` receives { reason, until }.
 *
 * options: { optional: no reason is needed, until: ask for an end, keep: what the other button says }
 */
export function askReason(title, words, yes, { optional, until, keep }, give) {
  const reason = h("textarea", {
    name: "reason", rows: "2", maxlength: REASON_CHARS_MAX, required: optional ? null : true, "aria-describedby": "reason-note",
  });
  const end = until && h("input", { name: "until", type: "datetime-local" });
  show(title, [
    words.map((text) => h("p", {}, text)),
    h("label", {}, h("span", {}, optional ? "Reason (optional)" : "Reason"), reason),
    h("p", { id: "reason-note", class: "sub" }, "It is kept with your name, for those who look at it later."),
    end && h("label", {}, h("span", {}, "Until (optional, your local time)"), end),
  ], yes, () => {
    const given = { reason: reason.value.trim() || undefined };
    // The field has no zone: the browser reads it as local time.
    if (end?.value) given.until = new Date(end.value).toISOString();
    give(given);
  }, keep);
  // Spaces alone are no reason.
  if (!optional) {
    const check = () => reason.setCustomValidity(reason.value.trim() ? "" : "Say why.");
    reason.addEventListener("input", check);
    check();
  }
}

/** Asks what to run, then shows a summary to confirm. `preset`: { job, tickers }. */
export function askRun(jobs, preset, start) {
  const option = (value) => h("option", { value }, value);
  const fields = {
    job: h("select", { name: "job" }, jobs.map(({ job }) => option(job))),
    scope: h("select", { name: "scope" }, h("option", { value: "" }, "the job's default"), SCOPES.map(option)),
    tickers: h("textarea", { name: "tickers", rows: "3", spellcheck: "false", "aria-describedby": "tickers-note" }),
  };
  const note = h("p", { id: "tickers-note", class: "sub" });
  fields.job.value = preset.job ?? jobs[0]?.job;
  fields.tickers.value = (preset.tickers ?? []).join(", ");
  const read = () => {
    const tickers = parseTickers(fields.tickers.value);
    return { job: fields.job.value, scope: fields.scope.value, ...tickers };
  };
  const explain = () => {
    const { job, scope, good, bad } = read();
    const own = jobs.find((known) => known.job === job);
    const covered = good.length > 0 ? plural(good.length, "ticker") : `all tickers of ${scope || own?.scope}`;
    const wrong = bad.length > 0 ? `not tickers: ${bad.join(" ")}` : "";
    note.textContent = wrong || `Separate with commas or spaces; leave empty for the whole scope. Covers ${covered}.`;
    note.classList.toggle("bad-text", Boolean(wrong));
    fields.tickers.setCustomValidity(wrong);
  };
  [fields.job, fields.scope, fields.tickers].forEach((field) => field.addEventListener("input", explain));
  explain();
  show("Run a job now", [
    h("label", {}, h("span", {}, "Job"), fields.job),
    h("label", {}, h("span", {}, "Scope"), fields.scope),
    h("label", {}, h("span", {}, "Tickers (optional)"), fields.tickers), note,
  ], "Continue…", () => confirmRun(jobs, read(), start));
}

function confirmRun(jobs, { job, scope, good }, start) {
  const own = jobs.find((known) => known.job === job);
  const covered = good.length > 0 ? `${plural(good.length, "ticker")}: ${shortened(good)}`
    : `all tickers of the scope ${scope || own.scope}`;
  confirm(`Run ${job}?`, [
    `This run covers ${covered}.`,
    `It calls ${own.provider} and writes the results to Firestore immediately. `
      + "A run cannot be undone; its records replace those of the same day and symbol.",
  ], "Run now", () => start({ job, scope: scope || undefined, tickers: good.length > 0 ? good : undefined }));
}

function parseTickers(text) {
  const words = [...new Set(text.toUpperCase().split(/[\s,;]+/).filter(Boolean))];
  return { good: words.filter((word) => TICKER.test(word)), bad: words.filter((word) => !TICKER.test(word)) };
}

function shortened(tickers) {
  const more = tickers.length - 20;
  return tickers.slice(0, 20).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function show(title, content, yes, order, keep = "Cancel") {
  const form = h("form", {},
    h("h2", { id: "dialog-title" }, title), content,
    div("buttons",
      h("button", { type: "button", "data-close": true }, keep),
      h("button", { type: "submit", class: "primary" }, yes)));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    close();
    order();
  });
  open(form);
}

/** Shows a form with a title `dialog-title`, fields, and a button `data-close`. */
export function open(form) {
  form.querySelector("[data-close]").addEventListener("click", close);
  dialog.replaceChildren(form);
  dialog.showModal();
  // Not the confirming button: a second press of the same key must not confirm what nobody has read.
  form.querySelector("select, [required], [data-close]").focus();
}

export function close() {
  dialog.close();
}
