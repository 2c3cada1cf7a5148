//! How the use of a connection ends.

use std::fmt::Display;
use std::io;

use crate::client::outlet::Gone;

/// How the use of a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// All its queries are answered, and there is none left that it could ask.
    Idle,
    /// It can be used no longer, though nobody is at fault.
    Spent,
    /// Whoever asked has stopped listening.
    Gone,
    /// It never said a word, while others do.
    Mute,
    /// It broke.
    Broken(Break),
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<&io::Error> for End {
    fn from(error: &io::Error) -> Self {
        Self::broken(&format_args!("broke the connection: {error}"))
    }
}

impl End {
    pub(crate) fn broken(reason: &dyn Display) -> Self {
        Self::Broken(Break { reason: reason.to_string(), ..Break::default() })
    }
}

/// What happened to a connection that broke.
#[derive(Debug, Default)]
pub(crate) struct Break {
    /// Says it of the host: "closed the connection".
    pub reason: String,
    /// It did not answer in time.
    pub silent: bool,
    /// The server closed it between two answers.
    pub between: bool,
}
