// Screenshots of every state against the mock, to look at: `node support/gallery.js DIRECTORY`.

import { mkdir } from "node:fs/promises";
import { DESKTOP, PHONE, launch, open } from "./browser.js";
import { HANG, RESET, mock } from "./mock.js";
import { disaster, failedCalls, failedRun, shortRun, troubled, waiting, waitingRun } from "./trouble.js";
import { at, backfillCalls, backfillRun, calls, coverage, dayOfPrices, fresh, given, healthy, jobList, line, paused, planOfPrices, recordAnswers, report } from "./world.js";

const directory = process.argv[2] ?? "gallery";
await mkdir(directory, { recursive: true });
const browser = await launch();

const bad = failedRun();
const good = report("finnhub-quote-portfolio");
const runs = { runs: [waitingRun(), bad, good, shortRun(), disaster(), report("polygon-news-market"),
  backfillRun(), backfillRun({ run_id: "tiingo-daily-prices_heal_2026-11-24", run_status: "running", pending: [] })].map(line), next_page_token: "more" };
const world = (status, more = {}) => ({
  "GET /status": status, "GET /orders": given(), "GET /runs": runs, "GET /jobs": jobList(), "GET /coverage": coverage, "GET /coverage/daily_prices/2026-11-23": dayOfPrices(), [`GET /runs/${bad.data.run_id}`]: bad, [`GET /runs/${bad.data.run_id}/calls`]: failedCalls(),
  [`GET /runs/${good.data.run_id}`]: good, [`GET /runs/${good.data.run_id}/calls`]: { calls: calls(120), truncated: true },
  [`GET /runs/${disaster().data.run_id}`]: disaster(), [`GET /runs/${disaster().data.run_id}/calls`]: { calls: [], truncated: false }, ...more,
});
const of = ({ data }) => `/#/runs/${encodeURIComponent(data.run_id)}`;

const order = { by: "ann@example.com", at: at(-30), reason: "started for the wrong day" };
const cancelled = report("finnhub-quote-portfolio", { run_status: "cancelled", cancelled: order, tickers_processed: 3, tickers_pending: 9 }, "cancelled by ann@example.com: started for the wrong day; 3 of 12 tickers processed, 3 records stored; 9 tickers are left");
const stopping = report("finnhub-quote-portfolio", { run_status: "running", cancelled: order, ended_at: undefined });
await shoot("paused", world(paused(paused(healthy(), "tiingo-daily-prices"), "finnhub-quote-portfolio", null)));
for (const [name, run] of [["run-cancelled", cancelled], ["run-stopping", stopping]]) {
  await shoot(name, world(healthy(), { [`GET /runs/${run.data.run_id}`]: run, [`GET /runs/${run.data.run_id}/calls`]: { calls: calls(3), truncated: false } }), of(run));
}
await shoot("dialog-pause", world(healthy()), "/", async (page) => { await page.click("[data-action=pause]"); });
const filled = backfillRun();
await shoot("run-backfill", world(healthy(), { [`GET /runs/${filled.data.run_id}`]: filled, [`GET /runs/${filled.data.run_id}/calls`]: backfillCalls() }), of(filled));
const preview = (answer) => [world(healthy(), { "POST /manual/trigger-job": answer }), "/", async (page) => {
  await page.click("[data-action=backfill]");
  await page.fill("[name=from]", "2026-11-02");
  await page.getByRole("button", { name: "Preview" }).click();
  await page.locator(".plan strong").waitFor();
}];
await shoot("dialog-backfill", ...preview(planOfPrices()));
await shoot("dialog-backfill-refused", ...preview([422, { title: "Invalid request", errors: [{ field: "from", value: "2026-11-02", message: "asks for 2000000 records, limit 1500000: divide the days or the tickers" }] }]));
await shoot("healthy", world(healthy()));
await shoot("troubled", world(troubled()));
await shoot("day", world(healthy()), "/#/coverage/daily_prices/2026-11-23");
await shoot("record", world(healthy(), recordAnswers()), "/#/records/prices_daily/AAPL_2026-11-20");
await shoot("record-then", world(healthy(), recordAnswers()), "/#/records/prices_daily/AAPL_2026-11-20?as_of=2026-11-22T00:00:00Z");
await shoot("record-lookup", world(healthy(), recordAnswers()), "/", async (page) => { await page.getByText("Find a record").click(); });
const repeated = report("tiingo-daily-prices", { tickers_unchanged: 120, records_stored: 430, records_unchanged: 14_702, records_revised: 42 });
await shoot("run-repeated", world(healthy(), { [`GET /runs/${repeated.data.run_id}`]: repeated }), of(repeated));
await shoot("run-failed", world(troubled()), of(bad));
await shoot("run-good", world(healthy()), of(good));
for (const [name, run] of [["run-short", shortRun()], ["run-waiting", waitingRun()]]) {
  await shoot(name, world(waiting(), { [`GET /runs/${run.data.run_id}`]: run, [`GET /runs/${run.data.run_id}/calls`]: { calls: calls(11), truncated: false } }), of(run));
}
await shoot("waiting", world(waiting()));
await shoot("run-500", world(troubled()), of(disaster()));
await shoot("empty", world(fresh(), { "GET /runs": { runs: [], next_page_token: null } }));
await shoot("loading", world(HANG, { "GET /runs": HANG }));
await shoot("unreachable", world(RESET, { "GET /runs": RESET }));
await shoot("signed-out", world([401, {}], { "GET /runs": [401, {}] }));
await shoot("dialog", world(healthy()), "/", async (page) => { await page.click("#run-now"); });
await browser.close();

async function shoot(name, answers, path = "/", act = async () => {}) {
  const server = await mock(answers);
  for (const [kind, options] of [["light", { viewport: DESKTOP }], ["dark", { viewport: DESKTOP, dark: true }], ["phone", { viewport: PHONE }]]) {
    const page = await open(browser, server.url, path, options);
    await page.waitForTimeout(600);
    await act(page);
    await page.screenshot({ path: `${directory}/${name}-${kind}.png`, fullPage: !name.startsWith("dialog") });
    if (page.faults.length) console.log(name, kind, page.faults);
    await page.context().close();
  }
  server.close();
}
