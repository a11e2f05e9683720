//! reader.rs - a book, and every record behind it; std only, no crate.
//!
//!   rustc -O reader.rs $(pkg-config --libs-only-L mdshm) -l mdshm -o reader
//!   ./reader [-d DIR] ENGINE FEED SYMBOL [RECORDS]
use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_int, c_void};
use std::{env, process, ptr, thread, time::Duration};

const OK: c_int = 0;
const STALE: c_int = 2;
const SUPERSEDED: c_int = 4;
const STOPPED: c_int = 5;
const BUSY: c_int = 6;
const ABSENT: c_int = 7;
const EMPTY: c_int = 8;
const LAPPED: c_int = 9;
const CORRUPT: c_int = 11;
const RESTARTED: c_int = 15;
const GUARD_CHAIN: c_int = 1;
const NONE: u32 = u32::MAX;
const MAX_AGE_NS: i64 = 1_000_000_000;
const SEQ_OFFSET: usize = 24;
const BEAT_EVERY: u64 = 4096;
const WAIT_TURNS: u32 = 30_000; // of a millisecond, for the next engine

#[repr(C)]
struct Shm {
    _private: [u8; 0],
}
#[repr(C)]
struct RawTape {
    _private: [u8; 0],
}

/// mdshm_book_meta_t
#[repr(C)]
#[derive(Clone, Copy)]
struct Meta {
    state: u8,
    reason: u8,
    px_exp: i8,
    qty_exp: i8,
    gen: u32,
    last_seq: u64,
    tape_pos: u64,
    exch_seq: u64,
    ts_exch_ns: i64,
    ts_recv_ns: i64,
    ts_pub_ns: i64,
    trusted_bid: i64,
    trusted_ask: i64,
    bid_total: u32,
    ask_total: u32,
    flags: u32,
    generation: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Level {
    px: i64,
    qty: i64,
}

/// mdshm_ladder_t
#[repr(C)]
#[derive(Clone, Copy)]
struct Ladder {
    struct_size: u32,
    pad0: u32,
    meta: Meta,
    bid_cnt: u32,
    ask_cnt: u32,
    bids: [Level; 20],
    asks: [Level; 20],
}

/// mdshm_bbo_t
#[repr(C)]
struct Bbo {
    struct_size: u32,
    generation: u32,
    state: u8,
    reason: u8,
    px_exp: i8,
    qty_exp: i8,
    flags: u32,
    last_seq: u64,
    ts_recv_ns: i64,
    bid_px: i64,
    bid_qty: i64,
    ask_px: i64,
    ask_qty: i64,
}

extern "C" {
    fn mdshm_result_name(result: c_int) -> *const c_char;
    fn mdshm_state_name(state: u32) -> *const c_char;
    fn mdshm_guard(mode: c_int) -> c_int;
    fn mdshm_open(
        dir: *const c_char,
        name: *const c_char,
        timeout_ms: c_int,
        out: *mut *mut Shm,
        message: *mut c_char,
        message_bytes: usize,
    ) -> c_int;
    fn mdshm_close(shm: *mut Shm);
    fn mdshm_check(shm: *mut Shm) -> c_int;
    fn mdshm_register(shm: *mut Shm, name: *const c_char) -> c_int;
    fn mdshm_beat(shm: *mut Shm) -> c_int;
    fn mdshm_feed_find(shm: *const Shm, name: *const c_char) -> u32;
    fn mdshm_feed_check(shm: *mut Shm, feed: u32, max_age_ns: i64) -> c_int;
    fn mdshm_instrument_find(shm: *mut Shm, feed: u32, symbol: *const c_char, row: *mut u32) -> c_int;
    fn mdshm_read_bbo(shm: *mut Shm, row: u32, max_age_ns: i64, out: *mut Bbo) -> c_int;
    fn mdshm_read_ladder(shm: *mut Shm, row: u32, max_age_ns: i64, out: *mut Ladder) -> c_int;
    fn mdshm_decimal(mantissa: i64, exponent: c_int, out: *mut c_char, out_bytes: usize) -> usize;
    fn mdshm_tape_open(shm: *mut Shm, feed: u32, from: c_int, out: *mut *mut RawTape) -> c_int;
    fn mdshm_tape_close(tape: *mut RawTape);
    fn mdshm_tape_join(tape: *mut RawTape, meta: *const Meta) -> c_int;
    fn mdshm_tape_next(
        tape: *mut RawTape,
        record: *mut *const c_void,
        bytes: *mut usize,
        lost_bytes: *mut u64,
    ) -> c_int;
}

fn text(p: *const c_char) -> String {
    unsafe { CStr::from_ptr(p) }.to_string_lossy().into_owned()
}

fn must(result: c_int, what: &str) -> Result<(), String> {
    match result {
        OK => Ok(()),
        other => Err(format!("{}: {}", what, text(unsafe { mdshm_result_name(other) }))),
    }
}

fn rest() {
    thread::sleep(Duration::from_millis(1));
}

fn decimal(mantissa: i64, exponent: i8) -> String {
    let mut out = [0 as c_char; 192];
    unsafe { mdshm_decimal(mantissa, exponent.into(), out.as_mut_ptr(), out.len()) };
    text(out.as_ptr())
}

/// Owns an mdshm_t; raw pointers keep it on one thread, as the library wants.
struct Engine(*mut Shm);

impl Engine {
    fn open(dir: Option<&CString>, name: &CString) -> Result<Engine, String> {
        let mut shm = ptr::null_mut();
        let mut message = [0 as c_char; 256];
        let dir = dir.map_or(ptr::null(), |d| d.as_ptr());
        let result =
            unsafe { mdshm_open(dir, name.as_ptr(), 10_000, &mut shm, message.as_mut_ptr(), 256) };
        must(result, &text(message.as_ptr()))?;
        Ok(Engine(shm))
    }

    /// A symbol of a feed that just started may still have to come.
    fn find(&self, feed: u32, symbol: &CString) -> Result<u32, String> {
        let mut row = 0;
        loop {
            let result = unsafe { mdshm_instrument_find(self.0, feed, symbol.as_ptr(), &mut row) };
            if result != ABSENT || unsafe { mdshm_check(self.0) } != OK {
                return must(result, "no such symbol").map(|_| row);
            }
            rest();
        }
    }

    fn read_valid(&self, row: u32) -> Result<Ladder, String> {
        let mut book: Ladder = unsafe { std::mem::zeroed() };
        book.struct_size = std::mem::size_of::<Ladder>() as u32;
        for _ in 0..30_000 {
            let result = unsafe { mdshm_read_ladder(self.0, row, MAX_AGE_NS, &mut book) };
            if result == OK && book.bid_cnt > 0 && book.ask_cnt > 0 {
                return Ok(book);
            }
            if result > STALE && result != BUSY && result != RESTARTED {
                must(result, "the book")?;
            }
            rest();
        }
        Err("the book does not become VALID".to_string())
    }
}

impl Engine {
    /// The cheapest look at a price, for programs that look very often: one cache line.
    fn read_bbo(&self, row: u32) -> Result<Bbo, String> {
        let mut bbo: Bbo = unsafe { std::mem::zeroed() };
        bbo.struct_size = std::mem::size_of::<Bbo>() as u32;
        for _ in 0..WAIT_TURNS {
            match unsafe { mdshm_read_bbo(self.0, row, MAX_AGE_NS, &mut bbo) } {
                OK => return Ok(bbo),
                result @ (ABSENT | CORRUPT) => must(result, "the best prices")?,
                _ => rest(),
            }
        }
        Err("the book does not become VALID again".to_string())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        unsafe { mdshm_close(self.0) }
    }
}

/// A tape must not outlive its engine: it borrows it.
struct Tape<'a> {
    raw: *mut RawTape,
    engine: &'a Engine,
    feed: u32,
    restarts: u64,
}

impl<'a> Tape<'a> {
    fn open(engine: &'a Engine, feed: u32) -> Result<Tape<'a>, String> {
        let mut tape = ptr::null_mut();
        must(unsafe { mdshm_tape_open(engine.0, feed, 0, &mut tape) }, "the tape")?;
        Ok(Tape { raw: tape, engine, feed, restarts: 0 })
    }

    /// There is nothing to read: rests, and gives up when there is no living engine for too long.
    fn wait(&self, waited: &mut u32) -> Result<(), String> {
        let alive = unsafe { mdshm_feed_check(self.engine.0, self.feed, MAX_AGE_NS) };
        if alive != OK && alive != STALE && alive != RESTARTED {
            *waited += 1;
            if alive == CORRUPT || *waited == WAIT_TURNS {
                must(alive, "the engine")?;
            }
        }
        rest();
        Ok(())
    }

    /// The seq of the next record; None after records were lost to us, or the engine was restarted.
    fn next(&mut self) -> Result<Option<u64>, String> {
        let mut waited = 0;
        loop {
            let (mut record, mut bytes, mut lost) = (ptr::null(), 0, 0);
            match unsafe { mdshm_tape_next(self.raw, &mut record, &mut bytes, &mut lost) } {
                OK => {
                    let bytes = unsafe { std::slice::from_raw_parts(record as *const u8, bytes) };
                    let mut seq = [0; 8];
                    seq.copy_from_slice(&bytes[SEQ_OFFSET..SEQ_OFFSET + 8]);
                    return Ok(Some(u64::from_le_bytes(seq)));
                }
                EMPTY | STOPPED | SUPERSEDED | ABSENT => self.wait(&mut waited)?,
                LAPPED => return Ok(None),
                RESTARTED => {
                    self.restarts += 1;
                    return Ok(None);
                }
                other => must(other, "the tape")?,
            }
        }
    }
}

impl Drop for Tape<'_> {
    fn drop(&mut self) {
        unsafe { mdshm_tape_close(self.raw) }
    }
}

fn run(dir: Option<CString>, names: &[CString], want: u64) -> Result<bool, String> {
    // Rust has a SIGBUS handler of its own, so the guard must be asked for.
    must(unsafe { mdshm_guard(GUARD_CHAIN) }, "the guard")?;
    let engine = Engine::open(dir.as_ref(), &names[0])?;
    let feed = unsafe { mdshm_feed_find(engine.0, names[1].as_ptr()) };
    if feed == NONE {
        return Err("no such feed".to_string());
    }
    let name = CString::new("example.rs").unwrap();
    let _ = unsafe { mdshm_register(engine.0, name.as_ptr()) };
    let row = engine.find(feed, &names[2])?;
    let book = engine.read_valid(row)?;
    println!(
        "{} {} {} x {}, {} bids, {} asks, seq {}",
        names[2].to_string_lossy(),
        text(unsafe { mdshm_state_name(book.meta.state.into()) }),
        decimal(book.bids[0].px, book.meta.px_exp),
        decimal(book.asks[0].px, book.meta.px_exp),
        book.bid_cnt,
        book.ask_cnt,
        book.meta.last_seq
    );
    let mut tape = Tape::open(&engine, feed)?;
    must(unsafe { mdshm_tape_join(tape.raw, &book.meta) }, "the tape")?;
    let (mut expected, mut got, mut holes) = (Some(book.meta.last_seq + 1), 0, 0);
    while got < want {
        let next = tape.next()?;
        if let Some(seq) = next {
            holes += u64::from(expected.map_or(false, |e| e != seq));
            if got % BEAT_EVERY == 0 {
                let _ = unsafe { mdshm_beat(engine.0) };
            }
            got += 1;
        }
        expected = next.map(|seq| seq + 1);
    }
    println!("{} records behind it, {} holes, {} restarts", got, holes, tape.restarts);
    let bbo = engine.read_bbo(row)?;
    println!(
        "now {} x {}, seq {}",
        decimal(bbo.bid_px, bbo.px_exp),
        decimal(bbo.ask_px, bbo.px_exp),
        bbo.last_seq
    );
    Ok(holes == 0 && bbo.bid_px < bbo.ask_px)
}

fn main() {
    let mut words: Vec<String> = env::args().skip(1).collect();
    let mut dir = None;
    if words.len() > 1 && words[0] == "-d" {
        dir = CString::new(words[1].clone()).ok();
        words.drain(..2);
    }
    let names: Vec<CString> = words.iter().filter_map(|w| CString::new(w.as_str()).ok()).collect();
    if names.len() < 3 {
        eprintln!("usage: reader [-d DIR] ENGINE FEED SYMBOL [RECORDS]");
        process::exit(2);
    }
    let want = words.get(3).and_then(|w| w.parse().ok()).unwrap_or(1000);
    match run(dir, &names, want) {
        Ok(whole) => process::exit(if whole { 0 } else { 1 }),
        Err(why) => {
            eprintln!("reader: {}", why);
            process::exit(1);
        }
    }
}
