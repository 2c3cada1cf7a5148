//! What is said first on a connection, and what the server's answers tell about it.

use std::time::Duration;

use crate::answer::{Frame, printable};
use crate::client::hosts::Asking;
use crate::client::wellformed::is_source;
use crate::{Answer, Features};

/// Longest version text that is kept, in characters.
const VERSION: usize = 200;

/// A part of the greeting that is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `!n`: who is asking.
    Name,
    /// `!t`: how long the server may wait for us.
    Timeout,
    /// `!v`: its version.
    Version,
    /// `!a`: whether it has that query.
    SetRoutes,
    /// `!s-lc`: what it selects by itself.
    Sources,
    /// `!j-*`: all its sources.
    Serials,
}

/// What every connection asks for, and what only the first one to a host does.
const ALWAYS: &[Part] = &[Part::Name, Part::Timeout];
const ONCE: &[Part] =
    &[Part::Name, Part::Timeout, Part::Version, Part::SetRoutes, Part::Sources, Part::Serials];

/// The greeting of one connection.
#[derive(Debug)]
pub(super) struct Greeting {
    asking: Option<Asking>,
    features: Features,
}

impl Greeting {
    /// With the duty to ask for the features, or without.
    pub fn new(server: String, asking: Option<Asking>) -> Self {
        Self { asking, features: Features { server, ..Features::default() } }
    }

    /// What is to be answered, in this order.
    pub const fn parts(&self) -> &'static [Part] {
        if self.asking.is_some() { ONCE } else { ALWAYS }
    }

    /// What is sent, without the last line feed. It begins with what is not answered: that the connection should stay.
    pub fn lines(&self, name: &str, timeout: Duration) -> String {
        let mut lines = "!!".to_owned();
        for part in self.parts() {
            lines.push('\n');
            match part {
                Part::Name => lines.extend(["!n", name]),
                Part::Timeout => lines.extend(["!t", &timeout.as_secs().clamp(1, 1000).to_string()]),
                Part::Version => lines.push_str("!v"),
                Part::SetRoutes => lines.push_str("!a"),
                Part::Sources => lines.push_str("!s-lc"),
                Part::Serials => lines.push_str("!j-*"),
            }
        }
        lines
    }

    /// Takes the answer to a part. An old server refuses what it does not know, which is an answer like any other; an
    /// answer that cannot be one to this part means that all following would be given to the wrong questions.
    pub fn hear(&mut self, part: Part, frame: Frame) -> Result<(), &'static str> {
        match (part, frame) {
            (_, Frame::TooBig(_)) => return Err("answers its greeting at a length that nobody can take"),
            (Part::Name | Part::Timeout, Frame::Data(_)) => return Err("answers !n or !t with data"),
            (Part::SetRoutes, Frame::Data(_)) => return Err("answers !a with data"),
            (Part::Version | Part::Sources | Part::Serials, Frame::Done) => {
                return Err("answers !v, !s or !j with no data");
            }
            (Part::SetRoutes, Frame::Refused(text)) => {
                self.features.set_routes = text.contains("Missing required set name");
            }
            (Part::Version, frame) => {
                self.features.version = data(frame).map(|text| text.chars().take(VERSION).collect());
            }
            (Part::Sources, frame) => {
                self.features.sources = data(frame).map(|list| sources(&list)).unwrap_or_default();
            }
            (Part::Serials, frame) => {
                let text = data(frame).unwrap_or_default();
                self.features.serials = text.lines().filter_map(serial).collect();
            }
            (Part::Name | Part::Timeout | Part::SetRoutes, _) => {}
        }
        Ok(())
    }

    /// Makes known what was learned.
    pub fn end(self) {
        if let Some(asking) = self.asking {
            asking.learned(self.features);
        }
    }
}

/// The text of an answer, with spaces for control characters other than line feeds.
fn data(frame: Frame) -> Option<String> {
    match frame.answer(true) {
        Ok(Answer::Data(text)) => {
            Some(text.lines().map(|line| printable(line.as_bytes())).collect::<Vec<_>>().join("\n"))
        }
        _ => None,
    }
}

/// The names in a list; none at all if one is no name, as the list could not be sent back.
fn sources(list: &str) -> Vec<String> {
    let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().all(|name| is_source(name)) { names } else { Vec::new() }
}

/// `RIPE:N:1-2345` in two; `X` stands where there is no such source.
fn serial(line: &str) -> Option<(String, String)> {
    let (name, rest) = line.split_once(':')?;
    (is_source(name) && !rest.starts_with('X')).then(|| (name.to_owned(), rest.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(answers: [(Part, Frame); 4]) -> Features {
        let mut greeting = Greeting::new("a:43".to_owned(), None);
        for (part, frame) in answers {
            greeting.hear(part, frame).unwrap();
        }
        greeting.features
    }

    #[test]
    fn an_irrd_4_is_understood() {
        let data = |text: &str| Frame::Data(text.as_bytes().to_vec());
        let features = heard([
            (Part::Version, data("IRRd -- version 4.5.4\x1b[1m")),
            (Part::SetRoutes, Frame::Refused("Missing required set name for A query".to_owned())),
            (Part::Sources, data("NTTCOM,RADB")),
            (Part::Serials, data("NTTCOM:N:1-23\nRADB:N:-\nFOO:X:Database unknown")),
        ]);
        assert_eq!(features.version.as_deref(), Some("IRRd -- version 4.5.4 [1m"));
        assert!(features.set_routes);
        assert_eq!(features.sources, ["NTTCOM", "RADB"]);
        let serials: Vec<_> =
            features.serials.iter().map(|(name, serial)| (name.as_str(), serial.as_str())).collect();
        assert_eq!(serials, [("NTTCOM", "N:1-23"), ("RADB", "N:-")]);
    }

    #[test]
    fn an_old_server_knows_little() {
        let refused = || Frame::Refused("Unrecognised command".to_owned());
        let features = heard([
            (Part::Version, refused()),
            (Part::SetRoutes, refused()),
            (Part::Sources, Frame::Data(b"RADB,!q".to_vec())),
            (Part::Serials, Frame::NotFound),
        ]);
        assert_eq!(features, Features { server: "a:43".to_owned(), ..Features::default() });
    }

    #[test]
    fn answers_that_are_out_of_step_are_noticed() {
        let mut greeting = Greeting::new(String::new(), None);
        assert!(greeting.hear(Part::Timeout, Frame::Data(Vec::new())).is_err());
        assert!(greeting.hear(Part::Version, Frame::Done).is_err());
        assert!(greeting.hear(Part::SetRoutes, Frame::Data(Vec::new())).is_err());
    }

    #[test]
    fn the_greeting_is_one_burst() {
        let greeting = Greeting::new(String::new(), None);
        assert_eq!(greeting.lines("pm 1", Duration::from_millis(10)), "!!\n!npm 1\n!t1");
        assert_eq!(greeting.lines("pm 1", Duration::from_hours(1)), "!!\n!npm 1\n!t1000");
    }
}
