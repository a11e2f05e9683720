// book.mjs - a book for clients that hold none themselves: levels by price, and Binance's procedure of a REST snapshot
// within a stream of changes. Whatever does not join throws.
import { printBook, scaled } from './report.mjs';

export class Levels {
  constructor() {
    this.bids = new Map(); // price as an integer: [price, quantity] as written
    this.asks = new Map();
  }

  put(bids, asks) {
    for (const [side, levels] of [[this.bids, bids], [this.asks, asks]]) {
      for (const [px, qty] of levels) {
        const key = scaled(px);
        if (scaled(qty) === 0n) side.delete(key);
        else side.set(key, [px, qty]);
      }
    }
  }

  // Bids from high to low, asks from low to high.
  sorted() {
    const sort = (side, sign) =>
      [...side.entries()].sort(([a], [b]) => sign * (a < b ? -1 : 1)).map(([, level]) => level);
    return [sort(this.bids, -1), sort(this.asks, 1)];
  }
}

// Where ids jump (futures), an event says in pu which one it follows.
export class BinanceBook {
  constructor(symbol) {
    this.symbol = symbol;
    this.early = [];
    this.id = 0n; // 0: no snapshot yet
    this.isFresh = false;
    this.levels = new Levels();
  }

  load(snapshot) {
    this.levels.put(snapshot.bids, snapshot.asks);
    this.id = BigInt(snapshot.lastUpdateId);
    this.isFresh = true;
    const events = this.early;
    this.early = [];
    for (const event of events) this.apply(event);
  }

  joins(event) {
    const prev = event.pu === undefined ? BigInt(event.U) - 1n : BigInt(event.pu);
    return this.isFresh ? prev <= this.id : prev === this.id || event.pu === undefined && prev < this.id;
  }

  // Returns whether the book is another one now.
  apply(event) {
    if (this.id === 0n) {
      this.early.push(event);
      return false;
    }
    if (BigInt(event.u) <= this.id) return false;
    if (!this.joins(event)) throw new Error(`${this.symbol}: ${event.U}..${event.u} does not join ${this.id}`);
    this.levels.put(event.b, event.a);
    this.id = BigInt(event.u);
    this.isFresh = false;
    printBook(this.symbol, this.id, ...this.levels.sorted());
    return true;
  }
}
