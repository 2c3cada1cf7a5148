//! Records that lack what every record should have, and times that cannot be.

use crate::support::Scene;
use pm_lab::peeringdb::Options;
use pm_store::Store;
use pm_store::testing::each_engine;
use pm_tasks::{Finished, PeeringdbSync};
use serde_json::{Value as Json, json};

/// Reads these organisations as if from a saved dump made at `generated` (epoch seconds).
async fn load(scene: &Scene, full: bool, generated: Option<i64>, records: &str) -> Finished {
    let directory = tempfile::tempdir().unwrap();
    let meta = generated.map_or_else(|| "{}".to_owned(), |time| format!("{{\"generated\": {time}.0}}"));
    let text = format!("{{\"meta\": {meta}, \"data\": {records}}}");
    std::fs::write(directory.path().join("org.json"), text).unwrap();
    scene.run(&PeeringdbSync { full, force: false, from: Some(directory.path().to_path_buf()) }).await
}

fn org(id: i64, name: &str, updated: &Json) -> Json {
    json!({"id": id, "name": name, "status": "ok", "created": "2020-01-01T00:00:00Z", "updated": updated})
}

async fn names(store: &Store) -> Vec<(i64, String)> {
    let rows = store
        .rows("SELECT id, name FROM peeringdb_organization WHERE status = 'ok' ORDER BY id", vec![])
        .await;
    rows.unwrap().iter().map(|row| (row.get("id").unwrap(), row.get("name").unwrap())).collect()
}

async fn scene(store: &Store) -> Scene {
    Scene::new(store, 0.005, 1, Options::default()).await
}

fn text(records: &[Json]) -> String {
    Json::from(records.to_vec()).to_string()
}

const JUNE: &str = "2025-06-01T00:00:00Z";
const MAY: &str = "2025-05-01T00:00:00Z";
/// 2025-07-01.
const JULY: i64 = 1_751_328_000;

#[tokio::test]
async fn a_record_without_its_time_is_the_newest() {
    each_engine(async |store| {
        let scene = scene(&store).await;
        load(&scene, false, None, &text(&[org(1, "old", &json!(JUNE)), org(2, "goes", &json!(JUNE))])).await;
        let mut gone = org(2, "goes", &Json::Null);
        gone["status"] = json!("deleted");
        let finished = load(&scene, false, None, &text(&[org(1, "new", &json!("yesterday")), gone])).await;
        assert_eq!(finished.exit, 0, "{}", finished.message);
        assert_eq!(names(&store).await, [(1, "new".into())]);
    })
    .await;
}

#[tokio::test]
async fn a_time_that_cannot_be_does_not_hold_for_ever() {
    each_engine(async |store| {
        let scene = scene(&store).await;
        let far = json!("9999-01-01T00:00:00Z");
        load(&scene, false, None, &text(&[org(1, "far", &far), org(2, "far", &far)])).await;
        let mut gone = org(2, "far", &json!(JUNE));
        gone["status"] = json!("deleted");
        load(&scene, false, None, &text(&[org(1, "real", &json!(JUNE)), gone])).await;
        assert_eq!(names(&store).await, [(1, "real".into())]);
    })
    .await;
}

#[tokio::test]
async fn a_snapshot_repairs_a_time_that_was_turned_back() {
    each_engine(async |store| {
        let scene = scene(&store).await;
        load(&scene, false, None, &text(&[org(1, "later", &json!(JUNE))])).await;
        load(&scene, false, None, &text(&[org(1, "earlier", &json!(MAY))])).await;
        assert_eq!(names(&store).await, [(1, "later".into())], "newest wins");
        let finished = load(&scene, true, Some(JULY), &text(&[org(1, "earlier", &json!(MAY))])).await;
        assert_eq!(finished.data["updated"], 1, "{}", finished.message);
        assert_eq!(
            names(&store).await,
            [(1, "earlier".into())],
            "a snapshot of July knows better than a row of June"
        );
    })
    .await;
}

#[tokio::test]
async fn a_tombstone_in_a_snapshot_is_a_deletion() {
    each_engine(async |store| {
        let scene = scene(&store).await;
        load(&scene, false, None, &text(&[org(1, "stays", &json!(MAY)), org(2, "goes", &json!(MAY))])).await;
        let mut gone = org(2, "goes", &json!(JUNE));
        gone["status"] = json!("deleted");
        load(&scene, true, Some(JULY), &text(&[org(1, "stays", &json!(MAY)), gone])).await;
        assert_eq!(names(&store).await, [(1, "stays".into())]);
    })
    .await;
}

#[tokio::test]
async fn what_a_broken_snapshot_lacks_is_not_gone() {
    each_engine(async |store| {
        let scene = scene(&store).await;
        load(&scene, false, None, &text(&[org(1, "one", &json!(MAY)), org(2, "two", &json!(MAY))])).await;
        let broken = text(&[org(1, "one", &json!(MAY)), json!({"name": "two, without its id"})]);
        let finished = load(&scene, true, Some(JULY), &broken).await;
        assert_eq!(finished.exit, 4, "{}", finished.message);
        assert_eq!(names(&store).await, [(1, "one".into()), (2, "two".into())]);
    })
    .await;
}

#[tokio::test]
async fn a_number_beyond_all_numbers_costs_nothing_else() {
    each_engine(async |store| {
        let scene = scene(&store).await;
        let record = r#"[{"id": 1, "name": "kept", "status": "ok", "created": "2020-01-01T00:00:00Z",
            "updated": "2025-06-01T00:00:00Z", "latitude": 1e400}]"#;
        let finished = load(&scene, false, None, record).await;
        assert_eq!(finished.exit, 0, "{}", finished.message);
        assert_eq!(names(&store).await, [(1, "kept".into())]);
    })
    .await;
}

#[tokio::test]
async fn a_missing_status_hides_nothing_and_an_odd_one_is_guarded() {
    each_engine(async |store| {
        let scene = scene(&store).await;
        let many: Vec<Json> = (1..=100).map(|id| org(id, "x", &json!(MAY))).collect();
        load(&scene, false, None, &text(&many)).await;
        let with_status = |status: &Json| -> Vec<Json> {
            let mut records: Vec<Json> = (1..=100).map(|id| org(id, "y", &json!(JUNE))).collect();
            for record in &mut records {
                record["status"] = status.clone();
            }
            records
        };
        let finished = load(&scene, false, None, &text(&with_status(&Json::Null))).await;
        assert_eq!((finished.exit, names(&store).await.len()), (0, 100), "{}", finished.message);
        let finished = load(&scene, false, None, &text(&with_status(&json!("frozen")))).await;
        assert_eq!((finished.exit, names(&store).await.len()), (3, 100), "{}", finished.message);
    })
    .await;
}
