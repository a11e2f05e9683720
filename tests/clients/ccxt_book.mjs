// ccxt_book.mjs - ccxt's binance against another host: watchTrades at once, watchOrderBook a second later, so that
// its snapshot falls into a running stream. Runs until SIGTERM.
//
// usage: node ccxt_book.mjs HOST:PORT SYMBOL... (as ccxt writes them: BTC/USDT)
import ccxt from 'ccxt';
import { Totals, die, printBook } from './report.mjs';

const [host, ...symbols] = process.argv.slice(2);
if (!host || symbols.length === 0) die('usage: node ccxt_book.mjs HOST:PORT SYMBOL...');

const exchange = new ccxt.pro.binance();

// Every URL keeps its path; nothing else of the exchange is changed.
function redirect(urls) {
  for (const [name, url] of Object.entries(urls)) {
    if (typeof url === 'object') redirect(url);
    else urls[name] = url.replace(/^(\w+:\/\/)[^/]+/, `$1${host}`);
  }
}
redirect(exchange.urls.api);

async function trades(symbol, id) {
  const totals = new Totals(id);
  for (;;) {
    for (const trade of await exchange.watchTrades(symbol)) totals.add(trade.id, trade.amount);
    totals.print();
  }
}

async function book(symbol, id) {
  for (;;) {
    const held = await exchange.watchOrderBook(symbol);
    printBook(id, held.nonce, held.bids, held.asks);
  }
}

async function main() {
  await exchange.loadMarkets();
  for (const symbol of symbols) trades(symbol, exchange.market(symbol).id).catch(die);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  for (const symbol of symbols) book(symbol, exchange.market(symbol).id).catch(die);
}

main().catch(die);
