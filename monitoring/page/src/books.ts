// books.ts - the list of books with its search, and the ladder of the chosen one.
import { count } from "./format";
import { byId, make, Rows, setCell, setPill, setText } from "./dom";
import { fillState } from "./tables";
import type { Book, Ladder, Status, Tone } from "./types";

const SHOWN_MAX = 200;

const tone = (state: string): Tone => (state === "VALID" ? "good" : state === "SYNCING" || state === "EMPTY" ? "warn" : "bad");
const stateText = (book: { state: string; reason?: string }): string =>
  book.state === "STALE" && book.reason && book.reason !== "NONE" ? `STALE: ${book.reason.toLowerCase()}` : book.state;

export class Books {
  private all = new Map<string, Book>();
  private chosen = "";
  private focused = "";
  private is_live = false;
  private seq = -1;
  private changed_ms = 0;
  private readonly search = byId<HTMLInputElement>("search");
  private readonly rows: Rows;

  constructor(private readonly choose: (choice: string) => void) {
    this.rows = new Rows(byId("book-rows"), [
      ["feed", "text"], ["state", "text"], ["bid_qty", ""], ["bid", "bid"], ["ask", "ask"], ["ask_qty", ""], ["spread", ""],
    ], (key, cell) => this.head(key, cell), "No book fits.");
    this.search.addEventListener("input", () => this.show());
    byId("book-rows").addEventListener("keydown", (event) => this.move(event));
    byId("book-rows").addEventListener("focusin", (event) => {
      this.focused = (event.target as HTMLElement).closest("tr")?.dataset.key ?? this.focused;
      this.show();
    });
  }

  take(status: Status): void {
    const books = status.books.map((book): [string, Book] => [`${book.feed} ${book.symbol}`, book]);
    this.all = new Map(books.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
    const first = books[0];
    if (!this.chosen && first) this.pick(first[0]);
    this.show();
  }

  setLive(is_live: boolean): void {
    this.is_live = is_live;
    this.show();
    if (!is_live) setPill(byId("ladder-state"), "not live", "bad");
  }

  focusSearch(): void {
    this.search.focus();
    this.search.select();
  }

  private pick(key: string): void {
    this.chosen = key;
    this.seq = -1;
    this.choose(key);
    this.show();
  }

  private head(key: string, cell: HTMLElement): void {
    const button = make("button", "", key.slice(key.indexOf(" ") + 1));
    button.type = "button";
    button.addEventListener("click", () => this.pick(key));
    cell.append(button);
  }

  private fitting(): string[] {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return [...this.all].filter(([key, book]) => {
      const text = `${key} ${stateText(book)}`.toLowerCase();
      return words.every((word) => text.includes(word));
    }).map(([key]) => key);
  }

  private show(): void {
    const fitting = this.fitting();
    const keys = fitting.slice(0, SHOWN_MAX);
    const stop = keys.includes(this.focused) ? this.focused : keys.includes(this.chosen) ? this.chosen : keys[0];
    setText(byId("book-count"), fitting.length > keys.length ? `${count(keys.length)} of ${count(fitting.length)} that fit`
      : `${count(fitting.length)} of ${count(this.all.size)}`);
    this.rows.show(keys, (key, row) => {
      const book = this.all.get(key)!;
      const is_live = this.is_live && (book.state === "VALID");
      row.row.classList.toggle("old", !is_live);
      if (key === this.chosen) row.row.setAttribute("aria-current", "true");
      else row.row.removeAttribute("aria-current");
      (row.row.querySelector("button") as HTMLElement).tabIndex = key === stop ? 0 : -1;
      setCell(row.cells.feed!, book.feed);
      if (this.is_live) fillState(row.cells.state!, book.state, tone(book.state), book.reason === "NONE" ? "" : book.reason);
      else fillState(row.cells.state!, "not live", "bad");
      for (const name of ["bid_qty", "bid", "ask", "ask_qty"] as const) setCell(row.cells[name]!, book[name], "", book[name]);
      const [bid, ask] = [Number(book.bid), Number(book.ask)];
      setCell(row.cells.spread!, bid > 0 && ask > 0 ? (((ask - bid) / (ask + bid)) * 2e4).toFixed(2) : "-");
    });
  }

  private move(event: KeyboardEvent): void {
    const row = (event.target as HTMLElement).closest("tr");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!row || (!step && event.key !== "Home" && event.key !== "End")) return;
    event.preventDefault();
    const rows = [...byId("book-rows").children];
    const at = event.key === "Home" ? 0 : event.key === "End" ? rows.length - 1 : rows.indexOf(row) + (step ?? 0);
    rows[at]?.querySelector("button")?.focus();
  }

  // --- the ladder ---

  takeLadder(ladder: Ladder): void {
    if (ladder.choice !== this.chosen) return;
    const [feed, symbol] = [ladder.choice.split(" ")[0]!, ladder.choice.slice(ladder.choice.indexOf(" ") + 1)];
    const pill = byId("ladder-state");
    setText(byId("ladder-title"), `${symbol} on ${feed}`);
    pill.hidden = false;
    setPill(pill, stateText(ladder), tone(ladder.state));
    const table = byId("ladder");
    table.hidden = !ladder.bids;
    table.classList.toggle("old", ladder.state !== "VALID");
    if (!ladder.bids || !ladder.asks) {
      setText(byId("ladder-facts"), "The engine knows no such book now.");
      return;
    }
    if (ladder.seq !== this.seq) {
      this.seq = ladder.seq ?? -1;
      this.changed_ms = performance.now();
    }
    const quiet = (performance.now() - this.changed_ms) / 1000;
    setText(byId("ladder-facts"), `Update ${ladder.exch_seq}, ${count(ladder.bid_levels ?? 0)} bids, ` +
      `${count(ladder.ask_levels ?? 0)} asks${quiet >= 2 ? `, unchanged for ${quiet.toFixed(0)} s` : ""}`);
    this.drawLevels(ladder.bids, ladder.asks);
  }

  // The bars are the quantity from the best price to the level, of the deeper side. For the eye only: the numbers stay
  // text.
  private drawLevels(bids: [string, string][], asks: [string, string][]): void {
    const body = byId("ladder-rows");
    const levels = Math.max(bids.length, asks.length);
    while (body.children.length > levels) body.lastElementChild!.remove();
    while (body.children.length < levels) body.append(levelRow());
    const sums = [bids, asks].map((side) => {
      let sum = 0;
      return side.map(([, qty]) => (sum += Number(qty)));
    });
    const most = Math.max(...sums.map((side) => side[side.length - 1] ?? 0)) || 1;
    for (let i = 0; i < levels; i++) {
      const cells = body.children[i]!.children;
      const texts = [bids[i]?.[1], bids[i]?.[0], asks[i]?.[0], asks[i]?.[1]];
      texts.forEach((text, at) => setText(cells[at]!.lastElementChild!, text ?? ""));
      setBar(cells[0]!, (sums[0]![i] ?? 0) / most);
      setBar(cells[3]!, (sums[1]![i] ?? 0) / most);
    }
  }
}

function levelRow(): HTMLTableRowElement {
  const row = make("tr");
  for (const className of ["bar-bid", "bid", "ask", "bar-ask"]) {
    const cell = make("td", className);
    if (className.startsWith("bar")) cell.append(make("i"));
    cell.append(make("span"));
    row.append(cell);
  }
  return row;
}

function setBar(cell: Element, share: number): void {
  (cell.firstElementChild as HTMLElement).style.width = `${(share * 100).toFixed(1)}%`;
}
