// Orders: what people told the service to do, and why.

import { h } from "../dom.js";
import { empty, jobLink, loading, problem, runPath, sub, table, when } from "../parts.js";

const COLUMNS = [["Order", ""], ["About", ""], ["When", ""], ["Who", ""], ["Why", ""]];

const NAMES = {
  pause: "Pause a job", unpause: "Unpause a job", cancel: "Cancel a run", resume: "Resume a run",
  resume_runs: "Resume runs", reset_breaker: "Reset a breaker",
  backfill: "Fill past days",
};

/** given: { orders, error }; orders is null before the first response. */
export function givenView({ orders, error }) {
  if (error) return problem("The orders could not be loaded", error);
  if (!orders) return loading("orders", 3);
  if (orders.length === 0) {
    return empty("No orders yet", "What people tell the service to do appears here, with who it was and why.");
  }
  const rows = orders.map((order, at) => ({ key: `${order.when} ${order.subject} ${at}`, cells: cells(order) }));
  return table("Latest orders, newest first", COLUMNS, rows);
}

function cells({ when: time, who, what, subject, why, details }) {
  return [
    NAMES[what] ?? what.replaceAll("_", " "),
    [about(what, subject), details && h("span", { class: "sub clip", title: details }, details)],
    when(time),
    who,
    why ?? sub("no reason given"),
  ];
}

function about(what, subject) {
  if (what === "pause" || what === "unpause") return jobLink({ job: subject }, 0);
  if (["cancel", "resume", "backfill"].includes(what)) return h("a", { href: runPath(subject), class: "wrap" }, subject);
  return subject;
}
