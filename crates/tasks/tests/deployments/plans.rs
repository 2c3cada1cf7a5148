//! Plans: what they hold, and when they hold no more.

use super::*;

async fn plan(scene: &Scene, task: ConfigureRouters) -> i64 {
    let finished = scene.run(ConfigureRouters { dry_run: true, ..task }).await;
    finished.data["plan"].as_i64().unwrap_or_else(|| panic!("no plan in {}", finished.data))
}

fn apply(plan: i64) -> ConfigureRouters {
    ConfigureRouters { apply: Some(plan), ..task() }
}

#[tokio::test]
async fn a_plan_keeps_the_template_that_was_chosen() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        scene
            .sql(
                "INSERT INTO devices_configuration (created, updated, name, template) \
                 SELECT created, updated, 'other', template || 'other\n' FROM devices_configuration",
            )
            .await;
        let chosen = ConfigureRouters { configuration: Some("other".to_owned()), ..task() };
        let number = plan(&scene, chosen.clone()).await;
        let wrong = ConfigureRouters { configuration: Some("edge".to_owned()), ..apply(number) };
        let refused = scene.run(wrong).await;
        assert_eq!(refused.exit, 1);
        assert!(refused.message.contains("was made with other"), "{}", refused.message);
        let finished = scene.run(apply(number)).await;
        assert_eq!(finished.exit, 0, "{}", finished.data);
        assert!(scene.routers.running("edge2").ends_with("other"));
        // A plan without a choice is not applied with one.
        let number = plan(&scene, task()).await;
        let wrong = ConfigureRouters { configuration: Some("other".to_owned()), ..apply(number) };
        assert!(scene.run(wrong).await.message.contains("each router's own template"));
    })
    .await;
}

#[tokio::test]
async fn a_plan_names_what_it_refused_and_what_it_does_not_have() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        assert_eq!(scene.deploy().await.exit, 0);
        // Somebody adds neighbours by hand, which the next deployment would take away.
        for last in 1..=9 {
            let line = format!("neighbor 203.0.113.{last} 64510\n");
            scene.routers.of("edge1").lock().unwrap().running.push_str(&line);
        }
        scene.routers.of("edge2").lock().unwrap().running.push_str("by hand\n");
        let number = plan(&scene, task()).await;
        let finished = scene.run(apply(number)).await;
        assert_eq!(finished.exit, 4, "{}", finished.data);
        let all = verdicts(&finished);
        assert_eq!((all["edge1"].as_str(), all["edge2"].as_str()), ("refused", "confirmed"));
        let said = message(&finished, "edge1");
        assert!(said.contains("when it was planned") && said.contains("lacks 9 of 13 sessions"), "{said}");
        assert!(scene.routers.running("edge1").contains("203.0.113.9"));

        scene.routers.of("edge3").lock().unwrap().running.push_str("by hand\n");
        let number = plan(&scene, only("edge3")).await;
        let nothing = scene.run(ConfigureRouters { limit: Some("edge2".to_owned()), ..apply(number) }).await;
        assert_eq!(nothing.exit, 1);
        assert!(nothing.message.contains("has nothing for edge2"), "{}", nothing.message);
    })
    .await;
}

#[tokio::test]
async fn a_plan_to_replace_does_not_become_one_to_merge() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let number = plan(&scene, task()).await;
        scene.sql("UPDATE devices_deployment SET load_mode = 'merge'").await;
        let refused = scene.run(apply(number)).await;
        assert_eq!(verdicts(&refused)["edge1"], "refused", "{}", refused.data);
        let said = message(&refused, "edge1");
        assert!(said.contains("planned to merge and would now replace; plan again"), "{said}");
        assert_eq!(scene.routers.running("edge1"), "");
        scene
            .sql("UPDATE devices_router SET napalm_args = '{\"load_mode\": \"merge\"}' WHERE name = 'edge1'")
            .await;
        let cannot = scene.run(only("edge1")).await;
        assert!(message(&cannot, "edge1").contains("takes no merge"), "{}", cannot.data);
    })
    .await;
}

#[tokio::test]
async fn what_a_router_has_by_then_is_done() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let number = plan(&scene, task()).await;
        assert_eq!(scene.run(only("edge1")).await.exit, 0);
        let finished = scene.run(ConfigureRouters { limit: Some("edge1".to_owned()), ..apply(number) }).await;
        assert_eq!(verdicts(&finished)["edge1"], "unchanged", "{}", finished.data);
        assert_eq!(plan_rows(&scene, number).await, 2);
        let rows = scene.deployments().await;
        let row = rows.iter().find(|row| row.plan == Some(number) && row.router_name == "edge1").unwrap();
        assert_eq!((row.status, row.ended), (Status::Planned, Some(epoch())));
        assert_eq!(row.message.as_deref(), Some("there was nothing to change when olga applied it"));
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_when_it_is_applied_stays_planned() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        assert_eq!(scene.deploy().await.exit, 0);
        scene.sql("UPDATE devices_configuration SET template = REPLACE(template, 'sessions %', 'sessions | list)[:1] %')").await;
        scene.sql("UPDATE devices_configuration SET template = REPLACE(template, 'in router', 'in (router')").await;
        scene.config.config_max_removed_percent = 100;
        scene.config.post_check_max_lost = 3;
        let number = plan(&scene, only("edge1")).await;
        scene.config.config_max_removed_percent = 20;
        for _ in 0..2 {
            let refused = scene.run(apply(number)).await;
            assert_eq!(refused.exit, 3, "{}", refused.data);
            assert!(refused.message.contains("lacks 3 of 4 sessions"), "{}", refused.message);
            assert!(!refused.message.contains("when it was planned"), "{}", refused.message);
            let row = scene.deployments().await.swap_remove(0);
            assert_eq!((row.status, row.plan), (Status::Refused, None));
        }
        let forced = scene.run(ConfigureRouters { force: true, ..apply(number) }).await;
        assert_eq!(verdicts(&forced)["edge1"], "confirmed", "{}", forced.data);
    })
    .await;
}

#[tokio::test]
async fn a_plan_of_which_nothing_came_into_force_can_be_applied_again() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let number = plan(&scene, only("edge1")).await;
        // Somebody's change waits on the router.
        let edge = scene.routers.of("edge1");
        edge.lock().unwrap().somebody_commits("theirs", "");
        let failed = scene.run(apply(number)).await;
        assert_eq!(verdicts(&failed)["edge1"], "failed", "{}", failed.data);
        assert_eq!(plan_rows(&scene, number).await, 1);
        edge.lock().unwrap().confirm_by_hand();
        let applied = scene.run(apply(number)).await;
        assert_eq!(verdicts(&applied)["edge1"], "confirmed", "{}", applied.data);
        assert_eq!(plan_rows(&scene, number).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_plan_under_a_key_that_was_forgotten_says_so() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let number = plan(&scene, only("edge1")).await;
        scene.sql("UPDATE devices_deployment SET candidate = 'gone:' || candidate, running = 'gone:' || running").await;
        let refused = scene.run(apply(number)).await;
        assert!(message(&refused, "edge1").contains("secret key that is not there any more"), "{}", refused.data);
        assert_eq!(scene.run(only("edge1")).await.exit, 0);
        // One that was left half-way, and of which nothing can be compared.
        scene.sql("UPDATE devices_deployment SET status = 'committing', ended = NULL, running = 'gone:' || running").await;
        scene.routers.of("edge1").lock().unwrap().running.push_str("by hand\n");
        let finished = scene.run(only("edge1")).await;
        let warnings = finished.data["routers"][0]["warnings"].to_string();
        assert!(warnings.contains("cannot be told without its secret key"), "{warnings}");
    })
    .await;
}
