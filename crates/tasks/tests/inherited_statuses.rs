//! What a session's status comes to: the database says the same of every combination as templates do.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use ipnet::IpNet;
use pm_config::Config;
use pm_render::{Source, Undefined};
use pm_store::changes::Author;
use pm_store::objects::choices::{SESSION_STATUS, STATUS};
use pm_store::objects::models::{
    autonomous_system, bgp_group, connection, direct_peering_session, internet_exchange,
    internet_exchange_peering_session, relationship, router,
};
use pm_store::objects::problems::{ObjectError, Rules};
use pm_store::objects::record::Draft;
use pm_store::objects::secrets::Keyring;
use pm_store::objects::write::{self, Writing};
use pm_store::polls::{self, SessionKind};
use pm_store::sessions::{self, Which};
use pm_store::statuses::Wish;
use pm_store::testing::{each_engine, epoch};
use pm_store::{Store, deployments};
use pm_tasks::render::{Engine, Wants, with_snapshot};

async fn create(store: &Store, drafts: Vec<Draft>) -> Vec<i64> {
    let author = Author { user_id: None, user_name: "test".into(), request_id: "r".into() };
    let keyring = Keyring::new([7; 32], &[]);
    let rules = Rules { checked: false, community_values: false };
    let writing = Writing { author: &author, now: epoch(), keyring: &keyring, rules };
    let mut transaction = store.begin().await.unwrap();
    let made = write::create(&mut transaction.session(), writing, &drafts).await.unwrap();
    transaction.commit().await.unwrap();
    made.iter().map(|one| one.id).collect()
}

/// Nothing, and each of these.
fn or_none(ids: &[i64]) -> Vec<Option<i64>> {
    std::iter::once(None).chain(ids.iter().copied().map(Some)).collect()
}

/// A session of every status with everything of every status above it.
async fn fill(store: &Store) {
    let system = |asn: i64| Draft::new(&autonomous_system::MODEL).with("asn", asn).with("name", "Peer");
    let systems = create(store, vec![system(64_496).with("affiliated", true), system(64_501)]).await;
    let (own, peer) = (systems[0], systems[1]);
    let related = Draft::new(&relationship::MODEL).with("name", "Peering").with("slug", "peering");
    let related = create(store, vec![related]).await[0];
    let of_each = |model| {
        let named = move |(status, _): &(&'static str, &str)| {
            Draft::new(model).with("name", *status).with("status", *status)
        };
        STATUS.iter().map(named).collect::<Vec<Draft>>()
    };
    let slugged = |drafts: Vec<Draft>| -> Vec<Draft> {
        drafts.into_iter().zip(STATUS).map(|(draft, (status, _))| draft.with("slug", *status)).collect()
    };
    let groups = create(store, slugged(of_each(&*bgp_group::MODEL))).await;
    let exchanges = create(store, slugged(of_each(&*internet_exchange::MODEL))).await;
    let routers = of_each(&*router::MODEL).into_iter().zip(STATUS).map(|(draft, (status, _))| {
        let draft = draft.with("hostname", *status).with("poll_bgp_sessions_state", true);
        draft.with("local_autonomous_system", own)
    });
    let routers = create(store, routers.collect()).await;
    let mut links = Vec::new();
    for (status, _) in STATUS {
        for exchange in &exchanges {
            for router in or_none(&routers) {
                let link = Draft::new(&connection::MODEL).with("status", *status);
                let link = link.with("internet_exchange_point", *exchange);
                links.push(router.map_or(link.clone(), |router| link.with("router", router)));
            }
        }
    }
    let links = create(store, links).await;
    let mut address = u32::from(Ipv4Addr::new(10, 0, 0, 0));
    let mut next = || {
        address += 1;
        IpNet::new(Ipv4Addr::from(address).into(), 32).unwrap()
    };
    let mut drafts = Vec::new();
    for (status, _) in SESSION_STATUS {
        for group in or_none(&groups) {
            for router in or_none(&routers) {
                // Over a connection of a router that does not count, whatever is the matter with it.
                let draft = Draft::new(&direct_peering_session::MODEL)
                    .with("connection", links[links.len() / 2 + 1])
                    .with("autonomous_system", peer)
                    .with("local_autonomous_system", own)
                    .with("relationship", related)
                    .with("status", *status)
                    .with("ip_address", next());
                let draft = group.map_or(draft.clone(), |group| draft.with("bgp_group", group));
                drafts.push(router.map_or(draft.clone(), |router| draft.with("router", router)));
            }
        }
    }
    create(store, drafts).await;
    let mut drafts = Vec::new();
    for (status, _) in SESSION_STATUS {
        for link in &links {
            let draft = Draft::new(&internet_exchange_peering_session::MODEL)
                .with("autonomous_system", peer)
                .with("ixp_connection", *link)
                .with("status", *status)
                .with("ip_address", next().addr().to_string().as_str());
            drafts.push(draft);
        }
    }
    create(store, drafts).await;
}

/// What templates see, by kind and number.
async fn seen_by_templates(store: &Store) -> BTreeMap<(SessionKind, i64), String> {
    const TEXT: &str = "{% for s in dataset %}{{ s.id }} {{ s | inherited_status }}\n{% endfor %}";
    let mut transaction = store.begin_reading().await.unwrap();
    let keyring = Arc::new(Keyring::new([7; 32], &[]));
    let mut found = BTreeMap::new();
    for (kind, model) in [
        (SessionKind::Direct, "peering.directpeeringsession"),
        (SessionKind::Ixp, "peering.internetexchangepeeringsession"),
    ] {
        let mut session = transaction.session();
        let rendered = with_snapshot(&mut session, &keyring, Wants::of([TEXT]), |snapshot| {
            let source = Source {
                name: "statuses".into(),
                text: TEXT.into(),
                trim: false,
                lstrip: false,
                undefined: Undefined::Strict,
            };
            let engine = Engine::new(&snapshot.world, &Config::default(), epoch());
            let way = |environment: &pm_render::Environment| environment.render_export(model, &source);
            Ok::<_, ObjectError>(engine.render(&source, "export", way))
        });
        let text = rendered.await.unwrap().unwrap().text;
        found.extend(text.lines().map(|line| {
            let (id, status) = line.split_once(' ').unwrap();
            ((kind, id.parse().unwrap()), status.to_owned())
        }));
    }
    transaction.rollback().await.unwrap();
    found
}

#[tokio::test]
async fn a_status_comes_to_what_templates_see() {
    each_engine(async |store| {
        fill(&store).await;
        let seen = seen_by_templates(&store).await;
        let mut connection = store.connection().await.unwrap();
        let mut session = connection.session();
        let listed = sessions::list(&mut session, &Which::default()).await.unwrap();
        assert_eq!((listed.len(), seen.len()), (9 * 6 * 6 + 9 * 5 * 5 * 6, listed.len()));
        for one in &listed {
            assert_eq!(one.inherited_status, seen[&(one.kind, one.id)], "{one:?}");
        }
        // Whoever judges a router by its sessions goes by the same.
        let on_routers: BTreeSet<i64> = listed.iter().filter_map(|one| one.router_id).collect();
        let ids: Vec<i64> = on_routers.into_iter().collect();
        let expected = polls::expected(&mut session, &ids).await.unwrap();
        for one in expected.values().flatten() {
            assert_eq!(one.wanted, Wish::of(&seen[&(one.kind, one.id)]).is_wanted(), "{one:?}");
        }
        let wishes = deployments::sessions(&mut session, &ids).await.unwrap();
        let on_routers = listed.iter().filter_map(|one| Some((one.router_id?, one)));
        let mut count = 0;
        for (router, one) in on_routers {
            count += 1;
            assert_eq!(wishes[&router][&one.ip_address], Wish::of(&one.inherited_status), "{one:?}");
        }
        assert_eq!(count, wishes.values().map(BTreeMap::len).sum::<usize>());
        assert_eq!(count, expected.values().map(Vec::len).sum::<usize>());
        // A run for some reads nothing of the others.
        assert!(ids.len() > 1 && polls::expected(&mut session, &[]).await.unwrap().is_empty());
        assert!(polls::expected(&mut session, &ids[..1]).await.unwrap().keys().eq(&ids[..1]));
        assert!(deployments::sessions(&mut session, &ids[..1]).await.unwrap().keys().eq(&ids[..1]));
        // The numbers of a router are made of the same.
        let routers = pm_store::routers::list(&mut session).await.unwrap();
        for router in routers {
            let wanted = expected[&router.id].iter().filter(|one| one.wanted).count();
            assert_eq!(usize::try_from(router.sessions.wanted).unwrap(), wanted, "{}", router.name);
        }
    })
    .await;
}
