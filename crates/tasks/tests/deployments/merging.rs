//! Configurations that are merged into what is there.

use pm_store::retention::{self, Aged};

use super::*;

async fn add_template(scene: &Scene, name: &str, text: &str) {
    let sql = "INSERT INTO devices_configuration (created, updated, name, template) \
               SELECT created, updated, ?, ? FROM devices_configuration WHERE name = 'edge'";
    scene.store.execute(sql, vec![name.into(), text.into()]).await.unwrap();
}

#[tokio::test]
async fn a_template_is_not_measured_by_a_part_that_was_deployed_by_another() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        add_template(&scene, "part", "banner\n").await;
        let broken =
            "{% for s in (router | direct_sessions)[:1] %}neighbor {{ s | ip }} 64501\n{% endfor %}more\n";
        add_template(&scene, "broken", broken).await;
        scene.routers.of("edge1").lock().unwrap().merges = true;
        assert_eq!(scene.run(only("edge1")).await.exit, 0);
        let by = |name: &str| ConfigureRouters { configuration: Some(name.to_owned()), ..only("edge1") };
        let refused = scene.run(by("part")).await;
        assert!(refused.message.contains("lacks 4 of 4 sessions"), "{}", refused.message);
        let part = scene.run(ConfigureRouters { force: true, ..by("part") }).await;
        assert_eq!(verdicts(&part)["edge1"], "confirmed", "{}", part.data);
        let refused = scene.run(by("broken")).await;
        assert_eq!(refused.exit, 3, "{}", refused.data);
        assert!(refused.message.contains("lacks 3 of 4 sessions"), "{}", refused.message);
        // What the part is measured by is its own last one.
        scene.sql("UPDATE devices_configuration SET template = template || 'x\n' WHERE name = 'part'").await;
        assert_eq!(scene.run(by("part")).await.exit, 0);
        // The last one of each stays, however old they are.
        let later = epoch() + TimeDelta::days(1);
        scene.sql("DELETE FROM devices_deployment WHERE status = 'refused'").await;
        assert_eq!(retention::count(&store, Aged::Deployments, later).await.unwrap(), 1);
        let mut transaction = store.begin().await.unwrap();
        retention::delete_batch(&mut transaction.session(), Aged::Deployments, later, 100).await.unwrap();
        transaction.commit().await.unwrap();
        let left = scene.deployments().await;
        let left: Vec<&str> = left.iter().map(|row| row.template.as_str()).collect();
        assert_eq!(left, ["part", "edge"]);
    })
    .await;
}
