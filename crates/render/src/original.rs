//! A world from the JSON that the original's REST lists give.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use crate::address::Interface;
use crate::model::{Field, Kind, Model, Models};
use crate::world::{Data, PrefixEntry, PrefixList, PrefixLists, Record, World};

/// The REST list of a model, as `app--endpoint`.
const LISTS: &[(&str, &str)] = &[
    ("extras--tags", "extras.tag"),
    ("extras--config-contexts", "extras.configcontext"),
    ("extras--config-context-assignments", "extras.configcontextassignment"),
    ("extras--export-templates", "extras.exporttemplate"),
    ("extras--journal-entries", "extras.journalentry"),
    ("bgp--communities", "bgp.community"),
    ("bgp--relationships", "bgp.relationship"),
    ("net--bfd", "net.bfd"),
    ("net--connections", "net.connection"),
    ("devices--platforms", "devices.platform"),
    ("devices--configurations", "devices.configuration"),
    ("devices--routers", "devices.router"),
    ("messaging--emails", "messaging.email"),
    ("messaging--contact-roles", "messaging.contactrole"),
    ("messaging--contacts", "messaging.contact"),
    ("messaging--contact-assignments", "messaging.contactassignment"),
    ("peering--routing-policies", "peering.routingpolicy"),
    ("peering--autonomous-systems", "peering.autonomoussystem"),
    ("peering--bgp-groups", "peering.bgpgroup"),
    ("peering--internet-exchanges", "peering.internetexchange"),
    ("peering--direct-peering-sessions", "peering.directpeeringsession"),
    ("peering--internet-exchange-peering-sessions", "peering.internetexchangepeeringsession"),
    ("peeringdb--organizations", "peeringdb.organization"),
    ("peeringdb--campuses", "peeringdb.campus"),
    ("peeringdb--facilities", "peeringdb.facility"),
    ("peeringdb--networks", "peeringdb.network"),
    ("peeringdb--internet-exchanges", "peeringdb.internetexchange"),
    ("peeringdb--internet-exchange-facilities", "peeringdb.internetexchangefacility"),
    ("peeringdb--ixlans", "peeringdb.ixlan"),
    ("peeringdb--ixlan-prefixes", "peeringdb.ixlanprefix"),
    ("peeringdb--network-contacts", "peeringdb.networkcontact"),
    ("peeringdb--network-facilities", "peeringdb.networkfacility"),
    ("peeringdb--network-ixlans", "peeringdb.networkixlan"),
    ("peeringdb--hidden-peers", "peeringdb.hiddenpeer"),
];

/// A world of REST lists by `app--endpoint`; `columns` adds what REST leaves out, by list, id and column.
/// What cannot be read is left out, so that one odd value does not cost the object.
pub fn world<S: std::hash::BuildHasher>(lists: &HashMap<String, Json, S>, columns: &Json) -> World {
    let models = Models::get();
    let mut records = HashMap::new();
    for (list, name) in LISTS {
        let Some(model) = models.index(name).map(|index| &models.all()[usize::from(index)]) else { continue };
        let rows = lists.get(*list).and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let extra = columns.get(*list);
        let converted = rows.iter().filter_map(|row| {
            let id = row.get("id")?.as_u64()?;
            let extra = extra.and_then(|extra| extra.get(id.to_string()));
            Some(record(model, id, row, extra))
        });
        records.insert((*name).to_owned(), converted.collect());
    }
    World::new(records)
}

fn record(model: &Model, id: u64, row: &Json, extra: Option<&Json>) -> Record {
    let values = model.fields.iter().map(|field| {
        let found = extra.and_then(|extra| extra.get(&*field.name)).or_else(|| row.get(&*field.name));
        found.map_or(Data::Null, |json| data(field, json))
    });
    Record { id, values: values.collect() }
}

fn data(field: &Field, json: &Json) -> Data {
    if json.is_null() {
        return Data::Null;
    }
    let text = json.as_str();
    match field.kind {
        Kind::Text => scalar(json).as_str().map_or(Data::Null, |text| Data::Text(text.into())),
        Kind::Int => scalar(json).as_i64().map_or(Data::Null, Data::Int),
        Kind::Bool => json.as_bool().map_or(Data::Null, Data::Bool),
        Kind::Float => {
            let number = json.as_f64().or_else(|| text.and_then(|text| text.parse().ok()));
            number.map_or(Data::Null, Data::Float)
        }
        Kind::Json | Kind::List => Data::Json(Arc::new(json.clone())),
        Kind::Ip => {
            text.and_then(Interface::parse).map_or(Data::Null, |interface| Data::Ip(interface.address))
        }
        Kind::Interface => text.and_then(Interface::parse).map_or(Data::Null, Data::Interface),
        Kind::Network => {
            text.and_then(Interface::parse).map_or(Data::Null, |interface| Data::Network(interface.network()))
        }
        Kind::Mac => text.and_then(crate::filters::mac_bytes).map_or(Data::Null, Data::Mac),
        Kind::Time => text.and_then(time).map_or(Data::Null, Data::Time),
        Kind::Prefixes => Data::Prefixes(Arc::new(PrefixLists {
            ipv6: entries(json.get("ipv6")),
            ipv4: entries(json.get("ipv4")),
            checked: None,
        })),
        Kind::ForeignKey => id(json).map_or(Data::Null, Data::Reference),
        Kind::ManyToMany => {
            Data::References(json.as_array().map_or(&[][..], Vec::as_slice).iter().filter_map(id).collect())
        }
    }
}

/// A choice is `{value, label}`.
fn scalar(json: &Json) -> &Json {
    json.get("value").unwrap_or(json)
}

/// A related object is its id or an object with one.
fn id(json: &Json) -> Option<u64> {
    json.as_u64().or_else(|| json.get("id").and_then(Json::as_u64))
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)).ok().map(|time| time.to_utc())
}

fn entries(json: Option<&Json>) -> PrefixList {
    let rows = json.and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    let length =
        |row: &Json, key: &str| row.get(key).and_then(Json::as_u64).and_then(|n| u8::try_from(n).ok());
    let entry = |row: &Json| {
        let text = row.get("prefix")?.as_str()?;
        let prefix = Interface::parse(text)?.network();
        let written = (prefix.to_string() != text).then(|| text.into());
        Some(PrefixEntry {
            prefix,
            written,
            exact: row.get("exact").and_then(Json::as_bool).unwrap_or(false),
            greater_equal: length(row, "greater-equal"),
            less_equal: length(row, "less-equal"),
        })
    };
    rows.iter().filter_map(entry).collect::<Vec<_>>().into()
}
