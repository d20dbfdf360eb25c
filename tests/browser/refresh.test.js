// When the page asks again, and what a refresh leaves alone.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "./support/browser.js";
import { runAddress, runAnswers, useBrowser, visit } from "./support/fixture.js";
import { disaster, troubled } from "./support/trouble.js";
import { healthy, report } from "./support/world.js";

useBrowser();

const asked = (server, name) => server.named(name).length;

/** Lets the page's time pass once its answers have arrived and its next question is planned. */
async function pass(page, ms) {
  await page.waitForLoadState("networkidle");
  await page.clock.runFor(ms);
}

async function visitOnFrozenTime(changes, act, path = "/") {
  await visit(changes, async (page, server) => {
    await page.clock.install();
    await page.goto(server.url + path);
    await page.reload();
    await page.locator("main h2").first().waitFor();
    await act(page, server);
  });
}

test("the page asks again every ten seconds", () => visitOnFrozenTime({}, async (page, server) => {
  await page.locator("#jobs tbody tr").first().waitFor();
  await page.waitForLoadState("networkidle");
  const before = asked(server, "GET /status");
  await pass(page, 5_000);
  assert.equal(asked(server, "GET /status"), before);
  await pass(page, 5_100);
  await eventually(() => asked(server, "GET /status"), before + 1);
}));

test("a running run is looked at every second, the status still every ten", () => {
  const run = report("finnhub-quote-portfolio", { run_status: "running", ended_at: undefined, tickers_processed: 10 });
  return visitOnFrozenTime(runAnswers(run), async (page, server) => {
    await page.locator("h2 .pill", { hasText: "running" }).waitFor();
    await page.waitForLoadState("networkidle");
    const [runs, statuses] = [asked(server, `GET /runs/${run.data.run_id}`), asked(server, "GET /status")];
    for (const count of [1, 2, 3]) {
      await pass(page, 1_100);
      await eventually(() => asked(server, `GET /runs/${run.data.run_id}`), runs + count);
    }
    assert.equal(asked(server, "GET /status"), statuses);
  }, runAddress(run));
});

test("a hidden page asks nothing, and at once when it is seen again", () => visitOnFrozenTime({}, async (page, server) => {
  await page.locator("#jobs tbody tr").first().waitFor();
  await page.waitForLoadState("networkidle");
  const show = (visible) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, !visible);
  await show(false);
  const before = asked(server, "GET /status");
  await pass(page, 60_000);
  assert.equal(asked(server, "GET /status"), before);
  await show(true);
  await eventually(() => asked(server, "GET /status"), before + 1);
}));

test("a refresh changes texts in place and leaves focus and scroll alone", () => visit({}, async (page, server) => {
  await page.locator("#jobs tbody tr").first().waitFor();
  await page.evaluate(() => {
    scrollTo(0, 300);
    document.querySelector("[data-key=polygon-news-market] button").focus({ preventScroll: true });
    document.querySelectorAll("#jobs tr").forEach((row) => { row.before_refresh = true; });
  });
  const world = healthy();
  world.services[0].connections.calls_in_flight = 77;
  world.jobs[9].recent_runs.unshift({ ...world.jobs[9].recent_runs[0], run_id: "new", run_status: "failed", stopped: "it broke" });
  server.answers["GET /status"] = world;
  // By script: a real click would move the focus.
  await page.evaluate(() => document.querySelector("[data-action=refresh]").click());
  await page.locator("[data-provider=tiingo]", { hasText: "77 of 4" }).waitFor();
  await page.locator("[data-key=polygon-news-market]", { hasText: "it broke" }).waitFor();
  const kept = await page.evaluate(() => ({
    focus: document.activeElement.getAttribute("data-job"), scroll: scrollY,
    rows: [...document.querySelectorAll("#jobs tr")].every((row) => row.before_refresh),
  }));
  assert.deepEqual(kept, { focus: "polygon-news-market", scroll: 300, rows: true });
}));

test("a refresh leaves alone what the reader has typed and opened", () => {
  const run = disaster();
  return visit(runAnswers(run), async (page, server) => {
    await page.locator("details summary").first().click();
    await page.fill("[data-find]", "T0");
    const before = asked(server, "GET /runs/" + run.data.run_id);
    await page.click("[data-action=refresh]");
    await eventually(() => asked(server, "GET /runs/" + run.data.run_id), before + 1);
    await page.waitForLoadState("networkidle");
    assert.equal(await page.inputValue("[data-find]"), "T0");
    assert.ok(await page.locator("details").first().evaluate((details) => details.open));
  }, { path: runAddress(run) });
});

test("alerts that come and go are announced once", () => visit({}, async (page, server) => {
  await page.locator(".all-clear").waitFor();
  assert.equal(await page.locator("#announcer").getAttribute("aria-live"), "polite");
  assert.equal(await page.locator("#announcer").textContent(), "");
  server.answers["GET /status"] = troubled();
  await page.click("[data-action=refresh]");
  await page.locator("#announcer", { hasText: "3 new alerts. JobOverdue alpha-vantage-technical-indicators: no run" }).waitFor({ state: "attached" });
  await page.evaluate(() => { document.getElementById("announcer").textContent = ""; });
  await page.click("[data-action=refresh]");
  await eventually(() => asked(server, "GET /status"), 3);
  await page.waitForLoadState("networkidle");
  assert.equal(await page.locator("#announcer").textContent(), "");
  server.answers["GET /status"] = healthy();
  await page.click("[data-action=refresh]");
  await page.locator("#announcer", { hasText: "No longer firing: JobOverdue" }).waitFor({ state: "attached" });
}));
