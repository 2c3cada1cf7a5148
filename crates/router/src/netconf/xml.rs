//! XML as routers send it: read in pieces, so that what is held is one piece and not a document.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// Elements inside each other.
const DEEPEST: usize = 128;
/// Elements in one piece: a neighbour of a large router has a thousand.
const LARGEST: usize = 1 << 18;

/// A text as it may stand in an element or in an attribute.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    // Not `quick_xml`'s: what XML cannot hold at all must go, else the router drops the whole session.
    if !text.contains(|c: char| matches!(c, '<' | '>' | '&' | '"' | '\'') || is_forbidden(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if is_forbidden(c) => out.push(' '),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// What XML 1.0 has no way to write.
pub(crate) fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether elements of another namespace than the document's show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// They do, as plain names.
    Shown,
    /// They do not.
    Hidden,
}

/// An element and all in it. Prefixes are cut off its name.
#[derive(Debug, Default)]
pub(crate) struct Element<'a> {
    pub(crate) name: &'a str,
    /// The attributes as they are written.
    attributes: &'a str,
    text: Cow<'a, str>,
    pub(crate) children: Vec<Element<'a>>,
}

impl<'a> Element<'a> {
    /// Its text without white space around it.
    pub(crate) fn text(&self) -> &str {
        self.text.trim()
    }

    /// Its text as it is.
    pub(crate) fn whole_text(&self) -> &str {
        &self.text
    }

    /// The children with this name.
    pub(crate) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Element<'a>> + use<'s, 'a> {
        self.children.iter().filter(move |one| one.name == name)
    }

    /// The first that is found by going down these names, in the order of the document.
    pub(crate) fn find(&self, path: &[&str]) -> Option<&Element<'a>> {
        let [first, rest @ ..] = path else { return Some(self) };
        self.children.iter().filter(|one| one.name == *first).find_map(|one| one.find(rest))
    }

    /// The trimmed text of the first that is found; `None` if there is none.
    pub(crate) fn text_of(&self, path: &[&str]) -> Option<&str> {
        self.find(path).map(Element::text)
    }

    /// An attribute's value; its prefix is left aside.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = Attributes::new(self.attributes, 0)
            .flatten()
            .find(|one| one.key.local_name().as_ref() == name)?;
        match found.value {
            Cow::Borrowed(value) => Some(value),
            Cow::Owned(_) => None,
        }
    }
}

/// Reads a document and shows the pieces that are asked for.
///
/// `wanted` sees the names from the root down. Where it says yes, `visit` gets the element whole; elsewhere the elements
/// inside are looked at in turn. The error says what is wrong with the document.
pub(crate) fn walk<'a>(
    document: &'a str,
    foreign: Foreign,
    mut wanted: impl FnMut(&[&'a str]) -> bool,
    mut visit: impl FnMut(&[&'a str], Element<'a>) -> Result<(), String>,
) -> Result<(), String> {
    let mut walker = Walker { document, reader: Reader::from_str(document), foreign, count: 0 };
    let mut path: Vec<&'a str> = Vec::new();
    let mut began = false;
    loop {
        match walker.read()? {
            Event::Start(tag) => {
                let (name, _) = walker.tag(&tag, path.is_empty())?;
                began = true;
                path.push(name);
                if path.len() > DEEPEST {
                    return Err("its elements are too deep".into());
                }
                if wanted(&path) {
                    walker.count = 0;
                    let element = walker.element(&tag, path.len() == 1, path.len())?;
                    visit(&path, element)?;
                    path.pop();
                }
            }
            Event::Empty(tag) => {
                let (name, attributes) = walker.tag(&tag, path.is_empty())?;
                began = true;
                path.push(name);
                if wanted(&path) {
                    visit(&path, Element { name, attributes, ..Element::default() })?;
                }
                path.pop();
            }
            Event::End(_) => {
                path.pop();
            }
            Event::Eof if path.is_empty() && began => return Ok(()),
            Event::Eof => return Err("it ends in the middle".into()),
            _ => {}
        }
    }
}

/// The root, without what is in it.
pub(crate) fn head(document: &str) -> Result<Element<'_>, String> {
    let mut walker =
        Walker { document, reader: Reader::from_str(document), foreign: Foreign::Shown, count: 0 };
    loop {
        match walker.read()? {
            Event::Start(tag) | Event::Empty(tag) => {
                let (name, attributes) = walker.tag(&tag, true)?;
                return Ok(Element { name, attributes, ..Element::default() });
            }
            Event::Eof => return Err("it is empty".into()),
            _ => {}
        }
    }
}

/// The whole document as one piece, for short ones.
pub(crate) fn read(document: &str) -> Result<Element<'_>, String> {
    let mut root = None;
    walk(
        document,
        Foreign::Shown,
        |path| path.len() == 1,
        |_, element| {
            root = Some(element);
            Ok(())
        },
    )?;
    root.ok_or_else(|| "it is empty".to_owned())
}

/// The texts of the first elements at a path from the root, `*` standing for any name.
pub(crate) fn text_at(document: &str, path: &[&str]) -> Result<Option<String>, String> {
    let mut found = None;
    let is_it = |here: &[&str]| {
        here.len() == path.len()
            && here.iter().zip(path).all(|(name, wanted)| *wanted == "*" || name == wanted)
    };
    walk(document, Foreign::Shown, is_it, |_, element| {
        found.get_or_insert_with(|| element.whole_text().to_owned());
        Ok(())
    })?;
    Ok(found)
}

struct Walker<'a> {
    document: &'a str,
    reader: Reader<&'a [u8]>,
    foreign: Foreign,
    count: usize,
}

impl<'a> Walker<'a> {
    fn read(&mut self) -> Result<Event<'a>, String> {
        match self.reader.read_event() {
            // With a document type come entities that grow without end; no router sends one.
            Ok(Event::DocType(_)) => Err("it has a document type".into()),
            Ok(event) => Ok(event),
            Err(error) => Err(format!("it is no XML at octet {}: {error}", self.reader.error_position())),
        }
    }

    /// The name without prefix and the attributes as they are written.
    fn tag(&self, tag: &BytesStart<'a>, is_root: bool) -> Result<(&'a str, &'a str), String> {
        // The reader lends the tag for shorter than the document, in which it stands.
        let at = tag.as_ptr().addr().wrapping_sub(self.document.as_ptr().addr());
        let whole = at.checked_add(tag.len()).and_then(|end| self.document.get(at..end));
        let whole = whole.ok_or("a tag cannot be read")?;
        let (name, attributes) = whole.split_at(tag.name().as_ref().len());
        let name = name.rsplit(':').next().unwrap_or(name);
        if self.foreign == Foreign::Hidden && !is_root && attributes.contains("xmlns=") {
            return Ok(("", attributes));
        }
        Ok((name, attributes))
    }

    /// The rest of an element whose beginning was read.
    fn element(&mut self, tag: &BytesStart<'a>, is_root: bool, depth: usize) -> Result<Element<'a>, String> {
        let (name, attributes) = self.tag(tag, is_root)?;
        let mut element = Element { name, attributes, ..Element::default() };
        if depth > DEEPEST {
            return Err("its elements are too deep".into());
        }
        loop {
            let event = self.read()?;
            if matches!(event, Event::Start(_) | Event::Empty(_)) {
                self.count += 1;
                if self.count > LARGEST {
                    return Err(format!("one entry has more than {LARGEST} elements"));
                }
            }
            match event {
                Event::Start(tag) => element.children.push(self.element(&tag, false, depth + 1)?),
                Event::Empty(tag) => {
                    let (name, attributes) = self.tag(&tag, false)?;
                    element.children.push(Element { name, attributes, ..Element::default() });
                }
                Event::Text(text) => {
                    // White space between elements is worth nothing.
                    let text = text.into_inner();
                    if element.children.is_empty() || !text.trim().is_empty() {
                        push(&mut element.text, text);
                    }
                }
                Event::CData(text) => push(&mut element.text, text.into_inner()),
                Event::GeneralRef(reference) => push(&mut element.text, Cow::Owned(resolve(&reference)?)),
                Event::End(_) => return Ok(element),
                Event::Eof => return Err("it ends in the middle".into()),
                _ => {}
            }
        }
    }
}

fn push<'a>(text: &mut Cow<'a, str>, more: Cow<'a, str>) {
    if text.is_empty() {
        *text = more;
    } else {
        text.to_mut().push_str(&more);
    }
}

fn resolve(reference: &BytesRef<'_>) -> Result<String, String> {
    if let Some(c) =
        reference.resolve_char_ref().map_err(|error| format!("a character is no character: {error}"))?
    {
        return Ok(c.to_string());
    }
    let text: &str = reference;
    match text {
        "lt" => Ok("<".to_owned()),
        "gt" => Ok(">".to_owned()),
        "amp" => Ok("&".to_owned()),
        "quot" => Ok("\"".to_owned()),
        "apos" => Ok("'".to_owned()),
        _ => Err("it has an entity that XML does not know".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Foreign, escape, read, text_at, walk};

    #[test]
    fn pieces_and_what_is_in_them() {
        let document = "<?xml version=\"1.0\"?><!-- a --><r xmlns=\"urn:r\"><n:p xmlns:n='x' a='1' n:b=\"2\"> x &amp;<![CDATA[ <y>]]> \
                        </n:p><p><q> one\n</q><q/><z><q>two</q></z></p></r>";
        let mut seen = Vec::new();
        walk(
            document,
            Foreign::Shown,
            |path| path == ["r", "p"],
            |_, element| {
                seen.push((
                    element.text().to_owned(),
                    element.attribute("b").map(str::to_owned),
                    element.text_of(&["z", "q"]).map(str::to_owned),
                    element.all("q").count(),
                ));
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(
            seen,
            [("x & <y>".into(), Some("2".into()), None, 0), (String::new(), None, Some("two".into()), 2)]
        );
        assert_eq!(text_at(document, &["*", "p", "q"]).unwrap().unwrap(), " one\n");
    }

    #[test]
    fn other_namespaces_can_be_hidden() {
        let document = "<r xmlns='a'><p xmlns='b'><q>1</q></p><q>2</q></r>";
        let mut seen = Vec::new();
        for foreign in [Foreign::Shown, Foreign::Hidden] {
            walk(
                document,
                foreign,
                |path| path.len() == 1,
                |_, element| {
                    seen.push(element.find(&["p", "q"]).is_some());
                    Ok(())
                },
            )
            .unwrap();
        }
        assert_eq!(seen, [true, false]);
    }

    #[test]
    fn what_is_no_document_is_said() {
        for wrong in ["", "x", "<a>", "<a></b>", "<a", "<a>&x;</a>", "<!DOCTYPE a><a/>", "<a>&#0;</a>"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(read(&"<a>".repeat(100_000)).is_err());
        assert!(read(&format!("<a>{}</a>", "<b/>".repeat(300_000))).is_err());
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_read_back(text in "[^\r\u{0}-\u{8}\u{b}\u{c}\u{e}-\u{1f}\u{fffe}\u{ffff}]{1,40}") {
            let document = format!("<a>{}</a>", escape(&text));
            let root = read(&document).unwrap();
            prop_assert_eq!(root.whole_text(), text);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[<>/a-c='\"&;#x!\\[\\]\u{0}é -]{0,80}") {
            let _ = read(&text);
            let _ = read(&format!("<a>{text}</a>"));
        }
    }
}
