// peer.mjs - recorded frames of Binance spot through what a user of Node.js runs today: ccxt's own handlers, or
// tardis-dev's mappers and its OrderBook. Books are kept, trades normalised. Prints one JSON object: frames, seconds of
// wall and processor time of the handling alone, and the final books. The file is in memory before the clock starts.
// tardis-bbo normalises best prices (bookTicker) too, which ccxt and mdengine do anyway.
//
// usage: node peer.mjs ccxt|tardis|tardis-bbo RECORDING.wscap
import { readFileSync } from 'node:fs';

const [peer, file] = process.argv.slice(2);

// Lines of a recording: time, kind (I frame in, H answer of REST), name, text.
const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => {
  const [ns, kind, name, text] = line.split('\t');
  return { ns, kind, name, text };
});
const isSnapshot = (line) => line.kind === 'H' && line.name.includes('/depth?');
const symbolOf = (line) => new URL(line.name).searchParams.get('symbol');
const symbols = [...new Set(lines.filter(isSnapshot).map(symbolOf))];
let trades = 0;
let best = 0;

async function ccxtPeer() {
  const { default: ccxt } = await import('ccxt');
  const exchange = new ccxt.pro.binance();
  Object.assign(exchange.options, { crossMarginPairsData: [], isolatedMarginPairsData: [] });
  exchange.setMarkets(symbols.map((id) => {
    const [, base, quote] = /^(.+?)(USDT|USDC|BUSD|BTC|BNB|ETH|EUR|AUD|BRL)$/.exec(id);
    return exchange.parseMarket({ symbol: id, status: 'TRADING', baseAsset: base, quoteAsset: quote, filters: [], permissions: [], isSpotTradingAllowed: true, orderTypes: [] });
  }));
  const client = exchange.client('wss://stream.binance.com:9443/ws');
  const unified = (id) => exchange.safeMarket(id, undefined, undefined, 'spot').symbol;
  for (const id of symbols) exchange.orderbooks[unified(id)] = exchange.orderBook({}, 5000);
  let answer; // of the REST request that ccxt is about to make
  exchange.fetchRestOrderBookSafe = async (symbol) => {
    const book = exchange.parseOrderBook(answer, symbol);
    book.nonce = answer.lastUpdateId;
    return book;
  };
  const { handleTrade } = exchange;
  exchange.handleTrade = function count(client, message) {
    if (message.e === 'trade') trades += 1;
    return handleTrade.call(this, client, message);
  };
  return {
    frame: (line) => exchange.handleMessage(client, JSON.parse(line.text)),
    snapshot: async (line) => {
      answer = JSON.parse(line.text);
      await exchange.fetchOrderBookSnapshot(client, {}, { symbol: unified(symbolOf(line)), limit: 1000, params: {} });
    },
    book: (id) => [exchange.orderbooks[unified(id)].bids, exchange.orderbooks[unified(id)].asks],
  };
}

async function tardisPeer(bestPrices) {
  const { default: tardis } = await import('tardis-dev');
  const changes = tardis.normalizeBookChanges('binance', new Date());
  const prints = tardis.normalizeTrades('binance', new Date());
  const tickers = tardis.normalizeBookTickers('binance', new Date());
  const books = new Map(symbols.map((id) => [id, new tardis.OrderBook()]));
  const apply = (message, now) => {
    for (const change of changes.map(message, now)) books.get(change.symbol)?.update(change);
  };
  return {
    frame: (line) => {
      const message = JSON.parse(line.text);
      const now = new Date(Number(line.ns.slice(0, -6)));
      if (changes.canHandle(message)) apply(message, now);
      else if (prints.canHandle(message)) for (const _ of prints.map(message, now)) trades += 1;
      else if (bestPrices && tickers.canHandle(message)) for (const _ of tickers.map(message, now)) best += 1;
    },
    snapshot: (line) => apply(
      { stream: `${symbolOf(line).toLowerCase()}@depthSnapshot`, generated: true, data: JSON.parse(line.text) },
      new Date(Number(line.ns.slice(0, -6)))),
    book: (id) => [books.get(id).bids(), books.get(id).asks()]
      .map((side) => [...side].map(({ price, amount }) => [price, amount])),
  };
}

const handlers = peer === 'ccxt' ? await ccxtPeer() : await tardisPeer(peer === 'tardis-bbo');
const cpu = process.cpuUsage();
const begin = process.hrtime.bigint();
let frames = 0;
for (const line of lines) {
  if (line.kind === 'I') {
    handlers.frame(line);
    frames += 1;
  } else if (isSnapshot(line)) {
    await handlers.snapshot(line);
  }
}
const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
const used = process.cpuUsage(cpu);
const books = symbols.map((id) => {
  const [bids, asks] = handlers.book(id);
  return { symbol: id, levels: [bids, asks].map((side) => [...side].map(([px, qty]) => [px, qty])) };
});
const text = JSON.stringify({
  peer, frames, trades, best, seconds, cpu_seconds: (used.user + used.system) / 1e6, books,
});
process.stdout.write(`${text}\n`, () => process.exit(0)); // a pipe takes 64 KiB at a time
