//! What a synchronisation tells about itself, what it passes on to autonomous systems, and emptying the cache.

use crate::support::{Program, assert_same, each_engine, lab, oracle};
use pm_lab::peeringdb::{Caller, Namespace, Server};
use pm_store::testing::TestDatabase;
use serde_json::{Value as Json, json};

/// A live network that has connections and a contact that everybody sees.
struct Own {
    id: u64,
    asn: u64,
    name: String,
    connections: Vec<u64>,
    contact: u64,
}

fn own(server: &Server) -> Own {
    let world = server.world();
    let live = |namespace| world.live(namespace, Caller::Anonymous);
    let (connections, contacts) = (live(Namespace::Netixlan), live(Namespace::Poc));
    let of = |records: &[Json], id: &Json| -> Vec<u64> {
        records.iter().filter(|one| one["net_id"] == *id).map(|one| one["id"].as_u64().unwrap()).collect()
    };
    live(Namespace::Net)
        .into_iter()
        .find_map(|net| {
            let connections = of(&connections, &net["id"]);
            let contact = *of(&contacts, &net["id"]).first()?;
            let (id, asn) = (net["id"].as_u64()?, net["asn"].as_u64()?);
            let name = net["name"].as_str()?.to_owned();
            (connections.len() >= 2).then_some(Own { id, asn, name, connections, contact })
        })
        .expect("a network with two connections and a contact")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_lists_what_was_done() {
    each_engine(async |database| {
        let server = lab(0.02, 6).await;
        let program = Program::on(database).asking(&server);
        program.run(["peeringdb_sync", "--report"]).await.expect(1).says("nothing has been synchronised yet");
        program.run(["peeringdb_sync"]).await.expect(0);
        let own = own(&server);
        program.run(["as", "add", &own.asn.to_string()]).await.expect(0);
        let (org, fac) = {
            let mut world = server.world();
            world.edit(Namespace::Net, own.id, &json!({ "name": "Renamed Networks" })).unwrap();
            world.edit(Namespace::Netixlan, own.connections[0], &json!({ "speed": 123_456 })).unwrap();
            world.delete(Namespace::Netixlan, own.connections[1]).unwrap();
            world.delete(Namespace::Poc, own.contact).unwrap();
            let org = world.live(Namespace::Org, Caller::Anonymous)[0]["id"].as_u64().unwrap();
            world.edit(Namespace::Org, org, &json!({ "notes": "moved" })).unwrap();
            let fac = world.create(Namespace::Fac, &json!({ "name": "A New Facility" })).unwrap();
            (org, fac)
        };
        let ran = program.run(["peeringdb_sync", "--json"]).await.expect(0).json();
        assert_eq!(
            (&ran["data"]["created"], &ran["data"]["updated"], &ran["data"]["deleted"]),
            (&json!(1), &json!(3), &json!(2))
        );

        let told = program.run(["peeringdb_sync", "--report", "--json"]).await.expect(0).json();
        assert_eq!(told["run"]["id"], ran["data"]["run"]);
        let records = told["records"].as_array().unwrap();
        let mut listed: Vec<(&str, u64, &str)> = records
            .iter()
            .map(|one| {
                (
                    one["namespace"].as_str().unwrap(),
                    one["id"].as_u64().unwrap(),
                    one["action"].as_str().unwrap(),
                )
            })
            .collect();
        listed.sort_unstable();
        let mut expected = [
            ("fac", fac, "created"),
            ("net", own.id, "updated"),
            ("netixlan", own.connections[0], "updated"),
            ("netixlan", own.connections[1], "deleted"),
            ("org", org, "updated"),
            ("poc", own.contact, "deleted"),
        ];
        expected.sort_unstable();
        assert_eq!(listed, expected);
        let mine = |one: &&Json| one["asn"] == json!(own.asn);
        assert_eq!(records.iter().filter(mine).count(), 4, "{records:#?}");

        let run = ran["data"]["run"].to_string();
        let text = program.run(["peeringdb_sync", "--report", &run]).await.expect(0).stdout;
        let (head, rest) = text.split_once("Our own peers:").unwrap();
        let (peers, others) = rest.split_once("Others").unwrap();
        assert!(head.contains("1 created, 3 updated, 2 deleted"), "{text}");
        for line in [
            format!("name: {:?} → \"Renamed Networks\"", own.name),
            format!("AS{} netixlan {} ", own.asn, own.connections[0]),
            " → 123456".to_owned(),
            format!("AS{} poc {} ", own.asn, own.contact),
        ] {
            assert!(peers.contains(&line), "no {line:?} in {text}");
        }
        assert!(others.contains(&format!("fac {fac} \"A New Facility\" created")), "{text}");
        program.run(["peeringdb_sync", "--report", "4711"]).await.expect(1).says("no synchronisation 4711");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn autonomous_systems_follow_their_networks() {
    each_engine(async |database| {
        let server = lab(0.01, 6).await;
        let program = Program::on(database).asking(&server);
        program.run(["peeringdb_sync"]).await.expect(0);
        let (id, asn) = server.world().networks()[0];
        let old = json!({ "name": "Before", "irr_as_set": "AS-BEFORE", "info_prefixes4": 40, "info_prefixes6": 60 });
        server.world().edit(Namespace::Net, id, &old).unwrap();
        program.run(["peeringdb_sync"]).await.expect(0);
        // 64500 is nobody's, so PeeringDB cannot know it.
        let added = program.run(["as", "add", &format!("AS{asn}"), "64500", "--json"]).await.expect(0).json();
        let system = |listed: &Json| {
            let systems = listed["autonomous_systems"].as_array().unwrap();
            systems.iter().find(|one| one["asn"] == asn).cloned().unwrap()
        };
        let values = |system: &Json| {
            ["name", "irr_as_set", "ipv4_max_prefixes", "ipv6_max_prefixes"].map(|key| system[key].clone())
        };
        let before = [json!("Before"), json!("AS-BEFORE"), json!(40), json!(60)];
        assert_eq!(values(&system(&added)), before);

        let new = json!({ "name": "After", "irr_as_set": "AS-AFTER", "info_prefixes4": 41, "info_prefixes6": 0 });
        server.world().edit(Namespace::Net, id, &new).unwrap();
        let ran = program.run(["peeringdb_sync"]).await.expect(0).says("1 autonomous systems updated");
        ran.says(&format!("AS{asn}: name \"Before\" → \"After\""));
        let listed = program.run(["as", "list", "--json"]).await.expect(0).json();
        // Zero is what PeeringDB holds for networks that did not say; it is no limit.
        let after = [json!("After"), json!("AS-AFTER"), json!(41), json!(60)];
        assert_eq!(values(&system(&listed)), after);
        assert_eq!(listed["autonomous_systems"].as_array().unwrap().len(), 2);

        let changes = changes_of(database, system(&listed)["id"].as_i64().unwrap()).await;
        let actions: Vec<&str> = changes.iter().map(|change| change.action.as_str()).collect();
        assert_eq!(actions, ["create", "update"]);
        assert_eq!(changes[0].before, Json::Null);
        assert_eq!(values(&changes[0].after), before);
        assert_eq!((values(&changes[1].before), values(&changes[1].after)), (before, after));
        assert_eq!(changes[1].user, "task peeringdb_sync");
        program.run(["peeringdb_sync"]).await.expect(0).says("Nothing to synchronise");
        assert_eq!(changes_of(database, system(&listed)["id"].as_i64().unwrap()).await.len(), 2);
    })
    .await;
}

/// One row of the change log.
struct Change {
    action: String,
    user: String,
    before: Json,
    after: Json,
}

async fn changes_of(database: &TestDatabase, id: i64) -> Vec<Change> {
    let store = database.open().await;
    let sql = "SELECT action, user_name, prechange_data, postchange_data FROM core_objectchange \
               WHERE changed_object_type = 'peering.autonomoussystem' AND changed_object_id = ? ORDER BY id";
    let rows = store.rows(sql, vec![id.into()]).await.unwrap();
    store.close().await;
    rows.iter()
        .map(|row| Change {
            action: row.get("action").unwrap(),
            user: row.get("user_name").unwrap(),
            before: row.json("prechange_data").unwrap().unwrap_or_default(),
            after: row.json("postchange_data").unwrap().unwrap_or_default(),
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flushed_cache_is_empty_until_the_next_run() {
    each_engine(async |database| {
        let server = lab(0.02, 6).await;
        let program = Program::on(database).asking(&server);
        program.run(["peeringdb_sync"]).await.expect(0);
        let asn = server.world().networks()[0].1.to_string();
        program.run(["as", "add", &asn]).await.expect(0);
        let systems = program.run(["as", "list", "--json"]).await.expect(0).json();
        let held = program.cache().await;
        let count: usize = held.values().map(std::collections::BTreeMap::len).sum();
        let flushed = program.run(["peeringdb_sync", "--flush", "--json"]).await.expect(0).json();
        assert_eq!(flushed["data"]["removed"], count);
        assert!(program.cache().await.values().all(std::collections::BTreeMap::is_empty));
        assert_eq!(
            program.run(["as", "list", "--json"]).await.expect(0).json(),
            systems,
            "they are not PeeringDB's"
        );
        program.run(["peeringdb_sync", "--flush"]).await.expect(0).says("Removed 0 ");

        let ran = program.run(["peeringdb_sync", "--json"]).await.expect(0).json();
        assert_eq!((&ran["data"]["kind"], &ran["data"]["created"]), (&json!("full"), &json!(count)));
        assert_same(&program.cache().await, &oracle(&server, Caller::Anonymous), "after the next run");
    })
    .await;
}
