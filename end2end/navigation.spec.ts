// The navigation: at the side, and at the bottom of a phone; with scripts and without.

import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test } from "./server.ts";

const pages = (page: Page) => page.getByRole("navigation", { name: "Pages" });
const more = (page: Page) => page.getByRole("button", { name: /^More/ });

test("the side has every group that has a page, and marks the page", async ({ page }) => {
  await page.goto("/sessions");
  await expect(pages(page)).toMatchAriaSnapshot(`
    - navigation "Pages":
      - paragraph: Watch
      - list "Watch":
        - listitem:
          - link "Overview"
        - listitem:
          - link "Sessions"
        - listitem:
          - link "Alerts"
      - paragraph: Tune
      - list "Tune":
        - listitem:
          - link "Load tests"
  `);
  await expect(pages(page).getByRole("link", { name: "Sessions" })).toHaveAttribute("aria-current", "page");
  await expect(more(page)).toBeHidden();
  await pages(page).getByRole("link", { name: "Load tests" }).click();
  await expect(page).toHaveURL("/load-tests");
  await pages(page).getByRole("link", { name: "Overview" }).click();
  await expect(pages(page).getByRole("link", { name: "Overview" })).toHaveAttribute("aria-current", "page");
  await expect(pages(page).locator("[aria-current]")).toHaveCount(1);
});

test("on a phone the bar stays at the bottom, and More opens the rest by touch and by key", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto("/");
  const bar = (await pages(page).boundingBox())!;
  expect([bar.x, bar.width, bar.y + bar.height]).toEqual([0, 360, 740]);
  await expect(pages(page).getByRole("link")).toHaveText(["Overview", "Sessions", "Alerts"]);
  await more(page).click();
  const tests = pages(page).getByRole("link", { name: "Load tests" });
  await expect(tests).toBeVisible();
  for (const target of [pages(page).getByRole("link"), more(page)]) {
    for (const one of await target.all()) {
      const box = (await one.boundingBox())!;
      expect(Math.min(box.width, box.height), "a finger hits it").toBeGreaterThanOrEqual(44);
    }
  }
  await page.keyboard.press("Escape");
  await expect(tests).toBeHidden();
  // The next stop after the button is in what it opened.
  await more(page).focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await expect(tests).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL("/load-tests");
  await expect(page.getByRole("button", { name: "More (Load tests)" })).toHaveAttribute("aria-current", "true");
  await expect(tests).toBeHidden();
});

test("the bar covers nothing at the end of a page", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto("/");
  const last = page.locator("main > *").last();
  await last.scrollIntoViewIfNeeded();
  await page.mouse.wheel(0, 100_000);
  const bar = (await pages(page).boundingBox())!;
  await expect.poll(async () => {
    const box = (await last.boundingBox())!;
    return box.y + box.height;
  }).toBeLessThanOrEqual(bar.y);
});

for (const [scheme, forced] of [["light", "none"], ["dark", "none"], ["dark", "active"]] as const) {
  test(`axe finds nothing in the open navigation, ${scheme}, forced colours ${forced}`, async ({ page, javaScriptEnabled }) => {
    test.skip(!javaScriptEnabled, "axe is a script");
    await page.emulateMedia({ colorScheme: scheme, forcedColors: forced });
    await page.setViewportSize({ width: 360, height: 740 });
    await page.goto("/load-tests");
    await more(page).click();
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map((violation) => `${violation.id}: ${violation.nodes[0]?.html}`)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  });
}
