//! Objects of a database of the original, as its REST API gives them out, keep their numbers, order and names.
//!
//! They are not part of this repository: `EXTRA_CASES` names the folder in which `render/world` is.

use std::path::Path;

use crate::support::Desk;
use pm_store::objects::model::{Field, Kind, Model};
use pm_store::objects::problems::Rules;
use pm_store::objects::query::Query;
use pm_store::objects::read::displays;
use pm_store::objects::record::Draft;
use pm_store::objects::registry;
use pm_store::objects::write::{self, Writing};
use pm_store::testing::each_engine;
use serde_json::{Map, Value as Json};

/// File and model.
const FILES: [(&str, &str); 22] = [
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
    ("messaging--contact-assignments", "messaging.contactassignment"),
    ("extras--config-context-assignments", "extras.configcontextassignment"),
    ("extras--journal-entries", "extras.journalentry"),
];

/// What that database gives out in no order, or in one by its own numbers of content types.
const UNSORTED: [&str; 5] =
    ["extras.tag", "extras.exporttemplate", "net.bfd", "devices.configuration", "messaging.email"];

fn read(folder: &Path, name: &str) -> Json {
    serde_json::from_slice(&std::fs::read(folder.join(format!("{name}.json"))).unwrap()).unwrap()
}

fn id(value: &Json) -> Json {
    value.get("id").cloned().unwrap_or_else(|| value.clone())
}

/// From the form of an answer to that of a draft.
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

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the one place where tests learn of the folder")]
async fn numbers_orders_and_names_are_the_originals() {
    let Ok(cases) = std::env::var("EXTRA_CASES") else {
        eprintln!("skipped: EXTRA_CASES is not set");
        return;
    };
    let folder = Path::new(&cases).join("render/world");
    let more = read(&folder, "_columns-not-in-rest");
    let tags = read(&folder, "extras--tags");
    let names_of_tags: std::collections::HashMap<String, String> = tags
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| (tag["id"].to_string(), tag["name"].as_str().unwrap().to_owned()))
        .collect();
    each_engine(async |store| {
        let desk = Desk::new(&store);
        let seeded: Vec<i64> = desk
            .list(Query::of(registry::model("devices.platform").unwrap()))
            .await
            .iter()
            .map(|platform| platform.id)
            .collect();
        desk.delete(registry::model("devices.platform").unwrap(), &seeded).await.unwrap();
        for (file, label) in FILES {
            let model = registry::model(label).unwrap();
            let mut objects: Vec<Map<String, Json>> = read(&folder, file)
                .as_array()
                .unwrap()
                .iter()
                .map(|o| o.as_object().unwrap().clone())
                .collect();
            for object in &mut objects {
                let extra = &more[file][object["id"].to_string()];
                object.extend(extra.as_object().cloned().unwrap_or_default());
            }
            let drafts: Vec<Draft> = objects.iter().map(|object| draft(model, object)).collect();
            let mut transaction = store.begin().await.unwrap();
            // Only forms look at the policies' address families there, so that some sessions break that rule.
            let checked = label != "peering.directpeeringsession";
            let writing = Writing { rules: Rules { checked, community_values: false }, ..desk.writing() };
            if let Err(error) = write::create(&mut transaction.session(), writing, &drafts).await {
                panic!("{label}: {error}");
            }
            transaction.commit().await.unwrap();
            let mut stored = desk.list(Query::of(model)).await;
            for record in &mut stored {
                record.open(&desk.keyring);
            }
            let expected: Vec<i64> = objects.iter().map(|object| object["id"].as_i64().unwrap()).collect();
            let found: Vec<i64> = stored.iter().map(|record| record.id).collect();
            assert_eq!(found.len(), expected.len(), "{label}");
            if !UNSORTED.contains(&label) {
                // What sorts alike, such as two connections of one router to one exchange, is in any order there.
                let parts: &[&str] = match label {
                    "peering.internetexchangepeeringsession" => {
                        &["service_reference", "autonomous_system", "ip_address"]
                    }
                    "messaging.contactassignment" | "extras.configcontextassignment" => {
                        &["weight", "display"]
                    }
                    _ => &["id"],
                };
                let sorts = |id: &i64| {
                    let object = objects.iter().find(|object| object["id"] == *id).unwrap();
                    parts.iter().map(|part| object.get(*part).map(Json::to_string)).collect::<Vec<_>>()
                };
                let (found, expected) = (found.iter().map(sorts), expected.iter().map(sorts));
                let first = found.zip(expected).position(|(found, expected)| found != expected);
                assert_eq!(first, None, "{label}: the order differs there");
            }
            let mut connection = store.connection().await.unwrap();
            let names = displays(&mut connection.session(), &stored).await.unwrap();
            for (record, name) in stored.iter().zip(names) {
                let object = objects.iter().find(|object| object["id"] == record.id).unwrap();
                assert_eq!(object["display"], name, "{label} {}", record.id);
                for (field, data) in record.values() {
                    let Some(given) = object.get(field.name) else { continue };
                    let mut given = plain(field, given);
                    if let (Kind::Tags, Json::Array(ids)) = (field.kind, &mut given) {
                        // The original sorts tags in templates only; here they are always by name.
                        ids.sort_by_key(|id| names_of_tags[id.to_string().as_str()].clone());
                    }
                    if !matches!(field.kind, Kind::Secret(_) | Kind::Time | Kind::User) {
                        assert_eq!(data.to_json(), given, "{label} {} {}", record.id, field.name);
                    }
                }
            }
        }
    })
    .await;
}
