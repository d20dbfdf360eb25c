// Orders with a reason: pause and unpause a job, cancel and resume a run, reset a breaker; and the list of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessibilityFaults, eventually } from "./support/browser.js";
import { runAddress, runAnswers, useBrowser, visit } from "./support/fixture.js";
import { failedRun } from "./support/trouble.js";
import { at, given, healthy, paused, report } from "./support/world.js";

useBrowser();

const JOB = "finnhub-quote-portfolio";
const PAUSE = `POST /jobs/${JOB}/pause`;
const status = (page) => page.locator("h2 .pill").innerText();
const dialog = (page) => page.getByRole("dialog");

test("a job is paused with a reason and an end, and is then marked", () => visit({ [PAUSE]: { job: JOB, paused: {} } }, async (page, server) => {
  await page.getByRole("button", { name: `Pause ${JOB}…` }).click();
  assert.equal(await page.evaluate(() => document.activeElement.name), "reason");
  await dialog(page).getByRole("button", { name: "Pause", exact: true }).click();
  assert.ok(await dialog(page).isVisible(), "without a reason nothing is ordered");
  await page.fill("[name=reason]", "   ");
  await dialog(page).getByRole("button", { name: "Pause", exact: true }).click();
  assert.equal(server.named(PAUSE).length, 0, "spaces are no reason");
  await page.fill("[name=reason]", " the key has expired ");
  await page.fill("[name=until]", "2027-01-15T18:30");
  server.answers["GET /status"] = paused(healthy(), JOB);
  await dialog(page).getByRole("button", { name: "Pause", exact: true }).click();
  await eventually(() => server.named(PAUSE).map(({ body }) => body), [
    // Berlin's time, as the page's reader has it.
    { reason: "the key has expired", until: "2027-01-15T17:30:00.000Z" },
  ]);
  const row = page.locator("#jobs tbody tr", { hasText: JOB });
  await row.locator(".pill", { hasText: "paused" }).waitFor();
  assert.match(await row.innerText(), /until .*ann@example\.com: the key has expired/s);
  await page.locator("#announcer", { hasText: `${JOB} is paused.` }).waitFor({ state: "attached" });
}, { zone: "Europe/Berlin" }));

test("a paused job is unpaused with a reason", () => {
  const path = `POST /jobs/${JOB}/unpause`;
  return visit({ "GET /status": paused(healthy(), JOB, null), [path]: { job: JOB, paused: null } }, async (page, server) => {
    const row = page.locator("#jobs tbody tr", { hasText: JOB });
    await row.getByText("until somebody unpauses it").waitFor();
    await page.getByRole("button", { name: `Unpause ${JOB}…` }).click();
    await page.fill("[name=reason]", "there is a new key");
    server.answers["GET /status"] = healthy();
    await dialog(page).getByRole("button", { name: "Unpause", exact: true }).click();
    await eventually(() => server.named(path).map(({ body }) => body), [{ reason: "there is a new key" }]);
    await page.getByRole("button", { name: `Pause ${JOB}…` }).waitFor();
  });
});

test("an order that is refused says why", () => visit({ [PAUSE]: [422, { title: "Invalid request", detail: "until `x`: is in the past" }] }, async (page) => {
  await page.getByRole("button", { name: `Pause ${JOB}…` }).click();
  await page.fill("[name=reason]", "why not");
  await dialog(page).getByRole("button", { name: "Pause", exact: true }).click();
  await page.getByText(`${JOB} was not paused`).waitFor();
  await page.getByText("422 Invalid request: until `x`: is in the past").waitFor();
}));

test("a running run is cancelled with a reason, and can then be resumed", () => {
  const running = report(JOB, { run_status: "running", ended_at: undefined, tickers_processed: 3 });
  const path = `/runs/${running.data.run_id}`;
  const order = { by: "ann@example.com", at: at(-2), reason: "wrong day" };
  const asked = { ...running, data: { ...running.data, cancelled: order } };
  const stopped = report(JOB, { run_status: "cancelled", cancelled: order, tickers_pending: 9 }, "cancelled by ann@example.com: wrong day; 3 of 12 tickers processed");
  let end;
  const ended = new Promise((resolve) => { end = resolve; });
  return visit({ ...runAnswers(running), [`POST ${path}/cancel`]: async () => { await ended; return stopped; }, [`POST ${path}/resume`]: report(JOB) }, async (page, server) => {
    await page.getByRole("button", { name: "Cancel run…" }).click();
    assert.match(await dialog(page).innerText(), /stops within two seconds/);
    await dialog(page).getByRole("button", { name: "Leave it" }).click();
    assert.equal(server.named(`POST ${path}/cancel`).length, 0);
    await page.getByRole("button", { name: "Cancel run…" }).click();
    await page.fill("[name=reason]", "wrong day");
    await dialog(page).getByRole("button", { name: "Cancel the run" }).click();
    server.answers[`GET ${path}`] = asked;
    await page.getByText("This run is being cancelled").waitFor();
    server.answers[`GET ${path}`] = stopped;
    end();
    await eventually(() => status(page), "cancelled");
    assert.deepEqual(server.named(`POST ${path}/cancel`).map(({ body }) => body), [{ reason: "wrong day" }]);
    assert.match(await page.locator("#content").innerText(), /Cancelled\s+by ann@example\.com/);
    assert.equal(await page.getByRole("button", { name: "Cancel run…" }).count(), 0);
    await page.getByRole("button", { name: "Resume…" }).click();
    await page.fill("[name=reason]", "the right day after all");
    server.answers[`GET ${path}`] = report(JOB);
    await dialog(page).getByRole("button", { name: "Resume" }).click();
    await eventually(() => server.named(`POST ${path}/resume`).map(({ body }) => body), [{ reason: "the right day after all" }]);
    await eventually(() => status(page), "succeeded");
  }, { path: runAddress(running) });
});

test("a run that had ended before says so", () => {
  const run = failedRun();
  const refusal = [409, { title: "Not possible", detail: "the run had ended before, succeeded" }];
  return visit({ ...runAnswers(run), [`POST /runs/${run.data.run_id}/cancel`]: refusal }, async (page) => {
    await page.getByRole("button", { name: "Cancel run…" }).click();
    await page.fill("[name=reason]", "no need");
    await dialog(page).getByRole("button", { name: "Cancel the run" }).click();
    await page.getByText("409 Not possible: the run had ended before, succeeded").waitFor();
  }, { path: runAddress(run) });
});

test("the latest orders say who, what about, and why", () => visit({ "GET /orders": given() }, async (page) => {
  await page.locator("#orders tbody tr").first().waitFor();
  const rows = await page.locator("#orders tbody tr").allInnerTexts();
  assert.equal(rows.length, 5);
  assert.match(rows[0], /Cancel a run[\s\S]*tiingo-daily-prices_2026[\s\S]*ann@example\.com[\s\S]*wrong day/);
  assert.match(rows[3], /Reset a breaker[\s\S]*tiingo[\s\S]*operator[\s\S]*no reason given/);
  assert.match(rows[4], /Fill past days[\s\S]*tiingo-daily-prices_key_4711[\s\S]*2026-11-02 to 2026-11-06[\s\S]*the provider was down/);
  assert.equal(await page.locator("#orders").getByRole("link", { name: "tiingo-daily-prices_key_4711" }).getAttribute("href"), "#/runs/tiingo-daily-prices_key_4711");
  assert.equal(await page.locator("#orders tbody script").count(), 0, "a reason is text");
  await page.locator("#orders").getByRole("link", { name: JOB }).click();
  await eventually(() => new URL(page.url()).hash, `#/?job=${JOB}`);
}));

test("without orders the list says what belongs there, and a failure to load it is told", () => visit({}, async (page, server) => {
  await page.getByText("No orders yet").waitFor();
  server.answers["GET /orders"] = [503, { title: "Service unavailable", detail: "firestore" }];
  await page.reload();
  await page.getByText("The orders could not be loaded").waitFor();
}));

for (const dark of [false, true]) {
  test(`dialogs and marks are accessible, ${dark ? "dark" : "light"}`, () => visit({ "GET /orders": given(), "GET /status": paused(healthy(), JOB) }, async (page) => {
    await page.locator("#orders tbody tr").first().waitFor();
    assert.deepEqual(await accessibilityFaults(page), []);
    await page.getByRole("button", { name: "Pause tiingo-daily-prices…" }).click();
    assert.deepEqual(await accessibilityFaults(page), []);
  }, { dark }));
}
