// Chromium, one for each test file, and pages that notice whatever goes wrong on them.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const ARGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** Longest wait for anything on a page; a busy machine needs seconds, never this long. */
export const PATIENCE_MS = 30_000;

const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };

/** Starts Chromium with a profile of its own. */
export function launch() {
  const executablePath = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
  return chromium.launch({ executablePath: executablePath ?? "chromium", headless: true, args: ARGS });
}

/**
 * Opens a page; `page.faults` collects uncaught errors, messages about blocked content and requests to elsewhere.
 *
 * options: viewport, dark, zone, token, motion
 */
export async function open(browser, base, path = "/", options = {}) {
  const context = await browser.newContext({
    viewport: options.viewport ?? DESKTOP,
    colorScheme: options.dark ? "dark" : "light",
    timezoneId: options.zone ?? "Europe/Berlin",
    reducedMotion: options.motion ?? "reduce",
    httpCredentials: options.token ? { username: "operator", password: options.token, send: "always" } : undefined,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(String(error)));
  page.on("console", (message) => {
    if (message.type() !== "error" || /Failed to load resource/.test(message.text())) return;
    page.faults.push(message.text());
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin !== new URL(base).origin && url.protocol !== "data:") page.faults.push(`request to ${url.origin}`);
  });
  await page.goto(base + path);
  return page;
}

/** Fails on faults of the page, then closes it. */
export async function close(page) {
  assert.deepEqual(page.faults, []);
  await page.context().close();
}

/** Waits until `probe` gives what is expected; the last answer is in the error. */
export async function eventually(probe, expected) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const got = await probe();
    try {
      assert.deepEqual(got, expected);
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What axe-core finds: rule and places. Nothing is tolerated, not even what it calls minor. */
export async function accessibilityFaults(page) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  return violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.slice(0, 3).map(({ html }) => html).join(" | ")}`);
}

/** How far the page reaches beyond the right edge of its window, in pixels. */
export function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}
