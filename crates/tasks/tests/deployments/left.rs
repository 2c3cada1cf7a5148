//! Changes whose confirmation is lost, and what a process leaves behind.

use super::*;

/// A change to what all have.
async fn change(scene: &Scene) {
    assert_eq!(scene.deploy().await.exit, 0);
    scene.sql("UPDATE devices_configuration SET template = template || 'new\n'").await;
}

#[tokio::test]
async fn a_confirmation_that_is_lost_is_sent_again() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        change(&scene).await;
        for edge in EDGES {
            scene.routers.of(edge).lock().unwrap().silent = edge != "edge2";
        }
        scene.routers.trouble("edge1", Some(Trouble::LostAfterConfirm));
        scene.routers.trouble("edge2", Some(Trouble::LostAfterConfirm));
        scene.routers.trouble("edge3", Some(Trouble::LostBeforeConfirm));
        let finished = scene.deploy().await;
        assert_eq!(finished.exit, 0, "{}", finished.data);
        for edge in EDGES {
            assert!(scene.routers.running(edge).ends_with("new"), "{edge}");
        }
        let rows = scene.deployments().await;
        assert!(rows.iter().all(|row| row.status == Status::Confirmed && row.ended.is_some()));
    })
    .await;
}

#[tokio::test]
async fn a_router_that_does_not_tell_what_waits_is_told_by_name() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        change(&scene).await;
        let before = scene.routers.running("edge1");
        scene.routers.of("edge1").lock().unwrap().silent = true;
        scene.routers.trouble("edge1", Some(Trouble::SessionsDie));
        let finished = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&finished)["edge1"], "rolled_back", "{}", finished.data);
        assert!(message(&finished, "edge1").ends_with("the change was undone"), "{}", finished.data);
        assert_eq!(scene.routers.running("edge1"), before, "at once, and not by its timer");
    })
    .await;
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
        assert!(warnings.contains("the router had confirmed it"), "{warnings}");
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
