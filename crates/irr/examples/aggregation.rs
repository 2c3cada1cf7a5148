//! Measures how long a list of a million prefixes takes, and how much memory: invented allocations of /16 to /20 (IPv6:
//! /29 to /36) and more specifics in them.
//!
//! `cargo run --release -p pm-irr --example aggregation [4|6 [ARGUMENTS…]]`
#![expect(clippy::print_stdout, reason = "the output is what the program is for")]

use std::error::Error;
use std::time::Instant;

use pm_irr::{Family, ListArguments, PackedList, Prefix, pack, prefix_list, prefix_list_json};

const COUNT: usize = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut given = std::env::args().skip(1);
    let family = if given.next().as_deref() == Some("6") { Family::V6 } else { Family::V4 };
    let mut arguments: Vec<String> = given.collect();
    if arguments.is_empty() {
        let usual = if family == Family::V4 { ["-A", "-r8", "-R24"] } else { ["-A", "-r16", "-R48"] };
        arguments.extend(usual.map(str::to_owned));
    }
    let shape = ListArguments::parse(&arguments, family)?.shape;
    let mut prefixes = invented(family);
    println!("{COUNT} prefixes, {family:?}, {}: {} MB", arguments.join(" "), peak()?);

    let entries =
        timed("list, of unsorted ones", || prefix_list(family, prefixes.iter().copied(), &[], &shape));
    println!("{} entries; peak so far {} MB", entries.len(), peak()?);
    prefixes.sort_unstable();
    let again = timed("list, of sorted ones", || prefix_list(family, prefixes.iter().copied(), &[], &shape));
    assert!(again == entries, "the order made another list");
    let json = timed("JSON", || prefix_list_json("list", &entries));
    let packed = timed("packing", || pack(family, &entries));
    println!("{} bytes of JSON, {} packed", json.len(), packed.len());
    let list = timed("checking what was packed", || PackedList::new(&packed))?;
    let permitted = |prefix: &&Prefix| list.permits(**prefix).is_some();
    let found = timed("looking for each prefix", || prefixes.iter().filter(permitted).count());
    assert!(found == COUNT, "{found} of {COUNT} are permitted");
    println!("peak {} MB", peak()?);
    Ok(())
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let done = work();
    println!("{:7.3} s  {what}", begin.elapsed().as_secs_f64());
    done
}

/// Distinct prefixes in no order.
fn invented(family: Family) -> Vec<Prefix> {
    let (shortest, specifics) = if family == Family::V4 { (16, 24) } else { (29, 48) };
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut prefixes = Vec::with_capacity(COUNT);
    while prefixes.len() < COUNT {
        while prefixes.len() < COUNT {
            let length = shortest + random.below(if family == Family::V4 { 5 } else { 8 });
            let address = u128::from(random.next()) << 64;
            let allocation = Prefix::new(family, address, length);
            prefixes.push(allocation);
            for _ in 0..random.below(40) {
                let length =
                    if random.below(10) < 6 { specifics } else { length + random.below(specifics - length) };
                let address = allocation.address() | (u128::from(random.next()) << 64 >> length);
                prefixes.push(Prefix::new(family, address, length));
            }
        }
        prefixes.sort_unstable();
        prefixes.dedup();
        for at in (1..prefixes.len()).rev() {
            prefixes.swap(at, random.index(at + 1));
        }
    }
    prefixes.truncate(COUNT);
    prefixes
}

/// xorshift64: the same numbers in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u8) -> u8 {
        u8::try_from(self.next() % u64::from(end)).unwrap_or_default()
    }

    fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.next()).unwrap_or_default() % end
    }
}

/// The most memory that the process has held so far, in MB.
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}
