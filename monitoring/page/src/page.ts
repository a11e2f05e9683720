// page.ts - puts the parts together: connection, banners, theme, keys.
import { Books } from "./books";
import { Charts } from "./charts";
import { byId, make, setPill, setText } from "./dom";
import { clock, span } from "./format";
import { Link } from "./link";
import { feedTone, markOld, showTables } from "./tables";
import type { Message, Status } from "./types";

const THEMES = ["system", "light", "dark"];
const PLACES = ["feeds", "latency", "books", "sinks"];

let newest: Message | null = null;
let engine = ""; // epoch and pid of the one that is shown
const tones = new Map<string, string>();
let is_paused = false;
let is_live = false;

// --- what is said ---

// One line for a screen reader: only what changed and matters, never the numbers.
function say(text: string): void {
  setText(byId("said"), text);
}

function banner(id: string, text: string, tone: "warn" | "bad", closes = false): void {
  let found = document.getElementById(`banner-${id}`);
  if (!found) {
    found = make("div", "banner");
    found.id = `banner-${id}`;
    found.append(make("p"));
    if (closes) {
      const close = make("button", "", "Dismiss");
      close.type = "button";
      close.addEventListener("click", () => takeAway(id));
      found.append(close);
    }
    byId("banners").append(found);
  }
  found.dataset.tone = tone;
  setText(found.firstElementChild!, text);
}

function takeAway(id: string): void {
  document.getElementById(`banner-${id}`)?.remove();
}

// --- the connection ---

function showState(): void {
  const state = is_live ? (is_paused ? "paused" : "live") : newest ? "lost" : "connecting";
  document.body.dataset.link = state;
  books.setLive(state === "live");
  if (state !== "live") markOld();
  if (state === "live") setPill(byId("link"), "live", "good");
  else if (state === "paused") setPill(byId("link"), `held at ${clock(newest?.time_ms ?? 0)}`, "warn");
  else setPill(byId("link"), state === "lost" ? "not live" : "connecting", state === "lost" ? "bad" : "idle");
  if (state === "lost")
    banner("lost", `No data from the engine. What is shown is from ${clock(newest?.time_ms ?? 0)} and not live; ` +
      "trying to connect again.", "bad");
  else takeAway("lost");
}

function watchEngine(status: Status, time_ms: number): void {
  const now = `${status.epoch}/${status.pid}`;
  if (engine && engine !== now) {
    const text = `The engine was restarted: epoch ${status.epoch}, pid ${status.pid}, seen at ${clock(time_ms)}.`;
    banner("restart", text, "warn", true);
    say(text);
  }
  engine = now;
  if (status.engine === "OK") takeAway("engine");
  else banner("engine", `The engine is ${status.engine.toLowerCase()}: no number here is live.`, "bad");
}

// A feed that goes from good to bad, or back, is said.
function watchFeeds(status: Status): void {
  const changed: string[] = [];
  for (const feed of status.feeds) {
    const tone = feedTone(feed);
    const before = tones.get(feed.feed);
    if (before !== undefined && before !== tone && (tone === "bad" || before === "bad"))
      changed.push(`${feed.feed} is ${tone === "bad" && feed.health !== "OK" ? feed.health : feed.input}`);
    tones.set(feed.feed, tone);
  }
  if (changed.length) say(changed.join(", "));
}

function show(message: Message): void {
  const status = message.status;
  if (!status) {
    setPill(byId("link"), "the engine starts", "warn");
    return;
  }
  setText(byId("engine-name"), status.name);
  setText(byId("uptime"), span((message.time_ms - status.created_ns / 1e6) / 1000));
  setText(byId("epoch"), String(status.epoch));
  setText(byId("pid"), String(status.pid));
  setText(byId("version"), status.version);
  setText(byId("foot"), `Message ${message.n} at ${clock(message.time_ms)}; ${message.browsers} ` +
    `${message.browsers === 1 ? "browser looks" : "browsers look"} on, ${message.dropped} dropped because they were slow.`);
  document.body.dataset.message = String(message.n);
  watchEngine(status, message.time_ms);
  watchFeeds(status);
  showTables(status);
  books.take(status);
}

const charts = new Charts(() => void link.readMissed());
const books = new Books((choice) => link.choose(choice));
const link = new Link({
  message(message) {
    newest = is_paused ? newest : message;
    charts.add(message.point);
    if (!is_paused) show(message);
  },
  ladder(ladder) {
    if (!is_paused && is_live) books.takeLadder(ladder);
  },
  history: (history) => {
    byId("token-form").hidden = true;
    delete document.body.dataset.token;
    charts.take(history);
  },
  state(live) {
    if (is_live && !live) say("The connection to the engine is lost.");
    if (!is_live && live && newest) say("The numbers are live again.");
    is_live = live;
    showState();
  },
  wantsToken(wasWrong) {
    document.body.dataset.token = "wanted";
    byId("token-form").hidden = false;
    byId("token").focus();
    if (wasWrong) say("This token is not the right one.");
  },
});

// --- theme, pause, keys ---

function useTheme(theme: string): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  setText(byId("theme"), `Theme: ${theme}`);
  localStorage.setItem("theme", theme);
}

function nextTheme(): void {
  const now = document.documentElement.dataset.theme ?? "system";
  useTheme(THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]!);
  charts.rebuild();
}

function togglePause(): void {
  is_paused = !is_paused;
  byId("pause").setAttribute("aria-pressed", String(is_paused));
  say(is_paused ? "Held." : "Goes on.");
  showState();
}

const keysOn = byId<HTMLInputElement>("keys-on");
const keys = byId<HTMLDialogElement>("keys");

function onKey(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.altKey || event.metaKey || keys.open || !keysOn.checked) return;
  if (target.matches("input, select, textarea")) {
    if (event.key === "Escape") target.blur();
    return;
  }
  const place = PLACES[Number(event.key) - 1];
  if (event.key === "/") books.focusSearch();
  else if (event.key === "p") togglePause();
  else if (event.key === "t") nextTheme();
  else if (event.key === "?") keys.showModal();
  else if (place) {
    byId(place).scrollIntoView();
    byId(place).focus({ preventScroll: true });
  } else return;
  event.preventDefault();
}

useTheme(localStorage.getItem("theme") ?? "system");
keysOn.checked = localStorage.getItem("keys") !== "off";
keysOn.addEventListener("change", () => localStorage.setItem("keys", keysOn.checked ? "on" : "off"));
byId("theme").addEventListener("click", nextTheme);
byId("pause").addEventListener("click", togglePause);
byId("help").addEventListener("click", () => keys.showModal());
document.addEventListener("keydown", onKey);
byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  delete document.body.dataset.token;
  link.useToken(byId<HTMLInputElement>("token").value.trim());
});
showState();
void link.open();
