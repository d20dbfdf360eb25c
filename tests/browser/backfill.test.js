// Past days: the dialog with its preview, from a job, from a day and from a run; and runs that are backfills.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DESKTOP, PHONE, accessibilityFaults, eventually, overflow } from "./support/browser.js";
import { runAddress, runAnswers, useBrowser, visit } from "./support/fixture.js";
import { HANG, RESET } from "./support/mock.js";
import { backfillCalls, backfillRun, dayOfPrices, healthy, line, planOfPrices, report } from "./support/world.js";

useBrowser();

const JOB = "tiingo-daily-prices";
const TRIGGER = "POST /manual/trigger-job";
const DAY = "GET /coverage/daily_prices/2026-11-23";
const dialog = (page) => page.getByRole("dialog");
const startButton = (page) => dialog(page).getByRole("button", { name: "Start" });
const press = (page, name) => dialog(page).getByRole("button", { name }).click();

/** Opens the dialog of a job, says from when on, and asks for the preview. */
async function preview(page, from = "2026-11-02", to = "2026-11-06") {
  await page.getByRole("button", { name: `Backfill ${JOB}…` }).click();
  await page.fill("[name=from]", from);
  await page.fill("[name=to]", to);
  await press(page, "Preview");
}

test("only jobs whose provider takes dates can be backfilled", () => visit({}, async (page) => {
  const able = [JOB, "tiingo-daily-prices-indices", "finnhub-company-news-universe", "finnhub-company-news-portfolio", "polygon-news-universe", "polygon-news-portfolio"];
  await eventually(() => page.locator("[data-action=backfill]").evaluateAll((all) => all.map((button) => button.dataset.job)), able);
  await page.getByRole("button", { name: "Backfill finnhub-company-news-portfolio…" }).click();
  assert.equal(await page.inputValue("[name=job]"), "finnhub-company-news-portfolio");
  assert.deepEqual(await page.locator("[name=job] option").allInnerTexts(), able);
}));

test("the days are previewed, then requested, and the run is watched", () => {
  const answer = ({ body, headers }) => (body.dry_run ? planOfPrices() : report(JOB, { run_id: `${JOB}_key_${headers["idempotency-key"]}` }));
  return visit({ [TRIGGER]: answer }, async (page, server) => {
    await page.getByRole("button", { name: `Backfill ${JOB}…` }).click();
    await press(page, "Preview");
    assert.equal(server.named(TRIGGER).length, 0, "from is required");
    assert.ok(await startButton(page).isDisabled(), "nothing starts without a preview");
    await page.fill("[name=from]", "2026-11-02");
    await page.fill("[name=to]", "2026-11-06");
    await page.selectOption("[name=only]", "empty");
    await page.fill("[name=reason]", " the provider was down ");
    await press(page, "Preview");
    await dialog(page).getByText(planOfPrices().message).waitFor();
    const request = { job: JOB, from: "2026-11-02", to: "2026-11-06", only: "empty", reason: "the provider was down" };
    assert.deepEqual(server.named(TRIGGER).map(({ body }) => body), [{ ...request, dry_run: true }]);
    const words = await page.locator(".plan").innerText();
    for (const fact of [/Records\s+24/, /Tickers\s+24/, /Calls\s+2/, /Quota\s+48 requests/, /Time\s+about 3 min/, /The first 20 of them/, /T000 2026-11-02\s/, /T003 2026-11-02 failed/, /and 4 more/]) {
      assert.match(words, fact);
    }
    // A double click.
    await startButton(page).evaluate((button) => { button.click(); button.click(); });
    await eventually(() => server.named(TRIGGER).length, 2);
    const { body, headers } = server.named(TRIGGER)[1];
    assert.deepEqual(body, request);
    assert.match(headers["idempotency-key"], /^[0-9a-f]{32}$/);
    assert.equal(decodeURIComponent(new URL(page.url()).hash), `#/runs/${JOB}_key_${headers["idempotency-key"]}`);
    await page.locator("#announcer", { hasText: `${JOB} succeeded` }).waitFor({ state: "attached" });
    assert.equal(server.named(TRIGGER).length, 2);
  });
});

test("today in New York is the last day, whatever the reader's zone", () => visit({
  "GET /status": { ...healthy(), time: "2026-11-27T03:00:00Z" },
}, async (page) => {
  await page.getByRole("button", { name: `Backfill ${JOB}…` }).click();
  assert.equal(await page.inputValue("[name=to]"), "2026-11-26");
  assert.equal(await page.getAttribute("[name=from]", "max"), "2026-11-26");
}, { zone: "Asia/Tokyo" }));

test("a plan is only of what the fields say", () => visit({ [TRIGGER]: planOfPrices() }, async (page, server) => {
  await preview(page);
  await eventually(() => startButton(page).isDisabled(), false);
  await page.fill("[name=reason]", "the plan is the same");
  assert.ok(await startButton(page).isEnabled());
  await page.selectOption("[name=only]", "all");
  assert.ok(await startButton(page).isDisabled());
  assert.equal(await page.locator(".plan").innerText(), "");
  // An answer that comes after the fields have changed is of other days.
  let answer;
  const answered = new Promise((resolve) => { answer = resolve; });
  server.answers[TRIGGER] = async () => { await answered; return planOfPrices(); };
  await press(page, "Preview");
  await dialog(page).getByText("Working out").waitFor();
  await page.fill("[name=from]", "2026-11-03");
  const response = page.waitForResponse(/trigger-job/);
  answer();
  await (await response).finished();
  assert.equal(await page.locator(".plan").innerText(), "");
  assert.ok(await startButton(page).isDisabled());
}));

test("nothing to fill is said, and cannot be started", () => {
  const nothing = { ...planOfPrices({ cells: 0, tickers: 0, calls: 0, quota_requests: 0, minutes: null, holes: [] }), message: "dry run: nothing to fill" };
  return visit({ [TRIGGER]: nothing }, async (page) => {
    await preview(page);
    await dialog(page).getByText("dry run: nothing to fill").waitFor();
    assert.ok(await startButton(page).isDisabled());
    assert.equal(await page.locator(".plan dl").count(), 0);
  });
});

test("without earlier runs nobody knows how long it takes", () => visit({ [TRIGGER]: planOfPrices({ minutes: null }) }, async (page) => {
  await preview(page);
  await dialog(page).getByText("unknown: no earlier runs to judge by").waitFor();
}));

test("a preview that is refused or gets no answer says why, and can be asked for again", () => visit({
  [TRIGGER]: [422, { title: "Invalid request", errors: [{ field: "from", value: "2026-11-02", message: "must not be after to" }] }],
}, async (page, server) => {
  await preview(page);
  await dialog(page).getByText('422 Invalid request: from "2026-11-02" must not be after to').waitFor();
  assert.ok(await startButton(page).isDisabled());
  server.answers[TRIGGER] = RESET;
  await press(page, "Preview");
  await dialog(page).getByText("no connection").waitFor();
  server.answers[TRIGGER] = planOfPrices();
  await press(page, "Preview");
  await eventually(() => startButton(page).isDisabled(), false);
}));

test("a press on Preview while it is worked out asks once", () => visit({ [TRIGGER]: HANG }, async (page, server) => {
  await preview(page);
  await press(page, "Preview");
  await dialog(page).getByText("Working out").waitFor();
  await press(page, "Cancel");
  assert.equal(server.named(TRIGGER).length, 1);
}));

test("a day with holes is filled from its page", () => visit({ [DAY]: dayOfPrices() }, async (page) => {
  await page.getByRole("button", { name: "Fill…" }).click();
  const said = await Promise.all(["job", "from", "to", "only"].map((name) => page.inputValue(`[name=${name}]`)));
  assert.deepEqual(said, [JOB, "2026-11-23", "2026-11-23", "missing"]);
  assert.deepEqual(await page.locator("[name=job] option").allInnerTexts(), [JOB, "tiingo-daily-prices-indices"], "only jobs of this dataset");
}, { path: "/#/coverage/daily_prices/2026-11-23" }));

test("what a day lacks decides what is filled", () => {
  const day = dayOfPrices();
  const only = (name) => ({ ...day, states: [...day.states.filter(({ state }) => state === "stored"), { state: name, count: 1, tickers: ["XYZ"], left_out: 0 }] });
  return visit({ [DAY]: only("empty") }, async (page, server) => {
    await page.getByRole("button", { name: "Fill…" }).click();
    assert.equal(await page.inputValue("[name=only]"), "empty");
    await press(page, "Cancel");
    server.answers[DAY] = only("flagged");
    await page.click("[data-action=refresh]");
    await page.locator(".group-head", { hasText: "flagged" }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Fill…" }).count(), 0, "what is stored lacks nothing");
  }, { path: "/#/coverage/daily_prices/2026-11-23" });
});

test("a dataset whose provider takes no dates has no such button", () => visit({
  "GET /coverage/quotes/2026-11-23": { ...dayOfPrices(), dataset: "quotes" },
}, async (page, server) => {
  await page.locator(".group").first().waitFor();
  await eventually(() => server.named("GET /jobs").length, 1);
  await page.getByRole("button", { name: "Count the documents…" }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Fill…" }).count(), 0);
}, { path: "/#/coverage/quotes/2026-11-23" }));

test("a run for past days shows them, and those of its problems and calls", () => {
  const run = backfillRun();
  return visit(runAnswers(run, backfillCalls()), async (page) => {
    await page.locator(".attempt tbody tr").first().waitFor();
    const main = await page.locator("main").innerText();
    assert.ok(main.includes("For past days: 2025-01-02 to 2026-11-24, only what is missing"), main);
    assert.match(main, /Trigger\s+backfill/);
    const groups = await page.locator(".group-head").allInnerTexts();
    assert.equal(groups.length, 3);
    assert.match(groups[0], /failed\s+2 tickers\s+\/fetch\s+2026-01-02 to 2026-11-24/);
    assert.match(groups[1], /pending\s+3 tickers\s+\/fetch\s+2025-01-02 to 2025-12-31/);
    assert.match(groups[2], /pending\s+2 tickers\s+\/fetch\s+2026-01-02 to 2026-11-24/);
    const calls = await page.locator(".attempt tbody tr td:nth-child(3)").allInnerTexts();
    assert.deepEqual(calls.map((words) => words.split("\n").slice(1).join(" ")), ["2026-01-02 to 2026-11-24", "2025-06-02", ""]);
  }, { path: runAddress(run) });
});

test("what is left of a backfill is requested by another backfill, not by a run of today", () => {
  const run = backfillRun({ run_status: "partial", pending: [] });
  return visit(runAnswers(run), async (page) => {
    const button = page.getByRole("button", { name: "Backfill again…" });
    await button.waitFor();
    assert.equal(await page.getByRole("button", { name: /Rerun/ }).count(), 0);
    await button.click();
    const said = await Promise.all(["job", "from", "to", "only"].map((name) => page.inputValue(`[name=${name}]`)));
    assert.deepEqual(said, [JOB, "2025-01-02", "2026-11-24", "missing"]);
  }, { path: runAddress(run) });
});

test("many days are many groups: the first are shown, and a ticker is found in all of them", () => {
  const day = (at) => new Date(Date.UTC(2026, 0, 1 + at)).toISOString().slice(0, 10);
  const pending = Array.from({ length: 30 }, (_, at) => ({ endpoint: "/fetch", tickers: [`T${at}`], window: { from: day(at), to: day(at) }, reason: "the deadline is near" }));
  const run = backfillRun({ tickers_requested: 30, tickers_failed: [], pending });
  return visit(runAnswers(run), async (page) => {
    await page.getByText("10 more groups pending").waitFor();
    assert.equal(await page.locator(".group:visible").count(), 20);
    await page.fill("[data-find]", "T29");
    await eventually(() => page.locator(".group:visible .tickers li").allInnerTexts(), ["T29"]);
  }, { path: runAddress(run) });
});

test("the lists say which runs are backfills, and which of them the watch has started", () => {
  const of = (id) => backfillRun({ run_id: `${JOB}_${id}`, tickers_failed: [], pending: [], run_status: "succeeded", attempt: 1 });
  const runs = ["key_4711", "heal_2026-11-24", "adjust_2026-11-20_0123456789abcdef"].map(of);
  const status = healthy();
  status.jobs[0].recent_runs.unshift(line(runs[1]).data);
  return visit({ "GET /status": status, "GET /runs": { runs: runs.map(line), next_page_token: null } }, async (page) => {
    await page.locator("#runs tbody tr").first().waitFor();
    const words = ["backfill", "backfill by the watch: holes up to 2026-11-24", "backfill by the watch: prices adjusted on 2026-11-20"];
    assert.deepEqual((await page.locator("#runs tbody td:last-child").allInnerTexts()).map((text) => text.replace(/\s+/g, " ")), words);
    const last = page.locator(`#jobs [data-key=${JOB}] td`).first();
    assert.ok((await last.innerText()).includes(words[1]));
  });
});

for (const [name, more] of [["light", {}], ["dark", { dark: true }], ["a phone", { viewport: PHONE }]]) {
  test(`the dialog, the day and the run are accessible: ${name}`, async () => {
    const run = backfillRun();
    const changes = { [TRIGGER]: planOfPrices(), [DAY]: dayOfPrices(), ...runAnswers(run, backfillCalls()) };
    const check = async (page) => {
      assert.deepEqual(await accessibilityFaults(page), []);
      assert.ok(await overflow(page) <= 0);
    };
    await visit(changes, async (page) => {
      await preview(page);
      await page.locator(".plan dl").waitFor();
      await check(page);
    }, { viewport: DESKTOP, ...more });
    for (const [path, sign] of [["/#/coverage/daily_prices/2026-11-23", "[data-action=backfill]"], [runAddress(run), ".attempt"]]) {
      await visit(changes, async (page) => {
        await page.locator(sign).first().waitFor();
        await check(page);
      }, { viewport: DESKTOP, path, ...more });
    }
  });
}
