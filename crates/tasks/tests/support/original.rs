//! A database of the original, as its REST API gives it out, in a store.

use std::path::Path;

use ipnet::IpNet;
use pm_irr::{Entry, Family, Prefix, pack, pack_asns};
use pm_store::changes::Author;
use pm_store::objects::model::{Field, Kind, Model};
use pm_store::objects::problems::Rules;
use pm_store::objects::record::Draft;
use pm_store::objects::registry;
use pm_store::objects::secrets::Keyring;
use pm_store::objects::write::{self, Writing};
use pm_store::peeringdb::tables::TABLES;
use pm_store::schema::ColumnKind;
use pm_store::testing::epoch;
use pm_store::{Session, Store, Value};
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

/// File and model, what is referred to first.
const FILES: [(&str, &str); 23] = [
    ("extras--tags", "extras.tag"),
    ("extras--config-contexts", "extras.configcontext"),
    ("extras--export-templates", "extras.exporttemplate"),
    ("bgp--communities", "bgp.community"),
    ("bgp--relationships", "bgp.relationship"),
    ("peering--routing-policies", "peering.routingpolicy"),
    ("net--bfd", "net.bfd"),
    ("devices--platforms", "devices.platform"),
    ("devices--configurations", "devices.configuration"),
    ("messaging--emails", "messaging.email"),
    ("messaging--contact-roles", "messaging.contactrole"),
    ("messaging--contacts", "messaging.contact"),
    ("peering--autonomous-systems", "peering.autonomoussystem"),
    ("peering--bgp-groups", "peering.bgpgroup"),
    ("devices--routers", "devices.router"),
    ("peering--internet-exchanges", "peering.internetexchange"),
    ("net--connections", "net.connection"),
    ("peering--direct-peering-sessions", "peering.directpeeringsession"),
    ("peering--internet-exchange-peering-sessions", "peering.internetexchangepeeringsession"),
    ("peeringdb--hidden-peers", "peeringdb.hiddenpeer"),
    ("messaging--contact-assignments", "messaging.contactassignment"),
    ("extras--config-context-assignments", "extras.configcontextassignment"),
    ("extras--journal-entries", "extras.journalentry"),
];

const CACHE: [(&str, &str); 11] = [
    ("peeringdb--organizations", "org"),
    ("peeringdb--campuses", "campus"),
    ("peeringdb--facilities", "fac"),
    ("peeringdb--networks", "net"),
    ("peeringdb--internet-exchanges", "ix"),
    ("peeringdb--internet-exchange-facilities", "ixfac"),
    ("peeringdb--ixlans", "ixlan"),
    ("peeringdb--ixlan-prefixes", "ixpfx"),
    ("peeringdb--network-contacts", "poc"),
    ("peeringdb--network-facilities", "netfac"),
    ("peeringdb--network-ixlans", "netixlan"),
];

fn read(folder: &Path, name: &str) -> Json {
    serde_json::from_slice(&std::fs::read(folder.join(format!("{name}.json"))).unwrap()).unwrap()
}

fn objects(folder: &Path, name: &str, more: &Json) -> Vec<Map<String, Json>> {
    let objects = read(folder, name);
    let with_more = |object: &Json| {
        let mut object = object.as_object().unwrap().clone();
        let extra = &more[name][object["id"].to_string()];
        object.extend(extra.as_object().cloned().unwrap_or_default());
        object
    };
    objects.as_array().unwrap().iter().map(with_more).collect()
}

fn id(value: &Json) -> Json {
    value.get("id").cloned().unwrap_or_else(|| value.clone())
}

fn plain(field: &Field, value: &Json) -> Json {
    match (field.kind, value) {
        (Kind::ForeignKey(..) | Kind::Cached(_), value) => id(value),
        (Kind::ManyToMany(_) | Kind::Tags, Json::Array(items)) => items.iter().map(id).collect(),
        (Kind::User, _) => Json::Null,
        (Kind::Choice(_), Json::Object(choice)) => choice["value"].clone(),
        (_, value) => value.clone(),
    }
}

fn draft(model: &'static Model, object: &Map<String, Json>) -> Draft {
    let mut draft = Draft::new(model);
    draft.id = object["id"].as_i64();
    draft.created = object.get("created").and_then(Json::as_str).map(|time| time.parse().unwrap());
    for field in &model.fields {
        if let Some(value) = object.get(field.name) {
            draft = draft.with_json(field.name, plain(field, value));
        }
    }
    draft
}

/// Puts all of it in.
pub async fn load(store: &Store, folder: &Path, keyring: &Keyring) {
    let more = read(folder, "_columns-not-in-rest");
    let author = Author { user_id: None, user_name: "test".into(), request_id: "r".into() };
    let rules = Rules { checked: false, community_values: false };
    let writing = Writing { author: &author, now: epoch(), keyring, rules };
    let mut transaction = store.begin().await.unwrap();
    let mut session = transaction.session();
    session.execute("DELETE FROM devices_platform", vec![]).await.unwrap();
    for (file, label) in FILES {
        let model = registry::model(label).unwrap();
        let objects = objects(folder, file, &more);
        let drafts: Vec<Draft> = objects.iter().map(|object| draft(model, object)).collect();
        if let Err(error) = write::create(&mut session, writing, &drafts).await {
            panic!("{label}: {error}");
        }
        for object in &objects {
            as_it_was(&mut session, model, object).await;
        }
        if label == "peering.autonomoussystem" {
            for object in &objects {
                lists(&mut session, object).await;
            }
        }
    }
    for (file, namespace) in CACHE {
        for object in objects(folder, file, &more) {
            cache(&mut session, namespace, &object).await;
        }
    }
    transaction.commit().await.unwrap();
}

/// When it was changed.
async fn as_it_was(session: &mut Session<'_>, model: &Model, object: &Map<String, Json>) {
    let Some(updated) = object.get("updated").and_then(Json::as_str) else { return };
    let updated: chrono::DateTime<chrono::Utc> = updated.parse().unwrap();
    let sql = format!("UPDATE {} SET updated = ? WHERE id = ?", model.table);
    session.execute(&sql, vec![updated.into(), object["id"].as_i64().unwrap().into()]).await.unwrap();
}

async fn lists(session: &mut Session<'_>, system: &Map<String, Json>) {
    let asns: Vec<u32> = serde_json::from_value(system["as_list"].clone()).unwrap_or_default();
    keep(session, system, "as_list", pack_asns(&asns)).await;
    let Some(prefixes) = system["prefixes"].as_object() else { return };
    for (kind, family) in [("ipv6", Family::V6), ("ipv4", Family::V4)] {
        keep(session, system, kind, packed(family, &prefixes[kind])).await;
    }
}

fn packed(family: Family, entries: &Json) -> Vec<u8> {
    let entry = |entry: &Json| {
        let net: IpNet = entry["prefix"].as_str().unwrap().parse().unwrap();
        let high = match net.addr() {
            std::net::IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
            std::net::IpAddr::V6(address) => address.to_bits(),
        };
        let length = |key: &str| entry.get(key).and_then(Json::as_u64).map(|n| u8::try_from(n).unwrap());
        let exact = entry["exact"] == true;
        let most = length("less-equal").unwrap_or(family.bits());
        let lengths = (!exact).then(|| (length("greater-equal").unwrap_or(net.prefix_len()), most));
        Entry { prefix: Prefix::new(family, high, net.prefix_len()), lengths }
    };
    let entries: Vec<Entry> = entries.as_array().into_iter().flatten().map(entry).collect();
    pack(family, &entries)
}

/// The same objects without a store, with lists as they would come out of one.
pub fn tidied_world(folder: &Path) -> pm_render::World {
    let mut lists = std::collections::HashMap::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        if !name.starts_with('_') {
            lists.insert(name.clone(), read(folder, &name));
        }
    }
    for system in lists.get_mut("peering--autonomous-systems").unwrap().as_array_mut().unwrap() {
        let mut asns: Vec<u32> = serde_json::from_value(system["as_list"].clone()).unwrap_or_default();
        asns.sort_unstable();
        system["as_list"] = asns.into();
        for (kind, family) in [("ipv6", Family::V6), ("ipv4", Family::V4)] {
            if system["prefixes"].is_object() {
                let octets = packed(family, &system["prefixes"][kind]);
                let list = pm_irr::OwnedList::new(std::sync::Arc::new(octets)).unwrap();
                let entries = (0..list.len()).map(|at| list.get(at).unwrap());
                let json = format!("{}", pm_irr::PrefixListJson { name: "x", entries });
                let json: Json = serde_json::from_str(&json).unwrap();
                system["prefixes"][kind] = json["x"].clone();
            }
        }
    }
    pm_render::original::world(&lists, &read(folder, "_columns-not-in-rest"))
}

async fn keep(session: &mut Session<'_>, system: &Map<String, Json>, kind: &str, octets: Vec<u8>) {
    let digest = Sha256::digest(&octets).to_vec();
    let sql = "INSERT INTO peering_irrlist (digest, kind, entries, data, created) VALUES (?, ?, 0, ?, ?) \
               ON CONFLICT (digest) DO UPDATE SET kind = excluded.kind";
    let values = vec![digest.clone().into(), kind.into(), octets.into(), epoch().into()];
    session.execute(sql, values).await.unwrap();
    let sql = "INSERT INTO peering_irrstate (autonomous_system_id, kind, state, list_id, checked) \
               SELECT ?, ?, 'current', id, ? FROM peering_irrlist WHERE digest = ?";
    let values = vec![system["id"].as_i64().unwrap().into(), kind.into(), epoch().into(), digest.into()];
    session.execute(sql, values).await.unwrap();
}

async fn cache(session: &mut Session<'_>, namespace: &str, object: &Map<String, Json>) {
    let table = TABLES.iter().find(|table| table.namespace == namespace).unwrap();
    let time = |name: &str| match object.get(name).and_then(Json::as_str) {
        Some(text) => Value::Time(Some(text.parse().unwrap())),
        None => Value::Time(None),
    };
    let or_epoch = |value: Value| if value.is_null() { epoch().into() } else { value };
    let mut columns = vec!["id", "status", "created", "updated", "hash"];
    let mut values: Vec<Value> = vec![
        object["id"].as_i64().unwrap().into(),
        "ok".into(),
        or_epoch(time("created")),
        or_epoch(time("updated")),
        0_i64.into(),
    ];
    for column in table.columns {
        let bare = column.name.strip_suffix("_id").unwrap_or(column.name);
        let json = object.get(column.name).or_else(|| object.get(bare)).map_or(Json::Null, id);
        let json = json.get("value").cloned().unwrap_or(json);
        columns.push(column.name);
        values.push(match column.kind {
            ColumnKind::Integer => Value::Integer(json.as_i64()),
            ColumnKind::Boolean => Value::Boolean(json.as_bool()),
            ColumnKind::Float => {
                Value::Float(json.as_f64().or_else(|| json.as_str().and_then(|text| text.parse().ok())))
            }
            ColumnKind::Text => Value::Text(json.as_str().map(str::to_owned)),
            ColumnKind::Json => Value::Text((!json.is_null()).then(|| json.to_string())),
            ColumnKind::Time => time(column.name),
            ColumnKind::Address => {
                let host = |text: &str| text.parse::<std::net::IpAddr>().map(IpNet::from);
                let net = |text: &str| text.parse::<IpNet>().or_else(|_| host(text)).unwrap();
                Value::Bytes(json.as_str().map(|text| pm_store::address::encode(net(text))))
            }
        });
    }
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({})",
        table.table,
        columns.join(", "),
        vec!["?"; columns.len()].join(", ")
    );
    session.execute(&sql, values).await.unwrap();
}
