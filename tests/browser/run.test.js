// One run's page, and the orders that a reader gives, against scripted answers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessibilityFaults, eventually } from "./support/browser.js";
import { runAddress, runAnswers, useBrowser, visit } from "./support/fixture.js";
import { RESET } from "./support/mock.js";
import { disaster, failedCalls, failedRun, shortRun, waitingRun } from "./support/trouble.js";
import { at, calls, report } from "./support/world.js";

useBrowser();

const JOB = "finnhub-quote-portfolio";
const status = (page) => page.locator("h2 .pill").innerText();

test("a failed run shows its counts, its tickers by reason, and its calls by attempt", () => {
  const run = failedRun();
  return visit(runAnswers(run, failedCalls()), async (page) => {
    await page.locator(".attempt").first().waitFor();
    const main = await page.locator("main").innerText();
    for (const fact of [run.message, "456 stored", "12 failed", "40 pending", "of 508 tickers", "20, 9 retries", run.data.run_id,
      run.data.trace_id, "in maintenance until 20:00", "tiingo_daily_records 456"]) {
      assert.ok(main.includes(fact), `${fact} in ${main}`);
    }
    const groups = await page.locator(".group").allInnerTexts();
    assert.equal(groups.length, 2);
    assert.match(groups[0], /failed\s+12 tickers\s+\/fetch\s+refused[\s\S]*symbol not found[\s\S]*T011/);
    assert.match(groups[1], /pending\s+40 tickers[\s\S]*503: upstream[\s\S]*T139/);
    const attempts = await page.locator(".attempt-head").allInnerTexts();
    assert.deepEqual(attempts, ["Attempt 2: 6 calls in 20.9 s, 6 with problems", "Attempt 1: 14 calls in 3.5 s, 1 with problems"]);
    const logs = await page.locator(".log code").allInnerTexts();
    assert.deepEqual(logs.sort(), failedCalls().calls.map(({ log_id: id }) => id).sort());
  }, { path: runAddress(run) });
});

test("each outcome has its share of the bar, its count and its tickers by reason", () => {
  const run = shortRun();
  return visit(runAnswers(run), async (page) => {
    await page.locator(".group").first().waitFor();
    assert.deepEqual(await page.locator(".progress .key").allInnerTexts(), ["391 stored", "14 empty", "75 stale", "6 failed", "25 deferred"]);
    assert.equal(await page.locator(".progress rect").count(), 5);
    const groups = await page.locator(".group").evaluateAll((all) => all.map((group) => [
      group.querySelector(".pill").textContent, group.querySelector("strong").textContent, group.querySelector(".reason").textContent.slice(0, 28),
    ]));
    assert.deepEqual(groups, [
      ["failed", "6 tickers", "symbol not found"], ["empty", "14 tickers", "the provider returned no rec"], ["stale", "70 tickers", "newest record is dated 2026-"],
      ["stale", "2 tickers", "newest record is dated 2025-"], ["deferred", "25 tickers", "the provider's quota is used"],
    ]);
    await page.getByText("3 more tickers stale: the report has no room for them.").waitFor();
    assert.match(await page.locator(".tiles").innerText(), /Records flagged\s+12/);
    await page.fill("[data-find]", "t290");
    await eventually(() => page.locator(".tickers li").allInnerTexts(), ["T290"]);
  }, { path: runAddress(run) });
});

test("what came again unchanged and what was revised is told", () => {
  const change = { tickers_unchanged: 40, records_stored: 61, records_unchanged: 1439, records_revised: 51 };
  const run = report(JOB, change);
  return visit(runAnswers(run), async (page) => {
    await page.locator(".progress").waitFor();
    assert.deepEqual(await page.locator(".progress .key").allInnerTexts(), ["10 stored", "40 unchanged"]);
    assert.match(await page.locator(".tiles").innerText(), /Records stored\s+61\s+Records unchanged\s+1,439\s+Records revised\s+51/);
    await page.getByText("1,214 read, 1,050 written").waitFor();
    assert.deepEqual(await accessibilityFaults(page), []);
  }, { path: runAddress(run) });
});

test("a run that waits for its data says why, until when, and that resuming it does not wait", () => {
  const run = waitingRun();
  return visit(runAnswers(run), async (page, server) => {
    await page.locator(".notice").waitFor();
    assert.equal(await status(page), "waiting");
    const words = await page.locator(".notice").innerText();
    for (const fact of [run.data.stopped, /leave the provider alone until .* in 1\d min/, "Resume requests it immediately"]) {
      assert.ok(fact instanceof RegExp ? fact.test(words) : words.includes(fact), `${fact} in ${words}`);
    }
    assert.match(await page.locator(".group").innerText(), /pending\s+300 tickers[\s\S]*not published yet/);
    assert.ok(await page.getByRole("button", { name: "Resume…" }).isVisible());
    server.answers[`GET /runs/${run.data.run_id}`] = { ...run, data: { ...run.data, waits_until: at(-60) } };
    await page.click("[data-action=refresh]");
    await page.getByText("It has been due since").waitFor();
  }, { path: runAddress(run) });
});

test("500 failed tickers are a few groups, and any of them can be found", () => {
  const run = disaster();
  return visit(runAnswers(run), async (page) => {
    await page.locator(".group").first().waitFor();
    assert.deepEqual(await page.locator(".group strong").allInnerTexts(), ["420 tickers", "70 tickers", "10 tickers"]);
    assert.equal(await page.locator(".tickers li:visible").count(), 60 + 60 + 10);
    assert.equal(await page.locator(".tickers li").count(), 500);
    await page.fill("[data-find]", " t467 ");
    await eventually(() => page.locator(".tickers li").allInnerTexts(), ["T467"]);
    assert.match(await page.locator(".group").innerText(), /symbol not found/);
  }, { path: runAddress(run) });
});

test("of many calls the failed ones and the first are shown, all on demand", () => {
  const run = report(JOB);
  const made = calls(400, (index) => (index === 399 ? { status_code: 500, error: "broken" } : {}));
  return visit(runAnswers(run, { calls: made, truncated: true }), async (page) => {
    await page.locator(".attempt").waitFor();
    assert.equal(await page.locator(".attempt tbody tr").count(), 51);
    await page.getByText("The first 400 calls; the run made more.").waitFor();
    await page.getByRole("button", { name: "Show all 400 calls" }).click();
    assert.equal(await page.locator(".attempt tbody tr").count(), 400);
  }, { path: runAddress(run) });
});

test("a run that nobody knows is told so", () => visit({}, async (page) => {
  await page.getByText("Run not found").waitFor();
}, { path: "/#/runs/nobody%3Aknows" }));

test("a run cannot be resumed unless it failed", () => visit(runAnswers(report(JOB)), async (page) => {
  await page.locator(".message").waitFor();
  assert.equal(await page.getByRole("button", { name: "Resume…" }).count(), 0);
}, { path: runAddress(report(JOB)) }));

test("a failed run is resumed after a confirmation and watched to its end", () => {
  const run = failedRun();
  const path = `/runs/${run.data.run_id}`;
  let end;
  const ended = new Promise((resolve) => { end = resolve; });
  return visit({ ...runAnswers(run), [`POST ${path}/resume`]: async () => { await ended; return report("tiingo-daily-prices"); } }, async (page, server) => {
    await page.getByRole("button", { name: "Resume…" }).click();
    assert.equal(server.named(`POST ${path}/resume`).length, 0);
    await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
    await eventually(() => server.named(`POST ${path}/resume`).length, 1);
    server.answers[`GET ${path}`] = report("tiingo-daily-prices", { run_status: "running", attempt: 3, ended_at: undefined });
    await eventually(() => status(page), "running");
    server.answers[`GET ${path}`] = report("tiingo-daily-prices", { attempt: 3 });
    end();
    await eventually(() => status(page), "succeeded");
    await page.getByText("Nothing failed or pending.").waitFor();
    assert.equal(server.named(`POST ${path}/resume`).length, 1);
  }, { path: runAddress(run) });
});

test("a resume that is refused says why", () => {
  const run = failedRun();
  const refusal = [409, { title: "Conflict", detail: "the run is running elsewhere" }];
  return visit({ ...runAnswers(run), [`POST /runs/${run.data.run_id}/resume`]: refusal }, async (page) => {
    await page.getByRole("button", { name: "Resume…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
    await page.getByText("409 Conflict: the run is running elsewhere").waitFor();
  }, { path: runAddress(run) });
});

/** Fills the form in and confirms it. */
async function order(page, { scope, tickers } = {}) {
  await page.locator(`[data-action=run-now][data-job=${JOB}]`).click();
  if (scope) await page.selectOption("[name=scope]", scope);
  if (tickers) await page.fill("[name=tickers]", tickers);
  await page.getByRole("button", { name: "Continue…" }).click();
}

test("a job is run with scope and tickers, and watched from before its entry exists", () => {
  let end;
  const ended = new Promise((resolve) => { end = resolve; });
  return visit({ "POST /manual/trigger-job": async () => { await ended; return report(JOB); } }, async (page, server) => {
    await order(page, { scope: "active_symbols", tickers: "aapl, msft\nBRK.B aapl" });
    const question = await page.getByRole("dialog").innerText();
    assert.match(question, /Run finnhub-quote-portfolio\?[\s\S]*3 tickers: AAPL, MSFT, BRK\.B/);
    assert.equal(server.named("POST /manual/trigger-job").length, 0);
    await page.getByRole("button", { name: "Run now", exact: true }).click();
    await page.getByText("Starting…").waitFor();
    const [{ headers, body }] = server.named("POST /manual/trigger-job");
    assert.deepEqual(body, { job: JOB, scope: "active_symbols", tickers: ["AAPL", "MSFT", "BRK.B"] });
    const id = `${JOB}_key_${headers["idempotency-key"]}`;
    assert.equal(decodeURIComponent(new URL(page.url()).hash), `#/runs/${id}`);
    Object.assign(server.answers, runAnswers(report(JOB, { run_id: id, run_status: "running", ended_at: undefined, tickers_requested: 3 })));
    await eventually(() => status(page), "running");
    Object.assign(server.answers, runAnswers(report(JOB, { run_id: id, tickers_requested: 3 })));
    end();
    await eventually(() => status(page), "succeeded");
    await page.locator("#announcer", { hasText: `${JOB} succeeded` }).waitFor({ state: "attached" });
  });
});

test("a job is run as it is when nothing else is asked for", () => visit({ "POST /manual/trigger-job": report(JOB) }, async (page, server) => {
  await order(page);
  await page.getByRole("button", { name: "Run now", exact: true }).click();
  await eventually(() => server.named("POST /manual/trigger-job").length, 1);
  assert.deepEqual(server.named("POST /manual/trigger-job")[0].body, { job: JOB });
}));

test("what is no ticker is not sent", () => visit({}, async (page, server) => {
  await order(page, { tickers: "AAPL, <script>" });
  assert.equal(await page.locator("#tickers-note").innerText(), "not tickers: <SCRIPT>");
  assert.ok(await page.getByRole("dialog").getByText("Run a job now").isVisible());
  assert.equal(server.named("POST /manual/trigger-job").length, 0);
}));

test("a run that was refused says why", () => visit(
  { "POST /manual/trigger-job": [422, { title: "Invalid", errors: [{ field: "tickers", value: "X", message: "is unknown" }] }] },
  async (page) => {
    await order(page);
    await page.getByRole("button", { name: "Run now", exact: true }).click();
    await page.getByText("The run was not started").waitFor();
    await page.getByText('422 Invalid: tickers "X" is unknown').waitFor();
  },
));

test("a run that failed is an answer like any other, and a lost connection is told beside the run", () => visit({ "POST /manual/trigger-job": RESET }, async (page, server) => {
  const answer = server.answers;
  const run = failedRun();
  answer["POST /manual/trigger-job"] = ({ headers }) => {
    Object.assign(answer, runAnswers({ ...run, data: { ...run.data, run_id: `${JOB}_key_${headers["idempotency-key"]}` } }));
    return [503, run];
  };
  await order(page);
  await page.getByRole("button", { name: "Run now", exact: true }).click();
  await eventually(() => status(page), "failed");
  assert.equal(await page.locator(".notice").count(), 0);
  answer["POST /manual/trigger-job"] = ({ headers }) => {
    Object.assign(answer, runAnswers(report(JOB, { run_id: `${JOB}_key_${headers["idempotency-key"]}` })));
    return RESET;
  };
  await page.getByText("← All runs").click();
  await order(page);
  await page.getByRole("button", { name: "Run now", exact: true }).click();
  await page.getByText("No response for this run").waitFor();
  assert.equal(await status(page), "succeeded");
}));

test("the failed tickers of a partial run can be run again", () => {
  const failed = ["AAPL", "BRK.B"].map((ticker) => ({ ticker, endpoint: "/fetch", reason: "symbol not found" }));
  const run = report(JOB, { run_status: "partial", tickers_failed: [...failed, failed[0]] });
  return visit(runAnswers(run), async (page) => {
    await page.getByRole("button", { name: "Rerun failed tickers…" }).click();
    assert.equal(await page.inputValue("[name=job]"), JOB);
    assert.equal(await page.inputValue("[name=tickers]"), "AAPL, BRK.B");
  }, { path: runAddress(run) });
});

test("empty and stale tickers can be run again with the failed ones, deferred ones cannot", () => {
  const short = (ticker, outcome) => ({ ticker, endpoint: "/fetch", outcome, reason: "no data" });
  const run = report(JOB, {
    run_status: "partial", tickers_failed: [{ ticker: "AAPL", endpoint: "/fetch", reason: "symbol not found" }],
    tickers_empty: [short("MSFT", "empty")], tickers_stale: [short("BRK.B", "stale")], tickers_deferred: [short("TSLA", "deferred")],
  });
  return visit(runAnswers(run), async (page) => {
    await page.getByRole("button", { name: "Rerun incomplete tickers…" }).click();
    assert.equal(await page.inputValue("[name=tickers]"), "AAPL, MSFT, BRK.B");
  }, { path: runAddress(run) });
});
