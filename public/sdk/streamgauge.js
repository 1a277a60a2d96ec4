// Follows a long-running session over Server-Sent Events, and by polling where streams do not get through.
// Options and handlers: streamgauge.d.ts.

const EVENTS = ["status", "ping", "gap", "end", "idle", "reconnect"];
/** HTTP/1.1: six connections to a host, for all tabs together. One stays free for polls and pages. */
const ROOM = 5;

/** What decides without IO, for tests alone: it may change with any release. */
export const parts = {
  /** Wait before attempt `n`, by chance up to a bound that doubles: a crowd that was cut returns spread out. */
  pause(n, first, most, chance = Math.random()) {
    const least = first / 3;
    return least + chance * (Math.min(most, first * 2 ** n) - least);
  },

  /** Which events the page has had. An epoch numbers them; it changes when history was lost. */
  position(last = "") {
    const seqs = {};
    const at = { last: "" };
    /** "" for what the page has had; else "new", or "epoch" for the first of another epoch. */
    at.take = (id) => {
      const [epoch, seq] = id.split("-");
      if (+seq <= seqs[epoch]) return "";
      const found = at.last && at.last.split("-")[0] != epoch ? "epoch" : "new";
      seqs[epoch] = +seq;
      at.last = id;
      return found;
    };
    /** The server does not know our last id: it counts anew. */
    at.forget = () => delete seqs[at.last.split("-")[0]];
    if (last) at.take(last);
    return at;
  },

  /** This clock less the server's: the least of the last 32 one-way delays, for what is above it has waited. */
  clock() {
    const delays = [];
    return {
      note: (delay) => delays.push(delay) > 32 && delays.shift(),
      offset: () => (delays.length ? Math.min(...delays) : undefined),
    };
  },

  /** Whether events are held back on their way: sent 2 s apart or more, they come within 100 ms, twice running. */
  bunching() {
    let came = 0, sent, bursts = 0, held, before;
    return (at, now) => {
      if (now - came > 100) {
        [before, held, sent] = [held, false, at];
        bursts++;
      }
      came = now;
      // The first burst is history, rightly told at once.
      held ||= bursts > 1 && at - sent >= 2_000;
      return !!(held && before);
    };
  },

  /** `Retry-After`, in seconds or as a date: ms, 0 without it. */
  retryAfter: (text, now = Date.now()) => Math.max(0, text * 1_000 || Date.parse(text) - now || 0),
};

export function follow(target, handlers = {}) {
  const options = typeof target == "string" ? { url: target } : target;
  const { base = "", openMs = 5_000, retryMs = 3_000, returnMs = 30_000, idlePollMs = 30_000 } = options;
  const home = new URL(options.url ?? `${base}/api/v1/sessions/${options.session}/status`, location.href);
  const streams = options.cohort != "poll" && !!window.EventSource;
  const me = crypto.getRandomValues(new Uint32Array(3)).join("-");
  const position = parts.position(options.lastEventId);
  const clock = parts.clock();
  const began = performance.now();
  const listening = new AbortController();

  let mode, reason, over, ticket, heartbeat = options.heartbeatMs ?? 15_000, interval = 3_000;
  // The stream. `live`: when its first event came; a proxy may answer and hold that back.
  let source, opened, live, bunched, gapTold, attempt = 0, failures = 0, watch, again, channel, others = new Set();
  // The poll. `why`: the reason of a fallback, "idle", or none in the poll cohort.
  let polling, why, counted, round = 0, misses = 0, next;

  const fresh = async () => (ticket ??= await (options.ticket?.call ? options.ticket() : options.ticket));

  const address = (path, query) => {
    const url = new URL(path, home);
    url.search = home.search;
    for (const [name, value] of Object.entries({ ticket, user: options.user, ...query })) {
      if (value) url.searchParams.set(name, value);
    }
    return url;
  };

  // The browser's cache sends `If-None-Match`: ours would cost a preflight across origins.
  const get = (url, headers) => fetch(url, { headers, cache: "no-cache", signal: AbortSignal.timeout(10_000) });

  const retryAfter = (answer) => parts.retryAfter(answer?.headers.get("retry-after"));

  const tell = (name, ...what) => {
    // A page's mistake must not end its following.
    try {
      handlers[name]?.(...what);
    } catch (error) {
      reportError(error);
    }
  };

  const say = (now, cause) => {
    if (over || (mode == now && reason == cause)) return;
    [mode, reason] = [now, cause];
    tell("onMode", now, cause);
  };

  // What was seen here and not yet reported.
  let report, way = "none", reports = 0;
  const blank = () => (report = { late: [], refreshes: 0, status_checks: 0, fallbacks: [] });
  const note = (what) => Object.assign(report, what, { news: true });
  blank();
  if (performance.getEntriesByType("navigation")[0]?.type == "reload") note({ refreshes: 1 });

  const flush = () => {
    const { news, late, ...seen } = report;
    blank();
    if (!news || options.beacons === false) return;
    const offset = clock.offset();
    // What was published before its stream began waited for the page, not on the way.
    const timed = late.filter(({ before }) => before <= offset);
    const latencies_ms = timed.map(({ delay }) => Math.round(Math.max(0, delay - offset)));
    const session = decodeURIComponent(home.pathname.split("/").at(-2));
    const body = { v: 1, session, page: me, seq: reports++, mode: way, ...seen, latencies_ms };
    // As text/plain: application/json costs a preflight across origins, for which a closing page has no time.
    navigator.sendBeacon?.(address("../../beacons"), JSON.stringify(body));
  };

  const take = (event, by) => {
    if (over) return;
    const found = position.take(event.id);
    if (found) {
      if (found == "epoch" && !gapTold) tell("onGap", { reason: "epoch", resumes_at: event.id });
      gapTold = false;
      if (way == "none" && !options.lastEventId) note({ first_update_ms: Math.round(performance.now() - began) });
      way = by;
      tell("onStatus", event);
    }
    if (event.state != "running" && !over) {
      finish("ended");
      tell("onEnd", event);
    }
    return found;
  };

  /** Ends the stream and all that is under way for it. */
  const drop = () => {
    attempt++;
    source?.close();
    if (source && !full()) tabs("bye");
    source = live = undefined;
    clearTimeout(watch);
    clearTimeout(again);
  };

  const later = (wait) => {
    clearTimeout(again);
    again = setTimeout(connect, wait);
  };

  const connect = async () => {
    if (over) return;
    drop();
    const mine = attempt;
    if (!polling) say("connecting");
    try {
      await fresh();
    } catch {
      return mine == attempt && fall("connect_failed");
    }
    if (mine != attempt) return;
    const from = new EventSource(address("status/stream", { "last-event-id": position.last }));
    source = from;
    opened = false;
    bunched = parts.bunching();
    watch = setTimeout(stuck, openMs);
    from.onopen = () => (opened = true);
    from.onerror = () => from == source && broke(from.readyState == EventSource.CLOSED);
    for (const name of EVENTS) {
      from.addEventListener(name, ({ data }) => from == source && hear(name, JSON.parse(data)));
    }
    count();
  };

  const hear = (name, data) => {
    const now = Date.now();
    if (name == "ping") {
      heartbeat = data.heartbeat_ms ?? heartbeat;
      clock.note(now - data.at);
    }
    const silence = 2.5 * heartbeat;
    clearTimeout(watch);
    watch = setTimeout(fall, silence, "watchdog");
    if (!live) {
      live = now;
      counted = false;
      count();
      unpoll();
      say("stream");
    }
    // Pings come through, so the next failure is a first one.
    if (now - live > silence) failures = 0;
    const held = data.at && bunched(data.at, now);
    if (name == "status" || name == "end") {
      report.late.push({ delay: now - data.at, before: live - data.at });
      note();
      take(data, "stream");
      if (report.late.length > 63) flush();
    } else if (name == "gap") {
      gapTold = true;
      if (data.reason == "unknown") position.forget();
      tell("onGap", data);
    } else if (name == "idle") {
      drop();
      poll("idle");
      say("idle");
      tell("onIdle", data);
    } else if (name == "reconnect") {
      drop();
      // Perhaps it has expired.
      ticket = undefined;
      later(data.in_ms);
      say("connecting");
    }
    if (held && source) fall("buffered");
  };

  /** Nothing came in time. */
  const stuck = async () => {
    const held = opened;
    drop();
    const mine = attempt;
    // The server says something at once, so an answer without it was held back.
    const test = held || (await selfTest({ url: address("../../selftest/stream"), timeoutMs: 3_000 }));
    if (mine == attempt) fall(held || test.verdict == "buffered" ? "buffered" : "connect_failed");
  };

  /** Cut, or (`refused`) answered by something that EventSource does not tell. */
  const broke = async (refused) => {
    // Mended within seconds, so no reason to poll, unless it goes on like that.
    const mends = live && !refused && failures < 3;
    const url = address("status/stream", { "last-event-id": position.last });
    drop();
    if (mends) {
      later(parts.pause(failures++, retryMs, 30_000));
      return say("connecting");
    }
    const mine = attempt;
    const answer = refused && (await get(url, { accept: "text/event-stream" }).catch(() => {}));
    answer?.body?.cancel();
    if (mine != attempt) return;
    const status = answer?.status;
    if (status == 429 || status == 503) fall("refused", retryAfter(answer));
    else if (!absent(status)) fall("connect_failed");
    else {
      // A poll would be told the same.
      unpoll();
      if (!hopeless()) later(parts.pause(failures++, retryMs, 30_000));
    }
  };

  /** Whether there is nothing here for us; says so. */
  const absent = (status) => {
    if (status == 404) say("unknown");
    else if (status == 401 || status == 403) {
      ticket = undefined;
      say("denied");
    } else return false;
    return true;
  };

  /** Only a function can make another ticket. */
  const hopeless = () => mode == "denied" && !options.ticket?.call;

  /** Polls, and tries the stream again after a while. */
  const fall = (cause, wait = 0) => {
    drop();
    const [first, most] = /failed|watchdog/.test(cause) ? [retryMs, 30_000] : [returnMs, 300_000];
    later(Math.max(wait, parts.pause(failures++, first, most)));
    poll(cause);
  };

  const poll = (cause) => {
    const asking = polling && why != "idle";
    polling = true;
    why = cause;
    if (!asking) ask();
  };

  const unpoll = () => {
    polling = false;
    round++;
    clearTimeout(next);
  };

  const ask = async () => {
    if (over) return;
    const mine = ++round;
    clearTimeout(next);
    let answer, event, wait;
    try {
      await fresh();
      answer = await get(address("status"));
      event = answer.ok && (await answer.json());
    } catch {
      // No answer is an answer, below.
    }
    if (mine != round || over) return;
    if (event) {
      const back = misses;
      misses = 0;
      interval = event.poll_after_ms ?? interval;
      // Before a session's first event there is no id.
      const news = event.id && take(event, "poll");
      if (over || !polling) return;
      const idle = why == "idle";
      if (streams && (back || (idle && news))) connect();
      else fallen();
      wait = (idle ? idlePollMs : interval) * (0.9 + Math.random() / 5);
    } else {
      if (!polling) return;
      if (!absent(answer?.status)) say("lost");
      if (hopeless()) return stop();
      wait = Math.max(retryAfter(answer), parts.pause(misses++, interval, 30_000));
    }
    next = setTimeout(ask, wait);
  };

  /** Counts once until the stream is back. */
  const fallen = () => {
    if (why == "idle") return say(why);
    say("poll", why);
    if (!why || counted) return;
    counted = true;
    report.fallbacks.push({ reason: why, at_ms: Math.round(performance.now() - began) });
    note();
    flush();
  };

  const tabs = (word) => channel?.postMessage([word, home.host, me, live]);

  /** Asks who comes first. */
  const count = () => {
    others = new Set();
    tabs("who");
  };

  // The longest alive, or else the least.
  const rank = (since, who) => (since || "z") + who;

  const full = () => others.size >= ROOM;

  const hearTabs = ({ data: [word, host, who, since] }) => {
    if (host != home.host) return;
    if (word == "bye") {
      if (polling && why == "too_many_tabs" && !source) later(parts.pause(0, retryMs, retryMs));
    } else if (rank(since, who) < rank(live, me)) others.add(who);
    else if (word == "who" && source) tabs("here");
    if (source && full() && !multiplexed()) fall("too_many_tabs");
  };

  /** HTTP/2 and 3 put all streams into one connection. */
  const multiplexed = () =>
    performance.getEntries().some((entry) => entry.name.startsWith(home.origin) && /^h[23]/.test(entry.nextHopProtocol));

  const start = () => {
    try {
      channel = new BroadcastChannel("streamgauge");
      channel.onmessage = hearTabs;
    } catch {
      // Forbidden where storage is.
    }
    say("connecting");
    if (streams) connect();
    else poll(options.cohort == "poll" ? undefined : "no_event_source");
  };

  const stop = () => {
    drop();
    unpoll();
  };

  const finish = (as) => {
    stop();
    say(as);
    over = true;
    listening.abort();
    channel?.close();
    flush();
  };

  const wake = () => {
    if (source || !(mode == "idle" || mode == "lost")) return;
    if (streams) connect();
    else ask();
  };

  const on = (name, then) => addEventListener(name, then, { signal: listening.signal });
  on("visibilitychange", () => (document.hidden ? flush() : wake()));
  on("online", wake);
  // An open stream would keep the page out of the back/forward cache.
  on("pagehide", () => {
    flush();
    stop();
    channel?.close();
  });
  on("pageshow", ({ persisted }) => persisted && start());
  // Handlers may use what is returned.
  queueMicrotask(() => over || start());

  return {
    get mode() {
      return mode ?? "connecting";
    },
    get reason() {
      return reason;
    },
    check() {
      note({ status_checks: report.status_checks + 1 });
      return ask();
    },
    close() {
      if (!over) finish("closed");
    },
  };
}

/** Do events get through as they are sent? Five ticks, 200 ms apart; their delays are compared, so clocks do not matter. */
export function selfTest({ base = "", url = base + "/api/v1/selftest/stream", ticket, timeoutMs = 5_000 } = {}) {
  return new Promise((done) => {
    if (!window.EventSource) return done({ verdict: "unknown" });
    const address = new URL(url, location.href);
    if (ticket) address.searchParams.set("ticket", ticket);
    const source = new EventSource(address);
    const delays = [];
    let opened = false;
    const close = (none) => {
      clearTimeout(timer);
      source.close();
      if (delays.length < 2) return done({ verdict: none });
      const heldMs = Math.max(...delays) - Math.min(...delays);
      done({ verdict: heldMs >= 400 ? "buffered" : "flows", heldMs });
    };
    const timer = setTimeout(() => close(opened ? "buffered" : "unreachable"), timeoutMs);
    source.onopen = () => (opened = true);
    // Closed: answered, and not by a stream.
    source.onerror = () => close(source.readyState == EventSource.CLOSED ? "unknown" : "unreachable");
    source.addEventListener("tick", ({ data }) => {
      const { n, at } = JSON.parse(data);
      delays.push(Date.now() - at);
      if (n == 5) close();
    });
  });
}
