// The README's pictures, of the real component: `cargo xtask browser --screenshots DIRECTORY`.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PHONE, close, launch, open } from "./browser.js";

const [directory] = process.argv.slice(2);
const { DASHBOARD_URL: base, DASHBOARD_TOKEN: token } = process.env;
const WIDE = { width: 1280, height: 1000 };

await mkdir(directory, { recursive: true });
const browser = await launch();
await shoot("dashboard-light", "/", { viewport: WIDE });
await shoot("dashboard-dark", "/", { viewport: WIDE, dark: true });
await shoot("dashboard-phone", "/", { viewport: PHONE });
await shoot("dashboard-run", await failedRun(), { viewport: WIDE });
await browser.close();

async function failedRun() {
  const page = await open(browser, base, "/#/?status=failed", { token });
  const path = await page.locator("#runs tbody a").first().getAttribute("href");
  await close(page);
  return `/${path}`;
}

async function shoot(name, path, options) {
  const page = await open(browser, base, path, { token, ...options });
  await page.locator("#runs tbody tr, .attempt").first().waitFor();
  await page.waitForLoadState("networkidle");
  await page.screenshot({ path: join(directory, `${name}.png`) });
  await close(page);
}
