// Alerts from a rule's first draft to its resolved incident, with scripts and without.

import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { publish } from "./publisher.ts";
import { expect, Server, test } from "./server.ts";

// A server of its own: what fires here would stand on every other spec's pages.
let server: Server;
test.beforeAll(async () => {
  test.setTimeout(90_000);
  server = await Server.start();
});
test.afterAll(() => server.stop());

/** Publishes until the returned function is called: more than one event a second. */
function traffic(): () => Promise<void> {
  let going = true;
  const done = (async () => {
    for (let turn = 0; going; turn++) {
      const stage = [{ stage: "working", progress: turn % 100 }];
      await Promise.all(Array.from({ length: 10 }, (_, one) => publish(server.url, `busy-${one}`, stage)));
      await new Promise((again) => setTimeout(again, 500));
    }
  })();
  return async () => {
    going = false;
    await done;
  };
}

/** As a person does: with scripts off nothing happens by itself. */
async function until(page: Page, path: string, seen: () => Promise<void>, within = 90_000) {
  await expect(async () => {
    await page.goto(server.url + path);
    await seen();
  }).toPass({ timeout: within, intervals: [1_000] });
}

/** Describes a rule on the page for a new one. */
async function describe(page: Page, name: string) {
  await page.goto(`${server.url}/alerts/rules/new`);
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Metric", { exact: true }).selectOption("published");
  await page.getByLabel("Threshold", { exact: true }).first().fill("1");
  await page.getByLabel("Duration", { exact: true }).selectOption("10s");
  await page.getByLabel("Severity", { exact: true }).selectOption("critical");
  await page.getByLabel("Test", { exact: true }).selectOption("literal");
}

test("a rule is drafted, tested, saved, fires, and its incident is taken care of", async ({ page, javaScriptEnabled }) => {
  test.setTimeout(240_000);
  const problems: string[] = [];
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  const name = javaScriptEnabled ? "Busy_With_Scripts" : "Busy_Without_Scripts";

  // From the beginning: the rule then has what it fires for as soon as it is saved.
  const stop = traffic();
  try {
    await describe(page, name);
    if (!javaScriptEnabled) await page.getByRole("button", { name: "Backtest" }).first().click();
    await expect(page.getByText(/^Would (not )?have fired/).first()).toBeVisible();
    await expect(page.getByText("condition: published > 1")).toBeVisible();
    await page.getByRole("button", { name: "Create the rule" }).click();
    await expect(page).toHaveURL(new RegExp("/alerts/rules"));
    await page.goto(`${server.url}/alerts/rules/${name}`);
    await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
    await expect(page.getByText("version 1", { exact: true })).toBeVisible();

    const row = page.getByRole("article", { name: /Events published is above 1|published/i });
    await until(page, "/alerts", () => expect(row.getByText("Firing")).toBeVisible({ timeout: 500 }));
    await expect(page).toHaveTitle(/^\(\d+\) Alerts/);
    await expect(page.getByRole("link", { name: /^Alerts\s*\d+ firing$/ })).toBeVisible();
    await row.getByRole("button", { name: /^Acknowledge/ }).click();
    await expect(row.getByText("has acknowledged it")).toBeVisible();

    await row.getByRole("heading").getByRole("link").click();
    await expect(page.getByRole("heading", { level: 1 })).toContainText("above 1 for");
    await page.getByLabel("Note").first().fill("It is the browser test.");
    await page.getByRole("button", { name: "Add note" }).click();
    await expect(page.getByRole("listitem").filter({ hasText: "It is the browser test." })).toBeVisible();

    await page.locator("summary", { hasText: "Silence…" }).click();
    await page.getByLabel("Reason").fill("tested enough");
    await page.getByRole("button", { name: "Silence", exact: true }).click();
    await until(page, "/alerts/silences", () => expect(page.getByRole("row", { name: new RegExp(name) }).first()).toContainText("tested enough"));
  } finally {
    await stop();
  }

  await until(page, `/alerts/history?rule=${name}`, () => expect(page.getByRole("row", { name: /#\d+/ })).toBeVisible({ timeout: 500 }));
  const resolved = page.getByRole("row", { name: /#\d+/ }).getByText("Resolved");
  await page.getByRole("row", { name: /#\d+/ }).getByRole("link").first().click();
  const incident = new URL(page.url()).pathname;
  if (await page.locator("summary", { hasText: "Resolve…" }).isVisible()) {
    await page.locator("summary", { hasText: "Resolve…" }).click();
    await page.getByRole("button", { name: "Resolve now" }).click();
  }
  await until(page, `/alerts/history?rule=${name}`, () => expect(resolved).toBeVisible({ timeout: 500 }));
  await page.getByRole("button", { name: "Expected" }).first().click();
  await expect(page.getByRole("button", { name: "Expected", pressed: true })).toBeVisible();

  await page.goto(server.url + incident);
  for (const said of ["Firing, critical", "acknowledged", "It is the browser test.", "judged it"]) {
    await expect(page.getByRole("listitem").filter({ hasText: said }).first()).toBeVisible();
  }
  expect(problems).toEqual([]);
});

test("a faulty draft says what is allowed, and saves nothing", async ({ page, javaScriptEnabled }) => {
  await describe(page, "Faulty");
  await page.getByLabel("Threshold", { exact: true }).first().fill("1 %");
  if (!javaScriptEnabled) await page.getByRole("button", { name: "Backtest" }).first().click();
  await expect(page.getByRole("alert").filter({ hasText: "cannot be saved yet" })).toBeVisible();
  await expect(page.getByText("does not fit `published`").first()).toBeVisible();
});

test("maintenance is planned and removed", async ({ page }) => {
  await page.goto(`${server.url}/alerts/silences`);
  const once = page.locator("details", { hasText: "Once" }).first();
  await once.getByLabel("Reason").fill("move of the database");
  await once.getByRole("button", { name: "Plan it" }).click();
  const row = page.getByRole("row", { name: /move of the database/ });
  await expect(row.first()).toBeVisible();
  await row.first().getByRole("button", { name: /End now|Remove/ }).click();
  await expect(row.getByRole("button")).toHaveCount(0);
});

test("an edit is kept with who, old and new, and can be taken back", async ({ page }) => {
  await page.goto(`${server.url}/alerts/rules/SSE_High_Latency`);
  const threshold = page.getByLabel("Threshold", { exact: true }).first();
  const before = await threshold.inputValue();
  const raised = before === "500" ? "600" : "650";
  await threshold.fill(raised);
  await page.getByRole("button", { name: /^Save version/ }).click();
  await page.goto(`${server.url}/alerts/rules/SSE_High_Latency`);
  await expect(threshold).toHaveValue(raised);
  await expect(page.getByRole("listitem").filter({ hasText: `avg_latency > ${raised}` }).first()).toBeVisible();
  await page.getByRole("button", { name: /^Restore version/ }).first().click();
  await page.goto(`${server.url}/alerts/rules/SSE_High_Latency`);
  await expect(threshold).toHaveValue(before);
});

test("what is quiet stays under the pointer, and what is typed stays typed", async ({ page, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled);
  await page.goto(`${server.url}/alerts/silences`);
  await page.getByLabel("Reason").first().fill("half a sentence");
  await page.waitForResponse((answer) => answer.url() === page.url());
  await page.waitForResponse((answer) => answer.url() === page.url());
  await expect(page.getByLabel("Reason").first()).toHaveValue("half a sentence");
  await expect(page.locator("[data-live]")).toContainText("live");
});

test("the page says that the connection is cut", async ({ page, javaScriptEnabled, context }) => {
  test.skip(!javaScriptEnabled);
  await page.clock.install();
  await page.goto(`${server.url}/alerts`);
  await expect(page.locator("[data-live]")).toContainText("live");
  await context.setOffline(true);
  await page.clock.runFor(30_000);
  await expect(page.locator("[data-live]")).toContainText("stale");
  await context.setOffline(false);
  await page.clock.runFor(10_000);
  await expect(page.locator("[data-live]")).toContainText("live");
});

const PATHS = ["/alerts", "/alerts/history", "/alerts/rules", "/alerts/silences", "/alerts/rules/SSE_High_Error_Rate?backtest=1", "/alerts/rules/new", "/alerts/rules/Error_Budget_Fast_Burn"];

// Contrast depends on the colors, overflow on the width: two of the four show both.
for (const [scheme, width] of [["light", 1440], ["dark", 360]] as const) {
  test(`axe finds nothing, ${scheme}, ${width} px`, async ({ page, javaScriptEnabled }) => {
    // axe runs in the page, so it needs scripts there.
    test.skip(!javaScriptEnabled);
    test.setTimeout(120_000);
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: 900 });
    for (const path of PATHS) {
      await page.goto(server.url + path);
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map((violation) => `${path}: ${violation.id}: ${violation.nodes[0]?.html}`)).toEqual([]);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(overflow, `${path} scrolls sideways`).toBeLessThanOrEqual(0);
    }
  });
}
