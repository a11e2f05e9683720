// binance_spot_book.mjs - the exchange's own connector against another host: trade streams at once, diff depth and
// bookTicker a second later, then the REST snapshot, and the book by the procedure that the exchange documents.
// A bookTicker must agree with the book at an equal update id. Runs until SIGTERM.
//
// usage: node binance_spot_book.mjs HOST:PORT SYMBOL... (as the exchange writes them: BTCUSDT)
import { Spot } from '@binance/spot';
import { Totals, die, print, printBook, scaled } from './report.mjs';

const SNAPSHOT_LEVELS = 1000;

const [host, ...symbols] = process.argv.slice(2);
if (!host || symbols.length === 0) die('usage: node binance_spot_book.mjs HOST:PORT SYMBOL...');

const client = new Spot({
  configurationRestAPI: { basePath: `https://${host}`, apiKey: '' },
  configurationWebsocketStreams: { wsURL: `wss://${host}` },
});

class Book {
  constructor(symbol) {
    this.symbol = symbol;
    this.early = [];
    this.id = 0n; // 0: no snapshot yet
    this.bids = new Map(); // price as an integer: [price, quantity] as written
    this.asks = new Map();
    this.tickers = new Map(); // by update id, those of ids to come
  }

  load(snapshot) {
    for (const [px, qty] of snapshot.bids) this.bids.set(scaled(px), [px, qty]);
    for (const [px, qty] of snapshot.asks) this.asks.set(scaled(px), [px, qty]);
    this.id = BigInt(snapshot.lastUpdateId);
    if (this.early.length > 0 && BigInt(this.early[0].U) > this.id + 1n) {
      throw new Error(`${this.symbol}: the snapshot ${this.id} is older than the stream`);
    }
    const events = this.early;
    this.early = [];
    for (const event of events) this.apply(event);
  }

  apply(event) {
    if (this.id === 0n) {
      this.early.push(event);
      return;
    }
    const first = BigInt(event.U);
    const last = BigInt(event.u);
    if (last <= this.id) return;
    if (first > this.id + 1n) throw new Error(`${this.symbol}: a gap from ${this.id} to ${first}`);
    for (const [side, levels] of [[this.bids, event.b], [this.asks, event.a]]) {
      for (const [px, qty] of levels) {
        const key = scaled(px);
        if (scaled(qty) === 0n) side.delete(key);
        else side.set(key, [px, qty]);
      }
    }
    this.id = last;
    this.print();
  }

  print() {
    const sorted = (side, sign) =>
      [...side.entries()].sort(([a], [b]) => sign * (a < b ? -1 : 1)).map(([, level]) => level);
    const bids = sorted(this.bids, -1);
    const asks = sorted(this.asks, 1);
    printBook(this.symbol, Number(this.id), bids, asks);
    this.checkTicker(bids[0], asks[0]);
  }

  // The ticker of an id comes before the depth event that ends there, which is held back up to 100 ms.
  checkTicker(bid, ask) {
    const ticker = this.tickers.get(this.id);
    if (ticker) {
      const pairs = [[ticker.b, bid[0]], [ticker.B, bid[1]], [ticker.a, ask[0]], [ticker.A, ask[1]]];
      const equal = pairs.every(([theirs, ours]) => scaled(theirs) === scaled(ours));
      print({ at: 'ticker', symbol: this.symbol, id: Number(this.id), equal });
    }
    for (const id of this.tickers.keys()) if (id <= this.id) this.tickers.delete(id);
  }

  ticker(event) {
    if (BigInt(event.u) > this.id) this.tickers.set(BigInt(event.u), event);
  }
}

function guarded(handle) {
  return (event) => {
    try {
      handle(event);
    } catch (error) {
      die(error);
    }
  };
}

async function main() {
  const streams = await client.websocketStreams.connect();
  for (const symbol of symbols) {
    const totals = new Totals(symbol);
    streams.trade({ symbol: symbol.toLowerCase() }).on('message', guarded((event) => {
      totals.add(event.t, event.q);
      totals.print();
    }));
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
  for (const symbol of symbols) {
    const book = new Book(symbol);
    const name = symbol.toLowerCase();
    const begun = new Promise((resolve) => {
      streams.diffBookDepth({ symbol: name, updateSpeed: '100ms' }).on('message', guarded((event) => {
        resolve();
        book.apply(event);
      }));
    });
    streams.bookTicker({ symbol: name }).on('message', guarded((event) => book.ticker(event)));
    await begun;
    const answer = await client.restAPI.depth({ symbol, limit: SNAPSHOT_LEVELS });
    guarded((snapshot) => book.load(snapshot))(await answer.data());
  }
}

main().catch(die);
