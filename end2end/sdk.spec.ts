// The browser SDK in a real browser, against the real server, through a proxy that misbehaves.

import { type Page } from "@playwright/test";
import { parts } from "../public/sdk/streamgauge.js";
import { Proxy } from "./proxy.ts";
import { publish } from "./publisher.ts";
import { expect, Server, test as base } from "./server.ts";

/** Short waits: what takes half a minute in a page takes half a second here. */
const QUICK = { heartbeatMs: 300, openMs: 1_500, retryMs: 200, returnMs: 600, idlePollMs: 250 };
const SETTINGS = ["--control-group-percent", "0", "--heartbeat-ms", "300", "--poll-interval-ms", "250"];

interface Seen {
  /** The handlers' calls in their order: `status 40`, `mode stream`, `gap evicted`, … */
  calls: string[];
  mode: string;
  reason?: string;
}

const test = base.extend<{ line: Proxy }, { quick: Server }>({
  quick: [
    async ({}, use) => {
      const server = await Server.start(SETTINGS);
      await use(server);
      await server.stop();
    },
    { scope: "worker", timeout: 70_000 },
  ],
  line: async ({ quick }, use) => {
    const line = await Proxy.start(quick.port);
    await use(line);
    line.stop();
  },
});

test.skip(({ javaScriptEnabled }) => !javaScriptEnabled);

let counter = 0;
const fresh = () => `sdk-${Date.now()}-${counter++}`;

/** Follows in an empty page. `from`: the origin of the page, where it is not the server's. */
async function follow(page: Page, line: Proxy, session: string, options: object = {}, from = line): Promise<void> {
  await page.goto(`${from.url}/blank`);
  await begin(page, { base: line === from ? "" : line.url, session, ...QUICK, ...options });
}

async function begin(page: Page, options: object): Promise<void> {
  await page.evaluate(async (options) => {
    const { follow } = await import("/sdk/streamgauge.js" as string);
    const calls: string[] = [];
    const following = follow(options, {
      onStatus: ({ progress }: { progress: number }) => calls.push(`status ${progress}`),
      onGap: ({ reason }: { reason: string }) => calls.push(`gap ${reason}`),
      onEnd: ({ state }: { state: string }) => calls.push(`end ${state}`),
      onIdle: () => calls.push("idle"),
      onMode: (mode: string, reason?: string) => calls.push(`mode ${mode}${reason ? ` ${reason}` : ""}`),
    });
    Object.assign(window, { calls, following });
  }, options);
}

async function seen(page: Page): Promise<Seen> {
  return page.evaluate(() => {
    const { calls, following } = window as unknown as { calls: string[]; following: Seen };
    return { calls: [...calls], mode: following.mode, reason: following.reason };
  });
}

const isMode = (page: Page, mode: string, reason?: string) =>
  expect.poll(async () => (({ mode, reason }) => ({ mode, reason }))(await seen(page))).toEqual({ mode, reason });
const has = (page: Page, call: string) => expect.poll(async () => (await seen(page)).calls).toContain(call);
const progresses = async (page: Page) =>
  (await seen(page)).calls.filter((call) => call.startsWith("status ")).map((call) => Number(call.slice(7)));
const streams = (line: Proxy) => line.count(({ path }) => path.endsWith("/status/stream"));
const polls = (line: Proxy) => line.count(({ path }) => path.endsWith("/status"));
const hide = (page: Page) => page.evaluate(() => void window.dispatchEvent(new PageTransitionEvent("pagehide")));

test.describe("what is decided without IO", () => {
  test("waits double, are spread by chance, and are bounded", () => {
    const check = (n: number, chance: number, expected: number) =>
      expect(parts.pause(n, 3_000, 30_000, chance)).toBe(expected);
    check(0, 0, 1_000);
    check(0, 1, 3_000);
    check(2, 0, 1_000);
    check(2, 1, 12_000);
    check(40, 1, 30_000);
    const waits = Array.from({ length: 1_000 }, () => parts.pause(0, 3_000, 30_000));
    expect(new Set(waits.map((wait) => Math.floor(wait / 100))).size).toBeGreaterThan(15);
  });

  test("an event is given once, by its number within its epoch", () => {
    const check = (ids: string, expected: string, last?: string) => {
      const position = parts.position(last);
      expect(ids.split(" ").map((id) => position.take(id) || "had").join(" ")).toBe(expected);
    };
    check("a-1 a-2 a-2 a-1 a-3", "new new had had new");
    check("a-9 a-10 a-9", "new new had");
    // A jump is no loss: the server may leave out what was overtaken.
    check("a-1 a-7 a-6", "new new had");
    check("a-5 b-1 b-1 b-2", "new epoch had new");
    // A node that lags behind tells of the old epoch again.
    check("a-5 b-1 a-5 b-2", "new epoch had new");
    check("a-4 a-5 a-6", "had had new", "a-5");
    const position = parts.position("a-9");
    position.forget();
    expect(position.take("a-3")).toBe("new");
    expect(position.last).toBe("a-3");
  });

  test("the clock offset is the lowest recent delay", () => {
    const clock = parts.clock();
    expect(clock.offset()).toBeUndefined();
    for (const delay of [5_030, 5_004, 5_900]) clock.note(delay);
    expect(clock.offset()).toBe(5_004);
    // A clock that was set is believed once what came before is out of the window.
    for (let i = 0; i < 32; i++) clock.note(-200 + i);
    expect(clock.offset()).toBe(-200);
  });

  test("bunching is two bursts running, each sent over two seconds", () => {
    const check = (bursts: [sent: number, came: number][], expected: boolean) => {
      const bunched = parts.bunching();
      expect(bursts.map(([sent, came]) => bunched(sent, came)).includes(true)).toBe(expected);
    };
    const burst = (from: number, to: number, came: number): [number, number][] => [[from, came], [to, came + 5]];
    const T = 1e12;
    check([...burst(0, 4_000, T), ...burst(5_000, 9_000, T + 10_000), ...burst(10_000, 14_000, T + 15_000)], true);
    // The first is history, the second alone is a tunnel.
    check([...burst(0, 4_000, T), ...burst(5_000, 9_000, T + 10_000)], false);
    check([...burst(0, 4_000, T), ...burst(5_000, 9_000, T + 10_000), [9_500, T + 10_600], ...burst(10_000, 14_000, T + 15_000)], false);
    // A quick publisher.
    check(Array.from({ length: 100 }, (_, i): [number, number] => [i * 50, T + i * 50]), false);
  });

  test("Retry-After is seconds or a date", () => {
    expect(parts.retryAfter("7")).toBe(7_000);
    expect(parts.retryAfter("Mon, 23 Nov 2026 14:00:05 GMT", Date.UTC(2026, 10, 23, 14))).toBe(5_000);
    for (const none of [null, undefined, "", "soon"]) expect(parts.retryAfter(none)).toBe(0);
  });
});

test("every event once and in order, however often the stream is cut", async ({ page, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 0 }]);
  await follow(page, line, id);
  await has(page, "status 0");
  for (let progress = 1; progress <= 60; progress++) {
    await publish(quick.url, id, [{ stage: "work", progress }]);
    if (progress % 20 === 0) {
      line.cut();
      await expect.poll(() => line.open).toBe(1);
    }
  }
  await publish(quick.url, id, [{ stage: "work", progress: 100, state: "completed" }]);
  await has(page, "end completed");
  expect(await progresses(page)).toEqual([...Array(61).keys(), 100]);
  const { calls } = await seen(page);
  expect(calls.filter((call) => /gap|poll|lost/.test(call))).toEqual([]);
  expect(line.passed.find(({ path, query }) => path.endsWith("/stream") && query.has("last-event-id"))).toBeTruthy();
});

test("after the end nothing is asked any more", async ({ page, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 100, state: "completed" }]);
  await follow(page, line, id);
  await has(page, "end completed");
  expect((await seen(page)).calls).toEqual(["mode connecting", "mode stream", "status 100", "mode ended", "end completed"]);
  const asked = streams(line) + polls(line);
  await page.evaluate(() => (window as unknown as { following: { check(): void } }).following.check());
  // Longer than any wait of these settings: what should not come cannot be awaited.
  await page.waitForTimeout(1_000);
  expect(streams(line) + polls(line)).toBe(asked);
});

test("a page that has the end already is told of it, and not of its status again", async ({ page, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 100, state: "completed" }]);
  const { id: last } = await (await fetch(`${quick.url}/api/v1/sessions/${id}/status`)).json();
  await follow(page, line, id, { lastEventId: last });
  await has(page, "end completed");
  expect((await seen(page)).calls).toEqual(["mode connecting", "mode ended", "end completed"]);
  expect(line.beacons).toEqual([]);
});

test("a page that closes in a handler stays closed", async ({ page, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
  for (const when of ["connecting", "stream", "poll"]) {
    line.refuse = when === "poll" ? { status: 503 } : undefined;
    await page.goto(`${line.url}/blank`);
    await page.evaluate(
      async ([id, when]) => {
        const { follow } = await import("/sdk/streamgauge.js" as string);
        const modes: string[] = [];
        const following = follow(
          { session: id, heartbeatMs: 100, retryMs: 50, returnMs: 50 },
          {
            onMode(mode: string) {
              modes.push(mode);
              if (mode === when) following.close();
            },
          },
        );
        Object.assign(window, { modes });
      },
      [id, when] as const,
    );
    const modes = () => page.evaluate(() => (window as unknown as { modes: string[] }).modes);
    await expect.poll(async () => (await modes()).at(-1)).toBe("closed");
    const asked = line.passed.length;
    // Many times the longest wait of these settings.
    await page.waitForTimeout(800);
    expect((await modes()).at(-1)).toBe("closed");
    expect(line.passed.slice(asked).map(({ path }) => path).filter((path) => path !== "/api/v1/beacons")).toEqual([]);
  }
});

test("a lost line: said, then mended without a loss", async ({ page, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
  await follow(page, line, id);
  await isMode(page, "stream");
  line.die();
  await isMode(page, "lost");
  await publish(quick.url, id, [2, 3, 4].map((progress) => ({ stage: "work", progress })));
  line.dead = false;
  await isMode(page, "stream");
  // The poll that found the server again may be ahead of the stream: then what lies between is not told late.
  await expect.poll(async () => (await progresses(page)).at(-1)).toBe(4);
  const told = await progresses(page);
  expect(told).toEqual([...new Set(told)].sort((a, b) => a - b));
});

test("a gap is told before the snapshot", async ({ page }) => {
  const server = await Server.start([...SETTINGS, "--history-events", "4", "--idle-close-ms", "1000"]);
  const line = await Proxy.start(server.port);
  try {
    const id = fresh();
    await publish(server.url, id, [{ stage: "work", progress: 1 }]);
    // A long first wait, so that all is published before it is over.
    await follow(page, line, id, { retryMs: 3_000 });
    await has(page, "status 1");
    line.cut();
    await publish(server.url, id, [...Array(9).keys()].map((n) => ({ stage: "work", progress: n + 2 })));
    await has(page, "status 10");
    const { calls } = await seen(page);
    expect(calls.slice(calls.indexOf("gap evicted"))).toContain("status 10");
    expect(await progresses(page)).toEqual([1, 10]);

    // No event for a second: the server closes, the page asks now and then, and streams again with the next event.
    await isMode(page, "idle");
    await has(page, "idle");
    await publish(server.url, id, [{ stage: "work", progress: 50 }]);
    await isMode(page, "stream");
    await has(page, "status 50");
    expect(line.beacons.flatMap(({ fallbacks }) => fallbacks)).toEqual([]);

    // A server that was killed begins another epoch.
    await server.kill9();
    await server.up();
    await has(page, "gap epoch");
    await publish(server.url, id, [{ stage: "work", progress: 60, state: "failed" }]);
    await has(page, "end failed");
    // What it had not stored yet is lost, so its snapshot may be older than what the page had.
    expect((await progresses(page)).at(-1)).toBe(60);
  } finally {
    line.stop();
    await server.stop();
  }
});

test("a silent stream is given up by the watchdog", async ({ page, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
  // A long way back, so that the fallback can be looked at.
  await follow(page, line, id, { retryMs: 3_000 });
  await isMode(page, "stream");
  // Pings reset it.
  await page.waitForTimeout(1_500);
  expect((await seen(page)).calls).toEqual(["mode connecting", "mode stream", "status 1"]);
  line.swallow = ["ping"];
  await isMode(page, "poll", "watchdog");
  await publish(quick.url, id, [{ stage: "work", progress: 2 }]);
  await has(page, "status 2");
  line.swallow = [];
  await isMode(page, "stream");
  expect(await progresses(page)).toEqual([1, 2]);
});

for (const [hold, what] of [["head", "the head"], ["body", "the body"]] as const) {
  test(`a proxy that holds ${what} back is recognised`, async ({ page, line, quick }) => {
    const id = fresh();
    await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
    line.hold = hold;
    await follow(page, line, id);
    await isMode(page, "poll", "buffered");
    await publish(quick.url, id, [{ stage: "work", progress: 2 }]);
    await has(page, "status 2");
    line.hold = undefined;
    await isMode(page, "stream");
    expect(await progresses(page)).toEqual([1, 2]);
    await hide(page);
    await expect.poll(() => line.beacons.flatMap(({ fallbacks }) => fallbacks.map(({ reason }) => reason))).toEqual(["buffered"]);
  });
}

test("a proxy that lets events through in bunches is recognised", async ({ page, server }) => {
  // With a heartbeat that is longer than the bunches: else it is the watchdog that gives up.
  const line = await Proxy.start(server.port);
  const id = fresh();
  await publish(server.url, id, [{ stage: "work", progress: 0 }]);
  line.hold = 2_800;
  await follow(page, line, id, { openMs: 4_000, heartbeatMs: 15_000 });
  let progress = 0;
  await expect(async () => {
    await publish(server.url, id, [{ stage: "work", progress: ++progress % 100 }]);
    expect((await seen(page)).reason).toBe("buffered");
  }).toPass({ intervals: [150], timeout: 20_000 });
  line.stop();
});

for (const [hold, verdict] of [[undefined, "flows"], ["head", "buffered"], ["body", "buffered"], [600, "buffered"]] as const) {
  test(`the self-test says "${verdict}" where ${hold ?? "nothing"} is held`, async ({ page, line }) => {
    line.hold = hold;
    await page.goto(`${line.url}/blank`);
    const test = async () => (await import("/sdk/streamgauge.js" as string)).selfTest();
    expect((await page.evaluate(test)).verdict).toBe(verdict);
  });
}

test("the self-test knows when it cannot know", async ({ page, line }) => {
  await page.goto(`${line.url}/blank`);
  const ask = (options: object) =>
    page.evaluate(async (options) => (await import("/sdk/streamgauge.js" as string)).selfTest(options), options);
  expect((await ask({ url: "/api/v1/no-such-route" })).verdict).toBe("unknown");
  expect((await ask({ base: "http://127.0.0.1:9" })).verdict).toBe("unreachable");
});

for (const status of [429, 503]) {
  test(`refused by a limit (${status}) it polls, and returns`, async ({ page, line, quick }) => {
    const id = fresh();
    await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
    line.refuse = { status, retryAfter: 1 };
    await follow(page, line, id);
    await isMode(page, "poll", "refused");
    await has(page, "status 1");
    const refusedAt = Date.now();
    await expect.poll(() => streams(line)).toBeGreaterThan(2);
    expect(Date.now() - refusedAt).toBeGreaterThan(500);
    line.refuse = undefined;
    await isMode(page, "stream");
    expect(await progresses(page)).toEqual([1]);
  });
}

test("a user's fourth stream is refused by the server itself, and takes the place of one that ends", async ({ context, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
  const tabs: Page[] = [];
  for (let tab = 0; tab < 4; tab++) {
    const page = await context.newPage();
    tabs.push(page);
    await follow(page, line, id, { user: `${id}-user` });
    await isMode(page, tab < 3 ? "stream" : "poll", tab < 3 ? undefined : "refused");
  }
  const [first, , , last] = tabs as [Page, Page, Page, Page];
  await has(last, "status 1");
  await first.close();
  await expect.poll(async () => (await seen(last)).mode, { timeout: 20_000 }).toBe("stream");
  expect(await progresses(last)).toEqual([1]);
  for (const page of tabs.slice(1)) await page.close();
});

test("an answer that is no stream is a failed connection", async ({ page, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
  line.refuse = { status: 502 };
  await follow(page, line, id);
  await isMode(page, "poll", "connect_failed");
});

test("without EventSource it polls for good", async ({ page, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
  await page.addInitScript(() => Reflect.deleteProperty(window, "EventSource"));
  await follow(page, line, id);
  await isMode(page, "poll", "no_event_source");
  await publish(quick.url, id, [{ stage: "work", progress: 100, state: "completed" }]);
  await has(page, "end completed");
  expect(streams(line)).toBe(0);
});

test("the poll cohort polls, and nothing is sent twice", async ({ page, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
  await follow(page, line, id, { cohort: "poll" });
  await isMode(page, "poll");
  // The browser's cache sends the ETag by itself.
  await expect.poll(() => line.count(({ status }) => status === 304)).toBeGreaterThan(1);
  await publish(quick.url, id, [{ stage: "work", progress: 2 }]);
  await has(page, "status 2");
  expect(streams(line)).toBe(0);
  await hide(page);
  await expect.poll(() => line.beacons.map(({ mode, fallbacks }) => ({ mode, fallbacks }))).toEqual([{ mode: "poll", fallbacks: [] }]);
});

test("the sixth tab and those after it leave a connection free", async ({ context, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
  const tabs: Page[] = [];
  for (let tab = 0; tab < 7; tab++) {
    const page = await context.newPage();
    tabs.push(page);
    await follow(page, line, id, { returnMs: 60_000 });
    await isMode(page, tab < 5 ? "stream" : "poll", tab < 5 ? undefined : "too_many_tabs");
  }
  // Everybody is told.
  await publish(quick.url, id, [{ stage: "work", progress: 2 }]);
  for (const page of tabs) await has(page, "status 2");
  expect(line.open).toBe(5);
  // A place that gets free is taken at once.
  await tabs[0]?.close({ runBeforeUnload: false });
  await expect.poll(async () => (await Promise.all(tabs.slice(5).map(seen))).map(({ mode }) => mode)).toContain("stream");
  for (const page of tabs.slice(1)) await page.close();
});

test("tabs that begin together share the connections out", async ({ context, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
  const tabs = await Promise.all(Array.from({ length: 4 }, () => context.newPage()));
  for (const page of tabs) await page.goto(`${line.url}/blank`);
  // Two sessions a page: eight streams.
  await Promise.all(tabs.map((page) => begin(page, { session: id, ...QUICK, returnMs: 60_000 })));
  await Promise.all(tabs.map((page) => begin(page, { session: id, ...QUICK, returnMs: 60_000 })));
  await expect.poll(() => line.open).toBe(5);
  for (const page of tabs) await has(page, "status 1");
  for (const page of tabs) await page.close();
});

test("told to reconnect it comes back after the time that was said", async ({ page, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
  await follow(page, line, id);
  await has(page, "status 1");
  const before = streams(line);
  const said = Date.now();
  line.farewell("reconnect", { in_ms: 900 });
  await publish(quick.url, id, [{ stage: "work", progress: 2 }]);
  await expect.poll(() => streams(line), { intervals: [20] }).toBe(before + 1);
  expect(Date.now() - said).toBeGreaterThan(850);
  await has(page, "status 2");
  expect((await seen(page)).calls).not.toContain("mode lost");
  expect(await progresses(page)).toEqual([1, 2]);
});

test("a session that does not exist yet is followed from its first event on", async ({ page, line, quick }) => {
  const id = fresh();
  await follow(page, line, id);
  await isMode(page, "stream");
  const opened = streams(line);
  await publish(quick.url, id, [1, 2, 3].map((progress) => ({ stage: "work", progress })));
  await has(page, "status 3");
  expect(await progresses(page)).toEqual([1, 2, 3]);
  expect((await seen(page)).calls.filter((call) => /gap|unknown|poll/.test(call))).toEqual([]);
  expect(streams(line)).toBe(opened);
});

test("a poller of a session that does not exist yet asks until it begins", async ({ page, line, quick }) => {
  const id = fresh();
  await follow(page, line, id, { cohort: "poll" });
  await isMode(page, "unknown");
  await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
  await has(page, "status 1");
  await isMode(page, "poll");
});

test("a ticket that was refused is made anew", async ({ page, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
  line.refuse = { status: 401 };
  await follow(page, line, id, { ticket: "old" });
  await isMode(page, "denied");
  const asked = streams(line);
  await page.evaluate((id) => {
    (window as unknown as { following: { close(): void } }).following.close();
    let n = 0;
    return import("/sdk/streamgauge.js" as string).then(({ follow }) => {
      const following = follow({ session: id, retryMs: 200, ticket: async () => `ticket-${n++}` });
      Object.assign(window, { following });
    });
  }, id);
  await expect.poll(() => line.count(({ query }) => query.get("ticket") === "ticket-1")).toBeGreaterThan(0);
  line.refuse = undefined;
  await isMode(page, "stream");
  expect(line.count(({ query }) => query.get("ticket") === "old")).toBe(asked);
});

test("a page in the back/forward cache holds no stream, and resumes", async ({ page, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
  await follow(page, line, id);
  await has(page, "status 1");
  const turn = (name: string) =>
    page.evaluate((name) => void window.dispatchEvent(new PageTransitionEvent(name, { persisted: true })), name);
  await turn("pagehide");
  await expect.poll(() => line.open).toBe(0);
  await publish(quick.url, id, [2, 3].map((progress) => ({ stage: "work", progress })));
  await turn("pageshow");
  await has(page, "status 3");
  expect(await progresses(page)).toEqual([1, 2, 3]);
});

test("a page's own mistakes do not end its following", async ({ page, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
  const errors: string[] = [];
  page.on("pageerror", ({ message }) => errors.push(message));
  await page.goto(`${line.url}/blank`);
  await page.evaluate(async (id) => {
    const { follow } = await import("/sdk/streamgauge.js" as string);
    const wrong = () => {
      throw new Error("mine");
    };
    const ended = () => Object.assign(window, { ended: true });
    follow({ session: id }, { onMode: wrong, onStatus: wrong, onEnd: ended });
  }, id);
  await publish(quick.url, id, [{ stage: "work", progress: 100, state: "completed" }]);
  await expect.poll(() => page.evaluate(() => "ended" in window)).toBe(true);
  expect(errors).toContain("mine");
});

test("beacons tell what was seen, each thing once", async ({ page, line, quick }) => {
  const id = fresh();
  await publish(quick.url, id, [{ stage: "work", progress: 0 }]);
  // A clock that is five minutes ahead: taken from it as they are, latencies would be as long.
  await page.addInitScript(() => {
    const now = Date.now;
    Date.now = () => now() + 300_000;
  });
  await follow(page, line, id);
  await page.reload();
  await begin(page, { session: id, ...QUICK });
  await isMode(page, "stream");
  // The clocks are compared by a ping.
  await page.waitForTimeout(700);
  await publish(quick.url, id, [1, 2, 3].map((progress) => ({ stage: "work", progress })));
  await has(page, "status 3");
  await page.evaluate(() => (window as unknown as { following: { check(): Promise<void> } }).following.check());
  await hide(page);
  await expect.poll(() => line.beacons.filter(({ refreshes }) => refreshes).length).toBe(1);
  const own = line.beacons.find(({ refreshes }) => refreshes);
  expect(own).toMatchObject({ v: 1, session: id, seq: 0, mode: "stream", refreshes: 1, status_checks: 1, fallbacks: [] });
  expect(own?.page).toMatch(/^[0-9-]{5,32}$/);
  expect(own?.first_update_ms).toBeLessThan(5_000);
  // Not the snapshot, which was published before the stream began.
  expect(own?.latencies_ms).toHaveLength(3);
  for (const latency of own?.latencies_ms ?? []) expect(latency).toBeLessThan(500);

  await page.evaluate(() => void window.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await isMode(page, "stream");
  await publish(quick.url, id, [{ stage: "work", progress: 100, state: "completed" }]);
  await has(page, "end completed");
  const mine = () => line.beacons.filter((beacon) => beacon.page === own?.page);
  await expect.poll(() => mine().length).toBe(2);
  expect(mine()[1]).toMatchObject({ seq: 1, refreshes: 0, status_checks: 0, fallbacks: [], latencies_ms: [expect.any(Number)] });
  expect(mine()[1]).not.toHaveProperty("first_update_ms");
});

test("from another origin everything works, without a preflight", async ({ page, line, quick }) => {
  const id = fresh();
  const other = await Proxy.start(quick.port);
  await publish(quick.url, id, [{ stage: "work", progress: 1 }]);
  line.refuse = { status: 503, retryAfter: 0 };
  await follow(page, line, id, { ticket: "t", user: "u 1" }, other);
  await isMode(page, "poll", "refused");
  await expect.poll(() => line.count(({ status }) => status === 304)).toBeGreaterThan(0);
  line.refuse = undefined;
  await isMode(page, "stream");
  await publish(quick.url, id, [{ stage: "work", progress: 100, state: "completed" }]);
  await has(page, "end completed");
  await expect.poll(() => line.beacons.length).toBe(2);
  expect(line.count(({ method }) => method === "OPTIONS")).toBe(0);
  const beacon = line.passed.find(({ path }) => path === "/api/v1/beacons");
  expect(beacon?.type).toMatch(/^text\/plain/);
  expect([beacon?.query.get("ticket"), beacon?.query.get("user")]).toEqual(["t", "u 1"]);
  other.stop();
});
