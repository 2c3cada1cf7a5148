//! What may be put into a line that is sent. Whatever comes from a set's members, an operator or `PeeringDB` ends up in
//! such lines, and a line feed in it would be the end of one question and the begin of another.

use super::options::shown;
use crate::{Failure, Query, Sources};

/// Longest name, in bytes. Real ones end at 60 or so; servers cut longer lines.
const NAME: usize = 250;

/// Refuses a query that would not be one question, or not the one that was meant.
pub(super) fn check(query: &Query) -> Result<(), Failure> {
    // A comma would make `!iAS-X,1` out of `!iAS-X`.
    let fits = |byte: u8| byte.is_ascii_graphic() && byte != b',';
    let name = &query.name;
    if name.is_empty() || name.len() > NAME || !name.bytes().all(fits) {
        return Err(Failure(format!(
            "\"{}\" was not asked for: a name has 1 to {NAME} letters, digits and signs, no blank and no comma",
            shown(name)
        )));
    }
    match &query.sources {
        Sources::Only(list) if !list.split(',').all(is_source) => Err(Failure(format!(
            "{} was not asked for: \"{}\" is not a list of sources such as RADB,RIPE",
            shown(name),
            shown(list)
        ))),
        _ => Ok(()),
    }
}

/// Whether the text can be a source's name. `!s-lc` and `!s-*` are no selections.
pub(crate) fn is_source(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.len() <= NAME
        && name.bytes().all(inner)
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn query(name: &str, sources: Sources) -> Query {
        Query { sources, kind: Kind::Members, name: name.to_owned() }
    }

    #[test]
    fn only_one_word_is_asked_for() {
        for name in ["AS-FOO", "AS64500:AS-CUSTOMERS", "AS64500", &"A".repeat(NAME)] {
            assert_eq!(check(&query(name, Sources::Default)), Ok(()));
        }
        for name in [
            "",
            "AS-A\n!q",
            "AS-A B",
            "AS-A\r",
            "AS-A\0",
            "AS-Ä",
            "AS-A,1",
            "AS\u{a0}A",
            &"A".repeat(NAME + 1),
        ] {
            let Err(Failure(text)) = check(&query(name, Sources::Default)) else {
                panic!("{name:?} is asked for")
            };
            assert!(!text.contains(char::is_control), "{text}");
        }
    }

    #[test]
    fn only_names_of_sources_are_selected() {
        for (list, good) in [
            ("RIPE", true),
            ("RPKI,RIPE-NONAUTH,a_b.c", true),
            ("", false),
            ("RIPE,", false),
            ("-lc", false),
            ("-*", false),
            ("RIPE, RADB", false),
            ("RIPE\n!q", false),
        ] {
            assert_eq!(check(&query("AS-A", Sources::Only(list.into()))).is_ok(), good, "{list:?}");
        }
    }
}
