// okx_api_book.mjs - okx-api against another host: trades at once; books with the first trade, held by the procedure that
// the exchange documents: a snapshot, then updates whose prevSeqId is the seqId before. Runs until SIGTERM.
//
// usage: node okx_api_book.mjs HOST:PORT SYMBOL... (as the exchange writes them: BTC-USDT-SWAP)
import { WebsocketClient } from 'okx-api';
import { Levels } from './book.mjs';
import { die, guarded, printBook, printTrade } from './report.mjs';

const [host, ...symbols] = process.argv.slice(2);
if (!host || symbols.length === 0) die('usage: node okx_api_book.mjs HOST:PORT SYMBOL...');

const log = (...args) => console.error(...args);
const client = new WebsocketClient({ wsUrl: `wss://${host}/ws/v5/public` }, { trace: () => {}, info: log, error: log });
const books = new Map(); // by symbol; undefined: subscribed, nothing came yet

function apply(symbol, action, row) {
  if (action === 'snapshot') books.set(symbol, { levels: new Levels(), seq: -1 });
  const book = books.get(symbol);
  if (!book) throw new Error(`${symbol}: an update before any snapshot`);
  if (row.prevSeqId !== book.seq) throw new Error(`${symbol}: ${row.prevSeqId}..${row.seqId} does not join ${book.seq}`);
  book.levels.put(row.bids, row.asks);
  book.seq = row.seqId;
  printBook(symbol, row.seqId, ...book.levels.sorted());
}

client.on('update', guarded(({ arg, action, data }) => {
  for (const row of data) {
    if (arg.channel === 'books') apply(arg.instId, action, row);
    if (arg.channel === 'trades') printTrade(arg.instId, row.tradeId, row.px, row.sz);
  }
  if (arg.channel === 'trades' && !books.has(arg.instId)) {
    books.set(arg.instId, undefined);
    client.subscribe({ channel: 'books', instId: arg.instId });
  }
}));
client.on('exception', die);
client.on('reconnect', () => die('the connection was lost'));
client.subscribe(symbols.map((instId) => ({ channel: 'trades', instId })));
