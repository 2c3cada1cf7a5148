//! Answers of routers with so many neighbours that they are tens of megabytes, and the parts that make and read one of them.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use pm_router::{Parser, Parts};

/// What the memory test of the parsers reads, too.
#[expect(clippy::unwrap_used, reason = "it reads cases of this repository")]
#[path = "../../router/examples/parsers/many.rs"]
mod many;

pub(crate) use many::{GOALS, MEMORY};

/// Writes an answer of about so many octets to a file. That takes several times the memory that reading takes, and is
/// therefore done by another process.
pub(crate) fn make(name: &str, octets: usize, file: &Path) -> anyhow::Result<()> {
    let length = |count| many::many(name, count).values().map(String::len).sum::<usize>();
    let each = (length(200) - length(100)) / 100;
    let parts = many::many(name, u32::try_from(octets / each.max(1))?);
    let mut out = BufWriter::new(File::create(file)?);
    for (name, text) in parts {
        writeln!(out, "{name} {}", text.len())?;
        out.write_all(text.as_bytes())?;
    }
    Ok(out.flush()?)
}

fn load(file: &Path) -> anyhow::Result<Parts> {
    let mut from = BufReader::new(File::open(file)?);
    let mut parts = Parts::new();
    let mut line = String::new();
    while from.read_line(&mut line)? > 0 {
        let (name, length) = line.trim_end().split_once(' ').context("no name and length")?;
        let mut octets = vec![0; length.parse()?];
        from.read_exact(&mut octets)?;
        parts.insert(name.to_owned(), String::from_utf8(octets)?);
        line.clear();
    }
    Ok(parts)
}

/// Reads the answer in the file a few times, and prints its octets and the microseconds that each reading took.
#[expect(clippy::print_stdout, reason = "the output is what the part is for")]
pub(crate) fn run(name: &str, file: &Path, rounds: u32) -> anyhow::Result<()> {
    let parser = Parser::named(name).with_context(|| format!("there is no parser {name}"))?;
    let parts = load(file)?;
    let length: usize = parts.values().map(String::len).sum();
    for _ in 0..rounds {
        let begun = Instant::now();
        let found = (parser.read)(&parts).map_err(anyhow::Error::msg)?;
        let took = begun.elapsed();
        // Those that read for NAPALM alone give none.
        ensure!(matches!(found.neighbors.len(), 0 | 1000..), "{name}: {} neighbours", found.neighbors.len());
        ensure!(found.left_out.is_empty(), "{name}: {} were left out", found.left_out.len());
        println!("{length} {}", took.as_micros());
    }
    Ok(())
}
