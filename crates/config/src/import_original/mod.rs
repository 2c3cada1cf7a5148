//! Turns the original's `configuration.py` into our file.
//!
//! The file is a Python program, and it is read and not run: literals, arithmetic, and names that were given a
//! value above. Whatever only a run could tell (the environment, calls, branches) ends as a commented line or a
//! note that says what to set by hand, so that nothing is lost without a word.
//!
//! `statements.rs` finds the settings, `evaluate.rs` and `literal.rs` compute their values, `output.rs` writes
//! those that have a key here, and `database.rs` makes one URL of the original's dictionary.

mod database;
mod evaluate;
mod literal;
mod output;
mod statements;
#[cfg(test)]
mod tests;
mod value;

use std::fmt;

use tree_sitter::{Node, Parser};

/// The result of [`convert`].
pub struct Converted {
    /// A configuration file. It holds the secrets of the original, so keep it as well as that.
    pub toml: String,
    /// What could not be carried over or means something else here. One line each, without secrets.
    pub notes: Vec<String>,
}

/// Without the file, which holds secrets.
impl fmt::Debug for Converted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Converted").field("notes", &self.notes).finish_non_exhaustive()
    }
}

/// Why a file could not be converted at all.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The text is not a Python module.
    #[error(
        "line {line} is not valid Python: correct it, or check that this is the original's configuration.py"
    )]
    Syntax {
        /// The line, counted from 1.
        line: usize,
    },
    /// The parser cannot be used; a fault of this program.
    #[error("the Python parser cannot be used: {0}")]
    Parser(#[from] tree_sitter::LanguageError),
}

/// Converts the text of the original's `configuration.py`.
///
/// The result loads with [`crate::load`]; settings that do nothing here are left out with a note.
pub fn convert(python_source: &str) -> Result<Converted, ImportError> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into())?;
    // There is no tree only when parsing is cancelled, which nobody does here.
    let tree = parser.parse(python_source, None).ok_or(ImportError::Syntax { line: 1 })?;
    let root = tree.root_node();
    if root.has_error() {
        return Err(ImportError::Syntax { line: first_error(root) });
    }
    let module = statements::Module::read(root, python_source);
    Ok(output::write(module.settings, module.notes))
}

fn first_error(root: Node<'_>) -> usize {
    let mut first = usize::MAX;
    evaluate::each_within(root, |node| {
        if node.is_error() || node.is_missing() {
            first = first.min(evaluate::line(node));
        }
    });
    if first == usize::MAX { 1 } else { first }
}
