//! What a running task shows: a progress bar and lines when stderr is a terminal, plain lines when not.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use console::style;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pm_config::LogFormat;
use pm_store::jobs::{Level, LogLine, Progress};
use pm_tasks::Sink;

use crate::output::printable;

/// Shows a task's lines from a level on.
pub(crate) struct Terminal {
    least: Level,
    format: LogFormat,
    bar: Option<ProgressBar>,
}

impl Terminal {
    /// `verbosity` is the number of `-v`, or -1 for `-q`.
    pub(crate) fn new(verbosity: i8, format: LogFormat) -> Self {
        let wanted = verbosity >= 0 && format == LogFormat::Text && std::io::stderr().is_terminal();
        let bar = wanted.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let template = ProgressStyle::with_template("{spinner} {msg} {bar:30} {pos}/{len} {elapsed}");
            bar.set_style(template.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { least: least(verbosity), format, bar }
    }

    /// The same without a bar, for work of several kinds at the same time.
    pub(crate) fn without_bar(verbosity: i8, format: LogFormat) -> Self {
        Self { bar: None, least: least(verbosity), format }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn print(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| {
                let _ = writeln!(std::io::stderr().lock(), "{text}");
            }),
            None => {
                let _ = writeln!(std::io::stderr().lock(), "{text}");
            }
        }
    }
}

/// The least weighty lines that are shown.
fn least(verbosity: i8) -> Level {
    match verbosity {
        ..0 => Level::Failure,
        0 => Level::Info,
        1.. => Level::Default,
    }
}

impl Sink for Terminal {
    fn line(&self, line: &LogLine) {
        let weight = |level| Level::ALL.iter().position(|one| *one == level);
        if weight(line.level) < weight(self.least) {
            return;
        }
        if self.format == LogFormat::Json {
            if let Ok(text) = serde_json::to_string(line) {
                self.print(&text);
            }
            return;
        }
        let mark = match line.level {
            Level::Default => style("·").dim(),
            Level::Info => style("·").cyan(),
            Level::Success => style("✓").green(),
            Level::Warning => style("!").yellow(),
            Level::Failure => style("✗").red(),
        };
        self.print(&format!("{} {}", mark.for_stderr(), printable(&line.message)));
    }

    fn progress(&self, progress: &Progress) {
        if let Some(bar) = &self.bar {
            bar.set_length(progress.total.unsigned_abs());
            bar.set_position(progress.done.unsigned_abs());
            bar.set_message(progress.label.clone());
        }
    }
}
