//! What the table in `keys.rs` says about a key, and the macro that turns the table into [`crate::Config`].

use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::Config;
use crate::value::{Expected, Kind};

/// Whether a key does anything in this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Some part of the program acts on it.
    Used,
    /// Read, checked and kept for a part of the program that is not built yet.
    Later,
}

/// One key: everything that parsing, the environment, `config show` and the manual need to know of it.
pub(crate) struct Key {
    /// Name in the file; a dot separates a table from its key (`email.server`).
    pub(crate) name: &'static str,
    pub(crate) class: Class,
    /// How text from the environment is read.
    pub(crate) kind: Kind,
    /// The value holds or may hold a credential: it is masked, and never quoted in a message.
    pub(crate) sensitive: bool,
    /// The doc comment of the key, line by line.
    pub(crate) doc: &'static [&'static str],
    /// Allowed range of a whole number, both ends included.
    pub(crate) range: Option<RangeInclusive<i64>>,
    /// Names of the environment beside `PEERING_MANAGER_<KEY>`.
    pub(crate) variables: &'static [&'static str],
    /// Former names.
    pub(crate) aliases: &'static [&'static str],
    /// What to use instead, when the key is on its way out.
    pub(crate) deprecated: Option<&'static str>,
    /// Parses the value and stores it in its field.
    pub(crate) store: fn(&mut Config, &toml::Value) -> Result<(), Expected>,
    /// The field as TOML with credentials masked.
    pub(crate) shown: fn(&Config) -> toml::Value,
}

/// A setting of the original that cannot mean anything here.
pub(crate) struct Ignored {
    /// Name in lower case; a trailing `*` covers every name that starts so.
    pub(crate) name: &'static str,
    pub(crate) why: &'static str,
}

impl Key {
    /// A secret has a `<key>_file` beside it; a table with credentials in it has not.
    pub(crate) fn is_secret(&self) -> bool {
        self.sensitive && self.kind == Kind::Text
    }

    /// `PEERING_MANAGER_<KEY>`.
    pub(crate) fn variable(&self) -> String {
        format!("{}{}", crate::environment::PREFIX, self.name.replace('.', "_").to_uppercase())
    }

    pub(crate) fn documentation(&self) -> String {
        self.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
    }

    /// Reads the text of an environment variable into the form the file would have had.
    pub(crate) fn parse(&self, text: &str) -> Result<toml::Value, Expected> {
        self.kind.parse(text).map_err(|expected| self.expected(expected))
    }

    /// Checks the range and stores the value; the error says what is expected, never what was found.
    pub(crate) fn apply(&self, config: &mut Config, value: &toml::Value) -> Result<(), Expected> {
        let in_range = match (&self.range, value) {
            (Some(range), toml::Value::Integer(number)) => range.contains(number),
            _ => true,
        };
        let stored = if in_range { (self.store)(config, value) } else { Err(self.kind.expected()) };
        stored.map_err(|expected| self.expected(expected))
    }

    /// Names the range instead of only the type, where there is one.
    fn expected(&self, of_type: Expected) -> Expected {
        match &self.range {
            Some(range) => {
                Expected(format!("a whole number from {} to {}", range.start(), range.end()).into())
            }
            None => of_type,
        }
    }

    /// The type as the manual names it, with the range.
    pub(crate) fn type_text(&self) -> Cow<'static, str> {
        match (&self.range, self.is_secret()) {
            (Some(range), _) => format!("integer, {} to {}", range.start(), range.end()).into(),
            (None, true) => "secret".into(),
            (None, false) => self.kind.as_str().into(),
        }
    }
}

impl Ignored {
    pub(crate) fn covers(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == self.name,
        }
    }
}

/// Makes `Config`, its defaults and the tables `KEYS` and `IGNORED` out of one list.
///
/// An entry reads: doc comment, class, field (and `as "table.key"` when the file spells it differently), type,
/// default; then, where they apply and in this order, `in` range, `variables`, `was` (former names), `deprecated`.
macro_rules! settings {
    (
        keys {$(
            $(#[doc = $doc:literal])+
            $class:ident $field:ident $(as $path:literal)?: $type:ty = $default:expr
            $(, in $range:expr)? $(, variables $variables:expr)? $(, was $aliases:expr)?
            $(, deprecated $deprecated:expr)?;
        )+}
        ignored {$( $ignored:literal: $why:literal; )+}
    ) => {
        /// Every setting of the program, parsed and in range.
        ///
        /// Durations and sizes are plain numbers; the documentation of the field names the unit.
        #[derive(Debug, Clone)]
        pub struct Config {$(
            $(#[doc = $doc])+
            #[doc = ""]
            #[doc = concat!("Default: `", stringify!($default), "`.")]
            pub $field: $type,
        )+}

        impl Default for Config {
            /// The documented defaults, as if there were neither a file nor an environment.
            fn default() -> Self {
                Self { $( $field: $default, )+ }
            }
        }

        /// Every key that is kept, in the order of the manual.
        pub(crate) static KEYS: &[$crate::key::Key] = &[$(
            $crate::key::Key {
                name: $crate::key::settings!(@name $field $($path)?),
                class: $crate::key::Class::$class,
                kind: <$type as $crate::value::Setting>::KIND,
                sensitive: <$type as $crate::value::Setting>::SENSITIVE,
                doc: &[$($doc),+],
                range: $crate::key::settings!(@or None $(; Some($range))?),
                variables: $crate::key::settings!(@or &[] $(; &$variables)?),
                aliases: $crate::key::settings!(@or &[] $(; &$aliases)?),
                deprecated: $crate::key::settings!(@or None $(; Some($deprecated))?),
                store: |config, value| {
                    config.$field = <$type as $crate::value::Setting>::from_toml(value)?;
                    Ok(())
                },
                shown: |config| $crate::value::Setting::shown(&config.$field),
            },
        )+];

        /// Every setting of the original that is accepted and does nothing.
        pub(crate) static IGNORED: &[$crate::key::Ignored] =
            &[$( $crate::key::Ignored { name: $ignored, why: $why }, )+];
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $path:literal) => { $path };
    (@or $absent:expr) => { $absent };
    (@or $absent:expr; $present:expr) => { $present };
}
pub(crate) use settings;
