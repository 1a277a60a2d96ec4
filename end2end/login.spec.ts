// Where access is closed: a key opens the dashboards, by a plain form.

import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
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
  await expect(page.getByRole("alert")).toContainText("unknown, revoked");
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

async function signIn(page: Page, key: string, path: string): Promise<void> {
  await page.goto(`/login?next=${encodeURIComponent(path)}`);
  await page.getByLabel("API key with the scope admin").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL((url) => url.pathname + url.search === path);
}

test("a cookie that was copied before signing out opens nothing afterwards", async ({ page, closed }) => {
  await signIn(page, closed.key, "/sessions");
  const cookies = await page.context().cookies();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL(/\/login$/);
  await page.context().addCookies(cookies);
  await page.goto("/sessions");
  await expect(page).toHaveURL(/\/login\?next=/);
  const answer = await page.request.get("/api/admin/limits");
  expect([answer.status(), answer.headers()["cache-control"]]).toEqual([401, "no-store"]);
});

for (const path of ["/?range=24h", "/sessions"]) {
  test(`${path} says that its sign-in was ended elsewhere, and leads back`, async ({ page, closed, javaScriptEnabled }) => {
    test.skip(!javaScriptEnabled, "a page without scripts does not go on by itself");
    await signIn(page, closed.key, path);
    await expect(page.locator(".freshness")).toContainText("live");
    const other = await page.context().newPage();
    await other.goto("/sessions");
    await other.getByRole("button", { name: "Sign out" }).click();
    await expect(other).toHaveURL(/\/login$/);

    const notice = page.getByRole("alert");
    await expect(notice).toContainText("You are signed out.", { timeout: 20_000 });
    await expect(page.locator(".freshness .link"), "nothing is tried again").toBeHidden();
    await expect(page.getByRole("button", { name: "Sign out" })).toBeHidden();
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations).toEqual([]);
    // Signed in again in the other tab, the page goes on by itself.
    await signIn(other, closed.key, "/sessions");
    await expect(notice).toHaveCount(0, { timeout: 20_000 });
    await expect(page.locator(".freshness")).toContainText("live", { timeout: 40_000 });

    await other.getByRole("button", { name: "Sign out" }).click();
    await expect(notice).toBeVisible({ timeout: 20_000 });
    // Another page of the app is asked of the server, which leads to the sign-in and from there to that page.
    const links = path === "/sessions" ? notice : page.getByRole("navigation", { name: "Pages" });
    await links.getByRole("link", { name: path === "/sessions" ? "Sign in" : "Sessions" }).click();
    await page.getByLabel("API key with the scope admin").fill(closed.key);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page).toHaveURL((url) => url.pathname + url.search === "/sessions");
    await expect(page.locator(".freshness")).toContainText("live");
  });
}

test("the SDK's self-test needs a ticket where access is closed", async ({ page, closed, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "the SDK is a script");
  const publisher = await closed.server.key("publish");
  const create = () =>
    fetch(`${closed.server.url}/api/v1/sessions`, {
      method: "POST",
      headers: { authorization: `Bearer ${publisher}`, "content-type": "application/json" },
      body: "{}",
    });
  await expect.poll(async () => (await create()).status, { timeout: 15_000 }).toBe(201);
  const { ticket } = await (await create()).json();
  await page.goto("/login");
  const verdict = (ticket?: string) =>
    page.evaluate(async (ticket) => {
      const { selfTest } = await import("/sdk/streamgauge.js" as string);
      return (await selfTest({ ticket })).verdict;
    }, ticket);
  expect([await verdict(), await verdict(ticket)]).toEqual(["unknown", "flows"]);
});

test("another site's form signs nobody in and nobody out", async ({ page, closed }) => {
  await signIn(page, closed.key, "/sessions");
  // The same server by another name is another site to the browser. Lax cookies do not go along; signing in needs none.
  for (const path of ["/login", "/logout"]) {
    await page.route("http://elsewhere.test/", (route) =>
      route.fulfill({
        contentType: "text/html",
        body: `<form method="post" action="${closed.server.url}${path}"><input name="key" value="${closed.key}"><button>Go</button></form>`,
      }),
    );
    await page.goto("http://elsewhere.test/");
    const answer = page.waitForResponse((response) => response.url().endsWith(path));
    await page.getByRole("button", { name: "Go" }).click();
    expect((await answer).status(), path).toBe(403);
    await page.unroute("http://elsewhere.test/");
  }
  await page.goto("/sessions");
  await expect(page.getByRole("heading", { level: 1, name: "Sessions" })).toBeVisible();
});

for (const width of [1440, 360]) {
  test(`signing out is there at ${width} px, and nothing sticks out`, async ({ page, closed }) => {
    await page.setViewportSize({ width, height: 900 });
    await page.goto("/login?next=/sessions");
    await page.getByLabel("API key with the scope admin").fill(closed.key);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Sessions" })).toBeVisible();
    if (width < 900) await page.getByRole("button", { name: "More" }).click();
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
