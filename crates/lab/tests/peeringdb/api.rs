//! The API as a well-behaved client meets it.

use std::time::Duration;

use pm_lab::peeringdb::{Advance, Caller, Clock, Generated, Namespace, Options, Order};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::client::{client, control, get, ids, json, raw_get, rows, serve, start_time, with_key};

#[tokio::test]
async fn lists_are_exactly_what_the_world_says() {
    let server = serve(Options::default()).await;
    server.world().advance(&Advance::awkward_day());
    for namespace in Namespace::ALL {
        for caller in [Caller::Anonymous, Caller::Keyed] {
            let request = get(&server, namespace.as_str());
            let request = if caller == Caller::Keyed { with_key(request) } else { request };
            let got = rows(request).await;
            assert!(!got.is_empty(), "{namespace}");
            assert!(ids(&got).is_sorted(), "{namespace}");
            assert!(got.iter().all(|row| row["status"] == "ok"), "{namespace}");
            assert_eq!(got, server.world().live(namespace, caller), "{namespace}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn since_is_strict_and_brings_tombstones() {
    let server = serve(Options::default()).await;
    let id = ids(&server.world().live(Namespace::Netfac, Caller::Anonymous))[0];
    let since = start_time().timestamp();
    let of = |since: i64| get(&server, &format!("netfac?since={since}&depth=0"));
    assert!(rows(of(since)).await.is_empty());

    server.world().delete(Namespace::Netfac, id).unwrap();
    let got = rows(of(since)).await;
    assert_eq!(ids(&got), [id]);
    assert_eq!(got[0]["status"], "deleted");
    assert_eq!(got[0]["updated"], "2025-06-15T15:06:41Z");
    assert!(rows(of(since + 1)).await.is_empty(), "a row of the very second is not sent again");

    assert!(!ids(&rows(get(&server, "netfac")).await).contains(&id));
    assert!(!ids(&rows(of(0)).await).contains(&id), "since=0 is no since");
    assert_eq!(json(get(&server, &format!("netfac/{id}"))).await.0, StatusCode::NOT_FOUND);
    server.stop().await;
}

#[tokio::test]
async fn the_order_of_changes_is_an_option() {
    let order = async |order| {
        let server = serve(Options { order, ..Options::default() }).await;
        server.world().advance(&Advance { percent: 5.0, ..Advance::day() });
        let got = rows(get(&server, &format!("netixlan?since={}", start_time().timestamp()))).await;
        if order == Order::Updated {
            let expected =
                server.world().changed(Namespace::Netixlan, start_time().timestamp(), Caller::Anonymous);
            assert_eq!(got, expected);
        }
        server.stop().await;
        let times = got.iter().map(|row| row["updated"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        (ids(&got), times)
    };
    let (by_update, times) = order(Order::Updated).await;
    assert!(times.is_sorted() && !by_update.is_sorted());
    let (by_id, _) = order(Order::Id).await;
    assert!(by_id.is_sorted());
    let (shuffled, times) = order(Order::Shuffled).await;
    assert!(!times.is_sorted() && !shuffled.is_sorted());
    assert_eq!(shuffled, order(Order::Shuffled).await.0);
}

#[tokio::test]
async fn keys_decide_about_contacts_and_member_lists() {
    let server = serve(Options::default()).await;
    let visible = |rows: &[Value]| {
        let mut kinds: Vec<String> =
            rows.iter().map(|row| row["visible"].as_str().unwrap().to_owned()).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    };
    assert_eq!(visible(&rows(get(&server, "poc")).await), ["Public"]);
    assert_eq!(visible(&rows(with_key(get(&server, "poc"))).await), ["Public", "Users"]);

    {
        let mut world = server.world();
        let lans = ids(&world.live(Namespace::Ixlan, Caller::Anonymous));
        for (id, visible) in lans.iter().zip(["Public", "Users", "Private"]) {
            let patch = json!({ "ixf_ixp_member_list_url_visible": visible, "ixf_ixp_member_list_url": "https://x.example" });
            world.edit(Namespace::Ixlan, *id, &patch).unwrap();
        }
    }
    let has_url = async |request| -> Vec<bool> {
        let rows = rows(request).await;
        rows.iter().take(3).map(|row| row.get("ixf_ixp_member_list_url").is_some()).collect()
    };
    assert_eq!(has_url(get(&server, "ixlan")).await, [true, false, false]);
    assert_eq!(has_url(with_key(get(&server, "ixlan"))).await, [true, true, false]);

    for (value, status, message) in [
        ("Api-Key wrong", StatusCode::UNAUTHORIZED, "Invalid API key"),
        ("Basic dTpw", StatusCode::UNAUTHORIZED, "Invalid username or password"),
        ("Bearer prefix.secret", StatusCode::BAD_REQUEST, "Unknown authorization method"),
    ] {
        let got = json(get(&server, "poc").header("Authorization", value)).await;
        assert_eq!(got, (status, json!({ "meta": { "error": message } })));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_deleted_contact_keeps_no_personal_data() {
    let server = serve(Options::default()).await;
    let id = ids(&server.world().live(Namespace::Poc, Caller::Anonymous))[0];
    server.world().delete(Namespace::Poc, id).unwrap();
    let gone = rows(get(&server, &format!("poc?since={}", start_time().timestamp()))).await;
    for field in ["name", "phone", "email", "url"] {
        assert_eq!(gone[0][field], "", "{field}");
    }
    server.stop().await;
}

#[tokio::test]
async fn pages_and_filters() {
    let server = serve(Options::default()).await;
    let all = server.world().live(Namespace::Net, Caller::Anonymous);
    assert_eq!(rows(get(&server, "net?limit=3&skip=2")).await, all[2..5]);
    assert_eq!(rows(get(&server, "net?skip=5")).await, all[5..]);
    assert!(rows(get(&server, "net?skip=100000")).await.is_empty());

    let (first, second) = (&all[0], &all[1]);
    let wanted = format!("net?asn__in={},{}", first["asn"], second["asn"]);
    assert_eq!(rows(get(&server, &wanted)).await, all[..2]);
    assert_eq!(rows(get(&server, &format!("net?asn={}", second["asn"]))).await, all[1..2]);
    let name = [("name", first["name"].as_str().unwrap())];
    let named = reqwest::Url::parse_with_params(&format!("{}/net", server.url()), name).unwrap();
    assert_eq!(rows(client().get(named)).await, all[..1]);
    let members = rows(get(&server, &format!("netixlan?net_id={}", first["id"]))).await;
    assert!(!members.is_empty() && members.iter().all(|row| row["net_id"] == first["id"]));
    let named = rows(get(&server, "net?limit=1&fields=id,name")).await;
    assert_eq!(named, [json!({ "id": first["id"], "name": first["name"] })]);

    let not_found = json!({ "data": [], "meta": { "error": "Entity not found" } });
    assert_eq!(json(get(&server, "net?asn=64500")).await, (StatusCode::NOT_FOUND, not_found));
    assert!(rows(get(&server, "net?id__in=999999999")).await.is_empty());
    server.stop().await;
}

/// What a caller may not see is left out of a page, which does not grow others instead.
#[tokio::test]
async fn pages_of_contacts_can_be_short() {
    let server = serve(Options::default()).await;
    let mut all = Vec::new();
    let mut short = false;
    for skip in (0..400).step_by(20) {
        let page = rows(get(&server, &format!("poc?limit=20&skip={skip}"))).await;
        short |= page.len() < 20;
        all.extend(page);
    }
    assert!(short);
    assert_eq!(all, server.world().live(Namespace::Poc, Caller::Anonymous));
    server.stop().await;
}

#[tokio::test]
async fn bad_requests_are_refused_in_peeringdbs_words() {
    let server = serve(Options::default()).await;
    for (path, message) in [
        ("net?since=yesterday", "'since' needs to be a unix timestamp (epoch seconds)"),
        ("net?since=1.5", "invalid literal for int() with base 10: '1.5'"),
        ("net?limit=ten", "'limit' needs to be a number"),
        ("net?skip=-1", "Negative indexing is not supported."),
        ("net?id=x", "Field 'id' expected a number but got 'x'."),
    ] {
        let expected = json!({ "meta": { "error": message } });
        assert_eq!(json(get(&server, path)).await, (StatusCode::BAD_REQUEST, expected), "{path}");
    }
    assert_eq!(json(get(&server, "nets")).await.0, StatusCode::NOT_FOUND);
    let unknown = json(get(&server, "net/99999999")).await;
    assert_eq!(unknown.0, StatusCode::NOT_FOUND);
    assert_eq!(unknown.1["meta"]["error"], "No Network matches the given query.");
    let post = client().post(format!("{}/net", server.url())).send().await.unwrap();
    assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(post.headers()["allow"], "GET, HEAD");
    server.stop().await;
}

#[tokio::test]
async fn depth_expands_sets_and_parents() {
    let server = serve(Options::default()).await;
    let net = server.world().live(Namespace::Netixlan, Caller::Anonymous)[0]["net_id"].as_u64().unwrap();
    let plain = rows(get(&server, &format!("net/{net}?depth=0"))).await;
    assert!(plain[0].get("netixlan_set").is_none());
    let shallow = rows(get(&server, &format!("net?id={net}&depth=1"))).await;
    let members = shallow[0]["netixlan_set"].as_array().unwrap();
    assert!(!members.is_empty() && members.iter().all(Value::is_u64));
    assert!(shallow[0].get("org").is_none());
    let deep = rows(get(&server, &format!("net/{net}"))).await;
    let member = &deep[0]["netixlan_set"][0];
    assert!(member["ixlan_id"].is_u64() && member.get("net_id").is_none());
    assert_eq!(deep[0]["org"]["id"], deep[0]["org_id"]);

    let (_, many) = json(get(&server, "net?depth=1")).await;
    assert_eq!(many["data"].as_array().unwrap().len(), 250);
    assert!(many["meta"]["truncated"].as_str().unwrap().contains("more than 250 rows"));
    server.stop().await;
}

#[tokio::test]
async fn meta_tells_the_time_or_not() {
    let meta = async |generated, path: &str| {
        let server = serve(Options { generated, ..Options::default() }).await;
        let (_, body) = json(get(&server, path)).await;
        server.stop().await;
        body["meta"].clone()
    };
    let told = json!({ "generated": 1_750_000_000.0 });
    assert_eq!(meta(Generated::Always, "ix?since=1").await, told);
    assert_eq!(meta(Generated::FullOnly, "ix").await, told);
    assert_eq!(meta(Generated::FullOnly, "ix?since=1").await, json!({}));
    assert_eq!(meta(Generated::Never, "ix").await, json!({}));
}

#[tokio::test]
async fn compresses_for_clients_that_want_it() {
    let server = serve(Options::default()).await;
    let plain = raw_get(&server, "fac").header("Accept-Encoding", "identity").send().await.unwrap();
    assert!(plain.headers().get("content-encoding").is_none());
    assert!(plain.headers().get("content-length").is_none(), "bodies are streamed");
    let plain = plain.bytes().await.unwrap();
    let packed = raw_get(&server, "fac").header("Accept-Encoding", "br, gzip;q=0.5").send().await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let packed = packed.bytes().await.unwrap();
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    assert!(packed.len() * 3 < plain.len());
    let seen = server.requests();
    assert_eq!(seen.len(), 2);
    assert_eq!(
        (seen[1].path.as_str(), seen[1].accept_encoding.as_deref()),
        ("/api/fac", Some("br, gzip;q=0.5"))
    );
    server.stop().await;
}

#[tokio::test]
async fn the_limit_holds_per_caller() {
    let server = serve(Options { throttle: true, ..Options::default() }).await;
    for _ in 0..20 {
        assert_eq!(json(get(&server, "campus")).await.0, StatusCode::OK);
    }
    let refused = get(&server, "campus").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((30..=60).contains(&wait), "{wait}");
    let body: Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap();
    assert_eq!(body["message"], format!("Request was throttled. Expected available in {wait} seconds."));
    for _ in 0..40 {
        assert_eq!(json(with_key(get(&server, "campus"))).await.0, StatusCode::OK);
    }
    assert_eq!(json(with_key(get(&server, "campus"))).await.0, StatusCode::TOO_MANY_REQUESTS);
    server.stop().await;
}

#[tokio::test]
async fn dumps_show_the_last_freeze_to_everyone() {
    let server = serve(Options::default()).await;
    let dump = async |name: &str| json(client().get(format!("{}/{name}", server.root()))).await;
    let before = server.world().live(Namespace::Poc, Caller::Anonymous);
    server.world().advance(&Advance { percent: 10.0, ..Advance::day() });
    let (status, body) = dump("poc-0.json").await;
    assert_eq!((status, body["data"].as_array()), (StatusCode::OK, Some(&before)));
    assert_eq!(body["meta"], json!({ "generated": 1_750_000_000.0 }));
    assert_eq!(control(&server, "freeze").await.0, StatusCode::OK);
    let (_, body) = dump("poc-0.json").await;
    assert_eq!(body["data"], json!(server.world().live(Namespace::Poc, Caller::Anonymous)));
    assert_eq!(body["meta"], json!({ "generated": 1_750_086_400.0 }));
    assert_eq!(dump("poc-1.json").await.0, StatusCode::NOT_FOUND);
    server.stop().await;
}

#[tokio::test]
async fn the_controls_do_what_they_are_told() {
    let server = serve(Options::default()).await;
    let (status, body) = control(&server, "lab/advance?days=2&percent=1").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["now"], "2025-06-17T15:06:40Z");
    assert!(body["changes"]["updated"].as_u64().unwrap() > 5, "{body}");
    let (_, body) = control(&server, "advance?case=contact_hidden").await;
    assert_eq!(body["changes"]["cases"], json!(["contact_hidden"]));
    assert_eq!(body["changes"]["updated"], 1);
    for bad in ["lab/advance?case=none", "lab/advance?dayz=1", "lab/fault?kind=none", "lab/advance?days=-1"] {
        assert_eq!(control(&server, bad).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
    let agent = get(&server, "ix?limit=1").header("User-Agent", "tester/1");
    rows(with_key(agent)).await;
    let (_, seen) = json(client().get(format!("{}/lab/requests", server.root()))).await;
    let seen = &seen.as_array().unwrap()[0];
    assert_eq!((&seen["path"], &seen["query"]), (&json!("/api/ix"), &json!("limit=1")));
    assert_eq!((&seen["user_agent"], &seen["has_key"]), (&json!("tester/1"), &json!(true)));
    server.stop().await;
}

#[tokio::test]
async fn the_clock_runs_if_asked_to() {
    let held = serve(Options::default()).await;
    let running = serve(Options { clock: Clock::Running, ..Options::default() }).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(held.world().now(), start_time());
    let passed = (running.world().now() - start_time()).num_seconds();
    assert!((1..30).contains(&passed), "{passed}");
    held.stop().await;
    running.stop().await;
}

#[tokio::test]
async fn a_contact_that_is_not_for_the_caller_is_forbidden() {
    let server = serve(Options::default()).await;
    let id = ids(&server.world().live(Namespace::Poc, Caller::Anonymous))[0];
    server.world().edit(Namespace::Poc, id, &json!({ "visible": "Users" })).unwrap();
    let path = format!("poc/{id}");
    assert_eq!(json(get(&server, &path)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(rows(with_key(get(&server, &path))).await[0]["visible"], "Users");
    server.stop().await;
}

#[tokio::test]
async fn the_world_can_change_behind_an_answer() {
    let server = serve(Options::default()).await;
    server.advance_behind(Namespace::Net, Advance { percent: 5.0, ..Advance::day() });
    rows(get(&server, "org")).await;
    assert_eq!(server.world().now(), start_time());
    let before = server.world().live(Namespace::Net, Caller::Anonymous);
    assert_eq!(rows(get(&server, "net")).await, before);
    assert_ne!(server.world().now(), start_time());
    assert_ne!(rows(get(&server, "net")).await, before);
    server.stop().await;
}
