//! What happens while a run is at work or waits.

use super::*;

/// Somebody is at work on edge1, and another run waits for it.
struct Waiting {
    first: tokio::task::JoinHandle<Finished>,
    second: tokio::task::JoinHandle<Finished>,
}

impl Waiting {
    async fn begin(scene: &mut Scene, second: ConfigureRouters) -> Self {
        scene.config.post_check_min_seconds = 15;
        scene.config.post_check_seconds = 16;
        scene.config.commit_confirm_seconds = 60;
        scene.config.lock_lease = 3600;
        let first = spawn(scene, only("edge1"));
        until(scene, |row| row.status == Status::Unconfirmed).await;
        scene.lines.0.lock().unwrap().clear();
        let second = spawn(scene, ConfigureRouters { wait: true, ..second });
        waits(scene).await;
        Self { first, second }
    }

    async fn end(self) -> Finished {
        let first = self.first.await.unwrap();
        assert_eq!(first.exit, 0, "{}", first.message);
        self.second.await.unwrap()
    }
}

pub fn spawn(scene: &Scene, task: ConfigureRouters) -> tokio::task::JoinHandle<Finished> {
    let (runner, routers) = (scene.runner(), Arc::clone(&scene.routers));
    tokio::spawn(
        async move { runner.run(&Over(task, routers as _), CancellationToken::new()).await.unwrap() },
    )
}

/// Until somebody says that it waits for a router.
pub async fn waits(scene: &Scene) {
    let is_said = async || scene.lines.0.lock().unwrap().iter().any(|line| line.contains("waiting: "));
    soon(is_said, "somebody waits").await;
}

async fn until(scene: &Scene, is: impl Fn(&Deployment) -> bool) {
    soon(async || scene.deployments().await.first().is_some_and(&is), "the newest deployment is so").await;
}

#[tokio::test]
async fn one_that_waited_leaves_what_the_other_did_alone() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        let waiting = Waiting::begin(&mut scene, only("edge1")).await;
        let second = waiting.end().await;
        assert_eq!(verdicts(&second)["edge1"], "unchanged", "{}", second.data);
        assert!(
            second.data["routers"][0]["warnings"].as_array().is_none_or(Vec::is_empty),
            "{}",
            second.data
        );
        let rows = scene.deployments().await;
        assert_eq!((rows.len(), rows[0].status), (1, Status::Confirmed));
        assert_eq!(scene.routers.of("edge1").lock().unwrap().commits, 1);
    })
    .await;
}

#[tokio::test]
async fn what_was_rendered_from_older_objects_takes_no_newer_one_s_place() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        let waiting = Waiting::begin(&mut scene, only("edge1")).await;
        // As if the one that is at work had begun after the one that waits.
        let later = epoch() + TimeDelta::seconds(1);
        let sql = "UPDATE devices_deployment SET rendered = ?";
        store.execute(sql, vec![later.into()]).await.unwrap();
        scene.sql("UPDATE devices_configuration SET template = template || 'newer\n'").await;
        let second = waiting.end().await;
        assert_eq!(verdicts(&second)["edge1"], "not_begun", "{}", second.data);
        let said = message(&second, "edge1");
        assert!(said.contains("came meanwhile, from newer objects; run it again"), "{said}");
        assert_eq!(second.exit, 4, "{}", second.message);
        scene.clock.pass(TimeDelta::minutes(1));
        assert_eq!(verdicts(&scene.run(only("edge1")).await)["edge1"], "confirmed");
    })
    .await;
}

#[tokio::test]
async fn a_freeze_and_the_end_of_a_window_count_up_to_the_commit() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        let waiting = Waiting::begin(&mut scene, task()).await;
        let mut connection = store.connection().await.unwrap();
        let frozen = deployments::freeze(&mut connection.session(), "ina", "leak", epoch()).await.unwrap();
        assert_eq!(frozen, Ok(()));
        scene.routers.of("edge1").lock().unwrap().running.push_str("by hand\n");
        let second = waiting.end().await;
        assert_eq!(verdicts(&second)["edge1"], "not_begun", "{}", second.data);
        assert!(message(&second, "edge1").contains("by ina: leak"), "{}", second.data);
        deployments::thaw(&mut connection.session(), "ina", epoch()).await.unwrap();

        scene
            .sql("UPDATE devices_router SET napalm_args = '{\"deploy_window\": \"Jan 01 00:00-00:10\"}'")
            .await;
        scene.sql("UPDATE devices_configuration SET template = template || 'more\n'").await;
        let waiting = Waiting::begin(&mut scene, only("edge1")).await;
        scene.routers.of("edge1").lock().unwrap().running.push_str("by hand\n");
        scene.clock.pass(TimeDelta::minutes(20));
        let second = waiting.end().await;
        assert_eq!(verdicts(&second)["edge1"], "not_begun", "{}", second.data);
        assert!(message(&second, "edge1").contains("outside its deploy window"), "{}", second.data);
    })
    .await;
}

#[tokio::test]
async fn a_commit_that_cuts_the_way_keeps_the_others_from_theirs_at_once() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        scene.config.router_concurrency = 2;
        scene.routers.trouble("edge1", Some(Trouble::LostInCommit));
        scene.routers.trouble("edge2", Some(Trouble::Hangs));
        let finished = scene.deploy().await;
        let all = verdicts(&finished);
        assert_eq!(EDGES.map(|edge| all[edge].as_str()), ["rolled_back", "failed", "not_begun"]);
        assert!(message(&finished, "edge3").contains("deploy_max_failures is 1"), "{}", finished.data);
    })
    .await;
}

#[tokio::test]
async fn who_cancels_does_not_wait_for_a_router_that_does_not_answer() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        scene.config.commit_confirm_seconds = 300;
        scene.routers.trouble("edge1", Some(Trouble::PausesCommit));
        let cancel = CancellationToken::new();
        let running = {
            let (runner, routers, cancel) = (scene.runner(), Arc::clone(&scene.routers), cancel.clone());
            tokio::spawn(async move { runner.run(&Over(only("edge1"), routers as _), cancel).await.unwrap() })
        };
        let edge = scene.routers.of("edge1");
        soon(async || edge.lock().unwrap().commits == 1, "it is in force").await;
        scene.routers.trouble("edge1", Some(Trouble::Pauses));
        until(&scene, |row| row.status == Status::Unconfirmed).await;
        cancel.cancel();
        let finished = tokio::time::timeout(Duration::from_mins(1), running).await.unwrap().unwrap();
        assert_eq!(verdicts(&finished)["edge1"], "unconfirmed", "{}", finished.data);
        assert!(
            message(&finished, "edge1").contains("the router undoes it within 300 s"),
            "{}",
            finished.data
        );
    })
    .await;
}
