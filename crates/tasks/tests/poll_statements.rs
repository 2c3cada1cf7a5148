//! A router with many sessions takes as many statements as one with few, polled and looked at. Alone in its file, because it
//! counts what the whole process asks the database.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::support::fake_routers::{Fake, create, fill, neighbor, poll_of, runner};
use crate::support::{HeldClock, Lines};
use chrono::TimeDelta;
use pm_router::State;
use pm_store::Store;
use pm_store::objects::models::{autonomous_system, internet_exchange_peering_session};
use pm_store::objects::record::Draft;
use pm_store::testing::{each_engine, epoch, statements};
use pm_tasks::sessions::{Asked, Freshness, list, router, routers, show, unknown};
use pm_tasks::{ImportSessions, Task};
use tokio_util::sync::CancellationToken;

fn address(at: u32) -> String {
    IpAddr::from(Ipv4Addr::from_bits(0xcb00_0000 + at)).to_string()
}

/// Sessions with networks of their own, on the one connection.
async fn grow(store: &Store, from: u32, to: u32) {
    let system = |at: u32| {
        let asn = i64::from(4_200_000_000 + at);
        Draft::new(&autonomous_system::MODEL).with("asn", asn).with("name", format!("Peer {at}"))
    };
    let systems = create(store, &(from..to).map(system).collect::<Vec<_>>()).await;
    let row = store.row("SELECT MIN(id) FROM net_connection", vec![]).await.unwrap().unwrap();
    let connection: i64 = row.get(0).unwrap();
    let session = |(at, system): (u32, i64)| {
        Draft::new(&internet_exchange_peering_session::MODEL)
            .with("autonomous_system", system)
            .with("ixp_connection", connection)
            .with("ip_address", address(at).parse::<IpAddr>().unwrap())
    };
    create(store, &(from..to).zip(systems).map(session).collect::<Vec<_>>()).await;
}

/// How many statements each way of looking takes, and a poll of the router, as the whole run with its job record.
async fn counts(store: &Store, fake: &Arc<Fake>, sessions: u32) -> Vec<(&'static str, u64)> {
    let (clock, lines): (_, Arc<Lines>) = (HeldClock::at(epoch()), Arc::default());
    let known = |at| neighbor("default", &address(at), 4_200_000_000 + at, State::Established, 1);
    let strange = |at| neighbor("default", &address(1_000_000 + at), 65_001, State::Established, 1);
    let all = (0..sessions).map(known).chain((0..sessions).map(strange));
    fake.answers("edge1.example.net", all.collect());
    let freshness = Freshness { now: epoch(), limit: TimeDelta::hours(1) };
    let runner = runner(store, &clock, &lines, false);
    let run = async |task: &dyn Task| {
        // A run that takes more than a second gives signs of life, which are statements too.
        let mut least = None;
        for _ in 0..3 {
            let before = statements();
            let finished = runner.run(task, CancellationToken::new()).await.unwrap();
            let took = statements() - before;
            if least.as_ref().is_none_or(|(fewest, _)| took < *fewest) {
                least = Some((took, finished.data));
            }
        }
        least.unwrap()
    };
    let (poll, polled) = run(&poll_of(Some("edge1"), fake)).await;
    assert_eq!(polled["routers"][0]["established"], sessions);
    let import = ImportSessions { of: Some("edge1".to_owned()), status: None, dry_run: true };
    let (import, imported) = run(&import).await;
    assert_eq!(imported["skipped"].as_array().unwrap().len(), sessions as usize);
    let mut counts = vec![("poll", poll), ("sessions import", import)];
    let mut before = statements();
    let mut took = |what| {
        let now = statements();
        counts.push((what, now - before));
        before = now;
    };
    let found = list(store, freshness, &Asked::default()).await.unwrap();
    took("sessions list");
    assert_eq!(found.len(), 3 + sessions as usize);
    show(store, freshness, &address(0), 10).await.unwrap();
    took("sessions show");
    assert_eq!(unknown(store, freshness, None, None).await.unwrap().len(), sessions as usize);
    took("sessions unknown");
    routers(store, freshness).await.unwrap();
    took("router list");
    router(store, freshness, "edge1").await.unwrap();
    took("router show");
    counts
}

#[tokio::test]
async fn many_sessions_take_as_many_statements_as_few() {
    each_engine(async |store| {
        fill(&store).await;
        let fake: Arc<Fake> = Arc::default();
        grow(&store, 0, 5).await;
        let few = counts(&store, &fake, 5).await;
        grow(&store, 5, 250).await;
        let many = counts(&store, &fake, 250).await;
        for ((what, few), (_, many)) in few.iter().zip(&many) {
            // A run that takes longer than a second also gives signs of life, two statements each.
            assert!(many.abs_diff(*few) <= 2, "{what}: {few} statements for 5 sessions, {many} for 250");
        }
        for (what, most) in [("poll", 40), ("sessions list", 2), ("sessions show", 3), ("router list", 3)] {
            let (_, took) = *many.iter().find(|(name, _)| *name == what).unwrap();
            assert!(took <= most, "{what}: {took}");
        }
    })
    .await;
}
