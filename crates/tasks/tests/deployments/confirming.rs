//! Confirmations that are answered with an error, or with nothing.

use super::meanwhile::spawn;
use super::*;

#[tokio::test]
async fn a_confirmation_that_is_refused_is_asked_for_as_long_as_the_change_waits() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        scene.config.commit_confirm_seconds = 10;
        scene.config.deploy_max_failures = 0;
        scene.routers.trouble("edge1", Some(Trouble::ConfirmsLater));
        scene.routers.trouble("edge2", Some(Trouble::ConfirmsNothing));
        scene.routers.trouble("edge3", Some(Trouble::DeniesConfirm));
        let finished = scene.deploy().await;
        let all = verdicts(&finished);
        assert_eq!(EDGES.map(|edge| all[edge].as_str()), ["confirmed", "rolled_back", "unconfirmed"]);
        assert!(
            message(&finished, "edge2").contains("the router rolled back by itself"),
            "{}",
            finished.data
        );
        assert!(message(&finished, "edge3").contains("the next run will tell"), "{}", finished.data);
        assert_eq!(finished.data["spoilt"], 2);
        assert_eq!(scene.routers.running("edge2"), "");
        let rows = scene.deployments().await;
        let of = |name: &str| rows.iter().find(|row| row.router_name == name).unwrap();
        let statuses = EDGES.map(|edge| of(edge).status);
        assert_eq!(statuses, [Status::Confirmed, Status::RolledBack, Status::Unconfirmed]);
        assert!(of("edge3").pending.is_some(), "its name is kept");
        // It had been confirmed.
        let finished = scene.run(only("edge3")).await;
        assert_eq!(verdicts(&finished)["edge3"], "unchanged", "{}", finished.data);
        let row = scene.deployments().await.into_iter().find(|row| row.id == of("edge3").id).unwrap();
        assert_eq!(row.status, Status::Confirmed);
    })
    .await;
}

#[tokio::test]
async fn a_change_that_hangs_on_its_connection_is_looked_at_when_that_is_lost() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        scene.config.commit_confirm_seconds = 600;
        scene.config.deploy_max_failures = 0;
        for edge in EDGES {
            scene.routers.of(edge).lock().unwrap().holds = true;
        }
        scene.routers.trouble("edge1", Some(Trouble::LostBeforeConfirm));
        scene.routers.trouble("edge2", Some(Trouble::LostInConfirm));
        let finished = scene.deploy().await;
        let all = verdicts(&finished);
        assert_eq!(EDGES.map(|edge| all[edge].as_str()), ["rolled_back", "unconfirmed", "confirmed"]);
        assert_eq!(scene.routers.running("edge1"), "");
        let rows = scene.deployments().await;
        let of = |name: &str| rows.iter().find(|row| row.router_name == name).unwrap();
        assert_eq!(
            EDGES.map(|edge| of(edge).status),
            [Status::RolledBack, Status::Unconfirmed, Status::Confirmed]
        );
        let finished = scene.run(only("edge2")).await;
        assert_eq!(verdicts(&finished)["edge2"], "unchanged", "{}", finished.data);
        assert_eq!(
            scene.deployments().await.iter().find(|row| row.id == of("edge2").id).unwrap().status,
            Status::Confirmed
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_confirmed_is_no_failure_because_its_record_could_not_be_written() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        scene.routers.trouble("edge1", Some(Trouble::PausesConfirmed));
        let running = spawn(&scene, only("edge1"));
        let edge = scene.routers.of("edge1");
        soon(async || edge.lock().unwrap().confirms == 1, "it is confirmed").await;
        // Somebody takes its lock.
        scene.sql("DELETE FROM core_lock").await;
        scene.routers.trouble("edge1", None);
        let finished = running.await.unwrap();
        assert_eq!(verdicts(&finished)["edge1"], "confirmed", "{}", finished.data);
        let warnings = finished.data["routers"][0]["warnings"].to_string();
        assert!(warnings.contains("it is deployed, and its record could not say so"), "{warnings}");
        assert_eq!(scene.deployments().await[0].status, Status::Unconfirmed);
        let finished = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&finished)["edge1"], "unchanged", "{}", finished.data);
        assert_eq!(scene.deployments().await[0].status, Status::Confirmed);
    })
    .await;
}

#[tokio::test]
async fn a_confirmation_without_an_answer_is_asked_again() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        scene.config.commit_confirm_seconds = 10;
        assert_eq!(scene.deploy().await.exit, 0);
        let before = scene.routers.running("edge3");
        scene.sql("UPDATE devices_configuration SET template = template || 'new\n'").await;
        scene.routers.trouble("edge1", Some(Trouble::LostInConfirm));
        scene.routers.trouble("edge2", Some(Trouble::LostBeforeConfirm));
        scene.routers.trouble("edge3", Some(Trouble::CutByConfirm));
        let finished = scene.deploy().await;
        let all = verdicts(&finished);
        assert_eq!(EDGES.map(|edge| all[edge].as_str()), ["confirmed", "confirmed", "rolled_back"]);
        tokio::time::sleep(Duration::from_secs(11)).await;
        assert!(
            scene.routers.running("edge1").ends_with("new")
                && scene.routers.running("edge2").ends_with("new")
        );
        assert_eq!(scene.routers.running("edge3"), before);
        let rows = scene.deployments().await;
        assert!(rows.iter().all(|row| row.ended.is_some()));
        let of = |name: &str| rows.iter().find(|row| row.router_name == name).unwrap().status;
        assert_eq!(EDGES.map(of), [Status::Confirmed, Status::Confirmed, Status::RolledBack]);
    })
    .await;
}
