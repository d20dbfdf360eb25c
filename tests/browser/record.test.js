// A record: its fields, its earlier forms, and the ways to it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PHONE, accessibilityFaults, eventually, overflow } from "./support/browser.js";
import { useBrowser, visit } from "./support/fixture.js";
import { dayOfPrices, recordAnswers } from "./support/world.js";

useBrowser();

const ADDRESS = "/#/records/prices_daily/AAPL_2026-11-20";
const RECORD = "GET /records/prices_daily/AAPL_2026-11-20";
const hash = (page) => new URL(page.url()).hash;
const figures = (page) => page.locator(".facts").first().innerText();

test("a record shows its fields, and what each change did to them", () => visit(recordAnswers(), async (page) => {
  await page.locator(".group").first().waitFor();
  assert.equal(await page.title(), "AAPL_2026-11-20 · healthy");
  const fields = await page.locator("section", { hasText: "Now" }).first().innerText();
  for (const fact of ["adj_close", "235.26", "40125300", "restated <after> the dividend"]) assert.ok(fields.includes(fact), `${fact} in ${fields}`);
  assert.match(await figures(page), /prices_daily[\s\S]*Earlier forms\s+2/);
  const changes = await page.locator(".group").allInnerTexts();
  assert.equal(changes.length, 2);
  assert.match(changes[0], /2 fields changed[\s\S]*tiingo-daily-prices_2026-11-24T23:00:00Z[\s\S]*adj_close\s+235\.5\s+235\.26\s+note\s+none\s+restated/);
  assert.match(changes[1], /1 field changed[\s\S]*volume\s+39870000\s+40125300/);
  const run = page.getByRole("link", { name: "tiingo-daily-prices_2026-11-21T23:00:00Z" });
  assert.equal(await run.getAttribute("href"), "#/runs/tiingo-daily-prices_2026-11-21T23%3A00%3A00Z");
}, { path: ADDRESS }));

test("an earlier form is a click away, and so is the present one", () => visit(recordAnswers(), async (page, server) => {
  await page.getByRole("link", { name: "The form before" }).last().click();
  await page.getByRole("link", { name: "Now" }).waitFor();
  await eventually(() => page.locator("[data-key=fields] dl > div", { hasText: "volume" }).innerText().then((text) => text.split(/\s+/)), ["volume", "39870000"]);
  assert.match(await figures(page), /Until[\s\S]*by tiingo-daily-prices_2026-11-21T23:00:00Z/);
  assert.equal(server.named(RECORD).at(-1).url.searchParams.get("as_of"), "2026-11-20T23:00:41.250Z");
  await page.getByRole("link", { name: "Now" }).click();
  await eventually(() => hash(page), "#/records/prices_daily/AAPL_2026-11-20");
  await page.getByRole("heading", { name: "Now" }).waitFor();
}, { path: ADDRESS }));

test("a time that is typed in is in the reader's zone", () => visit(recordAnswers(), async (page, server) => {
  await page.fill("[name=time]", "2026-11-22T10:30");
  await page.getByRole("button", { name: "Show" }).click();
  await page.locator("[data-key=fields] dl > div", { hasText: "40125300" }).waitFor();
  await eventually(() => server.named(RECORD).at(-1).url.searchParams.get("as_of"), "2026-11-22T09:30:00.000Z");
}, { path: ADDRESS, zone: "Europe/Berlin" }));

test("a time before the record was known says so, and the changes are still shown", () => visit(recordAnswers(), async (page) => {
  await page.getByText("No such record then").waitFor();
  await eventually(() => page.locator(".group").count(), 2);
}, { path: `${ADDRESS}?as_of=2026-11-01T00:00:00Z` }));

test("a record that nobody knows is told so, once", () => visit({}, async (page) => {
  await page.getByText("No such record", { exact: true }).waitFor();
  await page.getByText("It has never changed").waitFor();
  assert.equal(await page.locator(".notice.bad").count(), 0);
}, { path: "/#/records/prices_daily/NONE_2026-11-20" }));

test("a collection that does not exist says why", () => visit({
  "GET /records/pricks/AAPL": [422, { title: "Invalid request", detail: "collection `pricks`: holds no records" }],
  "GET /records/pricks/AAPL/revisions": { current: null, revisions: [] },
}, async (page) => {
  await page.getByText("collection `pricks`: holds no records").waitFor();
}, { path: "/#/records/pricks/AAPL" }));

test("prices are found by ticker and day, any record by collection and id", () => visit(recordAnswers(), async (page, server) => {
  await page.getByText("Find a record").click();
  await page.fill("[name=ticker]", " brk/b ");
  await page.fill("[name=day]", "2026-11-20");
  await page.getByRole("button", { name: "Show" }).first().click();
  await eventually(() => server.named("GET /records/prices_daily/BRK%2FB_2026-11-20").length, 1);
  await page.getByRole("link", { name: "← Overview" }).click();
  await page.getByText("Find a record").waitFor();
  if (!(await page.locator("[name=id]").isVisible())) await page.getByText("Find a record").click();
  await page.selectOption("[name=collection]", "prices_daily");
  await page.fill("[name=id]", "AAPL_2026-11-20");
  await page.getByRole("button", { name: "Show" }).last().click();
  await page.locator(".group").first().waitFor();
  assert.equal(hash(page), "#/records/prices_daily/AAPL_2026-11-20");
}));

test("the stored tickers of a day of prices lead to their records", () => visit({
  ...recordAnswers(), "GET /coverage/daily_prices/2026-11-23": dayOfPrices(),
}, async (page) => {
  await page.getByText("Show them").click();
  await eventually(() => page.getByRole("link", { name: "T100", exact: true }).getAttribute("href"), "#/records/prices_daily/T100_2026-11-23");
  assert.equal(await page.locator(".group", { hasText: "the provider reported an error" }).locator(".tickers a").count(), 0);
}, { path: "/#/coverage/daily_prices/2026-11-23" }));

test("the forms that find a record are accessible and fit a phone", () => visit(recordAnswers(), async (page) => {
  await page.getByText("Find a record").click();
  assert.deepEqual(await accessibilityFaults(page), []);
  assert.equal(await overflow(page), 0);
}, { viewport: PHONE }));
