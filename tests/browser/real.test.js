// The dashboard that the component serves, beside simulated providers and the real emulator.
//
// `cargo xtask browser` starts that system, with a run that waits to be resumed, and names it in DASHBOARD_URL; where a
// token is needed, in DASHBOARD_TOKEN.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { DESKTOP, PHONE, accessibilityFaults, close, eventually, launch, open, overflow } from "./support/browser.js";
import { HOME, POLICY } from "./support/mock.js";

const base = process.env.DASHBOARD_URL;
const token = process.env.DASHBOARD_TOKEN;
const options = { skip: base ? false : "DASHBOARD_URL is not set: `cargo xtask browser` sets it" };

const headers = token ? { Authorization: `Basic ${Buffer.from(`operator:${token}`).toString("base64")}` } : {};

let browser;
before(async () => { if (base) browser = await launch(); });
after(() => browser?.close());

async function api(path) {
  const response = await fetch(base + path, { headers });
  assert.equal(response.status, 200, path);
  return response.json();
}

async function visit(path, act, more = {}) {
  const page = await open(browser, base, path, { token, ...more });
  await act(page);
  await close(page);
}

const runAddress = (id) => `/#/runs/${encodeURIComponent(id)}`;
const status = (page) => page.locator("h2 .pill").innerText();

async function failedRun() {
  const { runs } = await api("/runs?status=failed");
  return runs[0].data.run_id;
}

test("the component serves exactly these files, under the policy that the mock has", options, async () => {
  const names = (await readdir(HOME, { recursive: true })).filter((name) => name.includes("."));
  for (const name of names) {
    const path = name === "index.html" ? "/" : `/assets/${name}`;
    const response = await fetch(base + path, { headers });
    assert.equal(response.status, 200, path);
    assert.equal(await response.text(), await readFile(new URL(name, HOME), "utf8"), path);
  }
  const policy = (await fetch(`${base}/`, { headers })).headers.get("Content-Security-Policy");
  const directives = (text) => text.split(";").map((part) => part.trim()).filter(Boolean).sort();
  assert.deepEqual(directives(policy), directives(POLICY));
});

test("nobody sees the page's figures without the token", { ...options, skip: options.skip || !token }, async () => {
  for (const path of ["/status", "/runs"]) {
    const response = await fetch(base + path);
    assert.equal(response.status, 401, path);
  }
});

test("services, jobs and alerts are those of the status", options, () => visit("/", async (page) => {
  await page.locator("#jobs tbody tr").first().waitFor();
  const { services, jobs, alerts, firestore } = await api("/status");
  assert.equal(services.length, 4);
  assert.equal(jobs.length, 11);
  const pills = async (name) => page.locator(`[data-provider=${name}] .pill`).allInnerTexts();
  for (const { provider, healthy, breaker } of services) {
    assert.deepEqual(await pills(provider), [healthy === null ? "unknown" : healthy ? "healthy" : "unhealthy", breaker.position.replace("_", " ")], provider);
  }
  assert.deepEqual(await pills("firestore"), [firestore.reachable ? "reachable" : "unreachable"]);
  assert.deepEqual(await page.locator("#jobs tbody .name").allInnerTexts(), jobs.map(({ job }) => job));
  for (const job of jobs) {
    const row = page.locator(`#jobs [data-key=${job.job}]`);
    const [last] = job.recent_runs;
    const percent = job.success_percent === null ? "–" : job.success_percent === 100 ? "100 %" : `${job.success_percent.toFixed(1)} %`;
    assert.equal(await row.locator(".big").innerText(), percent, job.job);
    assert.equal(await row.locator("td").first().locator(".pill").allInnerTexts().then(([word]) => word), last?.run_status, job.job);
    assert.equal(await row.locator(".sparkline .bar").count(), job.recent_runs.length, job.job);
    assert.equal(await row.locator("time").and(row.locator(`[datetime="${job.next_run_time}"]`)).count(), 2, job.job);
    assert.equal(await row.locator(".overdue").count(), job.overdue ? 1 : 0, job.job);
  }
  const shown = await page.locator(".alert-head strong").allInnerTexts();
  assert.deepEqual(shown.sort(), alerts.map(({ alert }) => alert).sort());
  const words = await page.locator("#alerts").innerText();
  for (const { message } of alerts) assert.ok(words.includes(message), message);
  const breaker = page.locator(".alert", { hasText: "BreakerOpen" });
  await breaker.getByText(/^20 pending of 20: /).waitFor();
  assert.match(await breaker.innerText(), /failed run of polygon-news-portfolio started/);
}));

test("the runs are those of the ledger, filtered and unfiltered", options, () => visit("/", async (page) => {
  const shown = () => page.locator("#runs tbody tr").evaluateAll((rows) => rows.map((row) => [
    row.getAttribute("data-key"), row.querySelector(".name").textContent, row.querySelector(".pill").textContent,
  ]));
  const listed = async (query) => (await api(`/runs${query}`)).runs.map(({ job, data }) => [data.run_id, job, data.run_status]);
  await eventually(shown, await listed(""));
  await page.selectOption("[data-filter=status]", "partial");
  const partial = await listed("?status=partial");
  assert.equal(partial.length, 1);
  await eventually(shown, partial);
}));

test("a failed run says which tickers failed and why, and lists its calls", options, async () => {
  const id = await failedRun();
  const { data } = await api(`/runs/${encodeURIComponent(id)}`);
  const { calls } = await api(`/runs/${encodeURIComponent(id)}/calls`);
  assert.ok(calls.length > 0);
  await visit(runAddress(id), async (page) => {
    await page.locator(".attempt").waitFor();
    assert.equal(await status(page), "failed");
    const unfinished = new Set([...data.tickers_failed.map(({ ticker }) => ticker), ...data.pending.flatMap(({ tickers }) => tickers)]);
    assert.deepEqual(new Set(await page.locator(".tickers li").allTextContents()), unfinished);
    await page.locator(".message", { hasText: "503: upstream provider is in maintenance" }).waitFor();
    assert.deepEqual((await page.locator(".log code").allInnerTexts()).sort(), calls.map(({ log_id: log }) => log).sort());
  });
});

for (const [name, more] of [["light", {}], ["dark", { dark: true }], ["a phone", { viewport: PHONE }]]) {
  test(`no accessibility fault on the real pages: ${name}`, options, async () => {
    for (const [path, sign] of [["/", "#runs tbody tr"], [runAddress(await failedRun()), ".attempt"]]) {
      await visit(path, async (page) => {
        await page.locator(sign).first().waitFor();
        await page.waitForLoadState("networkidle");
        assert.deepEqual(await accessibilityFaults(page), [], path);
        assert.ok(await overflow(page) <= 0, path);
      }, { viewport: DESKTOP, ...more });
    }
  });
}

test("a job is triggered and watched to its end", options, () => visit("/", async (page) => {
  await page.locator("[data-action=run-now][data-job=alpha-vantage-technical-indicators]").click();
  await page.fill("[name=tickers]", "AAA BBB CCC DDD EEE FFF GGG HHH III JJJ");
  await page.getByRole("button", { name: "Continue…" }).click();
  await page.getByRole("button", { name: "Run now", exact: true }).click();
  await eventually(() => status(page), "running");
  await eventually(() => status(page), "succeeded");
  const id = decodeURIComponent(new URL(page.url()).hash.slice("#/runs/".length));
  const { data, message } = await api(`/runs/${encodeURIComponent(id)}`);
  assert.deepEqual([data.trigger, data.run_status, data.tickers_requested], ["manual", "succeeded", 10]);
  await eventually(() => page.locator(".message").innerText(), message);
  const { calls } = await api(`/runs/${encodeURIComponent(id)}/calls`);
  await eventually(() => page.locator(".attempt tbody tr").count(), calls.length);
}));

test("past days are previewed and requested, and then there is nothing left to fill", options, async () => {
  const job = "tiingo-daily-prices-indices";
  // Older than what its runs bring by themselves.
  const ago = (count) => new Date(Date.now() - count * 86_400_000).toISOString().slice(0, 10);
  const [from, to] = [ago(40), ago(30)];
  const preview = async (page) => {
    await page.locator(`[data-action=backfill][data-job=${job}]`).click();
    await page.fill("[name=from]", from);
    await page.fill("[name=to]", to);
    await page.getByRole("button", { name: "Preview" }).click();
    return page.locator(".plan strong").innerText();
  };
  await visit("/", async (page) => {
    assert.match(await preview(page), /^dry run: \d+ records of \d+ tickers would be requested with 1 call/);
    assert.ok(await page.locator(".plan .tickers li").count() > 0);
    await page.fill("[name=reason]", "a test");
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await eventually(() => status(page), "succeeded");
    await page.getByText(`For past days: ${from} to ${to}`).waitFor();
    const id = decodeURIComponent(new URL(page.url()).hash.slice("#/runs/".length));
    const { data } = await api(`/runs/${encodeURIComponent(id)}`);
    assert.deepEqual([data.trigger, data.backfill.from, data.backfill.to, data.backfill.only], ["backfill", from, to, "missing"]);
    assert.ok(data.records_stored > 0);
    const { calls: [call] } = await api(`/runs/${encodeURIComponent(id)}/calls`);
    await page.locator(".attempt tbody .sub", { hasText: `${call.window.from} to ${call.window.to}` }).waitFor();
    const { orders: [order] } = await api("/orders?limit=1");
    assert.deepEqual([order.what, order.subject, order.why], ["backfill", id, "a test"]);
  });
  await visit("/", async (page) => {
    assert.equal(await preview(page), "dry run: nothing to fill");
    assert.ok(await page.getByRole("button", { name: "Start", exact: true }).isDisabled());
  });
});

test("an open breaker is closed by hand, then the failed run is resumed to its end", options, async () => {
  const id = await failedRun();
  await visit("/", async (page) => {
    const card = page.locator("[data-provider=polygon]");
    await card.getByText("open", { exact: true }).waitFor();
    await card.getByRole("button", { name: "Reset breaker…" }).click();
    await page.getByRole("button", { name: "Close the breaker" }).click();
    await card.getByText("closed", { exact: true }).waitFor();
  });
  await visit(runAddress(id), async (page) => {
    await page.getByRole("button", { name: "Resume…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
    await eventually(() => status(page), "succeeded");
    await page.getByText("Nothing failed or pending.").waitFor();
  });
  const { data } = await api(`/runs/${encodeURIComponent(id)}`);
  assert.deepEqual([data.run_status, data.attempt, data.tickers_pending], ["succeeded", 2, 0]);
});
