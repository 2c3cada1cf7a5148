//! What is exported can be imported, and is the same then.

use crate::support;
use std::collections::BTreeMap;

use crate::support::{Desk, World};
use pm_store::objects::document::{self, Report, Secrets};
use pm_store::objects::model::{Field, Kind, Model};
use pm_store::objects::models::{configuration, internet_exchange_peering_session, router};
use pm_store::objects::problems::{Fault, ObjectError};
use pm_store::objects::query::Query;
use pm_store::objects::record::Draft;
use pm_store::objects::registry;
use pm_store::testing::{TestDatabase, each_engine};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};

async fn exported(desk: &Desk) -> Json {
    let mut transaction = desk.store.begin_reading().await.unwrap();
    document::export(&mut transaction.session(), Secrets::Readable(&desk.keyring)).await.unwrap()
}

async fn imported(desk: &Desk, document: &Json) -> Result<Report, ObjectError> {
    let mut transaction = desk.store.begin().await.unwrap();
    let report = document::import(&mut transaction.session(), desk.writing(), document).await?;
    transaction.commit().await.unwrap();
    Ok(report)
}

/// The first place where they differ; whole documents are too long to be read.
fn difference(one: &Json, other: &Json, path: &str) -> Option<String> {
    match (one, other) {
        (Json::Object(a), Json::Object(b)) => {
            let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            names.into_iter().find_map(|name| difference(&one[name], &other[name], &format!("{path}.{name}")))
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(place, (a, b))| difference(a, b, &format!("{path}[{place}]"))),
        _ => (one != other).then(|| format!("{path}: {one} is not {other}")),
    }
}

fn said(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn an_export_goes_into_an_empty_database_and_comes_out_the_same() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let document = exported(&world.desk).await;
        assert_eq!(document["connections"][0]["internet_exchange_point"], "LON-IX");
        let session = &document["internet_exchange_peering_sessions"][0];
        assert_eq!(
            session["ixp_connection"],
            json!({"internet_exchange_point": "LON-IX", "router": "edge1", "interface": "et-0/0/0"})
        );
        assert_eq!(
            (&session["password"], &session["autonomous_system"]),
            (&json!("hunter2"), &json!(64_500))
        );
        assert_eq!(document["contact_assignments"][0]["object"], 64_500);
        // Into another engine's database if there is one.
        for database in TestDatabase::each().await {
            let desk = Desk::new(&database.open().await);
            let report = imported(&desk, &document).await.unwrap();
            assert_eq!((report.unchanged, report.updated.len()), (5, 0), "the platforms are there already");
            assert_eq!(difference(&exported(&desk).await, &document, ""), None);
            let logged = desk.log().await.len();
            let again = imported(&desk, &document).await.unwrap();
            assert_eq!((again.created.len(), again.updated.len()), (0, 0));
            assert_eq!(desk.log().await.len(), logged);
            desk.store.close().await;
            database.remove().await;
        }
        // Without secrets, those that are there stay.
        let mut transaction = store.begin_reading().await.unwrap();
        let document = document::export(&mut transaction.session(), Secrets::LeftOut(&world.desk.keyring))
            .await
            .unwrap();
        transaction.rollback().await.unwrap();
        assert!(!document.to_string().contains("hunter2"));
        assert_eq!(imported(&world.desk, &document).await.unwrap().updated, vec![]);
        let kept = world.desk.get(&internet_exchange_peering_session::MODEL, world.session).await;
        assert_eq!(kept.secret("password", &world.desk.keyring).unwrap().unwrap().reveal(), "hunter2");
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_tells_what_would_change_and_changes_nothing() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let mut document = exported(&world.desk).await;
        document["routers"][0]["hostname"] = json!("new.example.net");
        document["routers"][0]["napalm_password"] = json!("other");
        document["tags"].as_array_mut().unwrap().push(json!({"name": "new", "slug": "new"}));
        let before = world.desk.log().await.len();
        let report = document::dry_run(&store, world.desk.writing(), &document).await.unwrap();
        assert_eq!(world.desk.log().await.len(), before);
        let created: Vec<_> = report.created.iter().map(|c| (c.path.as_str(), c.display.as_str())).collect();
        assert_eq!(created, [("tags[2]", "new")]);
        assert_eq!(report.updated.len(), 1);
        assert_eq!(report.updated[0].path, "routers[0]");
        assert_eq!(report.updated[0].fields[0].2, "new.example.net");
        assert_eq!(report.updated[0].fields[1].2, "***CHANGED***");
        assert_eq!(world.desk.get(&router::MODEL, world.router).await.text("hostname"), "edge1.example.net");
        assert_eq!(imported(&world.desk, &document).await.unwrap(), report);
        assert_eq!(world.desk.get(&router::MODEL, world.router).await.text("hostname"), "new.example.net");
    })
    .await;
}

#[tokio::test]
async fn errors_name_the_place_in_the_document() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let document = |section: &str, items: Json| {
            json!({"format": document::FORMAT, "version": document::VERSION, section: items})
        };
        for (document, lines) in [
            (json!([]), vec!["the document is not an object"]),
            (json!({"format": "x"}), vec!["format: is not \"peering-manager objects\""]),
            (json!({"format": document::FORMAT, "version": 2}), vec!["version: 2 is not 1, the one that this program knows"]),
            (document("ruoters", json!([])), vec!["ruoters: is no kind of object"]),
            (document("routers", json!({})), vec!["routers: is not a list"]),
            (
                document("routers", json!([{"name": "a", "platform": "no-such"}, 7, {"nmae": "b"}])),
                vec![
                    "routers[0].platform: there is no platform \"no-such\"",
                    "routers[1]: is not an object",
                    "routers[2].nmae: routers have no such field",
                ],
            ),
            (
                document("autonomous_systems", json!([{"asn": 1, "name": "x"}, {"asn": 0, "name": "x"}])),
                vec!["autonomous_systems[1].asn: 0 is not between 1 and 4294967295 (autonomous system AS0 - x)"],
            ),
            (
                document("autonomous_systems", json!([{"asn": 64_500, "name": ""}])),
                vec!["autonomous_systems[0].name: may not be empty (autonomous system AS64500 - )"],
            ),
            (
                document("connections", json!([{"router": {"hostname": "x"}}])),
                vec!["connections[0].router: routers are named by name, not by hostname"],
            ),
            (
                document("contact_assignments", json!([{"content_type": "peering.autonomoussystem", "object": 7, "contact": "Jo", "role": "noc"}])),
                vec!["contact_assignments[0].object: there is no autonomous system 7"],
            ),
        ] {
            let before = exported(&world.desk).await;
            let Err(ObjectError::Document(found)) = imported(&world.desk, &document).await else { panic!("{lines:?}") };
            assert_eq!(said(&found), lines);
            assert_eq!(difference(&exported(&world.desk).await, &before, ""), None);
        }
    })
    .await;
}

#[tokio::test]
async fn objects_with_the_same_key_are_told_apart_by_age() {
    each_engine(async |store| {
        let desk = Desk::new(&store);
        for text in ["first", "second"] {
            let draft = Draft::new(&configuration::MODEL).with("name", "same").with("template", text);
            desk.create(draft).await.unwrap();
        }
        let document = json!({"format": document::FORMAT, "version": document::VERSION,
            "configurations": [{"name": "same"}, {"name": "same", "template": "changed"}, {"name": "same", "template": "third"}],
            "autonomous_systems": [{"asn": 1, "name": "x"}],
            "routers": [{"name": "r", "hostname": "r", "local_autonomous_system": 1,
                         "configuration_template": {"name": "same", "number": 2}}]});
        imported(&desk, &document).await.unwrap();
        let texts: Vec<String> = desk
            .list(Query::of(&configuration::MODEL).order(&["id"]))
            .await
            .iter()
            .map(|c| c.text("template").to_owned())
            .collect();
        assert_eq!(texts, ["first", "changed", "third"]);
        let document = exported(&desk).await;
        assert_eq!(document["routers"][0]["configuration_template"], json!({"name": "same", "number": 2}));
        let unclear = json!({"format": document::FORMAT, "version": document::VERSION,
            "routers": [{"name": "r", "configuration_template": "same"}]});
        let Err(ObjectError::Document(lines)) = imported(&desk, &unclear).await else { panic!("taken") };
        assert_eq!(said(&lines), ["routers[0].configuration_template: 3 configurations are called \"same\"; say which with a number"]);
    })
    .await;
}

/// Any legal value of a field, as a draft takes it.
fn value(
    field: &Field,
    ids: &BTreeMap<&'static str, Vec<i64>>,
    owner: Option<&'static Model>,
) -> BoxedStrategy<Json> {
    let text = |max: usize| {
        proptest::string::string_regex(&format!("[a-zA-Z0-9 äß日%_'\"\\\\{{}}\n-]{{1,{}}}", max.min(12)))
            .unwrap()
            .prop_filter("says something", |text| !text.trim().is_empty())
    };
    let among = |label: &str| ids.get(label).cloned().unwrap_or_default();
    // JSON that has to have a shape.
    match field.name {
        "content_types" => return Just(json!(["devices.router", "net.bfd"])).boxed(),
        "events" => return Just(json!(["job failed", "session down"])).boxed(),
        "tasks" | "routers" => return text(12).prop_map(|text| json!([text])).boxed(),
        "recipients" => return "[a-z]{1,5}@[a-z]{1,5}\\.example".prop_map(|one| json!([one])).boxed(),
        "conditions" => {
            return text(12).prop_map(|text| json!({"or": [{"attr": "name", "value": text}]})).boxed();
        }
        "payload_url" => return "https://[a-z]{3,9}\\.example/".prop_map(Json::from).boxed(),
        _ => {}
    }
    match field.kind {
        Kind::Text(max) | Kind::Secret(max) if field.name != "slug" && field.name != "value" => {
            text(max).prop_map(Json::from).boxed()
        }
        Kind::LongText => text(12).prop_map(Json::from).boxed(),
        Kind::Text(_) if field.name == "value" => {
            (1_u16.., any::<u16>()).prop_map(|(a, b)| format!("{a}:{b}").into()).boxed()
        }
        Kind::Slug(_) | Kind::Text(_) | Kind::Secret(_) => "[a-z0-9_-]{6,12}".prop_map(Json::from).boxed(),
        Kind::Email(_) => "[a-z]{1,5}@[a-z]{1,5}\\.example".prop_map(Json::from).boxed(),
        Kind::Color => "[0-9a-f]{6}".prop_map(Json::from).boxed(),
        Kind::Mac => "([0-9a-f]{2}:){5}[0-9a-f]{2}".prop_map(Json::from).boxed(),
        Kind::Integer(from, to) => (from..=to).prop_map(Json::from).boxed(),
        Kind::Cached(_) => (1_i64..1_000_000).prop_map(Json::from).boxed(),
        Kind::Boolean => any::<bool>().prop_map(Json::from).boxed(),
        Kind::Choice(_) | Kind::Number(_) => {
            let values: Vec<Json> = field.choices().into_iter().map(|(value, _)| value).collect();
            proptest::sample::select(values).boxed()
        }
        Kind::Time => (0_i64..4_000_000_000, 0_u32..1_000_000)
            .prop_map(|(seconds, micros)| {
                chrono::DateTime::from_timestamp(seconds, micros * 1000).unwrap().to_rfc3339().into()
            })
            .boxed(),
        Kind::Json | Kind::JsonObject => {
            text(12).prop_map(|text| json!({"a": [1, {"b": text}], "c": null})).boxed()
        }
        Kind::Interface(4) => (any::<u32>(), 8_u8..=32)
            .prop_map(|(a, length)| format!("{}/{length}", std::net::Ipv4Addr::from(a)).into())
            .boxed(),
        Kind::Interface(_) | Kind::Host => (any::<u128>(), 8_u8..=128)
            .prop_map(move |(a, length)| format!("{}/{length}", std::net::Ipv6Addr::from(a)).into())
            .boxed(),
        Kind::ForeignKey(target, _) => one_of(among(target.model().label)),
        Kind::ManyToMany(_) | Kind::Tags => {
            let ids = among(field.target().unwrap().label);
            let most = ids.len().min(3);
            proptest::sample::subsequence(ids, 0..=most).prop_map(Json::from).boxed()
        }
        Kind::User => Just(Json::Null).boxed(),
        Kind::ObjectType(_) => Just(json!(owner.unwrap().label)).boxed(),
        Kind::ObjectId(_) => one_of(among(owner.unwrap().label)),
    }
}

fn one_of(ids: Vec<i64>) -> BoxedStrategy<Json> {
    if ids.is_empty() {
        Just(Json::Null).boxed()
    } else {
        proptest::sample::select(ids).prop_map(Json::from).boxed()
    }
}

/// A model that objects of this one can belong to.
fn owner_of(model: &Model, which: usize) -> Option<&'static Model> {
    let feature = model.fields.iter().find_map(|field| match field.kind {
        Kind::ObjectType(feature) => Some(feature),
        _ => None,
    })?;
    let owners: Vec<&Model> =
        registry::models().filter(|owner| feature.is_none_or(|feature| owner.has(feature))).collect();
    Some(owners[which % owners.len()])
}

#[test]
fn whatever_can_be_stored_survives_export_and_import() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(each_engine(async |store| {
        let desk = Desk::new(&store);
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
        let mut ids: BTreeMap<&'static str, Vec<i64>> = BTreeMap::new();
        let mut refused = 0;
        for model in registry::models() {
            let mut legal = 0;
            for which in 0..100 {
                // A dozen of each kind, or three where chance makes many that break a rule.
                if which >= 12 && legal >= 3 {
                    break;
                }
                let owner = owner_of(model, which);
                let mut draft = Draft::new(model);
                for field in &model.fields {
                    let empty = any::<bool>().new_tree(&mut runner).unwrap().current();
                    if empty && !field.required() {
                        continue;
                    }
                    let value = value(field, &ids, owner).new_tree(&mut runner).unwrap().current();
                    draft = draft.with_json(field.name, value);
                }
                match desk.create(draft).await {
                    Ok(record) => {
                        legal += 1;
                        ids.entry(model.label).or_default().push(record.id);
                    }
                    Err(ObjectError::Invalid(_)) => refused += 1,
                    Err(error) => panic!("{model:?}: {error}"),
                }
            }
            assert!(legal >= 3, "{model:?}: only {legal} of 100 were legal");
        }
        assert!(refused < 150, "{refused} were refused");
        let document = exported(&desk).await;
        let database = TestDatabase::sqlite();
        let other = Desk::new(&database.open().await);
        imported(&other, &document).await.unwrap();
        assert_eq!(difference(&exported(&other).await, &document, ""), None);
        assert_eq!(imported(&other, &document).await.unwrap().updated, vec![]);
        // Every object can be called by a name, and goes away when everything does.
        for model in registry::models().collect::<Vec<_>>().into_iter().rev() {
            let all: Vec<i64> = desk.list(Query::of(model)).await.iter().map(|record| record.id).collect();
            desk.delete(model, &all).await.unwrap();
            assert!(desk.list(Query::of(model)).await.is_empty());
        }
        assert_eq!(support::everything(&store, "extras_taggeditem", &["content_type"]).await, "");
    }));
}
