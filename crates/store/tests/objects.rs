//! Objects are kept, found, changed and deleted alike on both engines.

use crate::support;
use crate::support::{Desk, World};
use pm_store::objects::data::{Data, MASK};
use pm_store::objects::models::{
    autonomous_system, bfd, community, config_context, connection, contact, contact_assignment, contact_role,
    direct_peering_session, internet_exchange, internet_exchange_peering_session, platform, relationship,
    router, routing_policy,
};
use pm_store::objects::problems::{ObjectError, Rules};
use pm_store::objects::query::Query;
use pm_store::objects::read::displays;
use pm_store::objects::record::{Draft, Graph};
use pm_store::objects::secrets::Keyring;
use pm_store::objects::write::{self, Writing};
use pm_store::objects::{registry, schema};
use pm_store::testing::{each_engine, epoch};
use serde_json::{Value as Json, json};

#[tokio::test]
async fn the_schema_is_the_described_one() {
    each_engine(async |store| {
        for model in registry::models() {
            let mut found = support::columns_of(&store, model.table).await;
            let mut described = support::described_columns(model, store.engine());
            found.sort();
            described.sort();
            assert_eq!(
                found,
                described,
                "{model:?}: a migration is missing; the table would be made by\n{}",
                schema::statements(model).join("\n")
            );
            for field in model.fields.iter().filter(|field| field.column().is_none() && field.name != "tags")
            {
                let found = support::columns_of(&store, &model.join_table(field)).await;
                assert_eq!(found.len(), 2, "{model:?} {}", field.name);
            }
            for unique in model.uniques() {
                let columns: Vec<String> =
                    unique.iter().map(|name| model.field(name).unwrap().column().unwrap()).collect();
                assert!(
                    support::unique_indexes(&store, model.table).await.contains(&columns),
                    "{model:?} {columns:?}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_new_database_knows_five_platforms() {
    each_engine(async |store| {
        let desk = Desk::new(&store);
        let found = desk.list(Query::of(&platform::MODEL).order(&["id"])).await;
        let found: Vec<_> = found
            .iter()
            .map(|p| (p.text("name"), p.text("slug"), p.text("napalm_driver"), p.text("password_algorithm")))
            .collect();
        assert_eq!(found, platform::SEEDS);
        let all = desk.list(Query::of(&platform::MODEL)).await;
        assert_eq!(all[0].created, epoch());
    })
    .await;
}

#[tokio::test]
async fn what_is_stored_comes_back_with_lists_in_their_default_order() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let session = world.desk.get(&internet_exchange_peering_session::MODEL, world.session).await;
        assert_eq!(session.host("ip_address"), Some("198.51.100.7".parse().unwrap()));
        assert_eq!(session.integer("multihop_ttl"), Some(1));
        assert_eq!(session.text("status"), "enabled");
        // By weight, the higher first, then by name.
        let names: Vec<String> = {
            let all = world.desk.list(Query::of(&routing_policy::MODEL)).await;
            let name = |id: &i64| all.iter().find(|policy| policy.id == *id).unwrap().text("name").to_owned();
            session.ids("import_routing_policies").iter().map(name).collect()
        };
        assert_eq!(names, ["heavy", "a-light", "b-light"]);
        assert_eq!(session.ids("tags").len(), 2);
        let password = session.secret("password", &world.desk.keyring).unwrap().unwrap();
        assert_eq!(password.reveal(), "hunter2");
        assert_eq!(world.desk.display(&session).await, "LON-IX - AS64500 - IP 198.51.100.7");
        let direct = world.desk.get(&direct_peering_session::MODEL, world.direct).await;
        assert_eq!(world.desk.display(&direct).await, "private - AS64500 - IP 192.0.2.2/30");
        let connection = world.desk.get(&connection::MODEL, world.connection).await;
        assert_eq!(world.desk.display(&connection).await, "LON-IX on edge1 et-0/0/0");
        assert_eq!(connection.text("mac_address"), "00:00:5e:00:53:01");
    })
    .await;
}

#[tokio::test]
async fn no_secret_is_readable_in_the_database_or_its_log() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let changed = Draft::new(&internet_exchange_peering_session::MODEL).with("password", "correct horse");
        world.desk.update(world.session, changed).await.unwrap();
        let args = Draft::new(&router::MODEL)
            .with_json("napalm_args", json!({"secret": "enable me", "port": 22}))
            .with("napalm_password", "battery");
        world.desk.update(world.router, args).await.unwrap();
        world.desk.delete(&internet_exchange_peering_session::MODEL, &[world.session]).await.unwrap();
        let log = support::everything(
            &store,
            "core_objectchange",
            &["prechange_data", "postchange_data", "object_repr"],
        )
        .await;
        assert!(log.contains("***CHANGED***") && log.contains(MASK));
        for secret in ["hunter2", "correct horse", "battery", "enable me"] {
            assert!(!log.contains(secret), "the log holds {secret}");
        }
        let rows = support::everything(&store, "devices_router", &["napalm_password", "napalm_args"]).await
            + &support::everything(&store, "peering_directpeeringsession", &["password"]).await;
        for secret in ["hunter2", "battery", "enable me", "port"] {
            assert!(!rows.contains(secret), "a row holds {secret}");
        }
        // Without the key nothing can be opened, and with a new one everything can be sealed anew.
        let direct = world.desk.get(&direct_peering_session::MODEL, world.direct).await;
        assert!(direct.secret("password", &Keyring::new([9; 32], &[])).is_err());
        let rotated = Keyring::new([9; 32], &[[7; 32]]);
        let mut transaction = store.begin().await.unwrap();
        assert_eq!(write::reseal(&mut transaction.session(), &rotated).await.unwrap(), 3);
        assert_eq!(write::reseal(&mut transaction.session(), &rotated).await.unwrap(), 0);
        transaction.commit().await.unwrap();
        let direct = world.desk.get(&direct_peering_session::MODEL, world.direct).await;
        let only_new = Keyring::new([9; 32], &[]);
        assert_eq!(direct.secret("password", &only_new).unwrap().unwrap().reveal(), "hunter2");
        assert_eq!(direct.ids("communities").len(), 1, "lists are still there");
    })
    .await;
}

#[tokio::test]
async fn every_change_is_logged_once_and_nothing_else_is() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let before = world.desk.log().await.len();
        let router = world.desk.get(&router::MODEL, world.router).await;
        // The same again, in another order and form: no change.
        let mut communities = router.ids("communities").to_vec();
        communities.reverse();
        let same = Draft::new(&router::MODEL)
            .with("communities", communities.clone())
            .with("napalm_password", "s3cret")
            .with("hostname", router.text("hostname"));
        assert_eq!(world.desk.update(world.router, same).await.unwrap(), vec![]);
        assert_eq!(world.desk.log().await.len(), before);
        let fewer = Draft::new(&router::MODEL)
            .with("communities", vec![communities[0]])
            .with("status", "maintenance");
        let updated = world.desk.update(world.router, fewer).await.unwrap();
        assert_eq!(updated.len(), 1);
        assert!(updated[0].after.updated >= updated[0].before.updated);
        let log = world.desk.log().await;
        assert_eq!(log.len(), before + 1);
        let (action, label, name, was, is) = log.last().unwrap();
        assert_eq!((action.as_str(), label.as_str(), name.as_str()), ("update", "devices.router", "edge1"));
        let (was, is) = (was.as_ref().unwrap(), is.as_ref().unwrap());
        assert_eq!((&was["status"], &is["status"]), (&json!("enabled"), &json!("maintenance")));
        assert_eq!(was["communities"].as_array().unwrap().len(), 2);
        assert_eq!(is["communities"], json!([communities[0]]));
        assert_eq!(is["tags"], json!(["core"]));
        assert_eq!((&was["napalm_password"], &is["napalm_password"]), (&json!(MASK), &json!(MASK)));
        assert!(is.get("updated").is_none() && is.get("created").is_some());
    })
    .await;
}

#[tokio::test]
async fn whatever_breaks_a_rule_is_refused_with_field_and_value() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let desk = &world.desk;
        let direct = |remote: &str| {
            Draft::new(&direct_peering_session::MODEL)
                .with("local_autonomous_system", world.own)
                .with("autonomous_system", world.peer)
                .with("relationship", world.relationship)
                .with("ip_address", remote)
        };
        let cases: Vec<(Draft, Option<&str>, &str)> = vec![
            (Draft::new(&router::MODEL).with("name", "edge1").with("hostname", "x").with("local_autonomous_system", world.own), Some("name"), "\"edge1\" is taken by edge1"),
            (Draft::new(&router::MODEL).with("name", "x").with("local_autonomous_system", world.own), Some("hostname"), "is required"),
            (Draft::new(&router::MODEL).with("name", "x").with("hostname", "x"), Some("local_autonomous_system"), "is required"),
            (Draft::new(&router::MODEL).with("name", "x").with("hostname", "x").with("local_autonomous_system", 999), Some("local_autonomous_system"), "there is no autonomous system with the id 999"),
            (Draft::new(&router::MODEL).with("name", "x").with("hostname", "x").with("local_autonomous_system", world.own).with("status", "off"), Some("status"), "\"off\" is none of enabled, pre-maintenance, maintenance, post-maintenance, disabled"),
            (Draft::new(&router::MODEL).with("name", "x").with("hostname", "x").with("local_autonomous_system", world.own).with("colour", "red"), None, "routers have no field colour"),
            (Draft::new(&autonomous_system::MODEL).with("asn", 0).with("name", "x"), Some("asn"), "0 is not between 1 and 4294967295"),
            (Draft::new(&autonomous_system::MODEL).with("asn", 1).with("name", "x").with_json("local_context_data", json!([1])), Some("local_context_data"), "is not a JSON object"),
            (Draft::new(&autonomous_system::MODEL).with("asn", 1).with("name", "x").with("tags", vec![1, 999]), Some("tags"), "there is no tag with the id 999"),
            (Draft::new(&community::MODEL).with("name", "x").with("slug", "x").with("value", "65536:1"), Some("value"), "\"65536:1\" is not a community: 64496:1, origin:64496:1, target:192.0.2.1:1 or 64496:1:2, with numbers in their limits"),
            (Draft::new(&connection::MODEL).with("ipv6_address", "192.0.2.1/24"), Some("ipv6_address"), "192.0.2.1/24 is not an IPv6 address"),
            (Draft::new(&connection::MODEL).with("vlan", 4095), Some("vlan"), "4095 is not between 1 and 4094"),
            (direct("192.0.2.0/30"), Some("ip_address"), "192.0.2.0/30 is the address of a network"),
            (direct("192.0.2.3/30"), Some("ip_address"), "192.0.2.3/30 is the broadcast address of its network"),
            (direct("192.0.2.2/30").with("local_ip_address", "192.0.2.2/30"), None, "the local and the remote address are the same, 192.0.2.2/30"),
            (direct("192.0.2.2/30").with("local_ip_address", "192.0.2.5/30"), None, "192.0.2.5/30 and 192.0.2.2/30 are not in the same network; a session over several hops needs a multihop TTL above 1"),
            (direct("192.0.2.2/30").with("import_routing_policies", vec![world.policies[0]]), Some("import_routing_policies"), "heavy is for IPv6, and 192.0.2.2/30 is IPv4"),
            (Draft::new(&internet_exchange_peering_session::MODEL).with("autonomous_system", world.peer).with("ixp_connection", world.connection).with("ip_address", "198.51.100.7"), None, "ixp_connection LON-IX on edge1 et-0/0/0 and ip_address 198.51.100.7 are taken together by LON-IX - AS64500 - IP 198.51.100.7"),
            (Draft::new(&contact_assignment::MODEL).with("content_type", "devices.router").with("object_id", world.router).with("contact", world.contact).with("role", world.role), Some("content_type"), "\"devices.router\" is no type of object that can have contact assignments"),
            (Draft::new(&contact_assignment::MODEL).with("content_type", "peering.autonomoussystem").with("object_id", 999).with("contact", world.contact).with("role", world.role), Some("object_id"), "there is no autonomous system with the id 999"),
        ];
        let before = desk.log().await.len();
        for (draft, field, message) in cases {
            let model = draft.model();
            let Err(ObjectError::Invalid(problems)) = desk.create(draft).await else { panic!("{model:?}: {message}") };
            let found: Vec<_> = problems.iter().map(|p| (p.field, p.message.as_str())).collect();
            assert_eq!(found, [(field, message)], "{model:?}");
        }
        assert_eq!(desk.log().await.len(), before, "nothing was stored");
        // Legal at the edges.
        for remote in ["192.0.2.2/31", "192.0.2.3/32", "2001:db8::/64"] {
            desk.create(direct(remote)).await.unwrap();
        }
        desk.create(direct("192.0.2.2/30").with("local_ip_address", "192.0.2.5/30").with("multihop_ttl", 2)).await.unwrap();
        desk.create(Draft::new(&autonomous_system::MODEL).with("asn", 4_294_967_295).with("name", "x").with_json("local_context_data", json!([]))).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn problems_of_many_are_told_together_and_nothing_is_stored() {
    each_engine(async |store| {
        let desk = Desk::new(&store);
        let system =
            |asn: i64, name: &str| Draft::new(&autonomous_system::MODEL).with("asn", asn).with("name", name);
        let drafts = [system(1, "one"), system(0, "two"), system(3, ""), system(1, "four")];
        let Err(ObjectError::Invalid(problems)) = desk.create_all(&drafts).await else { panic!("stored") };
        let found: Vec<String> = problems.iter().map(|p| format!("{} {p}", p.index)).collect();
        assert_eq!(
            found,
            [
                "1 autonomous system AS0 - two: asn: 0 is not between 1 and 4294967295",
                "2 autonomous system AS3 - : name: may not be empty",
                "3 autonomous system AS1 - four: asn: 1 is taken by AS1 - one",
            ]
        );
        assert!(desk.list(Query::of(&autonomous_system::MODEL)).await.is_empty());
        let many: Vec<Draft> = (1..=2500).map(|asn| system(asn, "many")).collect();
        let stored = desk.create_all(&many).await.unwrap();
        assert!(stored.windows(2).all(|pair| pair[0].id < pair[1].id), "numbers follow the order");
        // A number that was asked for, and the next ones after it.
        let mut numbered = system(9000, "numbered");
        numbered.id = Some(50_000);
        assert_eq!(desk.create(numbered).await.unwrap().id, 50_000);
        assert!(desk.create(system(9001, "next")).await.unwrap().id > 50_000);
    })
    .await;
}

#[tokio::test]
async fn deletions_take_along_empty_and_respect_what_they_shall() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let desk = &world.desk;
        for (model, id, in_the_way) in [
            (&*platform::MODEL, world.platform, "edge1"),
            (&*relationship::MODEL, world.relationship, "private - AS64500 - IP 192.0.2.2/30"),
            (&*contact::MODEL, world.contact, "Jo"),
            (&*contact_role::MODEL, world.role, "Jo"),
            (&*config_context::MODEL, world.context, "base"),
        ] {
            let Err(error) = desk.delete(model, &[id]).await else { panic!("{model:?} was deleted") };
            let ObjectError::Protected { protectors, .. } = &error else { panic!("{error}") };
            assert_eq!(protectors.len(), 1, "{model:?}");
            assert_eq!(protectors[0].display, in_the_way);
            assert!(error.to_string().contains(in_the_way), "{error}");
        }
        // References that become empty.
        let gone = desk.delete(&bfd::MODEL, &[world.bfd]).await.unwrap();
        assert_eq!(gone.emptied.len(), 1);
        assert_eq!(
            desk.get(&internet_exchange_peering_session::MODEL, world.session).await.integer("bfd"),
            None
        );
        let gone = desk.delete(&router::MODEL, &[world.router]).await.unwrap();
        assert_eq!(gone.emptied.len(), 2, "connection and direct session");
        assert_eq!(desk.get(&connection::MODEL, world.connection).await.integer("router"), None);
        assert!(gone.deleted.contains_key("extras.configcontextassignment"), "what is attached goes along");
        // The exchange takes connection, session and contact assignment along.
        let log = desk.log().await.len();
        let gone = desk.delete(&internet_exchange::MODEL, &[world.exchange]).await.unwrap();
        let labels: Vec<&str> = gone.deleted.keys().copied().collect();
        assert_eq!(
            labels,
            ["net.connection", "peering.internetexchange", "peering.internetexchangepeeringsession"]
        );
        assert_eq!(desk.get(&direct_peering_session::MODEL, world.direct).await.integer("connection"), None);
        assert_eq!(desk.log().await.len(), log + 3 + 1, "three deletions and one change");
        let last = desk.log().await.pop().unwrap();
        assert_eq!(last.0, "delete");
        assert!(last.3.is_some() && last.4.is_none());
        // The peer takes its direct session and its contact along; then nothing keeps the relationship.
        let gone = desk.delete(&autonomous_system::MODEL, &[world.peer]).await.unwrap();
        let labels: Vec<&str> = gone.deleted.keys().copied().collect();
        assert_eq!(
            labels,
            ["messaging.contactassignment", "peering.autonomoussystem", "peering.directpeeringsession"]
        );
        desk.delete(&relationship::MODEL, &[world.relationship]).await.unwrap();
        desk.delete(&contact::MODEL, &[world.contact]).await.unwrap();
        let tagged = support::everything(&store, "extras_taggeditem", &["content_type"]).await;
        assert!(!tagged.contains("session") && !tagged.contains("devices.router"), "{tagged}");
        assert_eq!(desk.delete(&autonomous_system::MODEL, &[999_999]).await.unwrap().deleted.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn objects_are_found_by_what_their_fields_hold() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let desk = &world.desk;
        let direct = |remote: &str, reference: &str| {
            Draft::new(&direct_peering_session::MODEL)
                .with("local_autonomous_system", world.own)
                .with("autonomous_system", world.peer)
                .with("relationship", world.relationship)
                .with("service_reference", reference)
                .with("ip_address", remote)
        };
        desk.create(direct("2001:db8:1::2/64", "100%_a")).await.unwrap();
        desk.create(direct("192.0.2.10/30", "100xyb")).await.unwrap();
        let count = async |path: &str, value: Data| {
            let query = Query::of(&direct_peering_session::MODEL).filter(path, value);
            let listed = desk.list(query.clone()).await.len();
            let mut connection = store.connection().await.unwrap();
            let counted = query.count(&mut connection.session()).await.unwrap();
            assert_eq!(i64::try_from(listed).unwrap(), counted, "{path}");
            listed
        };
        for (path, value, expected) in [
            ("ip_address__family", Data::from(4), 2),
            ("ip_address__family", "6".into(), 1),
            ("ip_address__within", "192.0.2.0/29".into(), 1),
            ("ip_address__within", "192.0.0.0/16".into(), 2),
            ("ip_address__host", "192.0.2.2".into(), 1),
            ("ip_address", "192.0.2.2/30".into(), 1),
            ("ip_address", "192.0.2.2".into(), 0),
            ("autonomous_system__asn", 64_500.into(), 3),
            ("autonomous_system__asn", "64500".into(), 3),
            ("autonomous_system__asn__lt", 64_500.into(), 0),
            ("autonomous_system", world.peer.into(), 3),
            ("router__name", "edge1".into(), 1),
            ("router__name__n", "edge1".into(), 2),
            ("router__isnull", true.into(), 2),
            ("router", Data::Null, 2),
            ("router__platform__slug__isw", "JUNIPER".into(), 1),
            ("service_reference__ic", "0%_".into(), 1),
            ("service_reference__ic", "0XY".into(), 1),
            ("service_reference__nic", "0xy".into(), 2),
            ("communities__name", "blackhole".into(), 1),
            ("communities", world.communities[0].into(), 1),
            ("communities__n", world.communities[0].into(), 2),
            ("communities__isnull", true.into(), 2),
            ("tags__slug", "core".into(), 1),
            ("passive", "false".into(), 3),
            ("password__isnull", false.into(), 1),
            ("id", world.direct.into(), 1),
        ] {
            assert_eq!(count(path, value.clone()).await, expected, "{path} {value:?}");
        }
        let any = Query::of(&direct_peering_session::MODEL)
            .search(&["service_reference__ic", "router__name__ic"], "EDGE");
        assert_eq!(desk.list(any).await.len(), 1);
        let two = Query::of(&direct_peering_session::MODEL)
            .filter("communities__name", "blackhole")
            .filter("router__local_autonomous_system__asn", 64_496);
        assert_eq!(desk.list(two).await.len(), 1);
        for (path, value) in [
            ("colour", Data::from("red")),
            ("password", "hunter2".into()),
            ("ip_address__family", 5.into()),
            ("service_reference__within", "192.0.2.0/24".into()),
            ("multihop_ttl", "many".into()),
            ("router__name__asn", 1.into()),
        ] {
            let mut connection = store.connection().await.unwrap();
            let answer = Query::of(&direct_peering_session::MODEL)
                .filter(path, value)
                .list(&mut connection.session())
                .await;
            assert!(matches!(answer, Err(ObjectError::Question(_))), "{path} {answer:?}");
        }
        let page = Query::of(&direct_peering_session::MODEL).order(&["-ip_address"]).limit(1).offset(1);
        assert_eq!(desk.list(page).await[0].host("ip_address").unwrap().to_string(), "192.0.2.10");
        let offset = Query::of(&direct_peering_session::MODEL).order(&["id"]).offset(2);
        assert_eq!(desk.list(offset).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn order_is_the_same_on_both_engines_and_follows_references() {
    let orders = std::sync::Mutex::new(Vec::new());
    each_engine(async |store| {
        let desk = Desk::new(&store);
        let mut own = Vec::new();
        for (asn, name) in [(65_002_i64, "zulu"), (65_001, "Ärger"), (65_003, "alpha")] {
            own.push(
                desk.create(Draft::new(&autonomous_system::MODEL).with("asn", asn).with("name", name))
                    .await
                    .unwrap()
                    .id,
            );
        }
        for (system, name) in
            [(own[0], "b"), (own[0], "B"), (own[0], "a_"), (own[1], "z"), (own[2], "É"), (own[2], "a-")]
        {
            let draft = Draft::new(&router::MODEL)
                .with("name", name)
                .with("hostname", "x")
                .with("local_autonomous_system", system);
            desk.create(draft).await.unwrap();
        }
        let names = async |query: Query| {
            desk.list(query).await.iter().map(|router| router.text("name").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(Query::of(&router::MODEL)).await, ["z", "B", "a_", "b", "a-", "É"]);
        assert_eq!(
            names(Query::of(&router::MODEL).order(&["-local_autonomous_system", "name"])).await,
            ["a-", "É", "B", "a_", "b", "z"]
        );
        let some =
            desk.list(Query::of(&router::MODEL).filter_any("name", vec!["z".into(), "B".into()])).await;
        let platforms = desk.list(Query::of(&platform::MODEL).order(&["name"])).await;
        for (router, platform) in some.iter().zip(&platforms) {
            desk.update(router.id, Draft::new(&router::MODEL).with("platform", platform.id)).await.unwrap();
        }
        let empty_last = names(Query::of(&router::MODEL).order(&["platform", "name"])).await;
        assert_eq!(empty_last, ["z", "B", "a-", "a_", "b", "É"]);
        let empty_first = names(Query::of(&router::MODEL).order(&["-platform", "name"])).await;
        assert_eq!(empty_first, ["a-", "a_", "b", "É", "B", "z"]);
        orders.lock().unwrap().push(empty_last);
    })
    .await;
    let orders = orders.into_inner().unwrap();
    assert!(orders.windows(2).all(|pair| pair[0] == pair[1]), "{orders:?}");
}

#[tokio::test]
async fn changes_are_checked_like_new_objects_but_only_where_they_change_something() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let desk = &world.desk;
        let other = desk
            .create(Draft::new(&autonomous_system::MODEL).with("asn", 64_501).with("name", "other"))
            .await
            .unwrap();
        let taken = desk.update(other.id, Draft::new(&autonomous_system::MODEL).with("asn", 64_500)).await;
        let Err(ObjectError::Invalid(problems)) = taken else { panic!("{taken:?}") };
        assert_eq!(problems[0].message, "64500 is taken by AS64500 - Peer");
        let missing = desk.update(999_999, Draft::new(&autonomous_system::MODEL).with("name", "x")).await;
        assert!(matches!(missing, Err(ObjectError::NotFound { id: 999_999, .. })), "{missing:?}");
        // What is broken already does not keep a program from storing what it has found out.
        let table = direct_peering_session::MODEL.table;
        store.execute(&format!("UPDATE {table} SET local_ip_address = ip_address"), vec![]).await.unwrap();
        let state = || Draft::new(&direct_peering_session::MODEL).with("bgp_state", "established");
        assert!(desk.update(world.direct, state()).await.is_err());
        let mut transaction = store.begin().await.unwrap();
        let writing = Writing { rules: Rules::FEWEST, ..desk.writing() };
        write::update(&mut transaction.session(), writing, &[(world.direct, state())]).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(
            desk.get(&direct_peering_session::MODEL, world.direct).await.text("bgp_state"),
            "established"
        );
        // A router that is polled no more forgets when it was.
        let polled = Draft::new(&router::MODEL)
            .with("poll_bgp_sessions_state", true)
            .with("poll_bgp_sessions_last_updated", epoch());
        desk.update(world.router, polled).await.unwrap();
        assert_eq!(
            desk.get(&router::MODEL, world.router).await.time("poll_bgp_sessions_last_updated"),
            Some(epoch())
        );
        desk.update(world.router, Draft::new(&router::MODEL).with("poll_bgp_sessions_state", false))
            .await
            .unwrap();
        assert_eq!(desk.get(&router::MODEL, world.router).await.time("poll_bgp_sessions_last_updated"), None);
        // Fields that only the program changes are not taken from people.
        let people =
            json!({"id": 7, "poll_bgp_sessions_last_updated": "2030-01-01T00:00:00Z", "interface": null});
        let Json::Object(people) = people else { panic!("an object") };
        let draft = Draft::from_json(&router::MODEL, people);
        assert_eq!(draft.get("poll_bgp_sessions_last_updated"), None);
    })
    .await;
}

#[tokio::test]
async fn a_graph_takes_a_fixed_number_of_steps() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let sessions = world.desk.list(Query::of(&internet_exchange_peering_session::MODEL)).await;
        let mut connection = store.connection().await.unwrap();
        let graph = Graph::read(
            &mut connection.session(),
            &sessions,
            &[
                "ixp_connection.router.local_autonomous_system",
                "ixp_connection.internet_exchange_point",
                "tags",
            ],
        )
        .await
        .unwrap();
        let session = &sessions[0];
        let router = graph.follow(graph.follow(session, "ixp_connection").unwrap(), "router").unwrap();
        assert_eq!(graph.follow(router, "local_autonomous_system").unwrap().integer("asn"), Some(64_496));
        assert_eq!(
            graph.follow_all(session, "tags").map(|tag| tag.text("name")).collect::<Vec<_>>(),
            ["core", "edge"]
        );
        assert!(graph.follow(session, "bfd").is_none());
        let names = displays(&mut connection.session(), &sessions).await.unwrap();
        assert_eq!(names, ["LON-IX - AS64500 - IP 198.51.100.7"]);
    })
    .await;
}

#[tokio::test]
async fn encrypted_passwords_follow_the_password_the_platform_and_the_router() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let desk = &world.desk;
        let encrypted = async || {
            let session = desk.get(&internet_exchange_peering_session::MODEL, world.session).await;
            let clear = session.secret("encrypted_password", &desk.keyring).unwrap();
            clear.map(|clear| clear.reveal().to_owned())
        };
        let session = || Draft::new(&internet_exchange_peering_session::MODEL);
        desk.update(world.session, session().with("service_reference", "a")).await.unwrap();
        assert_eq!(encrypted().await, None, "the router does not want it");
        desk.update(world.router, Draft::new(&router::MODEL).with("encrypt_passwords", true)).await.unwrap();
        desk.update(world.session, session().with("service_reference", "b")).await.unwrap();
        let first = encrypted().await.unwrap();
        assert_eq!(
            pm_store::objects::router_passwords::decrypt("juniper-type9", &first, "198.51.100.7").as_deref(),
            Some("hunter2")
        );
        let log = desk.log().await.len();
        assert_eq!(desk.update(world.session, session().with("password", "hunter2")).await.unwrap(), vec![]);
        assert_eq!(desk.log().await.len(), log, "nothing has changed");
        desk.update(world.session, session().with("password", "other")).await.unwrap();
        assert_ne!(encrypted().await.unwrap(), first);
        let plain = Draft::new(&platform::MODEL).with("password_algorithm", "");
        desk.update(world.platform, plain).await.unwrap();
        desk.update(world.session, session().with("service_reference", "c")).await.unwrap();
        assert_eq!(
            encrypted().await.as_deref(),
            Some("other"),
            "a platform without algorithm takes it as it is"
        );
        desk.update(world.session, session().with("password", Data::Null)).await.unwrap();
        assert_eq!(encrypted().await.as_deref(), Some(""));
    })
    .await;
}
