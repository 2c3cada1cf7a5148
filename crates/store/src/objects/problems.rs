//! Why objects were not stored.

use super::record::Record;
use crate::StoreError;

/// One rule that one object breaks.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Which of the objects that were given, counted from 0.
    pub index: usize,
    /// The object, for people: `router edge1.ams`.
    pub object: String,
    /// The field, unless the rule is about several.
    pub field: Option<&'static str>,
    /// What is wrong and with which value.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.field {
            Some(field) => write!(f, "{}: {field}: {}", self.object, self.message),
            None => write!(f, "{}: {}", self.object, self.message),
        }
    }
}

/// Which rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether what is given is checked at all. What the program has found out by itself need not be: a session's
    /// state is stored even if somebody has broken a rule about its addresses. References and uniqueness always hold.
    pub checked: bool,
    /// Whether the value of a community has to be one (setting `validate_bgp_community_value`).
    pub community_values: bool,
}

impl Rules {
    /// All of them.
    pub const ALL: Self = Self { checked: true, community_values: true };
    /// Only those without which objects cannot be kept.
    pub const FEWEST: Self = Self { checked: false, community_values: false };
}

/// Where a check puts what it finds.
pub struct Problems<'a> {
    index: usize,
    object: String,
    rules: Rules,
    found: &'a mut Vec<Problem>,
}

impl<'a> Problems<'a> {
    pub(super) fn about(index: usize, object: String, rules: Rules, found: &'a mut Vec<Problem>) -> Self {
        Self { index, object, rules, found }
    }

    /// Which rules hold.
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// About one field.
    pub fn field(&mut self, field: &'static str, message: impl Into<String>) {
        self.push(Some(field), message.into());
    }

    /// About the object as a whole.
    pub fn object(&mut self, message: impl Into<String>) {
        self.push(None, message.into());
    }

    fn push(&mut self, field: Option<&'static str>, message: String) {
        self.found.push(Problem { index: self.index, object: self.object.clone(), field, message });
    }
}

/// A place of a document that cannot be taken over.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// The place, such as `routers[3].hostname`; empty for the document as a whole.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl Fault {
    /// What is wrong at a place.
    pub fn at(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), message: message.into() }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

/// An object that keeps others from being deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct Protector {
    /// The object in the way.
    pub record: Record,
    /// What a person calls it.
    pub display: String,
    /// Its field that refers to what was to be deleted.
    pub field: &'static str,
}

/// Why objects were not read or stored.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// Objects break rules. Nothing was stored.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
    /// Other objects need what was to be deleted. Nothing was deleted.
    #[error("{} cannot be deleted while {} of them: {}", .model, count(.protectors.len()), names(.protectors))]
    Protected {
        /// What was to be deleted.
        model: &'static str,
        /// What is in the way.
        protectors: Vec<Protector>,
    },
    /// There is no such object.
    #[error("there is no {model} with the id {id}")]
    NotFound {
        /// What was asked for.
        model: &'static str,
        /// Its number.
        id: i64,
    },
    /// A question that cannot be asked.
    #[error("{0}")]
    Question(String),
    /// A document that cannot be taken over, with every place that is wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Document(Vec<Fault>),
    /// A secret cannot be sealed or opened.
    #[error(transparent)]
    Secret(#[from] super::secrets::SecretError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Problems that a message names.
const NAMED: usize = 20;

fn list(problems: &[Problem]) -> String {
    let mut lines: Vec<String> = problems.iter().take(NAMED).map(ToString::to_string).collect();
    if problems.len() > NAMED {
        lines.push(format!("and {} more", problems.len() - NAMED));
    }
    lines.join("\n")
}

fn count(protectors: usize) -> String {
    if protectors == 1 { "1 object makes use".to_owned() } else { format!("{protectors} objects make use") }
}

fn names(protectors: &[Protector]) -> String {
    let mut names: Vec<String> = protectors
        .iter()
        .take(NAMED)
        .map(|protector| {
            format!("{} {} ({})", protector.record.model().singular, protector.display, protector.record.id)
        })
        .collect();
    if protectors.len() > NAMED {
        names.push("…".to_owned());
    }
    names.join(", ")
}
