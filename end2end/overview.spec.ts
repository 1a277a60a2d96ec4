// The dashboard: there without scripts, live with them, and honest when the server is gone.

import { AxeBuilder } from "@axe-core/playwright";
import { type Page } from "@playwright/test";
import { expect, Server, test } from "./server.ts";
import { publish } from "./publisher.ts";

const RANGES = ["1h", "24h", "7d"];
const FIGURES = ["Update latency", "Request reduction", "Active connections", "Error rate"];
const CHARTS = ["Update latency", "Connections", "Throughput", "Resources", "Request reduction", "Error rate"];

/** Layout shift from now on, as the browser counts it. */
async function shifts(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((done) => {
        let sum = 0;
        const observer = new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) sum += (entry as unknown as { value: number }).value;
        });
        observer.observe({ type: "layout-shift", buffered: true });
        setTimeout(() => done(sum), 3_000);
      }),
  );
}

/** Its name says the range in words, too. */
function rangeLink(page: Page, range: string) {
  return page.getByRole("link", { name: new RegExp(`^${range}\\b`) });
}

async function isLive(page: Page): Promise<void> {
  await expect(page.locator(".freshness")).toContainText("live");
}

test("figures and charts are in the page that the server sends", async ({ page }) => {
  await page.goto("/");
  await expect(page).toHaveTitle(/Overview/);
  for (const title of FIGURES) {
    await expect(page.getByRole("heading", { name: title }).first()).toBeVisible();
  }
  for (const title of CHARTS) {
    const figure = page.locator("figure, section").filter({ has: page.getByRole("heading", { name: title }) }).last();
    await expect(figure.locator("svg").first()).toBeVisible();
    // Each chart can be read as a table, too.
    await expect(figure.locator("table").first()).toBeAttached();
  }
  // Every figure says what it rests on, or that this is not enough.
  await expect(page.getByText(/not enough data|n = /).first()).toBeVisible();
});

test("every range has an address of its own", async ({ page }) => {
  for (const range of RANGES) {
    await page.goto("/");
    await rangeLink(page, range).click();
    await expect(page).toHaveURL(new RegExp(`range=${range}|/$`));
    await expect(rangeLink(page, range)).toHaveAttribute("aria-current", "true");
    await page.goto(`/?range=${range}`);
    await expect(rangeLink(page, range)).toHaveAttribute("aria-current", "true");
  }
});

test("an absurd range is the last hour", async ({ page }) => {
  const answer = await page.goto("/?range=900y%27%22%3E%3Cscript%3E");
  expect(answer?.status()).toBe(200);
  await expect(rangeLink(page, "1h")).toHaveAttribute("aria-current", "true");
});

test("an unknown page is a 404 with a way back", async ({ page }) => {
  const answer = await page.goto("/nowhere");
  expect(answer?.status()).toBe(404);
  await expect(page.getByRole("link").first()).toBeVisible();
});

for (const [scheme, width] of [["light", 1440], ["dark", 1440], ["light", 360], ["dark", 360]] as const) {
  test(`axe finds nothing, ${scheme}, ${width} px`, async ({ page, javaScriptEnabled, server }) => {
    // axe runs in the page, so it needs scripts there.
    test.skip(!javaScriptEnabled);
    await publish(server.url, "axe-1", [{ stage: "transcribing", progress: 40 }]);
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: 900 });
    for (const path of ["/", "/?range=24h", "/sessions", "/s/axe-1", "/nowhere"]) {
      await page.goto(path);
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map((violation) => `${path}: ${violation.id}: ${violation.nodes[0]?.html}`)).toEqual([]);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(overflow, `${path} scrolls sideways`).toBeLessThanOrEqual(0);
    }
  });
}

test.describe("with scripts", () => {
  test.skip(({ javaScriptEnabled }) => !javaScriptEnabled);

  test("nothing moves when the WASM arrives, and figures go live", async ({ page, server }) => {
    const problems: string[] = [];
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    page.on("pageerror", (error) => problems.push(String(error)));
    await page.goto("/");
    await isLive(page);
    expect(await shifts(page)).toBe(0);
    const before = await page.locator(".freshness time").getAttribute("datetime");
    await publish(server.url, "live-1", [{ stage: "uploading", progress: 1 }]);
    await expect(page.locator(".freshness time")).not.toHaveAttribute("datetime", before ?? "");
    // The new session appears without a reload.
    await expect(page.getByRole("link", { name: /live-1/ })).toBeVisible();
    expect(problems).toEqual([]);
  });

  test("on a phone the list's head stays where it is while it connects", async ({ page }) => {
    // Said while it connects, and longer than what comes before and after.
    await page.addInitScript(() => {
      const tops = new Set<number>();
      Object.assign(window, { tops });
      const look = () => {
        const link = document.querySelector(".top .button");
        if (link) tops.add(link.getBoundingClientRect().top);
        requestAnimationFrame(look);
      };
      look();
    });
    await page.setViewportSize({ width: 360, height: 800 });
    await page.goto("/sessions");
    await isLive(page);
    expect(await page.evaluate(() => [...(window as unknown as { tops: Set<number> }).tops])).toHaveLength(1);
  });

  test("the range changes without a new page", async ({ page }) => {
    await page.goto("/");
    await isLive(page);
    await page.evaluate(() => Object.assign(window, { same: true }));
    await rangeLink(page, "24h").click();
    await expect(rangeLink(page, "24h")).toHaveAttribute("aria-current", "true");
    await expect(page).toHaveURL(/range=24h/);
    await page.goBack();
    await expect(rangeLink(page, "1h")).toHaveAttribute("aria-current", "true");
    expect(await page.evaluate(() => "same" in window)).toBe(true);
  });

  test("the page says that the server is gone, and recovers by itself", async ({ page }) => {
    // A server of its own: others must not lose theirs.
    const server = await Server.start();
    try {
      await page.goto(server.url);
      await isLive(page);
      await server.down();
      await expect(page.locator(".freshness")).toContainText("connection lost");
      await server.up();
      await isLive(page);
      await expect(page.getByText(/restarted/i).first()).toBeVisible();
    } finally {
      await server.stop();
    }
  });

  test("everything can be reached by keyboard", async ({ page }) => {
    await page.goto("/");
    await isLive(page);
    const reached = new Set<string>();
    for (let press = 0; press < 40; press++) {
      await page.keyboard.press("Tab");
      reached.add(await page.evaluate(() => document.activeElement?.textContent?.trim() ?? ""));
    }
    for (const name of ["Overview", "Sessions", ...RANGES]) {
      expect([...reached].some((text) => text.includes(name)), name).toBe(true);
    }
  });
});
