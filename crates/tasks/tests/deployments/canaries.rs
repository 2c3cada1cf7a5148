//! Some routers first.

use super::meanwhile::spawn;
use super::*;

#[tokio::test]
async fn canaries_go_first() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        // Nothing else would keep the others from theirs.
        scene.config.deploy_max_failures = 0;
        assert_eq!(scene.deploy().await.exit, 0);
        scene.sql("UPDATE devices_configuration SET template = template || 'timers 1 3\n'").await;
        scene.routers.trouble("edge1", Some(Trouble::SessionsDie));
        let canary = ConfigureRouters { canary: Some(1), ..task() };
        let finished = scene.run(canary.clone()).await;
        assert_eq!(finished.exit, 4, "{}", finished.message);
        let all = verdicts(&finished);
        assert_eq!([&all["edge1"], &all["edge2"], &all["edge3"]], ["rolled_back", "not_begun", "not_begun"]);
        assert!(message(&finished, "edge3").contains("(--canary)"), "{}", finished.data);
        scene.routers.trouble("edge1", None);
        let finished = scene.run(canary.clone()).await;
        assert_eq!(finished.exit, 0, "{}", finished.message);
        // Routers that have nothing to change prove nothing, so the next is the canary.
        scene.routers.of("edge2").lock().unwrap().running.push_str("by hand\n");
        scene.routers.of("edge3").lock().unwrap().running.push_str("by hand\n");
        scene.routers.trouble("edge2", Some(Trouble::SessionsDie));
        let finished = scene.run(canary).await;
        let all = verdicts(&finished);
        assert_eq!([&all["edge1"], &all["edge2"], &all["edge3"]], ["unchanged", "rolled_back", "not_begun"]);
        assert!(message(&finished, "edge3").contains("(--canary)"), "{}", finished.data);
    })
    .await;
}

#[tokio::test]
async fn routers_with_nothing_to_change_are_looked_at_together() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        assert_eq!(scene.deploy().await.exit, 0);
        let all_have = |trouble| {
            for edge in EDGES {
                scene.routers.trouble(edge, trouble);
            }
        };
        all_have(Some(Trouble::Pauses));
        let running = spawn(&scene, ConfigureRouters { canary: Some(1), ..task() });
        let open = |edge| scene.routers.of(edge).lock().unwrap().open_now;
        soon(async || EDGES.map(open) == [1; 3], "all are asked at once").await;
        all_have(None);
        let finished = running.await.unwrap();
        assert_eq!((finished.exit, verdicts(&finished)["edge3"].as_str()), (0, "unchanged"));
        assert_eq!(EDGES.map(|edge| scene.routers.of(edge).lock().unwrap().commits), [1; 3]);
    })
    .await;
}

#[tokio::test]
async fn the_canary_is_the_first_that_can_be_changed_and_alone_until_it_is_confirmed() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        scene.routers.trouble("edge1", Some(Trouble::Dead));
        scene.routers.trouble("edge2", Some(Trouble::PausesCommit));
        let running = spawn(&scene, ConfigureRouters { canary: Some(1), ..task() });
        let commits = |edge: &str| scene.routers.of(edge).lock().unwrap().commits;
        soon(async || commits("edge2") == 1, "the canary is changed").await;
        assert_eq!((commits("edge3"), scene.deployments().await.len()), (0, 1));
        scene.routers.trouble("edge2", None);
        let finished = running.await.unwrap();
        let all = verdicts(&finished);
        assert_eq!(EDGES.map(|edge| all[edge].as_str()), ["failed", "confirmed", "confirmed"]);
        assert_eq!(finished.exit, 4, "{}", finished.message);
    })
    .await;
}

#[tokio::test]
async fn what_a_look_finds_is_said_although_another_follows() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        assert_eq!(scene.run(only("edge1")).await.exit, 0);
        scene.sql("UPDATE devices_deployment SET status = 'unconfirmed', ended = NULL").await;
        scene.sql("UPDATE devices_configuration SET template = template || 'new\n'").await;
        let finished = scene.run(ConfigureRouters { canary: Some(1), ..only("edge1") }).await;
        let one = &finished.data["routers"][0];
        assert_eq!(one["verdict"], "confirmed", "{}", finished.data);
        assert_eq!(one["warnings"].as_array().unwrap().len(), 1, "{}", finished.data);
        assert!(one["warnings"][0].as_str().unwrap().contains("it is in force"), "{}", finished.data);
        // A rehearsal changes nothing, so it has no canaries.
        scene.routers.trouble("edge2", Some(Trouble::Rejects));
        let rehearsal = ConfigureRouters { canary: Some(1), dry_run: true, ..task() };
        let finished = scene.run(rehearsal).await;
        let all = verdicts(&finished);
        assert_eq!(EDGES.map(|edge| all[edge].as_str()), ["unchanged", "failed", "planned"]);
    })
    .await;
}
