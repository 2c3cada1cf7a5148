//! Deployments with the driver for IOS-XR, which learns of a change that waits only by its name.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::TimeDelta;
use pm_lab::routers::netconf::{Fault, Kind, Options, Router as StandIn};
use pm_lab::routers::peering::Others;
use pm_lab::routers::place::Place;
use pm_router::{Error, HostKeys, Limits, Router, Target};
use pm_store::Store;
use pm_store::deployments::Status;
use pm_store::testing::each_engine;
use pm_tasks::Finished;
use pm_tasks::routers::Connector;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Over, Scene, fill, message, only, verdicts};

/// The way to one stand-in, whatever the name of the router.
struct Way {
    router: StandIn,
    limits: Limits,
}

#[async_trait]
impl Connector for Way {
    async fn connect(&self, target: &Target) -> Result<Box<dyn Router>, Error> {
        let mut target = target.clone();
        let address = self.router.address();
        target.endpoint.host = address.ip().to_string();
        target.endpoint.port = address.port();
        target.host_keys = HostKeys::Fingerprint(self.router.fingerprint());
        target.limits = self.limits;
        pm_router::connect(&target).await
    }
}

struct Lab {
    scene: Scene,
    way: Arc<Way>,
}

impl Lab {
    /// A router that got its sessions by a first deployment, with a template that says something else since then.
    async fn with(store: &Store, more: &str) -> Self {
        fill(store).await;
        let mut scene = Scene::new(store);
        scene.config.napalm_password = Some("Planted".to_owned().into());
        let options = Options {
            kind: Kind::IosXr,
            config: "hostname edge1\n".to_owned(),
            password: "Planted".to_owned(),
            answers: [].into(),
            minute: Duration::from_mins(1),
        };
        let router = StandIn::start_at(Place::default(), options, Some(Others::default())).await.unwrap();
        let limits = Limits { change: Duration::from_secs(20), ..Limits::default() };
        scene.sql("UPDATE devices_platform SET napalm_driver = 'iosxr_netconf'").await;
        let arguments = json!({"load_mode": "replace"});
        scene.sql(&format!("UPDATE devices_router SET napalm_args = '{arguments}'")).await;
        scene
            .sql(
                "UPDATE devices_configuration SET template = 'hostname {{ router.hostname }}\nrouter bgp 64496\n\
                 {% for s in router | direct_sessions %} neighbor {{ s | ip }}\n  remote-as 64501\n{% endfor %}'",
            )
            .await;
        let lab = Self { scene, way: Arc::new(Way { router, limits }) };
        let finished = lab.deploy().await;
        assert_eq!(verdicts(&finished)["edge1"], "confirmed", "{}", finished.message);
        let (old, new) = more.split_once(" => ").unwrap();
        lab.scene
            .sql(&format!("UPDATE devices_configuration SET template = REPLACE(template, '{old}', '{new}')"))
            .await;
        lab
    }

    fn limit(&mut self, change: Duration) {
        Arc::get_mut(&mut self.way).unwrap().limits.change = change;
    }

    async fn deploy(&self) -> Finished {
        let task = Over(only("edge1"), Arc::clone(&self.way) as _);
        self.scene.runner().run(&task, CancellationToken::new()).await.unwrap()
    }

    async fn last(&self) -> Status {
        self.scene.deployments().await[0].status
    }
}

/// What takes no session down.
const HARMLESS: &str = "router bgp 64496 => domain name example.net\nrouter bgp 64496";
/// The other side has another AS.
const HARMFUL: &str = "remote-as 64501 => remote-as 64999";

#[tokio::test]
async fn lost_sessions_are_undone_by_name() {
    each_engine(async |store| {
        let mut lab = Lab::with(&store, HARMFUL).await;
        // The router would not do it by itself in the time of this test.
        lab.scene.config.commit_confirm_seconds = 600;
        let before = lab.way.router.running();
        let begun = Instant::now();
        let finished = lab.deploy().await;
        assert_eq!(verdicts(&finished)["edge1"], "rolled_back", "{}", finished.message);
        let message = message(&finished, "edge1");
        assert!(message.contains("4 sessions that were up are gone"), "{message}");
        assert!(message.ends_with("the change was undone"), "{message}");
        assert_eq!(lab.way.router.running(), before);
        assert_eq!(lab.last().await, Status::RolledBack);
        assert!(begun.elapsed() < Duration::from_mins(5));
    })
    .await;
}

#[tokio::test]
async fn a_commit_without_an_answer_is_undone_by_name() {
    each_engine(async |store| {
        let mut lab = Lab::with(&store, HARMLESS).await;
        lab.scene.config.commit_confirm_seconds = 600;
        let before = lab.way.router.running();
        for (fault, verdict, word) in [
            (Fault::CutAfter, "rolled_back", "the change was undone"),
            (Fault::CutBefore, "failed", "nothing of the change is in force"),
        ] {
            lab.way.router.fail("commit", 0, fault);
            let finished = lab.deploy().await;
            assert_eq!(verdicts(&finished)["edge1"], verdict, "{}", finished.message);
            assert!(message(&finished, "edge1").contains(word), "{}", finished.message);
            assert_eq!(lab.way.router.running(), before);
        }
    })
    .await;
}

#[tokio::test]
async fn a_process_that_died_is_followed_by_one_that_knows_the_name() {
    each_engine(async |store| {
        let mut lab = Lab::with(&store, HARMLESS).await;
        lab.scene.config.commit_confirm_seconds = 600;
        lab.scene.config.post_check_min_seconds = 300;
        // It dies in the commit, of which the answer is late, or when the router has answered.
        for status in [Status::Committing, Status::Unconfirmed] {
            let before = lab.way.router.running();
            if status == Status::Committing {
                lab.way.router.fail("get-cli-config-diff", 1, Fault::Silent);
            }
            let dying = {
                let (runner, way) = (lab.scene.runner(), Arc::clone(&lab.way));
                tokio::spawn(async move {
                    runner.run(&Over(only("edge1"), way as _), CancellationToken::new()).await.unwrap()
                })
            };
            let begun = Instant::now();
            while lab.last().await != status || lab.way.router.running() == before {
                assert!(begun.elapsed() < Duration::from_mins(2), "it does not commit");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            dying.abort();
            let _ = dying.await;
            lab.scene.clock.pass(TimeDelta::minutes(3));
            let dead = lab.scene.deployments().await[0].id;
            lab.scene.config.post_check_min_seconds = 0;
            let finished = lab.deploy().await;
            assert_eq!(verdicts(&finished)["edge1"], "confirmed", "{}", finished.message);
            let warnings = finished.data["routers"][0]["warnings"].to_string();
            assert!(warnings.contains("it was undone now"), "{warnings}");
            let rows = lab.scene.deployments().await;
            assert_eq!(rows.iter().find(|row| row.id == dead).unwrap().status, Status::RolledBack);
            // For the next one there is something to change.
            lab.scene.config.post_check_min_seconds = 300;
            lab.scene.sql("UPDATE devices_configuration SET template = template || '! more'").await;
            lab.scene
                .sql("UPDATE devices_configuration SET template = REPLACE(template, 'example.', 'an.example.')")
                .await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_confirmation_without_an_answer_is_asked_again() {
    each_engine(async |store| {
        let mut lab = Lab::with(&store, HARMLESS).await;
        let before = lab.way.router.running();
        lab.scene.config.commit_confirm_seconds = 10;
        // It did not come, and the time is over before that is seen.
        lab.limit(Duration::from_secs(13));
        lab.way.router.fail("commit", 1, Fault::Silent);
        let finished = lab.deploy().await;
        assert_eq!(verdicts(&finished)["edge1"], "rolled_back", "{}", finished.message);
        assert_eq!((lab.way.router.running(), lab.last().await), (before, Status::RolledBack));
        // It did not come, or came, or was refused, and there is time left.
        lab.limit(Duration::from_secs(4));
        lab.scene.config.commit_confirm_seconds = 30;
        for fault in [Fault::Silent, Fault::CutAfter, Fault::Refused] {
            lab.way.router.fail("commit", 1, fault);
            let finished = lab.deploy().await;
            assert_eq!(verdicts(&finished)["edge1"], "confirmed", "{}", finished.message);
            assert_eq!(lab.last().await, Status::Confirmed);
            let committed = lab.way.router.running();
            assert!(committed.contains("domain name"), "{committed}");
            tokio::time::sleep(Duration::from_secs(31)).await;
            assert_eq!(lab.way.router.running(), committed, "it stays");
            lab.scene
                .sql("UPDATE devices_configuration SET template = REPLACE(template, 'example.', 'an.example.')")
                .await;
        }
    })
    .await;
}
