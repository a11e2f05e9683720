// types.ts - what /stream and /history say: the document of `mdengine status --json` and what stands around it.

export interface Latency {
  count: number;
  p50_ns: number;
  p99_ns: number;
  p999_ns: number;
}

export interface Feed {
  feed: string;
  health: string;
  input: string;
  frames: number;
  records: number;
  frames_per_s: number;
  records_per_s: number;
  books_valid: number;
  books: number;
  gaps: number;
  reconnects: number;
  lost: number;
  parse_errors: number;
  published_seq: number;
  written_seq: number;
  durable_seq: number;
  stored_seq: number;
  memory_bytes: number;
  cpu_of_a_core: number;
  exchange_to_receive: Latency;
  receive_to_decoded: Latency;
  decoded_to_visible: Latency;
}

export interface Sink {
  thread: string;
  heartbeat_age_ns: number;
  records: number;
  bytes: number;
  rows: number;
  batches: number;
  errors: number;
  catchup: boolean;
  lag_records: number;
  lag_s: number;
  records_per_s?: number;
  state?: string;
  degraded?: boolean;
  ring_wait: Latency;
  durable?: Latency;
  stored?: Latency;
}

export interface Book {
  feed: string;
  symbol: string;
  state: string;
  reason: string;
  bid_qty: string;
  bid: string;
  ask: string;
  ask_qty: string;
  seq: number;
}

export interface Status {
  name: string;
  version: string;
  engine: string;
  epoch: number;
  pid: number;
  created_ns: number;
  feeds: Feed[];
  sinks: Sink[];
  rings: { ring: string; capacity_bytes: number; used_bytes: number; lost: number }[];
  readers: { name: string; pid: number; reads: number; records: number; lag_bytes: number; lapped: number }[];
  books: Book[];
}

export interface Point {
  n: number;
  time_ms: number;
  values: (number | null)[];
}

export interface Message {
  n: number;
  browsers: number;
  dropped: number;
  time_ms: number;
  status: Status | null;
  point?: Point | null;
}

export interface Ladder {
  choice: string;
  state: string;
  reason?: string;
  seq?: number;
  exch_seq?: number;
  gen?: number;
  bid_levels?: number;
  ask_levels?: number;
  bids?: [string, string][];
  asks?: [string, string][];
}

export interface History {
  step_ms: number;
  series: string[];
  points: Point[];
}

export type Tone = "good" | "warn" | "bad" | "idle";
