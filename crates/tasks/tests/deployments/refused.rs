//! What guards hold, for those who watch.

use pm_store::vitals;

use super::*;

#[tokio::test]
async fn a_router_is_held_until_something_goes_through_or_nothing_is_to_be_changed() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        assert_eq!(scene.deploy().await.exit, 0);
        let refused = async || vitals::read(&store).await.unwrap().refused;
        scene.sql("UPDATE devices_configuration SET description = template, template = 'lost'").await;
        assert_eq!(scene.deploy().await.exit, 3);
        assert_eq!(refused().await, 3);
        scene.run(ConfigureRouters { force: true, ..only("edge1") }).await;
        assert_eq!(refused().await, 2, "it was forced upon one");
        scene.sql("UPDATE devices_configuration SET template = description").await;
        scene.run(ConfigureRouters { dry_run: true, ..task() }).await;
        assert_eq!(refused().await, 2, "a rehearsal brings nothing through");
        let back = scene.run(only("edge2")).await;
        assert_eq!((verdicts(&back)["edge2"].as_str(), refused().await), ("unchanged", 1));
    })
    .await;
}
