//! Settings that take one of a few words.

use std::borrow::Cow;
use std::fmt;

use toml::Value;

use crate::value::{Expected, Kind, Setting};

macro_rules! choice {
    (
        $(#[$meta:meta])*
        $name:ident, $expected:literal { $( $(#[$variant_meta:meta])* $variant:ident = $word:literal, )+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant, )+
        }

        impl $name {
            /// The word in the configuration.
            pub fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $word, )+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Setting for $name {
            const KIND: Kind = Kind::Text;

            fn from_toml(value: &Value) -> Result<Self, Expected> {
                match value.as_str() {
                    $( Some($word) => Ok(Self::$variant), )+
                    _ => Err(Expected(Cow::Borrowed($expected))),
                }
            }

            fn shown(&self) -> Value {
                Value::String(self.as_str().to_owned())
            }
        }
    };
}

choice! {
    /// Shape of the log lines.
    LogFormat, "\"text\" or \"json\"" {
        /// For people and journals.
        Text = "text",
        /// One JSON object a line, for log collectors.
        Json = "json",
    }
}

choice! {
    /// The least important lines that are still logged.
    LogLevel, "one of error, warn, info, debug, trace" {
        /// Failures only.
        Error = "error",
        /// And what an operator should look at.
        Warn = "warn",
        /// And what was done.
        Info = "info",
        /// And how it was done.
        Debug = "debug",
        /// And every step.
        Trace = "trace",
    }
}

choice! {
    /// Who asks IRR servers.
    IrrBackend, "one of native, bgpq4, bgpq3" {
        /// This program.
        Native = "native",
        /// The program bgpq4.
        Bgpq4 = "bgpq4",
        /// The program bgpq3.
        Bgpq3 = "bgpq3",
    }
}

choice! {
    /// What using a name that is not there does in a template.
    Undefined, "\"strict\" or \"lenient\"" {
        /// It is an error.
        Strict = "strict",
        /// It prints nothing.
        Lenient = "lenient",
    }
}

choice! {
    /// What using a prefix list that is missing does in a template.
    MissingPrefixes, "\"error\" or \"empty\"" {
        /// It is an error.
        Error = "error",
        /// It is an empty list.
        Empty = "empty",
    }
}

choice! {
    /// What the template filter `max_prefix` gives.
    MaxPrefixRule, "\"guarded\" or \"plain\"" {
        /// The peer's own word with headroom, up to a ceiling, and never 0.
        Guarded = "guarded",
        /// The autonomous system's field as it is, 0 included.
        Plain = "plain",
    }
}

choice! {
    /// What becomes of two lists under one name when configuration contexts are merged; the higher is the one
    /// with priority.
    ListMerge, "one of replace, keep, append, prepend, append_rp, prepend_rp" {
        /// The higher list alone.
        Replace = "replace",
        /// The lower list alone.
        Keep = "keep",
        /// The lower list, then the higher.
        Append = "append",
        /// The higher list, then the lower.
        Prepend = "prepend",
        /// The lower list without what the higher has, then the higher.
        AppendUnique = "append_rp",
        /// The higher list, then the lower without what the higher has.
        PrependUnique = "prepend_rp",
    }
}
