//! What is said of a selection of sources that a server refuses. It says only that one of them is unknown.

use crate::client::hosts::Host;
use crate::{Features, Sources};

/// Names the sources that the server does not have, as far as it said which it has; with its own text at the end.
pub(super) fn refusal(host: &Host, features: &Features, sources: &Sources, text: &str) -> String {
    let Sources::Only(list) = sources else {
        return format!("{host} does not select its own sources again: {text}");
    };
    let has = |name: &str| {
        features.sources.iter().chain(features.serials.keys()).any(|known| known.eq_ignore_ascii_case(name))
    };
    let said = !(features.sources.is_empty() && features.serials.is_empty());
    let lacking: Vec<&str> = list.split(',').filter(|name| said && !has(name)).collect();
    if lacking.is_empty() {
        format!("{host} refuses the sources {list}: {text}")
    } else {
        format!("{host} does not have the sources {} of {list}: {text}", lacking.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_lacks_is_named() {
        let host = Host { name: "a".to_owned(), port: 43 };
        let silent = Features::default();
        let mut known = Features { sources: vec!["RIPE".to_owned()], ..Features::default() };
        known.serials.insert("ARIN".to_owned(), "N:-".to_owned());
        let only = |list: &str| Sources::Only(list.into());
        for (features, sources, said) in [
            (
                &known,
                only("ripe,RPKI,ARIN,TC"),
                "a:43 does not have the sources RPKI,TC of ripe,RPKI,ARIN,TC: no",
            ),
            (&known, only("RIPE,ARIN"), "a:43 refuses the sources RIPE,ARIN: no"),
            (&silent, only("RPKI"), "a:43 refuses the sources RPKI: no"),
            (&known, Sources::Default, "a:43 does not select its own sources again: no"),
        ] {
            assert_eq!(refusal(&host, features, &sources, "no"), said);
        }
    }
}
