// Services.

import { div, h } from "../dom.js";
import { duration, number, plural } from "../format.js";
import { ago, button, facts, loading, pill, tone, when } from "../parts.js";

export function servicesView(status) {
  if (!status) return loading("services", 2);
  return h("ul", { class: "cards" }, status.services.map(serviceCard), firestoreCard(status.firestore));
}

function serviceCard(service) {
  const { breaker, connections, probe, provider } = service;
  const shut = breaker.position !== "closed";
  const row = connections.failures_in_row > 1 && `, ${number(connections.failures_in_row)} in a row`;
  const state = { true: "healthy", false: "unhealthy", null: "unknown" }[service.healthy];
  const look = service.healthy === false ? "bad" : tone(breaker.position);
  return h("li", { class: `card ${look}`, key: provider, "data-provider": provider },
    div("card-head", h("h3", {}, provider), pill(state)),
    facts([
      ["Health", service.checked_at ? [`from its ${service.source === "probe" ? "probe" : "calls"}, `, ago(service.checked_at)]
        : "unknown: never called"],
      ["Why", service.error, "stack bad-text"],
      ["Breaker", [pill(breaker.position), shut && breaker.until && [" until ", when(breaker.until)]]],
      ["Opened", breaker.openings > 0 && plural(breaker.openings, "time")],
      ["Reason", breaker.reason, "stack"],
      ["Probe", probe && [ago(probe.probed_at), `, ${probe.status_code ?? "no response"} in ${duration(probe.latency_ms)}`]],
      ["In flight", `${number(connections.calls_in_flight)} of ${number(connections.calls_in_flight_max)}`],
      ["Last success", connections.last_success_time && ago(connections.last_success_time)],
      ["Last error", connections.last_error_time && [ago(connections.last_error_time), row, ": ",
        connections.last_error], "stack"],
    ]),
    div("card-orders",
      button("Probe…", "probe", { provider }),
      shut && button("Reset breaker…", "reset-breaker", { provider })));
}

function firestoreCard({ reachable, latency_ms: latency, error }) {
  return h("li", { class: `card ${reachable ? "" : "bad"}`, key: "firestore", "data-provider": "firestore" },
    div("card-head", h("h3", {}, "Firestore"), pill(reachable ? "healthy" : "unhealthy",
      reachable ? "reachable" : "unreachable")),
    facts([["Latency", duration(latency)], ["Error", error, "stack bad-text"]]));
}
