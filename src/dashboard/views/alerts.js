// Alerts.

import { code, div, h, span } from "../dom.js";
import { detailKey, isAboutRecords, summary, witness } from "../evidence.js";
import { number } from "../format.js";
import { ago, facts, icon, jobLink, leftOver, pill, runLink, stateOf, when } from "../parts.js";

/** Number of tickers shown in an alert; the run's page shows all. */
const TICKERS_NAMED = 12;

/** Number of reasons shown in an alert. */
const REASONS_NAMED = 2;

export function alertsView(status, details) {
  if (!status) return null;
  if (status.alerts.length === 0) {
    return h("p", { class: "all-clear", key: "clear" }, icon("ok"), "No alerts are firing.");
  }
  const rank = (alert) => (alert.severity === "critical" ? 0 : 1);
  const alerts = [...status.alerts].sort((a, b) => rank(a) - rank(b));
  return [
    h("h2", { key: "title" }, `Alerts (${alerts.length})`),
    h("ul", { class: "alerts", key: "list" }, alerts.map((alert) => alertItem(status, details, alert))),
  ];
}

export function alertKey(alert) {
  return [alert.alert, alert.job, alert.provider, alert.dataset].filter(Boolean).join(" ");
}

function alertItem(status, details, alert) {
  const run = witness(status, alert);
  const provider = alert.provider ?? status.jobs.find(({ job }) => job === alert.job)?.provider;
  return h("li", { class: `alert ${alert.severity}`, key: alertKey(alert) },
    div("alert-head",
      pill(alert.severity), h("strong", {}, alert.alert),
      alert.job && jobLink(alert, 0), span(null, provider),
      alert.since && span("quiet", "since ", when(alert.since)),
      span("runbook", "Runbook: ", code(alert.runbook))),
    h("p", {}, alert.message),
    facts(alertFacts(status, details.get(run && detailKey(run)), alert, run)));
}

function alertFacts(status, report, alert, run) {
  const touched = alert.job ? [] : status.jobs.filter(({ provider }) => provider === alert.provider);
  const told = run?.stopped && alert.message.includes(run.stopped);
  const short = run && !isAboutRecords(alert);
  return [
    ["Affected jobs", touched.length > 0 && touched.map(jobLink)],
    ["Tickers", short && tickersNamed(run, report)],
    ["Why", short && (reasonsNamed(report) ?? (told ? null : run.stopped))],
    ["Run", run && [runLink(run, `${stateOf(run)} run`), run.job && ` of ${run.job}`, " started ", ago(run.started_at)]],
  ];
}

function tickersNamed(run, report) {
  const head = leftOver(run);
  if (!head) return null;
  const tickers = report ? summary(report.data).tickers : [];
  if (tickers.length === 0) return head;
  const more = tickers.length - TICKERS_NAMED;
  const names = tickers.slice(0, TICKERS_NAMED).join(", ");
  return [head, ": ", span("mono", names), more > 0 && ` and ${number(more)} more`];
}

function reasonsNamed(report) {
  const reasons = report ? summary(report.data).reasons.slice(0, REASONS_NAMED) : [];
  if (reasons.length === 0) return null;
  return reasons.map(([reason, times]) => span("reason", reason, times > 1 && ` (${number(times)}×)`));
}
