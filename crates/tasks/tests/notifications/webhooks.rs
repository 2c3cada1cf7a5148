//! What webhooks are told of changes.

use pm_lab::peeringdb::{Namespace, Options};
use pm_lab::receiver::Reply;
use pm_store::notifications::State;
use pm_store::objects::data::MASK;
use pm_store::objects::models::{autonomous_system, platform, router, tag, webhook};
use pm_store::objects::record::Draft;
use pm_store::objects::secrets::Clear;
use pm_store::testing::each_engine;
use ring::hmac;
use serde_json::{Value as Json, json};

use super::{SECRET, World};
use crate::support::Scene;

fn system(asn: i64) -> Draft {
    Draft::new(&autonomous_system::MODEL).with("asn", asn).with("name", "Peer")
}

const AS: &str = "peering.autonomoussystem";

#[tokio::test]
async fn changes_are_told_in_full_and_signed() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let own = world.create(system(64_496).with("affiliated", true)).await.id;
        world.create(world.hook("all", "devices.router")).await;
        let bird = Draft::new(&platform::MODEL).with("name", "BIRD").with("slug", "bird");
        let bird = world.create(bird).await.id;
        let core = world.create(Draft::new(&tag::MODEL).with("name", "Core")).await.id;
        let edge = Draft::new(&router::MODEL)
            .with("name", "edge1")
            .with("hostname", "edge1.example.net")
            .with("local_autonomous_system", own)
            .with("platform", bird)
            .with("tags", vec![core])
            .with_json("local_context_data", json!({"api_key": "planted-context"}))
            .with("napalm_password", Clear::new("planted-password"));
        let edge = world.create(edge).await.id;
        let made = world.now();
        world.clock.pass(chrono::TimeDelta::minutes(5));
        let drafts = Draft::new(&router::MODEL).with("status", "maintenance");
        world.update(edge, drafts.with("napalm_password", Clear::new("planted-other"))).await;
        world.delete(&router::MODEL, edge).await;
        assert_eq!(world.deliver().await.sent, 3);
        let received = world.received();
        let events: Vec<&str> = received.iter().map(|(_, body)| body["event"].as_str().unwrap()).collect();
        assert_eq!(events.len(), 3);
        let of = |event: &str| received.iter().find(|(_, body)| body["event"] == event).unwrap();
        let (request, body) = of("create");
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/all"));
        assert_eq!((&body["model"], &body["username"]), (&json!("router"), &json!("test")));
        assert_eq!(body["request_id"], "00000000-0000-0000-0000-000000000000");
        let told = body["timestamp"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        assert_eq!(told, made, "the time of the change");
        let data = &body["data"];
        assert_eq!(data["status"], json!({"value": "enabled", "label": "Enabled"}));
        assert_eq!((&data["id"], &data["display"]), (&json!(edge), &json!("edge1")));
        assert_eq!(data["platform"], json!({"id": bird, "display": "BIRD", "name": "BIRD", "slug": "bird"}));
        assert_eq!(data["local_autonomous_system"]["asn"], 64_496);
        assert_eq!(data["tags"][0]["slug"], "core");
        assert_eq!(data["napalm_password"], MASK);
        assert_eq!(
            (&body["snapshots"]["prechange"], &body["snapshots"]["postchange"]["status"]),
            (&Json::Null, &json!("enabled"))
        );
        let (_, body) = of("update");
        assert_eq!(
            (&body["snapshots"]["prechange"]["status"], &body["snapshots"]["postchange"]["status"]),
            (&json!("enabled"), &json!("maintenance"))
        );
        let (_, body) = of("delete");
        assert_eq!((&body["snapshots"]["postchange"], &body["data"]["name"]), (&Json::Null, &json!("edge1")));
        for (request, _) in &received {
            let signature = request.header("x-hook-signature");
            let octets: Vec<u8> =
                (0..64).map(|at| u8::from_str_radix(&signature[2 * at..2 * at + 2], 16).unwrap()).collect();
            let key = hmac::Key::new(hmac::HMAC_SHA512, SECRET.as_bytes());
            assert!(hmac::verify(&key, &request.body, &octets).is_ok());
            assert_eq!(request.header("x-hook-delivery").len(), 32);
            assert!(!String::from_utf8_lossy(&request.body).contains("planted"), "{request:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_task_is_told_of_like_a_person() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let scene = Scene::new(&store, 0.02, 1, Options::default()).await;
        let (id, asn) = scene.server.world().networks()[0];
        let asn = i64::try_from(asn).unwrap();
        scene.keep(&[asn]).await;
        world.create(world.hook("systems", AS)).await;
        scene.server.world().edit(Namespace::Net, id, &json!({"name": "Renamed"})).unwrap();
        scene.sync().await;
        world.clock.set(pm_tasks::Clock::now(&*scene.clock));
        assert_eq!(world.deliver().await.sent, 1);
        let (_, body) = world.received().remove(0);
        assert_eq!((&body["event"], &body["username"]), (&json!("update"), &json!("task peeringdb_sync")));
        assert_eq!((&body["data"]["asn"], &body["data"]["name"]), (&json!(asn), &json!("Renamed")));
        // Nothing changes, so nothing is told.
        scene.sync().await;
        assert_eq!(world.deliveries().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn only_what_is_asked_for_is_queued_with_the_change() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        world.create(system(64_501)).await;
        assert_eq!(world.count("extras_delivery").await, 0, "there is no webhook");
        let off = world.create(world.hook("off", AS).with("enabled", false)).await.id;
        world.create(world.hook("others", "devices.router")).await;
        world.create(world.hook("news", AS).with("type_update", false).with("type_delete", false)).await;
        let one = world.create(system(64_502)).await.id;
        world.update(one, Draft::new(&autonomous_system::MODEL).with("name", "Other")).await;
        let found = world.deliveries().await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].recipient.as_str(), found[0].state), ("news", State::Pending));
        assert_eq!(found[0].summary, "create of peering.autonomoussystem AS64502 - Peer");
        // A change that is not committed is not told.
        let author = super::author();
        let mut transaction = store.begin().await.unwrap();
        let writing = pm_store::objects::write::Writing {
            author: &author,
            now: world.now(),
            keyring: &world.keyring,
            rules: pm_store::objects::problems::Rules::ALL,
        };
        let drafts = [system(64_503)];
        pm_store::objects::write::create(&mut transaction.session(), writing, &drafts).await.unwrap();
        transaction.rollback().await.unwrap();
        assert_eq!(world.deliveries().await.len(), 1);
        // What was queued for a webhook that is gone or disabled by now is skipped.
        world.update(off, Draft::new(&webhook::MODEL).with("enabled", true)).await;
        world.create(system(64_504)).await;
        world.update(off, Draft::new(&webhook::MODEL).with("enabled", false)).await;
        let news = found[0].webhook.unwrap();
        world.delete(&webhook::MODEL, news).await;
        assert_eq!(world.deliver().await.skipped, 3);
        assert!(world.received().is_empty());
        let errors: Vec<String> = world.deliveries().await.into_iter().filter_map(|one| one.error).collect();
        assert_eq!(errors, ["the webhook is gone", "the webhook is disabled", "the webhook is gone"]);
    })
    .await;
}

#[tokio::test]
async fn templates_make_the_request_and_their_errors_do_not() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let hook = world
            .hook("templated", AS)
            .with("payload_url", world.url("/{{ model }}/{{ data.asn }}"))
            .with("http_method", "PUT")
            .with("http_content_type", "text/plain")
            .with("additional_headers", "X-Event: {{ event }}\n\nX-Two: a: b\n")
            .with("body_template", "{{ username }} made AS{{ data.asn }}: {{ data.nothing }}");
        let hook = world.create(hook).await.id;
        world.create(system(64_501)).await;
        let sent = world.deliver().await;
        assert_eq!((sent.sent, sent.failed), (0, 1));
        assert!(world.received().is_empty(), "an error is no body");
        let found = world.deliveries().await.remove(0);
        let error = found.error.unwrap();
        assert!(error.contains("body_template") && error.contains("nothing"), "{error}");
        let right = Draft::new(&webhook::MODEL).with("body_template", "{{ username }} made AS{{ data.asn }}");
        world.update(hook, right).await;
        world.clock.pass(chrono::TimeDelta::seconds(30));
        assert_eq!(world.deliver().await.sent, 1);
        let (got, _) = world.received().remove(0);
        assert_eq!((got.method.as_str(), got.target.as_str()), ("PUT", "/autonomoussystem/64501"));
        assert_eq!(got.body, "test made AS64501".as_bytes());
        assert_eq!(
            (got.header("x-event"), got.header("x-two"), got.header("content-type")),
            ("create", "a: b", "text/plain")
        );
        for (field, text) in [
            ("payload_url", "http://{{ planted_secret.x }}/"),
            ("additional_headers", "{{ planted_secret.x }}"),
            ("additional_headers", "planted_secret without"),
            ("additional_headers", "Host: planted_secret"),
            ("body_template", "{% for x in range(10000000) %}x{% endfor %}"),
        ] {
            let good = Draft::new(&webhook::MODEL)
                .with("payload_url", world.url("/"))
                .with("additional_headers", "")
                .with("body_template", "");
            world.update(hook, good.with(field, text)).await;
            world.create(system(64_600 + i64::try_from(world.deliveries().await.len()).unwrap())).await;
            assert_eq!(world.deliver().await.failed, 1, "{text}");
            let last = world.deliveries().await.pop().unwrap();
            assert!(!last.error.as_deref().unwrap().contains("planted_secret"), "{last:?}");
        }
        assert_eq!(world.received().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn conditions_choose() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let conditions = json!({"and": [{"attr": "asn", "value": 64_600, "op": "lt"},
            {"attr": "irr_as_set", "value": null, "negate": true}]});
        world.create(world.hook("some", AS).with_json("conditions", conditions)).await;
        world.create(system(64_501).with("irr_as_set", "AS-SOME")).await;
        world.create(system(64_502)).await;
        world.create(system(64_601).with("irr_as_set", "AS-OTHER")).await;
        let sent = world.deliver().await;
        assert_eq!((sent.sent, sent.skipped), (1, 2));
        assert_eq!(world.received()[0].1["data"]["asn"], 64_501);
        let states: Vec<State> = world.deliveries().await.iter().map(|one| one.state).collect();
        assert_eq!(states, [State::Sent, State::Skipped, State::Skipped]);
    })
    .await;
}

#[tokio::test]
async fn webhooks_that_make_no_sense_are_refused() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let author = super::author();
        for (draft, why) in [
            (world.hook("a", "extras.webhook"), "no type of object that can have webhooks"),
            (world.hook("a", AS).with_json("content_types", json!([])), "list of types"),
            (
                world
                    .hook("a", AS)
                    .with("type_create", false)
                    .with("type_update", false)
                    .with("type_delete", false),
                "at least one of type_create",
            ),
            (world.hook("a", AS).with_json("conditions", json!({"xor": []})), "is no set"),
            (
                world.hook("a", AS).with("ssl_verification", false).with("ca_file_path", "/etc/ca.pem"),
                "means nothing",
            ),
            (world.hook("a", AS).with("payload_url", "ftp://x/"), "is no address"),
            (world.hook("a", AS).with("payload_url", "http://u:p@x/"), "is no address"),
        ] {
            let mut transaction = store.begin().await.unwrap();
            let writing = pm_store::objects::write::Writing {
                author: &author,
                now: world.now(),
                keyring: &world.keyring,
                rules: pm_store::objects::problems::Rules::ALL,
            };
            let made = pm_store::objects::write::create(&mut transaction.session(), writing, &[draft]).await;
            let error = made.unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_secret_is_kept_or_told() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let hook = world
            .hook("slack", AS)
            .with("payload_url", world.url("/services/planted-path?key=planted-query"))
            .with("additional_headers", "Authorization: Bearer planted-token");
        let hook = world.create(hook).await.id;
        let body = format!("{SECRET} planted-token /services/planted-path planted-query key=planted-query");
        world.receiver.reply(Reply { body, ..Reply::status(500) });
        world.create(system(64_501)).await;
        world.deliver().await;
        world.receiver.reply(Reply::status(200));
        world.update(hook, Draft::new(&webhook::MODEL).with("secret", Clear::new("planted-new"))).await;
        let refused = world.url("/planted-refused").replace("127.0.0.1", "[::1]");
        world.update(hook, Draft::new(&webhook::MODEL).with("payload_url", refused)).await;
        world.create(system(64_502)).await;
        world.deliver().await;
        let found = world.deliveries().await;
        assert_eq!(found[0].status, Some(500));
        assert!(found[1].error.as_deref().unwrap().contains("loopback"), "{found:?}");
        let texts = world
            .texts(&[
                ("extras_delivery", &["summary", "answer", "error", "recipient"]),
                ("core_objectchange", &["prechange_data", "postchange_data", "object_repr"]),
                ("extras_webhook", &["secret"]),
            ])
            .await;
        assert!(texts.contains("create of peering.autonomoussystem"), "{texts}");
        assert!(!texts.contains("planted"), "{texts}");
    })
    .await;
}
