//! Secrets that no keyword gives away.

use super::*;

/// The password stands where no keyword is before it.
const TEMPLATE: &str = "{% for s in router | direct_sessions %}define pw_{{ loop.index }} = \"{{ s.password }}\";\n\
                        neighbor {{ s | ip }} password pw_{{ loop.index }};\n{% endfor %}";
const NEW: &str = "Changed-session-password";

/// Nothing that people see of the deployments, with their texts.
async fn shown(scene: &Scene, finished: &[&Finished]) -> String {
    let mut all: Vec<String> = finished.iter().map(|one| format!("{} {}", one.message, one.data)).collect();
    all.extend(scene.lines.0.lock().unwrap().iter().cloned());
    for row in scene.deployments().await {
        let mut connection = scene.store.connection().await.unwrap();
        let whole = deployments::find(&mut connection.session(), row.id).await.unwrap().unwrap();
        all.push(serde_json::to_string(&whole).unwrap());
    }
    all.join("\n")
}

#[tokio::test]
async fn passwords_are_hidden_wherever_they_stand() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        store.execute("UPDATE devices_configuration SET template = ?", vec![TEMPLATE.into()]).await.unwrap();
        let diffs = |task: &ConfigureRouters| task.diffs.lock().unwrap()["edge1"].clone();
        let first = only("edge1");
        let deployed = scene.run(first.clone()).await;
        assert_eq!(verdicts(&deployed)["edge1"], "confirmed", "{}", deployed.data);
        assert!(scene.routers.running("edge1").contains(&format!("define pw_1 = \"{SECRET}\"")));
        assert!(diffs(&first).contains("+define pw_1 = \"******\";"), "{}", diffs(&first));

        // The one that runs is known only from the last deployment.
        let keyring = Keyring::from_texts(["k".repeat(50).as_str()]);
        let sealed = keyring.seal("peering.directpeeringsession.password", &Clear::new(NEW)).unwrap();
        store
            .execute("UPDATE peering_directpeeringsession SET password = ?", vec![sealed.into()])
            .await
            .unwrap();
        let second = only("edge1");
        let changed = scene.run(second.clone()).await;
        assert_eq!(verdicts(&changed)["edge1"], "confirmed", "{}", changed.data);
        let diff = diffs(&second);
        assert!(
            diff.contains("-define pw_1 = \"******\";") && diff.contains("+define pw_1 = \"******\";"),
            "{diff}"
        );
        assert!(!diff.contains(SECRET) && !diff.contains(NEW), "{diff}");

        let drift = Drift { limit: Some("edge1".to_owned()), ..Drift::default() };
        scene.routers.of("edge1").lock().unwrap().running.insert_str(0, "by hand\n");
        let drifted = scene.drift(drift.clone()).await;
        let diff = drift.diffs.lock().unwrap()["edge1"].clone();
        assert!(diff.contains("+by hand") && diff.contains("define pw_1 = \"******\""), "{diff}");
        let shown = shown(&scene, &[&deployed, &changed, &drifted]).await + &diff;
        assert!(!shown.contains(SECRET) && !shown.contains(NEW), "{shown}");
        super::nothing_leaks(&scene, &changed).await;
    })
    .await;
}

#[tokio::test]
async fn a_template_that_fails_does_not_tell_what_stands_in_its_line() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let template = format!("hostname x\nsnmp-server community {SECRET} {{{{ local_as.nmae.x }}}}\n");
        store.execute("UPDATE devices_configuration SET template = ?", vec![template.into()]).await.unwrap();
        let failed = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&failed)["edge1"], "failed", "{}", failed.data);
        let said = message(&failed, "edge1");
        assert!(said.contains("line 2 (`… {{ local_as.nmae.x }}`)"), "{said}");
        super::nothing_leaks(&scene, &failed).await;
    })
    .await;
}
