//! The client against a PeeringDB that behaves, and misbehaves, as the real one does.

use std::time::Duration;

use chrono::DateTime;
use pm_lab::peeringdb::{self as lab, Advance, Caller, Fault, FaultKind, Options, Server, World};
use pm_peeringdb::{Answer, Client, ClientOptions, Event, FetchError, Namespace, Record, to_json};
use secrecy::SecretString;
use serde_json::Value as Json;

const SCALE: f64 = 0.02;

async fn server(options: Options) -> Server {
    let now = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
    Server::start(World::generate(SCALE, 1, now), options).await.unwrap()
}

fn client(server: &Server, key: Option<&str>) -> Client {
    client_within(server, key, Duration::from_mins(1))
}

#[expect(clippy::disallowed_methods, reason = "tests build their own client")]
fn client_within(server: &Server, key: Option<&str>, total_timeout: Duration) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().gzip(true).build().unwrap();
    let options = ClientOptions {
        base_url: server.url(),
        cache_url: Some(server.root()),
        api_key: key.map(SecretString::from),
        total_timeout,
        max_body: 64 << 20,
        retries: 0,
        max_retry_after: Duration::from_secs(5),
        requests_per_minute: 100_000,
        ..ClientOptions::default()
    };
    Client::new(http, options, 1).unwrap()
}

/// What came, as the API would print it.
async fn fetch(
    client: &Client,
    namespace: Namespace,
    since: Option<i64>,
) -> (Result<Answer, FetchError>, Vec<Record>) {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let asking = async {
        let answer = client.fetch(namespace, since, &sender).await;
        drop(sender);
        answer
    };
    let taking = async {
        let mut records = Vec::new();
        while let Some(event) = receiver.recv().await {
            match event {
                Event::Restart => records.clear(),
                Event::Records(more) => records.extend(more),
            }
        }
        records
    };
    tokio::join!(asking, taking)
}

fn printed(namespace: Namespace, records: &[Record]) -> Vec<Json> {
    records.iter().map(|record| Json::Object(to_json(namespace, record))).collect()
}

fn remove_nul(value: &mut Json) {
    match value {
        Json::String(text) => text.retain(|character| character != '\0'),
        Json::Array(list) => list.iter_mut().for_each(remove_nul),
        Json::Object(map) => map.values_mut().for_each(remove_nul),
        _ => {}
    }
}

#[tokio::test]
async fn every_namespace_arrives_as_it_was_sent() {
    let server = server(Options { api_keys: vec!["key".into()], ..Options::default() }).await;
    for (key, caller) in [(None, Caller::Anonymous), (Some("key"), Caller::Keyed)] {
        let client = client(&server, key);
        for namespace in Namespace::ALL {
            let (answer, records) = fetch(&client, namespace, None).await;
            let answer = answer.unwrap();
            let expected = server.world().live(namespace.as_str().parse().unwrap(), caller);
            assert_eq!(printed(namespace, &records), expected, "{namespace}");
            assert_eq!((answer.records, answer.attempts), (expected.len() as u64, 1));
            assert!(
                records.iter().all(|record| record.alterations.is_empty() && record.extra.is_none()),
                "{namespace}"
            );
        }
    }
    let seen = server.requests();
    assert!(
        seen.iter()
            .all(|request| request.accept_encoding.as_deref().is_some_and(|text| text.contains("gzip")))
    );
    assert!(seen.iter().all(|request| request.user_agent.is_some() && request.query.contains("depth=0")));
    assert_eq!(seen.iter().filter(|request| request.has_key).count(), 13);
}

#[tokio::test]
async fn awkward_changes_arrive_as_they_were_sent() {
    let server = server(Options::default()).await;
    let client = client(&server, None);
    let since = server.world().now().timestamp();
    server.world().advance(&Advance::awkward_day());
    for namespace in Namespace::ALL {
        let (answer, records) = fetch(&client, namespace, Some(since)).await;
        answer.unwrap();
        let mut expected =
            server.world().changed(namespace.as_str().parse().unwrap(), since, Caller::Anonymous);
        expected.iter_mut().for_each(remove_nul);
        assert_eq!(printed(namespace, &records), expected, "{namespace}");
    }
}

#[tokio::test]
async fn a_dump_is_older_than_the_api() {
    let server = server(Options::default()).await;
    let before = server.world().live(lab::Namespace::Net, Caller::Anonymous);
    let frozen = server.world().now();
    server.world().advance(&Advance::day());
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1000);
    let answer = client(&server, None).fetch_dump(Namespace::Net, &sender).await.unwrap();
    drop(sender);
    let mut records = Vec::new();
    while let Some(event) = receiver.recv().await {
        if let Event::Records(more) = event {
            records.extend(more);
        }
    }
    assert_eq!(printed(Namespace::Net, &records), before);
    assert_eq!(answer.generated.map(|time| time.timestamp()), Some(frozen.timestamp()));
}

/// Which error each fault must end in; `None` where the answer is good as far as it goes.
fn expected(kind: FaultKind) -> Option<&'static str> {
    Some(match kind {
        FaultKind::TooMany | FaultKind::TooManyDate | FaultKind::TooManyBare => "Throttled",
        FaultKind::Unauthorized => "Unauthorized",
        FaultKind::Internal | FaultKind::BadGateway => "Status",
        FaultKind::Html | FaultKind::NotJson | FaultKind::NoData | FaultKind::DataObject => "NotJson",
        FaultKind::Cut | FaultKind::CutChunked | FaultKind::CutClean => "Cut",
        FaultKind::Slow | FaultKind::Hang => "TimedOut",
        FaultKind::Huge => "TooBig",
        FaultKind::WrongTypes
        | FaultKind::NoId
        | FaultKind::Duplicate
        | FaultKind::Empty
        | FaultKind::MassDelete => return None,
    })
}

#[tokio::test]
async fn every_fault_has_its_error_and_the_next_question_is_answered() {
    let server = server(Options::default()).await;
    let good = server.world().live(lab::Namespace::Net, Caller::Anonymous);
    for kind in FaultKind::ALL {
        let endless = matches!(kind, FaultKind::Slow | FaultKind::Hang);
        let client = client_within(&server, None, Duration::from_secs(if endless { 2 } else { 60 }));
        // An hour is longer than this client waits.
        server.fault(None, Fault { seconds: 3600, ..Fault::once(*kind) });
        let (answer, _) = fetch(&client, Namespace::Net, None).await;
        match (expected(*kind), answer) {
            (Some(variant), Err(error)) => {
                let (debug, text) = (format!("{error:?}"), error.to_string());
                assert!(debug.starts_with(variant), "{kind:?}: {debug}");
                assert!(text.contains(&format!("{}/net?depth=0", server.url())), "{kind:?}: {text}");
            }
            (None, Ok(_)) => {}
            (wanted, got) => panic!("{kind:?}: wanted {wanted:?}, got {got:?}"),
        }
        // The stand-in may still be busy with what nobody waits for any more.
        let fresh = client_within(&server, None, Duration::from_mins(1));
        let (answer, records) = fetch(&fresh, Namespace::Net, None).await;
        answer.unwrap();
        assert_eq!(printed(Namespace::Net, &records), good, "after {kind:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_the_rest_arrives() {
    let server = server(Options::default()).await;
    let client = client(&server, None);
    for kind in [FaultKind::WrongTypes, FaultKind::NoId] {
        server.fault(None, Fault::once(kind));
        let (answer, records) = fetch(&client, Namespace::Net, None).await;
        let answer = answer.unwrap();
        assert!(!answer.unusable.is_empty(), "{kind:?}");
        assert!(
            records.len() + answer.unusable.len()
                >= server.world().live(lab::Namespace::Net, Caller::Anonymous).len()
        );
        assert!(
            answer.unusable.iter().all(|unusable| !unusable.excerpt.is_empty() && !unusable.why.is_empty())
        );
    }
}
