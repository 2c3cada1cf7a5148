//! Arguments and addresses with credentials in them are sealed, and what earlier releases left in the clear is read, sealed
//! when it is written, and found.

use crate::support::{Desk, World, everything};
use pm_store::Store;
use pm_store::deployments::{self, BATCH};
use pm_store::objects::data::Data;
use pm_store::objects::models::{ixapi, platform, router, webhook};
use pm_store::objects::problems::ObjectError;
use pm_store::objects::query::Query;
use pm_store::objects::record::Draft;
use pm_store::objects::secrets::{Clear, Keyring, in_clear, keys_in_use};
use pm_store::objects::write::{self, Writing};
use pm_store::testing::{each_engine, epoch};
use serde_json::json;

const HOOK: &str = "https://hooks.example/T0/hunter2";
const HEADERS: &str = "Authorization: Bearer hunter2";

fn hook(name: &str) -> Draft {
    Draft::new(&webhook::MODEL)
        .with("name", name)
        .with_json("content_types", json!(["peering.autonomoussystem"]))
        .with("type_create", true)
        .with("payload_url", HOOK)
        .with("additional_headers", HEADERS)
}

fn api(name: &str) -> Draft {
    Draft::new(&ixapi::MODEL)
        .with("name", name)
        .with("api_url", "https://ix.example/api")
        .with("api_key", "hunter2")
        .with("api_secret", Clear::new("hunter2"))
        .with("identity", "us")
}

/// All that the tables hold of what is sealed.
async fn at_rest(store: &Store) -> String {
    everything(store, "devices_router", &["napalm_args"]).await
        + &everything(store, "devices_platform", &["napalm_args"]).await
        + &everything(store, "extras_webhook", &["payload_url", "additional_headers"]).await
        + &everything(store, "extras_ixapi", &["api_key", "api_secret"]).await
}

async fn clear(store: &Store) -> Vec<(String, i64)> {
    let found = in_clear(&mut store.connection().await.unwrap().session()).await.unwrap();
    found.iter().map(|one| (format!("{}.{}", one.objects, one.field), one.count)).collect()
}

async fn opened(desk: &Desk, id: i64) -> Data {
    desk.get(&router::MODEL, id).await.opened("napalm_args", &desk.keyring).unwrap()
}

#[tokio::test]
async fn what_may_hold_credentials_is_sealed_and_compared_all_the_same() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let desk = &world.desk;
        let arguments = json!({"port": 8443, "enable": "hunter2"});
        let draft = || {
            Draft::new(&router::MODEL)
                .with_json("napalm_args", arguments.clone())
                .with("comments", "https://u:hunter2@git.example/x")
        };
        desk.update(world.router, draft()).await.unwrap();
        assert_eq!(desk.update(world.router, draft()).await.unwrap(), vec![], "the same is no change");
        let id = desk.create(hook("one")).await.unwrap().id;
        desk.create(api("one")).await.unwrap();
        let rows = at_rest(&store).await;
        assert!(
            !rows.contains("hunter2") && !rows.contains("8443") && !rows.contains("hooks.example"),
            "{rows}"
        );
        assert_eq!(clear(&store).await, []);
        assert_eq!(opened(desk, world.router).await, Data::Json(arguments.clone()));
        let log = everything(&store, "core_objectchange", &["prechange_data", "postchange_data"]).await;
        assert!(!log.contains("hunter2") && log.contains("8443"), "{log}");
        // The database cannot compare what is sealed.
        for (draft, message) in [
            (hook("two"), "payload_url (hidden) are taken together by one"),
            (api("two"), "api_url \"https://ix.example/api\" and api_key (hidden) are taken together by one"),
        ] {
            let Err(ObjectError::Invalid(problems)) = desk.create(draft).await else { panic!("{message}") };
            assert!(problems.iter().any(|problem| problem.message.ends_with(message)), "{problems:?}");
        }
        let other = hook("two").with("payload_url", "https://hooks.example/other");
        let other = desk.create(other).await.unwrap().id;
        let same = Draft::new(&webhook::MODEL).with("payload_url", HOOK);
        assert!(matches!(desk.update(other, same).await, Err(ObjectError::Invalid(_))));
        // The rules of a webhook look at its address although only its name changes.
        desk.update(id, Draft::new(&webhook::MODEL).with("name", "three")).await.unwrap();
        let mut connection = store.connection().await.unwrap();
        let looked =
            Query::of(&webhook::MODEL).filter("payload_url", HOOK).list(&mut connection.session()).await;
        assert!(matches!(looked, Err(ObjectError::Question(_))), "never found is not the same as not there");
        // Members that were shown hidden are put back.
        let shown = json!({"port": 22, "enable": pm_store::objects::data::MASK});
        desk.update(world.router, Draft::new(&router::MODEL).with_json("napalm_args", shown)).await.unwrap();
        let expected = Data::Json(json!({"port": 22, "enable": "hunter2"}));
        assert_eq!(opened(desk, world.router).await, expected);
        // What is harmless needs no key.
        let keyless = Keyring::empty();
        let writing = Writing { keyring: &keyless, ..desk.writing() };
        let mut transaction = store.begin().await.unwrap();
        let plain = Draft::new(&router::MODEL).with_json("napalm_args", json!({"port": 23}));
        write::update(&mut transaction.session(), writing, &[(world.router, plain)]).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(opened(desk, world.router).await, Data::Json(json!({"port": 23})));
    })
    .await;
}

#[tokio::test]
async fn what_an_earlier_release_left_in_the_clear_works_and_is_sealed_when_it_is_written() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let desk = &world.desk;
        let hook = desk.create(hook("one")).await.unwrap().id;
        desk.create(api("one")).await.unwrap();
        let arguments = json!({"port": 22, "secret": "hunter2"});
        for sql in [
            format!("UPDATE devices_router SET napalm_args = '{arguments}'"),
            format!("UPDATE devices_platform SET napalm_args = '{arguments}' WHERE slug = 'cisco-ios'"),
            "UPDATE devices_platform SET napalm_args = '{\"port\": 22}' WHERE slug = 'arista-eos'".to_owned(),
            format!("UPDATE extras_webhook SET payload_url = '{HOOK}', additional_headers = '{HEADERS}'"),
            "UPDATE extras_ixapi SET api_key = 'hunter2'".to_owned(),
        ] {
            store.execute(&sql, vec![]).await.unwrap();
        }
        let routers = i64::try_from(desk.list(Query::of(&router::MODEL)).await.len()).unwrap();
        let named = |name: &str, count: i64| (name.to_owned(), count);
        let all = vec![
            named("webhooks.additional_headers", 1),
            named("webhooks.payload_url", 1),
            named("IX-APIs.api_key", 1),
            named("platforms.napalm_args", 1),
            named("routers.napalm_args", routers),
        ];
        let mut found = clear(&store).await;
        found.sort();
        let mut expected = all.clone();
        expected.sort();
        assert_eq!(found, expected);
        assert_eq!(opened(desk, world.router).await, Data::Json(arguments.clone()));

        // Without a key other fields can be changed, and nothing new is stored in the clear.
        let keyless = Keyring::empty();
        let writing = Writing { keyring: &keyless, ..desk.writing() };
        let mut transaction = store.begin().await.unwrap();
        let renamed = Draft::new(&router::MODEL).with("hostname", "other.example.net");
        write::update(&mut transaction.session(), writing, &[(world.router, renamed)]).await.unwrap();
        let new = Draft::new(&router::MODEL).with_json("napalm_args", json!({"enable": "hunter2"}));
        let refused = write::update(&mut transaction.session(), writing, &[(world.router, new)]).await;
        assert!(matches!(refused, Err(ObjectError::Secret(_))), "{refused:?}");
        transaction.rollback().await.unwrap();

        // The next change of whatever field seals, and is no change of what is sealed.
        let renamed = Draft::new(&router::MODEL).with("hostname", "other.example.net");
        desk.update(world.router, renamed).await.unwrap();
        let (_, _, _, was, is) = desk.log().await.pop().unwrap();
        assert_eq!(was.unwrap()["napalm_args"], is.as_ref().unwrap()["napalm_args"]);
        assert_eq!(is.unwrap()["napalm_args"]["port"], 22);
        assert_eq!(opened(desk, world.router).await, Data::Json(arguments.clone()));
        desk.update(hook, Draft::new(&webhook::MODEL).with("name", "two")).await.unwrap();
        let found = clear(&store).await;
        assert!(!found.iter().any(|(name, _)| name.starts_with("webhooks")), "{found:?}");

        // Rotating seals what is left, and logs nothing.
        let logged = desk.log().await.len();
        let rotated = Keyring::new([9; 32], &[[7; 32]]);
        let mut transaction = store.begin().await.unwrap();
        assert!(write::reseal(&mut transaction.session(), &rotated).await.unwrap() > 0);
        assert_eq!(write::reseal(&mut transaction.session(), &rotated).await.unwrap(), 0);
        let in_use = keys_in_use(&mut transaction.session()).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(in_use.keys().map(String::as_str).collect::<Vec<_>>(), [rotated.current().unwrap()]);
        assert_eq!((clear(&store).await, desk.log().await.len()), (vec![], logged));
        let rows = at_rest(&store).await;
        assert!(!rows.contains("hunter2") && !rows.contains("secret"), "{rows}");
        let desk = Desk { keyring: Keyring::new([9; 32], &[]), ..Desk::new(&store) };
        assert_eq!(opened(&desk, world.router).await, Data::Json(arguments.clone()));
        let all = desk.list(Query::of(&platform::MODEL)).await;
        let ios = all.iter().find(|one| one.text("slug") == "cisco-ios").unwrap();
        assert_eq!(ios.opened("napalm_args", &desk.keyring).unwrap(), Data::Json(arguments));
        let hook = desk.get(&webhook::MODEL, hook).await;
        assert_eq!(hook.opened("payload_url", &desk.keyring).unwrap(), HOOK.into());
        assert_eq!(hook.opened("additional_headers", &desk.keyring).unwrap(), HEADERS.into());
    })
    .await;
}

#[tokio::test]
async fn texts_of_deployments_are_sealed_anew_some_at_a_time() {
    each_engine(async |store| {
        let old = Keyring::new([7; 32], &[]);
        let rotated = Keyring::new([9; 32], &[[7; 32]]);
        let rows = i64::from(BATCH) + 20;
        for number in 0..rows {
            let keyring = if number == 3 { &rotated } else { &old };
            let text = deployments::seal(keyring, &format!("text {number}")).unwrap();
            let secrets = deployments::seal_secrets(keyring, &["hunter2"]).unwrap();
            let sql = "INSERT INTO devices_deployment (router_name, user_name, begun, status, template, load_mode, forced, \
                       input_hash, candidate, running, diff, added, removed, sessions, warnings, configuration, secrets) \
                       VALUES ('edge1', 'u', ?, 'confirmed', 't', 'merge', ?, '', '', '', '', 0, 0, '{\"stored\": [], \"others\": []}', '[]', ?, ?)";
            let values = vec![epoch().into(), false.into(), text.into(), secrets.into()];
            store.execute(sql, values).await.unwrap();
        }
        let mut after = 0;
        let mut counts = Vec::new();
        loop {
            let mut transaction = store.begin().await.unwrap();
            let done = deployments::reseal(&mut transaction.session(), &rotated, after).await.unwrap();
            transaction.commit().await.unwrap();
            let Some((last, count)) = done else { break };
            assert!(last > after);
            (after, counts) = (last, [counts, vec![count]].concat());
        }
        assert_eq!(counts, [u64::from(BATCH) * 2, 19 * 2], "the one that is current is left alone");
        let only_new = Keyring::new([9; 32], &[]);
        let mut connection = store.connection().await.unwrap();
        let mut session = connection.session();
        let all = deployments::list(&mut session, None, 1000).await.unwrap();
        for one in &all {
            let whole = deployments::find(&mut session, one.id).await.unwrap().unwrap();
            let text = deployments::open(&only_new, whole.configuration.as_deref().unwrap()).unwrap();
            assert!(text.starts_with("text ") && whole.in_force.is_none());
            let secrets = deployments::open_secrets(&only_new, whole.secrets.as_deref()).unwrap();
            assert_eq!(secrets, ["hunter2"]);
        }
        assert_eq!(i64::try_from(all.len()).unwrap(), rows);
    })
    .await;
}
