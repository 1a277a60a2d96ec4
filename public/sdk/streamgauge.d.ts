/** A status event, as the publisher sent it. */
export interface Status<Data = unknown> {
  /** `epoch-sequence`: orders the events of a session, and is where a stream resumes. */
  id: string;
  session: string;
  /** All but `running` are for ever. `abandoned`: nothing came for so long that its publisher must be gone. */
  state: "running" | "completed" | "failed" | "abandoned";
  stage: string;
  /** 0 to 100. */
  progress: number;
  message?: string;
  data?: Data;
  /** When it was published, Unix milliseconds on the server's clock. */
  at: number;
}

/** Events were missed that the server can no longer tell. The next status is the current one. */
export interface Gap {
  /** `evicted`: they are too old. `epoch`: the server lost its history. `unknown`: it does not know our position. */
  reason: "unknown" | "evicted" | "epoch";
  resumes_at: string | null;
}

/** Why a session is polled although it should stream. */
export type FallbackReason =
  /** This browser has no EventSource. Streaming is not tried. */
  | "no_event_source"
  /** No stream could be opened, or each was cut at once; the poll route answers. */
  | "connect_failed"
  /** The stream fell silent: not even a ping in 2.5 heartbeats. */
  | "watchdog"
  /** Something on the way holds events back. */
  | "buffered"
  /** The server answered 429 or 503, because it has as many streams as it allows or is about to close. */
  | "refused"
  /** Five streams to this host are open in this browser, and HTTP/1.1 has six connections. */
  | "too_many_tabs";

export type Mode =
  /** No event has come yet, or the stream is being opened again. */
  | "connecting"
  | "stream"
  /** With a reason: a fallback. Without: the session is of the poll cohort. */
  | "poll"
  /** Nothing happened for minutes and the server closed the stream: asked now and then. */
  | "idle"
  /** Neither way gets an answer. Both go on being tried. */
  | "lost"
  /** A poll found no such session. It is asked for again, in case it begins. A stream waits for that, and is "stream". */
  | "unknown"
  /** The ticket was refused. Tried again if `ticket` is a function. */
  | "denied"
  /** The session ended. */
  | "ended"
  /** `close()` was called. */
  | "closed";

export interface Options {
  /** The session's id. Or `url`. */
  session?: string;
  /** The server, with the path it lives under if it has one: `https://status.example.com`. Default: the page's own. */
  base?: string;
  /** The session's `poll_url` as the server gave it, instead of `base` and `session`. */
  url?: string;
  /** A signed ticket, or what makes one; a function is called again after a refusal or a `reconnect`. */
  ticket?: string | (() => string | Promise<string>);
  /** Who follows, where the server counts streams by user and tickets do not say it. */
  user?: string;
  /** As the server answered when the session was made. `poll`: never stream. */
  cohort?: "stream" | "poll";
  /** The last event that the page has, to go on from there. Time to first update is then not reported. */
  lastEventId?: string;
  /** Whether to report what was seen (docs/beacons.md). Default true. */
  beacons?: boolean;

  /** The server's heartbeat, if a ping does not say it. Default 15,000 ms. */
  heartbeatMs?: number;
  /** How long a stream may take to its first event. Default 5,000 ms. */
  openMs?: number;
  /** The longest first wait after a cut; it doubles up to 30 s, and each wait is by chance. Default 3,000 ms. */
  retryMs?: number;
  /** The same before streaming is tried again after a fallback that no retry mends; up to 5 min. Default 30,000 ms. */
  returnMs?: number;
  /** How often an idle session is asked for. Default 30,000 ms. */
  idlePollMs?: number;
}

/** All are optional, and called in the order in which things happened. */
export interface Handlers<Data = unknown> {
  /** Each event at most once and in order, the last one included. */
  onStatus?(status: Status<Data>): void;
  onGap?(gap: Gap): void;
  /** After the last `onStatus`. Nothing is asked any more. */
  onEnd?(status: Status<Data>): void;
  onIdle?(idle: { after_ms: number }): void;
  /** The first call says `connecting`. */
  onMode?(mode: Mode, reason?: FallbackReason): void;
}

export interface Following {
  readonly mode: Mode;
  readonly reason: FallbackReason | undefined;
  /** Asks for the status now, as when a person presses a button; reported as a status check. */
  check(): Promise<void> | undefined;
  close(): void;
}

/** Follows a session until it ends or `close()` is called. A string is the session's `poll_url`. */
export function follow<Data = unknown>(target: string | Options, handlers?: Handlers<Data>): Following;

export interface SelfTest {
  /**
   * `buffered`: events are held back on their way. `unknown`: the server has no self-test or refuses it, without a ticket
   * for example, or the test was cut short.
   */
  verdict: "flows" | "buffered" | "unreachable" | "unknown";
  /** How much longer the slowest of the five ticks took than the quickest. From 400 ms on that is `buffered`. */
  heldMs?: number;
}

/** Whether a stream's events get through as they are sent. Takes about a second. */
export function selfTest(options?: {
  base?: string;
  /** Instead of `base`: the address of the self-test. */
  url?: string | URL;
  /** Any valid ticket, where access is closed. */
  ticket?: string;
  /** Default 5,000 ms. */
  timeoutMs?: number;
}): Promise<SelfTest>;

/** @internal For the tests of this module alone. */
export const parts: {
  pause(n: number, first: number, most: number, chance?: number): number;
  position(last?: string): { last: string; take(id: string): "" | "new" | "epoch"; forget(): void };
  clock(): { note(delay: number): void; offset(): number | undefined };
  bunching(): (at: number, now: number) => boolean;
  retryAfter(text: string | null | undefined, now?: number): number;
};
