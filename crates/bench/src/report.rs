//! The table.

use std::fmt;
use std::time::Duration;

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    /// Below the table.
    notes: Vec<String>,
}

#[derive(Debug)]
struct Row {
    name: String,
    ours: String,
    floor: String,
    ratio: String,
    target: String,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Met,
    Missed,
    /// There is no target.
    Told,
    Skipped,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Met => "ok",
            Self::Missed => "MISSED",
            Self::Told => "",
            Self::Skipped => "skipped",
        }
    }

    const fn of(met: bool) -> Self {
        if met { Self::Met } else { Self::Missed }
    }
}

impl Report {
    /// Ours beside a floor, which it may exceed by this factor.
    pub(crate) fn ratio(&mut self, name: impl Into<String>, ours: Duration, floor: Duration, target: f64) {
        let ratio = ours.as_secs_f64() / floor.as_secs_f64();
        self.rows.push(Row {
            name: name.into(),
            ours: time(ours),
            floor: time(floor),
            ratio: format!("{ratio:.2}"),
            target: format!("≤ {target:.1} × floor"),
            verdict: Verdict::of(ratio <= target),
        });
    }

    /// Ours beside another program, which should take at least so many times as long.
    pub(crate) fn faster(&mut self, name: impl Into<String>, ours: Duration, other: Duration, target: f64) {
        let ratio = other.as_secs_f64() / ours.as_secs_f64();
        self.rows.push(Row {
            name: name.into(),
            ours: time(ours),
            floor: time(other),
            ratio: format!("{ratio:.1} ×"),
            target: format!("≥ {target:.0} ×"),
            verdict: Verdict::of(ratio >= target),
        });
    }

    /// A time that has a limit.
    pub(crate) fn within(&mut self, name: impl Into<String>, ours: Duration, limit: Duration) {
        self.rows.push(Row {
            name: name.into(),
            ours: time(ours),
            floor: String::new(),
            ratio: format!("{:.2}", ours.as_secs_f64() / limit.as_secs_f64()),
            target: format!("< {}", time(limit)),
            verdict: Verdict::of(ours < limit),
        });
    }

    /// Memory, in octets, that has a limit, beside the floor's.
    pub(crate) fn memory(&mut self, name: impl Into<String>, ours: u64, floor: u64, limit: Option<u64>) {
        let target = limit.map(|limit| format!("< {}", size(limit))).unwrap_or_default();
        self.rows.push(Row {
            name: name.into(),
            ours: size(ours),
            floor: size(floor),
            ratio: format!("{:.2}", number(ours) / number(floor)),
            target,
            verdict: limit.map_or(Verdict::Told, |limit| Verdict::of(ours < limit)),
        });
    }

    /// Memory, in octets, that has a limit and nothing to be compared with.
    pub(crate) fn memory_within(&mut self, name: impl Into<String>, ours: u64, limit: u64) {
        self.rows.push(Row {
            name: name.into(),
            ours: size(ours),
            floor: String::new(),
            ratio: format!("{:.2}", number(ours) / number(limit)),
            target: format!("< {}", size(limit)),
            verdict: Verdict::of(ours < limit),
        });
    }

    /// A time without a target.
    pub(crate) fn told(&mut self, name: impl Into<String>, ours: Duration, floor: Option<Duration>) {
        self.rows.push(Row {
            name: name.into(),
            ours: time(ours),
            floor: floor.map(time).unwrap_or_default(),
            ratio: floor
                .map(|floor| format!("{:.2}", ours.as_secs_f64() / floor.as_secs_f64()))
                .unwrap_or_default(),
            target: String::new(),
            verdict: Verdict::Told,
        });
    }

    /// What could not be measured, and why.
    pub(crate) fn skipped(&mut self, name: impl Into<String>, why: &str) {
        self.rows.push(Row {
            name: name.into(),
            ours: String::new(),
            floor: String::new(),
            ratio: String::new(),
            target: why.to_owned(),
            verdict: Verdict::Skipped,
        });
    }

    /// A line below the table.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    pub(crate) fn all_met(&self) -> bool {
        self.rows.iter().all(|row| row.verdict != Verdict::Missed)
    }
}

/// As a table of Markdown, so that it can be pasted into the documentation.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["measure", "ours", "floor", "ratio", "target", ""].map(str::to_owned);
        let mut lines = vec![header];
        for row in &self.rows {
            lines.push([
                row.name.clone(),
                row.ours.clone(),
                row.floor.clone(),
                row.ratio.clone(),
                row.target.clone(),
                row.verdict.word().to_owned(),
            ]);
        }
        let width = |place: usize| lines.iter().map(|line| line[place].chars().count()).max().unwrap_or(0);
        let widths: [usize; 6] = std::array::from_fn(width);
        for (place, line) in lines.iter().enumerate() {
            let cells: Vec<String> = line
                .iter()
                .zip(widths)
                .enumerate()
                .map(|(column, (cell, width))| {
                    if (1..4).contains(&column) {
                        format!("{cell:>width$}")
                    } else {
                        format!("{cell:<width$}")
                    }
                })
                .collect();
            writeln!(f, "| {} |", cells.join(" | "))?;
            if place == 0 {
                let rules: Vec<String> = widths
                    .iter()
                    .enumerate()
                    .map(|(column, width)| {
                        let rule =
                            "-".repeat(width.saturating_sub(usize::from((1..4).contains(&column))).max(2));
                        if (1..4).contains(&column) { format!("{rule}:") } else { rule }
                    })
                    .collect();
                writeln!(f, "| {} |", rules.join(" | "))?;
            }
        }
        if !self.notes.is_empty() {
            writeln!(f)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "- {note}"))
    }
}

/// Seconds, or milliseconds below one.
pub(crate) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.1 {
        format!("{:.1} ms", seconds * 1000.0)
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.2} s")
    }
}

/// Megabytes of 1,000,000 octets.
pub(crate) fn size(octets: u64) -> String {
    format!("{:.0} MB", number(octets) / 1e6)
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn number(octets: u64) -> f64 {
    octets as f64
}
