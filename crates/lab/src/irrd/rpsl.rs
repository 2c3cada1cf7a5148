//! Reads RPSL as files have it (RFC 2622, section 2; RFC 4012): objects apart by empty lines, attributes that go on in
//! lines that begin with a blank or `+`, comments.

/// A text that is no RPSL, or an object that no registry would take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct RpslError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it, and with which object.
    pub problem: String,
}

/// One attribute of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    pub(crate) line: usize,
    name: &'a str,
    first: &'a str,
    /// The lines it goes on in: what each begins with, and the rest.
    more: Vec<(char, &'a str)>,
}

impl Attribute<'_> {
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value of an attribute that has one line, without comments.
    pub(crate) fn value(&self) -> &str {
        without_comment(self.first)
    }

    /// The values of an attribute that is a list.
    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.first)
            .chain(self.more.iter().map(|(_, text)| *text))
            .flat_map(|line| without_comment(line).split(','))
            .map(str::trim)
            .filter(|value| !value.is_empty())
    }

    /// Appends it as IRRd prints it: values begin in column 17; a list that stands in one line has no blanks.
    fn print(&self, text: &mut String) {
        text.extend(self.name.chars().map(|c| c.to_ascii_lowercase()));
        text.push(':');
        let used = self.more.iter().rposition(|(_, line)| !line.is_empty()).map_or(0, |last| last + 1);
        if self.first.is_empty() && used == 0 {
            text.push('\n');
            return;
        }
        pad(text, 15_usize.saturating_sub(self.name.len()));
        let is_list = LISTS.iter().any(|name| self.is(name));
        if is_list && used == 0 {
            let list = without_comment(self.first);
            let plain =
                |value: &str| as_number(value).map_or_else(|| value.to_owned(), |asn| format!("AS{asn}"));
            let dense: Vec<String> = self.values().map(plain).collect();
            text.push_str(&self.first.replacen(list, &dense.join(","), 1));
        } else {
            text.push_str(self.first);
        }
        text.push('\n');
        for (mark, line) in &self.more[..used] {
            text.push(if line.is_empty() { '+' } else { *mark });
            pad(text, 15);
            text.push_str(line);
            text.push('\n');
        }
    }
}

/// The attributes with more than one value, as far as they matter here.
const LISTS: [&str; 5] = ["members", "mp-members", "mbrs-by-ref", "member-of", "mnt-by"];

fn pad(text: &mut String, columns: usize) {
    text.extend(std::iter::repeat_n(' ', columns));
}

fn without_comment(value: &str) -> &str {
    value.split('#').next().unwrap_or_default().trim()
}

/// An AS number as RPSL has it, in any case.
pub(crate) fn as_number(text: &str) -> Option<u32> {
    let (head, digits) = text.split_at_checked(2)?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain && head.eq_ignore_ascii_case("AS") { digits.parse().ok() } else { None }
}

/// One object: its attributes in order, the first of which says its class and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object<'a> {
    pub(crate) attributes: Vec<Attribute<'a>>,
}

impl<'a> Object<'a> {
    /// The attribute that says class and name.
    pub(crate) fn head(&self) -> Option<&Attribute<'a>> {
        self.attributes.first()
    }

    /// The last value of an attribute that may be there once.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.attributes.iter().rev().find(|attribute| attribute.is(name)).map(Attribute::value)
    }

    /// All values of an attribute that may be there more than once.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.attributes.iter().filter(move |attribute| attribute.is(name)).flat_map(Attribute::values)
    }

    /// Appends the object as IRRd prints it, without an empty line behind it.
    pub(crate) fn print(&self, text: &mut String) {
        for attribute in &self.attributes {
            attribute.print(text);
        }
    }
}

/// Calls `take` for every object in the text, in order.
pub(crate) fn objects<'a>(
    text: &'a str,
    mut take: impl FnMut(Object<'a>) -> Result<(), RpslError>,
) -> Result<(), RpslError> {
    let mut attributes: Vec<Attribute<'a>> = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        let line_number = index + 1;
        let line = line.trim_end_matches('\r');
        match line.chars().next() {
            Some('%' | '#') => {}
            None => {
                if !attributes.is_empty() {
                    take(Object { attributes: std::mem::take(&mut attributes) })?;
                }
            }
            Some(mark @ (' ' | '\t' | '+')) => match attributes.last_mut() {
                Some(attribute) => attribute.more.push((mark, line[1..].trim())),
                None if line.trim().is_empty() => {}
                None => {
                    return Err(RpslError {
                        line: line_number,
                        problem: "a line that goes on, with nothing before it".to_owned(),
                    });
                }
            },
            Some(_) => attributes.push(attribute(line, line_number)?),
        }
    }
    if attributes.is_empty() { Ok(()) } else { take(Object { attributes }) }
}

fn attribute(line: &str, line_number: usize) -> Result<Attribute<'_>, RpslError> {
    let wrong = || RpslError { line: line_number, problem: format!("{line:.60?} is no `name: value`") };
    let (name, value) = line.split_once(':').ok_or_else(wrong)?;
    let name = name.trim_end();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_*".contains(&byte)) {
        return Err(wrong());
    }
    Ok(Attribute { line: line_number, name, first: value.trim(), more: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Object<'_>>, RpslError> {
        let mut all = Vec::new();
        objects(text, |object| {
            all.push(object);
            Ok(())
        })?;
        Ok(all)
    }

    const TEXT: &str = "% a dump\n\nAS-Set: AS-ONE # the first\nmembers:AS1, AS2 # two\n# not this one\n  AS3,\n+\n\
        \tAS4\nmembers: AS5 ,  as06 # six\n+\nremarks:\nsource: TEST\r\n\r\n\nroute: 192.0.2.0/24\norigin: AS1";

    #[test]
    fn values_are_gathered_from_all_lines() {
        let all = read(TEXT).unwrap();
        assert_eq!(all.len(), 2);
        let set = &all[0];
        assert_eq!(set.value("as-set"), Some("AS-ONE"));
        assert_eq!(set.values("members").collect::<Vec<_>>(), ["AS1", "AS2", "AS3", "AS4", "AS5", "as06"]);
        assert_eq!(set.value("source"), Some("TEST"));
        assert_eq!(all[1].value("origin"), Some("AS1"));
        assert_eq!(all[1].head().map(|head| head.line), Some(15));
    }

    #[test]
    fn objects_are_printed_in_columns() {
        let mut text = String::new();
        read(TEXT).unwrap()[0].print(&mut text);
        let expected = "as-set:         AS-ONE # the first\nmembers:        AS1, AS2 # two\n                AS3,\n\
            +               \n\t               AS4\nmembers:        AS5,AS6 # six\nremarks:\nsource:         TEST\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn errors_name_the_line() {
        assert_eq!(read("as-set: AS-A\n\n+ AS1\n").unwrap_err().line, 3);
        assert_eq!(read("as-set: AS-A\nmembers\n").unwrap_err().line, 2);
        assert_eq!(
            read("hello world: AS-A\n").unwrap_err().to_string(),
            "line 1: \"hello world: AS-A\" is no `name: value`"
        );
    }
}
