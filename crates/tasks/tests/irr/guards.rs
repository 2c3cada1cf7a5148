//! Lists that are held back, hidden or switched off.

use pm_store::irr::{Kind, Stand};
use pm_store::testing::{each_engine, epoch};
use pm_tasks::irr::look;
use pm_tasks::{GetIrrData, GrabPrefixes, IrrAccept};

use super::rpsl::Rpsl;
use super::scene::Scene;

#[tokio::test]
async fn what_shrinks_or_explodes_waits_for_somebody_to_look() {
    each_engine(|store| async move {
        let peer = |count| Rpsl::default().set("RIPE", "AS-ONE", "AS3333").routes("RIPE", count, 3333);
        let mut scene = Scene::new(&store, &[(100, "AS-ONE")]).await;
        let server = peer(100).serve().await;
        scene.ask(&server, &[]);
        assert_eq!(scene.fetch().await.exit, 0);
        let rule = "INSERT INTO extras_notificationrule (created, updated, name, events, recipients) \
                    VALUES (?, ?, 'r', '[\"guard held\"]', '[\"noc@example.org\"]')";
        store.execute(rule, vec![epoch().into(), epoch().into()]).await.unwrap();

        for (count, reason) in [(49, "shrinks from 100 to 49"), (1001, "grows from 100 to 1001")] {
            let server = peer(count).serve().await;
            scene.ask(&server, &[]);
            let finished = scene.fetch().await;
            assert_eq!(finished.exit, 4, "{}", finished.message);
            assert!(finished.message.contains(reason), "{}", finished.message);
            assert_eq!(scene.state(100, Kind::Ipv4).await.list.unwrap().entries, 100);
        }
        // Who wants to hear of it is told of each list once, and not again of one that is still held back.
        let server = peer(1001).serve().await;
        scene.ask(&server, &[]);
        assert_eq!(scene.fetch().await.exit, 4);
        let other = "SELECT 1 AS one FROM extras_event WHERE task <> 'get_irr_data'";
        assert!(store.row(other, vec![]).await.unwrap().is_none(), "the task that ran is named");
        let told = store.rows("SELECT title, message FROM extras_event ORDER BY id", vec![]).await.unwrap();
        let told: Vec<(String, String)> =
            told.iter().map(|row| (row.get("title").unwrap(), row.get("message").unwrap())).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        for ((title, message), reason) in told.iter().zip(["from 100 to 49", "from 100 to 1001"]) {
            assert_eq!(title, "the ipv4 list of AS100 - Network 100 is held back");
            assert!(message.contains(reason) && message.contains("irr accept 100"), "{message}");
        }
        let waiting = look::review(&store).await.unwrap();
        assert_eq!(waiting.len(), 1);
        assert_eq!(waiting[0].state.held.as_ref().unwrap().list.entries, 1001);

        let accepted = scene.run(&IrrAccept { asns: vec![100] }).await;
        assert_eq!(accepted.exit, 0, "{}", accepted.message);
        // So that the next one is told at once, whichever task finds it.
        let over =
            store.rows("SELECT subject, task FROM extras_event WHERE kind = 'guard passed'", vec![]).await;
        let over: Vec<(String, Option<String>)> =
            over.unwrap().iter().map(|row| (row.get("subject").unwrap(), row.get("task").unwrap())).collect();
        assert_eq!(over, [("irr AS100 ipv4".to_owned(), None)]);
        let state = scene.state(100, Kind::Ipv4).await;
        assert_eq!((state.list.unwrap().entries, state.found, state.held.is_none()), (1001, 1001, true));
        assert_eq!(scene.generations(100).await, 2);
        assert_eq!(scene.changes().await.len(), 2);
        assert_eq!(look::who(&store, "10.7.208.0/24".parse().unwrap()).await.unwrap().len(), 1);

        let server = peer(3).serve().await;
        scene.ask(&server, &[]);
        assert_eq!(scene.run(&GrabPrefixes { force: true, ..GrabPrefixes::default() }).await.exit, 0);
        assert_eq!(scene.state(100, Kind::Ipv4).await.list.unwrap().entries, 3);
        assert_eq!(scene.run(&IrrAccept { asns: vec![100] }).await.message, "Nothing was held back.");
        assert_eq!(scene.run(&IrrAccept { asns: vec![999] }).await.exit, 1);
    })
    .await;
}

#[tokio::test]
async fn a_limit_and_a_switch_hide_a_list_and_lose_nothing() {
    each_engine(|store| async move {
        let server = Rpsl::default().set("RIPE", "AS-ONE", "AS3333").routes("RIPE", 30, 3333).serve().await;
        let mut scene = Scene::new(&store, &[(100, "AS-ONE")]).await;
        scene.ask(&server, &[]);
        assert_eq!(scene.fetch().await.exit, 0);
        let good = scene.shown(100, Kind::Ipv4).await;
        assert_eq!(good.as_ref().unwrap().len(), 30);

        let limited = scene.run(&GrabPrefixes { limit: 29, ..GrabPrefixes::default() }).await;
        assert_eq!(limited.exit, 0, "{}", limited.message);
        let state = scene.state(100, Kind::Ipv4).await;
        assert_eq!(
            (state.state, state.too_long, state.list.as_ref().unwrap().entries),
            (Stand::TooBig, Some(30), 30)
        );
        assert_eq!(scene.shown(100, Kind::Ipv4).await, None);
        assert_eq!(look::who(&store, "10.0.0.0/24".parse().unwrap()).await.unwrap(), []);
        assert_eq!(scene.run(&GetIrrData { limit: 30, ..GetIrrData::default() }).await.exit, 0);
        assert_eq!(scene.shown(100, Kind::Ipv4).await, good);

        scene.edit(100, "retrieve_prefixes = FALSE, retrieve_as_list = FALSE").await;
        assert_eq!(scene.fetch().await.exit, 0);
        assert_eq!(scene.state(100, Kind::AsList).await.state, Stand::Off);
        assert_eq!((scene.shown(100, Kind::Ipv4).await, scene.generations(100).await), (None, 1));
        scene.edit(100, "retrieve_prefixes = TRUE, retrieve_as_list = TRUE").await;
        assert_eq!(scene.fetch().await.exit, 0);
        assert_eq!((scene.shown(100, Kind::Ipv4).await, scene.generations(100).await), (good, 1));
    })
    .await;
}
