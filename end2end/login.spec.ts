// Where access is closed: a key opens the dashboards, by a plain form.

import { AxeBuilder } from "@axe-core/playwright";
import { expect, Server, test as base } from "./server.ts";

/** A server of its own, since a key closes it for everybody. */
const test = base.extend<{ baseURL: string }, { closed: { server: Server; key: string } }>({
  closed: [
    async ({}, use) => {
      const server = await Server.start();
      const key = await server.key("admin");
      // A key that was made beside a running server counts within five seconds.
      await expect.poll(async () => (await fetch(`${server.url}/api/admin/limits`)).status).toBe(401);
      await use({ server, key });
      await server.stop();
    },
    { scope: "worker", timeout: 90_000 },
  ],
  baseURL: async ({ closed }, use) => use(closed.server.url),
});

test("every page leads to the form, a wrong key is said, and the right one opens", async ({ page, closed }) => {
  // With the page that was asked for: a link to it is worth something.
  await page.goto("/?range=24h&compare=1");
  await expect(page).toHaveURL(/\/login\?next=/);
  const key = page.getByLabel("API key with the scope admin");
  const enter = page.getByRole("button", { name: "Sign in" });
  await key.fill("sgk_wrong");
  await enter.click();
  await expect(page.getByRole("alert")).toContainText("none of ours");
  await key.fill(closed.key);
  await enter.click();
  await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
  await expect(page).toHaveURL(/\/\?range=24h&compare=1$/);
  // Lax: with a link out of a mail the cookie goes along, with another site's form it does not.
  const cookies = await page.context().cookies();
  expect(cookies.map((cookie) => [cookie.httpOnly, cookie.sameSite])).toEqual([[true, "Lax"]]);

  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL(/\/login$/);
  expect(await page.context().cookies()).toEqual([]);
  await page.goto("/sessions");
  await expect(page).toHaveURL(/\/login\?next=/);
});

for (const width of [1440, 360]) {
  test(`signing out is there at ${width} px, and nothing sticks out`, async ({ page, closed }) => {
    await page.setViewportSize({ width, height: 900 });
    await page.goto("/login?next=/sessions");
    await page.getByLabel("API key with the scope admin").fill(closed.key);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Sessions" })).toBeVisible();
    await expect(page.getByRole("button", { name: "Sign out" })).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  });
}

for (const [scheme, width] of [["light", 1440], ["dark", 360]] as const) {
  test(`axe finds nothing, ${scheme}, ${width} px`, async ({ page, javaScriptEnabled }) => {
    test.skip(!javaScriptEnabled, "axe is a script");
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: 900 });
    for (const path of ["/login", "/login?failed"]) {
      await page.goto(path);
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations, path).toEqual([]);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wider, "nothing sticks out").toBeLessThanOrEqual(0);
    }
  });
}
