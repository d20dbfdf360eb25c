// What most test files share: one Chromium, mocks that end with their test.

import { after, before } from "node:test";
import { close, launch, open } from "./browser.js";
import { mock } from "./mock.js";
import { coverage, healthy, jobList, line, report } from "./world.js";

let browser;

/** Call once at the top of a test file. */
export function useBrowser() {
  before(async () => { browser = await launch(); });
  after(() => browser?.close());
}

/** Answers of a healthy service with these changes. */
export function answers(changes = {}) {
  const runs = { runs: [report("finnhub-quote-portfolio"), report("tiingo-daily-prices")].map(line), next_page_token: null };
  return { "GET /status": healthy(), "GET /runs": runs, "GET /jobs": jobList(), "GET /coverage": coverage, "GET /orders": { orders: [] }, ...changes };
}

/** Opens the page on a mock with these answers, does `act`, and looks that nothing went wrong in the page. */
export async function visit(changes, act, { path, ...options } = {}) {
  const server = await mock(answers(changes));
  try {
    const page = await open(browser, server.url, path, options);
    await act(page, server);
    await close(page);
  } finally {
    server.close();
  }
}

/** A page on any address. */
export function openPage(base, path, options) {
  return open(browser, base, path, options);
}

/** The answers about one run. */
export function runAnswers(run, calls = { calls: [], truncated: false }) {
  const path = `GET /runs/${run.data.run_id}`;
  return { [path]: run, [`${path}/calls`]: calls };
}

export function runAddress(run) {
  return `/#/runs/${encodeURIComponent(run.data.run_id)}`;
}
