// The coverage: the grid of all datasets, and the tickers of one day.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PHONE, eventually } from "./support/browser.js";
import { answers, useBrowser, visit } from "./support/fixture.js";
import { dayOfPrices, jobList } from "./support/world.js";

useBrowser();

const DAY = "GET /coverage/daily_prices/2026-11-23";
const last = (page) => page.locator("#coverage li", { has: page.getByRole("heading", { name: "daily_prices", exact: true }) }).locator(".cell").last();

test("every dataset has a row, each once, with a figure for each session", () => visit({}, async (page) => {
  await eventually(() => page.locator("#coverage .cell").count(), 8 * 30);
  const names = ["daily_prices", "quotes", "finnhub_news", "fundamentals", "earnings", "polygon_news", "market_news", "technical_indicators"];
  assert.deepEqual(await page.locator("#coverage h3").allInnerTexts(), names);
  assert.match(await last(page).innerText(), /^23\s+92/);
  assert.ok((await last(page).getAttribute("class")).includes("warn"));
  const words = "daily_prices, Mon, 23 Nov 2026: 92 % of 508 tickers stored, 21 missing, 3 failed, 12 stale";
  assert.equal(await last(page).getAttribute("title"), words);
}));

test("a click on a session names its tickers", () => visit({ [DAY]: dayOfPrices() }, async (page) => {
  await last(page).click();
  await page.getByRole("heading", { name: "daily_prices, Mon, 23 Nov 2026" }).waitFor();
  await page.locator(".group").first().waitFor();
  assert.deepEqual(await page.locator(".group-head .pill").allInnerTexts(), ["missing", "failed", "stale", "stored"]);
  const failed = await page.locator(".group", { hasText: "the provider reported an error" }).innerText();
  for (const fact of ["3 tickers", "XYZ", "BRK.B", "^GSPC"]) assert.ok(failed.includes(fact), `${fact} in ${failed}`);
  assert.ok(!(await page.getByText("T100", { exact: true }).isVisible()), "what is in order is folded");
  await page.getByText("Show them").click();
  await page.getByText("and 72 more").waitFor();
  assert.equal(await page.title(), "daily_prices · healthy");
}));

test("the documents of a day are counted after a question", () => visit({
  [DAY]: dayOfPrices(),
  [`POST /coverage/daily_prices/2026-11-23/verify`]: { documents: 487, changed: true },
}, async (page, server) => {
  await page.getByRole("button", { name: "Count the documents" }).click();
  await page.locator("#dialog").getByRole("button", { name: "Count" }).click();
  await eventually(() => page.locator("#announcer").innerText(), "487 documents; the coverage was wrong and is corrected.");
  assert.equal(server.named("POST /coverage/daily_prices/2026-11-23/verify").length, 1);
}, { path: "/#/coverage/daily_prices/2026-11-23" }));

test("a day that does not exist says why", () => visit({
  "GET /coverage/daily_prices/2026-11-26": [404, { title: "Not found", detail: "no session on 2026-11-26: Thanksgiving Day" }],
}, async (page) => {
  await page.getByText("no session on 2026-11-26: Thanksgiving Day").waitFor();
}, { path: "/#/coverage/daily_prices/2026-11-26" }));

test("a dataset whose coverage cannot be read says so, and the others are shown", () => visit({
  "GET /coverage": (request) => (request.url.searchParams.get("dataset") === "quotes"
    ? [422, { title: "Invalid request", detail: "dataset `quotes`: is odd" }] : answers()["GET /coverage"](request)),
}, async (page) => {
  await page.locator("#coverage .bad-text", { hasText: "dataset `quotes`: is odd" }).waitFor();
  await eventually(() => page.locator("#coverage .cell").count(), 7 * 30);
}));

test("a fresh service has no sessions, and that is no error", () => visit({
  "GET /jobs": jobList(), "GET /coverage": ({ url }) => ({ dataset: url.searchParams.get("dataset"), sessions: [] }),
}, async (page) => {
  await eventually(() => page.locator("#coverage .quiet", { hasText: "no session yet" }).count(), 8);
}));

test("the grid fits a phone", () => visit({}, async (page) => {
  await eventually(() => page.locator("#coverage .cell").count(), 8 * 30);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
}, { viewport: PHONE }));

test("the coverage is not read at every refresh", () => visit({}, async (page, server) => {
  await eventually(() => server.named("GET /coverage").length, 8);
  const before = server.named("GET /status").length;
  await page.click("[data-action=refresh]");
  await eventually(() => server.named("GET /status").length, before + 1);
  assert.equal(server.named("GET /coverage").length, 8);
}));
