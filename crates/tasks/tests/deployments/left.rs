//! What a process leaves behind.

use super::*;

/// A change to what all have.
async fn change(scene: &Scene) {
    assert_eq!(scene.deploy().await.exit, 0);
    scene.sql("UPDATE devices_configuration SET template = template || 'new\n'").await;
}

/// As if the process of the newest deployment had died before it recorded how that ended.
async fn forget_the_end(scene: &Scene) -> Deployment {
    let row = scene.deployments().await[0].clone();
    let pending = json!({ "platform": "bird", "id": "change-2", "seconds": 300 });
    scene
        .sql(&format!(
            "UPDATE devices_deployment SET status = 'unconfirmed', ended = NULL, in_force = NULL, \
             pending = '{pending}' WHERE id = {}",
            row.id
        ))
        .await;
    row
}

#[tokio::test]
async fn what_was_confirmed_and_not_recorded_is_in_force() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        change(&scene).await;
        assert_eq!(scene.run(only("edge1")).await.exit, 0);
        let row = forget_the_end(&scene).await;
        let finished = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&finished)["edge1"], "unchanged", "{}", finished.data);
        let warnings = finished.data["routers"][0]["warnings"].to_string();
        assert!(warnings.contains("it is in force, and waits for no confirmation"), "{warnings}");
        let mut connection = store.connection().await.unwrap();
        let whole = deployments::find(&mut connection.session(), row.id).await.unwrap().unwrap();
        assert_eq!(whole.deployment.status, Status::Confirmed);
        assert!(whole.in_force.is_some(), "drift is measured by it");
        // Where somebody has changed the router since, that cannot be told any more.
        forget_the_end(&scene).await;
        scene.routers.of("edge1").lock().unwrap().running.push_str("by hand\n");
        let finished = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&finished)["edge1"], "confirmed", "{}", finished.data);
        let rows = scene.deployments().await;
        assert_eq!((rows[1].id, rows[1].status), (row.id, Status::Unknown));
    })
    .await;
}

/// Where the daemon keeps the time, what waits on the router looks undone only when it is asked.
#[tokio::test]
async fn what_had_no_time_left_went_back_by_itself() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        change(&scene).await;
        scene.config.post_check_min_seconds = 60;
        scene.config.commit_confirm_seconds = 300;
        let dead = died_unconfirmed(&scene, "edge1").await;
        scene.config.post_check_min_seconds = 0;
        scene.clock.pass(TimeDelta::seconds(301));
        let finished = scene.run(only("edge1")).await;
        let warnings = finished.data["routers"][0]["warnings"].to_string();
        assert!(warnings.contains("it ended; the router rolled back by itself"), "{warnings}");
        let rows = scene.deployments().await;
        assert_eq!((rows[1].id, rows[1].status), (dead, Status::RolledBack));
        let job = pm_store::jobs::get(&store, rows[1].job.unwrap()).await.unwrap().unwrap();
        assert!(job.error.unwrap().contains("router rolled back"), "its job tells it");
    })
    .await;
}

#[tokio::test]
async fn somebody_else_s_change_is_not_touched() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        change(&scene).await;
        assert_eq!(scene.run(only("edge1")).await.exit, 0);
        let row = forget_the_end(&scene).await;
        scene.routers.of("edge1").lock().unwrap().somebody_commits("theirs", "by hand\n");
        let finished = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&finished)["edge1"], "failed", "{}", finished.data);
        assert!(message(&finished, "edge1").contains("not ours waits"), "{}", finished.data);
        assert_eq!(scene.routers.running("edge1"), "by hand\n");
        let rows = scene.deployments().await;
        assert_eq!((rows[0].id, rows[0].status), (row.id, Status::Unconfirmed), "the next run looks again");
    })
    .await;
}

/// Ends a run that has committed and not confirmed yet; gives its deployment.
async fn died_unconfirmed(scene: &Scene, router: &str) -> i64 {
    let dying = {
        let (runner, routers, task) = (scene.runner(), Arc::clone(&scene.routers), only(router));
        tokio::spawn(
            async move { runner.run(&Over(task, routers as _), CancellationToken::new()).await.unwrap() },
        )
    };
    for _ in 0..6000 {
        if scene.deployments().await[0].status == Status::Unconfirmed {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    dying.abort();
    let _ = dying.await;
    let row = scene.deployments().await.swap_remove(0);
    assert_eq!((row.status, row.router_name.as_str()), (Status::Unconfirmed, router));
    row.id
}

#[tokio::test]
async fn what_somebody_confirmed_is_not_undone() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        assert_eq!(scene.deploy().await.exit, 0);
        scene.sql("UPDATE devices_configuration SET template = template || 'new\n'").await;
        let edge = scene.routers.of("edge1");
        edge.lock().unwrap().is_confirmed_by_hand = true;
        scene.routers.trouble("edge1", Some(Trouble::SessionsDie));
        let finished = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&finished)["edge1"], "unknown", "{}", finished.message);
        assert!(message(&finished, "edge1").contains("look at it"), "{}", finished.message);
        assert_eq!(edge.lock().unwrap().rollbacks, 0);
        assert!(scene.routers.running("edge1").ends_with("new"));

        // Nor by the run after one that died.
        edge.lock().unwrap().is_confirmed_by_hand = false;
        scene.routers.trouble("edge1", None);
        scene.config.post_check_min_seconds = 60;
        scene.config.commit_confirm_seconds = 300;
        let dead = died_unconfirmed(&scene, "edge2").await;
        scene.routers.of("edge2").lock().unwrap().confirm_by_hand();
        scene.config.post_check_min_seconds = 0;
        // A router that cannot undo it may still have it waiting, until its time is over.
        scene.routers.trouble("edge2", Some(Trouble::KeepsAll));
        scene.sql("DELETE FROM core_lock").await;
        let finished = scene.run(only("edge2")).await;
        assert!(message(&finished, "edge2").contains("could not be undone"), "{}", finished.message);
        scene.clock.pass(TimeDelta::hours(1));
        let finished = scene.run(only("edge2")).await;
        assert_eq!(verdicts(&finished)["edge2"], "unchanged", "{}", finished.message);
        let warnings = finished.data["routers"][0]["warnings"].to_string();
        assert!(warnings.contains("it is in force, and waits for no confirmation"), "{warnings}");
        let row = scene.deployments().await.into_iter().find(|row| row.id == dead).unwrap();
        assert_eq!(row.status, Status::Confirmed);
        assert_eq!(scene.routers.of("edge2").lock().unwrap().rollbacks, 0);
        assert!(scene.routers.running("edge2").ends_with("new"));
    })
    .await;
}

#[tokio::test]
async fn a_process_that_died_before_it_confirmed_leaves_nothing_behind() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        assert_eq!(scene.deploy().await.exit, 0);
        scene.sql("UPDATE devices_configuration SET template = template || 'new\n'").await;
        let before = scene.routers.running("edge1");
        scene.config.post_check_min_seconds = 60;
        scene.config.commit_confirm_seconds = 300;
        let edge = scene.routers.of("edge1");
        died_unconfirmed(&scene, "edge1").await;
        assert!(scene.routers.running("edge1").ends_with("new"), "it is in force, and unconfirmed");
        // Its lock is its own until the lease ends.
        scene.config.post_check_min_seconds = 0;
        let busy = scene.run(only("edge1")).await;
        assert_eq!(busy.exit, 75, "{}", busy.message);
        assert!(busy.message.contains("deploy:"), "{}", busy.message);
        scene.clock.pass(TimeDelta::minutes(3));
        let finished = scene.run(only("edge1")).await;
        assert_eq!(finished.exit, 0, "{}", finished.message);
        let warnings = finished.data["routers"][0]["warnings"].to_string();
        assert!(warnings.contains("ended before it recorded how it ended; it was undone now"), "{warnings}");
        let job =
            pm_store::jobs::get(&store, scene.deployments().await[1].job.unwrap()).await.unwrap().unwrap();
        assert!(job.error.unwrap().contains("edge1: deployment 4: it was undone now"), "its job tells it");
        let rows = scene.deployments().await;
        assert_eq!((rows[1].status, rows[0].status), (Status::RolledBack, Status::Confirmed));
        assert_ne!(scene.routers.running("edge1"), before);
        assert_eq!(edge.lock().unwrap().confirms, 2);
    })
    .await;
}
