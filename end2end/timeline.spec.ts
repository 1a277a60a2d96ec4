// All sessions that ever ran, and the course of one: plain pages, the same with scripts on and off.

import { expect, MORE, test } from "./traffic.ts";

test("the list turns its pages, from the newest to the oldest and back", async ({ page }) => {
  await page.goto("/sessions");
  await page.getByRole("link", { name: "Search all sessions" }).click();
  await expect(page).toHaveURL("/search");
  const rows = page.locator(".found tbody tr");
  await expect(rows).toHaveCount(50);
  await expect(rows.first()).toContainText(`more-${MORE - 1}`);
  await page.getByRole("link", { name: "Older" }).click();
  await expect(rows).toHaveCount(MORE + 3 - 50);
  await expect(rows.last()).toContainText("tr-de");
  await expect(page.getByRole("link", { name: "Older" })).toHaveCount(0);
  await page.getByRole("link", { name: "Newest" }).click();
  await expect(rows).toHaveCount(50);
});

test("it is searched by id, user, kind, state, region and fallback", async ({ page }) => {
  await page.goto("/search");
  const rows = page.locator(".found tbody tr");
  const search = async (text: string, state: string, region: string) => {
    await page.getByRole("searchbox").fill(text);
    await page.getByLabel("State").selectOption(state);
    await page.getByLabel("Region").fill(region);
    await page.getByRole("button", { name: "Search" }).click();
  };
  await search("tr-", "", "");
  await expect(rows).toHaveCount(3);
  await expect(page.getByRole("searchbox")).toHaveValue("tr-");
  await search("user-j", "", "");
  await expect(rows).toHaveText([/tr-jp/]);
  await search("transcr", "completed", "");
  await expect(rows).toHaveText([/tr-us/]);
  await search("", "running", "de");
  await expect(rows).toHaveText([/tr-de/]);
  await search("", "", "");
  // By where and why a page fell back, whatever its publisher said of the session.
  await page.getByLabel("Fallback").selectOption("any fallback");
  await page.getByRole("button", { name: "Search" }).click();
  await expect(rows).toHaveText([/tr-us/, /tr-de/]);
  await page.getByLabel("Fallback").selectOption("Buffered by a proxy");
  await page.getByRole("button", { name: "Search" }).click();
  await expect(rows).toHaveText([/tr-de/]);
  await page.goto("/search?fallback=any&fell_in=us");
  await expect(rows).toHaveText([/tr-us/]);
  await page.getByRole("link", { name: "Anywhere" }).click();
  await expect(rows).toHaveCount(2);
  await page.goto("/search");
  await search("", "", "atlantis");
  await expect(page.getByText("No session matches.")).toBeVisible();
  // What is typed is text.
  await search(`"><script>alert(1)</script>`, "", "");
  await expect(page.getByText("No session matches.")).toBeVisible();
});

test("one session's course: events, streams, fallbacks and latencies on one line of time", async ({ page }) => {
  await page.goto("/search?q=tr-de");
  await page.getByRole("link", { name: "tr-de" }).click();
  await expect(page).toHaveTitle(/tr-de/);
  const course = page.getByRole("region", { name: "Timeline" });
  await expect(course.getByRole("img", { name: /1 stream opened \(1 still open\), 3\d fallbacks, 21 events/ })).toBeVisible();
  await expect(course.locator("rect.stream_open")).toHaveCount(1);
  for (const kind of ["event", "stream_opened", "fallback", "latency", "first_update"]) {
    await expect(course.locator(`.${kind}`).first()).toBeAttached();
  }
  const told = page.getByRole("region", { name: "Events" });
  await expect(told.getByRole("row", { name: /Fallback: Buffered by a proxy/ }).first()).toBeVisible();
  await expect(told.getByRole("row", { name: /Stream opened: / })).toHaveCount(1);
  await expect(told.getByRole("row", { name: /First update: Firefox, after 140 ms/ }).first()).toBeVisible();
  await expect(page.locator("main")).toMatchAriaSnapshot(`
    - heading "tr-de" [level=1]
    - paragraph:
      - text: running
      - link "Public page"
      - link "All sessions"
    - term: Kind
    - definition: transcription
    - term: Region
    - definition: de
    - term: User
    - definition: user-de
    - term: Cohort
    - definition: stream
  `);
});

test("a stream that ended shows how long it lived", async ({ page }) => {
  await expect(async () => {
    await page.goto("/sessions/tr-us");
    await expect(page.getByRole("row", { name: /Stream closed: .*lived/ })).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 30_000 });
  await expect(page.locator(".outcome")).toHaveText("completed");
  await expect(page.locator(".lanes rect.stream_closed")).toHaveCount(1);
  await expect(page.locator(".lanes rect.stream_open")).toHaveCount(0);
});

test("a session that never was is a 404 with a way back", async ({ page }) => {
  for (const id of ["never-was", "not%20an%20id", "%3Cscript%3E"]) {
    const answer = await page.goto(`/sessions/${id}`);
    expect(answer?.status()).toBe(404);
  }
  await page.getByRole("link", { name: "All sessions" }).click();
  await expect(page).toHaveURL("/search");
});

test("plain pages ask for no script", async ({ page }) => {
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  const problems: string[] = [];
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto("/search?q=tr-");
  await page.goto("/sessions/tr-de");
  expect(asked.filter((path) => /wasm|\.js$/.test(path))).toEqual([]);
  expect(problems).toEqual([]);
});
