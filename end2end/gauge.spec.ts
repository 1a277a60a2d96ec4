// The Overview's controls, one by one: with scripts off as links and forms, with them in place.

import { readFile } from "node:fs/promises";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { Server } from "./server.ts";
import { expect, FIREFOX, TELLS_REGIONS, test } from "./traffic.ts";

/** A range of one's own, where filters are opened. */
const DATES = / to .* UTC$/;
const CHARTS = ["Update latency", "Connections", "Throughput", "Resources", "Request reduction", "Error rate"];

const tools = (page: Page) => page.locator(".tools");
const panel = (page: Page, name: string | RegExp) => page.getByRole("region", { name });
const chart = (page: Page, name: string) =>
  page.locator("figure.chart").filter({ has: page.getByRole("heading", { name, exact: true }) });
const choose = (page: Page) => tools(page).locator(".choose summary");

/** Opened, and live where scripts run. */
async function open(page: Page, path: string, scripts: boolean): Promise<void> {
  await page.goto(path);
  if (scripts) await expect(page.locator(".freshness")).toContainText("live");
}

test("every panel says what it has measured", async ({ page }) => {
  await page.goto("/");
  await expect(panel(page, "Service levels").getByRole("row", { name: /Uptime/ })).toBeVisible();
  await expect(panel(page, "Service levels").getByRole("img", { name: /^90 days of uptime/ })).toBeVisible();
  const regions = panel(page, "Connection health");
  for (const region of ["DE", "US", "JP"]) await expect(regions.getByRole("link", { name: region, exact: true })).toBeVisible();
  await expect(regions.locator(".map circle.core")).toHaveCount(3);
  const fallback = panel(page, "Fallback to polling");
  await expect(fallback.getByRole("row", { name: /Buffered by a proxy/ }).first()).toContainText(/3\d/);
  await expect(fallback.locator(".pattern").first()).toContainText(/likelier/);
  await expect(panel(page, "Data quality")).toContainText(/deliveries due/);
  await expect(panel(page, "Satisfaction")).toContainText("No survey has been answered");
  await expect(panel(page, "Savings")).toBeVisible();
  await expect(panel(page, "What happened")).toContainText("v2.1 is out");
  // A flag in each chart's plots, too: latency, connections, throughput, memory, CPU and Redis, reduction, errors.
  await expect(page.locator(".chart .flag.deploy")).toHaveCount(8);
});

test("no panel's table sticks out of it on a phone", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 800 });
  await page.goto("/");
  const panels = page.locator(".panel").filter({ has: page.locator("table") });
  const beyond = await panels.evaluateAll((all) =>
    all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.querySelector("h2")?.textContent),
  );
  expect(beyond).toEqual([]);
});

test("the tools are links, and say what is shown", async ({ page }) => {
  await page.goto("/?range=24h&compare=1");
  await expect(tools(page).getByRole("navigation", { name: "Range" })).toMatchAriaSnapshot(`
    - navigation "Range":
      - link /^1h ?, last hour/
      - link /^24h ?, last 24 hours/
      - link /^7d ?, last 7 days/
      - link /^30d ?, last 30 days/
  `);
  await expect(tools(page).getByRole("link", { name: /^24h/ })).toHaveAttribute("aria-current", "true");
  await expect(tools(page).getByRole("link", { name: /^Compare ?with the 24 hours before/ })).toHaveAttribute("aria-current", "true");
});

test("comparing draws the range before, and a second click ends it", async ({ page, javaScriptEnabled }) => {
  await open(page, "/", javaScriptEnabled);
  const compare = tools(page).getByRole("link", { name: /^Compare/ });
  await compare.click();
  await expect(page).toHaveURL(/compare=1/);
  await expect(compare).toHaveAttribute("aria-current", "true");
  await expect(chart(page, "Connections").locator(".legend")).toContainText("hour before");
  // Legends of different heights leave the charts beside each other at one.
  await page.setViewportSize({ width: 1280, height: 900 });
  const tops = await page.locator(".row.three .plots").evaluateAll((plots) => plots.map((plot) => plot.getBoundingClientRect().top));
  expect(new Set(tops).size, `${tops}`).toBe(1);
  await compare.click();
  await expect(page).not.toHaveURL(/compare=1/);
  await expect(chart(page, "Connections").locator(".legend")).not.toContainText("hour before");
});

test("a range of one's own", async ({ page, javaScriptEnabled }) => {
  await open(page, "/?compare=1", javaScriptEnabled);
  await choose(page).click();
  await page.getByLabel("From, UTC").fill("2026-11-20T10:00");
  await page.getByLabel("To, UTC").fill("2026-11-20T16:30");
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(choose(page)).toHaveText(DATES);
  await expect(page).toHaveURL(/from=2026-11-20T10(:|%3A)00&to=2026-11-20T16(:|%3A)30/);
  await expect(page).toHaveURL(/compare=1/);
  await expect(chart(page, "Update latency").locator(".times")).toContainText("16:30");
  await expect(page.locator(".void").first()).toHaveText("nothing measured yet");
  // Its ends are in the form again, and every other link keeps it.
  await choose(page).click();
  await expect(page.getByLabel("From, UTC")).toHaveValue("2026-11-20T10:00");
  await page.getByRole("link", { name: "Back to live" }).click();
  await expect(choose(page)).toHaveText("Range and filters");
});

test("one region, one node", async ({ page, javaScriptEnabled }) => {
  await open(page, "/", javaScriptEnabled);
  await choose(page).click();
  await page.getByLabel("Region").selectOption("de");
  await page.getByLabel("Node").selectOption("fra-1");
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(page).toHaveURL(/node=fra-1&region=de/);
  await expect(choose(page)).toHaveText(/fra-1, de/);
  // The range's links keep whose figures these are.
  await tools(page).getByRole("link", { name: /^24h/ }).click();
  await expect(page).toHaveURL(/range=24h&node=fra-1&region=de/);
  await expect(choose(page)).toHaveText(/fra-1, de/);
  await expect(panel(page, "Fallback to polling").getByRole("row", { name: /Buffered/ }).first()).toContainText("30");
  // Where nobody ever was there is nothing to show, which is not zero.
  await page.goto("/?region=atlantis");
  await expect(page.locator(".kpi.unknown").first()).toBeVisible();
});

test("the figures as CSV, each chart as SVG", async ({ page }) => {
  await page.goto("/?range=1h&compare=1");
  const csv = page.waitForEvent("download");
  await tools(page).getByRole("link", { name: "CSV" }).click();
  const text = await readFile(await (await csv).path(), "utf8");
  expect((await csv).suggestedFilename()).toMatch(/^streamgauge-.*\.csv$/);
  expect(text.split("\n")[0]).toMatch(/^at,.*delivery_latency_p95_ms/);
  expect(text.trim().split("\n").length).toBeGreaterThan(1);
  for (const name of CHARTS) {
    const svg = page.waitForEvent("download");
    await chart(page, name).getByRole("link", { name: `SVG of ${name}` }).click();
    const picture = await readFile(await (await svg).path(), "utf8");
    expect(picture).toMatch(/^<svg xmlns=/);
    expect(picture).toContain(`>${name}</text>`);
  }
});

test("the table of each chart opens by a click", async ({ page, javaScriptEnabled }) => {
  await open(page, "/", javaScriptEnabled);
  for (const name of CHARTS) {
    const table = chart(page, name).getByRole("table");
    await expect(table).toBeHidden();
    const summary = chart(page, name).locator("summary");
    await expect(summary).toHaveText(`Table of ${name}`);
    await summary.click();
    await expect(table.getByRole("columnheader").first()).toContainText("Time");
    await expect(table.locator("tbody tr").first()).toBeVisible();
    await summary.click();
    await expect(table).toBeHidden();
  }
});

test("each key figure leads to its chart", async ({ page, javaScriptEnabled }) => {
  await open(page, "/", javaScriptEnabled);
  const charts = [["Request reduction", "reduction"], ["Active connections", "connections"], ["Error rate", "errors"]] as const;
  for (const [figure, id] of charts) {
    await page.getByRole("link", { name: figure, exact: true }).click();
    await expect(page).toHaveURL(new RegExp(`#${id}$`));
    await expect(page.locator(`figure#${id}`)).toBeInViewport();
  }
});

test("every number opens by a click, and says what it rests on", async ({ page }) => {
  await page.goto("/");
  const numbers = panel(page, "All metrics");
  await numbers.getByText("Value, samples and formula of each").click();
  const row = (name: string) => numbers.getByRole("row", { name: new RegExp(`^${name}`) });
  await expect(row("Connection success")).toContainText(/% *\d+ attempts/);
  await expect(row("Memory per connection")).toContainText("not enough data below 100");
  await expect(numbers.locator("tbody tr")).toHaveCount(35);
});

test("burn rates open by a click", async ({ page }) => {
  await page.goto("/");
  const levels = panel(page, "Service levels");
  await expect(levels.getByRole("columnheader", { name: "Burn rate" })).toBeHidden();
  await levels.locator("summary").click();
  await expect(levels.getByRole("columnheader", { name: "Burn rate" })).toBeVisible();
});

test("from a figure to its chart, a region, a session and its course, all by links", async ({ page, javaScriptEnabled }) => {
  await open(page, "/", javaScriptEnabled);
  await page.getByRole("link", { name: "Update latency", exact: true }).click();
  await expect(page).toHaveURL(/#latency$/);
  await expect(chart(page, "Update latency")).toBeInViewport();
  await panel(page, "Connection health").getByRole("link", { name: "DE", exact: true }).click();
  await expect(page).toHaveURL(/region=de/);
  await expect(choose(page)).toHaveText("de");
  await panel(page, "Connection health").getByRole("link", { name: /sessions that fell back in DE/ }).click();
  await expect(page).toHaveURL("/search?fallback=any&fell_in=de");
  await expect(page.getByText("A page in DE fell back.")).toBeVisible();
  await page.getByRole("link", { name: "tr-de" }).click();
  await expect(page).toHaveURL("/sessions/tr-de");
  await expect(panel(page, "Timeline").getByRole("img")).toBeVisible();
});

for (const [scheme, width] of [["light", 1440], ["dark", 1440], ["light", 360], ["dark", 360]] as const) {
  test(`axe finds nothing where every panel has data, ${scheme}, ${width} px`, async ({ page, javaScriptEnabled }) => {
    // axe runs in the page, so it needs scripts there.
    test.skip(!javaScriptEnabled);
    // Much to look at, in six pages with all that folds unfolded.
    test.setTimeout(150_000);
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: 900 });
    for (const path of ["/", "/?range=24h&compare=1&region=de", "/search", "/search?q=nobody", "/sessions/tr-de", "/sessions/never"]) {
      await page.goto(path);
      await page.locator("details").evaluateAll((all: HTMLDetailsElement[]) => all.forEach((one) => (one.open = true)));
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map((violation) => `${path}: ${violation.id}: ${violation.nodes[0]?.html}`)).toEqual([]);
      await page.locator("details").evaluateAll((all: HTMLDetailsElement[]) => all.forEach((one) => (one.open = false)));
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(overflow, `${path} scrolls sideways`).toBeLessThanOrEqual(0);
    }
  });
}

test.describe("with scripts", () => {
  test.skip(({ javaScriptEnabled }) => !javaScriptEnabled);

  /** The same page as long as this is in it. */
  const mark = (page: Page) => page.evaluate(() => Object.assign(window, { same: true }));
  const isSame = (page: Page) => page.evaluate(() => "same" in window);

  test("the pointer's cursor is read out in every chart", async ({ page }) => {
    await open(page, "/", true);
    const field = chart(page, "Update latency").locator(".field");
    const box = (await field.boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 20);
    await expect(page.locator(".chart line.cursor")).toHaveCount(8);
    const times = await page.locator(".chart .cap").allTextContents();
    const spoken = times.map((text) => /^\d\d:\d\d:\d\d/.exec(text)?.[0]);
    expect(spoken[0]).toBeTruthy();
    expect(new Set(spoken).size, times.join(" | ")).toBe(1);
    await page.mouse.move(5, 5);
    await expect(page.locator(".chart line.cursor")).toHaveCount(0);
    await expect(chart(page, "Connections").locator(".cap")).toContainText("Open at a time");
  });

  test("arrow keys move the cursor, Enter twice zooms", async ({ page }) => {
    await open(page, "/", true);
    await mark(page);
    await chart(page, "Connections").locator(".plots").focus();
    await page.keyboard.press("End");
    const end = await chart(page, "Throughput").locator(".cap").textContent();
    await page.keyboard.press("ArrowLeft");
    await expect(chart(page, "Throughput").locator(".cap")).not.toHaveText(end ?? "");
    await page.keyboard.press("Escape");
    await expect(page.locator(".chart line.cursor")).toHaveCount(0);
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    for (let press = 0; press < 6; press++) await page.keyboard.press("Shift+ArrowLeft");
    await expect(page.locator(".chart rect.zoom")).toHaveCount(8);
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(/range=\d{10}-\d{10}/);
    await expect(choose(page)).toHaveText(DATES);
    const [from, to] = /range=(\d+)-(\d+)/.exec(page.url())!.slice(1).map(Number);
    expect(to! - from!).toBe(610);
    expect(await isSame(page)).toBe(true);
    await page.goBack();
    await expect(choose(page)).toHaveText("Range and filters");
  });

  test("what is drawn over is zoomed into, and keeps whose figures these are", async ({ page }) => {
    await open(page, "/?region=de", true);
    const field = chart(page, "Throughput").locator(".field");
    await field.scrollIntoViewIfNeeded();
    const box = (await field.boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.5, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.75, box.y + 40, { steps: 4 });
    await expect(page.locator(".chart rect.zoom")).toHaveCount(8);
    await page.mouse.up();
    await expect(page).toHaveURL(/range=\d{10}-\d{10}&region=de/);
    const [from, to] = /range=(\d+)-(\d+)/.exec(page.url())!.slice(1).map(Number);
    expect(Math.abs(to! - from! - 900)).toBeLessThanOrEqual(40);
    await expect(choose(page)).toHaveText(/ to .* UTC, de$/);
    await expect(page.locator(".chart rect.zoom")).toHaveCount(0);
  });

  test("a click alone zooms nowhere", async ({ page }) => {
    await open(page, "/", true);
    await chart(page, "Throughput").locator(".field").click();
    await expect(page.locator(".chart rect.zoom")).toHaveCount(0);
    await expect(page).toHaveURL("/");
  });

  test("keys change the range without a new page", async ({ page }) => {
    await open(page, "/", true);
    await mark(page);
    const current = (range: string) => expect(tools(page).getByRole("link", { name: new RegExp(`^${range}`) })).toHaveAttribute("aria-current", "true");
    for (const [key, range] of [["2", "24h"], ["3", "7d"], ["4", "30d"], ["1", "1h"]] as const) {
      await page.keyboard.press(key);
      await expect(page).toHaveURL(new RegExp(`range=${range}`));
      await current(range);
    }
    await page.keyboard.press("c");
    await expect(page).toHaveURL(/compare=1/);
    await expect(chart(page, "Connections").locator(".legend")).toContainText("hour before");
    await page.keyboard.press("c");
    await expect(page).not.toHaveURL(/compare=1/);
    await page.keyboard.press("[");
    await expect(page).toHaveURL(/range=\d+-\d+/);
    await expect(choose(page)).toHaveText(DATES);
    const [, first] = /range=(\d+)/.exec(page.url())!;
    await page.keyboard.press("[");
    await expect(page).not.toHaveURL(new RegExp(`range=${first}`));
    await page.keyboard.press("]");
    await expect(page).toHaveURL(new RegExp(`range=${first}`));
    await page.keyboard.press("]");
    await expect(page).toHaveURL(/range=1h/);
    await current("1h");
    expect(await isSame(page)).toBe(true);
    // In a text field the keys are letters, not shortcuts.
    await choose(page).click();
    await page.getByLabel("From, UTC").focus();
    await page.keyboard.press("2");
    await expect(page).toHaveURL(/range=1h/);
  });

  test("the question mark shows the keys", async ({ page }) => {
    await open(page, "/", true);
    await page.keyboard.press("?");
    const dialog = page.getByRole("dialog", { name: "Keys" });
    await expect(dialog).toMatchAriaSnapshot(`
      - dialog "Keys":
        - heading "Keys" [level=2]
        - term: 1 2 3 4
        - definition: last hour, 24 hours, 7 days, 30 days
        - term: "[ ]"
        - definition: one range earlier, later
        - term: c
        - definition: compare with the range before
        - term: f
        - definition: full screen
    `);
    const { violations } = await new AxeBuilder({ page }).include("dialog").analyze();
    expect(violations.map((violation) => violation.id)).toEqual([]);
    // What is open is not left by a key meant for the page under it.
    await page.keyboard.press("2");
    await expect(page).toHaveURL("/");
    await page.keyboard.press("Escape");
    await expect(dialog).toBeHidden();
    await tools(page).getByRole("button", { name: "Keyboard shortcuts" }).click();
    await dialog.getByRole("button", { name: "Close" }).click();
    await expect(dialog).toBeHidden();
  });

  test("full screen has no navigation, and another range does not end it", async ({ page }) => {
    await open(page, "/", true);
    await page.keyboard.press("f");
    await expect(page.locator("html.wall")).toBeVisible();
    await expect(page.getByRole("navigation", { name: "Pages" })).toBeHidden();
    await page.keyboard.press("2");
    await expect(tools(page).getByRole("link", { name: /^24h/ })).toHaveAttribute("aria-current", "true");
    await expect(page.locator("html.wall")).toBeVisible();
    await page.keyboard.press("f");
    await expect(page.locator("html.wall")).toHaveCount(0);
    await tools(page).getByRole("button", { name: "Full screen" }).click();
    await expect(page.locator("html.wall")).toBeVisible();
    await page.keyboard.press("f");
    await expect(page.locator("html.wall")).toHaveCount(0);
  });

  test("panels come by themselves; what is open stays open and keeps the focus", async ({ page, traffic }) => {
    await open(page, "/", true);
    const fallback = panel(page, "Fallback to polling");
    const levels = panel(page, "Service levels");
    await levels.locator("summary").click();
    await fallback.locator("summary").focus();
    await page.keyboard.press("Enter");
    await expect(fallback.getByRole("row", { name: /Firefox/ })).toBeVisible();
    const moved = page.evaluate(
      () =>
        new Promise<number>((done) => {
          let sum = 0;
          new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) sum += (entry as unknown as { value: number }).value;
          }).observe({ type: "layout-shift" });
          setTimeout(() => done(sum), 25_000);
        }),
    );
    const before = await fallback.getByRole("row", { name: /Buffered/ }).first().innerText();
    await traffic.report("tr-de", "de", "buffered", FIREFOX);
    for (let progress = 41; progress < 60; progress++) await traffic.publish("tr-jp", progress, "transcribing");
    await expect(fallback.getByRole("row", { name: /Buffered/ }).first()).not.toHaveText(before, { timeout: 30_000 });
    await expect(fallback.locator("details")).toHaveAttribute("open");
    await expect(fallback.locator("summary")).toBeFocused();
    await expect(levels.locator("details")).toHaveAttribute("open");
    expect(await moved, "layout shift while panels are replaced").toBe(0);
    await traffic.annotate("note", "a note from far away");
    await expect(panel(page, "What happened")).toContainText("a note from far away", { timeout: 15_000 });
  });

  test("a form that is being filled in stays", async ({ page }) => {
    await open(page, "/", true);
    await choose(page).click();
    await page.getByLabel("From, UTC").fill("2026-11-20T10:00");
    await page.waitForResponse((answer) => answer.url().includes("/panels"), { timeout: 15_000 });
    await page.waitForTimeout(300);
    await expect(page.getByLabel("From, UTC")).toHaveValue("2026-11-20T10:00");
  });

  test("a page that stays open over a restart gets its flag and goes on", async ({ page }) => {
    test.setTimeout(120_000);
    const own = await Server.start([...TELLS_REGIONS]);
    try {
      await page.goto(own.url);
      await expect(page.locator(".freshness")).toContainText("live");
      const flags = panel(page, "What happened").getByText("restart", { exact: true });
      await expect(flags).toHaveCount(1, { timeout: 20_000 });
      await own.restart();
      await expect(page.locator(".freshness")).toContainText("live", { timeout: 40_000 });
      await expect(flags).toHaveCount(2, { timeout: 30_000 });
      await expect(page.locator("#connections .flag.restart").first()).toBeAttached();
    } finally {
      await own.stop();
    }
  });

  test("a page that was reached from another one has its panels", async ({ page }) => {
    await page.goto("/sessions");
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Overview" }).click();
    await expect(panel(page, "Service levels")).toBeVisible();
    await expect(panel(page, "Connection health").getByRole("link", { name: "DE", exact: true })).toBeVisible();
    await expect(tools(page).getByRole("button", { name: "Full screen" })).toBeVisible();
  });
});
