// The list of sessions, and the public page where a browser follows one.

import { readFile } from "node:fs/promises";
import { expect, Server, test } from "./server.ts";
import { create, publish } from "./publisher.ts";

/** A fresh session of a cohort: which one an id falls into is a hash, so ids are tried. */
async function sessionOf(cohort: "stream" | "poll", url: string): Promise<string> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const id = `${cohort}-${Date.now()}-${attempt}`;
    if ((await create(url, id)) === cohort) return id;
  }
  throw new Error(`no id falls into the cohort ${cohort}`);
}

test("a session's page shows its status before any script", async ({ page, server }) => {
  const id = await sessionOf("stream", server.url);
  await publish(server.url, id, [{ stage: "transcribing", progress: 42, message: "minute <b>17</b> of 40" }]);
  await page.goto(`/s/${id}`);
  await expect(page.getByText("transcribing").first()).toBeVisible();
  await expect(page.getByText("42").first()).toBeVisible();
  // What a publisher says is text, whatever it says.
  await expect(page.getByText("minute <b>17</b> of 40").first()).toBeVisible();
});

test("a session that never was is a 404", async ({ page }) => {
  for (const id of ["never-was", "not%20an%20id", "%3Cscript%3E"]) {
    const answer = await page.goto(`/s/${id}`);
    expect(answer?.status()).toBe(404);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  }
});

test("the list of sessions shows what runs", async ({ page, server }) => {
  const id = await sessionOf("stream", server.url);
  await publish(server.url, id, [{ stage: "diarizing", progress: 90 }]);
  // Rows are written about once a second.
  await expect(async () => {
    await page.goto("/sessions");
    await expect(page.getByRole("link", { name: id })).toBeVisible({ timeout: 500 });
  }).toPass();
  await page.getByRole("link", { name: id }).click();
  await expect(page).toHaveURL(`/sessions/${id}`);
  await page.getByRole("link", { name: "public page" }).click();
  await expect(page).toHaveURL(`/s/${id}`);
});

test("an empty list says how a session begins", async ({ page }) => {
  const server = await Server.start();
  try {
    await page.goto(`${server.url}/sessions`);
    await expect(page.getByText("curl").first()).toBeVisible();
  } finally {
    await server.stop();
  }
});

test("a session's page brings no WASM, and nothing that its policy forbids", async ({ page, server }) => {
  const id = await sessionOf("stream", server.url);
  await publish(server.url, id, [{ stage: "transcribing", progress: 42 }]);
  const problems: string[] = [];
  const asked: string[] = [];
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  const answer = await page.goto(`/s/${id}`);
  expect(answer?.headers()["content-security-policy"]).toContain("script-src 'self'");
  expect(answer?.headers()["content-security-policy"]).not.toContain("wasm");
  await expect(page.locator(".percent")).toHaveText("42");
  expect(asked.filter((path) => path.endsWith(".wasm"))).toEqual([]);
  expect(problems).toEqual([]);
});

test("the SDK is served as it is written, for pages of any origin", async ({ request }) => {
  const answer = await request.get("/sdk/streamgauge.js");
  expect(await answer.text()).toBe(await readFile("../public/sdk/streamgauge.js", "utf8"));
  expect(answer.headers()).toMatchObject({
    "content-type": "text/javascript; charset=utf-8",
    "access-control-allow-origin": "*",
    "cache-control": "public, max-age=300",
  });
  const again = await request.get("/sdk/streamgauge.js", { headers: { "if-none-match": answer.headers().etag ?? "" } });
  expect(again.status()).toBe(304);
  expect((await request.get("/sdk/streamgauge.d.ts")).status()).toBe(200);
  expect((await request.get("/sdk/package.json")).status()).toBe(404);
});

test.describe("with scripts", () => {
  test.skip(({ javaScriptEnabled }) => !javaScriptEnabled);

  for (const cohort of ["stream", "poll"] as const) {
    test(`a browser of the ${cohort} cohort follows to the end`, async ({ page, server }) => {
      const id = await sessionOf(cohort, server.url);
      await publish(server.url, id, [{ stage: "uploading", progress: 5 }]);
      const asked: string[] = [];
      page.on("request", (request) => asked.push(new URL(request.url()).pathname));
      await page.goto(`/s/${id}`);
      await expect(page.locator(".freshness")).toContainText(cohort === "stream" ? "live by stream" : "live by polling");
      await publish(server.url, id, [{ stage: "transcribing", progress: 55, message: "half <i>way</i>" }]);
      await expect(page.getByText("half <i>way</i>")).toBeVisible();
      await expect(page.locator(".percent")).toHaveText("55");
      await expect(page.locator(".done")).toHaveAttribute("width", "55%");
      const result = { words: 7412 };
      await publish(server.url, id, [{ stage: "done", progress: 100, state: "completed", message: "all said", data: result }]);
      await expect(page.locator(".outcome")).toHaveText("completed");
      await expect(page.getByText("all said")).toBeVisible();
      await expect(page.getByRole("region", { name: "Result" })).toContainText("7412");
      await expect(page.locator(".freshness")).toContainText("ended");
      await expect(page.getByRole("status")).toHaveText("completed");
      expect(asked.some((path) => path.endsWith("/stream"))).toBe(cohort === "stream");
      await expect(page.locator(".journal li").first()).toContainText("done at 100");

      // A later visitor finds the same, and the page requests nothing.
      asked.length = 0;
      await page.reload();
      await expect(page.getByRole("region", { name: "Result" })).toContainText("7412");
      await expect(page.locator(".journal")).toContainText("had ended before this page was opened");
      expect(asked.filter((path) => path.startsWith("/api/"))).toEqual([]);
    });
  }

  test("what a page saw of its session is counted, each thing once", async ({ page }) => {
    const server = await Server.start(["--control-group-percent", "0"]);
    const counted = async () => {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      const count = (name: string) => Number(new RegExp(`^streamgauge_${name} (.*)$`, "m").exec(text)?.[1]);
      const ignored = [...text.matchAll(/^streamgauge_beacons_ignored_total\{.*\} (.*)$/gm)].map(([, n]) => Number(n));
      const seen = ["first_update_seconds_count", "client_latency_seconds_count"].map(count);
      return [count("beacons_total"), count("refreshes_total"), ...seen, ...ignored];
    };
    try {
      await publish(server.url, "seen-1", [{ stage: "uploading", progress: 1 }]);
      await page.goto(`${server.url}/s/seen-1`);
      await expect(page.locator(".freshness")).toContainText("live by stream");
      await publish(server.url, "seen-1", [2, 3, 4].map((progress) => ({ stage: "uploading", progress })));
      await expect(page.locator(".percent")).toHaveText("4");
      await page.reload();
      await expect(page.locator(".freshness")).toContainText("live by stream");
      await expect.poll(counted).toEqual([1, 0, 1, 3, 0, 0]);
      await publish(server.url, "seen-1", [{ stage: "done", progress: 100, state: "completed" }]);
      await expect(page.locator(".outcome")).toHaveText("completed");
      await expect.poll(counted).toEqual([2, 1, 2, 4, 0, 0]);
    } finally {
      await server.stop();
    }
  });

  test("the first status appears where none was", async ({ page, server }) => {
    const id = await sessionOf("stream", server.url);
    await page.goto(`/s/${id}`);
    await expect(page.getByText("Nothing was published yet.")).toBeVisible();
    await expect(page.locator(".freshness")).toHaveText(/live by stream\s*$/);
    await publish(server.url, id, [{ stage: "uploading", progress: 3 }]);
    await expect(page.locator(".stage")).toHaveText("uploading");
    await expect(page.getByText("Nothing was published yet.")).toBeHidden();
  });

  test("a page that was cut off says so and resumes without losing an event", async ({ page }) => {
    const server = await Server.start(["--control-group-percent", "0"]);
    try {
      await publish(server.url, "cut-1", [{ stage: "transcribing", progress: 10 }]);
      await page.goto(`${server.url}/s/cut-1`);
      await publish(server.url, "cut-1", [{ stage: "transcribing", progress: 20, message: "before the cut" }]);
      await expect(page.getByText("before the cut").first()).toBeVisible();
      await server.kill9();
      await expect(page.locator(".freshness")).toContainText("connection lost");
      await server.up();
      await publish(server.url, "cut-1", [{ stage: "transcribing", progress: 60, message: "after the cut" }]);
      await expect(page.getByText("after the cut").first()).toBeVisible({ timeout: 20_000 });
      // Without Redis a server that was killed cannot tell what was missed.
      await expect(page.locator(".journal .gap")).toBeVisible({ timeout: 20_000 });
    } finally {
      await server.stop();
    }
  });

  test("a fallback is said with its reason, and so is the way back", async ({ page, server }) => {
    const id = await sessionOf("stream", server.url);
    await publish(server.url, id, [{ stage: "transcribing", progress: 10 }]);
    const refused = `**/api/v1/sessions/${id}/status/stream*`;
    await page.route(refused, (route) => route.fulfill({ status: 503, headers: { "retry-after": "1" } }));
    await page.goto(`/s/${id}`);
    await expect(page.locator(".journal .legend")).toContainText("followed by polling: the server takes no more streams");
    await publish(server.url, id, [{ stage: "transcribing", progress: 30 }]);
    await expect(page.locator(".percent")).toHaveText("30");
    await page.unroute(refused);
    // A page that is looked at again, or comes from the cache, does not wait.
    await page.evaluate(() => {
      window.dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
      window.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
    });
    await expect(page.locator(".journal .legend")).toHaveText("followed by stream");
    await expect(page.locator(".freshness")).toContainText("live by stream");
  });
});
