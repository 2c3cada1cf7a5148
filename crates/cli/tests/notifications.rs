//! Notifications and webhooks, as an operator meets them.

use std::time::Duration;

use crate::support::{Program, each_engine, until};
use pm_lab::receiver::{Receiver, Reply};
use pm_lab::smtp;
use pm_store::testing::TestDatabase;
use serde_json::{Value as Json, json};

const SECRET: &str = "canary-of-the-webhook-51bd";
const TOKEN: &str = "canary-of-the-token-9e0a";
const PASSWORD: &str = "canary-of-the-mail-3f7c";

fn program(database: &TestDatabase, server: &smtp::Server) -> Program {
    let email = toml::toml! {
        server = "127.0.0.1"
        from_address = "pm@example.net"
        subject_prefix = "[peering]"
        username = "pm"
    };
    let mut email = email;
    email.insert("port".into(), toml::Value::Integer(server.port().into()));
    email.insert("password".into(), PASSWORD.into());
    Program::on(database)
        .set("secret_key", "k".repeat(50))
        .set("webhook_allowed_targets", vec!["127.0.0.1"])
        .set("email", email)
}

async fn mail_server() -> smtp::Server {
    let login = Some(("pm".to_owned(), PASSWORD.to_owned()));
    smtp::Server::start(smtp::Options { login, ..smtp::Options::default() }).await.unwrap()
}

async fn add_webhook(program: &Program, receiver: &Receiver) {
    let url = format!("payload_url=http://127.0.0.1:{}/hook", receiver.port());
    let (secret, header) =
        (format!("secret={SECRET}"), format!("additional_headers=Authorization: Bearer {TOKEN}"));
    let types = "content_types=[peering.autonomoussystem]";
    let add = ["objects", "add", "webhook", "name=chat", types, "type_update=true", &url, &secret, &header];
    program.run(add).await.expect(0).never_says(SECRET);
}

fn body(receiver: &Receiver, at: usize) -> Json {
    serde_json::from_slice(&receiver.received()[at].body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_tells_webhooks_what_somebody_changed() {
    each_engine(async |database| {
        let (receiver, server) = (Receiver::start().await.unwrap(), mail_server().await);
        let program = program(database, &server);
        add_webhook(&program, &receiver).await;
        program.run(["as", "add", "64501"]).await.expect(0);
        let set = ["objects", "set", "autonomous-systems", "64501", "name=Other"];
        program.run(set).await.expect(0);
        assert_eq!(receiver.received().len(), 0);
        let listed = program.run(["notifications", "list", "--json"]).await.expect(0).json();
        assert_eq!(listed["notifications"][0]["state"], "pending");
        program.run(["doctor"]).await.expect(0);
        program.run(["worker", "--once", "-vv"]).await.expect(0).never_says(SECRET).never_says(TOKEN);
        assert_eq!(receiver.received().len(), 1);
        let told = body(&receiver, 0);
        assert_eq!((&told["event"], &told["data"]["name"]), (&json!("update"), &json!("Other")));
        assert_eq!(told["username"], "command line");

        // A receiver that is out of order, and one that repeats what it was given.
        let said = format!("sorry {SECRET} {TOKEN}");
        receiver.reply(Reply { body: said, ..Reply::status(503) });
        program.run(["objects", "set", "autonomous-systems", "64501", "name=Third"]).await.expect(0);
        let ran = program.run(["worker", "--once", "-vv", "--log-format", "json"]).await.expect(0);
        ran.says("will be tried again: the receiver answered with HTTP 503")
            .never_says(SECRET)
            .never_says(TOKEN);
        let failed = ["notifications", "list", "--state", "failed", "--recipient", "chat", "--json"];
        let listed = program.run(failed).await.expect(0).never_says(SECRET).json();
        let number = listed["notifications"][0]["id"].to_string();
        let shown = program.run(["notifications", "show", &number]).await.expect(0).never_says(TOKEN);
        assert!(shown.stdout.contains("answer     sorry *** ***"), "{shown}");
        receiver.reply(Reply::status(204));
        program.run(["worker", "--once"]).await.expect(0);
        assert_eq!(receiver.received().len(), 2, "its time has not come");
        program.run(["notifications", "retry", &number]).await.expect(0);
        program.run(["worker", "--once"]).await.expect(0);
        assert_eq!(receiver.received().len(), 3);
        program.run(["notifications", "retry", &number]).await.expect(1);
        assert_eq!(
            program.run(["notifications", "retry", "--all", "--json"]).await.expect(0).json()["again"],
            0
        );

        let tried = program.run(["notifications", "test", "--webhook", "chat"]).await.expect(0);
        assert_eq!(tried.stdout, "chat: taken; the answer: HTTP 204 \n");
        assert_eq!(body(&receiver, 3)["event"], "test");
        receiver.reply(Reply::status(500));
        let tried =
            program.run(["notifications", "test", "--webhook", "chat", "--json"]).await.expect(1).json();
        assert_eq!(
            (&tried["tried"][0]["arrived"], &tried["tried"][0]["status"]),
            (&json!(false), &json!(500))
        );
        for command in [
            &["objects", "show", "webhook", "chat"][..],
            &["export"],
            &["config", "show"],
            &["jobs", "list", "--json"],
            &["doctor", "--json"],
        ] {
            program.run(command).await.never_says(SECRET).never_says(PASSWORD);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_kept_and_mail_goes_out_while_a_worker_runs() {
    each_engine(async |database| {
        let server = mail_server().await;
        let program = program(database, &server);
        let rules = ["notifications", "rules"];
        let run = async |more: &[&str]| program.run([&rules[..], more].concat()).await;
        run(&["set", "nightly", "events=[job failed, guard held]"])
            .await
            .expect(1)
            .says("nobody would be told");
        run(&["set", "nightly", "events=[job broken]", "recipients=[noc@example.org]"])
            .await
            .expect(1)
            .says("is no kind of event");
        run(&["set", "nightly", "events=[job failed, guard held]", "recipients=[noc@example.org]"])
            .await
            .expect(0);
        run(&["set", "nightly", "fold_minutes=60"]).await.expect(0);
        let listed = run(&["list"]).await.expect(0);
        assert!(
            listed.stdout.contains("nightly  yes      job failed, guard held  noc@example.org"),
            "{listed}"
        );
        assert_eq!(run(&["list", "--json"]).await.expect(0).json()["rules"][0]["fields"]["fold_minutes"], 60);

        // Nobody answers for PeeringDB, so it fails.
        let worker = program.spawn(["worker"]);
        program.run(["peeringdb_sync"]).await.expect(1);
        until(async || !server.taken().is_empty(), "the mail arrives").await;
        let mail = server.taken().remove(0);
        assert_eq!(mail.to, ["noc@example.org"]);
        assert!(mail.text.contains("Subject: [peering] job 1 (peeringdb_sync) failed"), "{}", mail.text);
        worker.signal("TERM").await;
        worker.ended().await.expect(0).never_says(PASSWORD);

        let tried = program.run(["notifications", "test", "nightly"]).await.expect(0);
        assert_eq!(tried.stdout, "noc@example.org: taken; the answer: 250 2.0.0 queued\n");
        assert!(server.taken()[1].text.contains("test message"));
        program
            .run(["notifications", "test", "nobody"])
            .await
            .expect(1)
            .says("there is no notification rule");
        run(&["disable", "nightly"]).await.expect(0);
        program.run(["peeringdb_sync", "--full"]).await.expect(1);
        program.run(["worker", "--once"]).await.expect(0);
        assert_eq!(server.taken().len(), 2);
        run(&["enable", "nightly"]).await.expect(0);
        let lacking = Program::with_url(program.database_url()).set("secret_key", "k".repeat(50));
        let told = lacking.run(["doctor"]).await.expect(0);
        assert!(told.stdout.contains("(nightly), and the settings lack email.from_address"), "{told}");
        run(&["delete", "nightly"]).await.expect(0);
        assert_eq!(run(&["list", "--json"]).await.expect(0).json()["rules"], json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_leaves_nothing_untold() {
    each_engine(async |database| {
        let (receiver, server) = (Receiver::start().await.unwrap(), mail_server().await);
        let program = program(database, &server).set("webhook_timeout", 300);
        add_webhook(&program, &receiver).await;
        program.run(["as", "add", "64501"]).await.expect(0);
        receiver.reply(Reply { delay: Duration::from_mins(5), ..Reply::status(200) });
        let worker = program.spawn(["worker"]);
        program.run(["objects", "set", "autonomous-systems", "64501", "name=Other"]).await.expect(0);
        until(async || receiver.received().len() == 1, "the request arrives").await;
        worker.kill().await;
        receiver.reply(Reply::status(200));
        // As if the lease had run out.
        let store = pm_store::Store::open(program.database_url()).await.unwrap();
        store.execute("UPDATE extras_delivery SET leased_until = NULL", vec![]).await.unwrap();
        store.close().await;
        program.run(["worker", "--once"]).await.expect(0);
        let got = receiver.received();
        assert_eq!(got.len(), 2);
        assert_eq!(got[0].header("x-hook-delivery"), got[1].header("x-hook-delivery"));
        assert_eq!(got[0].body, got[1].body);
        let listed = program.run(["notifications", "list", "--json"]).await.expect(0).json();
        assert_eq!(listed["notifications"][0]["state"], "sent");
    })
    .await;
}
