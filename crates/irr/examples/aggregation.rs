//! Measures how long a list of a million prefixes takes, and how much memory: invented allocations of /16 to /20 (IPv6:
//! /29 to /36) and more specifics in them.
//!
//! `cargo run --release -p pm-irr --example aggregation [PREFIXES]`
#![expect(clippy::print_stdout, reason = "the output is what the program is for")]

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use pm_irr::{Family, ListArguments, PackedList, Prefix, PrefixListJson, pack, prefix_list};

fn main() -> Result<(), Box<dyn Error>> {
    let count = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    for (family, arguments) in
        [(Family::V4, ["-A", "-r8", "-R24"]), (Family::V4, ["-A"; 3]), (Family::V6, ["-A", "-r16", "-R48"])]
    {
        let shape = ListArguments::parse(&arguments.map(str::to_owned), family)?.shape;
        let prefixes = invented(family, count);
        println!(
            "{count} prefixes, {family:?}, {}; peak with nothing but them: {} MB",
            arguments.join(" "),
            peak()?
        );

        let begin = Instant::now();
        let entries = prefix_list(family, prefixes.iter().copied(), &[], &shape);
        println!(
            "  unsorted: {:.3} s, {} entries, peak {} MB",
            begin.elapsed().as_secs_f64(),
            entries.len(),
            peak()?
        );

        let mut prefixes = prefixes;
        prefixes.sort_unstable();
        let begin = Instant::now();
        let again = prefix_list(family, prefixes.iter().copied(), &[], &shape);
        println!(
            "  sorted: {:.3} s, {}",
            begin.elapsed().as_secs_f64(),
            if again == entries { "equal" } else { "OTHER" }
        );
        drop(again);

        let begin = Instant::now();
        write!(std::io::sink(), "{}", PrefixListJson { name: "list", entries: entries.iter().copied() })?;
        println!("  as JSON: {:.3} s", begin.elapsed().as_secs_f64());

        let begin = Instant::now();
        let packed = pack(family, &entries);
        println!("  packed: {:.3} s, {} bytes", begin.elapsed().as_secs_f64(), packed.len());
        let begin = Instant::now();
        let list = PackedList::new(&packed)?;
        println!("  checked: {:.3} s", begin.elapsed().as_secs_f64());
        let begin = Instant::now();
        let permitted = prefixes.iter().filter(|&&prefix| list.permits(prefix).is_some()).count();
        println!("  {permitted} routes found in {:.3} s", begin.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Distinct prefixes in no order.
fn invented(family: Family, count: usize) -> Vec<Prefix> {
    let (shortest, specifics) = if family == Family::V4 { (16, 24) } else { (29, 48) };
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut prefixes = Vec::with_capacity(count);
    while prefixes.len() < count {
        while prefixes.len() < count {
            let length = shortest + random.below(if family == Family::V4 { 5 } else { 8 });
            let address = (0x20 << 120) | (u128::from(random.next()) << 60);
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
    prefixes.truncate(count);
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
