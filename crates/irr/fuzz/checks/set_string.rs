//! What holds for every text, whatever is in it. Run by the fuzzer, and by a test over its seeds.

use pm_irr::{Object, parse_field};

/// Reads `text` as a field, and asserts what its sets and notes promise.
pub fn set_string(text: &str) {
    let known = ["RIPE", "radb", "RIPE-NONAUTH", "not a source", ""].map(str::to_owned);
    let field = parse_field(text, &known);
    assert_eq!(field.is_blank(), text.trim().is_empty(), "blank or not");
    for (place, set) in field.sets.iter().enumerate() {
        assert!(!field.sets[..place].contains(set) || place > 100, "{set} twice");
        assert!(!set.name.is_empty() && set.name.len() <= 250, "{} bytes", set.name.len());
        let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || ":-_".contains(c);
        assert!(set.name.chars().all(fits), "{set} on the wire");
        let source = set.source.as_deref().unwrap_or("RIPE");
        assert!(!source.is_empty() && source.chars().all(|c| fits(c) && c != ':'), "{set} on the wire");
        let object: Result<Object, _> = set.name.parse();
        let is_set = match object {
            Ok(Object::AsSet(read) | Object::RouteSet(read)) => {
                read.name == set.name && read.source.is_none()
            }
            Ok(Object::Asn(asn)) => set.name == format!("AS{asn}"),
            Ok(Object::Prefix(_) | Object::Ignored(_)) | Err(_) => false,
        };
        assert!(is_set, "{set} is no set");
    }
    for note in &field.notes {
        assert!(
            !note.chars().any(char::is_control) && note.chars().count() < 2000,
            "a note that can be shown"
        );
    }
    let written = field.sets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    assert_eq!(parse_field(&written, &known).sets, field.sets, "what was read reads the same again");
}
