//! The sets that a network names in its PeeringDB record, where people write what they like.

use super::SOURCES;

/// The names that look like sets, with the index of the source if it is said.
pub(super) fn in_field(field: &str) -> Vec<(Option<usize>, String)> {
    let parts = field.split(|c: char| c.is_whitespace() || ",;/&|".contains(c));
    parts.filter_map(|part| name(&part.to_ascii_uppercase())).collect()
}

fn name(text: &str) -> Option<(Option<usize>, String)> {
    let (source, name) = match (text.split_once("::"), text.split_once('@')) {
        (Some((source, name)), _) | (None, Some((name, source))) => (Some(source), name),
        (None, None) => (None, text),
    };
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":_-".contains(&byte));
    let named = name.split(':').any(|part| part.len() > 3 && part.starts_with("AS-"));
    let source = source.and_then(|source| SOURCES.iter().position(|known| *known == source));
    (plain && named).then(|| (source, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Named<'a> = (Option<usize>, &'a str);

    #[test]
    fn fields_are_read_as_people_write_them() {
        let cases: [(&str, &[Named<'_>]); 9] = [
            ("", &[]),
            ("AS64500", &[]),
            ("AS-ONE", &[(None, "AS-ONE")]),
            ("as-one", &[(None, "AS-ONE")]),
            ("RIPE::AS-ONE ARIN::AS-ONE", &[(Some(2), "AS-ONE"), (Some(3), "AS-ONE")]),
            ("AS-ONE, AS64500:AS-ALL", &[(None, "AS-ONE"), (None, "AS64500:AS-ALL")]),
            ("AS-ONE@RIPE", &[(Some(2), "AS-ONE")]),
            ("NOWHERE::AS-ONE", &[(None, "AS-ONE")]),
            ("https://www.one.example/irr AS-ONE", &[(None, "AS-ONE")]),
        ];
        for (field, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|(at, name)| (*at, (*name).to_owned())).collect();
            assert_eq!(in_field(field), expected, "{field}");
        }
    }
}
