// Keeps the public page of a session current. The markup is the server's (app/src/pages/session.rs); here it is only
// filled, and always as text: what a publisher says must never become markup.

import { follow } from "/sdk/streamgauge.js";

const KEPT = 20;
/** How the page is connected: the dot's class, and the words before the time of the last event. */
const CONTACT = {
  connecting: ["connecting", "connecting, as of"],
  stream: ["live", "live by stream, last event"],
  poll: ["live", "live by polling, last event"],
  idle: ["stale", "quiet, asking now and then, last event"],
  lost: ["lost", "connection lost, trying again; last event"],
  unknown: ["stale", "not known to the server any more, asking now and then; last event"],
  denied: ["lost", "access has expired, reload the page; last event"],
  ended: ["ended", "ended"],
};
const REASON = {
  no_event_source: "this browser knows no event streams",
  connect_failed: "no stream could be opened",
  watchdog: "the stream fell silent",
  buffered: "something on the way holds the stream back",
  refused: "the server takes no more streams for now",
  too_many_tabs: "too many tabs follow by stream already",
};
const STATE = { abandoned: "abandoned: its publisher has gone silent" };
const GAP = {
  unknown: "the server could not tell what was missed",
  evicted: "more happened meanwhile than the server keeps",
  epoch: "the server lost its history",
};

const page = document.querySelector(".session");
const find = (selector) => page.querySelector(selector);
const { url, cohort, heartbeatMs, state } = page.dataset;

const two = (number) => String(number).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const clock = (date) => [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
/** The reader's own time; the date only where it is not today's, so that the line fits a phone. */
function moment(date) {
  const today = date.toDateString() === new Date().toDateString();
  return today ? clock(date) : `${date.getDate()} ${MONTHS[date.getMonth()]} ${date.getFullYear()}, ${clock(date)}`;
}

let contact = "served";
let outcome = state;

/** Said to those who listen: the state and a lost line. Progress is not, it would never be silent. */
function speak() {
  const words = contact === "lost" ? `${outcome}, connection lost` : outcome;
  const said = find(".sr");
  if (said.textContent !== words) said.textContent = words;
}

function turn(mode) {
  const [look, words] = CONTACT[mode] ?? CONTACT.lost;
  const line = find(".freshness");
  line.className = `freshness ${look}`;
  // Before the first event there is no time for the words to end with.
  const timed = find(".freshness time").dateTime;
  line.querySelector(".words").textContent = timed ? words : words.replace(/[,;]? (last event|as of)$/, "");
  contact = mode;
  speak();
}

function note(name, text) {
  const at = new Date();
  const entry = document.createElement("li");
  const time = Object.assign(document.createElement("time"), { dateTime: at.toISOString(), textContent: clock(at) });
  const label = Object.assign(document.createElement("b"), { className: `name ${name}`, textContent: name });
  const words = Object.assign(document.createElement("span"), { textContent: text });
  entry.append(time, label, words);
  const list = find(".journal ol");
  list.prepend(entry);
  while (list.childElementCount > KEPT) list.lastElementChild.remove();
  find(".journal .none").hidden = true;
}

function date(at) {
  Object.assign(find(".freshness time"), { dateTime: at.toISOString(), textContent: moment(at) });
}

function show(status) {
  find(".now .none").hidden = true;
  find(".known").hidden = false;
  find(".stage").textContent = status.stage;
  find(".percent").textContent = status.progress;
  find(".message").textContent = status.message ?? "";
  find(".done").setAttribute("width", `${status.progress}%`);
  find(".progress").className = `progress ${status.state}`;
  Object.assign(find(".outcome"), { className: `outcome ${status.state}`, textContent: STATE[status.state] ?? status.state });
  const over = status.state !== "running";
  const result = find(".result");
  result.hidden = !over || status.data === undefined;
  if (!result.hidden) result.querySelector("code").textContent = JSON.stringify(status.data, null, 2);
  date(new Date(status.at));
  outcome = status.state;
}

const rendered = find(".freshness time").dateTime;
if (rendered) date(new Date(rendered));

// An ended session has nothing more to say, and the page says so already.
if (state === "running") {
  const way = find(".legend");
  const settled = way.textContent;
  const handlers = {
    onStatus(status) {
      show(status);
      note(status.state === "running" ? "status" : "end", `${status.stage} at ${status.progress}\u00a0%`);
      turn(contact);
    },
    onGap: ({ reason }) => note("gap", `something was missed: ${GAP[reason] ?? reason}; what follows is the current state`),
    onIdle: () => note("idle", "no news for a while; the stream was closed"),
    onMode(mode, reason) {
      if (mode === "lost" && contact !== "lost") note("lost", "the server does not answer; asked again and again");
      if (reason) note("fallback", `${REASON[reason]}; asked by polling instead`);
      if (mode === "stream" && contact !== "connecting") note("stream", "events stream again");
      if (mode === "stream") way.textContent = settled;
      if (reason) way.textContent = `followed by polling: ${REASON[reason]}`;
      turn(mode);
    },
  };
  find(".journal .none").textContent = "Nothing yet.";
  // Where access is closed, the page's own address brings the ticket.
  const ticket = new URLSearchParams(location.search).get("ticket") ?? undefined;
  follow({ url, cohort, ticket, heartbeatMs: Number(heartbeatMs) }, handlers);
}
