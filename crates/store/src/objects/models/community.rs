//! BGP communities (RFC 1997, RFC 4360, RFC 8092).

use std::sync::LazyLock;

use super::base::{boolean, choice, organisational, text};
use crate::objects::choices;
use crate::objects::model::{COMMON_FEATURES, Model, as_given, by_name};
use crate::objects::problems::Problems;
use crate::objects::record::{Graph, Record};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "bgp.community",
    table: "bgp_community",
    singular: "community",
    plural: "communities",
    fields: [
        organisational(),
        vec![
            text("value", 50),
            choice("type", choices::COMMUNITY_TYPE).nullable(),
            choice("category", choices::COMMUNITY_CATEGORY).nullable(),
            boolean("private", false).help("Whether it is kept out of what is published."),
        ],
    ]
    .concat(),
    unique_together: &[],
    order: &["value", "name"],
    key: &["slug"],
    features: COMMON_FEATURES,
    needs: &[],
    normalise: as_given,
    check,
    display: by_name,
});

/// What a community's value makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommunityKind {
    /// `A:B`.
    Standard,
    /// `origin:A:N` or `target:A:N`.
    Extended,
    /// `A:B:C`.
    Large,
}

/// What the value is; `None` for one that is no community.
pub fn kind_of(value: &str) -> Option<CommunityKind> {
    let parts: Vec<&str> = value.split(':').collect();
    match parts[..] {
        [first, second] => (number(first, 1, 65_535).is_some() && number(second, 0, 65_535).is_some())
            .then_some(CommunityKind::Standard),
        ["origin" | "target", administrator, assigned] => {
            // Four octets for the administrator leave two for the number (RFC 5668, RFC 4360).
            let limit = match number(administrator, 0, u64::MAX) {
                Some(asn) if asn <= 65_535 => u64::from(u32::MAX),
                Some(_) => 65_535,
                None => administrator.parse::<std::net::Ipv4Addr>().ok().map(|_| 65_535)?,
            };
            number(assigned, 1, limit).map(|_| CommunityKind::Extended)
        }
        [first, second, third] => {
            let limit = u64::from(u32::MAX);
            (number(first, 1, limit).is_some()
                && number(second, 0, limit).is_some()
                && number(third, 0, limit).is_some())
            .then_some(CommunityKind::Large)
        }
        _ => None,
    }
}

fn number(text: &str, from: u64, to: u64) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten()?;
    (from..=to).contains(&number).then_some(number)
}

fn check(community: &Record, _: &Graph, problems: &mut Problems<'_>) {
    let value = community.text("value");
    if problems.rules().community_values && kind_of(value).is_none() {
        problems.field(
            "value",
            format!(
                "{value:?} is not a community: 64496:1, origin:64496:1, target:192.0.2.1:1 or 64496:1:2, with \
                 numbers in their limits"
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart_by_their_form_and_limits() {
        for (kind, values) in [
            (Some(CommunityKind::Standard), &["1:0", "65535:65535", "64500:100"][..]),
            (
                Some(CommunityKind::Extended),
                &[
                    "origin:64500:1",
                    "target:65535:4294967295",
                    "target:65536:65535",
                    "origin:192.0.2.1:65535",
                ],
            ),
            (Some(CommunityKind::Large), &["1:0:0", "4294967295:4294967295:4294967295"]),
            (
                None,
                &[
                    "",
                    "1",
                    "0:1",
                    "65536:1",
                    "1:65536",
                    "1:",
                    ":1",
                    "a:b",
                    "-1:1",
                    "+1:1",
                    " 1:1",
                    "1:2:3:4",
                    "0:1:1",
                    "4294967296:1:1",
                    "target:64500:0",
                    "target:65536:65536",
                    "target:192.0.2.1:65536",
                    "target:192.0.2.256:1",
                    "color:1:1",
                ],
            ),
        ] {
            for value in values {
                assert_eq!(kind_of(value), kind, "{value}");
            }
        }
    }
}
