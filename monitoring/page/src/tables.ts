// tables.ts - summary, feeds, sinks, positions and readers.
import { bytes, count, time } from "./format";
import { byId, make, Rows, setCell, setPill, setText, type Row } from "./dom";
import type { Feed, Latency, Sink, Status, Tone } from "./types";

const plain = (key: string, cell: HTMLElement): void => setText(cell, key);
const QUANTILES = ["p50", "p99", "p999"] as const;
const STAGES = ["exchange_to_receive", "receive_to_decoded", "decoded_to_visible"] as const;

function stageColumns(names: readonly string[]): [string, string][] {
  return names.flatMap((name) => QUANTILES.map((q): [string, string] => [`${name}.${q}`, q === "p50" ? "group" : ""]));
}

function fillStage(row: Row, name: string, latency: Latency | undefined): void {
  for (const q of QUANTILES) {
    const ns = latency?.[`${q}_ns`] ?? 0;
    const cell = row.cells[`${name}.${q}`]!;
    setCell(cell, latency && latency.count > 0 ? time(ns) : "-", latency && latency.count > 0 ? "" : "zero", ns);
  }
}

function fillCount(row: Row, key: string, value: number, tone = ""): void {
  setCell(row.cells[key]!, count(value), value === 0 ? "zero" : tone, value);
}

// A pill in the cell of a state.
export function fillState(cell: HTMLElement, text: string, tone: Tone, title = ""): void {
  let pill = cell.firstElementChild as HTMLElement | null;
  if (!pill) {
    pill = make("span", "pill");
    cell.append(pill);
  }
  setPill(pill, text, tone);
  if (cell.dataset.raw !== text) cell.dataset.raw = text;
  if (pill.title !== title) pill.title = title;
}

export function feedTone(feed: Feed): Tone {
  if (feed.health !== "OK") return "bad";
  if (feed.input === "live") return feed.books_valid < feed.books ? "warn" : "good";
  return feed.input === "failed" ? "bad" : feed.input === "connecting" ? "warn" : "idle";
}

const feeds = new Rows(byId("feed-rows"), [
  ["input", "text"], ["frames_per_s", ""], ["records_per_s", ""], ["books", ""], ["gaps", ""], ["reconnects", ""],
  ["lost", ""], ...stageColumns(STAGES), ["memory_bytes", ""], ["cpu_of_a_core", ""],
], plain, "The engine runs no feed.");

function showFeeds(status: Status): void {
  const byName = new Map(status.feeds.map((feed) => [feed.feed, feed]));
  feeds.show([...byName.keys()], (key, row) => {
    const feed = byName.get(key)!;
    fillState(row.cells.input!, feed.input, feedTone(feed));
    fillCount(row, "frames_per_s", feed.frames_per_s);
    fillCount(row, "records_per_s", feed.records_per_s);
    setCell(row.cells.books!, `${count(feed.books_valid)} of ${count(feed.books)}`,
      feed.books_valid < feed.books ? "warn" : "", `${feed.books_valid}/${feed.books}`);
    fillCount(row, "gaps", feed.gaps, "warn");
    fillCount(row, "reconnects", feed.reconnects, "warn");
    fillCount(row, "lost", feed.lost, "bad");
    for (const stage of STAGES) fillStage(row, stage, feed[stage]);
    setCell(row.cells.memory_bytes!, bytes(feed.memory_bytes), "", feed.memory_bytes);
    setCell(row.cells.cpu_of_a_core!, `${(feed.cpu_of_a_core * 100).toFixed(0)} %`, "", feed.cpu_of_a_core);
  });
}

// --- sinks ---

const sinkName = (sink: Sink): string => ({ journal: "Journal", postgres: "PostgreSQL" })[shortName(sink)] ?? shortName(sink);
const shortName = (sink: Sink): string => sink.thread.replace(/^writer:/, "");

const sinks = new Rows(byId("sink-rows"), [
  ["state", "text"], ["records", ""], ["records_per_s", ""], ["rows", ""], ["bytes", ""], ["batches", ""], ["errors", ""],
  ...stageColumns(["ring_wait", "done"]),
], plain, "The engine runs no sink.");

function sinkState(sink: Sink): [string, Tone] {
  if (sink.degraded) return [sink.state ?? "degraded", "bad"];
  if (sink.catchup) return [`from the journal, ${count(sink.lag_records)} behind`, "warn"];
  return ["writing", "good"];
}

function showSinks(status: Status): void {
  const byName = new Map(status.sinks.map((sink) => [sinkName(sink), sink]));
  sinks.show([...byName.keys()], (key, row) => {
    const sink = byName.get(key)!;
    fillState(row.cells.state!, ...sinkState(sink));
    fillCount(row, "records", sink.records);
    fillCount(row, "records_per_s", sink.records_per_s ?? 0);
    fillCount(row, "rows", sink.rows);
    setCell(row.cells.bytes!, bytes(sink.bytes), "", sink.bytes);
    fillCount(row, "batches", sink.batches);
    fillCount(row, "errors", sink.errors, "bad");
    fillStage(row, "ring_wait", sink.ring_wait);
    fillStage(row, "done", sink.durable ?? sink.stored);
  });
}

// --- positions ---

const positions = new Rows(byId("position-rows"), [
  ["published_seq", ""], ["written_seq", ""], ["durable_seq", ""], ["undurable", ""], ["stored_seq", ""], ["unstored", ""],
  ["journal_ring", ""], ["postgres_ring", ""],
], plain, "The engine has no stream.");

function fillRing(cell: HTMLElement, status: Status, feed: string, sink: string): void {
  const ring = status.rings.find((r) => r.ring === `${feed.slice(0, 20)}.${sink}`);
  if (!ring) {
    setCell(cell, "-", "zero");
    return;
  }
  let meter = cell.querySelector("meter");
  if (!meter) {
    meter = make("meter");
    meter.max = 1;
    meter.high = 0.8;
    meter.optimum = 0;
    meter.setAttribute("aria-label", `${feed}: ring to the ${sink}`);
    cell.replaceChildren(make("span"), meter);
  }
  const used = ring.used_bytes / ring.capacity_bytes;
  setText(cell.firstElementChild!, `${(used * 100).toFixed(used < 0.1 ? 1 : 0)} %`);
  meter.value = used;
  cell.dataset.raw = String(ring.used_bytes);
}

function showPositions(status: Status): void {
  const hasDatabase = status.sinks.some((sink) => shortName(sink) === "postgres");
  const byName = new Map(status.feeds.map((feed) => [feed.feed, feed]));
  positions.show([...byName.keys()], (key, row) => {
    const feed = byName.get(key)!;
    fillCount(row, "published_seq", feed.published_seq);
    fillCount(row, "written_seq", feed.written_seq);
    fillCount(row, "durable_seq", feed.durable_seq);
    fillCount(row, "undurable", Math.max(0, feed.published_seq - feed.durable_seq));
    if (hasDatabase) {
      fillCount(row, "stored_seq", feed.stored_seq);
      fillCount(row, "unstored", Math.max(0, feed.published_seq - feed.stored_seq));
    } else {
      setCell(row.cells.stored_seq!, "-", "zero", feed.stored_seq);
      setCell(row.cells.unstored!, "-", "zero");
    }
    fillRing(row.cells.journal_ring!, status, key, "journal");
    fillRing(row.cells.postgres_ring!, status, key, "postgres");
  });
}

const readers = new Rows(byId("reader-rows"), [
  ["pid", ""], ["reads", ""], ["records", ""], ["lag_bytes", ""], ["lapped", ""],
], (key, cell) => setText(cell, key.replace(/\/\d+$/, "")), "");

function showReaders(status: Status): void {
  const byKey = new Map(status.readers.map((reader) => [`${reader.name}/${reader.pid}`, reader]));
  byId("readers").hidden = byKey.size === 0;
  readers.show([...byKey.keys()], (key, row) => {
    const reader = byKey.get(key)!;
    setCell(row.cells.pid!, String(reader.pid));
    fillCount(row, "reads", reader.reads);
    fillCount(row, "records", reader.records);
    setCell(row.cells.lag_bytes!, bytes(reader.lag_bytes));
    fillCount(row, "lapped", reader.lapped, "warn");
  });
}

// --- summary ---

const tiles = new Map<string, HTMLElement>();

function tile(name: string, value: string, unit = "", tone = ""): void {
  let dd = tiles.get(name);
  if (!dd) {
    const box = make("div");
    dd = make("dd");
    dd.append(make("span"), make("small"));
    box.append(make("dt", "", name), dd);
    byId("tiles").append(box);
    tiles.set(name, dd);
  }
  setText(dd.firstElementChild!, value);
  setText(dd.lastElementChild!, unit ? ` ${unit}` : "");
  if (dd.className !== tone) dd.className = tone;
}

function showTiles(status: Status): void {
  const sum = (key: "frames_per_s" | "records_per_s" | "books" | "books_valid" | "gaps" | "lost"): number =>
    status.feeds.reduce((total, feed) => total + feed[key], 0);
  const live = status.feeds.filter((feed) => feed.health === "OK" && feed.input === "live").length;
  const slowest = Math.max(0, ...status.feeds.map((feed) => feed.decoded_to_visible.p99_ns));
  const undurable = status.feeds.reduce((most, feed) => Math.max(most, feed.published_seq - feed.durable_seq), 0);
  tile("Feeds live", String(live), `of ${status.feeds.length}`, live < status.feeds.length ? "warn" : "");
  tile("Messages", count(sum("frames_per_s")), "/s");
  tile("Records", count(sum("records_per_s")), "/s");
  tile("Books valid", count(sum("books_valid")), `of ${count(sum("books"))}`, sum("books_valid") < sum("books") ? "warn" : "");
  tile("Gaps", count(sum("gaps")), "", sum("gaps") ? "warn" : "");
  tile("Lost records", count(sum("lost")), "", sum("lost") ? "bad" : "");
  tile("Visible, worst P99", slowest ? time(slowest).split(" ")[0]! : "-", slowest ? time(slowest).split(" ")[1] : "");
  tile("Not yet durable", count(undurable), undurable === 1 ? "record" : "records");
}

// Until the next message no feed and no sink is called live.
export function markOld(): void {
  for (const cell of document.querySelectorAll<HTMLElement>("#feed-rows td[data-key=input], #sink-rows td[data-key=state]"))
    fillState(cell, "not live", "bad");
}

export function showTables(status: Status): void {
  showTiles(status);
  showFeeds(status);
  showSinks(status);
  showPositions(status);
  showReaders(status);
}
