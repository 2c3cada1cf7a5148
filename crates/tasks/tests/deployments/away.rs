//! A database that is away while a change is in force.

use super::meanwhile::spawn;
use super::*;

/// Nobody finds the records of deployments.
async fn hide(scene: &Scene) {
    scene.sql("ALTER TABLE devices_deployment RENAME TO devices_deployment_away").await;
}

async fn show(scene: &Scene) {
    scene.sql("ALTER TABLE devices_deployment_away RENAME TO devices_deployment").await;
}

/// A change of edge1 that is in force, while the database is away.
async fn committed(scene: &Scene) -> tokio::task::JoinHandle<Finished> {
    scene.routers.trouble("edge1", Some(Trouble::PausesCommit));
    let running = spawn(scene, only("edge1"));
    let edge = scene.routers.of("edge1");
    soon(async || edge.lock().unwrap().commits == 1, "it is in force").await;
    hide(scene).await;
    running
}

#[tokio::test]
async fn a_change_is_confirmed_though_the_database_is_away() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        scene.config.commit_confirm_seconds = 600;
        let running = committed(&scene).await;
        scene.routers.trouble("edge1", Some(Trouble::PausesConfirmed));
        let edge = scene.routers.of("edge1");
        soon(async || edge.lock().unwrap().confirms == 1, "it is confirmed").await;
        show(&scene).await;
        scene.routers.trouble("edge1", None);
        let finished = running.await.unwrap();
        assert_eq!(verdicts(&finished)["edge1"], "confirmed", "{}", finished.data);
        let warnings = finished.data["routers"][0]["warnings"].to_string();
        assert!(warnings.contains("could not say that it waits for its confirmation"), "{warnings}");
        assert_eq!(scene.deployments().await[0].status, Status::Confirmed);
    })
    .await;
}

#[tokio::test]
async fn a_change_is_undone_though_the_database_stays_away() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        scene.config.commit_confirm_seconds = 600;
        scene.config.deploy_max_failures = 0;
        assert_eq!(scene.deploy().await.exit, 0);
        let before = scene.routers.running("edge1");
        scene.sql("UPDATE devices_configuration SET template = template || 'new\n'").await;
        let edge = scene.routers.of("edge1");
        edge.lock().unwrap().commits = 0;
        let running = committed(&scene).await;
        edge.lock().unwrap().down = [1, 2].map(|last| [192, 0, 2, last].into()).into();
        scene.routers.trouble("edge1", None);
        let finished = running.await.unwrap();
        assert_eq!(verdicts(&finished)["edge1"], "rolled_back", "{}", finished.data);
        assert_eq!(finished.data["spoilt"], 1);
        let warnings = finished.data["routers"][0]["warnings"].to_string();
        assert!(warnings.contains("its record could not say so"), "{warnings}");
        assert_eq!(scene.routers.running("edge1"), before);
        // The next run finds what is left of it.
        show(&scene).await;
        let finished = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&finished)["edge1"], "confirmed", "{}", finished.data);
        let rows = scene.deployments().await;
        assert_eq!([rows[0].status, rows[1].status], [Status::Confirmed, Status::Failed]);
    })
    .await;
}
