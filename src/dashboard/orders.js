// What clicks do, mainly the orders: run a job, also for past days, pause it, cancel or resume a run, reset a breaker, probe a service.

import { cancel, post, probe, run, verify } from "./api.js";
import { askBackfill } from "./backfill.js";
import { askReason, askRun, confirm } from "./dialogs.js";
import { askedAgain } from "./evidence.js";
import { dayIn } from "./format.js";
import { runPath } from "./parts.js";

/** The zone of the days that are requested. */
const SESSIONS_ZONE = "America/New_York";

/** The actions, by the names in buttons' `data-action`; each receives its button. */
export function orderActions({ state, announce, refresh, draw }) {
  // Nothing to choose from before the first response.
  const ask = (preset) => state.status && askRun(state.status.jobs, preset, startRun);

  const newKey = () => {
    const random = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  };

  /** Only jobs whose provider takes dates, and if a dataset is given, only those that store it. */
  function fill({ dataset, ...preset }) {
    const stores = ({ endpoints }) => endpoints.some((known) => known.past_days && (!dataset || known.dataset === dataset));
    const able = (state.catalogue ?? []).filter(stores).map(({ job }) => job);
    if (able.length > 0) askBackfill(able, preset, dayIn(SESSIONS_ZONE), newKey, startBackfill);
  }

  function startBackfill(wanted, key) {
    state.given.at = 0;
    startRun(wanted, key);
  }

  function startRun(wanted, key = newKey()) {
    const runId = `${wanted.job}_key_${key}`;
    follow(runId, "start", () => run("/manual/trigger-job", wanted, key));
    location.hash = runPath(runId);
  }

  function resumeRun(runId, given) {
    follow(runId, "resume", () => run(`/runs/${encodeURIComponent(runId)}/resume`, given));
    state.given.at = 0;
    refresh();
  }

  async function cancelRun(runId, given) {
    announce("The run is being cancelled.");
    await carryOut("The run was not cancelled", async () => {
      const { data } = await cancel(`/runs/${encodeURIComponent(runId)}/cancel`, given);
      return data.run_status === "cancelled" ? "The run is cancelled." : "The run has been told to stop.";
    });
  }

  async function pauseJob(job, given) {
    await carryOut(`${job} was not paused`, async () => {
      await post(`/jobs/${encodeURIComponent(job)}/pause`, given);
      return `${job} is paused.`;
    });
  }

  async function unpauseJob(job, given) {
    await carryOut(`${job} was not unpaused`, async () => {
      await post(`/jobs/${encodeURIComponent(job)}/unpause`, given);
      return `${job} is no longer paused.`;
    });
  }

  /** Carries out an order that is done at once, and shows what came of it. */
  async function carryOut(failure, act) {
    try {
      const words = await act();
      state.notice = null;
      announce(words);
    } catch (error) {
      state.notice = { title: failure, words: error.message };
    }
    state.given.at = 0;
    state.statusAt = 0;
    refresh();
  }

  /** Carries out an order while the page watches the run's entry in the ledger. */
  async function follow(runId, kind, carryOut) {
    const order = { kind, done: false, error: null };
    state.orders.set(runId, order);
    announce(kind === "resume" ? "The run is being resumed." : "The run is being started.");
    try {
      const report = await carryOut();
      announce(`${report.job} ${report.data.run_status}: ${report.message}`);
    } catch (error) {
      order.error = error;
    }
    order.done = true;
    if (state.page?.id === runId) refresh();
  }

  async function resetBreaker(provider, given) {
    await carryOut(`The breaker for ${provider} was not reset`, async () => {
      await post(`/breakers/${encodeURIComponent(provider)}/reset`, given);
      return `The breaker for ${provider} is closed.`;
    });
  }

  async function probeService(provider) {
    announce(`Probing ${provider}; this can take up to 30 seconds.`);
    try {
      const { error } = await probe(`/providers/${encodeURIComponent(provider)}/probe`);
      state.notice = null;
      announce(error ? `${provider} is not healthy: ${error}` : `${provider} is healthy.`);
    } catch (error) {
      state.notice = { title: `${provider} was not probed`, words: error.message };
    }
    refresh();
  }

  async function verifyDay(dataset, date) {
    announce("Counting the documents.");
    try {
      const path = `/coverage/${encodeURIComponent(dataset)}/${encodeURIComponent(date)}/verify`;
      const { documents, changed } = await verify(path);
      const words = `${documents} documents; the coverage ${changed ? "was wrong and is corrected" : "was right"}.`;
      state.notice = null;
      announce(words);
    } catch (error) {
      state.notice = { title: `The documents of ${dataset} on ${date} were not counted`, words: error.message };
    }
    // The grid shows it, too.
    state.coverage.at = 0;
    refresh();
  }

  async function copy(button) {
    const { text } = button.dataset;
    // Not available on a plain-HTTP address that is not local.
    const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    announce(done ? "Copied." : "Copying is not available here.");
    button.classList.toggle("copied", Boolean(done));
  }

  return {
    refresh,
    reload: () => location.reload(),
    dismiss: () => { state.notice = null; draw(); },
    skip: () => document.getElementById("content").focus(),
    copy,
    "run-now": ({ dataset }) => ask({ job: dataset.job ?? state.route.filter?.job }),
    backfill: ({ dataset: { job, from, to, only, of } }) => fill({ job, from, to, only, dataset: of }),
    "run-failed": ({ dataset }) => {
      ask({ job: dataset.job, tickers: askedAgain(state.page.report.data) });
    },
    resume: ({ dataset }) => askReason("Resume this run?", [
      dataset.run, "Pending work continues. If nothing is pending, what failed, came back empty or stale, or was deferred is requested again. A skipped run is run.",
    ], "Resume", { optional: true }, (given) => resumeRun(dataset.run, given)),
    "cancel-run": ({ dataset }) => askReason("Cancel this run?", [
      dataset.run, "It stops within two seconds. What it has received is stored; what is left can be resumed later. The scheduler does not come again for it.",
    ], "Cancel the run", { keep: "Leave it" }, (given) => cancelRun(dataset.run, given)),
    pause: ({ dataset }) => askReason(`Pause ${dataset.job}?`, [
      "Its scheduled runs are skipped until you unpause it, or until the time below. A run that has begun goes on, and you can still run the job yourself.",
    ], "Pause", { until: true, keep: "Leave it" }, (given) => pauseJob(dataset.job, given)),
    unpause: ({ dataset }) => askReason(`Unpause ${dataset.job}?`, [
      "It runs again from its next scheduled time on. What it has missed is not made up for: run it now if you need that.",
    ], "Unpause", { keep: "Leave it paused" }, (given) => unpauseJob(dataset.job, given)),
    "reset-breaker": ({ dataset }) => askReason(`Close the breaker for ${dataset.provider}?`, [
      "All instances start calling the provider again immediately. If it still fails, the breaker opens again.",
    ], "Close the breaker", { optional: true }, (given) => resetBreaker(dataset.provider, given)),
    probe: ({ dataset }) => confirm(`Probe ${dataset.provider}?`, [
      "Its latest calls already show its health. A probe uses one request of the provider's quota and takes ten seconds for alphavantage.",
    ], "Probe", () => probeService(dataset.provider)),
    verify: ({ dataset: { dataset, date } }) => confirm("Count the documents of this day?", [
      `${dataset}, ${date}`, "All its documents are read, and the coverage is corrected if they say something else.",
    ], "Count", () => verifyDay(dataset, date)),
    "all-calls": () => { state.page.allCalls = true; draw(); },
  };
}
