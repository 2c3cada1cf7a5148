//! Repositories in the place of routers.

use std::path::Path;

use pm_store::locks::{self, Claim};

use super::meanwhile::{spawn, waits};
use super::*;

fn git(directory: &Path, arguments: &[&str]) -> bool {
    let ran = std::process::Command::new("git").arg("-C").arg(directory).args(arguments).output().unwrap();
    ran.status.success()
}

#[tokio::test]
async fn what_could_not_be_pushed_is_known_and_pushed_under_the_same_conditions() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        scene.config.lock_lease = 3600;
        let directory = tempfile::tempdir().unwrap();
        let (here, remote) = (directory.path().join("here"), directory.path().join("remote"));
        assert!(git(directory.path(), &["init", "--quiet", "--initial-branch=main", "here"]));
        let arguments = json!({"file_target": {"directory": here, "name": "edge2.conf", "remote": remote}});
        scene
            .sql(&format!("UPDATE devices_router SET napalm_args = '{arguments}' WHERE name = 'edge2'"))
            .await;
        let finished = scene.run(only("edge2")).await;
        assert_eq!(verdicts(&finished)["edge2"], "failed", "{}", finished.data);
        assert!(message(&finished, "edge2").contains("not pushed"), "{}", finished.data);
        let rows = scene.deployments().await;
        assert_eq!((rows.len(), rows[0].status), (1, Status::Written), "it is there");
        let only_edge2 = Drift { limit: Some("edge2".to_owned()), ..Drift::default() };
        let drifted = scene.drift(only_edge2).await;
        let one = &drifted.data["routers"][0];
        assert_eq!((&one["skipped"], &one["added"]), (&Json::Null, &json!(0)), "{}", drifted.data);

        // Everything is frozen while a run waits for the file.
        assert!(git(directory.path(), &["init", "--quiet", "--bare", "remote"]));
        let key = format!("deploy:{}", rows[0].router.unwrap());
        let lease = TimeDelta::hours(1);
        let claim = locks::claim(&store, &key, "somebody", None, lease, epoch(), |_| false).await.unwrap();
        let Claim::Taken { lock, .. } = claim else { panic!("{claim:?}") };
        scene.lines.0.lock().unwrap().clear();
        let waiting = spawn(&scene, ConfigureRouters { wait: true, ..only("edge2") });
        waits(&scene).await;
        let mut connection = store.connection().await.unwrap();
        let frozen = deployments::freeze(&mut connection.session(), "ina", "leak", epoch()).await.unwrap();
        assert_eq!(frozen, Ok(()));
        locks::release(&store, &lock).await.unwrap();
        let finished = waiting.await.unwrap();
        assert_eq!(verdicts(&finished)["edge2"], "not_begun", "{}", finished.data);
        assert!(message(&finished, "edge2").contains("by ina: leak"), "{}", finished.data);
        assert!(!git(&remote, &["rev-parse", "--verify", "main"]), "nothing was pushed");

        deployments::thaw(&mut connection.session(), "ina", epoch()).await.unwrap();
        let finished = scene.run(only("edge2")).await;
        assert_eq!(verdicts(&finished)["edge2"], "written", "{}", finished.data);
        assert!(git(&remote, &["rev-parse", "--verify", "main"]));
        let rows = scene.deployments().await;
        assert_eq!((rows.len(), rows[0].status, rows[0].ended), (2, Status::Written, Some(epoch())));
        assert_eq!(rows[0].message.as_deref(), Some("pushed what was left from before"));
        assert_eq!(verdicts(&scene.run(only("edge2")).await)["edge2"], "unchanged");
        assert_eq!(scene.deployments().await.len(), 2);
    })
    .await;
}
