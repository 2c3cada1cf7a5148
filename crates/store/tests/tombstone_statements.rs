//! However many sessions a deletion takes along, they are remembered by the same number of statements. Alone in its file,
//! because it counts what the whole process asks the database.

use crate::support::World;
use pm_store::objects::models::{autonomous_system, internet_exchange_peering_session};
use pm_store::objects::record::Draft;
use pm_store::testing::{each_engine, statements};
use pm_store::tombstones;

#[tokio::test]
async fn many_sessions_are_remembered_by_as_many_statements_as_few() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let mut counts = Vec::new();
        for (asn, sessions) in [(64_501_i64, 3_u32), (64_502, 100)] {
            let system = Draft::new(&autonomous_system::MODEL).with("asn", asn).with("name", "Many");
            let system = world.desk.create(system).await.unwrap().id;
            let session = |at: u32| {
                Draft::new(&internet_exchange_peering_session::MODEL)
                    .with("autonomous_system", system)
                    .with("ixp_connection", world.connection)
                    .with(
                        "ip_address",
                        std::net::IpAddr::from(std::net::Ipv4Addr::from_bits(0xcb00_7100 + at)),
                    )
            };
            let drafts: Vec<Draft> = (0..sessions).map(session).collect();
            world.desk.create_all(&drafts).await.unwrap();
            let before = statements();
            world.desk.delete(&autonomous_system::MODEL, &[system]).await.unwrap();
            counts.push(statements() - before);
            let mut connection = store.connection().await.unwrap();
            let left = tombstones::deleted(&mut connection.session(), &[world.router]).await.unwrap();
            let of = left.iter().filter(|one| one.remote_asn == asn).count();
            assert_eq!(of, usize::try_from(sessions).unwrap());
        }
        assert_eq!(counts[0], counts[1]);
    })
    .await;
}
