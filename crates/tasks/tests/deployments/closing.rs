//! Records of deployments that no run brings to an end.

use pm_store::deployments::unsettled;
use pm_tasks::close_deployment;

use super::*;

/// edge1's first deployment was left half-way, and somebody has changed the router since.
async fn left(scene: &Scene) -> i64 {
    assert_eq!(scene.run(only("edge1")).await.exit, 0);
    let pending = json!({ "platform": "bird", "id": "change-1", "seconds": 300 });
    scene
        .sql(&format!(
            "UPDATE devices_deployment SET status = 'unconfirmed', ended = NULL, in_force = NULL, pending = '{pending}'"
        ))
        .await;
    "by hand\n".clone_into(&mut scene.routers.of("edge1").lock().unwrap().running);
    scene.deployments().await[0].id
}

#[tokio::test]
async fn a_text_that_the_router_does_not_take_any_more_is_not_in_force() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let id = left(&scene).await;
        scene.routers.trouble("edge1", Some(Trouble::Rejects));
        let finished = scene.run(only("edge1")).await;
        // It is refused as it would be without the one that was left.
        let said = message(&finished, "edge1");
        assert!(said.contains("syntax error") && !said.contains("could not be undone"), "{said}");
        let row = scene.deployments().await.into_iter().find(|row| row.id == id).unwrap();
        assert_eq!((row.status, row.ended.is_some()), (Status::Unknown, true));
        scene.routers.trouble("edge1", None);
        let finished = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&finished)["edge1"], "confirmed", "{}", finished.data);
    })
    .await;
}

#[tokio::test]
async fn a_change_without_a_name_that_cannot_be_undone_is_over_with_the_time_of_the_settings() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        scene.config.commit_confirm_seconds = 300;
        left(&scene).await;
        scene.sql("UPDATE devices_deployment SET status = 'committing', pending = NULL").await;
        // Something that waits there, and cannot be undone.
        let edge = scene.routers.of("edge1");
        edge.lock().unwrap().somebody_commits("theirs", "by hand\n");
        scene.routers.trouble("edge1", Some(Trouble::KeepsAll));
        let finished = scene.run(only("edge1")).await;
        let said = message(&finished, "edge1");
        assert!(said.contains("could not be undone") && said.contains("deployments close 1"), "{said}");
        scene.clock.pass(TimeDelta::seconds(331));
        let finished = scene.run(only("edge1")).await;
        let said = message(&finished, "edge1");
        assert!(said.contains("a change that is not ours waits"), "{said}");
        edge.lock().unwrap().confirm_by_hand();
        scene.routers.trouble("edge1", None);
        let finished = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&finished)["edge1"], "confirmed", "{}", finished.data);
        assert_eq!(scene.deployments().await[1].status, Status::Unknown);
    })
    .await;
}

#[tokio::test]
async fn somebody_ends_a_record_when_nobody_is_at_work() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let id = left(&scene).await;
        let (now, timer) = (epoch() + TimeDelta::seconds(421), TimeDelta::seconds(30));
        let are_left = async |now| {
            let all = unsettled(&mut store.connection().await.unwrap().session()).await.unwrap();
            all.iter().filter(|one| one.is_left(now, timer)).map(|one| one.id).collect::<Vec<_>>()
        };
        assert_eq!(are_left(epoch() + TimeDelta::seconds(419)).await, [0; 0], "somebody may be at work");
        assert_eq!(are_left(now).await, [id]);
        let missing = close_deployment(&store, 99, "ina", now).await.unwrap_err();
        assert!(missing.to_string().contains("there is no deployment 99"), "{missing}");
        let lock = "INSERT INTO core_lock (key, fence, owner, acquired, expires) SELECT \
                    'deploy:' || CAST(id AS TEXT), 9, 'elsewhere', ?, ? FROM devices_router WHERE name = 'edge1' \
                    ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, expires = excluded.expires";
        store.execute(lock, vec![now.into(), (now + TimeDelta::minutes(1)).into()]).await.unwrap();
        let held = close_deployment(&store, id, "ina", now).await.unwrap_err();
        assert!(matches!(&held, TaskError::Held(text) if text.contains("edge1 is being worked on by")), "{held:?}");
        close_deployment(&store, id, "ina", now + TimeDelta::minutes(2)).await.unwrap();
        let row = scene.deployments().await.swap_remove(0);
        assert_eq!((row.status, row.closed_by.as_deref()), (Status::Unknown, Some("ina")));
        assert!(row.ended.is_some() && row.pending.is_none());
        assert_eq!(are_left(now).await, [0; 0]);
        let again = close_deployment(&store, id, "otto", now + TimeDelta::minutes(2)).await.unwrap_err();
        assert!(again.to_string().contains("was closed by ina"), "{again}");

        // One that ended as unknown is left until somebody says so, or a later one is in force.
        scene.sql("UPDATE devices_deployment SET closed_by = NULL").await;
        assert_eq!(are_left(now).await, [id]);
        scene.sql("DELETE FROM core_lock").await;
        assert_eq!(verdicts(&scene.run(only("edge1")).await)["edge1"], "confirmed");
        assert_eq!(are_left(now).await, [0; 0]);
        let done = scene.deployments().await[0].id;
        let over = close_deployment(&store, done, "ina", now).await.unwrap_err();
        assert!(over.to_string().contains("is confirmed, so there is nothing to close"), "{over}");
    })
    .await;
}
