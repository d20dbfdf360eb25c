// A record: what it says, what it said before, and the forms that look one up.

import { code, h } from "../dom.js";
import { number, plural } from "../format.js";
import { empty, facts, loading, problem, runPath, sub, table, when } from "../parts.js";

/** The dataset whose records are named by a ticker and a day. */
export const PRICES = "daily_prices";

const CHANGES = [["Field", ""], ["Before", ""], ["After", ""]];

export function recordPath(collection, id, asOf) {
  const query = asOf ? `?as_of=${encodeURIComponent(asOf)}` : "";
  return `#/records/${encodeURIComponent(collection)}/${encodeURIComponent(id)}${query}`;
}

/** The document of a ticker's prices. Of what a ticker may contain, only these characters are escaped in an id. */
export function pricesId(ticker, day) {
  return `${ticker.replaceAll("%", "%25").replaceAll("/", "%2F")}_${day}`;
}

/** The collections of all jobs, and the one with the prices. */
function collectionsOf(catalogue) {
  const endpoints = catalogue.flatMap((job) => job.endpoints);
  return {
    all: [...new Set(endpoints.map(({ collection }) => collection))],
    prices: endpoints.find(({ dataset }) => dataset === PRICES)?.collection,
  };
}

/** Forms to look up a record. */
export function lookupView(catalogue) {
  const { all, prices } = collectionsOf(catalogue);
  if (all.length === 0) return null;
  const label = (text, field) => h("label", {}, h("span", {}, text), field);
  const typed = { required: true, autocomplete: "off", spellcheck: "false" };
  const show = () => h("button", { type: "submit" }, "Show");
  return h("details", { class: "lookup", key: "lookup" },
    h("summary", {}, "Find a record"),
    prices && h("form", { class: "filters", "data-lookup": prices },
      label("Prices of", h("input", { ...typed, name: "ticker", placeholder: "AAPL", size: 8 })),
      label("on", h("input", { type: "date", name: "day", required: true })), show()),
    h("form", { class: "filters", "data-lookup": "" },
      label("Record in", h("select", { name: "collection" }, all.map((name) => h("option", { value: name }, name)))),
      label("id", h("input", { ...typed, name: "id", size: 34 })), show()));
}

/** record: { collection, id, asOf, answer, error, revisions, revisionsError } */
export function recordView(record) {
  const { collection, id, asOf, answer, error, revisions, revisionsError } = record;
  const head = [
    h("p", { class: "back", key: "back" }, h("a", { href: "#/" }, "← Overview")),
    h("h2", { class: "wrap", tabindex: "-1", key: "title" }, id),
  ];
  const part = (name, title, content) => h("section", { key: name, "aria-labelledby": `${name}-title` },
    h("h3", { id: `${name}-title` }, title), content);
  return [
    head,
    answer && h("div", { key: "figures" }, figures(answer)),
    chooser(record),
    part("fields", asOf ? ["As of ", when(asOf)] : "Now", form(answer, error, asOf)),
    part("revisions", "What changed", revisionsError ? problem("The earlier forms could not be loaded", revisionsError.message)
      : !revisions ? loading("earlier forms") : changes(revisions, collection, id)),
  ];
}

function figures({ collection, known_since: since, superseded_at: until, superseded_by_run: run, revisions }) {
  return facts([
    ["Collection", code(collection)],
    ["Known since", when(since)],
    ["Until", until && [when(until), run && [", by ", h("a", { class: "wrap", href: runPath(run) }, run)]]],
    ["Earlier forms", revisions > 0 ? number(revisions) : "none"],
  ]);
}

/** A time to look at: typed in, in the reader's zone. */
function chooser({ collection, id, asOf }) {
  return h("form", { class: "filters", key: "as-of", "data-as-of": "true" },
    h("label", {}, h("span", {}, "As of"), h("input", { type: "datetime-local", name: "time", step: 1, required: true })),
    h("button", { type: "submit" }, "Show"),
    asOf && h("a", { href: recordPath(collection, id) }, "Now"));
}

function form(answer, error, asOf) {
  if (error?.status === 404) {
    return asOf ? empty("No such record then", "Nothing was known under this id at that time.")
      : empty("No such record", "The collection has no document with this id.");
  }
  if (error) return problem("The record could not be loaded", error.message, null, "record");
  if (!answer) return loading("the record", 6);
  return facts(Object.entries(answer.fields).map(([name, value]) => [name, text(value)]), "facts wide");
}

/** Each change with what it did to the fields, the latest first. */
function changes({ current, revisions }, collection, id) {
  if (revisions.length === 0) return empty("It has never changed", "Every answer with this record said the same.");
  return revisions.map((before, at) => {
    const after = revisions[at - 1]?.fields ?? current?.fields ?? {};
    const rows = before.changed.map((name) =>
      ({ key: name, cells: [code(name), text(before.fields[name]), text(after[name])] }));
    return h("article", { class: "group", key: `${before.number} ${before.superseded_at}` },
      h("p", {}, h("strong", {}, plural(before.changed.length, "field")), " changed ", when(before.superseded_at), ", by ",
        h("a", { class: "wrap", href: runPath(before.superseded_by_run) }, before.superseded_by_run)),
      table(`Change ${before.number + 1}`, CHANGES, rows),
      h("p", { class: "quiet" }, h("a", { href: recordPath(collection, id, before.known_since) }, "The form before"),
        " was known since ", when(before.known_since)));
  });
}

/** A value as JSON, except for strings. */
function text(value) {
  if (value === undefined) return sub("none");
  return h("span", { class: "mono wrap" }, typeof value === "string" ? value : JSON.stringify(value));
}
