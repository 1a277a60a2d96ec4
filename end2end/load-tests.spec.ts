// Load tests: there without scripts, and no heavier with them.

import { AxeBuilder } from "@axe-core/playwright";
import { expect, Server, test } from "./server.ts";

/** What the tool posts, in short. */
function result(p95: number, lost = 0) {
  const times = { samples: 5_000, p50_ms: 2, p95_ms: p95, p99_ms: p95 * 2, max_ms: p95 * 3 };
  const finding = { target: "< 100 ms p95", unit: "ms", samples: 5_000, samples_of: "deliveries", note: null };
  return {
    version: 1, scenario: "burst", title: "Message Burst Test", url: "http://127.0.0.1:3000", time_scale: 0.1,
    changes: { streams: 500 }, started_at: 1_795_442_700_000, interrupted: false, passed: lost === 0,
    findings: [
      { ...finding, name: "Message delivery latency", measured: p95, verdict: "pass" },
      { ...finding, name: "Messages lost", target: "0", unit: "", measured: lost, verdict: lost ? "fail" : "pass" },
    ],
    figures: {
      streams_asked: 500, sessions_asked: 50, peak_streams: 500, seconds: 30, counts: { delivered: 5_000, lost },
      latency: times, latency_sent: times, last_delivery: times, connect: times, connect_began: times, answer: times,
      server: { pid: 1, cores: 2, mb_per_100_streams: 0.07 },
      tool: { threads: 1, cpu_mean_core_percent: 40, lag: times },
    },
    timeline: Array.from({ length: 30 }, (_, at_s) => ({
      at_s, p50_ms: 2, p95_ms: p95 + (at_s % 4), p99_ms: p95 * 2, streams: 500, deliveries_per_second: 5_000,
      messages_per_second: 500, pss_mb: 40, rss_mb: 50, cpu_percent: 30,
    })),
  };
}

async function post(url: string, body: object): Promise<string> {
  const answer = await fetch(`${url}/api/admin/load-tests`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (answer.status !== 201) throw new Error(`posting answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()).url;
}

// A server of its own: an empty list is part of the story.
let server: Server;
test.beforeAll(async () => {
  test.setTimeout(90_000);
  server = await Server.start();
});
test.afterAll(() => server.stop());

test("from the empty list to one run and its trend", async ({ page }) => {
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  const problems: string[] = [];
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));

  await page.goto(`${server.url}/load-tests`);
  await expect(page.getByText("streamgauge loadtest burst")).toBeVisible();

  await post(server.url, result(20));
  const url = await post(server.url, result(8.4, 3));
  await page.reload();
  await expect(page.getByRole("link", { name: "Load tests" })).toHaveAttribute("aria-current", "page");
  await expect(page.getByText("12 ms better than the run before")).toBeVisible();
  await expect(page.getByRole("img", { name: "Delivery p95 of 2 runs, the oldest first: 20 ms, 8.4 ms." })).toBeVisible();
  await expect(page.getByText("1 target missed")).toBeVisible();

  await page.locator(`a[href="${url}"]`).click();
  await expect(page.getByRole("heading", { name: "Message Burst Test" })).toBeVisible();
  await expect(page.getByRole("row", { name: /Messages lost/ })).toContainText("fail");
  await expect(page.getByRole("img", { name: /^Latency/ })).toBeVisible();
  await expect(page.getByRole("region", { name: "Command" })).toContainText("--streams 500 --time-scale 0.1");

  expect(asked.filter((path) => /wasm|\.js$/.test(path)), "a plain page asks for no script").toEqual([]);
  expect(problems).toEqual([]);
  await page.goto(`${server.url}/load-tests/999`);
  await expect(page.getByRole("heading", { name: "No such load test" })).toBeVisible();
});

test("the dashboard's link leads there", async ({ page }) => {
  await page.goto(server.url);
  await page.getByRole("link", { name: "Load tests" }).click();
  await expect(page).toHaveTitle(/Load tests/);
  await page.getByRole("link", { name: "Sessions" }).click();
  await expect(page).toHaveTitle(/Sessions/);
});

for (const [scheme, width] of [["light", 1440], ["dark", 1440], ["light", 360], ["dark", 360]] as const) {
  test(`axe finds nothing, ${scheme}, ${width} px`, async ({ page, javaScriptEnabled }) => {
    // axe runs in the page, so it needs scripts there.
    test.skip(!javaScriptEnabled);
    await post(server.url, result(9));
    const url = await post(server.url, result(10, 2));
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: 900 });
    for (const path of ["/load-tests", "/load-tests?scenario=none", url, "/load-tests/999"]) {
      await page.goto(server.url + path);
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map((violation) => `${path}: ${violation.id}: ${violation.nodes[0]?.html}`)).toEqual([]);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(overflow, `${path} scrolls sideways`).toBeLessThanOrEqual(0);
    }
  });
}
