// The overview against scripted answers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "./support/browser.js";
import { runAnswers, useBrowser, visit } from "./support/fixture.js";
import { HANG, RESET } from "./support/mock.js";
import { failedRun, shortRun, troubled, waiting, waitingRun } from "./support/trouble.js";
import { at, fresh, healthy, line, report } from "./support/world.js";

useBrowser();

const text = (page, selector) => page.locator(selector).first().innerText();

test("every job and every provider of the status is shown", () => visit({}, async (page) => {
  const status = healthy();
  await page.locator("#jobs tbody tr").first().waitFor();
  assert.deepEqual(await page.locator("#jobs tbody .name").allInnerTexts(), status.jobs.map(({ job }) => job));
  assert.deepEqual(await page.locator(".card h3").allInnerTexts(), [...status.services.map(({ provider }) => provider), "Firestore"]);
  const finnhub = await text(page, "[data-provider=finnhub]");
  for (const fact of ["healthy", "from its calls", "closed", "1 of 4"]) assert.ok(finnhub.includes(fact), `${fact} in ${finnhub}`);
  const row = await text(page, "#jobs tbody tr");
  for (const fact of ["succeeded", "508 tickers", "100 %", "last 20 runs", "Tue 18:00 New York", "Wed 00:00 Berlin"]) {
    assert.ok(row.includes(fact), `${fact} in ${row}`);
  }
  assert.match(await page.locator("#jobs .sparkline").first().getAttribute("aria-label"), /last 20 runs, longest .* s, 0 failed/);
  assert.equal(await text(page, "#alerts"), "No alerts are firing.");
}));

test("a reader in New York sees each scheduled time once", () => visit({}, async (page) => {
  await page.locator("#jobs tbody tr").first().waitFor();
  assert.equal((await text(page, "#jobs tbody tr")).match(/18:00/g).length, 1);
}, { zone: "America/New_York" }));

test("an alert says which job, which provider, which tickers, since when and why", () => visit(
  { "GET /status": troubled(), ...runAnswers(failedRun()) },
  async (page) => {
    const alert = page.locator(".alert", { hasText: "JobFailing" });
    await alert.getByText("T000").waitFor();
    const words = await alert.innerText();
    for (const fact of ["critical", "tiingo-daily-prices", "tiingo", "12 failed, 40 pending of 508", "T000, T001", "and 40 more",
      "upstream provider failed", "symbol not found (12×)", "22 min ago", "Runbook: docs/operations.md#jobfailing"]) {
      assert.ok(words.includes(fact), `${fact} in ${words}`);
    }
    assert.deepEqual(await page.locator(".alert strong").allInnerTexts(), ["JobFailing", "JobOverdue", "BreakerOpen"]);
    const breaker = await page.locator(".alert", { hasText: "BreakerOpen" }).innerText();
    for (const fact of ["tiingo-daily-prices, tiingo-daily-prices-indices", "12 failed, 40 pending of 508: T000", "failed run of"]) {
      assert.ok(breaker.includes(fact), `${fact} in ${breaker}`);
    }
    assert.match(await page.title(), /^\(3\) Orchestrator · unhealthy$/);
  },
));

test("a job that waits for its data has not failed, and lists count what is missing", () => visit(
  { "GET /status": waiting(), "GET /runs": { runs: [waitingRun(), shortRun()].map(line), next_page_token: null } },
  async (page) => {
    await page.locator("#runs tbody tr").first().waitFor();
    const job = page.locator("#jobs [data-key=tiingo-daily-prices]");
    for (const fact of [/waiting/, /300 pending of 508/, /due again in 1\d min/, /not published yet/]) assert.match(await job.innerText(), fact);
    assert.match(await job.locator(".sparkline").getAttribute("aria-label"), /0 failed/);
    const rows = await page.locator("#runs tbody tr").allInnerTexts();
    assert.match(rows[0], /waiting/);
    assert.match(rows[1], /14 empty\s+72 stale\s+25 deferred/);
    const alert = await page.locator(".alert", { hasText: "RecordsFlagged" }).innerText();
    for (const fact of ["61 of 508 records", "succeeded run started"]) assert.ok(alert.includes(fact), `${fact} in ${alert}`);
  },
));

test("restated records lead to the run that revised them", () => {
  const world = waiting();
  const [job] = world.jobs;
  Object.assign(job.recent_runs[1], { records_revised: 900 });
  world.alerts = [{
    alert: "RecordsRestated", severity: "warning", job: job.job, provider: "tiingo", since: job.recent_runs[1].ended_at,
    message: "900 of 15,240 records say something else than before", runbook: "docs/operations.md#recordsrestated",
  }];
  return visit({ "GET /status": world }, async (page) => {
    const link = page.locator(".alert", { hasText: "RecordsRestated" }).getByRole("link", { name: "succeeded run" });
    await eventually(() => link.getAttribute("href"), `#/runs/${encodeURIComponent(job.recent_runs[1].run_id)}`);
  });
});

test("the run that explains an alert is read once, not at every refresh", () => visit(
  { "GET /status": troubled(), ...runAnswers(failedRun()) },
  async (page, server) => {
    await page.locator(".alert").getByText("T000").first().waitFor();
    for (const count of [2, 3]) {
      await page.click("[data-action=refresh]");
      await eventually(() => server.named("GET /status").length, count);
    }
    assert.equal(server.named(`GET /runs/${failedRun().data.run_id}`).length, 1);
  },
));

test("what a provider says never becomes markup", () => visit(
  { "GET /status": troubled(), ...runAnswers(failedRun()) },
  async (page) => {
    await page.locator(".alert").getByText("<b>connection refused</b>").first().waitFor();
    assert.equal(await page.locator("b").count(), 0);
  },
));

test("an open breaker says until when and why, and an overdue job since when", () => visit({ "GET /status": troubled() }, async (page) => {
  await page.locator(".card").first().waitFor();
  const card = await text(page, "[data-provider=tiingo]");
  for (const fact of ["unhealthy", "open", "until", "12 of the last 20 calls failed", "no complete response within 30 s", "no response in 30.0 s", "12 in a row"]) {
    assert.ok(card.includes(fact), `${fact} in ${card}`);
  }
  const row = await page.locator("#jobs tr", { hasText: "alpha-vantage" }).innerText();
  assert.match(row, /overdue due 1 h 30 min ago/);
  assert.equal(await page.locator("#jobs tr.marked").count(), 2);
}));

test("a breaker is reset only after a confirmation", () => visit(
  { "GET /status": troubled(), "POST /breakers/tiingo/reset": { provider: "tiingo", breaker: {} } },
  async (page, server) => {
    const reset = page.locator("[data-provider=tiingo] [data-action=reset-breaker]");
    await reset.click();
    await page.getByRole("button", { name: "Cancel" }).click();
    assert.ok(await reset.evaluate((button) => button === document.activeElement), "focus is back on the button");
    await reset.click();
    assert.equal(server.named("POST /breakers/tiingo/reset").length, 0);
    await page.getByRole("button", { name: "Close the breaker" }).click();
    await eventually(() => server.named("POST /breakers/tiingo/reset").length, 1);
    await page.locator("#announcer", { hasText: "The breaker for tiingo is closed." }).waitFor({ state: "attached" });
  },
));

test("a probe is made only after a confirmation, and its result is told", () => visit(
  { "GET /status": healthy(), "POST /providers/alphavantage/probe": { probed_at: at(0), latency_ms: 10_400, status_code: 200, error: null } },
  async (page, server) => {
    const probes = () => server.named("POST /providers/alphavantage/probe").length;
    await page.locator("[data-provider=alphavantage] [data-action=probe]").click();
    await page.getByText("uses one request of the provider's quota").waitFor();
    assert.equal(probes(), 0);
    await page.getByRole("button", { name: "Probe", exact: true }).click();
    await eventually(probes, 1);
    await page.locator("#announcer", { hasText: "alphavantage is healthy." }).waitFor({ state: "attached" });
  },
));

test("a probe that is refused says why", () => visit(
  { "GET /status": fresh(), "POST /providers/tiingo/probe": [409, { title: "Try again later", detail: "a run needs the provider" }] },
  async (page) => {
    await page.locator("[data-provider=tiingo]", { hasText: "unknown: never called" }).waitFor();
    await page.locator("[data-provider=tiingo] [data-action=probe]").click();
    await page.getByRole("button", { name: "Probe", exact: true }).click();
    await page.locator("#notices").getByText("409 Try again later: a run needs the provider").waitFor();
  },
));

test("a reset that is refused says why", () => visit(
  { "GET /status": troubled(), "POST /breakers/tiingo/reset": [503, { title: "Firestore is unavailable", detail: "no answer" }] },
  async (page) => {
    await page.locator("[data-provider=tiingo] [data-action=reset-breaker]").click();
    await page.getByRole("button", { name: "Close the breaker" }).click();
    await page.locator("#notices").getByText("503 Firestore is unavailable: no answer").waitFor();
    await page.getByRole("button", { name: "Dismiss" }).click();
    await page.locator("#notices .notice").waitFor({ state: "detached" });
  },
));

test("while nothing has answered the page says that it is loading", () => visit({ "GET /status": HANG, "GET /runs": HANG }, async (page) => {
  await page.getByText("loading…").waitFor();
  assert.equal(await page.locator(".loading").count(), 3);
  assert.ok(await page.locator("#run-now").isDisabled());
}));

test("a service without runs says so and offers to run a job", () => visit(
  { "GET /status": fresh(), "GET /runs": { runs: [], next_page_token: null } },
  async (page) => {
    await page.locator("#runs").getByText("No runs yet").waitFor();
    assert.match(await text(page, "#jobs tbody tr"), /never run/);
    await page.getByRole("button", { name: "Run a job now…" }).click();
    await page.getByRole("dialog").waitFor();
  },
));

test("a service that cannot be reached at the start is told apart from one without news", () => visit(
  { "GET /status": RESET, "GET /runs": RESET },
  async (page) => {
    await page.locator("#notices").getByText("The service is unreachable").waitFor();
    await eventually(() => page.locator(".loading").count(), 0);
    assert.equal(await page.locator(".empty strong").first().innerText(), "Unknown");
  },
));

test("what was known stays on the page while the service is away, marked as old", () => visit({}, async (page, server) => {
  await page.locator("#jobs tbody tr").first().waitFor();
  const usual = { ...server.answers };
  Object.assign(server.answers, { "GET /status": RESET, "GET /runs": RESET });
  await page.click("[data-action=refresh]");
  await page.locator("#notices").getByText(/no connection .* The data shown is from/).waitFor();
  assert.match(await text(page, "#freshness"), /out of date/);
  assert.equal(await page.locator("#jobs tbody tr").count(), 11);
  Object.assign(server.answers, usual);
  await page.getByRole("button", { name: "Retry now" }).click();
  await page.locator("#notices .notice").waitFor({ state: "detached" });
}));

test("a sign-in that has ended is told, with the way out", () => visit({}, async (page, server) => {
  await page.locator("#jobs tbody tr").first().waitFor();
  const usual = { ...server.answers };
  Object.assign(server.answers, { "GET /status": [401, {}], "GET /runs": [401, {}] });
  await page.click("[data-action=refresh]");
  await page.locator("#notices").getByText("You have been signed out").waitFor();
  Object.assign(server.answers, usual);
  await page.getByRole("button", { name: "Reload and sign in" }).click();
  await page.locator("#notices .notice").waitFor({ state: "detached" });
}));

test("a refusal is shown with every mistake that it names", () => visit({
  "GET /status": [503, { title: "Misconfigured", detail: "2 settings", errors: ["retry_base_ms is no number", "oidc_audience is missing"].map((message) => ({ field: "configuration", value: "", message })) }],
  "GET /runs": [422, { title: "Invalid", errors: [{ field: "job", value: "x", message: "is not a known job" }] }],
}, async (page) => {
  await page.getByText("503 Misconfigured: 2 settings: configuration retry_base_ms is no number; configuration oidc_audience is missing").waitFor();
  await page.locator("#runs").getByText('422 Invalid: job "x" is not a known job').waitFor();
}));

test("filters are part of the address and of the question", () => visit({}, async (page, server) => {
  const asked = () => server.named("GET /runs").at(-1).url.search;
  await page.selectOption("[data-filter=job]", "polygon-news-market");
  await page.selectOption("[data-filter=status]", "failed");
  await eventually(asked, "?job=polygon-news-market&status=failed");
  assert.equal(new URL(page.url()).hash, "#/?job=polygon-news-market&status=failed");
  server.answers["GET /runs"] = { runs: [], next_page_token: null };
  await page.reload();
  await page.getByText("No runs of polygon-news-market with status failed").waitFor();
  assert.equal(await page.locator("[data-filter=status]").inputValue(), "failed");
  await page.getByText("Show all runs").click();
  await eventually(asked, "");
  assert.equal(await page.locator("[data-filter=job]").inputValue(), "");
}));

test("older runs are one link away, and back", () => visit({
  "GET /runs": ({ url }) => (url.searchParams.get("page_token") === "next+/="
    ? { runs: [line(report("polygon-news-market"))], next_page_token: null }
    : { runs: [line(report("tiingo-daily-prices"))], next_page_token: "next+/=" }),
}, async (page) => {
  await page.getByText("Older runs").click();
  await eventually(() => page.locator("#runs tbody .name").allInnerTexts(), ["polygon-news-market"]);
  await page.getByText("Newest runs").click();
  await eventually(() => page.locator("#runs tbody .name").allInnerTexts(), ["tiingo-daily-prices"]);
}));
