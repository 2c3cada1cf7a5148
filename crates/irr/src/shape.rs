//! The arguments that shape a prefix list: bgpq4's `-A`, `-r`, `-R`, `-m`, and `-S`, `-h` that come with them.
//!
//! Source: bgpq4's manual page.

use crate::Family;

/// How a list is made of prefixes. The default is one entry per prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape {
    /// `-A`: join neighbours where one entry says the same.
    pub aggregate: bool,
    /// `-r`: permit more specifics from this length on, 1 up to `to`. Without `to`, up to the longest there is.
    pub from: Option<u8>,
    /// `-R`: permit more specifics up to this length, 1 up to the family's. Drops nothing that is longer.
    pub to: Option<u8>,
    /// `-m`: leave out prefixes longer than this, 1 up to the family's.
    pub longest: Option<u8>,
}

/// The arguments that a setting or an autonomous system may carry for one address family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListArguments {
    /// `-A`, `-r`, `-R`, `-m`.
    pub shape: Shape,
    /// `-S`: sources as they were written, separated by commas.
    pub sources: Option<String>,
    /// `-h`: the server as it was written, `host` or `host:port`.
    pub host: Option<String>,
}

/// Arguments that make no list. The texts say what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// Not one of those that shape a list.
    #[error("argument {0:?} is not understood here: use -A, -r, -R, -m, -S or -h")]
    Unknown(String),
    /// An option at the end, or with nothing in its value.
    #[error("argument -{0} lacks its value")]
    NoValue(char),
    /// A length that is none.
    #[error("argument -{option} {value:?}: a prefix length from 1 to {highest} is needed")]
    NoLength {
        /// The option's letter.
        option: char,
        /// What was written.
        value: String,
        /// The longest length of the family.
        highest: u8,
    },
    /// `-r` is beyond `-R`.
    #[error("arguments -r {from} and -R {to} contradict each other: -r may be at most -R")]
    Contradiction {
        /// Value of `-r`.
        from: u8,
        /// Value of `-R`.
        to: u8,
    },
    /// `-S` or `-h` where only the shape is asked for.
    #[error("argument -{0} is not allowed here: it belongs to the request, not to the shape of the list")]
    NotShape(char),
}

impl Shape {
    /// Reads `-A`, `-r N`, `-R N`, `-m N`, written as [`ListArguments::parse`] takes them.
    pub fn parse(arguments: &[String], family: Family) -> Result<Self, ArgumentError> {
        let read = ListArguments::parse(arguments, family)?;
        match (read.sources, read.host) {
            (None, None) => Ok(read.shape),
            (Some(_), _) => Err(ArgumentError::NotShape('S')),
            (None, Some(_)) => Err(ArgumentError::NotShape('h')),
        }
    }

    /// Up to which length more specifics are permitted, if they are.
    pub(crate) fn widest(self, family: Family) -> Option<u8> {
        let unless_said = self.from.map(|_| family.bits());
        self.to.or(unless_said).map(|to| to.min(family.bits()))
    }
}

impl ListArguments {
    /// Reads arguments as getopt does: values apart or glued (`-r 24`, `-r24`), letters in a row (`-AR24`); of an
    /// option given twice the last counts. Whatever is not one of the six options is an error that names it.
    pub fn parse(arguments: &[String], family: Family) -> Result<Self, ArgumentError> {
        let mut read = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let unknown = || ArgumentError::Unknown(argument.chars().take(80).collect());
            let mut letters =
                argument.strip_prefix('-').filter(|letters| !letters.is_empty()).ok_or_else(unknown)?.chars();
            while let Some(option) = letters.next() {
                match option {
                    'A' => read.shape.aggregate = true,
                    'r' | 'R' | 'm' | 'S' | 'h' => {
                        let glued = std::mem::replace(&mut letters, "".chars()).as_str();
                        let value =
                            if glued.is_empty() { arguments.next().map(String::as_str) } else { Some(glued) };
                        let value = value.map(str::trim).filter(|value| !value.is_empty());
                        read.set(option, value.ok_or(ArgumentError::NoValue(option))?, family)?;
                    }
                    _ => return Err(unknown()),
                }
            }
        }
        match (read.shape.from, read.shape.to) {
            (Some(from), Some(to)) if from > to => Err(ArgumentError::Contradiction { from, to }),
            _ => Ok(read),
        }
    }

    fn set(&mut self, option: char, value: &str, family: Family) -> Result<(), ArgumentError> {
        match option {
            'S' => self.sources = Some(value.to_owned()),
            'h' => self.host = Some(value.to_owned()),
            _ => {
                let length = Some(length(option, value, family)?);
                match option {
                    'r' => self.shape.from = length,
                    'R' => self.shape.to = length,
                    _ => self.shape.longest = length,
                }
            }
        }
        Ok(())
    }
}

fn length(option: char, value: &str, family: Family) -> Result<u8, ArgumentError> {
    let highest = family.bits();
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse() {
        Ok(length) if digits && (1..=highest).contains(&length) => Ok(length),
        _ => Err(ArgumentError::NoLength { option, value: value.chars().take(80).collect(), highest }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str], family: Family) -> Result<ListArguments, ArgumentError> {
        ListArguments::parse(&arguments.iter().map(|&text| text.to_owned()).collect::<Vec<_>>(), family)
    }

    fn shape(aggregate: bool, from: Option<u8>, to: Option<u8>, longest: Option<u8>) -> Shape {
        Shape { aggregate, from, to, longest }
    }

    #[test]
    fn arguments_are_read_as_getopt_reads_them() {
        let expected = shape(true, Some(8), Some(24), None);
        for arguments in [
            &["-A", "-r", "8", "-R", "24"][..],
            &["-A", "-r8", "-R24"],
            &["-Ar8", "-R 24"],
            &["-r", "9", "-R", "20", "-r", "08", "-AR", "24"],
            &["-AA", "-AR24", "-A", "-r", " 8 "],
        ] {
            assert_eq!(read(arguments, Family::V4).map(|read| read.shape), Ok(expected), "{arguments:?}");
        }
        assert_eq!(read(&[], Family::V4), Ok(ListArguments::default()));
        let read = read(&["-m128", "-SRIPE,RADB", "-h", "irr.example.net:4343", "-r128"], Family::V6);
        assert_eq!(
            read,
            Ok(ListArguments {
                shape: shape(false, Some(128), None, Some(128)),
                sources: Some("RIPE,RADB".to_owned()),
                host: Some("irr.example.net:4343".to_owned()),
            })
        );
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (arguments, text) in [
            (&["-A", "-b"][..], "argument \"-b\" is not understood here: use -A, -r, -R, -m, -S or -h"),
            (&["-Aj"], "argument \"-Aj\" is not understood here: use -A, -r, -R, -m, -S or -h"),
            (&["--"], "argument \"--\" is not understood here: use -A, -r, -R, -m, -S or -h"),
            (&["-"], "argument \"-\" is not understood here: use -A, -r, -R, -m, -S or -h"),
            (&[""], "argument \"\" is not understood here: use -A, -r, -R, -m, -S or -h"),
            (&["AS-FOO"], "argument \"AS-FOO\" is not understood here: use -A, -r, -R, -m, -S or -h"),
            (&["-A", "-R"], "argument -R lacks its value"),
            (&["-S", " "], "argument -S lacks its value"),
            (&["-R", "33"], "argument -R \"33\": a prefix length from 1 to 32 is needed"),
            (&["-m", "0"], "argument -m \"0\": a prefix length from 1 to 32 is needed"),
            (&["-r", "-A"], "argument -r \"-A\": a prefix length from 1 to 32 is needed"),
            (&["-r24A"], "argument -r \"24A\": a prefix length from 1 to 32 is needed"),
            (&["-R+24"], "argument -R \"+24\": a prefix length from 1 to 32 is needed"),
            (&["-R", "280"], "argument -R \"280\": a prefix length from 1 to 32 is needed"),
            (
                &["-r", "25", "-R", "24"],
                "arguments -r 25 and -R 24 contradict each other: -r may be at most -R",
            ),
        ] {
            assert_eq!(read(arguments, Family::V4).unwrap_err().to_string(), text, "{arguments:?}");
        }
    }

    #[test]
    fn a_shape_alone_has_no_server() {
        let parse = |text: &str| Shape::parse(&[text.to_owned()], Family::V4);
        assert_eq!(parse("-A"), Ok(shape(true, None, None, None)));
        assert_eq!(parse("-SRIPE"), Err(ArgumentError::NotShape('S')));
        assert_eq!(parse("-hlocalhost"), Err(ArgumentError::NotShape('h')));
    }
}
