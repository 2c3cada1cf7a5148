//! Tags: words that people stick to objects.

use std::sync::LazyLock;

use super::base::{description, text};
use crate::objects::data::Data;
use crate::objects::model::{Field, Kind, Model, by_name};
use crate::objects::problems::Problems;
use crate::objects::record::{Graph, Record};
use crate::objects::secrets::{Keyring, SecretError};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "extras.tag",
    table: "extras_tag",
    singular: "tag",
    plural: "tags",
    fields: vec![
        text("name", 100).unique(),
        text("slug", 100).unique().help("The name as it stands in addresses of pages."),
        Field::new("color", Kind::Color).text("9e9e9e"),
        description(),
    ],
    unique_together: &[],
    order: &["name"],
    key: &["name"],
    features: &[],
    needs: &[],
    normalise,
    check,
    display: by_name,
});

/// A tag without a slug gets one from its name.
#[expect(clippy::unnecessary_wraps, reason = "others can fail")]
fn normalise(tag: &mut Record, _: &Graph, _: &Keyring) -> Result<(), SecretError> {
    if tag.text("slug").is_empty() {
        let slug = slug_of(tag.text("name"));
        if !slug.is_empty() {
            tag.set("slug", Data::Text(slug));
        }
    }
    Ok(())
}

/// Letters, digits and underscores in lower case, with a hyphen for what parts words.
fn slug_of(name: &str) -> String {
    let words = name.split(|c: char| c.is_whitespace() || c == '-').map(|word| {
        let kept = word.chars().filter(|c| c.is_alphanumeric() || *c == '_');
        kept.flat_map(char::to_lowercase).collect::<String>()
    });
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// Unlike other slugs, a tag's may have letters of any script.
fn check(tag: &Record, _: &Graph, problems: &mut Problems<'_>) {
    let slug = tag.text("slug");
    if !slug.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_') {
        problems.field(
            "slug",
            format!("{slug:?} has other characters than letters, digits, hyphens and underscores"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::slug_of;

    #[test]
    fn slugs_follow_from_names() {
        for (name, slug) in [
            ("Core", "core"),
            ("  Transit - IPv6 only! ", "transit-ipv6-only"),
            ("Böhm_2", "böhm_2"),
            ("???", ""),
        ] {
            assert_eq!(slug_of(name), slug, "{name}");
        }
    }
}
