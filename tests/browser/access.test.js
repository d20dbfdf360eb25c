// Every state in light, dark and on a phone: no accessibility fault, nothing beyond the edge; all by keyboard.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DESKTOP, PHONE, accessibilityFaults, overflow } from "./support/browser.js";
import { runAddress, runAnswers, useBrowser, visit } from "./support/fixture.js";
import { HANG, RESET } from "./support/mock.js";
import { disaster, failedCalls, failedRun, shortRun, troubled, waiting, waitingRun } from "./support/trouble.js";
import { fresh, line, recordAnswers, report } from "./support/world.js";

useBrowser();

const LONG = "a-job-with-a-name-that-nobody-would-choose-but-somebody-will-configure-some-day-".repeat(2);

function longNames() {
  const world = troubled();
  world.jobs[0].recent_runs[0].stopped = LONG;
  world.services[0].connections.last_error = LONG.repeat(3);
  world.project = LONG;
  world.alerts[0].message = LONG;
  return world;
}

const bad = failedRun();
const good = report("finnhub-quote-portfolio");
const STATES = {
  "all is well": [{}, "/", "#runs tbody tr"],
  "much is wrong": [{ "GET /status": troubled(), "GET /runs": { runs: [line(bad)], next_page_token: "x" }, ...runAnswers(bad) }, "/", ".alert .mono"],
  "long names": [{ "GET /status": longNames() }, "/", ".alert"],
  "no runs yet": [{ "GET /status": fresh(), "GET /runs": { runs: [], next_page_token: null } }, "/", "#runs .empty"],
  "loading": [{ "GET /status": HANG, "GET /runs": HANG }, "/", ".loading"],
  "unreachable": [{ "GET /status": RESET, "GET /runs": RESET }, "/", ".notice"],
  "a failed run": [{ "GET /status": troubled(), ...runAnswers(bad, failedCalls()) }, runAddress(bad), ".attempt"],
  "500 failed tickers": [runAnswers(disaster()), runAddress(disaster()), ".group"],
  "every outcome": [runAnswers(shortRun()), runAddress(shortRun()), ".group"],
  "a run that waits": [runAnswers(waitingRun()), runAddress(waitingRun()), ".notice"],
  "a job that waits": [{ "GET /status": waiting(), "GET /runs": { runs: [waitingRun(), shortRun()].map(line), next_page_token: null } }, "/", "#runs .count-warn"],
  "a record": [recordAnswers(), "/#/records/prices_daily/AAPL_2026-11-20?as_of=2026-11-22T00:00:00Z", ".group"],
  "a good run": [runAnswers(good), runAddress(good), ".message"],
};

for (const [state, [answers, path, sign]] of Object.entries(STATES)) {
  test(`no fault: ${state}`, () => visit(answers, async (page) => {
    for (const [viewport, colorScheme] of [[DESKTOP, "light"], [DESKTOP, "dark"], [PHONE, "light"], [PHONE, "dark"]]) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      await page.locator(sign).first().waitFor();
      assert.deepEqual(await accessibilityFaults(page), [], `${viewport.width} ${colorScheme}`);
      assert.ok(await overflow(page) <= 0, `the page is wider than ${viewport.width}`);
    }
  }, { path }));
}

test("no fault: the dialogs", () => visit({}, async (page) => {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.locator("#run-now:enabled").click();
    assert.deepEqual(await accessibilityFaults(page), []);
    await page.getByRole("button", { name: "Continue…" }).click();
    assert.deepEqual(await accessibilityFaults(page), []);
    await page.keyboard.press("Escape");
  }
}));

test("a run is ordered by the keyboard alone, and Escape takes the dialog back", () => visit({ "POST /manual/trigger-job": HANG }, async (page, server) => {
  await page.locator("#run-now:enabled").waitFor();
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.name || document.activeElement.textContent);
  const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
  await press("Tab");
  assert.equal(await focused(), "Skip to content");
  await press("Enter");
  assert.equal(await focused(), "content");
  await page.locator("#run-now").focus();
  await press("Enter");
  assert.equal(await focused(), "job");
  await press("Escape");
  assert.equal(await focused(), "run-now");
  await press("Enter", "Tab", "Tab", "Tab", "Tab", "Enter");
  assert.equal(await focused(), "Cancel");
  await press("Tab", "Enter");
  await page.getByText("Starting…").waitFor();
  assert.equal(server.named("POST /manual/trigger-job").length, 1);
}));

test("whoever wants no motion gets none", () => visit({ "GET /status": HANG }, async (page) => {
  await page.locator(".skeleton").first().waitFor();
  const animation = () => page.locator(".skeleton").first().evaluate((bar) => getComputedStyle(bar).animationName);
  assert.equal(await animation(), "none");
  await page.emulateMedia({ reducedMotion: "no-preference" });
  assert.equal(await animation(), "breathe");
}));
