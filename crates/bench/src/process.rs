//! A process that is measured: how long it ran, how much memory it had at most, how much processor time it took.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

/// How often the memory is looked at. The kernel keeps the peak, so only a peak in the last moments is missed.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a process took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    /// From the start to the end.
    pub(crate) wall: Duration,
    /// Peak of the resident memory, in octets.
    pub(crate) memory: u64,
    /// Processor time, its own and the kernel's for it.
    pub(crate) processor: Duration,
}

/// A command with nothing of our environment but what finds programs and temporary files. It dies with its handle.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().kill_on_drop(true).stdin(Stdio::null());
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing of the program's settings is passed on, only these"
    )]
    for name in ["PATH", "TMPDIR", "SQLITE_TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// Runs the command to its end, which must be one of the exit codes in `good`.
pub(crate) async fn measure(mut command: Command, good: &[i32]) -> anyhow::Result<Spent> {
    command.stdout(Stdio::null());
    Ok(run(command, good).await?.0)
}

/// The same, with what it printed.
pub(crate) async fn measure_output(mut command: Command, good: &[i32]) -> anyhow::Result<(Spent, String)> {
    command.stdout(Stdio::piped());
    let (spent, output) = run(command, good).await?;
    Ok((spent, String::from_utf8(output)?))
}

async fn run(mut command: Command, good: &[i32]) -> anyhow::Result<(Spent, Vec<u8>)> {
    let name = format!("{:?}", command.as_std());
    command.stderr(Stdio::piped());
    let begun = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
    let mut errors = child.stderr.take().context("no stderr")?;
    let mut output = child.stdout.take();
    let id = child.id().unwrap_or_default();
    let mut spent = Spent::default();
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let (mut said, mut printed) = (Vec::new(), Vec::new());
    let listen = async {
        match &mut output {
            Some(output) => output.read_to_end(&mut printed).await.map(drop),
            None => Ok(()),
        }
    };
    let talk = async {
        // What cannot be read is missing from a message, and nothing else.
        let _ = errors.read_to_end(&mut said).await;
    };
    let watch = async {
        loop {
            tokio::select! {
                status = child.wait() => return status,
                _ = looks.tick() => {
                    spent.memory = spent.memory.max(peak_memory(id).unwrap_or(0));
                    spent.processor = spent.processor.max(processor(id).unwrap_or_default());
                }
            }
        }
    };
    let (status, wall, listened) = {
        let timed = async {
            let status = watch.await;
            (status, begun.elapsed())
        };
        let ((status, wall), (), listened) = tokio::join!(timed, talk, listen);
        (status?, wall, listened)
    };
    spent.wall = wall;
    if !status.code().is_some_and(|code| good.contains(&code)) {
        bail!("{name} ended with {status}: {}", String::from_utf8_lossy(&said).trim());
    }
    listened.with_context(|| format!("what {name} printed cannot be read"))?;
    Ok((spent, printed))
}

/// `VmHWM` (<https://docs.kernel.org/filesystems/proc.html>), in octets.
fn peak_memory(id: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilo| kilo * 1024)
}

/// `utime` and `stime`, which count hundredths of a second.
fn processor(id: u32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold blanks; what follows it does not.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place)?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}

/// The one in the middle.
pub(crate) fn median(values: &[Duration]) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
