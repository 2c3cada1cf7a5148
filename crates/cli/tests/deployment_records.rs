//! The records of deployments, from the command line: found by router, and closed when nobody else does.

use crate::support::{Program, each_engine};
use pm_store::testing::TestDatabase;
use serde_json::Value as Json;

const WORLD: &str = "format: peering-manager objects\nversion: 1\n\
                     autonomous_systems:\n  - {asn: 64500, name: Own, affiliated: true}\n\
                     routers:\n  - {name: edge1, hostname: edge1.example.net, local_autonomous_system: 64500}\n";

async fn record(database: &TestDatabase, router: &str, status: &str) {
    let sql = "INSERT INTO devices_deployment (router_id, router_name, user_name, begun, status, template, load_mode, forced, \
               input_hash, candidate, running, diff, added, removed, sessions, warnings) \
               VALUES ((SELECT id FROM devices_router WHERE name = ?), ?, 'olga', ?, ?, 't', 'merge', FALSE, \
               '', '', '', '', 0, 0, '{\"stored\": [], \"others\": []}', '[]')";
    let long_ago = chrono::DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z").unwrap().to_utc();
    let store = database.open().await;
    store.execute(sql, vec![router.into(), router.into(), long_ago.into(), status.into()]).await.unwrap();
    store.close().await;
}

async fn errors(program: &Program, exit: i32) -> Vec<String> {
    let told = program.run(["doctor", "--json"]).await.expect(exit).json();
    let found = told["findings"].as_array().unwrap().iter().filter(|one| one["weight"] == "error");
    found.map(|one| one["text"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_half_way_is_named_and_can_be_closed() {
    each_engine(async |database| {
        let program = Program::on(database).set("secret_key", "k".repeat(50));
        std::fs::write(program.path("world.yaml"), WORLD).unwrap();
        program.run(["import", "world.yaml"]).await.expect(0);
        record(database, "edge1", "unknown").await;
        record(database, "gone", "unconfirmed").await;
        let told = errors(&program, 1).await;
        assert_eq!(told.len(), 2, "{told:#?}");
        assert!(
            told[0].contains("After deployment 1 of 2026-01-01 00:00 UTC the router edge1 ran"),
            "{told:#?}"
        );
        assert!(told[1].contains("its router gone has been deleted since"), "{told:#?}");

        let listed = async |router: &str| {
            let rows =
                program.run(["deployments", "list", "--router", router, "--json"]).await.expect(0).json();
            rows["deployments"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect::<Vec<Json>>()
        };
        assert_eq!(listed("EDGE1.example.net").await, [1]);
        assert_eq!(listed("gone").await, [2], "also when there is no such router any more");
        let unknown = program.run(["deployments", "list", "--router", "edge2"]).await.expect(1);
        assert!(unknown.stderr.contains("there is no router edge2"), "{unknown}");

        for id in ["1", "2"] {
            program.run(["deployments", "close", id, "--user", "ina"]).await.expect(0);
        }
        assert!(errors(&program, 0).await.is_empty());
        let shown = program.run(["deployments", "show", "2"]).await.expect(0);
        assert!(shown.stdout.contains("closed by  ina") && shown.stdout.contains("unknown"), "{shown}");
        let again = program.run(["deployments", "close", "2"]).await.expect(1);
        assert!(again.stderr.contains("deployment 2 was closed by ina"), "{again}");
    })
    .await;
}
