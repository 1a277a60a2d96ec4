// A proxy that misbehaves on demand, as those between a browser and a server do.

import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, type Socket } from "node:net";

const SDK = new URL("../public/sdk/streamgauge.js", import.meta.url);

export interface Beacon {
  v: number;
  session: string;
  page: string;
  seq: number;
  mode: "stream" | "poll" | "none";
  first_update_ms?: number;
  latencies_ms: number[];
  refreshes: number;
  status_checks: number;
  fallbacks: { reason: string; at_ms: number }[];
}

/** One request that passed, and how it was answered. */
export interface Passed {
  method: string;
  path: string;
  query: URLSearchParams;
  status: number;
  type?: string;
}

export class Proxy {
  /** Streams are refused so, without asking the server. */
  refuse?: { status: number; retryAfter?: number };
  /** Every connection is closed without an answer. */
  dead = false;
  /** What is held back of streams: their head and all, all but the head, or all for so many ms at a time. */
  hold?: "head" | "body" | number;
  /** Events of these names do not pass. */
  swallow: string[] = [];
  readonly passed: Passed[] = [];
  readonly beacons: Beacon[] = [];
  private readonly streams = new Set<ServerResponse>();
  private readonly sockets = new Set<Socket>();
  private server!: Server;

  private constructor(private readonly port: number) {}

  static async start(port: number): Promise<Proxy> {
    const proxy = new Proxy(port);
    proxy.server = createServer((from, to) => void proxy.handle(from, to));
    proxy.server.on("connection", (socket) => {
      if (proxy.dead) return socket.destroy();
      proxy.sockets.add(socket);
      socket.on("close", () => proxy.sockets.delete(socket));
    });
    await new Promise<void>((done) => proxy.server.listen(0, "127.0.0.1", done));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get open(): number {
    return this.streams.size;
  }

  /** Cuts every stream. */
  cut(): void {
    for (const stream of this.streams) stream.destroy();
  }

  /** Says something in every stream and ends it, as a server does that closes. */
  farewell(event: string, data: object): void {
    for (const stream of this.streams) stream.end(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Away: what is open is cut, and what comes gets no answer. */
  die(): void {
    this.dead = true;
    for (const socket of this.sockets) socket.destroy();
  }

  stop(): void {
    this.die();
    this.server.close();
  }

  count(test: (passed: Passed) => boolean): number {
    return this.passed.filter(test).length;
  }

  private async handle(from: IncomingMessage, to: ServerResponse): Promise<void> {
    const { pathname: path, searchParams: query } = new URL(from.url ?? "/", this.url);
    const passed: Passed = { method: from.method ?? "", path, query, status: 0, type: from.headers["content-type"] };
    this.passed.push(passed);
    to.on("finish", () => (passed.status = to.statusCode));
    to.setHeader("access-control-allow-origin", "*");
    if (path === "/blank") {
      to.setHeader("content-type", "text/html").end("<!doctype html><title>A page</title>");
    } else if (path === "/sdk/streamgauge.js") {
      to.setHeader("content-type", "text/javascript").end(await readFile(SDK));
    } else if (path === "/api/v1/beacons") {
      let body = "";
      for await (const part of from) body += part;
      this.beacons.push(JSON.parse(body));
      to.writeHead(204).end();
    } else if (path.endsWith("/stream") && this.refuse) {
      const { status, retryAfter } = this.refuse;
      if (retryAfter !== undefined) to.setHeader("retry-after", retryAfter);
      to.setHeader("access-control-expose-headers", "retry-after");
      to.writeHead(status).end("{}");
    } else {
      this.forward(from, to);
    }
  }

  private forward(from: IncomingMessage, to: ServerResponse): void {
    const upstream = request({ port: this.port, method: from.method, path: from.url, headers: from.headers });
    upstream.on("error", () => to.destroy());
    to.on("close", () => upstream.destroy());
    upstream.on("response", (answer) => {
      const status = answer.statusCode ?? 500;
      if (!answer.headers["content-type"]?.startsWith("text/event-stream")) {
        to.writeHead(status, answer.headers);
        answer.pipe(to);
        return;
      }
      const out = this.stream(to, () => to.writeHead(status, answer.headers));
      answer.setEncoding("utf8");
      // The server writes whole events.
      answer.on("data", (text: string) => {
        const events = text.split(/(?<=\n\n)/);
        out.write(events.filter((event) => !this.swallow.some((name) => event.includes(`event: ${name}\n`))).join(""));
      });
      answer.on("end", () => out.end());
      answer.on("error", () => to.destroy());
    });
    from.pipe(upstream);
  }

  /** The way of a stream's bytes, held back as asked. */
  private stream(to: ServerResponse, head: () => void) {
    const hold = this.hold;
    let held = "";
    const flush = () => {
      if (held && !to.destroyed) to.write(held);
      held = "";
    };
    if (hold !== "head") {
      head();
      to.flushHeaders();
    }
    const timer = typeof hold === "number" ? setInterval(flush, hold) : undefined;
    this.streams.add(to);
    to.on("close", () => {
      this.streams.delete(to);
      clearInterval(timer);
    });
    return {
      write: (text: string) => {
        held += text;
        if (hold === undefined) flush();
      },
      end: () => {
        if (hold === "head") head();
        flush();
        to.end();
      },
    };
  }

  /** What the server's self-test sends: five ticks, 200 ms apart. */
}
