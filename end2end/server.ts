// The built server for a browser test: on a free port, with a database of its own.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { test as base } from "@playwright/test";

const BINARY = process.env.STREAMGAUGE_BINARY ?? resolve("../target/debug/streamgauge");
// `cargo xtask test` clears this folder and stops what still runs in it.
const FOLDER = process.env.STREAMGAUGE_TEST_DIR ?? "/var/tmp";
// The first start makes a database.
const READY_WITHIN_MS = 60_000;

export class Server {
  private child?: ChildProcess;
  private said = "";

  private constructor(
    readonly port: number,
    readonly folder: string,
    private readonly args: string[],
  ) {}

  /** Starts one and waits until it is ready. */
  static async start(args: string[] = []): Promise<Server> {
    await mkdir(FOLDER, { recursive: true });
    const folder = await mkdtemp(join(FOLDER, "browser-"));
    // As root the database runs as another user, who has to pass this folder.
    await chmod(folder, 0o755);
    const server = new Server(await freePort(), folder, args);
    await server.up();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it again on the same port, with the same data. */
  async up(): Promise<void> {
    const address = `127.0.0.1:${this.port}`;
    const args = ["serve", "--listen", address, "--data-dir", join(this.folder, "data"), ...this.args];
    // A test has no herd of followers to spread.
    const env = { ...process.env, STREAMGAUGE_DRAIN_WINDOW_MS: "500" };
    const child = spawn(BINARY, args, { stdio: ["ignore", "pipe", "pipe"], env });
    this.child = child;
    child.on("error", (error) => (this.said += `${error.message}\n`));
    for (const output of [child.stdout, child.stderr]) {
      output.on("data", (text) => (this.said = (this.said + text).slice(-20_000)));
    }
    const deadline = Date.now() + READY_WITHIN_MS;
    while (!(await this.isReady())) {
      if (child.exitCode !== null || child.pid === undefined || Date.now() > deadline) {
        throw new Error(`The server did not get ready. It said:\n${this.said}`);
      }
      await sleep(50);
    }
  }

  /** Makes an API key beside it. */
  async key(scope: string): Promise<string> {
    const args = ["key", "create", "--name", "test", "--scope", scope, "--data-dir", join(this.folder, "data")];
    const { stdout } = await promisify(execFile)(BINARY, args);
    return stdout.split("\n")[0] ?? "";
  }

  /** Ends it as an operator would, and waits until it has ended. */
  async down(): Promise<void> {
    await this.end("SIGTERM");
  }

  async restart(): Promise<void> {
    await this.down();
    await this.up();
  }

  /** Without a chance to say goodbye. Its database goes on running, for the next start to adopt. */
  async kill9(): Promise<void> {
    await this.end("SIGKILL");
  }

  /** Ends it and removes its data. */
  async stop(): Promise<void> {
    if (this.child?.exitCode === null && this.child.signalCode === null) {
      await this.down();
      await rm(this.folder, { recursive: true, force: true });
    }
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    const late = setTimeout(() => child.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(late);
  }

  private async isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/readyz`)).ok;
    } catch {
      return false;
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, "127.0.0.1", done));
  const { port } = probe.address() as AddressInfo;
  await new Promise((done) => probe.close(done));
  return port;
}

/** `test` with a running `server`, one for each worker; `page.goto("/")` goes there. */
export const test = base.extend<{ baseURL: string }, { server: Server }>({
  server: [
    async ({}, use) => {
      const server = await Server.start();
      await use(server);
      await server.stop();
    },
    { scope: "worker", timeout: READY_WITHIN_MS + 10_000 },
  ],
  baseURL: async ({ server }, use) => use(server.url),
});

export { expect } from "@playwright/test";
