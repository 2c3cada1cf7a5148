//! How messages are delivered: with back-off, side by side, at least once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use pm_lab::receiver::{Receiver, Reply};
use pm_store::notifications::{self, State};
use pm_store::objects::models::autonomous_system;
use pm_store::objects::record::Draft;
use pm_store::testing::each_engine;
use pm_tasks::notify::Courier;
use tokio_util::sync::CancellationToken;

use super::{World, real};

const AS: &str = "peering.autonomoussystem";

async fn systems(world: &World, count: i64) {
    for number in 0..count {
        let draft = Draft::new(&autonomous_system::MODEL).with("asn", 64_500 + number).with("name", "Peer");
        world.create(draft).await;
    }
}

#[tokio::test]
async fn what_fails_is_tried_again_later_and_at_last_given_up() {
    each_engine(async |store| {
        let world = World::with(&store, &[("notification_attempts", "6")]).await;
        world.create(world.hook("a", AS)).await;
        systems(&world, 1).await;
        world.receiver.reply(Reply { body: "out of order".into(), ..Reply::status(500) });
        let mut tries = 0;
        for seconds in [30, 120, 600, 3600, 21_600] {
            assert_eq!(world.deliver().await.failed, 1);
            tries += 1;
            let found = world.deliveries().await.remove(0);
            assert_eq!((found.state, found.attempts, found.status), (State::Failed, tries, Some(500)));
            assert_eq!(found.answer.as_deref(), Some("out of order"));
            assert_eq!(found.not_before, world.now() + TimeDelta::seconds(seconds));
            world.clock.pass(TimeDelta::seconds(seconds - 1));
            assert_eq!(world.deliver().await, pm_tasks::notify::Sent::default(), "not yet");
            world.clock.pass(TimeDelta::seconds(1));
        }
        assert_eq!(world.deliver().await.given_up, 1);
        world.clock.pass(TimeDelta::days(30));
        assert_eq!(world.deliver().await, pm_tasks::notify::Sent::default());
        let found = world.deliveries().await.remove(0);
        assert_eq!((found.state, found.attempts), (State::GivenUp, 6));
        let ids: Vec<String> =
            world.received().iter().map(|(one, _)| one.header("x-hook-delivery").to_owned()).collect();
        assert_eq!(ids.len(), 6);
        assert!(ids.iter().all(|id| *id == found.delivery_id), "{ids:?}");
        // Somebody mends the receiver and asks for it once more.
        world.receiver.reply(Reply::status(204));
        assert_eq!(notifications::retry(&store, &[found.id], world.now()).await.unwrap(), 1);
        assert_eq!(world.deliver().await.sent, 1);
        assert_eq!(notifications::retry(&store, &[], world.now()).await.unwrap(), 0, "it was sent");
    })
    .await;
}

#[tokio::test]
async fn a_courier_that_dies_after_sending_lets_it_be_sent_again() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        world.create(world.hook("a", AS)).await;
        systems(&world, 1).await;
        world.receiver.reply(Reply { delay: Duration::from_secs(30), ..Reply::status(200) });
        let courier = world.courier();
        let sending = tokio::spawn(async move { courier.deliver_due().await });
        while world.received().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The request is out, and nobody will ever record what came of it.
        sending.abort();
        let _ = sending.await;
        world.receiver.reply(Reply::status(200));
        let found = world.deliveries().await.remove(0);
        assert_eq!((found.state, found.attempts), (State::Pending, 1));
        assert_eq!(world.deliver().await, pm_tasks::notify::Sent::default(), "the lease lasts");
        world.clock.pass(found.leased_until.unwrap() - world.now());
        assert_eq!(world.deliver().await.sent, 1);
        let received = world.received();
        let id = |at: usize| received[at].0.header("x-hook-delivery").to_owned();
        assert_eq!((received.len(), id(0)), (2, id(1)));
        let found = world.deliveries().await.remove(0);
        assert_eq!((found.state, found.attempts, found.leased_until), (State::Sent, 2, None));
        // One that is late does not overwrite what another has recorded.
        let late = notifications::Attempt {
            state: State::Failed,
            again: None,
            status: None,
            answer: None,
            error: None,
        };
        let stale = notifications::Delivery { attempts: 1, ..found };
        assert!(!notifications::record(&store, &stale, &late, world.now()).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn one_that_is_late_is_told_from_the_first_after_a_retry() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        world.create(world.hook("a", AS)).await;
        systems(&world, 1).await;
        let claim = async || {
            let until = world.now() + TimeDelta::seconds(60);
            notifications::claim(&store, &[], until, world.now()).await.unwrap().unwrap()
        };
        let attempt = |state| notifications::Attempt {
            state,
            again: Some(world.now()),
            status: None,
            answer: None,
            error: None,
        };
        let first = claim().await;
        assert!(notifications::record(&store, &first, &attempt(State::Failed), world.now()).await.unwrap());
        assert_eq!(notifications::retry(&store, &[], world.now()).await.unwrap(), 1);
        world.clock.pass(TimeDelta::seconds(1));
        let second = claim().await;
        assert_eq!(second.attempts, first.attempts, "it begins anew");
        assert!(!notifications::record(&store, &first, &attempt(State::GivenUp), world.now()).await.unwrap());
        assert!(notifications::record(&store, &second, &attempt(State::Sent), world.now()).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn one_whose_sender_always_dies_is_given_up() {
    each_engine(async |store| {
        let world = World::with(&store, &[("notification_attempts", "2")]).await;
        world.create(world.hook("a", AS)).await;
        systems(&world, 1).await;
        for _ in 0..2 {
            let until = world.now() + TimeDelta::seconds(60);
            assert!(notifications::claim(&store, &[], until, world.now()).await.unwrap().is_some());
            assert!(notifications::claim(&store, &[], until, world.now()).await.unwrap().is_none());
            world.clock.pass(TimeDelta::seconds(60));
        }
        assert_eq!(world.deliver().await.given_up, 1);
        assert!(world.received().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_couriers_send_each_message_once() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        world.create(world.hook("a", AS)).await;
        systems(&world, 40).await;
        let couriers = (0..4).map(|_| {
            let courier = world.courier();
            tokio::spawn(async move { courier.deliver_due().await.unwrap().sent })
        });
        let couriers: Vec<_> = couriers.collect();
        let mut sent = 0;
        for courier in couriers {
            sent += courier.await.unwrap();
        }
        assert_eq!((sent, world.received().len()), (40, 40));
        let ids: std::collections::BTreeSet<String> =
            world.received().iter().map(|(one, _)| one.header("x-hook-delivery").to_owned()).collect();
        assert_eq!(ids.len(), 40);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_receiver_delays_nobody_else() {
    each_engine(async |store| {
        let world =
            World::with(&store, &[("notification_concurrency", "4"), ("webhook_timeout", "150")]).await;
        let slow = Receiver::start().await.unwrap();
        slow.reply(Reply { delay: Duration::from_mins(2), ..Reply::status(200) });
        let url = format!("http://127.0.0.1:{}/", slow.port());
        world.create(world.hook("a-slow", AS).with("payload_url", url)).await;
        world.create(world.hook("b-fast", AS)).await;
        systems(&world, 12).await;
        let courier = Courier::new(store.clone(), Arc::clone(&world.config), real() as _);
        let cancel = CancellationToken::new();
        let begun = Instant::now();
        let stop = cancel.clone();
        let working = tokio::spawn(async move { courier.run(stop).await });
        while world.received().len() < 12 {
            assert!(begun.elapsed() < Duration::from_secs(90), "{} arrived", world.received().len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!((1..=2).contains(&slow.received().len()), "few at a time");
        cancel.cancel();
        let stopping = Instant::now();
        working.await.unwrap();
        assert!(stopping.elapsed() < Duration::from_secs(90), "it waits a little, and no longer");
    })
    .await;
}

#[tokio::test]
async fn this_host_is_refused_unless_a_setting_allows_it() {
    each_engine(async |store| {
        let world = World::with(&store, &[("webhook_allowed_targets", "")]).await;
        for (name, host) in [("a", "127.0.0.1"), ("b", "localhost"), ("c", "[::ffff:127.0.0.1]")] {
            let url = format!("http://{host}:{}/", world.receiver.port());
            world.create(world.hook(name, AS).with("payload_url", url)).await;
        }
        systems(&world, 1).await;
        assert_eq!(world.deliver().await.failed, 3);
        for found in world.deliveries().await {
            let error = found.error.unwrap();
            assert!(error.contains("loopback") && error.contains("webhook_allowed_targets"), "{error}");
        }
        assert!(world.received().is_empty());
    })
    .await;
}

/// A courier that vanished in the middle of it keeps the lock until the server finds that out.
#[tokio::test]
async fn nobody_waits_for_a_courier_that_has_the_events() {
    let Some(database) = pm_store::testing::TestDatabase::postgres().await else { return };
    let store = database.open().await;
    let world = World::new(&store).await;
    world.create(World::rule("r", &["session down"])).await;
    let mut vanished = store.begin().await.unwrap();
    vanished.session().execute("SELECT pg_advisory_xact_lock(7245)", vec![]).await.unwrap();
    let sql = "INSERT INTO extras_event (time, kind, subject, title, message, data) VALUES (?, 'session down', '', '', '', '{}')";
    store.execute(sql, vec![world.now().into()]).await.unwrap();
    let courier = world.courier();
    let pulse = courier.pulse();
    let stop = CancellationToken::new();
    let ((), ()) = tokio::join!(courier.run(stop.clone()), async {
        tokio::time::timeout(Duration::from_secs(10), pulse.works()).await.unwrap();
        assert_eq!(world.deliveries().await.len(), 0, "the other one has them");
        vanished.rollback().await.unwrap();
        let begun = Instant::now();
        while world.deliveries().await.is_empty() {
            assert!(begun.elapsed() < Duration::from_mins(1), "they are looked at");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.cancel();
    });
    assert_eq!(pulse.age(), None, "it has ended");
    store.close().await;
    database.remove().await;
}
