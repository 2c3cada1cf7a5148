//! What is an event, who is told of it, and how often.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use pm_lab::receiver::Reply;
use pm_lab::smtp;
use pm_store::events::EventKind;
use pm_store::jobs::{self, Outcome};
use pm_store::notifications::State;
use pm_store::objects::models::notification_rule;
use pm_store::objects::problems::Rules;
use pm_store::objects::record::Draft;
use pm_store::objects::write::{self, Writing};
use pm_store::polls::{self, Polled, SessionKind};
use pm_store::testing::each_engine;
use pm_store::{events, queue};
use pm_tasks::{Done, Housekeeping, NoSink, Runner, Task, TaskContext, TaskError};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use super::World;
use crate::support::author;
use crate::support::fake_routers::fill;

/// Fails, and was asked for in many words.
struct Wordy;

#[async_trait::async_trait]
impl Task for Wordy {
    fn name(&self) -> &'static str {
        "wordy"
    }
    fn label(&self) -> &'static str {
        "test.wordy"
    }
    fn arguments(&self) -> Json {
        json!({ "asns": (0..5_000).collect::<Vec<i64>>() })
    }
    fn lock_key(&self) -> Option<String> {
        None
    }
    async fn run(&self, _: &TaskContext) -> Result<Done, TaskError> {
        Err(TaskError::Failed("no".into()))
    }
}

/// Ends as it is told.
struct Ends(Result<Outcome, &'static str>, bool);

#[async_trait::async_trait]
impl Task for Ends {
    fn name(&self) -> &'static str {
        "ends"
    }
    fn label(&self) -> &'static str {
        "test.ends"
    }
    fn arguments(&self) -> Json {
        json!({"n": 1})
    }
    fn lock_key(&self) -> Option<String> {
        None
    }
    async fn run(&self, _: &TaskContext) -> Result<Done, TaskError> {
        match self.0 {
            Ok(outcome) => Ok(Done { outcome, summary: "done".into(), data: Json::Null }),
            Err(why) if self.1 => Err(TaskError::Refused(why.into())),
            Err(why) => Err(TaskError::Failed(why.into())),
        }
    }
}

const FAILED: Ends = Ends(Err("HTTP 503 after 12 s"), false);
const WELL: Ends = Ends(Ok(Outcome::Ok), false);

async fn run(world: &World, task: &dyn Task) -> i64 {
    let runner = Runner {
        store: world.store.clone(),
        config: Arc::clone(&world.config),
        clock: Arc::clone(&world.clock) as _,
        sink: Arc::new(NoSink),
        seed: 1,
        wait: false,
    };
    runner.run(task, CancellationToken::new()).await.unwrap().job
}

/// The kinds of the events that were noted.
async fn noted(world: &World) -> Vec<String> {
    let rows = world.store.rows("SELECT kind FROM extras_event ORDER BY id", vec![]).await.unwrap();
    rows.iter().map(|row| row.get("kind").unwrap()).collect()
}

async fn mailing(store: &pm_store::Store) -> (World, smtp::Server) {
    let server = smtp::Server::start(smtp::Options::default()).await.unwrap();
    let port = server.port().to_string();
    let settings = [
        ("email_server", "127.0.0.1"),
        ("email_port", port.as_str()),
        ("email_from_address", "Peering <pm@example.net>"),
        ("email_subject_prefix", "[peering]"),
    ];
    (World::with(store, &settings).await, server)
}

#[tokio::test]
async fn jobs_are_told_by_mail_and_equal_failures_folded() {
    each_engine(async |store| {
        let (world, server) = mailing(&store).await;
        run(&world, &FAILED).await;
        assert_eq!(noted(&world).await, [""; 0], "nobody wants to hear of it");
        world.create(World::rule("nightly", &["job failed"]).with("fold_minutes", 60)).await;
        let job = run(&world, &FAILED).await;
        assert_eq!(world.deliver().await.sent, 1);
        let mail = server.taken().remove(0);
        assert_eq!(
            (mail.from.as_str(), mail.to.as_slice()),
            ("pm@example.net", &["noc@example.org".to_owned()][..])
        );
        assert!(
            mail.text.contains(&format!("Subject: [peering] job {job} (ends) failed\n")),
            "{}",
            mail.text
        );
        for text in ["HTTP 503 after 12 s", &format!("peering-manager jobs show {job}"), "rule nightly"] {
            assert!(mail.text.contains(text), "{text}\n{}", mail.text);
        }
        for _ in 0..3 {
            world.clock.pass(TimeDelta::minutes(10));
            run(&world, &FAILED).await;
        }
        assert_eq!(world.deliver().await.sent, 0, "folded");
        world.clock.pass(TimeDelta::minutes(31));
        run(&world, &FAILED).await;
        assert_eq!(world.deliver().await.sent, 1);
        let mail = server.taken().pop().unwrap().text;
        assert!(mail.contains("The same happened 3 times since 2026-01-01 00:10:00 UTC"), "{mail}");
        // A recovery ends the fold.
        run(&world, &WELL).await;
        run(&world, &FAILED).await;
        assert_eq!(world.deliver().await.sent, 1);
        // Another trouble of the same task is told at once.
        run(&world, &Ends(Err("edge1 refused"), false)).await;
        assert_eq!(world.deliver().await.sent, 1);
        assert_eq!(server.taken().len(), 4);
    })
    .await;
}

#[tokio::test]
async fn arguments_without_end_can_be_told_of() {
    each_engine(async |store| {
        let (world, server) = mailing(&store).await;
        world.create(World::rule("nightly", &["job failed"])).await;
        run(&world, &Wordy).await;
        let row = store.row("SELECT subject FROM extras_event", vec![]).await.unwrap();
        assert_eq!(row.unwrap().get::<String, _>("subject").unwrap().chars().count(), 500);
        assert_eq!(world.deliver().await.sent, 1);
        run(&world, &Wordy).await;
        assert_eq!(world.deliver().await.sent, 0, "the fold is found again");
        assert_eq!(server.taken().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn events_that_cannot_be_dealt_with_hold_nothing_else_back() {
    each_engine(async |store| {
        let (world, server) = mailing(&store).await;
        world.create(World::rule("nightly", &["job failed"])).await;
        run(&world, &FAILED).await;
        pm_tasks::notify::dispatch(&store, world.now()).await.unwrap();
        run(&world, &FAILED).await;
        store.execute("ALTER TABLE extras_notificationfold RENAME TO away", vec![]).await.unwrap();
        assert!(pm_tasks::notify::dispatch(&store, world.now()).await.is_err());
        assert_eq!(world.deliver().await.sent, 1);
        assert_eq!(server.taken().len(), 1);
        let (waiting, since) = events::waiting(&store).await.unwrap();
        assert_eq!((waiting, since), (1, Some(world.now())));
    })
    .await;
}

#[tokio::test]
async fn nobody_may_wait_for_two_downs_in_a_row() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let author = author();
        let writing =
            Writing { author: &author, now: world.now(), keyring: &world.keyring, rules: Rules::ALL };
        // What only ends troubles is told to nobody.
        let draft = World::rule("r", &["guard passed"]);
        let mut transaction = store.begin().await.unwrap();
        let refused = write::create(&mut transaction.session(), writing, &[draft]).await.unwrap_err();
        assert!(refused.to_string().contains("no kind of event"), "{refused}");
        transaction.rollback().await.unwrap();
        let draft = World::rule("r", &["job failed", "session down"]).with("minimum", 2);
        let mut transaction = store.begin().await.unwrap();
        let refused = write::create(&mut transaction.session(), writing, &[draft]).await.unwrap_err();
        assert!(refused.to_string().contains("minimum"), "{refused}");
        transaction.rollback().await.unwrap();
        world.create(World::rule("r", &["job failed"]).with("minimum", 2)).await;
    })
    .await;
}

#[tokio::test]
async fn every_end_of_a_job_is_an_event() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let all: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        world.create(World::rule("all", &all)).await;
        run(&world, &WELL).await;
        run(&world, &Ends(Ok(Outcome::Partial), false)).await;
        run(&world, &FAILED).await;
        run(&world, &Ends(Err("would lose 90 %"), true)).await;
        let task = pm_tasks::AnyTask::Housekeeping(Housekeeping { dry_run: true });
        let queued =
            pm_tasks::queue::enqueue(&store, &task, pm_tasks::queue::Origin::COMMAND_LINE, world.now())
                .await
                .unwrap();
        queue::cancel(&store, queued.job, world.now()).await.unwrap();
        let lost = jobs::NewJob {
            job_id: "lost".into(),
            name: "x".into(),
            task: "x".into(),
            arguments: json!({}),
            user_id: None,
        };
        jobs::open(&store, &lost, Some("far.example/boot/ns/77/1"), world.now()).await.unwrap();
        world.clock.pass(TimeDelta::hours(1));
        let now = world.now();
        queue::close_lost(&store, |_| false, now - TimeDelta::minutes(2), now, |_| None).await.unwrap();
        let kinds = ["job completed", "job partial", "job failed", "guard held", "job cancelled", "job lost"];
        assert_eq!(noted(&world).await, kinds);
        // What is over stays over, and is told once.
        let close = jobs::Close::because(jobs::Status::Errored, "late");
        assert!(!jobs::close(&store, queued.job, &close, world.now()).await.unwrap());
        assert_eq!(noted(&world).await.len(), 6);
    })
    .await;
}

async fn polled(world: &World, kind: SessionKind, states: &[(i64, Option<&'static str>)]) {
    world.clock.pass(TimeDelta::hours(1));
    let rows: Vec<Polled> = states
        .iter()
        .map(|(id, state)| Polled {
            id: *id,
            state: *state,
            last_error: Some("Hold Timer Expired".into()),
            ..Polled::default()
        })
        .collect();
    let mut transaction = world.store.begin().await.unwrap();
    let mut session = transaction.session();
    let all = BTreeMap::from([(kind, rows.clone())]);
    events::sessions_polled(&mut session, &all, world.now()).await.unwrap();
    polls::store(&mut session, kind, &rows, world.now()).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn sessions_that_go_down_and_come_up_are_told() {
    each_engine(async |store| {
        let (world, server) = mailing(&store).await;
        let (direct, [four, six]) = fill(&store).await;
        world.create(World::rule("sessions", &["session down", "session up"])).await;
        let ixp = SessionKind::Ixp;
        polled(&world, ixp, &[(four, Some("established")), (six, Some("idle"))]).await;
        assert_eq!(noted(&world).await, [""; 0], "nobody knew them before");
        polled(&world, ixp, &[(four, Some("established")), (six, Some("active"))]).await;
        assert_eq!(noted(&world).await, [""; 0]);
        polled(&world, ixp, &[(four, Some("active")), (six, Some("established"))]).await;
        assert_eq!(noted(&world).await, ["session down", "session up"]);
        // The router does not know it for a while: what counts is the state before.
        polled(&world, ixp, &[(six, None)]).await;
        polled(&world, ixp, &[(six, Some("established"))]).await;
        assert_eq!(noted(&world).await.len(), 2);
        polled(&world, ixp, &[(six, None)]).await;
        polled(&world, ixp, &[(six, Some("idle"))]).await;
        assert_eq!(noted(&world).await.len(), 3);
        // One that was disabled here may go down.
        let direct_kind = SessionKind::Direct;
        polled(&world, direct_kind, &[(direct, Some("established"))]).await;
        let sql = "UPDATE peering_directpeeringsession SET status = 'disabled'";
        store.execute(sql, vec![]).await.unwrap();
        polled(&world, direct_kind, &[(direct, Some("idle"))]).await;
        assert_eq!(noted(&world).await.len(), 3);
        assert_eq!(world.deliver().await.sent, 3);
        let subject = "Subject: [peering] session with AS64501 Peer (198.51.100.1) on edge1 is down";
        // They are sent at the same time, so any may be the first.
        let mails: Vec<String> = server.taken().iter().map(|mail| mail.text.replace("\n ", " ")).collect();
        let mail = mails.iter().find(|mail| mail.contains(subject)).unwrap_or_else(|| panic!("{mails:?}"));
        assert!(
            mail.contains("It was established and is active now; it says: Hold Timer Expired."),
            "{mail}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_rule_for_one_router_hears_of_no_other() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let (_, [four, _]) = fill(&store).await;
        for (name, router) in [("here", "edge1"), ("there", "edge2")] {
            world.create(World::rule(name, &["session down"]).with_json("routers", json!([router]))).await;
        }
        polled(&world, SessionKind::Ixp, &[(four, Some("established"))]).await;
        polled(&world, SessionKind::Ixp, &[(four, Some("idle"))]).await;
        pm_tasks::notify::dispatch(&store, world.now()).await.unwrap();
        let found = world.deliveries().await;
        assert_eq!(found.len(), 1);
        let row =
            store.row("SELECT id FROM extras_notificationrule WHERE name = 'here'", vec![]).await.unwrap();
        assert_eq!(found[0].rule, Some(row.unwrap().get("id").unwrap()));
    })
    .await;
}

#[tokio::test]
async fn a_rule_can_tell_a_webhook() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let hook = world.create(world.hook("chat", "devices.router")).await.id;
        let rule = Draft::new(&notification_rule::MODEL)
            .with("name", "chat")
            .with_json("events", json!(["job failed"]))
            .with("webhook", hook);
        let rule = world.create(rule).await.id;
        let job = run(&world, &FAILED).await;
        world.receiver.reply(Reply::status(202));
        // One connection is enough for it: whoever held one and waited for another could wait for ever.
        let mut held = Vec::new();
        while let Ok(one) = tokio::time::timeout(Duration::from_millis(300), store.connection()).await {
            held.push(one.unwrap());
        }
        drop(held.pop());
        assert_eq!(world.deliver().await.sent, 1);
        drop(held);
        let (request, body) = world.received().remove(0);
        assert_eq!(request.target, "/chat");
        assert_eq!((&body["event"], &body["model"]), (&json!("job failed"), &json!("job")));
        assert_eq!((&body["data"]["job"]["id"], &body["data"]["job"]["task"]), (&json!(job), &json!("ends")));
        assert_eq!(body["data"]["message"], "HTTP 503 after 12 s");
        // A rule that is off hears of nothing.
        world.update(rule, Draft::new(&notification_rule::MODEL).with("enabled", false)).await;
        run(&world, &Ends(Err("another"), false)).await;
        assert_eq!(noted(&world).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn mail_that_is_refused_is_sent_later() {
    each_engine(async |store| {
        let (world, server) = mailing(&store).await;
        world.create(World::rule("r", &["job failed"])).await;
        server.refuse(Some("451 4.7.1 greylisted"));
        run(&world, &FAILED).await;
        assert_eq!(world.deliver().await.failed, 1);
        let found = world.deliveries().await.remove(0);
        assert!(
            found.error.as_deref().unwrap().contains("451 4.7.1 greylisted")
                || found.error.as_deref().unwrap().contains("greylisted"),
            "{found:?}"
        );
        server.refuse(None);
        world.clock.pass(TimeDelta::seconds(30));
        assert_eq!(world.deliver().await.sent, 1);
        let mail = server.taken().remove(0).text;
        assert!(mail.contains(&format!("Message-ID: <{}@example.net>", found.delivery_id)), "{mail}");
        // Without a sender there is no e-mail, and that is said.
        let bare = World::new(&store).await;
        run(&bare, &Ends(Err("another"), false)).await;
        bare.deliver().await;
        let last = bare.deliveries().await.pop().unwrap();
        assert_eq!(last.state, State::Failed);
        assert!(last.error.unwrap().contains("email.from_address"));
    })
    .await;
}

#[tokio::test]
async fn events_and_messages_go_with_time() {
    each_engine(async |store| {
        let (world, _server) = mailing(&store).await;
        world.create(World::rule("r", &["job failed"]).with_json("tasks", json!(["ends"]))).await;
        run(&world, &FAILED).await;
        world.deliver().await;
        run(&world, &Ends(Err("another"), false)).await;
        pm_tasks::notify::dispatch(&store, world.now()).await.unwrap();
        // And one that nobody has looked at.
        run(&world, &Ends(Err("a third"), false)).await;
        world.clock.pass(TimeDelta::days(89));
        run(&world, &Housekeeping::default()).await;
        assert_eq!(world.deliveries().await.last().unwrap().state, State::Pending, "there is still time");
        world.clock.pass(TimeDelta::days(2));
        run(&world, &Housekeeping { dry_run: true }).await;
        assert_eq!(world.deliveries().await.len(), 2);
        run(&world, &Housekeeping::default()).await;
        // The one that was not sent is given up, and can be looked at until the next run.
        let left = world.deliveries().await;
        assert_eq!((left.len(), left[0].state, left[0].finished), (1, State::GivenUp, Some(world.now())));
        assert!(left[0].error.as_deref().unwrap().contains("no worker was at work"), "{left:?}");
        assert_eq!(
            events::waiting(&store).await.unwrap().0,
            3,
            "only what came since is still to be looked at"
        );
        assert_eq!(world.count("extras_notificationfold").await, 0);
        run(&world, &Housekeeping::default()).await;
        assert_eq!((world.count("extras_delivery").await, world.count("extras_event").await), (0, 4));
    })
    .await;
}
