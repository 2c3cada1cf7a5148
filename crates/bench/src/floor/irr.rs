//! bgpq4 once per list, one after another, as Peering Manager has always done.

use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::process::Command;

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
