//! What routers run, compared with what was deployed.

use super::meanwhile::spawn;
use super::*;

#[tokio::test]
async fn what_was_changed_by_hand_is_drift() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let drift = async || scene.drift(Drift::default()).await;
        assert_eq!(drift().await.data["drifted"], 0);
        assert_eq!(scene.deploy().await.exit, 0);
        assert_eq!(drift().await.data["drifted"], 0);
        let by_hand = format!("neighbor 203.0.113.9 64999 password {SECRET}\n");
        scene.routers.of("edge1").lock().unwrap().running.push_str(&by_hand);
        scene.routers.trouble("edge2", Some(Trouble::Dead));
        let task = Drift::default();
        let finished = scene.drift(task.clone()).await;
        let diffs = task.diffs.lock().unwrap().clone();
        assert_eq!(diffs.len(), 1, "{diffs:?}");
        let diff = &diffs["edge1"];
        assert!(diff.contains("+neighbor 203.0.113.9 64999 password ") && !diff.contains(SECRET), "{diff}");
        assert_eq!((finished.exit, &finished.data["drifted"]), (4, &json!(1)), "{}", finished.message);
        nothing_leaks(&scene, &finished).await;
    })
    .await;
}

#[tokio::test]
async fn a_change_that_is_under_way_is_no_drift() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        scene.config.lock_lease = 3600;
        assert_eq!(scene.deploy().await.exit, 0);
        scene.sql("UPDATE devices_configuration SET template = template || 'new\n'").await;
        scene.routers.trouble("edge1", Some(Trouble::PausesCommit));
        let running = spawn(&scene, only("edge1"));
        let edge = scene.routers.of("edge1");
        soon(async || edge.lock().unwrap().commits == 2, "it is in force").await;
        scene.routers.of("edge2").lock().unwrap().running.push_str("by hand\n");
        let skipped = |finished: &Finished| {
            let routers = finished.data["routers"].as_array().unwrap();
            routers.iter().find(|one| one["router"] == "edge1").unwrap()["skipped"].to_string()
        };
        let finished = scene.drift(Drift::default()).await;
        assert_eq!(finished.data["drifted"], 1, "{}", finished.data);
        let number = scene.deployments().await[0].id;
        assert!(skipped(&finished).contains(&format!("deployment {number} is under way")), "{}", finished.data);

        // One that comes while the router is asked.
        scene.routers.trouble("edge1", None);
        assert_eq!(running.await.unwrap().exit, 0);
        scene.routers.trouble("edge1", Some(Trouble::PausesConfirmed));
        let task = Over(Drift { limit: Some("edge1".to_owned()), ..Drift::default() }, Arc::clone(&scene.routers) as _);
        let runner = scene.runner();
        let drift = tokio::spawn(async move { runner.run(&task, CancellationToken::new()).await.unwrap() });
        soon(async || edge.lock().unwrap().open_now == 1, "it is asked").await;
        let sql = "INSERT INTO devices_deployment (router_id, router_name, user_name, begun, status, template, load_mode, \
                   forced, input_hash, candidate, running, diff, added, removed, sessions, warnings) \
                   SELECT router_id, router_name, user_name, begun, 'rolled_back', template, load_mode, forced, input_hash, \
                   candidate, running, diff, added, removed, sessions, warnings FROM devices_deployment WHERE id = ?";
        store.execute(sql, vec![number.into()]).await.unwrap();
        edge.lock().unwrap().running.push_str("for a moment\n");
        scene.routers.trouble("edge1", None);
        let finished = drift.await.unwrap();
        assert_eq!(finished.data["drifted"], 0, "{}", finished.data);
        assert!(skipped(&finished).contains("came meanwhile"), "{}", finished.data);
        assert_eq!(scene.drift(Drift::default()).await.data["drifted"], 2, "and then it is drift");
    })
    .await;
}
