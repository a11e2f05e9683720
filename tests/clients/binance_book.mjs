// binance_book.mjs - the exchange's own connectors against another host: trades at once; with the first of them diff depth
// and bookTicker, then the REST snapshot, and the book by the procedure that the exchange documents. A bookTicker must
// agree with the book at an equal update id. Runs until SIGTERM.
//
// usage: node binance_book.mjs HOST:PORT spot|usds SYMBOL... (as the exchange writes them: BTCUSDT)
import { BinanceBook } from './book.mjs';
import { die, guarded, print, printTrade, scaled } from './report.mjs';

const SNAPSHOT_LEVELS = 1000;

// What differs: the package, how its streams are called, which ones there are. The one for USD-M has no trade stream,
// only aggTrade; its depth answers and events have the same fields as those of spot.
const KINDS = {
  spot: {
    make: async (config) => new (await import('@binance/spot')).Spot(config),
    trades: (streams, symbol) => streams.trade({ symbol }),
    tradeId: (event) => event.t,
    depth: (streams, symbol) => streams.diffBookDepth({ symbol, updateSpeed: '100ms' }),
    ticker: (streams, symbol) => streams.bookTicker({ symbol }),
    snapshot: (rest, request) => rest.depth(request),
  },
  usds: {
    make: async (config) =>
      new (await import('@binance/derivatives-trading-usds-futures')).DerivativesTradingUsdsFutures(config),
    trades: (streams, symbol) => streams.aggregateTradeStreams({ symbol }),
    tradeId: (event) => event.a,
    depth: (streams, symbol) => streams.diffBookDepthStreams({ symbol, updateSpeed: '100ms' }),
    ticker: (streams, symbol) => streams.individualSymbolBookTickerStreams({ symbol }),
    snapshot: (rest, request) => rest.orderBook(request),
  },
};

const [host, kindName, ...symbols] = process.argv.slice(2);
const kind = KINDS[kindName];
if (!kind || symbols.length === 0) die('usage: node binance_book.mjs HOST:PORT spot|usds SYMBOL...');

// Tickers of ids to come: one of an id comes before the depth event that ends there, which is held back up to 100 ms.
class Tickers {
  constructor(book) {
    this.book = book;
    this.waiting = new Map(); // by update id
  }

  add(event) {
    if (BigInt(event.u) > this.book.id) this.waiting.set(BigInt(event.u), event);
  }

  check() {
    const { id, symbol, levels } = this.book;
    const ticker = this.waiting.get(id);
    if (ticker) {
      const [[bid], [ask]] = levels.sorted();
      const pairs = [[ticker.b, bid[0]], [ticker.B, bid[1]], [ticker.a, ask[0]], [ticker.A, ask[1]]];
      print({ at: 'ticker', symbol, id: Number(id), equal: pairs.every(([a, b]) => scaled(a) === scaled(b)) });
    }
    for (const old of this.waiting.keys()) if (old <= id) this.waiting.delete(old);
  }
}

async function hold(client, streams, symbol) {
  const book = new BinanceBook(symbol);
  const tickers = new Tickers(book);
  const name = symbol.toLowerCase();
  await new Promise((begun) => {
    kind.depth(streams, name).on('message', guarded((event) => {
      begun();
      if (book.apply(event)) tickers.check();
    }));
    kind.ticker(streams, name).on('message', guarded((event) => tickers.add(event)));
  });
  const answer = await kind.snapshot(client.restAPI, { symbol, limit: SNAPSHOT_LEVELS });
  book.load(await answer.data());
}

async function main() {
  const client = await kind.make({
    configurationRestAPI: { basePath: `https://${host}`, apiKey: '' },
    configurationWebsocketStreams: { wsURL: `wss://${host}` },
  });
  const streams = await client.websocketStreams.connect();
  for (const symbol of symbols) {
    let begin = () => {
      begin = () => {};
      hold(client, streams, symbol).catch(die);
    };
    kind.trades(streams, symbol.toLowerCase()).on('message', guarded((event) => {
      printTrade(symbol, kind.tradeId(event), event.p, event.q);
      begin();
    }));
  }
}

main().catch(die);
