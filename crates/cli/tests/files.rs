//! Saved dumps: written with `peeringdb export`, read with `peeringdb_sync --from`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{Program, Records, assert_same, each_engine, exported, files, lab, oracle};
use pm_lab::peeringdb::{Advance, Caller, Namespace};
use pm_store::testing::TestDatabase;
use serde_json::Value as Json;

/// A program whose cache was exported into `dump` and then emptied, and what it held.
async fn dumped(database: &TestDatabase) -> (Program, Records) {
    let server = lab(0.02, 8).await;
    // What an awkward day leaves behind must survive the way through a file too.
    server.world().advance(&Advance::awkward_day());
    let program = Program::on(database).asking(&server);
    program.run(["peeringdb_sync"]).await.expect(0);
    program.run(["peeringdb", "export", "dump"]).await.expect(0);
    let held = exported(&program.path("dump"));
    assert_same(&held, &oracle(&server, Caller::Anonymous), "in the dump");
    program.run(["peeringdb_sync", "--flush"]).await.expect(0);
    (program, held)
}

fn records_held(status: &Json) -> i64 {
    status["namespaces"].as_array().unwrap().iter().map(|one| one["records"].as_i64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_comes_back_as_it_was() {
    each_engine(async |database| {
        let (program, held) = dumped(database).await;
        assert_eq!(
            files(&program.path("dump")).len(),
            Namespace::ALL.len(),
            "a file per namespace and no other"
        );
        program.run(["peeringdb_sync", "--from", "dump", "--full"]).await.expect(0);
        assert_same(&program.cache().await, &held, "read from the dump");
        program.run(["peeringdb", "export", "again"]).await.expect(0);
        for name in files(&program.path("dump")) {
            let read = |directory: &str| std::fs::read(program.path(directory).join(&name)).unwrap();
            let strip = |text: Vec<u8>| text.splitn(2, |byte| *byte == b'\n').nth(1).unwrap().to_vec();
            // The first line holds the time up to which the cache is complete.
            assert!(strip(read("dump")) == strip(read("again")), "{name} was written differently");
        }
        program.run(["peeringdb_sync", "--from", "dump"]).await.expect(0).says("Nothing to synchronise");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_brings_one_namespace() {
    each_engine(async |database| {
        let (program, held) = dumped(database).await;
        program.run(["peeringdb_sync", "--from", "dump/net.json"]).await.expect(0).says("name a parent");
        let expected = BTreeMap::from([("net", held["net"].clone())]);
        assert_same(&program.cache().await, &expected, "read from one file");

        std::fs::rename(program.path("dump/org.json"), program.path("dump/org-0.json")).unwrap();
        std::fs::remove_file(program.path("dump/poc.json")).unwrap();
        program.run(["peeringdb_sync", "--from", "dump"]).await.expect(0).says("no file for poc");
        let mut expected = held;
        expected.get_mut("poc").unwrap().clear();
        assert_same(&program.cache().await, &expected, "read from a directory without contacts");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_used_store_nothing() {
    each_engine(async |database| {
        let (program, _) = dumped(database).await;
        let place = |name: &str, content: &[u8]| {
            let path = program.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        };
        let net = std::fs::read(program.path("dump/net.json")).unwrap();
        place("networks.json", &net);
        place("cut/org.json", &std::fs::read(program.path("dump/org.json")).unwrap());
        place("cut/net.json", &net[..net.len() / 2]);
        place("html/net.json", b"<html>down for maintenance</html>");
        place("object/net.json", br#"{"data": {"1": {"id": 1}}, "meta": {}}"#);
        place("none/readme.txt", b"");
        for (from, says) in [
            ("networks.json", "must be named after its namespace"),
            ("no/such/path", "no/such/path"),
            ("none", "there is no {namespace}.json in it"),
            ("cut", "cut/net.json"),
            ("cut/net.json", "nothing was stored"),
            ("html", "html/net.json"),
            ("object", "object/net.json"),
        ] {
            program.run(["peeringdb_sync", "--from", from]).await.expect(1).says(says);
            assert_eq!(records_held(&program.status().await), 0, "--from {from}");
        }
    })
    .await;
}

/// Real pages of PeeringDB, where there are some: nothing is lost on the way in and out.
#[tokio::test(flavor = "multi_thread")]
async fn real_pages_come_back_as_they_were() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one setting of the tests: where optional real data is"
    )]
    let Some(folder) = std::env::var_os("EXTRA_CASES") else {
        println!("skipped: EXTRA_CASES not set");
        return;
    };
    let pages = Path::new(&folder).join("peeringdb/pages");
    each_engine(async |database| {
        let program = Program::on(database);
        let ran =
            program.run(["peeringdb_sync".as_ref(), "--from".as_ref(), pages.as_os_str()]).await.expect(0);
        let ran = ran.never_says("not stored");
        program.run(["peeringdb", "export", "out"]).await.expect(0);
        let mut count = 0;
        for namespace in Namespace::ALL {
            let Ok(text) = std::fs::read(pages.join(format!("{namespace}.json"))) else { continue };
            let sent: Json = serde_json::from_slice(&text).unwrap();
            let written = std::fs::read(program.path(&format!("out/{namespace}.json"))).unwrap();
            let written: Json = serde_json::from_slice(&written).unwrap();
            let by_id = |page: &Json| -> BTreeMap<i64, Json> {
                let data = page["data"].as_array().unwrap();
                data.iter().map(|record| (record["id"].as_i64().unwrap(), record.clone())).collect()
            };
            let (sent, written) = (by_id(&sent), by_id(&written));
            assert!(
                sent.keys().eq(written.keys()),
                "{namespace}: {} sent, {} written",
                sent.len(),
                written.len()
            );
            for (id, record) in &sent {
                assert_eq!(written[id], *record, "{namespace} {id}");
            }
            count += sent.len();
        }
        println!("{count} real records");
        assert!(count > 0, "no pages in {}", pages.display());
        assert!(ran.stderr.contains(&format!("{count} created")), "{ran}");
    })
    .await;
}
