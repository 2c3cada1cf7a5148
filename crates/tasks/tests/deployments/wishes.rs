//! What sessions' statuses mean for a deployment: theirs, and those of what they hang on.

use super::*;

/// What everybody's template does with sessions that are shut, here or above.
const BY_INHERITED: &str = "hostname {{ router.hostname }}
{% for s in router | direct_sessions %}{% if s | inherited_status == 'enabled' %}neighbor {{ s | ip }} 64501
{% endif %}{% endfor %}{% for s in router | ixp_sessions %}{% if s | inherited_status == 'enabled' %}neighbor {{ s | ip }} 64501
{% endif %}{% endfor %}";

/// Neighbours that stand on a router as its sessions here do.
fn by_hand(scene: &Scene) {
    let lines: Vec<String> = (1..=4).map(|last| format!("neighbor 192.0.2.{last} 64501\n")).collect();
    scene.routers.of("edge1").lock().unwrap().running = lines.concat();
}

async fn template(scene: &Scene, text: &str) {
    let sql = "UPDATE devices_configuration SET template = ?";
    scene.store.execute(sql, vec![text.into()]).await.unwrap();
}

#[tokio::test]
async fn what_was_imported_and_is_not_deployed_yet_is_missed() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        by_hand(&scene);
        scene.sql("UPDATE peering_directpeeringsession SET status = 'provisioning'").await;
        let refused = scene.run(only("edge1")).await;
        assert_eq!(refused.exit, 3, "{}", refused.data);
        assert!(refused.message.contains("lacks 4 of 4 sessions"), "{}", refused.message);
        // A merge leaves them, and a change that takes them down is undone.
        scene.routers.of("edge1").lock().unwrap().merges = true;
        scene.routers.trouble("edge1", Some(Trouble::SessionsDie));
        let undone = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&undone)["edge1"], "rolled_back", "{}", undone.data);
        assert_eq!(undone.data["routers"][0]["lost"].as_array().unwrap().len(), 4, "{}", undone.data);
        scene.routers.trouble("edge1", None);
        let merged = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&merged)["edge1"], "confirmed", "{}", merged.data);
        assert!(scene.routers.running("edge1").contains("neighbor 192.0.2.4"));
    })
    .await;
}

#[tokio::test]
async fn what_is_shut_above_a_session_is_shut_for_it() {
    each_engine(async |store| {
        fill(&store).await;
        fill_exchange(&store).await;
        let scene = Scene::new(&store);
        template(&scene, BY_INHERITED).await;
        assert_eq!(scene.run(only("edge1")).await.exit, 0);
        assert!(scene.routers.running("edge1").contains("neighbor 198.51.100.4"));
        // The exchange with its four of eight.
        scene.sql("UPDATE peering_internetexchange SET status = 'disabled'").await;
        let done = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&done)["edge1"], "confirmed", "{}", done.data);
        assert!(!scene.routers.running("edge1").contains("198.51.100"));
        scene.sql("UPDATE peering_internetexchange SET status = 'enabled'").await;
        assert_eq!(scene.run(only("edge1")).await.exit, 0);
        scene.sql("UPDATE net_connection SET status = 'disabled'").await;
        assert_eq!(scene.run(only("edge1")).await.exit, 0);
        assert!(!scene.routers.running("edge1").contains("198.51.100"));
        // A group with all the others.
        scene
            .sql(
                "INSERT INTO peering_bgpgroup (created, updated, name, slug, status) \
                 SELECT created, updated, 'g', 'g', 'disabled' FROM devices_configuration",
            )
            .await;
        let sql = "UPDATE peering_directpeeringsession SET bgp_group_id = (SELECT id FROM peering_bgpgroup)";
        scene.sql(sql).await;
        let done = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&done)["edge1"], "confirmed", "{}", done.data);
        assert!(!scene.routers.running("edge1").contains("neighbor"));
    })
    .await;
}

#[tokio::test]
async fn what_is_worked_on_may_go_down_and_must_not_be_left_out() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        assert_eq!(scene.run(only("edge1")).await.exit, 0);
        scene.sql("UPDATE peering_directpeeringsession SET status = 'maintenance'").await;
        let keep =
            "{% for s in router | direct_sessions %}neighbor {{ s | ip }} 64501 shutdown\n{% endfor %}";
        template(&scene, keep).await;
        scene.routers.trouble("edge1", Some(Trouble::SessionsDie));
        let done = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&done)["edge1"], "confirmed", "{}", done.data);
        scene.routers.trouble("edge1", None);
        template(&scene, "hostname {{ router.hostname }}").await;
        let refused = scene.run(only("edge1")).await;
        assert_eq!(refused.exit, 3, "{}", refused.data);
        assert!(refused.message.contains("lacks 4 of 4 sessions"), "{}", refused.message);
    })
    .await;
}

#[tokio::test]
async fn sessions_that_are_to_be_up_are_not_taken_away_however_few_they_are() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        assert_eq!(scene.deploy().await.exit, 0);
        let before = scene.routers.running("edge1");
        let half =
            "{% for s in (router | direct_sessions | list)[:2] %}neighbor {{ s | ip }} 64501\n{% endfor %}";
        template(&scene, half).await;
        let refused = scene.run(only("edge1")).await;
        assert_eq!(refused.exit, 3, "{}", refused.data);
        let said = "takes 2 sessions from the router that are up and are to be (192.0.2.3, 192.0.2.4)";
        assert!(refused.message.contains(said), "{}", refused.message);
        assert_eq!(scene.routers.running("edge1"), before);
        assert_eq!(scene.deployments().await[0].status, Status::Refused);
        // Where so many may be lost they are named, before and after.
        scene.config.post_check_max_lost = 2;
        let done = scene.run(only("edge1")).await;
        let one = &done.data["routers"][0];
        assert_eq!(one["verdict"], "confirmed", "{}", done.data);
        assert_eq!(one["lost"], json!(["192.0.2.3", "192.0.2.4"]), "{}", done.data);
        let said = "it takes 2 sessions from the router that are to be up (192.0.2.3, 192.0.2.4)";
        assert!(one["warnings"].to_string().contains(said), "{}", done.data);
        // Whoever overrules the guards has them go without waiting for them.
        scene.config.post_check_max_lost = 0;
        let forced = scene.run(ConfigureRouters { force: true, ..only("edge2") }).await;
        let one = &forced.data["routers"][0];
        assert_eq!(one["verdict"], "confirmed", "{}", forced.data);
        assert!(one["warnings"][0].as_str().unwrap().contains("forced by olga: "), "{}", forced.data);
        assert!(one["lost"].is_null(), "{}", forced.data);
        // One that is down already is named.
        scene.routers.of("edge3").lock().unwrap().down =
            ["192.0.2.23", "192.0.2.24"].map(|one| one.parse().unwrap()).into();
        let done = scene.run(only("edge3")).await;
        assert_eq!(verdicts(&done)["edge3"], "confirmed", "{}", done.data);
        let said = "are to be up (192.0.2.23, 192.0.2.24)";
        assert!(done.data["routers"][0]["warnings"].to_string().contains(said), "{}", done.data);
    })
    .await;
}
