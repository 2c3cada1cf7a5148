//! Two ways to ask for the prefixes of many AS-SETs: bgpq4 once per list, as Peering Manager has always done, and bare
//! pipelining, which asks for all and parts the answers into words, and does no more with them.

use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

/// As many as the program.
const CONNECTIONS: usize = 4;

/// Runs bgpq4 for each AS-SET and family, one after another, and prints how many entries each list has.
#[expect(clippy::print_stdout, reason = "the output is what the part is for")]
pub(crate) async fn bgpq4(host: &str, sources: &str, names: &[String]) -> anyhow::Result<()> {
    for name in names {
        for family in ["4", "6"] {
            let output = Command::new("bgpq4")
                .args(["-h", host, "-S", sources, &format!("-{family}"), "-A", "-j", "-l", "x", name])
                .stdin(Stdio::null())
                .output()
                .await
                .context("bgpq4 cannot be started")?;
            if !output.status.success() {
                bail!("bgpq4 for {name}: {}", String::from_utf8_lossy(&output.stderr).trim());
            }
            let entries = String::from_utf8_lossy(&output.stdout).matches("\"prefix\":").count();
            println!("ipv{family} {name} {entries}");
        }
    }
    Ok(())
}

/// Asks for all lists at once, over a few connections, keeps the words of the answers, and prints how many there are.
#[expect(clippy::print_stdout, reason = "the output is what the part is for")]
pub(crate) async fn pipelined(host: &str, names: &[String]) -> anyhow::Result<()> {
    let queries: Vec<String> = ["4", "6"]
        .iter()
        .flat_map(|family| names.iter().map(move |name| format!("!a{family}{name}\n")))
        .collect();
    let mut shares = vec![(String::from("!!\n"), 0_usize); CONNECTIONS];
    for (place, query) in queries.iter().enumerate() {
        let (text, count) = &mut shares[place % CONNECTIONS];
        text.push_str(query);
        *count += 1;
    }
    let mut words = 0;
    let asked = shares.into_iter().map(|(text, count)| tokio::spawn(share(host.to_owned(), text, count)));
    for one in asked.collect::<Vec<_>>() {
        words += one.await??.iter().map(Vec::len).sum::<usize>();
    }
    println!("{words}");
    Ok(())
}

/// The words of the answers to these queries, asked on a connection of their own.
async fn share(host: String, queries: String, count: usize) -> anyhow::Result<Vec<Vec<String>>> {
    let stream = TcpStream::connect(&host).await.with_context(|| host.clone())?;
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    write.write_all(queries.as_bytes()).await?;
    let mut read = BufReader::with_capacity(64 << 10, read);
    let (mut line, mut data, mut answers) = (String::new(), Vec::new(), Vec::with_capacity(count));
    for _ in 0..count {
        line.clear();
        read.read_line(&mut line).await?;
        if let Some(length) = line.strip_prefix('A') {
            let length: usize = length.trim_end().parse()?;
            // The data and `C`.
            data.resize(length + 2, 0);
            read.read_exact(&mut data).await?;
            let text = std::str::from_utf8(&data[..length])?;
            answers.push(text.split_ascii_whitespace().map(str::to_owned).collect());
        } else {
            ensure!(matches!(line.trim_end(), "C" | "D"), "{host} answered {line:?}");
        }
    }
    write.write_all(b"!q\n").await?;
    Ok(answers)
}
