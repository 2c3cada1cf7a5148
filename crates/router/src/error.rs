//! What can go wrong on a router.

use std::fmt;
use std::time::Duration;

/// What was being done when something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The TCP connection and the key exchange.
    Connect,
    /// Authentication.
    Login,
    /// Reading what the router is.
    Facts,
    /// Reading the neighbours.
    Neighbors,
    /// Reading the configuration.
    Config,
    /// Loading and checking a candidate.
    Load,
    /// Putting the candidate into force.
    Commit,
    /// Keeping what was committed.
    Confirm,
    /// Undoing what was committed.
    RollBack,
    /// Forgetting a candidate.
    Discard,
    /// Asking for a change that waits for its confirmation.
    Pending,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Login => "logging in",
            Self::Facts => "reading facts",
            Self::Neighbors => "reading neighbours",
            Self::Config => "reading the configuration",
            Self::Load => "loading the candidate",
            Self::Commit => "committing",
            Self::Confirm => "confirming",
            Self::RollBack => "rolling back",
            Self::Discard => "discarding the candidate",
            Self::Pending => "looking for an unconfirmed change",
        })
    }
}

/// Why something could not be done on a router.
///
/// Texts name the host and the step. What the router said is cut short and without passwords; no text holds a credential
/// or a configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection: no route, nobody listening, no common algorithm.
    #[error("{host}: cannot connect: {message}")]
    Connect {
        /// Host and port.
        host: String,
        /// The reason.
        message: String,
    },
    /// The host key is unknown, changed or revoked. No credential was sent.
    #[error("{host}: {message}")]
    HostKey {
        /// Host and port.
        host: String,
        /// What is wrong with the key, with its fingerprint, and what to do.
        message: String,
    },
    /// The router took none of the credentials.
    #[error("{host}: user {user} is refused ({tried}); check the user and the credentials")]
    Login {
        /// Host and port.
        host: String,
        /// Who wanted in.
        user: String,
        /// Which ways were tried, and which the router offers.
        tried: String,
    },
    /// A step took longer than it may.
    #[error("{host}: {step} took longer than {} s; the router is busy, or a daemon on it hangs", .limit.as_secs())]
    Timeout {
        /// Host and port.
        host: String,
        /// The step.
        step: Step,
        /// How long it may take.
        limit: Duration,
    },
    /// The connection ended in the middle. After [`Step::Commit`] it is unknown whether the change is in force; the timer
    /// undoes it if so.
    #[error("{host}: the connection was lost while {step}: {message}")]
    Lost {
        /// Host and port.
        host: String,
        /// The step.
        step: Step,
        /// The reason, if one was given.
        message: String,
    },
    /// The router took the commit and does not show it. Whether it is in force is unknown; the timer undoes it if so.
    #[error("{host}: whether the change is in force is not known: {message}")]
    Unclear {
        /// Host and port.
        host: String,
        /// What is odd.
        message: String,
    },
    /// The router has no list of changes that wait for their confirmation, and this connection made none.
    #[error(
        "{host}: whether a change waits for its confirmation is not known, the router tells it only to whoever can name the \
         change"
    )]
    Untold {
        /// Host and port.
        host: String,
    },
    /// The router refused the candidate; what was in force still is.
    #[error("{host}: the configuration is refused while {step}: {message}")]
    Rejected {
        /// Host and port.
        host: String,
        /// The step.
        step: Step,
        /// What the router says.
        message: String,
    },
    /// The router could not do it: a daemon that is dead, a right that lacks, a program that is missing.
    #[error("{host}: {step} failed: {message}")]
    Failed {
        /// Host and port.
        host: String,
        /// The step.
        step: Step,
        /// What the router says.
        message: String,
    },
    /// The router answered something that is not understood.
    #[error("{host}: {step}: the answer is not understood: {message}")]
    Unreadable {
        /// Host and port.
        host: String,
        /// The step.
        step: Step,
        /// What is strange about it.
        message: String,
    },
    /// Another change waits for its confirmation; two at once could make an unconfirmed one permanent.
    #[error(
        "{host}: another change waits for its confirmation ({holder}); confirm it, roll it back, or wait"
    )]
    Busy {
        /// Host and port.
        host: String,
        /// Who began it, as far as the router knows.
        holder: String,
    },
    /// The configuration is another one than the difference was made against. Nothing was committed.
    #[error(
        "{host}: the configuration changed since the candidate was loaded; load it again and look at the difference"
    )]
    Changed {
        /// Host and port.
        host: String,
    },
    /// The change is no longer in force: its timer ran out, or somebody undid it.
    #[error("{host}: the change is no longer in force, the router went back to the configuration before it")]
    RolledBack {
        /// Host and port.
        host: String,
    },
    /// The change is in force and confirmed, and is lost when the router restarts.
    #[error("{host}: the change is in force but could not be saved: {message}; save it on the router")]
    NotSaved {
        /// Host and port.
        host: String,
        /// What the router says.
        message: String,
    },
    /// Undoing a change failed.
    #[error(
        "{host}: the configuration before the change could not be restored: {message}; it is in {place} on the router"
    )]
    NotRestored {
        /// Host and port.
        host: String,
        /// What the router says.
        message: String,
        /// Where the old configuration lies.
        place: String,
    },
}

impl Error {
    /// Whether it is unknown if what was asked for was done.
    pub fn leaves_open(&self) -> bool {
        matches!(
            self,
            Self::Timeout { .. } | Self::Lost { .. } | Self::Unreadable { .. } | Self::Unclear { .. }
        )
    }

    /// The same after a commit that was taken: whether it is in force is not known.
    pub(crate) fn unclear(self) -> Self {
        match self {
            Self::Failed { host, message, .. }
            | Self::Rejected { host, message, .. }
            | Self::Unreadable { host, message, .. }
            | Self::Busy { host, holder: message } => Self::Unclear { host, message },
            other => other,
        }
    }

    /// Whether the same call may work a moment later, without anyone doing anything.
    pub fn may_be_retried(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Timeout { .. } | Self::Lost { .. } | Self::Busy { .. })
    }
}
