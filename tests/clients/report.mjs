// report.mjs - what both clients print of what they hold, as JSON lines: a book by its update id with the digest
// of feeds/orderbook.h over its best 20 levels, and trade totals. compare.py holds them against the truth.
import { createHash } from 'node:crypto';

const SCALE = 18;
const TOP = 20;

// scaled turns a decimal (a string, or the shortest text of a number) into an integer of 10^-18.
export function scaled(value) {
  const [mantissa, exponent = '0'] = String(value).toLowerCase().split('e');
  const [whole, fraction = ''] = mantissa.split('.');
  const zeros = SCALE + Number(exponent) - fraction.length;
  if (zeros < 0) throw new Error(`${value} has more than ${SCALE} decimals`);
  return BigInt(whole + fraction + '0'.repeat(zeros));
}

// plain writes such an integer as md_decimal_format does: no exponent, no trailing zeros.
export function plain(integer) {
  const digits = integer.toString().padStart(SCALE + 1, '0');
  const fraction = digits.slice(-SCALE).replace(/0+$/, '');
  return digits.slice(0, -SCALE) + (fraction ? `.${fraction}` : '');
}

// Bids from high to low, asks from low to high, as [price, quantity].
function digest(bids, asks) {
  const hash = createHash('sha256');
  for (const [letter, side] of [['B', bids], ['A', asks]]) {
    for (const [px, qty] of side.slice(0, TOP)) {
      hash.update(`${letter} ${plain(scaled(px))} ${plain(scaled(qty))}\n`);
    }
  }
  return hash.digest('hex');
}

export function print(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

export function printBook(symbol, id, bids, asks) {
  print({ at: 'book', symbol, id, digest_top20: digest(bids, asks) });
}

// Totals of the trades of one symbol; an id that comes twice or goes back is a fault of the feed.
export class Totals {
  constructor(symbol) {
    this.symbol = symbol;
    this.cnt = 0;
    this.sum = 0n;
    this.lastId = -1n;
  }

  add(id, qty) {
    if (BigInt(id) <= this.lastId) throw new Error(`${this.symbol}: trade ${id} after ${this.lastId}`);
    this.lastId = BigInt(id);
    this.cnt += 1;
    this.sum += scaled(qty);
  }

  print() {
    print({ at: 'trades', symbol: this.symbol, trades: this.cnt, trade_qty_sum: plain(this.sum) });
  }
}

export function die(error) {
  process.stderr.write(`${error?.stack ?? error}\n`);
  process.exit(1);
}

// What the libraries log belongs beside what they hold.
for (const name of ['log', 'info', 'debug', 'warn']) console[name] = console.error;

process.on('SIGTERM', () => process.exit(0));
process.on('unhandledRejection', die);
