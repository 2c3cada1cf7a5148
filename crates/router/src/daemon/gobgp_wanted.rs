//! `GoBGP`: whether it took over a configuration. It logs what it refuses, and tells nobody.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

use super::gobgp::{self, Entry};
use crate::vendor::canonical;

/// What must be seen of a configuration (`docs/sources/configuration.md` of `GoBGP`). `None` in a field: it does not say.
#[derive(Default)]
pub(super) struct Wanted {
    /// Our AS.
    own_as: Option<u32>,
    /// By address. Neighbours that `GoBGP` finds by itself, in a range or on an interface, are not here.
    neighbors: BTreeMap<String, Neighbor>,
}

#[derive(Default)]
struct Neighbor {
    remote_as: Option<u32>,
    description: Option<String>,
    password: Option<String>,
    down: bool,
}

impl Wanted {
    /// Reads a configuration in TOML. The error has none of its words in it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let whole: Table = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(0, |span| text[..span.start].lines().count().max(1));
            format!("line {line} cannot be read as TOML")
        })?;
        let mut groups: BTreeMap<&str, &Table> = BTreeMap::new();
        for config in configs(&whole, "peer-groups") {
            if let Some(name) = word(config, "peer-group-name") {
                groups.insert(name, config);
            }
        }
        let mut wanted = Self {
            own_as: table(&whole, "global")
                .and_then(|it| table(it, "config"))
                .and_then(|it| number(it, "as")),
            ..Self::default()
        };
        for config in configs(&whole, "neighbors") {
            let Some(address) = word(config, "neighbor-address") else { continue };
            // A group gives what the neighbour does not say.
            let group = word(config, "peer-group").filter(|name| !name.is_empty());
            let own = |key: &str| {
                let own = word(config, key).map(str::to_owned);
                if group.is_none() { Some(own.unwrap_or_default()) } else { own }
            };
            let group_as = || number(groups.get(group?)?, "peer-as");
            let neighbor = Neighbor {
                remote_as: number(config, "peer-as").filter(|&number| number != 0).or_else(group_as),
                description: own("description"),
                password: own("auth-password"),
                down: get(config, "admin-down").is_some_and(is_true),
            };
            wanted.neighbors.insert(canonical(address), neighbor);
        }
        Ok(wanted)
    }

    /// What the daemon has otherwise, by `gobgp -j neighbor` and `gobgp -j global`: the first of it, in words for people.
    pub(super) fn missing(&self, neighbors: &str, global: &str) -> Result<Option<String>, String> {
        let there: BTreeMap<String, Entry> = gobgp::entries(neighbors)?
            .into_iter()
            .filter(|one| !one.conf.neighbor_address.is_empty() && one.conf.neighbor_interface.is_empty())
            .map(|one| (canonical(&one.conf.neighbor_address), one))
            .collect();
        if let Some(address) = there.keys().find(|address| !self.neighbors.contains_key(*address)) {
            return Ok(Some(format!("neighbour {address:.60} is still there")));
        }
        for (address, wanted) in &self.neighbors {
            let Some(found) = there.get(address) else {
                return Ok(Some(format!("neighbour {address:.60} is not there")));
            };
            if let Some(what) = wanted.differs(found) {
                return Ok(Some(format!("{what} of neighbour {address:.60} is another one")));
            }
        }
        let own = serde_json::from_str::<Global>(global).ok().map(|global| global.asn);
        Ok(own.zip(self.own_as).filter(|(found, wanted)| found != wanted).map(|(found, wanted)| {
            format!("its own AS is {found} and not {wanted}, which it takes over only when it starts")
        }))
    }
}

#[derive(Deserialize)]
struct Global {
    asn: u32,
}

impl Neighbor {
    fn differs(&self, found: &Entry) -> Option<&'static str> {
        let conf = &found.conf;
        if self.remote_as.is_some_and(|number| number != conf.peer_asn) {
            return Some("the AS");
        }
        if self.description.as_ref().is_some_and(|text| *text != conf.description) {
            return Some("the description");
        }
        if self.password.as_ref().is_some_and(|text| *text != conf.auth_password) {
            return Some("the password");
        }
        (self.down != conf.admin_down).then_some("the administrative state")
    }
}

/// A key; `GoBGP` does not look at the case of its letters.
fn get<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    table
        .get(key)
        .or_else(|| table.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value))
}

fn table<'a>(outer: &'a Table, key: &str) -> Option<&'a Table> {
    get(outer, key)?.as_table()
}

/// `config` of every table in a list.
fn configs<'a>(whole: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
    let list = get(whole, key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(|one| table(one.as_table()?, "config"))
}

fn word<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    get(table, key)?.as_str()
}

/// A number, or a text that is taken for one.
fn number(table: &Table, key: &str) -> Option<u32> {
    match get(table, key)? {
        Value::Integer(number) => u32::try_from(*number).ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Boolean(yes) => *yes,
        Value::Integer(number) => *number != 0,
        Value::String(text) => matches!(text.as_str(), "1" | "t" | "T" | "TRUE" | "true" | "True"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Wanted;

    const GLOBAL: &str = r#"{"asn":64500,"router_id":"192.0.2.1"}"#;
    const CONFIG: &str = r#"
[global.config]
  as = 64500
[[peer-groups]]
  [peer-groups.config]
    peer-group-name = "g"
    peer-as = 64777
[[neighbors]]
  config = { neighbor-address = '192.0.2.9', peer-as = "64509", description = "one" }
[[neighbors]]
  [neighbors.config]
    neighbor-address = "2001:DB8::0001" # neighbor-address = "192.0.2.77"
    Peer-Group = "g"
    auth-password = "Planted"
    admin-down = true
[[neighbors]]
  [neighbors.config]
    neighbor-interface = "eth0"
"#;
    const THERE: &str = r#"[
        {"conf":{"neighbor_address":"192.0.2.9","peer_asn":64509,"description":"one"},"state":{}},
        {"conf":{"neighbor_address":"2001:DB8::0001","peer_asn":64777,"auth_password":"Planted","peer_group":"g","admin_down":true},"state":{}},
        {"conf":{"neighbor_address":"fe80::1%eth0","neighbor_interface":"eth0","peer_asn":1},"state":{}},
        {"conf":{"peer_asn":64888,"peer_group":"d"},"state":{"neighbor_address":"127.0.0.2","session_state":6}}
    ]"#;

    fn missing(config: &str, there: &str, global: &str) -> String {
        Wanted::read(config).unwrap().missing(there, global).unwrap().unwrap_or_default()
    }

    #[test]
    fn what_is_written_is_there() {
        assert_eq!(missing(CONFIG, THERE, GLOBAL), "");
    }

    #[test]
    fn what_was_not_taken_over_is_named() {
        for (written, instead, said) in [
            ("\"64509\"", "64510", "the AS of neighbour 192.0.2.9 is another one"),
            ("= 64777", "= 64778", "the AS of neighbour 2001:db8::1 is another one"),
            ("\"one\"", "\"two\"", "the description of neighbour 192.0.2.9 is another one"),
            ("Planted", "Planted-2", "the password of neighbour 2001:db8::1 is another one"),
            ("admin-down = true", "", "the administrative state of neighbour 2001:db8::1 is another one"),
            ("192.0.2.9", "192.0.2.8", "neighbour 192.0.2.9 is still there"),
            (
                "= 64500",
                "= 64501",
                "its own AS is 64500 and not 64501, which it takes over only when it starts",
            ),
        ] {
            assert!(CONFIG.contains(written));
            assert_eq!(missing(&CONFIG.replace(written, instead), THERE, GLOBAL), said);
        }
        assert_eq!(missing(CONFIG, "[]", GLOBAL), "neighbour 192.0.2.9 is not there");
    }

    #[test]
    fn an_error_repeats_nothing() {
        let error = Wanted::read("[a]\nb = 1\nauth-password = Planted\n").err().unwrap();
        assert_eq!(error, "line 3 cannot be read as TOML");
    }
}
