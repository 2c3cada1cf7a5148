//! Deleted sessions in the configuration of their router.

use std::sync::Arc;

use pm_config::Config;
use pm_render::{Models, Row, Source, Undefined};
use pm_store::changes::Author;
use pm_store::objects::models::{autonomous_system, direct_peering_session, relationship, router};
use pm_store::objects::problems::{ObjectError, Rules};
use pm_store::objects::record::Draft;
use pm_store::objects::secrets::Keyring;
use pm_store::objects::write::{self, Writing};
use pm_store::testing::{each_engine, epoch};
use pm_store::{Store, tombstones};
use pm_tasks::render::{Engine, Rendering, Wants, with_snapshot};

/// As one removes neighbours from a router whose configuration is merged.
const TEMPLATE: &str = "\
{% for s in deleted_sessions | filter(family=6) %}no neighbor {{ s.ip_address }}
{% endfor %}{% for s in deleted_sessions.filter(family=4) %}\
no neighbor {{ s | ip }} remote-as {{ s.remote_asn }} ({{ s.remote_name }}, {{ s.kind }}, AS{{ s.local_asn }}, {{ s.group_slug }}, {{ s.vrf }}, {{ s.deleted_by }})
{% endfor %}{{ router | direct_sessions | length }} sessions
";

struct Desk {
    store: Store,
    author: Author,
    keyring: Arc<Keyring>,
}

impl Desk {
    fn writing(&self) -> Writing<'_> {
        let rules = Rules { checked: false, community_values: false };
        Writing { author: &self.author, now: epoch(), keyring: &self.keyring, rules }
    }

    async fn create(&self, draft: Draft) -> i64 {
        let mut transaction = self.store.begin().await.unwrap();
        let made = write::create(&mut transaction.session(), self.writing(), &[draft]).await.unwrap();
        transaction.commit().await.unwrap();
        made[0].id
    }

    async fn delete(&self, ids: &[i64]) {
        let model = &*direct_peering_session::MODEL;
        let mut transaction = self.store.begin().await.unwrap();
        write::delete(&mut transaction.session(), self.writing(), model, ids).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Renders for the router at this place in the order of names.
    async fn render(&self, wants: Wants, index: u32, text: &str) -> Rendering {
        let mut transaction = self.store.begin_reading().await.unwrap();
        let mut session = transaction.session();
        let rendered = with_snapshot(&mut session, &self.keyring, wants, |snapshot| {
            let engine = Engine::new(&snapshot.world, &Config::default(), epoch());
            let source = Source {
                name: "edge".into(),
                text: text.into(),
                trim: false,
                lstrip: false,
                undefined: Undefined::Strict,
            };
            let row = Row { model: Models::get().index("devices.router").unwrap(), index };
            let way = |environment: &pm_render::Environment| environment.render_configuration(row, &source);
            Ok::<_, ObjectError>(engine.render(&source, "edge1", way))
        });
        rendered.await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_merge_template_removes_what_was_deleted() {
    each_engine(async |store| {
        let author = Author { user_id: None, user_name: "jo".into(), request_id: "r".into() };
        let desk = Desk { store: store.clone(), author, keyring: Arc::new(Keyring::new([7; 32], &[])) };
        let system =
            |asn: i64, name: &str| Draft::new(&autonomous_system::MODEL).with("asn", asn).with("name", name);
        let own = desk.create(system(64_496, "Own").with("affiliated", true)).await;
        let peer = desk.create(system(64_500, "Peer")).await;
        let relationship = Draft::new(&relationship::MODEL).with("name", "Peering").with("slug", "peering");
        let relationship = desk.create(relationship).await;
        let mut sessions = Vec::new();
        for name in ["edge1", "edge2"] {
            let edge = Draft::new(&router::MODEL)
                .with("name", name)
                .with("hostname", name)
                .with("local_autonomous_system", own);
            let edge = desk.create(edge).await;
            for address in ["192.0.2.9/31", "192.0.2.1/31", "2001:db8::1/127"] {
                let session = Draft::new(&direct_peering_session::MODEL)
                    .with("router", edge)
                    .with("autonomous_system", peer)
                    .with("relationship", relationship)
                    .with("local_autonomous_system", own)
                    .with("ip_address", address.parse::<ipnet::IpNet>().unwrap());
                sessions.push(desk.create(session).await);
            }
        }
        let before = desk.render(Wants::of([TEMPLATE]), 0, TEMPLATE).await;
        assert_eq!(before.text, "3 sessions");
        desk.delete(&sessions[..3]).await;
        let wanted = "no neighbor 2001:db8::1\n\
                      no neighbor 192.0.2.1 remote-as 64500 (Peer, direct, AS64496, None, None, jo)\n\
                      no neighbor 192.0.2.9 remote-as 64500 (Peer, direct, AS64496, None, None, jo)\n\
                      0 sessions";
        // Whether it is read because the template says so, or because it turns out to be lacking.
        for wants in [Wants::of([TEMPLATE]), Wants::default()] {
            assert_eq!(desk.render(wants, 0, TEMPLATE).await.text, wanted);
        }
        assert_eq!(
            desk.render(Wants::of([TEMPLATE]), 1, TEMPLATE).await.text,
            "3 sessions",
            "another router"
        );
        // It counts as what the text was made from, for templates that ask for it and for no other.
        let mentions = "{{ deleted_sessions | length }}{{ router.name }}";
        let silent = "{{ router.name }}";
        let counts = async || {
            let of = async |text| desk.render(Wants::of([text]), 0, text).await;
            (of(mentions).await, of(silent).await)
        };
        let (one, other) = counts().await;
        let mut transaction = store.begin().await.unwrap();
        let mut session = transaction.session();
        let ids: Vec<i64> = tombstones::all(&mut session).await.unwrap().iter().map(|one| one.id).collect();
        assert_eq!(tombstones::forget(&mut session, &ids).await.unwrap(), 3);
        transaction.commit().await.unwrap();
        let (one_after, other_after) = counts().await;
        assert_eq!((one.text.as_str(), one_after.text.as_str()), ("3edge1", "0edge1"));
        assert_ne!(one.input, one_after.input);
        assert_eq!(other.input, other_after.input);
    })
    .await;
}
