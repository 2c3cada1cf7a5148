//! How quickly answers of routers with very many neighbours are read, and how much memory that takes:
//! `cargo run --release -p pm-router --example parsers`. A line per parser, with tabs: its name, the answer's size in MB, MB/s,
//! MB/s that are wanted, the memory at its peak beside the answer in sizes of the answer, and how much that may be. The exit code
//! is 1 if one is too slow, or takes too much.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "an example")]

mod many;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use pm_router::Parser;

#[global_allocator]
static HELD: PeakAlloc = PeakAlloc;

const NEIGHBORS: u32 = 10_000;
const ROUNDS: u32 = 5;

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn main() -> ExitCode {
    let mut fine = true;
    for many::Goal { name, speed: wanted } in many::GOALS {
        let parser = Parser::named(name).unwrap();
        let parts = many::many(name, NEIGHBORS);
        let octets = parts.values().map(String::len).sum::<usize>() as f64;
        let before = HELD.current_usage();
        HELD.reset_peak_usage();
        let mut best = Duration::MAX;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let all = (parser.read)(&parts).unwrap();
            best = best.min(begun.elapsed());
            assert_eq!(all.left_out, Vec::<String>::new(), "{name}");
        }
        let memory = (HELD.peak_usage() - before) as f64 / octets;
        let speed = octets / 1e6 / best.as_secs_f64();
        fine &= speed >= f64::from(wanted) && memory < f64::from(many::MEMORY);
        println!("{name}\t{:.1}\t{speed:.0}\t{wanted}\t{memory:.2}\t{}", octets / 1e6, many::MEMORY);
    }
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
