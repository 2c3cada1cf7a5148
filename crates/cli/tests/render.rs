//! Rendering from the command line.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Program, each_engine};
use pm_store::changes::Author;
use pm_store::objects::models::{autonomous_system, configuration, email, export_template, router};
use pm_store::objects::problems::Rules;
use pm_store::objects::record::Draft;
use pm_store::objects::secrets::Keyring;
use pm_store::objects::write::{self, Writing};
use pm_store::testing::{TestDatabase, epoch};

/// Two routers, of which one has a template of its own, and what else can be rendered.
async fn fill(database: &TestDatabase) {
    let store = database.open().await;
    let keyring = Keyring::new([7; 32], &[]);
    let author = Author { user_id: None, user_name: "test".into(), request_id: "r".into() };
    let mut transaction = store.begin().await.unwrap();
    let mut session = transaction.session();
    let mut create = async |draft: Draft| {
        let writing = Writing { author: &author, now: epoch(), keyring: &keyring, rules: Rules::ALL };
        write::create(&mut session, writing, &[draft]).await.unwrap()[0].id
    };
    let own = create(
        Draft::new(&autonomous_system::MODEL)
            .with("asn", 64_496_i64)
            .with("name", "Own")
            .with("affiliated", true),
    )
    .await;
    create(Draft::new(&autonomous_system::MODEL).with("asn", 64_500_i64).with("name", "Peer")).await;
    let template =
        |name: &str, text: &str| Draft::new(&configuration::MODEL).with("name", name).with("template", text);
    let edge = create(template(
        "edge",
        "hostname {{ router.hostname }}\n{% if local_as %}\nas {{ local_as.asn }}\n{% endif %}\nend\n",
    ))
    .await;
    create(template("broken", "a\nb {{ router.nothing.at_all }}\n")).await;
    create(template("misspelt", "{{ router.hostnme }} {{ router.name | uper }}")).await;
    let host = |name: &str, hostname: &str| {
        Draft::new(&router::MODEL)
            .with("name", name)
            .with("hostname", hostname)
            .with("local_autonomous_system", own)
            .with("status", "enabled")
    };
    create(host("edge1", "edge1.example.net").with("configuration_template", edge)).await;
    create(host("edge2", "edge2.example.net").with("configuration_template", edge)).await;
    create(host("bare", "bare.example.net")).await;
    let mail = Draft::new(&email::MODEL)
        .with("name", "hello")
        .with("subject", "Hello {{ autonomous_system.name }}")
        .with(
            "template",
            "Dear AS{{ autonomous_system.asn }},\nwe are {{ affiliated_autonomous_systems | join(', ') }}.\n",
        );
    create(mail).await;
    let export = Draft::new(&export_template::MODEL)
        .with("name", "all")
        .with("content_type", "peering.autonomoussystem")
        .with("template", "{% for as in dataset %}{{ as.asn }} {% endfor %}");
    create(export).await;
    transaction.commit().await.unwrap();
    store.close().await;
}

const EDGE1: &str = "hostname edge1.example.net\n\nas 64496\n\nend";

#[tokio::test]
async fn stdout_gets_the_rendered_octets_and_nothing_else() {
    each_engine(async |database| {
        fill(database).await;
        let program = Program::on(database);
        let run = program.run(&["render_configuration", "--limit", " EDGE1.example.net "]).await;
        assert_eq!((run.code, run.stdout.as_str()), (0, EDGE1), "{}", run.stderr);
        // Several follow each other, and one without a template is left out with a warning.
        let run = program.run(&["render_configuration"]).await;
        assert_eq!(run.stdout, format!("{EDGE1}{}", EDGE1.replace("edge1", "edge2")));
        assert!(run.stderr.contains("router bare has no configuration template"), "{}", run.stderr);
        let run = program.run(&["render_configuration", "--limit", "edge1,bare"]).await;
        assert_eq!((run.code, run.stdout.as_str()), (1, ""));
        let run = program.run(&["render_configuration", "--limit", "edge1,edge9"]).await;
        assert_eq!((run.code, run.stdout.as_str()), (1, ""));
        assert!(run.stderr.contains("no router is called edge9"), "{}", run.stderr);
        let run = program.run(&["render_configuration", "--limit", "edge1", "--trim"]).await;
        assert_eq!(run.stdout, EDGE1.replace("\n\n", "\n"));
    })
    .await;
}

#[tokio::test]
async fn an_error_names_template_line_and_text_and_nothing_comes_out() {
    let database = TestDatabase::sqlite();
    fill(&database).await;
    let program = Program::on(&database);
    let output = program.path("out");
    let out = output.to_str().unwrap();
    let run = program.run(&["render_configuration", "--configuration", "broken", "--output", out]).await;
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    for part in ["router edge1: template broken, line 2 (`… {{ router.nothing.at_all }}`)", "router bare"] {
        assert!(run.stderr.contains(part), "{}", run.stderr);
    }
    assert!(!output.exists());
    let run = program.run(&["render_configuration", "-c", "none"]).await;
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("there is no configuration \"none\""), "{}", run.stderr);
}

#[tokio::test]
async fn files_are_private_replaced_as_a_whole_and_compared() {
    let database = TestDatabase::sqlite();
    fill(&database).await;
    let program = Program::on(&database);
    let folder = program.path("out/");
    let out = format!("{}/", folder.to_str().unwrap().trim_end_matches('/'));
    let arguments = ["render_configuration", "--output", &out];
    let compare = ["render_configuration", "--output", &out, "--diff"];
    let run = program.run(&compare).await;
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(!folder.exists());
    assert_eq!(program.run(&arguments).await.code, 0);
    let file = folder.join("edge1.conf");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), EDGE1);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
    let run = program.run(&compare).await;
    assert_eq!((run.code, run.stdout.as_str()), (0, ""));
    std::fs::write(&file, EDGE1.replace("64496", "1")).unwrap();
    let run = program.run(&compare).await;
    assert_eq!(run.code, 5);
    assert!(run.stdout.contains("\n-as 1\n+as 64496\n"), "{}", run.stdout);
    let one = program.path("one.txt");
    let run = program
        .run(&["render_configuration", "--limit", "edge1", "--output", one.to_str().unwrap(), "--json"])
        .await;
    assert_eq!(std::fs::read_to_string(&one).unwrap(), EDGE1);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let first = &json["data"]["configurations"][0];
    assert_eq!(first["input"].as_str().unwrap().len(), 64);
    // The same objects and the same template: the same hash.
    let run = program
        .run(&["render_configuration", "--limit", "edge1", "--output", one.to_str().unwrap(), "--json"])
        .await;
    let again: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(again["data"]["configurations"][0]["input"], first["input"]);
    assert_eq!(again["data"]["configurations"][0]["changed"], false);
}

#[tokio::test]
async fn templates_are_looked_over_by_name_and_as_files() {
    let database = TestDatabase::sqlite();
    fill(&database).await;
    let program = Program::on(&database);
    assert_eq!(program.run(&["template", "check", "edge", "hello", "all"]).await.code, 0);
    let run = program.run(&["template", "check"]).await;
    assert_eq!(run.code, 1);
    for line in [
        "configuration misspelt, line 1: Router has no attribute `hostnme`, did you mean `hostname`?",
        "configuration misspelt, line 1: no filter `uper`, did you mean `upper`?",
    ] {
        assert!(run.stdout.contains(line), "{}", run.stdout);
    }
    let file = program.path("mine.j2");
    std::fs::write(&file, "{{ router.name }}\n{% if %}").unwrap();
    let run = program.run(&["template", "check", file.to_str().unwrap()]).await;
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("line 2:"), "{}", run.stdout);
    assert_eq!(program.run(&["template", "check", "nothing"]).await.code, 2);
    std::fs::write(&file, "{{ router.name }}!").unwrap();
    let run =
        program.run(&["render_configuration", "--limit", "bare", "--template", file.to_str().unwrap()]).await;
    assert_eq!((run.code, run.stdout.as_str()), (0, "bare!"), "{}", run.stderr);
}

#[tokio::test]
async fn mails_and_exports_are_rendered() {
    let database = TestDatabase::sqlite();
    fill(&database).await;
    let program = Program::on(&database);
    let run = program.run(&["email", "render", "hello", "--as", "64500"]).await;
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "Subject: Hello Peer\n\nDear AS64500,\nwe are AS64496 - Own."),
        "{}",
        run.stderr
    );
    let run = program.run(&["export-template", "render", "all"]).await;
    assert_eq!((run.code, run.stdout.as_str()), (0, "64496 64500 "), "{}", run.stderr);
    let run = program.run(&["email", "render", "hello", "--as", "64499"]).await;
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("there is no autonomous system AS64499"), "{}", run.stderr);
}
