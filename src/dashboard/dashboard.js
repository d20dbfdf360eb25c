// The page: which view the URL selects, when to refresh the data, what a click does.

import { get } from "./api.js";
import { h, render, span } from "./dom.js";
import { detailKey, witnesses } from "./evidence.js";
import { clock, learnClock, now, plural, relative } from "./format.js";
import { orderActions } from "./orders.js";
import { button, empty, icon, pill, problem } from "./parts.js";
import { alertKey, alertsView } from "./views/alerts.js";
import { coverageView, dayView } from "./views/coverage.js";
import { givenView } from "./views/given.js";
import { jobsView } from "./views/jobs.js";
import { PRICES, lookupView, pricesId, recordPath, recordView } from "./views/record.js";
import { runView } from "./views/run.js";
import { overviewPath, runsView } from "./views/runs.js";
import { servicesView } from "./views/services.js";

/** Time between two refreshes. */
const REFRESH_MS = 10_000;

/** The same while a run is being watched. */
const WATCH_MS = 1000;

/** Time between two readings of the coverage, which changes with runs. */
const COVERAGE_MS = 60_000;

/** Time between two readings of the orders; those given here are shown at once. */
const GIVEN_MS = 60_000;

/** Orders that are shown. */
const GIVEN_SHOWN = 20;

/** Reports of runs kept to explain alerts: twice the number of jobs. */
const DETAILS_MAX = 22;

const state = {
  status: null, statusError: null, statusAt: 0, announced: null,
  runs: null, runsError: null, details: new Map(),
  coverage: { datasets: null, grids: new Map(), error: null, at: 0 }, day: null, record: null,
  given: { orders: null, error: null, at: 0 },
  catalogue: null, page: null, orders: new Map(), trouble: new Map(), notice: null, route: null,
};
let timer = 0;
let aborter = new AbortController();
let statusQuestion = null;

const home = (id) => document.getElementById(id);

// ---- URLs ----

function route() {
  const [path, query] = (location.hash || "#/").split("?");
  if (path.startsWith("#/runs/")) return { view: "run", id: decoded(path.slice(7)) };
  const [dataset, date] = path.startsWith("#/coverage/") ? path.slice(11).split("/").map(decoded) : [];
  if (date) return { view: "day", id: `${dataset}/${date}`, dataset, date };
  const [collection, id] = path.startsWith("#/records/") ? path.slice(10).split("/").map(decoded) : [];
  const { job, status, page, as_of: asOf } = Object.fromEntries(new URLSearchParams(query));
  if (id) return { view: "record", id: `${collection}/${id}`, record: { collection, id, asOf } };
  return { view: "overview", filter: { job, status, page } };
}

/** A user may have typed it. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function navigate() {
  if (location.hash && !location.hash.startsWith("#/")) return;
  const [before, after] = [state.route, route()];
  state.route = after;
  state.runs = state.runsError = null;
  state.page = after.view === "run" ? { id: after.id, find: "", allCalls: false } : null;
  state.day = after.view === "day" ? { dataset: after.dataset, date: after.date } : null;
  state.record = after.record ?? null;
  for (const source of ["runs", "run", "calls", "day", "record", "revisions"]) state.trouble.delete(source);
  draw();
  if (before && (before.view !== after.view || before.id !== after.id)) {
    scrollTo(0, 0);
    (document.querySelector("main h2[tabindex]") ?? home("content")).focus({ preventScroll: true });
  }
  refresh();
}

// ---- loading ----

async function refresh() {
  clearTimeout(timer);
  aborter.abort();
  aborter = new AbortController();
  const { signal } = aborter;
  const page = state.page ? loadRun(state.page, signal) : state.day ? loadDay(state.day, signal)
    : state.record ? loadRecord(state.record, signal) : loadRuns(signal);
  if (state.route.view === "overview" && Date.now() - state.coverage.at >= COVERAGE_MS) loadCoverage();
  // Which jobs can be run for past days: without an answer, there is no button for it until the next refresh.
  if (state.route.view !== "overview" && !state.catalogue) loadCatalogue().catch(() => {});
  if (state.route.view === "overview" && Date.now() - state.given.at >= GIVEN_MS) loadGiven();
  if (!watching() || Date.now() - state.statusAt >= REFRESH_MS) statusQuestion ??= loadStatus();
  await page;
  // Someone watching a run does not wait for the status.
  if (!watching()) await statusQuestion;
  if (!signal.aborted && !document.hidden) timer = setTimeout(refresh, watching() ? WATCH_MS : REFRESH_MS);
}

/** Whether this page shows a run that has not ended. */
function watching() {
  const { page } = state;
  return Boolean(page && (page.report?.data.run_status === "running" || (page.order && !page.order.done)));
}

/** Loads one resource; keeps the last response if there is no new one. */
async function ask(source, path, signal, take) {
  try {
    const answer = await get(path, signal);
    if (signal?.aborted) return;
    state.trouble.delete(source);
    take(answer, null);
  } catch (error) {
    if (signal?.aborted) return;
    if (error.kind === "refused") {
      state.trouble.delete(source);
      take(null, error);
    } else {
      state.trouble.set(source, { error, since: state.trouble.get(source)?.since ?? Date.now() });
    }
  }
  draw();
}

async function loadStatus() {
  await ask("status", "/status", null, (answer, error) => {
    state.statusError = error;
    if (!answer) return;
    state.status = answer;
    state.statusAt = Date.now();
    learnClock(answer.time);
    announceAlerts(answer);
  });
  await Promise.allSettled(witnesses(state.status).map(loadDetails));
  statusQuestion = null;
}

/** Reads a run that explains an alert. If that fails, the alert is shown without it until the next refresh. */
async function loadDetails(shown) {
  const key = detailKey(shown);
  if (state.details.has(key)) return;
  const report = await get(`/runs/${encodeURIComponent(shown.run_id)}`);
  if (state.details.size >= DETAILS_MAX) state.details.delete(state.details.keys().next().value);
  state.details.set(key, report);
  draw();
}

function loadRuns(signal) {
  const { job, status, page } = state.route.filter;
  const told = Object.entries({ job, status, page_token: page }).filter(([, value]) => value);
  return ask("runs", `/runs${told.length > 0 ? `?${new URLSearchParams(told)}` : ""}`, signal, (answer, error) => {
    state.runs = answer;
    state.runsError = error;
  });
}

function loadDay(day, signal) {
  const path = `/coverage/${encodeURIComponent(day.dataset)}/${encodeURIComponent(day.date)}`;
  return ask("day", path, signal, (answer, error) => {
    day.answer = answer ?? day.answer;
    day.error = error;
  });
}

async function loadRecord(record, signal) {
  const path = `/records/${encodeURIComponent(record.collection)}/${encodeURIComponent(record.id)}`;
  const asOf = record.asOf ? `?${new URLSearchParams({ as_of: record.asOf })}` : "";
  await Promise.all([
    ask("record", path + asOf, signal, (answer, error) => {
      record.answer = answer;
      record.error = error;
    }),
    ask("revisions", `${path}/revisions`, signal, (answer, error) => {
      // A record that nobody knows has no history either: that is said once.
      record.revisions = answer ?? (error?.status === 404 ? { current: null, revisions: [] } : null);
      record.revisionsError = error?.status === 404 ? null : error;
    }),
  ]);
}

async function loadCatalogue() {
  state.catalogue = (await get("/jobs")).jobs;
  draw();
}

/** Reads the grids one after the other; if that fails, the last ones stay until the next time. */
async function loadCoverage() {
  const { coverage } = state;
  coverage.at = Date.now();
  try {
    await loadCatalogue();
    coverage.datasets = [...new Set(state.catalogue.flatMap(({ endpoints }) => endpoints.map(({ dataset }) => dataset)))];
    draw();
    for (const dataset of coverage.datasets) {
      const grid = await get(`/coverage?dataset=${encodeURIComponent(dataset)}`).catch((error) => {
        if (error.kind !== "refused") throw error;
        return { error: error.message };
      });
      coverage.grids.set(dataset, grid);
      draw();
    }
    coverage.error = null;
  } catch (error) {
    coverage.error = error.message;
    draw();
  }
}

/** Reads the latest orders; if the service is unreachable, the last ones stay. */
async function loadGiven() {
  const { given } = state;
  given.at = Date.now();
  try {
    given.orders = (await get(`/orders?limit=${GIVEN_SHOWN}`)).orders;
    given.error = null;
  } catch (error) {
    given.error = error.kind === "refused" || !given.orders ? error.message : null;
  }
  draw();
}

async function loadRun(page, signal) {
  const path = `/runs/${encodeURIComponent(page.id)}`;
  await Promise.all([
    ask("run", path, signal, (answer, error) => {
      page.report = answer ?? page.report;
      page.error = error;
    }),
    // Missing calls of a run that does not exist yet are not an error.
    ask("calls", `${path}/calls`, signal, (answer, error) => {
      page.calls = answer ?? page.calls;
      page.callsError = page.report && error?.status !== 404 ? error : null;
    }),
  ]);
}

// ---- rendering ----

function draw() {
  const { status, page, route: here } = state;
  if (page) page.order = state.orders.get(page.id);
  const alerts = status?.alerts.length ?? 0;
  const place = state.day?.dataset ?? state.record?.id ?? (page ? page.report?.job ?? "Run" : "Orchestrator");
  document.title = `${alerts > 0 ? `(${alerts}) ` : ""}${place}${status ? ` · ${status.status}` : ""}`;
  const where = status && span("where", `${status.project} · ${status.version}`);
  render(home("health"), status && pill(status.status), where);
  render(home("notices"), notices());
  render(home("alerts"), alertsView(status, state.details));
  home("alerts").classList.toggle("compact", here.view !== "overview");
  home("run-now").disabled = !status;
  const views = {
    run: () => runView(page, now()), day: () => dayView(state.day, isFillable(state.day.dataset), recordsOf(state.day)),
    record: () => recordView(state.record), overview,
  };
  render(home("content"), views[here.view]());
  tick();
}

/** The path of a ticker's record of a day, for datasets with one such record. */
function recordsOf({ dataset, date }) {
  const endpoints = (state.catalogue ?? []).flatMap((job) => job.endpoints);
  const prices = dataset === PRICES && endpoints.find((endpoint) => endpoint.dataset === PRICES);
  return prices ? (ticker) => recordPath(prices.collection, pricesId(ticker, date)) : null;
}

/** Whether some job can request past days of a dataset. */
function isFillable(dataset) {
  const endpoints = (state.catalogue ?? []).flatMap((job) => job.endpoints);
  return endpoints.some((endpoint) => endpoint.dataset === dataset && endpoint.past_days);
}

function overview() {
  const { status, statusError, runs, runsError, route: { filter } } = state;
  const names = (status?.jobs ?? []).map(({ job }) => job);
  const part = (id, title, body) => h("section", { key: id, id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title`, key: "title" }, title), h("div", { key: "body" }, body));
  const unknown = !status && (statusError || state.trouble.has("status"));
  const known = (view) => (unknown ? empty("Unknown", "The service has not responded yet.") : view(status));
  return [
    part("services", "Services", known(servicesView)),
    part("jobs", "Jobs", known((shown) => jobsView(shown, state.catalogue ?? []))),
    part("coverage", "Coverage", [coverageView(state.coverage), lookupView(state.catalogue ?? [])]),
    h("section", { key: "runs", id: "runs", "aria-labelledby": "runs-title" },
      runsView(filter, runs, runsError, state.trouble.has("runs"), names)),
    part("orders", "Orders", givenView(state.given)),
  ];
}

function notices() {
  const troubles = [...state.trouble.values()];
  if (troubles.some(({ error }) => error.kind === "signed-out")) {
    return problem("You have been signed out", "This page does not update until you sign in again.",
      button("Reload and sign in", "reload"), "signed-out");
  }
  const [trouble] = troubles;
  const shown = state.statusAt ? ` The data shown is from ${clock(state.statusAt)}.` : "";
  return [
    trouble && problem("The service is unreachable",
      `${trouble.error.message}, since ${clock(trouble.since)}.${shown} Retrying every ${REFRESH_MS / 1000} s.`,
      button("Retry now", "refresh"), "unreachable"),
    !trouble && state.statusError && problem("The status could not be loaded", state.statusError.message, null, "status"),
    state.notice && problem(state.notice.title, state.notice.words, button("Dismiss", "dismiss"), "order"),
  ];
}

/** Keeps ages current between two responses. */
function tick() {
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const words = relative(time.dateTime);
    if (time.textContent !== words) time.textContent = words;
  }
  const stale = state.trouble.size > 0;
  const at = new Date(state.statusAt + now() - Date.now());
  const age = state.statusAt ? `updated ${relative(at.toISOString())}` : null;
  const none = stale ? "no response yet" : "loading…";
  render(home("freshness"), stale && icon("warn"), age ? `${stale ? "out of date, " : ""}${age}` : none);
  home("freshness").classList.toggle("stale", stale);
}

/** Announces to screen readers which alerts have come and gone. */
function announceAlerts({ alerts }) {
  const firing = new Map(alerts.map((alert) => [alertKey(alert), alert.message]));
  const before = state.announced ?? new Map();
  const come = [...firing].filter(([key]) => !before.has(key)).map(([key, message]) => `${key}: ${message}`);
  const gone = [...before.keys()].filter((key) => !firing.has(key));
  state.announced = firing;
  if (come.length > 0) announce(`${plural(come.length, "new alert")}. ${come.join(". ")}`);
  else if (gone.length > 0) announce(`No longer firing: ${gone.join(", ")}`);
}

function announce(words) {
  home("announcer").textContent = words;
}

// ---- orders ----

const actions = orderActions({ state, announce, refresh, draw });

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-action]");
  const action = target && actions[target.dataset.action];
  if (!action) return;
  event.preventDefault();
  action(target);
});

document.addEventListener("change", ({ target }) => {
  const { filter: name } = target.dataset;
  if (name) location.hash = overviewPath({ ...state.route.filter, page: null, [name]: target.value });
});

document.addEventListener("submit", (event) => {
  const { lookup, asOf } = event.target.dataset;
  if (lookup === undefined && !asOf) return;
  event.preventDefault();
  const given = Object.fromEntries(new FormData(event.target));
  const { collection, id } = state.record ?? given;
  location.hash = asOf ? recordPath(collection, id, new Date(given.time).toISOString())
    : lookup ? recordPath(lookup, pricesId(given.ticker.trim().toUpperCase(), given.day)) : recordPath(collection, id.trim());
});

document.addEventListener("input", ({ target }) => {
  if (target.dataset.find && state.page) {
    state.page.find = target.value;
    draw();
  }
});

document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));
addEventListener("hashchange", navigate);
setInterval(() => document.hidden || tick(), 1000);
navigate();
