//! `configure_routers` with routers that behave, and some that do not.

mod away;
mod canaries;
mod closing;
mod confirming;
mod drifting;
mod fake;
mod files;
mod iosxr;
mod left;
mod meanwhile;
mod merging;
mod plans;
mod queued;
mod refused;
mod scene;
mod secrets;
mod wishes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{HeldClock, Lines, configured};
use async_trait::async_trait;
use chrono::TimeDelta;
use fake::{Routers, Trouble};
use pm_config::Config;
use pm_store::changes::Author;
use pm_store::deployments::{self, Deployment, Status};
use pm_store::objects::models::{
    autonomous_system, configuration, connection, direct_peering_session, internet_exchange,
    internet_exchange_peering_session, platform, relationship, router,
};
use pm_store::objects::problems::Rules;
use pm_store::objects::record::Draft;
use pm_store::objects::secrets::{Clear, Keyring};
use pm_store::objects::write::{self, Writing};
use pm_store::testing::{each_engine, epoch};
use pm_store::{Engine, Store};
use pm_tasks::routers::Connector;
use pm_tasks::{ConfigureRouters, Done, Drift, Finished, Runner, Task, TaskContext, TaskError};
use scene::{EDGES, Over, RULE, SECRET, Scene, fill, fill_exchange, message, only, soon, task, verdicts};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_change_is_deployed_once_and_recorded() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let finished = scene.deploy().await;
        assert_eq!(finished.exit, 0, "{}", finished.message);
        let all = verdicts(&finished);
        assert_eq!((all["edge1"].as_str(), all["bare"].as_str()), ("confirmed", "skipped"));
        assert!(message(&finished, "bare").contains("no configuration template"));
        let running = scene.routers.running("edge2");
        assert!(running.contains("neighbor 192.0.2.11 64501") && running.contains(SECRET), "{running}");
        let edge = scene.routers.of("edge1");
        let counts = || {
            let edge = edge.lock().unwrap();
            (edge.commits, edge.confirms, edge.open_now)
        };
        assert_eq!(counts(), (1, 1, 0), "no connection is left open");

        let again = scene.deploy().await;
        assert_eq!((again.exit, verdicts(&again)["edge1"].as_str()), (0, "unchanged"));
        assert_eq!(counts().0, 1, "nothing to change means no commit");
        scene.run(ConfigureRouters { no_commit_check: true, ..only("edge1") }).await;
        assert_eq!(counts().0, 2, "--no-commit-check commits all the same");

        let rows = scene.deployments().await;
        assert_eq!(rows.len(), 4, "what changed nothing is no deployment");
        assert!(rows.iter().all(|row| row.status == Status::Confirmed && row.user_name == "olga"));
        let mut connection = store.connection().await.unwrap();
        let whole = deployments::find(&mut connection.session(), rows[1].id).await.unwrap().unwrap();
        let keyring = Keyring::from_texts(["k".repeat(50).as_str()]);
        let text = deployments::open(&keyring, whole.configuration.as_deref().unwrap()).unwrap();
        assert_eq!(text, scene.routers.running(&whole.deployment.router_name));
        assert!(whole.diff.contains("+neighbor") && !whole.diff.contains(SECRET), "{}", whole.diff);
        assert_eq!((whole.sessions.stored.len(), whole.sessions.others.len()), (4, 0));
        nothing_leaks(&scene, &finished).await;
    })
    .await;
}

/// No text that people or programs can read holds the password.
async fn nothing_leaks(scene: &Scene, finished: &Finished) {
    assert!(!finished.data.to_string().contains(SECRET) && !finished.message.contains(SECRET));
    assert!(!scene.lines.0.lock().unwrap().iter().any(|line| line.contains(SECRET)));
    for table in ["core_job", "core_joblog", "devices_deployment", "extras_event"] {
        let columns = match scene.store.engine() {
            Engine::Sqlite => format!("SELECT name FROM pragma_table_info('{table}')"),
            Engine::Postgres => format!(
                "SELECT CAST(column_name AS TEXT) AS name FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = '{table}'"
            ),
        };
        let columns = scene.store.rows(&columns, vec![]).await.unwrap();
        assert!(columns.len() > 5, "{table}");
        for column in columns {
            let column: String = column.get("name").unwrap();
            let sql = format!("SELECT CAST({column} AS TEXT) AS text FROM {table}");
            for row in scene.store.rows(&sql, vec![]).await.unwrap() {
                let text: Option<String> = row.get("text").unwrap();
                assert!(!text.unwrap_or_default().contains(SECRET), "{table}.{column}");
            }
        }
    }
}

#[tokio::test]
async fn a_plan_is_applied_as_long_as_nothing_moved() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let plan = async || {
            let finished = scene.run(ConfigureRouters { dry_run: true, ..task() }).await;
            assert_eq!(finished.exit, 0, "{}", finished.message);
            assert_eq!(verdicts(&finished)["edge1"], "planned");
            finished.data["plan"].as_i64().unwrap()
        };
        let apply = async |plan| scene.run(ConfigureRouters { apply: Some(plan), ..task() }).await;
        let first = plan().await;
        assert_eq!(scene.routers.running("edge1"), "", "a plan changes nothing");
        // Somebody changes one router by hand, and one's sessions here.
        scene.routers.of("edge1").lock().unwrap().running = "by hand\n".to_owned();
        scene
            .sql(
                "UPDATE peering_directpeeringsession SET status = 'disabled' WHERE id = \
                  (SELECT MIN(id) FROM peering_directpeeringsession WHERE router_id = \
                  (SELECT id FROM devices_router WHERE name = 'edge2'))",
            )
            .await;
        scene.sql(RULE).await;
        let applied = apply(first).await;
        assert_eq!(applied.exit, 4, "{}", applied.message);
        assert_eq!(scene.held().await, ["edge1", "edge2"], "also where it is only a part of the run");
        let all = verdicts(&applied);
        assert_eq!([&all["edge1"], &all["edge2"], &all["edge3"]], ["refused", "refused", "confirmed"]);
        assert!(message(&applied, "edge1").contains("the router runs another configuration"));
        assert!(message(&applied, "edge2").contains("its configuration is another one"));
        assert!(!all.contains_key("bare"), "what the plan does not name is left alone");
        assert_eq!(scene.routers.running("edge1"), "by hand\n");
        // A part that was applied is not applied again.
        let second = plan_rows(&scene, first).await;
        assert_eq!(second, 2);
        assert_eq!(
            verdicts(&scene.run(ConfigureRouters { dry_run: true, ..task() }).await)["edge3"],
            "unchanged"
        );
        assert_eq!(scene.let_through().await, ["edge3"], "a rehearsal lets nothing through");
        assert_eq!(apply(99_999).await.exit, 1);
    })
    .await;
}

/// Parts of a plan that can still be applied.
async fn plan_rows(scene: &Scene, plan: i64) -> usize {
    let mut connection = scene.store.connection().await.unwrap();
    let rows = deployments::of_plan(&mut connection.session(), plan).await.unwrap();
    rows.iter().filter(|row| row.status == Status::Planned && row.ended.is_none()).count()
}

#[tokio::test]
async fn a_template_that_lost_its_sessions_is_refused() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        assert_eq!(scene.deploy().await.exit, 0);
        let before = scene.routers.running("edge1");
        scene.sql(RULE).await;
        scene
            .sql(
                "UPDATE devices_configuration SET template = 'hostname {{ router.hostname }}\n\
                  {% for s in (router | direct_sessions)[:1] %}neighbor {{ s | ip }} 64501\n{% endfor %}'",
            )
            .await;
        let rehearsal = scene.run(ConfigureRouters { dry_run: true, ..task() }).await;
        assert_eq!(rehearsal.exit, 3, "{}", rehearsal.message);
        assert!(scene.held().await.is_empty(), "nobody is told of a rehearsal");
        let refused = scene.deploy().await;
        assert_eq!(refused.exit, 3, "{}", refused.message);
        assert!(refused.message.contains("lacks 3 of 4 sessions"), "{}", refused.message);
        assert_eq!(scene.routers.running("edge1"), before);
        assert_eq!(scene.held().await, EDGES, "who asks for it is told of each router");
        let refused = scene.run(ConfigureRouters { no_commit_check: true, ..task() }).await;
        assert_eq!(refused.exit, 3, "guards stay without the check");
        let forced = scene.run(ConfigureRouters { force: true, ..only("edge1") }).await;
        assert_eq!(forced.exit, 0, "{}", forced.message);
        let row = &scene.deployments().await[0];
        assert!(row.forced && row.user_name == "olga");
        assert!(forced.data["routers"][0]["warnings"][0].as_str().unwrap().contains("forced by olga"));
        // Nothing at all is never deployed.
        scene.sql("UPDATE devices_configuration SET template = '{# nothing #}'").await;
        let empty = scene.run(ConfigureRouters { force: true, ..task() }).await;
        assert_eq!(empty.exit, 3, "{}", empty.message);
        assert!(empty.message.contains("empty"), "{}", empty.message);
        // An error of the template is never text for a router.
        scene.sql("UPDATE devices_configuration SET template = '{{ router.nonsense.x }}'").await;
        let broken = scene.deploy().await;
        assert_eq!(broken.exit, 4, "{}", broken.message);
        assert_eq!(verdicts(&broken)["edge2"], "failed");
    })
    .await;
}

#[tokio::test]
async fn lost_sessions_undo_the_change_and_keep_the_others_from_it() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        scene.config.router_concurrency = 1;
        assert_eq!(scene.deploy().await.exit, 0);
        scene.sql("UPDATE devices_configuration SET template = template || 'timers 1 3\n'").await;
        let before = scene.routers.running("edge1");
        for edge in EDGES {
            scene.routers.trouble(edge, Some(Trouble::SessionsDie));
        }
        let finished = scene.deploy().await;
        assert_eq!(finished.exit, 4, "{}", finished.message);
        let all = verdicts(&finished);
        let rolled_back = EDGES.iter().filter(|edge| all[**edge] == "rolled_back").count();
        let left = EDGES.iter().filter(|edge| all[**edge] == "not_begun").count();
        assert_eq!((rolled_back, left), (1, 2), "{all:?}");
        assert_eq!(scene.routers.running("edge1"), before);
        let rows = scene.deployments().await;
        assert_eq!(rows[0].status, Status::RolledBack);
        assert!(rows[0].message.as_deref().unwrap().contains("4 sessions that were up are gone"));

        // Some may be lost if that is wished.
        scene.config.post_check_max_lost = 4;
        let finished = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&finished)["edge1"], "confirmed", "{}", finished.message);
        assert_eq!(finished.data["routers"][0]["lost"].as_array().unwrap().len(), 4, "and that is said");
        // And a router's sessions may be left out of account.
        scene.config.post_check_max_lost = 0;
        scene
            .sql("UPDATE devices_router SET napalm_args = '{\"post_check\": false}' WHERE name = 'edge2'")
            .await;
        let finished = scene.run(only("edge2")).await;
        assert_eq!(verdicts(&finished)["edge2"], "confirmed", "{}", finished.message);
    })
    .await;
}

#[tokio::test]
async fn routers_in_trouble_do_not_hold_up_the_others() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        scene.sql("UPDATE devices_router SET configuration_template_id = (SELECT id FROM devices_configuration)").await;
        scene.routers.trouble("edge1", Some(Trouble::Dead));
        scene.routers.trouble("edge2", Some(Trouble::WrongPassword));
        scene.routers.trouble("edge3", Some(Trouble::Hangs));
        let finished = scene.deploy().await;
        assert_eq!(finished.exit, 4, "{}", finished.message);
        let all = verdicts(&finished);
        assert_eq!(EDGES.map(|edge| all[edge].as_str()), ["failed"; 3]);
        assert_eq!(all["bare"], "confirmed");
        assert!(message(&finished, "edge1").contains("no route to host"));
        assert!(message(&finished, "edge2").contains("user everybody is refused"));
        assert!(message(&finished, "edge3").contains("took longer than"));
        assert_eq!(scene.deployments().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_router_that_is_cut_off_goes_back_by_itself() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        scene.config.deploy_max_failures = 0;
        scene.config.commit_confirm_seconds = 10;
        assert_eq!(scene.deploy().await.exit, 0);
        let before = scene.routers.running("edge1");
        scene.sql("UPDATE devices_configuration SET template = template || 'no route back\n'").await;
        scene.routers.trouble("edge1", Some(Trouble::CutByCommit));
        scene.routers.trouble("edge2", Some(Trouble::LostInCommit));
        scene.routers.trouble("edge3", Some(Trouble::LostBeforeCommit));
        let finished = scene.deploy().await;
        assert_eq!(finished.exit, 4, "{}", finished.message);
        let all = verdicts(&finished);
        assert_eq!(EDGES.map(|edge| all[edge].as_str()), ["rolled_back", "rolled_back", "failed"]);
        assert!(message(&finished, "edge1").contains("the router rolled back by itself"));
        assert!(message(&finished, "edge3").contains("nothing of the change is in force"));
        assert_eq!(scene.routers.running("edge1"), before);
        assert!(scene.deployments().await.iter().all(|row| row.ended.is_some()));
    })
    .await;
}

#[tokio::test]
async fn what_nothing_undoes_is_committed_only_on_request() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        scene.routers.of("edge1").lock().unwrap().timerless = true;
        let refused = scene.run(only("edge1")).await;
        assert!(message(&refused, "edge1").contains("no timer"), "{}", refused.message);
        assert_eq!(scene.routers.running("edge1"), "");
        scene
            .sql("UPDATE devices_router SET napalm_args = '{\"without_timer\": true}' WHERE name = 'edge1'")
            .await;
        let done = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&done)["edge1"], "confirmed", "{}", done.message);
        assert!(done.data["routers"][0]["warnings"].to_string().contains("nobody undoes this"));
        // Lost sessions are undone all the same.
        let before = scene.routers.running("edge1");
        scene.sql("UPDATE devices_configuration SET template = template || 'timers 1 3\n'").await;
        scene.routers.trouble("edge1", Some(Trouble::SessionsDie));
        let undone = scene.run(only("edge1")).await;
        assert_eq!(verdicts(&undone)["edge1"], "rolled_back", "{}", undone.message);
        assert_eq!(scene.routers.running("edge1"), before);
    })
    .await;
}

#[tokio::test]
async fn who_cancels_is_told_that_the_router_goes_back() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        scene.config.post_check_min_seconds = 60;
        scene.config.commit_confirm_seconds = 300;
        let cancel = CancellationToken::new();
        let running = {
            let (runner, routers, cancel) = (scene.runner(), Arc::clone(&scene.routers), cancel.clone());
            tokio::spawn(async move { runner.run(&Over(only("edge1"), routers as _), cancel).await.unwrap() })
        };
        while scene.deployments().await.first().is_none_or(|row| row.status != Status::Unconfirmed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        cancel.cancel();
        let finished = running.await.unwrap();
        assert_eq!(finished.status, pm_store::jobs::Status::Cancelled);
        assert_eq!(verdicts(&finished)["edge1"], "unconfirmed");
        assert!(message(&finished, "edge1").contains("the router undoes it within 300 s"));
        assert_eq!(scene.deployments().await[0].status, Status::Unconfirmed, "the next run finds out");
    })
    .await;
}

#[tokio::test]
async fn a_freeze_stops_everything_but_plans() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let mut connection = store.connection().await.unwrap();
        let mut session = connection.session();
        assert_eq!(
            deployments::freeze(&mut session, "ina", "night of the leak", epoch()).await.unwrap(),
            Ok(())
        );
        assert!(deployments::freeze(&mut session, "otto", "again", epoch()).await.unwrap().is_err());
        let refused = scene.run(ConfigureRouters { force: true, ..task() }).await;
        assert_eq!(refused.exit, 3);
        assert!(refused.message.contains("by ina: night of the leak"), "{}", refused.message);
        assert_eq!(scene.routers.of("edge1").lock().unwrap().commits, 0);
        assert_eq!(scene.run(ConfigureRouters { dry_run: true, ..task() }).await.exit, 0);
        deployments::thaw(&mut session, "ina", epoch()).await.unwrap();
        assert_eq!(scene.deploy().await.exit, 0);
    })
    .await;
}

#[tokio::test]
async fn routers_have_windows_and_may_be_files() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let directory = tempfile::tempdir().unwrap();
        let arguments = json!({"file_target": {"directory": directory.path(), "name": "edge2.conf"}});
        scene
            .sql(&format!(
                "UPDATE devices_router SET platform_id = NULL, napalm_args = '{arguments}' WHERE name = 'edge2'"
            ))
            .await;
        scene.sql("UPDATE devices_router SET status = 'disabled' WHERE name = 'edge3'").await;
        scene
            .sql("UPDATE devices_router SET napalm_args = '{\"deploy_window\": \"Dec 24 01:00-02:00\"}' \
                  WHERE name = 'edge1'")
            .await;
        let finished = scene.deploy().await;
        assert_eq!(finished.exit, 0, "{}", finished.message);
        let all = verdicts(&finished);
        assert_eq!([&all["edge1"], &all["edge2"], &all["edge3"]], ["skipped", "written", "skipped"]);
        assert!(message(&finished, "edge1").contains("outside its deploy window"));
        assert!(message(&finished, "edge3").contains("disabled"));
        let text = std::fs::read_to_string(directory.path().join("edge2.conf")).unwrap();
        assert!(text.contains("neighbor 192.0.2.11 64501"), "{text}");
        let forced = scene.run(ConfigureRouters { force: true, ..only("edge1") }).await;
        assert_eq!(verdicts(&forced)["edge1"], "confirmed", "{}", forced.message);
        assert_eq!(verdicts(&scene.deploy().await)["edge2"], "unchanged");
        // A process that dies while it writes leaves a record that the next one ends.
        scene
            .sql(
                "UPDATE devices_deployment SET status = 'committing', ended = NULL, in_force = NULL \
                 WHERE router_name = 'edge2'",
            )
            .await;
        let finished = scene.run(only("edge2")).await;
        let told = finished.data["routers"][0]["warnings"].to_string();
        assert!(told.contains("the file had been written"), "{told}");
        let rows = scene.deployments().await;
        let row = rows.iter().find(|row| row.router_name == "edge2").unwrap();
        assert_eq!((row.status, row.ended.is_some()), (Status::Written, true));
    })
    .await;
}

/// Sessions at an exchange hang on the router of their connection.
#[tokio::test]
async fn sessions_at_exchanges_count_like_direct_ones() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        fill_exchange(&store).await;
        scene
            .sql(
                "UPDATE devices_configuration SET template = template || \
                 '{% for s in router | ixp_sessions %}{% if s.enabled %}neighbor {{ s | ip }} 64501\n{% endif %}{% endfor %}'",
            )
            .await;
        let finished = scene.run(only("edge1")).await;
        assert_eq!(finished.exit, 0, "{}", finished.data);
        assert_eq!(finished.data["sessions_without_router"], 1);
        assert!(scene.routers.running("edge1").contains("neighbor 198.51.100.4 64501"));
        // A template that forgets them is refused, and their being disabled is no such thing.
        scene.sql("UPDATE devices_configuration SET template = replace(template, 's | ip', '\"\"') || 'x'").await;
        let refused = scene.run(only("edge1")).await;
        assert_eq!(refused.exit, 3, "{}", refused.data);
        assert!(refused.message.contains("lacks 8 of 8 sessions"), "{}", refused.message);
        scene.sql("UPDATE peering_internetexchangepeeringsession SET status = 'disabled'").await;
        let refused = scene.run(only("edge1")).await;
        assert!(refused.message.contains("lacks 4 of 8 sessions"), "{}", refused.message);
    })
    .await;
}

#[tokio::test]
async fn a_router_to_which_no_way_leads_is_a_failure() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let set = async |name: &str, arguments: Json| {
            scene
                .sql(&format!("UPDATE devices_router SET napalm_args = '{arguments}' WHERE name = '{name}'"))
                .await;
        };
        set("edge1", json!({"key_file": "/no/such/key"})).await;
        set("edge2", json!({"load_mode": "both"})).await;
        // What is wrong with one that nobody configures is nobody's trouble.
        set("bare", json!({"load_mode": "both"})).await;
        scene.sql("UPDATE devices_router SET platform_id = NULL WHERE name = 'edge3'").await;
        let finished = scene.deploy().await;
        assert_eq!(finished.exit, 4, "{}", finished.message);
        let all = verdicts(&finished);
        assert_eq!(EDGES.map(|edge| all[edge].as_str()), ["failed", "failed", "skipped"]);
        assert_eq!(all["bare"], "skipped");
        assert!(message(&finished, "edge1").contains("/no/such/key cannot be read"));
        assert!(message(&finished, "edge3").contains("no platform"));
    })
    .await;
}

#[tokio::test]
async fn sessions_without_a_router_are_counted() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        scene
            .sql(
                "UPDATE peering_directpeeringsession SET router_id = NULL WHERE router_id = \
                  (SELECT id FROM devices_router WHERE name = 'bare')",
            )
            .await;
        let finished = scene.deploy().await;
        assert_eq!(finished.data["sessions_without_router"], 4);
        assert!(finished.message.contains("4 sessions hang on no router"), "{}", finished.message);
    })
    .await;
}
