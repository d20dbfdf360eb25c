// What the page knows about the cause of an alert: which run shows it, which tickers, why.

import { SHORTFALLS } from "./parts.js";

/** Alerts about records, and what counts the records that they are about. */
const RECORDS = { RecordsFlagged: "records_flagged", RecordsRestated: "records_revised" };

/**
 * The run that best shows what an alert is about: the latest unsuccessful one of the alert's job, or of the
 * jobs whose provider it names. A job that has succeeded since says nothing about its provider. For records, it is
 * the latest run that took in such ones.
 */
export function witness(status, alert) {
  const runs = status.jobs.flatMap(({ job, provider, recent_runs: recent }) => {
    if (isAboutRecords(alert)) return job === alert.job ? recent.filter((run) => run[RECORDS[alert.alert]] > 0) : [];
    if (job === alert.job) return recent.filter(({ run_status: state }) => state === "failed" || state === "partial");
    const concerned = !alert.job && provider === alert.provider && recent[0]?.run_status === "failed";
    return concerned ? [{ ...recent[0], job }] : [];
  });
  return runs.sort((a, b) => b.started_at.localeCompare(a.started_at))[0] ?? null;
}

/** Whether an alert is about records that were stored, not about tickers that were not. */
export function isAboutRecords({ alert }) {
  return alert in RECORDS;
}

/** Runs whose reports explain the firing alerts. A run that was continued since must be read again. */
export function witnesses(status) {
  if (!status) return [];
  const runs = status.alerts.filter((alert) => !isAboutRecords(alert)).map((alert) => witness(status, alert)).filter(Boolean);
  return [...new Map(runs.map((run) => [detailKey(run), run])).values()];
}

export function detailKey(run) {
  return `${run.run_id}#${run.attempt}`;
}

/** Every ticker at an endpoint that came short, with its outcome, the worst first. */
export function shortfalls(data) {
  return SHORTFALLS.flatMap((outcome) => (data[`tickers_${outcome}`] ?? []).map((short) => ({ ...short, outcome })));
}

/** The tickers that a new run might get: not the deferred ones, for which the provider's quota is used up. */
export function askedAgain(data) {
  const again = shortfalls(data).filter(({ outcome }) => outcome !== "deferred");
  return [...new Set(again.map(({ ticker }) => ticker).filter(Boolean))];
}

/** The tickers of a report that are not stored, and the reasons with their counts. */
export function summary(data) {
  const tickers = new Set();
  const reasons = new Map();
  const count = (reason, times) => reason && reasons.set(reason, (reasons.get(reason) ?? 0) + times);
  for (const { ticker, reason } of shortfalls(data)) {
    if (ticker) tickers.add(ticker);
    count(reason, 1);
  }
  for (const work of data.pending) {
    work.tickers.forEach((ticker) => tickers.add(ticker));
    count(work.reason, Math.max(work.tickers.length, 1));
  }
  return { tickers: [...tickers], reasons: [...reasons].sort((a, b) => b[1] - a[1]) };
}

/** Tickers that came short, grouped by endpoint, requested days, class and reason, the largest group first. */
export function shortfallGroups(shortfalls) {
  return grouped(shortfalls, (short) => [short.endpoint, short.class ?? "", short.reason, short.window],
    (short) => (short.ticker ? [short.ticker] : []));
}

/** Pending work grouped by endpoint, requested days and reason. */
export function pendingGroups(pending) {
  const parts = (work) => [work.endpoint, "", work.reason ?? "left for the next attempt", work.window];
  return grouped(pending, parts, (work) => work.tickers);
}

function grouped(items, partsOf, tickersOf) {
  const groups = new Map();
  for (const item of items) {
    const [endpoint, kind, reason, window] = partsOf(item);
    const key = JSON.stringify([endpoint, kind, reason, window?.from, window?.to]);
    const group = groups.get(key) ?? { key, endpoint, kind, reason, window, tickers: [] };
    group.tickers.push(...tickersOf(item));
    groups.set(key, group);
  }
  return [...groups.values()].sort((a, b) => b.tickers.length - a.tickers.length);
}
