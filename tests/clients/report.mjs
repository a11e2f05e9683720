// report.mjs - what every client prints of what it holds, as JSON lines: a book by its sequence with the digest of
// feeds/orderbook.h, of all levels and of the best 20, and each trade. compare.py holds them against the truth and
// against the engine.
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
    for (const [px, qty] of side) hash.update(`${letter} ${plain(scaled(px))} ${plain(scaled(qty))}\n`);
  }
  return hash.digest('hex');
}

export function print(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

export function printBook(symbol, id, bids, asks) {
  print({
    at: 'book', symbol, id: Number(id), digest: digest(bids, asks),
    digest_top20: digest(bids.slice(0, TOP), asks.slice(0, TOP)),
  });
}

export function printTrade(symbol, id, px, qty) {
  print({ at: 'trade', symbol, id: String(id), px: plain(scaled(px)), qty: plain(scaled(qty)) });
}

export function die(error) {
  process.stderr.write(`${error?.stack ?? error}\n`);
  process.exit(1);
}

// guarded makes what a library calls end the process when it throws.
export function guarded(handle) {
  return (...args) => {
    try {
      handle(...args);
    } catch (error) {
      die(error);
    }
  };
}

// What the libraries log belongs beside what they hold.
for (const name of ['log', 'info', 'debug', 'warn', 'trace']) console[name] = console.error;

process.on('SIGTERM', () => process.exit(0));
process.on('unhandledRejection', die);
