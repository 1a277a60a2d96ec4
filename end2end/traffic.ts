// Followers from three regions, publishers, and pages that report: something for every panel of the dashboard.

import { expect, Server, test as base } from "./server.ts";

export const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
const REGIONS = ["de", "us", "jp"];

async function post(url: string, body: object, headers: Record<string, string> = {}): Promise<void> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
}

/** Of a server that tells regions apart, without a control group. */
export const TELLS_REGIONS = ["--region-header", "cf-ipcountry", "--control-group-percent", "0"];
/** Sessions that nobody follows: with them the list of all has a second page. */
export const MORE = 60;

export class Traffic {
  private readonly following = new AbortController();
  private beacons = 0;

  constructor(private readonly server: Server) {}

  /** A session of each region, followed from there. */
  async begin(): Promise<void> {
    for (const region of REGIONS) {
      await post(`${this.server.url}/api/v1/sessions`, { id: `tr-${region}`, region, kind: "transcription", user: `user-${region}` });
      await this.publish(`tr-${region}`, 1, "uploading");
      await this.follow(`tr-${region}`, region);
    }
    for (let index = 0; index < MORE; index++) await this.publish(`more-${index}`, 5, "queued");
    for (let progress = 2; progress <= 40; progress += 2) {
      for (const region of REGIONS) await this.publish(`tr-${region}`, progress, "transcribing");
    }
    for (let page = 0; page < 40; page++) await this.report("tr-de", "de", page < 30 ? "buffered" : undefined, FIREFOX);
    for (let page = 0; page < 60; page++) await this.report("tr-us", "us", page < 2 ? "watchdog" : undefined, CHROME);
    await this.annotate("deploy", "v2.1 is out");
  }

  async publish(id: string, progress: number, stage: string, state?: string): Promise<void> {
    await post(`${this.server.url}/api/v1/sessions/${id}/status`, { stage, progress, state });
  }

  async annotate(kind: "deploy" | "note", text: string): Promise<void> {
    await post(`${this.server.url}/api/admin/annotations`, { kind, text });
  }

  /** What one page saw of a session. */
  async report(session: string, region: string, reason: string | undefined, browser = CHROME): Promise<void> {
    const fallbacks = reason ? [{ reason, at_ms: 3_000 }] : [];
    const page = `page-${++this.beacons}`;
    const seen = { first_update_ms: 140, latencies_ms: [9, 12, 31] };
    await post(
      `${this.server.url}/api/v1/beacons`,
      { v: 1, session, page, seq: 0, mode: reason ? "poll" : "stream", ...seen, fallbacks },
      { "cf-ipcountry": region.toUpperCase(), "user-agent": browser, referer: "http://shop.example/orders/17" },
    );
  }

  /** Until the panels tell it: rows are stored every ten seconds. */
  async isTold(): Promise<void> {
    await expect(async () => {
      const panels = await (await fetch(`${this.server.url}/panels`)).text();
      for (const words of [">JP<", "v2.1 is out", "Buffered by a proxy"]) {
        expect(panels).toContain(words);
      }
    }).toPass({ timeout: 30_000 });
  }

  end(): void {
    this.following.abort();
  }

  private async follow(id: string, region: string): Promise<void> {
    const answer = await fetch(`${this.server.url}/api/v1/sessions/${id}/status/stream`, {
      headers: { accept: "text/event-stream", "cf-ipcountry": region.toUpperCase() },
      signal: this.following.signal,
    });
    const reader = answer.body?.getReader();
    void (async () => {
      while (reader && !(await reader.read()).done);
    })().catch(() => {});
  }
}

/** `test` with a server on which all this has happened, one for each worker. */
export const test = base.extend<object, { traffic: Traffic }>({
  server: [
    async ({}, use) => {
      // Its streams stay open to the last test, however slow the machine is.
      const server = await Server.start([...TELLS_REGIONS, "--node", "fra-1", "--idle-close-ms", "3600000"]);
      await use(server);
      await server.stop();
    },
    { scope: "worker", timeout: 90_000 },
  ],
  traffic: [
    async ({ server }, use) => {
      const traffic = new Traffic(server);
      await traffic.begin();
      await traffic.publish("tr-us", 100, "done", "completed");
      await traffic.isTold();
      await use(traffic);
      traffic.end();
    },
    { scope: "worker", auto: true, timeout: 90_000 },
  ],
});

export { expect };
