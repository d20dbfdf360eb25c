// What the page knows about the cause of an alert: which run shows it, which tickers, why.

/**
 * The run that best shows what an alert is about: the latest unsuccessful one of the alert's job, or of the
 * jobs whose provider it names. A job that has succeeded since says nothing about its provider.
 */
export function witness(status, alert) {
  const runs = status.jobs.flatMap(({ job, provider, recent_runs: recent }) => {
    if (job === alert.job) return recent.filter(({ run_status: state }) => state === "failed" || state === "partial");
    const concerned = !alert.job && provider === alert.provider && recent[0]?.run_status === "failed";
    return concerned ? [{ ...recent[0], job }] : [];
  });
  return runs.sort((a, b) => b.started_at.localeCompare(a.started_at))[0] ?? null;
}

/** Runs whose reports explain the firing alerts. A run that was continued since must be read again. */
export function witnesses(status) {
  if (!status) return [];
  const runs = status.alerts.map((alert) => witness(status, alert)).filter(Boolean);
  return [...new Map(runs.map((run) => [detailKey(run), run])).values()];
}

export function detailKey(run) {
  return `${run.run_id}#${run.attempt}`;
}

/** The failed and pending tickers of a report, and the reasons with their counts. */
export function summary(data) {
  const tickers = new Set();
  const reasons = new Map();
  const count = (reason, times) => reason && reasons.set(reason, (reasons.get(reason) ?? 0) + times);
  for (const failure of data.tickers_failed) {
    if (failure.ticker) tickers.add(failure.ticker);
    count(failure.reason, 1);
  }
  for (const work of data.pending) {
    work.tickers.forEach((ticker) => tickers.add(ticker));
    count(work.reason, Math.max(work.tickers.length, 1));
  }
  return { tickers: [...tickers], reasons: [...reasons].sort((a, b) => b[1] - a[1]) };
}

/** Failures grouped by endpoint, class and reason, the largest group first. */
export function failureGroups(failures) {
  return grouped(failures, (failure) => [failure.endpoint, failure.class ?? "", failure.reason],
    (failure) => (failure.ticker ? [failure.ticker] : []));
}

/** Pending work grouped by endpoint and reason. */
export function pendingGroups(pending) {
  const parts = (work) => [work.endpoint, "", work.reason ?? "left for the next attempt"];
  return grouped(pending, parts, (work) => work.tickers);
}

function grouped(items, partsOf, tickersOf) {
  const groups = new Map();
  for (const item of items) {
    const [endpoint, kind, reason] = partsOf(item);
    const key = JSON.stringify([endpoint, kind, reason]);
    const group = groups.get(key) ?? { key, endpoint, kind, reason, tickers: [] };
    group.tickers.push(...tickersOf(item));
    groups.set(key, group);
  }
  return [...groups.values()].sort((a, b) => b.tickers.length - a.tickers.length);
}
