//! A small tree of a request.

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

/// What NETCONF's own elements are in.
pub(super) const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";

/// An element, whatever its prefix was.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) name: String,
    /// The namespace that its prefix stands for; nothing if it is in none.
    pub(super) namespace: String,
    attributes: Vec<(String, String)>,
    pub(super) text: String,
    pub(super) children: Vec<Node>,
}

impl Node {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|one| one.name == name)
    }

    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|one| one.text.trim())
    }

    /// The first child whose name is none of these.
    pub(super) fn unknown(&self, known: &[&str]) -> Option<&Node> {
        self.children.iter().find(|one| !known.contains(&one.name.as_str()))
    }

    /// `None` if a prefix stands for nothing.
    fn of(reader: &NsReader<&[u8]>, tag: &BytesStart<'_>) -> Option<Self> {
        let (namespace, name) = reader.resolver().resolve_element(tag.name());
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => namespace.0.to_owned(),
            ResolveResult::Unbound => String::new(),
            ResolveResult::Unknown(_) => return None,
        };
        let name = name.as_ref().to_owned();
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute.ok()?;
            attributes.push((attribute.key.local_name().as_ref().to_owned(), attribute.value.into_owned()));
        }
        Some(Self { name, namespace, attributes, ..Self::default() })
    }
}

/// The document, or `None` if it is none.
pub(super) fn parse(text: &str) -> Option<Node> {
    let mut reader = NsReader::from_str(text);
    let mut stack = vec![Node::default()];
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => stack.push(Node::of(&reader, &tag)?),
            Event::Empty(tag) => stack.last_mut()?.children.push(Node::of(&reader, &tag)?),
            Event::End(_) => {
                let node = stack.pop()?;
                stack.last_mut()?.children.push(node);
            }
            Event::Text(text) => stack.last_mut()?.text.push_str(&text),
            Event::CData(text) => stack.last_mut()?.text.push_str(&text),
            Event::GeneralRef(reference) => {
                let c = match reference.resolve_char_ref().ok()? {
                    Some(c) => c,
                    None => match &*reference {
                        "lt" => '<',
                        "gt" => '>',
                        "amp" => '&',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => return None,
                    },
                };
                stack.last_mut()?.text.push(c);
            }
            Event::Eof => break,
            Event::DocType(_) => return None,
            _ => {}
        }
    }
    let mut root = stack.pop().filter(|_| stack.is_empty())?;
    if root.children.len() == 1 && root.text.trim().is_empty() { root.children.pop() } else { None }
}

/// The text as it may stand in an element.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
