//! A Python value as far as it can be known without running the program that computes it.

/// A value of the original's configuration. Tuples and sets are lists here, since settings use them alike.
#[derive(Clone)]
pub(super) enum PyValue {
    None,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<PyValue>),
    Dict(Vec<(String, PyValue)>),
    Hole(Hole),
}

/// A part of a value that only running the original could tell.
#[derive(Clone)]
pub(super) struct Hole {
    /// The environment variables it depends on, as far as they can be seen.
    pub(super) variables: Vec<String>,
    /// What stands there, such as "a call of `read_secret`", or `None` for a plain look into the environment.
    /// Never its text, which may hold a secret.
    pub(super) what: Option<String>,
    /// The line, counted from 1.
    pub(super) line: usize,
    /// What the original takes when the variable is not set.
    pub(super) default: Option<Box<PyValue>>,
}

impl PyValue {
    /// Everything in the value that is not known.
    pub(super) fn holes(&self) -> Vec<&Hole> {
        match self {
            Self::Hole(hole) => vec![hole],
            Self::List(items) => items.iter().flat_map(Self::holes).collect(),
            Self::Dict(pairs) => pairs.iter().flat_map(|(_, value)| value.holes()).collect(),
            Self::None | Self::Boolean(_) | Self::Integer(_) | Self::Float(_) | Self::Text(_) => Vec::new(),
        }
    }

    /// Whether TOML, which has no `None`, would lose something inside this list or dictionary.
    pub(super) fn holds_none(&self) -> bool {
        let none = |value: &Self| matches!(value, Self::None) || value.holds_none();
        match self {
            Self::List(items) => items.iter().any(none),
            Self::Dict(pairs) => pairs.iter().any(|(_, value)| none(value)),
            _ => false,
        }
    }

    /// The value in TOML, with the default or an empty text for what is not known; `None` has no TOML.
    pub(super) fn to_toml(&self) -> Option<toml::Value> {
        Some(match self {
            Self::None => return None,
            Self::Boolean(value) => toml::Value::Boolean(*value),
            Self::Integer(value) => toml::Value::Integer(*value),
            Self::Float(value) => toml::Value::Float(*value),
            Self::Text(value) => toml::Value::String(value.clone()),
            Self::List(items) => toml::Value::Array(items.iter().filter_map(Self::to_toml).collect()),
            Self::Dict(pairs) => toml::Value::Table(
                pairs.iter().filter_map(|(name, value)| Some((name.clone(), value.to_toml()?))).collect(),
            ),
            Self::Hole(hole) => match &hole.default {
                Some(default) => return default.to_toml(),
                None => toml::Value::String(String::new()),
            },
        })
    }

    /// The text or number as text, with the default for what is not known.
    pub(super) fn to_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Integer(number) => Some(number.to_string()),
            Self::Hole(hole) => hole.default.as_deref()?.to_text(),
            _ => None,
        }
    }
}

impl Hole {
    /// For a note: why the value is not known.
    pub(super) fn describe(&self) -> String {
        let variables = match self.variables.as_slice() {
            [] => String::new(),
            [variable] => format!("the environment variable {variable}"),
            variables => format!("the environment variables {}", variables.join(", ")),
        };
        match &self.what {
            None => format!("was read from {variables}"),
            Some(what) if variables.is_empty() => format!("could not be evaluated ({what})"),
            Some(what) => format!("could not be evaluated ({what} that uses {variables})"),
        }
    }
}
