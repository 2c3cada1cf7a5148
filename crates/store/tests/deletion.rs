//! What a deletion takes along and what it empties, for the relations that other tests do not touch.

use crate::support::World;
use pm_store::objects::models::{
    autonomous_system, bgp_group, community, configuration, connection, direct_peering_session,
    internet_exchange, internet_exchange_peering_session, ixapi, journal_entry, router, routing_policy, tag,
};
use pm_store::objects::query::Query;
use pm_store::objects::record::Draft;
use pm_store::testing::each_engine;

#[tokio::test]
async fn ones_own_network_takes_all_along_that_is_its_own() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let desk = &world.desk;
        let entry = Draft::new(&journal_entry::MODEL)
            .with("assigned_object_type", "peering.autonomoussystem")
            .with("assigned_object_id", world.own)
            .with("comments", "moved");
        desk.create(entry).await.unwrap();
        let gone = desk.delete(&autonomous_system::MODEL, &[world.own]).await.unwrap();
        let labels: Vec<&str> = gone.deleted.keys().copied().collect();
        assert_eq!(
            labels,
            [
                "devices.router",
                "extras.configcontextassignment",
                "extras.journalentry",
                "net.connection",
                "peering.autonomoussystem",
                "peering.directpeeringsession",
                "peering.internetexchange",
                "peering.internetexchangepeeringsession"
            ]
        );
        assert_eq!(desk.list(Query::of(&autonomous_system::MODEL)).await.len(), 1, "the peer stays");
        for model in
            [&*router::MODEL, &*internet_exchange::MODEL, &*connection::MODEL, &*journal_entry::MODEL]
        {
            assert_eq!(desk.list(Query::of(model)).await, vec![], "{model:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn references_to_what_is_gone_become_empty() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let desk = &world.desk;
        let named = |model, name: &str| Draft::new(model).with("name", name).with("slug", name);
        let group = desk.create(named(&bgp_group::MODEL, "transit")).await.unwrap().id;
        let template = Draft::new(&configuration::MODEL).with("name", "t").with("template", "x");
        let template = desk.create(template).await.unwrap().id;
        let api = Draft::new(&ixapi::MODEL)
            .with("name", "api")
            .with("api_url", "https://ix.example/api/v2/")
            .with("api_key", "k")
            .with("api_secret", "s")
            .with("identity", "1");
        let api = desk.create(api).await.unwrap().id;
        let direct =
            Draft::new(&direct_peering_session::MODEL).with("bgp_group", group).with("bfd", world.bfd);
        desk.update(world.direct, direct).await.unwrap();
        let changed = Draft::new(&router::MODEL).with("configuration_template", template);
        desk.update(world.router, changed).await.unwrap();
        let changed = Draft::new(&internet_exchange::MODEL).with("ixapi_endpoint", api);
        desk.update(world.exchange, changed).await.unwrap();

        for (model, id, emptied, of) in [
            (&*bgp_group::MODEL, group, vec!["bgp_group"], 1),
            (&*configuration::MODEL, template, vec!["configuration_template"], 1),
            (&*ixapi::MODEL, api, vec!["ixapi_endpoint"], 1),
            (&*pm_store::objects::models::bfd::MODEL, world.bfd, vec!["bfd", "bfd"], 2),
        ] {
            let gone = desk.delete(model, &[id]).await.unwrap();
            let fields: Vec<&str> = gone.emptied.iter().map(|(_, _, field)| *field).collect();
            assert_eq!((fields, gone.emptied.len()), (emptied, of), "{model:?}");
            assert_eq!(gone.deleted.len(), 1, "{model:?} takes nothing along");
        }
        let session = desk.get(&direct_peering_session::MODEL, world.direct).await;
        assert_eq!((session.integer("bgp_group"), session.integer("bfd")), (None, None));
        assert_eq!(desk.get(&router::MODEL, world.router).await.integer("configuration_template"), None);
        assert_eq!(desk.get(&internet_exchange::MODEL, world.exchange).await.integer("ixapi_endpoint"), None);
    })
    .await;
}

#[tokio::test]
async fn lists_lose_what_is_gone_and_nothing_else() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let desk = &world.desk;
        desk.delete(&routing_policy::MODEL, &world.policies[..1]).await.unwrap();
        desk.delete(&community::MODEL, &world.communities[..1]).await.unwrap();
        desk.delete(&tag::MODEL, &world.tags[..1]).await.unwrap();
        let session = desk.get(&internet_exchange_peering_session::MODEL, world.session).await;
        assert_eq!(session.ids("import_routing_policies").len(), 2);
        assert_eq!(session.ids("tags"), &world.tags[1..]);
        assert_eq!(desk.get(&router::MODEL, world.router).await.ids("communities"), &world.communities[1..]);
        let direct = desk.get(&direct_peering_session::MODEL, world.direct).await;
        assert_eq!(direct.ids("communities"), [0_i64; 0]);
        assert_eq!(direct.ids("tags"), &world.tags[1..]);
    })
    .await;
}
