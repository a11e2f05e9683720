// ccxt_book.mjs - a ccxt exchange against another host: watchTrades at once; watchOrderBook with the first trade, so
// that its snapshot falls into a running stream. Runs until SIGTERM.
//
// usage: node ccxt_book.mjs HOST:PORT CLASS SYMBOL... (as the exchange writes them: BTCUSDT)
import ccxt from 'ccxt';
import { die, print, printBook, printTrade } from './report.mjs';

const AGAIN_MAX = 10;

const [host, name, ...ids] = process.argv.slice(2);
if (!host || !ccxt.pro[name] || ids.length === 0) die('usage: node ccxt_book.mjs HOST:PORT CLASS SYMBOL...');

const exchange = new ccxt.pro[name]();

// Every URL keeps its path; nothing else of the exchange is changed.
function redirect(urls) {
  for (const [key, url] of Object.entries(urls)) {
    if (typeof url === 'object') redirect(url);
    else urls[key] = url.replace(/^(\w+:\/\/)[^/]+/, `$1${host}`);
  }
}
redirect(exchange.urls.api);

// ccxt keeps of Deribit's books the time where it keeps the sequence of others, and begins its trades anew with every
// message, so that of two that come at a time watchTrades gives one. Both are read beside it, from what it has just made
// of a message.
const sequences = new Map(); // by id
const isDeribit = name === 'deribit';
if (isDeribit) {
  const { handleOrderBook, handleTrades } = exchange;
  exchange.handleOrderBook = function handle(client, message) {
    handleOrderBook.call(this, client, message);
    sequences.set(message.params.data.instrument_name, message.params.data.change_id);
  };
  exchange.handleTrades = function handle(client, message) {
    handleTrades.call(this, client, message);
    const { data } = message.params;
    for (const trade of this.trades[this.safeSymbol(data[0].instrument_name)].slice(-data.length)) {
      printTrade(data[0].instrument_name, trade.id, trade.price, trade.amount);
    }
  };
}

// What waited for a COIN-M snapshot ccxt joins by the rule of spot: at a jump of ids it stops and throws, and the book
// has to be asked for again.
function mayAsk(error, again) {
  return name === 'binancecoinm' && error instanceof ccxt.ChecksumError && again < AGAIN_MAX;
}

async function book(symbol, id) {
  for (let again = 0; ;) {
    let held;
    try {
      held = await exchange.watchOrderBook(symbol);
    } catch (error) {
      if (!mayAsk(error, again)) throw error;
      again += 1;
      print({ at: 'again', symbol: id });
      continue;
    }
    printBook(id, sequences.get(id) ?? held.nonce, held.bids, held.asks);
  }
}

async function trades(symbol, id) {
  for (let isFirst = true; ; isFirst = false) {
    const came = await exchange.watchTrades(symbol);
    if (!isDeribit) for (const trade of came) printTrade(id, trade.id, trade.price, trade.amount);
    if (isFirst) book(symbol, id).catch(die);
  }
}

async function main() {
  await exchange.loadMarkets();
  for (const id of ids) {
    if (!exchange.markets_by_id[id]) throw new Error(`${name} knows no ${id} after loadMarkets`);
    trades(exchange.markets_by_id[id][0].symbol, id).catch(die);
  }
}

main().catch(die);
