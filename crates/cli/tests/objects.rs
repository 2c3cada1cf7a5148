//! Objects in and out: documents, single objects, exchanges and sessions from the cache, secrets, and the original's lists.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use crate::support::{Program, each_engine, files, lab};
use pm_store::testing::TestDatabase;
use serde_json::{Value as Json, json};

/// The world of the demo.
fn small_world() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/worlds/small.yaml").display().to_string()
}

fn counts(report: &Json) -> (usize, usize, u64) {
    let length = |name: &str| report[name].as_array().unwrap().len();
    (length("created"), length("updated"), report["unchanged"].as_u64().unwrap())
}

#[tokio::test]
async fn a_document_goes_in_comes_out_and_goes_in_elsewhere() {
    each_engine(async |database| {
        let program = Program::on(database);
        let world = small_world();
        let planned = program.run(["import", &world, "--dry-run", "--json"]).await.expect(0).json();
        assert_eq!(planned["dry_run"], true);
        let (created, updated, _) = counts(&planned);
        assert!(created > 150 && updated == 0, "{created} {updated}");
        assert_eq!(
            program.run(["as", "list", "--json"]).await.expect(0).json()["autonomous_systems"],
            json!([])
        );
        assert_eq!(counts(&program.run(["import", &world, "--json"]).await.expect(0).json()).0, created);
        let again = program.run(["import", &world, "--json"]).await.expect(0).json();
        assert_eq!((counts(&again).0, counts(&again).1), (0, 0));

        // What comes out is the same in another database, by way of YAML and of JSON.
        program.run(["export", "all.yaml"]).await.expect(0);
        let mode = std::fs::metadata(program.path("all.yaml")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let whole = program.run(["export", "--format", "json"]).await.expect(0).stdout;
        std::fs::write(program.path("all.json"), &whole).unwrap();
        for form in ["all.yaml", "all.json"] {
            let other = TestDatabase::sqlite();
            let elsewhere = Program::on(&other);
            let stdin = std::fs::File::open(program.path(form)).unwrap();
            let ran = elsewhere.command(["import", "-"]).stdin(Stdio::from(stdin)).output().await.unwrap();
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
            assert!(
                elsewhere.run(["export", "-", "--format", "json"]).await.expect(0).stdout == whole,
                "{form}"
            );
            other.remove().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_shows_fields_and_no_secrets_and_errors_name_line_and_place() {
    each_engine(async |database| {
        let program = Program::on(database).set("secret_key", "k".repeat(50));
        program.run(["import", &small_world()]).await.expect(0);
        let head = "format: peering-manager objects\nversion: 1\nrouters:\n";
        let change = format!("{head}  - name: edge1.dubai\n    hostname: new.example.net\n    napalm_password: hunter2\n");
        std::fs::write(program.path("change.yaml"), change).unwrap();
        let ran = program.run(["import", "change.yaml", "--dry-run"]).await.expect(0).never_says("hunter2");
        assert!(ran.stdout.contains("hostname: \"edge1.dubai.example.net\" → \"new.example.net\""), "{ran}");
        assert!(ran.stdout.contains("napalm_password: null → ***CHANGED***"), "{ran}");
        program.run(["import", "change.yaml"]).await.expect(0).never_says("hunter2");
        let readable = program.run(["export", "--secrets", "readable"]).await.expect(0);
        assert!(readable.stdout.contains("napalm_password: hunter2"));
        program.run(["export"]).await.expect(0).never_says("hunter2");

        let wrong = format!("{head}  - name: x\n\n    platform: no-such\n  - nmae: y\n");
        std::fs::write(program.path("wrong.yaml"), wrong).unwrap();
        program
            .run(["import", "wrong.yaml"])
            .await
            .expect(1)
            .says("wrong.yaml: routers[0].platform, line 6: there is no platform \"no-such\"")
            .says("routers[1].nmae, line 7: routers have no such field");
        let json = "{\"format\": \"peering-manager objects\", \"version\": 1,\n \"routers\": [\n  {\"name\": \"x\",\n   \
                    \"platform\": 7}]}";
        std::fs::write(program.path("wrong.json"), json).unwrap();
        program.run(["import", "wrong.json"]).await.expect(1).says("routers[0].platform, line 4");
        std::fs::write(program.path("cut.yaml"), "format: [\n").unwrap();
        program.run(["import", "cut.yaml"]).await.expect(1).says("cut.yaml: line");
        program.run(["import", "not-there.yaml"]).await.expect(2).says("not-there.yaml");
    })
    .await;
}

#[tokio::test]
async fn single_objects_are_shown_changed_and_deleted_with_care() {
    each_engine(async |database| {
        let program = Program::on(database);
        program.run(["import", &small_world()]).await.expect(0);
        let listed = program.run(["objects", "list", "routers", "--json"]).await.expect(0).json();
        assert_eq!(listed["routers"].as_array().unwrap().len(), 3);
        let ran = program.run([
            "objects",
            "set",
            "router",
            "edge1.dubai",
            "status=maintenance",
            "tags=[edge, watched]",
        ]);
        let ran = ran.await.expect(0);
        assert!(ran.stdout.contains("status: \"enabled\" → \"maintenance\""), "{ran}");
        let shown =
            program.run(["objects", "show", "routers", "edge1.dubai", "--json"]).await.expect(0).json();
        assert_eq!(shown["fields"]["status"], "maintenance");
        assert_eq!(shown["fields"]["tags"], json!(["edge", "watched"]));
        program
            .run(["objects", "set", "router", "edge1.dubai", "status=broken"])
            .await
            .expect(1)
            .says("status");
        program.run(["objects", "set", "router", "edge9", "status=enabled"]).await.expect(2).says("edge9");
        program
            .run(["objects", "list", "ruoters"])
            .await
            .expect(2)
            .says("internet_exchange_peering_sessions");
        program.run(["objects", "add", "tag", "name=new", "slug=new"]).await.expect(0);
        program.run(["objects", "delete", "tag", "new"]).await.expect(0);
        program.run(["objects", "show", "tag", "new"]).await.expect(2);
        // Forbidden by what refers to it; held up by what would go with it.
        program
            .run(["objects", "delete", "relationship", "customer"])
            .await
            .expect(3)
            .says("cannot be deleted");
        program.run(["objects", "delete", "autonomous-system", "64500"]).await.expect(3).says("--cascade");
        program.run(["as", "show", "64500"]).await.expect(0);
        program.run(["objects", "delete", "autonomous-system", "64500", "--cascade"]).await.expect(0);
        program.run(["as", "show", "64500"]).await.expect(2);
        program.run(["as", "set", "AS64501", "ipv4_max_prefixes=17"]).await.expect(0);
        let shown = program.run(["as", "show", "64501", "--json"]).await.expect(0).json();
        assert_eq!(shown["fields"]["ipv4_max_prefixes"], 17);
        let kinds = program.run(["objects", "kinds", "--json"]).await.expect(0).json();
        assert!(kinds["kinds"].as_array().unwrap().len() > 20);
    })
    .await;
}

/// The members of an exchange that have both addresses, one port each.
fn members(shown: &Json) -> Vec<i64> {
    let ports = shown["netixlan"].as_array().unwrap();
    let mut asns: Vec<i64> = ports
        .iter()
        .filter(|port| port["ipaddr4"].is_string() && port["ipaddr6"].is_string())
        .filter_map(|port| port["asn"].as_i64())
        .filter(|asn| ports.iter().filter(|port| port["asn"] == *asn).count() == 1)
        .collect();
    asns.dedup();
    asns
}

#[tokio::test]
async fn exchanges_and_sessions_come_from_the_cache() {
    each_engine(async |database| {
        let server = lab(0.02, 7).await;
        let program = Program::on(database).asking(&server);
        program.run(["peeringdb_sync"]).await.expect(0);
        let shown = program.run(["peeringdb", "ix", "1", "--json"]).await.expect(0).json();
        let members = members(&shown);
        assert!(members.len() > 5, "{members:?}");
        let (own, peer, other) = (members[0].to_string(), members[1].to_string(), members[2].to_string());
        program.run(["ix", "import-from-peeringdb"]).await.expect(2).says("affiliated=true");
        program.run(["as", "add", &own]).await.expect(0);
        program.run(["as", "set", &own, "affiliated=true"]).await.expect(0);
        let planned =
            program.run(["ix", "import-from-peeringdb", "--dry-run", "--json"]).await.expect(0).json();
        let imported = program.run(["ix", "import-from-peeringdb", "--json"]).await.expect(0).json();
        assert_eq!(planned, imported);
        let again = program.run(["ix", "import-from-peeringdb", "--json"]).await.expect(0).json();
        assert_eq!((&again["exchanges"], &again["connections"]), (&json!([]), &json!([])));
        let listed = program.run(["ix", "list", "--json"]).await.expect(0).json();
        let exchange = listed["internet_exchanges"]
            .as_array()
            .unwrap()
            .iter()
            .find(|exchange| exchange["fields"]["peeringdb_ixlan"] == shown["ixlan"][0]["id"])
            .unwrap();
        let slug = exchange["fields"]["slug"].as_str().unwrap().to_owned();

        let available = async |which: &str| {
            let ran = program.run(["sessions", "available", which, "--json"]).await.expect(0);
            let found: Vec<i64> = ran.json()["available"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|one| one["exchange"] == exchange["display"])
                .map(|one| one["asn"].as_i64().unwrap())
                .collect();
            found
        };
        let before = available(&slug).await;
        assert!(before.contains(&members[1]) && !before.contains(&members[0]), "{before:?}");
        assert_eq!(available(&format!("AS{peer}")).await, [members[1]]);
        let network = program.run(["peeringdb", "net", &other, "--json"]).await.expect(0).json();
        let hide = format!("peeringdb_network={}", network["net"]["id"]);
        let lan = format!("peeringdb_ixlan={}", shown["ixlan"][0]["id"]);
        program.run(["objects", "add", "hidden-peer", &hide, &lan]).await.expect(0);
        assert!(!available(&slug).await.contains(&members[2]));
        let create = ["sessions", "create", &slug, &peer, &other, "1", "--json"];
        let planned = program.run(create.iter().chain(&["--dry-run"])).await.expect(4).json();
        let created = program.run(create).await.expect(4).says("hidden peer").says("AS1 has no port").json();
        assert_eq!(planned, created);
        assert_eq!(created["sessions"].as_array().unwrap().len(), 2, "both families");
        assert_eq!(created["autonomous_systems"], json!([members[1]]));
        assert!(!available(&slug).await.contains(&members[1]));
        program.run(["sessions", "create", &slug, &peer]).await.expect(4).says("there is a session");
        program.run(["sessions", "create", "no-such", &peer]).await.expect(2).says("no-such");

        // The links stay, and come again from the addresses alone.
        let links = async || {
            let shown = program.run(["objects", "list", "connections", "--json"]).await.expect(0).json();
            let links = |one: &Json| one["fields"]["peeringdb_netixlan"].as_i64();
            shown["connections"].as_array().unwrap().iter().map(links).collect::<Vec<_>>()
        };
        let linked = links().await;
        assert!(linked.iter().all(Option::is_some), "{linked:?}");
        program.run(["peeringdb_sync", "--flush"]).await.expect(0);
        assert_eq!(links().await, linked);
        for connection in
            program.run(["objects", "list", "connections", "--json"]).await.expect(0).json()["connections"]
                .as_array()
                .unwrap()
        {
            let id = format!("id={}", connection["id"]);
            program.run(["objects", "set", "connection", &id, "peeringdb_netixlan=~"]).await.expect(0);
        }
        let report = program.run(["peeringdb_sync", "--json"]).await.expect(0).json();
        assert_eq!(report["data"]["links"]["connections"], linked.len());
        assert_eq!(links().await, linked);
        program.run(["peeringdb", "link"]).await.expect(0);
    })
    .await;
}

#[tokio::test]
async fn passwords_have_a_key_that_is_made_turned_and_missed() {
    each_engine(async |database| {
        let mut program = Program::on(database);
        program.run(["import", &small_world()]).await.expect(0);
        let set = ["objects", "set", "router", "edge1.dubai", "napalm_password=hunter2"];
        let readable = ["export", "--secrets", "readable"];
        if program.on_sqlite() {
            let file = format!("{}.secret-key", program.database_url().trim_start_matches("sqlite://"));
            assert!(!Path::new(&file).exists(), "made before it is needed");
            program.run(set).await.expect(0).never_says("hunter2");
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            let first = std::fs::read_to_string(&file).unwrap();
            let copied = program.run(["backup", "copy.db"]).await.expect(0);
            let said = "Passwords in it are lost without the key in ";
            assert!(copied.stdout.contains(said) && copied.stdout.contains(".secret-key, which"), "{copied}");
            let found = program.run(["doctor"]).await.expect(0);
            assert!(found.stdout.contains("1 secrets are encrypted under the key in "), "{found}");
            in_clear(&program).await;
            program.run(["secrets", "rotate"]).await.expect(0).says("1 of 1");
            assert!(program.run(readable).await.expect(0).stdout.contains("napalm_password: hunter2"));
            assert!(std::fs::read_to_string(&file).unwrap().ends_with(&first), "the old key is kept");
            program.run(["secrets", "rotate", "--forget"]).await.expect(0);
            assert!(!std::fs::read_to_string(&file).unwrap().contains(first.trim()));
            let kept = std::fs::read_to_string(&file).unwrap();
            std::fs::remove_file(&file).unwrap();
            program.run(readable).await.expect(1).says("the key is gone").says(".secret-key");
            let found = program.run(["doctor"]).await.expect(1);
            assert!(found.stdout.contains("1 stored secrets are encrypted under the key"), "{found}");
            program.run(["objects", "set", "router", "edge1.dubai", "napalm_password=x"]).await.expect(1);
            assert!(!Path::new(&file).exists(), "a new key would not open what is there");
            program.run(["as", "list"]).await.expect(0);
            std::fs::write(&file, kept).unwrap();
            program = program.set("secret_key", "n".repeat(50));
            program.run(["secrets", "rotate", "--forget"]).await.expect(0).says("1 of 1");
            assert!(!Path::new(&file).exists());
            assert!(program.run(readable).await.expect(0).stdout.contains("napalm_password: hunter2"));
        } else {
            program.run(set).await.expect(1).says("set it in the settings file").says("secrets generate");
            let generated = program.run(["secrets", "generate"]).await.expect(0).stdout;
            program = program.set("secret_key", generated.trim());
            program.run(set).await.expect(0);
            program = program.set("secret_key", "n".repeat(50));
            program.run(readable).await.expect(1).says("secret_key_previous");
            program = program.set("secret_key_previous", generated.trim());
            program.run(["secrets", "rotate"]).await.expect(0).says("1 of 1");
            program = program.unset("secret_key_previous");
            assert!(program.run(readable).await.expect(0).stdout.contains("napalm_password: hunter2"));
        }
    })
    .await;
}

/// What an earlier release left in the clear is named and then sealed.
async fn in_clear(program: &Program) {
    let store = pm_store::Store::open(program.database_url()).await.unwrap();
    let sql =
        "UPDATE devices_router SET napalm_args = '{\"secret\": \"planted\"}' WHERE name = 'edge1.dubai'";
    store.execute(sql, vec![]).await.unwrap();
    let named = "napalm_args of 1 routers is in the clear in the database";
    let found = program.run(["doctor"]).await.expect(0).never_says("planted");
    assert!(found.stdout.contains(named), "{found}");
    program.run(["secrets", "rotate"]).await.expect(0).says("2 of 2");
    let found = program.run(["doctor"]).await.expect(0);
    assert!(!found.stdout.contains(named), "{found}");
    program.run(["objects", "show", "router", "edge1.dubai"]).await.expect(0).never_says("planted");
    program.run(["objects", "set", "router", "edge1.dubai", "napalm_args=~"]).await.expect(0);
    store.close().await;
}

/// A few lists in the forms that REST gives.
fn lists(directory: &Path) {
    std::fs::create_dir(directory).unwrap();
    let write = |name: &str, json: Json| std::fs::write(directory.join(name), json.to_string()).unwrap();
    let system = |id: i64, asn: i64, name: &str| {
        json!({"id": id, "asn": asn, "name": name, "display": "x", "tags": [], "communities": [],
               "created": "2020-01-01T00:00:00Z", "config_context": null,
               "prefixes": {"ipv6": [], "ipv4": [{"prefix": "192.0.2.0/24", "exact": false, "greater-equal": 24, "less-equal": 26}]},
               "as_list": [64_500, 64_501]})
    };
    write(
        "peering--autonomous-systems.json",
        json!({"count": 3, "next": null, "results": [system(70, 64_500, "Own"), system(71, 64_501, "Peer"), system(72, 64_501, "Twice")]}),
    );
    write(
        "devices--routers.json",
        json!([{"id": 9, "name": "edge1", "hostname": "edge1", "local_autonomous_system": {"id": 70, "asn": 64_500},
                "status": {"value": "enabled", "label": "Enabled"}, "napalm_password": "hunter2", "data_source": {"id": 4}}]),
    );
    write(
        "net--connections.json",
        json!([{"id": 5, "name": "computed", "router": {"id": 9}, "internet_exchange_point": null}]),
    );
    write(
        "peeringdb--networks.json",
        json!([{"id": 1, "asn": 64_501, "name": "Peer", "org": {"id": 2, "name": "Org"}}]),
    );
    write("peeringdb--organizations.json", json!([{"id": 2, "name": "Org"}]));
    write("users--tokens.json", json!([]));
    std::fs::write(directory.join("notes.txt"), "x").unwrap();
}

#[tokio::test]
async fn the_originals_lists_are_taken_over_with_their_numbers() {
    each_engine(async |database| {
        let program = Program::on(database).set("secret_key", "k".repeat(50));
        let directory = program.path("rest");
        lists(&directory);
        let run = ["import-original", "rest", "--json"];
        let planned = program.run(run.iter().chain(&["--dry-run"])).await.expect(4).json();
        assert_eq!(
            program.run(["objects", "list", "routers", "--json"]).await.expect(0).json()["routers"],
            json!([])
        );
        let ran = program.run(run).await.expect(4).never_says("hunter2");
        let taken = ran.json()["data"].clone();
        assert_eq!(planned["data"], taken);
        assert_eq!(taken["objects"]["autonomous_systems"], 2, "two of three have one number: {taken}");
        assert_eq!(taken["left_out"].as_array().unwrap().len(), 1, "{taken}");
        assert_eq!(taken["lists"], 2);
        assert_eq!(taken["files"].as_array().unwrap().len(), 2, "{taken}");
        assert_eq!(taken["fields"], json!(["devices--routers: the field data_source of 1 objects"]));
        assert_eq!(taken["peeringdb"], json!({"net": 1, "org": 1}));
        let router = program.run(["objects", "show", "router", "edge1", "--json"]).await.expect(0).json();
        assert_eq!(
            (&router["id"], &router["fields"]["local_autonomous_system"]),
            (&json!(9), &json!(64_500))
        );
        assert!(program.run(["irr", "who", "192.0.2.0/24"]).await.expect(0).stdout.contains("64500"));
        program.run(["peeringdb", "net", "64501"]).await.expect(0);
        program.run(run).await.expect(3);
        // A page is not the whole.
        std::fs::write(directory.join("extras--tags.json"), json!({"count": 7, "results": []}).to_string())
            .unwrap();
        let other = TestDatabase::sqlite();
        let ran = Program::on(&other);
        let path = directory.display().to_string();
        ran.run(["import-original", &path, "--dry-run"]).await.expect(4).says("holds 0 of 7 objects");
        assert!(files(&directory).len() > 5);
        other.remove().await;
    })
    .await;
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the place where tests learn of the folder")]
async fn a_whole_original_is_taken_over() {
    let Ok(cases) = std::env::var("EXTRA_CASES") else {
        eprintln!("skipped: EXTRA_CASES is not set");
        return;
    };
    let world = Path::new(&cases).join("render/world").display().to_string();
    each_engine(async |database| {
        let program = Program::on(database).set("secret_key", "k".repeat(50));
        let ran = program.run(["import-original", &world, "--json"]).await.expect(0);
        let taken = &ran.json()["data"];
        assert_eq!(taken["left_out"], json!([]));
        assert_eq!((&taken["files"], &taken["fields"]), (&json!([]), &json!([])));
        assert_eq!(taken["objects"]["internet_exchange_peering_sessions"], 552);
        assert_eq!((&taken["lists"], &taken["peeringdb"]["netixlan"]), (&json!(31), &json!(545)));
        program.run(["export", "--secrets", "readable", "all.yaml"]).await.expect(0);
        let again = program.run(["import", "all.yaml", "--json"]).await.expect(0).json();
        assert_eq!((counts(&again).0, counts(&again).1), (0, 0));
        let other = TestDatabase::sqlite();
        let elsewhere = Program::on(&other);
        let path = program.path("all.yaml").display().to_string();
        let ran = elsewhere.run(["import", &path, "--json"]).await;
        // Rules that the original did not enforce are enforced here, and named with their lines.
        assert!(ran.code == 0 || ran.stderr.contains(", line "), "{}", ran.code);
        other.remove().await;
    })
    .await;
}
