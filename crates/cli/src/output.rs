//! Where results and messages go: results to stdout, everything else to stderr.

use std::io::{IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::commands::{ColorChoice, Shared};

/// What the shared flags ask for.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// One JSON object on stdout instead of text.
    pub(crate) json: bool,
    /// Say nothing but errors.
    pub(crate) quiet: bool,
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
        Self { json: shared.json, quiet: shared.quiet }
    }

    /// A line of the result.
    #[expect(clippy::unused_self, reason = "results are printed by the one who knows how")]
    pub(crate) fn line(&self, text: &str) {
        // Somebody who closed the pipe has read enough.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// A line of the result that only a person reads.
    pub(crate) fn remark(&self, text: &str) {
        if !self.quiet && !self.json {
            self.line(text);
        }
    }

    /// The result for programs.
    pub(crate) fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.line(&serde_json::to_string(value)?);
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
            "{} {text}",
            console::style("error:").red().bold().for_stderr()
        );
    }

    /// A warning to whoever runs the command.
    pub(crate) fn warning(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(
                std::io::stderr().lock(),
                "{} {text}",
                console::style("warning:").yellow().bold().for_stderr()
            );
        }
    }
}

/// A table with columns two spaces apart, as wide as its content when nobody looks at it on a terminal.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.to_vec());
    if std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
