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
