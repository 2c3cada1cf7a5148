//! Commands that a router does not take.

/// What a router says in place of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal<'a> {
    /// It does not know the command, or not for this user.
    Unknown(&'a str),
    /// The user may not run it.
    Forbidden(&'a str),
}

const UNKNOWN: &[&str] = &[
    "% Invalid input detected",
    "% Invalid command at",
    "% Invalid command",
    "% Incomplete command",
    "% Ambiguous command",
    "% Unknown command",
    "% Unrecognized command",
    "% Bad IP address",
];
const FORBIDDEN: &[&str] = &[
    "Command authorization failed",
    "% Authorization failed",
    "% Permission denied",
    "% This command is not authorized",
    "% Error in authentication",
];

impl<'a> Refusal<'a> {
    /// What an answer begins with, if that is a refusal. The line that points at the place of the error is left aside.
    pub fn of(answer: &'a str) -> Option<Self> {
        let pointer = |line: &&str| !line.is_empty() && *line != "^";
        let line = answer.lines().map(str::trim).find(pointer)?;
        let begins = |with: &[&str]| with.iter().any(|start| line.starts_with(start));
        if begins(UNKNOWN) {
            Some(Self::Unknown(line))
        } else {
            begins(FORBIDDEN).then_some(Self::Forbidden(line))
        }
    }

    /// The router's words.
    pub fn line(self) -> &'a str {
        match self {
            Self::Unknown(line) | Self::Forbidden(line) => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Refusal;

    #[test]
    fn refusals_begin_an_answer() {
        let unknown = "         ^\n% Invalid input detected at '^' marker.\n\n";
        assert_eq!(Refusal::of(unknown), Some(Refusal::Unknown("% Invalid input detected at '^' marker.")));
        let forbidden = "% Permission denied for the role\n";
        assert_eq!(Refusal::of(forbidden), Some(Refusal::Forbidden("% Permission denied for the role")));
        for answer in
            ["", "\n \n", "% BGP not active\n", "For address family: IPv4\n% Invalid input detected\n"]
        {
            assert_eq!(Refusal::of(answer), None, "{answer}");
        }
    }
}
