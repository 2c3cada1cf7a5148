//! Measures how fast answers are read: makes about 125 MB of invented network records and reads them from
//! memory.
//!
//! `cargo run --release -p pm-peeringdb --example throughput [FILE NAMESPACE]` (a file: reads that dump
//! instead).
#![expect(clippy::print_stdout, reason = "the output is what the program is for")]

use std::error::Error;
use std::time::Instant;

use pm_peeringdb::{Kind, Namespace, read};
use serde_json::{Map, Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (text, namespace) = match (arguments.next(), arguments.next()) {
        (Some(file), Some(namespace)) => (std::fs::read(file)?, namespace.parse()?),
        _ => (invented(Namespace::Net, 125_000_000)?, Namespace::Net),
    };
    for _ in 0..3 {
        let begin = Instant::now();
        let contents = read(namespace, text.as_slice(), &mut |_| Ok(()))?;
        let seconds = begin.elapsed().as_secs_f64();
        let megabytes = f64::from(u32::try_from(contents.bytes / 1000)?) / 1000.0;
        println!(
            "{} records, {megabytes:.0} MB in {seconds:.2} s: {:.0} MB/s",
            contents.records,
            megabytes / seconds
        );
    }
    Ok(())
}

fn invented(namespace: Namespace, bytes: usize) -> serde_json::Result<Vec<u8>> {
    let mut text = br#"{"meta": {"generated": 1700000000.5}, "data": ["#.to_vec();
    let mut id = 0;
    while text.len() < bytes {
        if id > 0 {
            text.push(b',');
        }
        id += 1;
        let mut record = Map::new();
        record.insert("id".to_owned(), json!(id));
        for field in namespace.fields() {
            record.insert(field.name.to_owned(), value(field.name, field.kind, id));
        }
        for (key, value) in
            [("created", "2010-07-29T00:00:00Z"), ("updated", "2024-02-29T12:34:56Z"), ("status", "ok")]
        {
            record.insert(key.to_owned(), json!(value));
        }
        serde_json::to_writer(&mut text, &record)?;
    }
    text.extend_from_slice(b"]}");
    Ok(text)
}

fn value(name: &str, kind: Kind, id: i64) -> Value {
    match kind {
        Kind::Integer => json!(id),
        Kind::Boolean => json!(id % 2 == 0),
        Kind::Float => json!(52.370_216),
        Kind::Text if name == "notes" => json!("A network with notes.\r\nOf \"two\" lines. ".repeat(10)),
        Kind::Text => json!(format!("{name} of network {id}")),
        Kind::Time => json!("2024-01-31T23:59:59Z"),
        Kind::Json => json!([{"service": "website", "identifier": "https://www.example.net"}]),
        Kind::Ipv4 => json!("192.0.2.1"),
        Kind::Ipv6 => json!("2001:db8::1"),
        Kind::Prefix => json!("192.0.2.0/24"),
        Kind::Mac => json!("00:00:5e:00:53:01"),
    }
}
