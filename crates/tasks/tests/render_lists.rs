//! Lists that are missing or old, passwords that do not open, and what of the PeeringDB cache is read.

use std::sync::Arc;

use chrono::TimeDelta;
use pm_config::Config;
use pm_render::{Row, Source, Undefined};
use pm_store::changes::Author;
use pm_store::objects::models::{autonomous_system, direct_peering_session, relationship, router};
use pm_store::objects::problems::{ObjectError, Rules};
use pm_store::objects::record::Draft;
use pm_store::objects::secrets::{Clear, Keyring};
use pm_store::objects::write::{self, Writing};
use pm_store::testing::{each_engine, epoch};
use pm_store::{Store, Value};
use pm_tasks::render::{Engine, Wants, with_snapshot};

const SECRET: &str = "hunter2-plain";

async fn fill(store: &Store, keyring: &Keyring) {
    let author = Author { user_id: None, user_name: "test".into(), request_id: "r".into() };
    let mut transaction = store.begin().await.unwrap();
    let mut session = transaction.session();
    let mut create = async |draft: Draft| {
        let rules = Rules { checked: false, community_values: false };
        let writing = Writing { author: &author, now: epoch(), keyring, rules };
        write::create(&mut session, writing, &[draft]).await.unwrap()[0].id
    };
    let system = |asn: i64| Draft::new(&autonomous_system::MODEL).with("asn", asn).with("name", "x");
    let own = create(system(64_496).with("affiliated", true)).await;
    let peer = create(system(201_500)).await;
    let edge = Draft::new(&router::MODEL)
        .with("name", "edge")
        .with("hostname", "edge")
        .with("local_autonomous_system", own);
    let edge = create(edge).await;
    let relationship =
        create(Draft::new(&relationship::MODEL).with("name", "Peering").with("slug", "peering")).await;
    let peering = Draft::new(&direct_peering_session::MODEL)
        .with("router", edge)
        .with("autonomous_system", peer)
        .with("relationship", relationship)
        .with("local_autonomous_system", own)
        .with("ip_address", "192.0.2.1/30".parse::<ipnet::IpNet>().unwrap())
        .with("password", Clear::new(SECRET));
    create(peering).await;
    let octets = pm_irr::pack(pm_irr::Family::V6, &[]);
    let sql = "INSERT INTO peering_irrlist (id, digest, kind, entries, data, created) VALUES (1, ?, 'ipv6', 0, ?, ?)";
    session.execute(sql, vec![vec![1_u8].into(), octets.into(), epoch().into()]).await.unwrap();
    let sql = "INSERT INTO peering_irrstate (autonomous_system_id, kind, state, list_id, checked, too_long) \
               VALUES (?, 'ipv6', 'current', 1, ?, NULL), (?, 'ipv4', 'too_big', NULL, ?, 70000)";
    let values: Vec<Value> = vec![peer.into(), epoch().into(), peer.into(), epoch().into()];
    session.execute(sql, values).await.unwrap();
    let sql = "INSERT INTO peeringdb_network (id, status, created, updated, hash, asn, name, org_id, info_prefixes4) \
               VALUES (7, 'ok', ?, ?, 0, 201500, 'Peer in PeeringDB', 9, 5), (8, 'ok', ?, ?, 0, 201999, 'Sister', 9, 5)";
    session.execute(sql, vec![epoch().into(); 4]).await.unwrap();
    let sql = "INSERT INTO peeringdb_organization (id, status, created, updated, hash, name) VALUES (9, 'ok', ?, ?, 0, 'Org')";
    session.execute(sql, vec![epoch().into(); 2]).await.unwrap();
    transaction.commit().await.unwrap();
}

async fn render(
    store: &Store,
    keyring: &Arc<Keyring>,
    config: &Config,
    text: &str,
) -> Result<(String, Vec<String>), String> {
    let mut transaction = store.begin_reading().await.unwrap();
    // Nothing is asked for by words, so that all of it has to be noticed.
    let mut session = transaction.session();
    let rendered = with_snapshot(&mut session, keyring, Wants::default(), |snapshot| {
        let now = epoch() + TimeDelta::hours(30);
        let engine = Engine::new(&snapshot.world, config, now);
        let source = Source {
            name: "test".into(),
            text: text.into(),
            trim: false,
            lstrip: false,
            undefined: Undefined::Lenient,
        };
        let model = pm_render::Models::get().index("devices.router").unwrap();
        let row = Row { model, index: 0 };
        Ok::<_, ObjectError>(
            engine.render(&source, "", |environment| environment.render_configuration(row, &source)),
        )
    });
    rendered.await.unwrap().map(|done| (done.text, done.warnings)).map_err(|error| error.to_string())
}

#[tokio::test]
async fn what_is_missing_old_or_sealed_is_told() {
    each_engine(async |store| {
        let keyring = Arc::new(Keyring::new([7; 32], &[]));
        fill(&store, &keyring).await;
        let strict = Config::default();
        let empty = Config { prefix_list_missing: pm_config::MissingPrefixes::Empty, ..Config::default() };
        let each = |body: &str| format!("{{% for as in autonomous_systems %}}{body}{{% endfor %}}");

        // A list that is there and empty is not missing; one that is too big is.
        let six = each("{{ as | prefix_list(6) | length }}");
        assert_eq!(render(&store, &keyring, &strict, &six).await.unwrap().0, "0");
        for four in ["{{ as | prefix_list(4) | length }}", "{% if as.prefixes.ipv4 %}x{% endif %}", "{{ as | prefix_list | as_json }}"] {
            let error = render(&store, &keyring, &strict, &each(four)).await.unwrap_err();
            assert!(error.contains("AS201500 has no IPv4 prefix list: it has 70000 entries"), "{error}");
        }
        let four = each("{{ as | prefix_list(4) | length }}");
        let (text, warnings) = render(&store, &keyring, &empty, &four).await.unwrap();
        assert_eq!(text, "0");
        assert!(warnings[0].contains("AS201500 has no IPv4 prefix list"), "{warnings:?}");
        let both = each("{{ as | prefix_list(4, missing='empty') | length }}{{ as | prefix_list(4, missing='error') | length }}");
        assert!(render(&store, &keyring, &empty, &both).await.is_err());
        let said = each("{{ as | prefix_list(4, missing='empty') | length }}");
        assert_eq!(render(&store, &keyring, &strict, &said).await.unwrap().1.len(), 1);
        // Never looked for.
        let error = render(&store, &keyring, &strict, "{{ local_as | prefix_list(4) | length }}").await.unwrap_err();
        assert!(error.contains("it was never fetched"), "{error}");

        // 30 hours have passed.
        assert!(render(&store, &keyring, &strict, &each("{{ as | fresh('31h') }}")).await.is_ok());
        let error = render(&store, &keyring, &strict, &each("{{ as | fresh('26h') }}")).await.unwrap_err();
        assert!(error.contains("the prefix lists of AS201500 are older than 26h"), "{error}");
        let error = render(&store, &keyring, &strict, "{{ fresh('9w') }}").await.unwrap_err();
        assert!(error.contains("PeeringDB records were never fetched"), "{error}");

        // Passwords.
        let sessions = |body: &str| format!("{{% for s in router | direct_sessions %}}{body}{{% endfor %}}");
        let shown = sessions("{{ s.password }}");
        assert_eq!(render(&store, &keyring, &strict, &shown).await.unwrap().0, SECRET);
        let error = render(&store, &keyring, &strict, &sessions("{{ s.password | ip }}")).await.unwrap_err();
        assert!(error.contains("does not appear to be") && !error.contains(SECRET), "{error}");
        let other = Arc::new(Keyring::empty());
        let error = render(&store, &other, &strict, &shown).await.unwrap_err();
        assert!(error.contains("no key for secrets"), "{error}");
        assert!(render(&store, &other, &strict, &sessions("{{ s.ip_address }}")).await.is_ok());

        // The cache, reached by ways that are ever less usual, as if it had all been read.
        for (body, wanted) in [
            ("{{ as.peeringdb_network.name }}", "Peer in PeeringDB"),
            ("{{ as.peeringdb_network.org.name }}", "Org"),
            ("{{ as.peeringdb_network.org.net_set.count() }}", "2"),
            ("{{ (as | attr('peering' ~ 'db_network')).name }}", "Peer in PeeringDB"),
            ("{{ as.journal_entries.count() }}", "0"),
        ] {
            assert_eq!(render(&store, &keyring, &strict, &each(body)).await.unwrap().0, wanted, "{body}");
        }
    })
    .await;
}
