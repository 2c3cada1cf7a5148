//! However many objects there are, a picture of them takes the same number of statements. Alone in its file, because it
//! counts what the whole process asks the database.

use std::sync::Arc;

use pm_store::changes::Author;
use pm_store::objects::models::{
    autonomous_system, connection, internet_exchange, internet_exchange_peering_session,
};
use pm_store::objects::problems::Rules;
use pm_store::objects::record::Draft;
use pm_store::objects::secrets::{Clear, Keyring};
use pm_store::objects::write::{self, Writing};
use pm_store::testing::{each_engine, epoch, statements};
use pm_store::{Session, Store};
use pm_tasks::render::{Wants, read};

async fn create(session: &mut Session<'_>, keyring: &Keyring, drafts: Vec<Draft>) -> Vec<i64> {
    let author = Author { user_id: None, user_name: "test".into(), request_id: "r".into() };
    let writing = Writing {
        author: &author,
        now: epoch(),
        keyring,
        rules: Rules { checked: false, community_values: false },
    };
    write::create(session, writing, &drafts).await.unwrap().iter().map(|record| record.id).collect()
}

async fn grow(store: &Store, keyring: &Keyring, from: i64, to: i64, connection: i64) {
    let mut transaction = store.begin().await.unwrap();
    let mut session = transaction.session();
    let system = |at: i64| {
        Draft::new(&autonomous_system::MODEL)
            .with("asn", 64_600 + at)
            .with("name", format!("Peer {at}").as_str())
    };
    let systems = create(&mut session, keyring, (from..to).map(system).collect()).await;
    let session_of = |(at, system): (i64, i64)| {
        let address =
            std::net::IpAddr::from(std::net::Ipv4Addr::from_bits(0xc633_6400 + u32::try_from(at).unwrap()));
        Draft::new(&internet_exchange_peering_session::MODEL)
            .with("autonomous_system", system)
            .with("ixp_connection", connection)
            .with("ip_address", address)
            .with("password", Clear::new("secret"))
    };
    create(&mut session, keyring, (from..to).zip(systems).map(session_of).collect()).await;
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn a_picture_takes_as_many_statements_for_many_objects_as_for_few() {
    each_engine(async |store| {
        let keyring = Arc::new(Keyring::new([7; 32], &[]));
        let mut transaction = store.begin().await.unwrap();
        let mut session = transaction.session();
        let own = Draft::new(&autonomous_system::MODEL)
            .with("asn", 64_496_i64)
            .with("name", "Own")
            .with("affiliated", true);
        let own = create(&mut session, &keyring, vec![own]).await[0];
        let exchange = Draft::new(&internet_exchange::MODEL)
            .with("name", "IX")
            .with("slug", "ix")
            .with("local_autonomous_system", own);
        let exchange = create(&mut session, &keyring, vec![exchange]).await[0];
        let link = Draft::new(&connection::MODEL).with("internet_exchange_point", exchange);
        let link = create(&mut session, &keyring, vec![link]).await[0];
        transaction.commit().await.unwrap();
        for template in
            ["{{ router.name }}", "{{ autonomous_systems | prefix_list }} {{ x.peeringdb_network }} journal"]
        {
            let mut counts = Vec::new();
            let mut sessions = Vec::new();
            for (from, to) in [(0, 10), (10, 100)] {
                if template.contains("router.name") {
                    grow(&store, &keyring, from, to, link).await;
                }
                let before = statements();
                let mut transaction = store.begin_reading().await.unwrap();
                let snapshot =
                    read(&mut transaction.session(), &keyring, &Wants::of([template])).await.unwrap();
                counts.push(statements() - before);
                let model = pm_render::Models::get().index("peering.internetexchangepeeringsession").unwrap();
                sessions.push(snapshot.world.all(model).len());
            }
            assert_eq!(counts[0], counts[1], "{template}");
            assert!(counts[0] < 80, "{} statements", counts[0]);
            assert_eq!(sessions[1], 100);
        }
    })
    .await;
}
