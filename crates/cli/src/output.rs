//! Where results and messages go: results to stdout, everything else to stderr.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use comfy_table::{ContentArrangement, Table, presets};
use console::StyledObject;
use serde::Serialize;

use crate::commands::{ColorChoice, Shared};

/// What the shared flags ask for.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// One JSON object on stdout instead of text.
    pub(crate) json: bool,
    /// Say nothing but errors.
    pub(crate) quiet: bool,
    lost: Arc<AtomicBool>,
}

impl Output {
    pub(crate) fn of(shared: &Shared) -> Self {
        let color = |stream_is_terminal: bool| match shared.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => stream_is_terminal && console::colors_enabled_stderr(),
        };
        console::set_colors_enabled(color(std::io::stdout().is_terminal()));
        console::set_colors_enabled_stderr(color(std::io::stderr().is_terminal()));
        Self { json: shared.json, quiet: shared.quiet, lost: Arc::default() }
    }

    /// A line of the result for people; may hold text from outside, and several lines.
    pub(crate) fn line(&self, text: &str) {
        self.verbatim(&printable(text));
    }

    /// The same with a coloured mark in front.
    pub(crate) fn marked(&self, mark: &StyledObject<&str>, text: &str) {
        self.verbatim(&format!("{mark} {}", printable(text)));
    }

    /// A result that must come out as it is.
    pub(crate) fn verbatim(&self, text: &str) {
        self.octets(&format!("{text}\n"));
    }

    /// A result of which not an octet may be added or lost.
    pub(crate) fn octets(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            // Somebody who closed the pipe has read enough.
            Err(error)
                if error.kind() != std::io::ErrorKind::BrokenPipe
                    && !self.lost.swap(true, Ordering::Relaxed) =>
            {
                self.error(&format!("the result cannot be written: {error}"));
            }
            _ => {}
        }
    }

    /// Whether a part of the result could not be written.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// A line of the result that only a person reads.
    pub(crate) fn remark(&self, text: &str) {
        if !self.quiet && !self.json {
            self.line(text);
        }
    }

    /// The result for programs.
    pub(crate) fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.verbatim(&serde_json::to_string(value)?);
        Ok(())
    }

    /// A table, or the same for programs.
    pub(crate) fn table<T: Serialize>(
        &self,
        key: &str,
        rows: &[T],
        header: &[&str],
        cells: impl Fn(&T) -> Vec<String>,
    ) -> anyhow::Result<()> {
        if self.json {
            return self.json(&serde_json::json!({ key: rows }));
        }
        self.line(&table(header, rows.iter().map(cells)));
        Ok(())
    }

    /// A message to whoever runs the command.
    #[expect(clippy::unused_self, reason = "messages are printed by the one who knows how")]
    pub(crate) fn error(&self, text: &str) {
        let _ = writeln!(
            std::io::stderr().lock(),
            "{} {}",
            console::style("error:").red().bold().for_stderr(),
            printable(text)
        );
    }

    /// A warning to whoever runs the command.
    pub(crate) fn warning(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(
                std::io::stderr().lock(),
                "{} {}",
                console::style("warning:").yellow().bold().for_stderr(),
                printable(text)
            );
        }
    }
}

/// Text from outside, such as the name of a network, without what would steer the terminal that shows it.
pub(crate) fn printable(text: &str) -> String {
    let replace = |letter: char| match letter {
        '\n' | '\t' => letter,
        _ if letter.is_control() => char::REPLACEMENT_CHARACTER,
        _ => letter,
    };
    text.replace("\r\n", "\n").chars().map(replace).collect()
}

/// The same where a second line would look like one of ours.
pub(crate) fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}

/// A table with columns two spaces apart, as wide as its content when nobody looks at it on a terminal.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.to_vec());
    if std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| one_line(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
