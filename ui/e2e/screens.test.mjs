// The screens in a real browser against the running demonstration. BINNACLE_URL says where it is.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const url = process.env.BINNACLE_URL ?? "http://127.0.0.1:8080";
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SERVICES = ["frontend", "catalogue", "cart", "orders", "payments", "inventory", "fraud-check", "shipping"];
const PATIENCE = 45_000;

let browser;
const noise = [];

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
});
after(() => browser?.close());

async function open(path, { width = 1440, scheme = "light" } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, bypassCSP: true });
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && noise.push(`${path}: ${message.text()}`));
  page.on("pageerror", (error) => noise.push(`${path}: ${error}`));
  await page.goto(url + path);
  return page;
}

async function violations(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run());
  return found.violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => `${v.id}: ${v.nodes[0]?.html}`);
}

test("every service of the shop is in the table, with numbers", async () => {
  const page = await open("/");
  for (const service of SERVICES) await page.getByRole("link", { name: service, exact: true }).waitFor({ timeout: PATIENCE });
  assert.equal(new URL(page.url()).pathname, "/services");
  const row = page.getByRole("row").filter({ has: page.getByRole("link", { name: "payments", exact: true }) });
  await page.waitForFunction(() => /\d.*\/s/.test(document.body.innerText), null, { timeout: PATIENCE });
  assert.match(await row.innerText(), /Healthy|Degraded|Critical/);
  await page.context().close();
});

test("from a service to a trace to its log lines, by clicks", async () => {
  const page = await open("/services");
  await page.getByRole("link", { name: "payments", exact: true }).click({ timeout: PATIENCE });
  await page.getByRole("heading", { name: "Traces" }).waitFor();
  assert.match(new URL(page.url()).searchParams.get("q"), /payments/);
  await page.getByRole("row").nth(1).getByRole("link").first().click({ timeout: PATIENCE });
  await page.getByRole("listbox").waitFor({ timeout: PATIENCE });
  const rows = await page.getByRole("listbox").getByRole("option").count();
  assert.ok(rows >= 8, `${rows} spans: a payment passes several services`);
  for (const service of ["frontend", "payments", "fraud-check"]) {
    assert.ok((await page.getByRole("listbox").getByRole("option").filter({ hasText: service }).count()) > 0, service);
  }
  await page.getByRole("listitem").filter({ hasText: "payment taken" }).first().waitFor({ timeout: PATIENCE });
  await page.getByRole("listbox").getByRole("option").nth(1).click();
  await page.getByRole("complementary", { name: "Chosen span" }).waitFor();
  await page.context().close();
});

test("a PromQL graph is drawn and its query survives a reload", async () => {
  const page = await open("/explore/metrics");
  await page.locator("canvas").first().waitFor({ timeout: PATIENCE });
  await page.getByLabel("PromQL").fill("up");
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByRole("cell", { name: /up\{/ }).first().waitFor({ timeout: PATIENCE });
  await page.reload();
  assert.equal(await page.getByLabel("PromQL").inputValue(), "up");
  await page.getByLabel("PromQL").fill("sum(");
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByRole("alert").filter({ hasText: "parse error" }).waitFor({ timeout: PATIENCE });
  await page.context().close();
});

test("an unknown value in a link is reported, not dropped", async () => {
  const page = await open("/logs?minutes=soon");
  await page.getByText("minutes=soon").waitFor();
  await page.context().close();
});

for (const width of [1440, 390]) {
  for (const scheme of ["light", "dark"]) {
    test(`no serious accessibility violation at ${width} px, ${scheme}`, async () => {
      for (const path of ["/services", "/traces", "/logs", "/explore/metrics"]) {
        const page = await open(path, { width, scheme });
        await page.locator("table, .logs").first().waitFor({ timeout: PATIENCE });
        assert.deepEqual(await violations(page), [], path);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(overflow <= 0, `${path} is ${overflow} px too wide`);
        const cut = await page.evaluate(() => Math.max(0, ...[...document.querySelectorAll(".scroll")].map((box) => box.scrollWidth - box.clientWidth)));
        if (path === "/services") assert.ok(cut <= 0, `the table of services is cut by ${cut} px`);
        if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}${path.slice(1).replaceAll("/", "-")}-${width}-${scheme}.png` });
        await page.context().close();
      }
    });
  }
}

test("the browser's console stayed quiet", () => {
  // A refused query answers 400, which the browser notes by itself.
  assert.deepEqual(noise.filter((line) => !line.includes("400 (Bad Request)")), []);
});
