//! The client against a server with every fault that has been seen.

use std::io::Write;
use std::time::Duration;

use crate::server::{Play, Server, answer, bytes, chunked, json};
use flate2::Compression;
use flate2::write::GzEncoder;
use pm_peeringdb::{Answer, Client, ClientOptions, Event, FetchError, Namespace, OptionsError};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// No text but a request's header may hold these.
const KEY: &str = "canary-key-5f1d";
const PASSWORD: &str = "canary-password-77aa";

#[expect(clippy::disallowed_methods, reason = "tests build their own client")]
fn http() -> reqwest::Client {
    // Fails if another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().connect_timeout(Duration::from_secs(2)).build().unwrap()
}

fn options(server: &Server) -> ClientOptions {
    ClientOptions {
        base_url: format!("{}/api/", server.url),
        user_agent: "peering-manager/1.2.3".to_owned(),
        total_timeout: Duration::from_secs(10),
        retries: 1,
        max_retry_after: Duration::from_secs(30),
        ..ClientOptions::default()
    }
}

/// What a fetch gave: its result, and the ids that are left after all restarts.
struct Outcome {
    result: Result<Answer, FetchError>,
    ids: Vec<i64>,
    restarts: usize,
}

async fn fetch_with(options: ClientOptions, since: Option<i64>) -> Outcome {
    let client = Client::new(http(), options, 1).unwrap();
    let (out, events) = mpsc::channel(1);
    let fetch = async move { client.fetch(Namespace::Org, since, &out).await };
    let (result, (ids, restarts)) = tokio::join!(fetch, collect(events));
    let shown = match &result {
        Ok(answer) => format!("{answer:?}"),
        Err(error) => format!("{error} {error:?}"),
    };
    assert!(!shown.contains("canary"), "{shown}");
    Outcome { result, ids, restarts }
}

async fn collect(mut events: mpsc::Receiver<Event>) -> (Vec<i64>, usize) {
    let (mut ids, mut restarts) = (Vec::new(), 0);
    while let Some(event) = events.recv().await {
        match event {
            Event::Restart => {
                assert!(!ids.is_empty(), "there was nothing to forget");
                ids.clear();
                restarts += 1;
            }
            Event::Records(records) => ids.extend(records.iter().map(|record| record.id)),
        }
    }
    (ids, restarts)
}

async fn fetch(plays: Vec<Play>) -> (Outcome, Server) {
    let server = Server::playing(plays).await;
    (fetch_with(options(&server), None).await, server)
}

fn list(count: i64) -> String {
    let records: Vec<_> = (1..=count).map(|id| format!(r#"{{"id": {id}, "status": "ok"}}"#)).collect();
    format!(r#"{{"data": [{}], "meta": {{"generated": 1700000000.25}}}}"#, records.join(", "))
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn asks_as_the_api_wants_it() {
    let server = Server::playing(vec![json(&list(3))]).await;
    let options = ClientOptions {
        api_key: Some(KEY.into()),
        basic: Some(("user".to_owned(), PASSWORD.into())),
        ..options(&server)
    };
    assert!(!format!("{options:?} {:?}", Client::new(http(), options.clone(), 1)).contains("canary"));
    let outcome = fetch_with(options, Some(1_700_000_000)).await;
    let answer = outcome.result.unwrap();
    assert_eq!((outcome.ids, outcome.restarts), (vec![1, 2, 3], 0));
    assert_eq!(answer.url, format!("{}/api/org?depth=0&since=1700000000", server.url));
    assert_eq!(answer.generated.unwrap().timestamp_millis(), 1_700_000_000_250);
    assert_eq!(answer.date.unwrap().to_rfc3339(), "2026-10-06T12:00:00+00:00");
    assert_eq!((answer.records, answer.bytes, answer.attempts), (3, list(3).len() as u64, 1));
    let request = server.requests().pop().unwrap().to_ascii_lowercase();
    assert!(request.starts_with("get /api/org?depth=0&since=1700000000 http/1.1\r\n"), "{request}");
    for header in [
        format!("authorization: api-key {KEY}\r\n"),
        "user-agent: peering-manager/1.2.3\r\n".to_owned(),
        "accept: application/json\r\n".to_owned(),
        "accept-encoding: gzip\r\n".to_owned(),
    ] {
        assert_eq!(request.matches(&header).count(), 1, "{request}");
    }
}

#[tokio::test]
async fn user_and_password_are_sent_if_there_is_no_key() {
    let server = Server::playing(vec![json("[]")]).await;
    let options = ClientOptions { basic: Some(("user".to_owned(), PASSWORD.into())), ..options(&server) };
    fetch_with(options, None).await.result.unwrap();
    assert!(server.requests()[0].to_ascii_lowercase().contains("authorization: basic "));
}

#[tokio::test]
async fn dumps_are_fetched_without_the_key() {
    let server = Server::playing(vec![json(&list(2))]).await;
    let options = ClientOptions {
        api_key: Some(KEY.into()),
        cache_url: Some(format!("{}/dumps/", server.url)),
        base_url: "http://127.0.0.1:1".to_owned(),
        ..options(&server)
    };
    let client = Client::new(http(), options, 1).unwrap();
    let (out, events) = mpsc::channel(1);
    let (answer, (ids, _)) =
        tokio::join!(async move { client.fetch_dump(Namespace::Netixlan, &out).await }, collect(events));
    assert_eq!((answer.unwrap().records, ids), (2, vec![1, 2]));
    let request = &server.requests()[0];
    assert!(request.starts_with("GET /dumps/netixlan-0.json HTTP/1.1\r\n"), "{request}");
    assert!(!request.to_ascii_lowercase().contains("authorization"), "{request}");
}

#[tokio::test]
async fn dumps_and_the_api_do_not_wait_for_each_other() {
    let throttled = answer("429 Too Many", &["Retry-After: 10"], b"slow down");
    let dumps = Server::playing(vec![throttled, json("[]")]).await;
    let api = Server::playing(vec![json(&list(1))]).await;
    let options = ClientOptions {
        cache_url: Some(dumps.url.clone()),
        requests_per_minute: 1,
        total_timeout: Duration::from_mins(1),
        ..options(&api)
    };
    let client = Client::new(http(), options, 1).unwrap();
    let begin = Instant::now();
    let (out, _events) = mpsc::channel(10);
    let paused = client.fetch_dump(Namespace::Org, &out);
    let meanwhile = async {
        while dumps.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        client.fetch(Namespace::Org, None, &out).await.unwrap();
        begin.elapsed()
    };
    let (dump, api_took) = tokio::join!(paused, meanwhile);
    assert_eq!(dump.unwrap().attempts, 2);
    assert!(begin.elapsed() >= Duration::from_secs(10));
    assert!(api_took < Duration::from_millis(9900), "{api_took:?}");
    // The API's allowance is used up now, and the dumps still come.
    client.fetch_dump(Namespace::Net, &out).await.unwrap();
    assert_eq!((dumps.requests().len(), api.requests().len()), (3, 1));
    assert!(begin.elapsed() < Duration::from_mins(1));
}

#[tokio::test]
async fn a_refused_dump_is_not_blamed_on_the_key() {
    let server = Server::playing(vec![answer("403 Forbidden", &[], b"AccessDenied")]).await;
    let options =
        ClientOptions { api_key: Some(KEY.into()), cache_url: Some(server.url.clone()), ..options(&server) };
    let client = Client::new(http(), options, 1).unwrap();
    let error = client.fetch_dump(Namespace::Org, &mpsc::channel(1).0).await.unwrap_err().to_string();
    assert!(error.contains("AccessDenied; check cache_url") && !error.contains("key"), "{error}");
}

#[tokio::test]
async fn dumps_need_an_address() {
    let server = Server::playing(vec![json("[]")]).await;
    let client = Client::new(http(), options(&server), 1).unwrap();
    let error = client.fetch_dump(Namespace::Org, &mpsc::channel(1).0).await.unwrap_err();
    assert!(matches!(error, FetchError::NoCache));
}

#[tokio::test]
async fn waits_as_long_as_a_429_says() {
    for header in ["Retry-After: 1", "Retry-After: Tue, 06 Oct 2026 12:00:01 GMT"] {
        let throttled =
            answer("429 Too Many", &[header, "Date: Tue, 06 Oct 2026 12:00:00 GMT"], b"slow down");
        let begin = Instant::now();
        let (outcome, server) = fetch(vec![throttled, json(&list(2))]).await;
        assert_eq!((outcome.result.unwrap().attempts, outcome.ids), (2, vec![1, 2]));
        assert_eq!(server.requests().len(), 2);
        assert!(begin.elapsed() >= Duration::from_secs(1), "{header}");
    }
}

#[tokio::test]
async fn does_not_wait_for_ever_on_a_429() {
    let cases = [
        (vec!["Retry-After: 3540", "Date: Tue, 06 Oct 2026 12:00:00 GMT"], 3540, "2026-10-06 12:59:00Z"),
        (
            vec!["Retry-After: Tue, 06 Oct 2026 13:00:00 GMT", "Date: Tue, 06 Oct 2026 12:00:00 GMT"],
            3600,
            "13:00:00Z",
        ),
        (vec!["Retry-After: Tue, 06 Oct 2026 13:00:00 GMT"], 60, "60 s "),
        (vec!["Retry-After: soon"], 60, "60 s "),
        (vec![], 60, "60 s "),
    ];
    for (headers, seconds, text) in cases {
        let (outcome, server) = fetch(vec![answer("429 Too Many", &headers, b"hourly limit")]).await;
        let error = outcome.result.unwrap_err();
        let FetchError::Throttled { retry_after, .. } = &error else { panic!("{error:?}") };
        assert_eq!(retry_after.as_secs(), seconds, "{headers:?}");
        assert!(error.to_string().contains(text), "{error}");
        assert!(error.to_string().contains("hourly limit"), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn asks_again_after_a_fault_that_may_pass() {
    let body = list(2).into_bytes();
    let faults = [
        answer("500 Oops", &[], b"sorry"),
        answer("503 Maintenance", &[], b"sorry"),
        answer("200 OK", &["Content-Type: text/html"], b"<html>Sign in</html>"),
        answer("200 OK", &[], b""),
        answer("200 OK", &[], &body[..body.len() - 5]),
        answer("200 OK", &["Content-Encoding: gzip"], b"this is no gzip"),
        answer("200 OK", &["Content-Encoding: gzip"], &gzip(&body)[..40]),
        Play::Send(bytes("200 OK", &[], &body, body.len() + 10)),
        Play::Send(chunked(&body, false)),
        Play::Send(Vec::new()),
    ];
    // All at once: each waits a second or two before it asks again.
    let outcomes = faults.map(|fault| Box::pin(fetch(vec![fault, json(&list(2))])));
    for (number, (outcome, server)) in all_at_once(outcomes).await.into_iter().enumerate() {
        assert_eq!(outcome.result.unwrap().attempts, 2, "{number}");
        assert_eq!((outcome.ids, server.requests().len()), (vec![1, 2], 2), "{number}");
    }
}

/// Runs all futures at the same time.
async fn all_at_once<T: Send + 'static, const N: usize>(
    futures: [impl Future<Output = T> + Send + 'static; N],
) -> Vec<T> {
    let tasks = futures.map(tokio::spawn);
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

#[tokio::test]
async fn gives_up_with_the_right_error() {
    let body = list(2).into_bytes();
    let status = fetch(vec![answer("502 Bad Gateway", &[], b"upstream \x1b[1m\0is down")]);
    let html = fetch(vec![answer("200 OK", &[], format!("<html>{}", "é".repeat(500)).as_bytes())]);
    let short = fetch(vec![Play::Send(bytes("200 OK", &[], &body, body.len() + 10))]);
    let early = fetch(vec![answer("200 OK", &[], &body[..20])]);
    let (status, html, short, early) = tokio::join!(status, html, short, early);

    let error = status.0.result.unwrap_err();
    assert!(matches!(error, FetchError::Status { status: 502, attempts: 2, .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("/api/org?depth=0 answered with HTTP 502 (attempt 2): upstream  [1m is down"),
        "{error}"
    );

    let error = html.0.result.unwrap_err();
    let FetchError::NotJson { status: 200, excerpt, attempts: 2, .. } = &error else { panic!("{error:?}") };
    assert!(excerpt.starts_with("<html>éé") && (190..=200).contains(&excerpt.len()), "{excerpt}");

    let error = short.0.result.unwrap_err();
    let FetchError::Cut { bytes, attempts: 2, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*bytes, body.len() as u64);

    let error = early.0.result.unwrap_err();
    assert!(matches!(error, FetchError::Cut { bytes: 20, attempts: 2, .. }), "{error:?}");
}

#[tokio::test]
async fn a_cut_answer_is_taken_back_before_the_next() {
    let body = list(3000).into_bytes();
    let cut = Play::Send(bytes("200 OK", &[], &body[..body.len() - 100], body.len()));
    let (outcome, _) = fetch(vec![cut, json(&list(3000))]).await;
    assert_eq!((outcome.result.unwrap().records, outcome.restarts), (3000, 1));
    assert_eq!(outcome.ids, (1..=3000).collect::<Vec<_>>());
}

#[tokio::test]
async fn other_refusals_are_final() {
    let cases = [("400 Bad Request", 400), ("404 Not Found", 404), ("410 Gone", 410)];
    for (line, expected) in cases {
        let (outcome, server) = fetch(vec![answer(line, &[], b"no")]).await;
        let error = outcome.result.unwrap_err();
        assert!(matches!(error, FetchError::Status { status, .. } if status == expected), "{error:?}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_refused_key_is_said_but_not_shown() {
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let echo = format!("{}invalid key {KEY}, password {PASSWORD}", " ".repeat(150));
        let server = Server::playing(vec![answer(status, &[], echo.as_bytes())]).await;
        let with_key = ClientOptions {
            api_key: Some(KEY.into()),
            basic: Some(("user".to_owned(), PASSWORD.into())),
            ..options(&server)
        };
        let error = fetch_with(with_key, None).await.result.unwrap_err();
        assert!(matches!(error, FetchError::Unauthorized { .. }), "{error:?}");
        assert!(error.to_string().contains("refused the API key"), "{error}");
        assert_eq!(server.requests().len(), 1);
        let (outcome, _) = fetch(vec![answer(status, &[], b"log in")]).await;
        let error = outcome.result.unwrap_err();
        assert!(error.to_string().contains("refused a request without API key"), "{error}");
    }
}

#[tokio::test]
async fn a_key_is_not_shown_even_if_the_excerpt_ends_in_it() {
    for before in 175..200 {
        let echo = format!("{}{KEY} was sent", "x".repeat(before));
        let server = Server::playing(vec![answer("200 OK", &[], echo.as_bytes())]).await;
        let with_key = ClientOptions { api_key: Some(KEY.into()), retries: 0, ..options(&server) };
        let error = fetch_with(with_key, None).await.result.unwrap_err();
        let FetchError::NotJson { excerpt, .. } = &error else { panic!("{error:?}") };
        assert!(!excerpt.contains("cana"), "{excerpt}");
    }
}

#[tokio::test]
async fn a_silent_server_is_left() {
    let body = list(2000).into_bytes();
    let mute = Play::Hang(Vec::new());
    let stuck = Play::Hang(bytes("200 OK", &[], &body[..body.len() / 2], body.len()));
    let slow = Play::Slowly(bytes("200 OK", &[], &body, body.len()), 1000, Duration::from_millis(50));
    for play in [mute, stuck, slow] {
        let server = Server::playing(vec![play]).await;
        let patience = Duration::from_millis(300);
        let options = ClientOptions { total_timeout: patience, retries: 0, ..options(&server) };
        let begin = Instant::now();
        let error = fetch_with(options, None).await.result.unwrap_err();
        assert!(
            matches!(error, FetchError::TimedOut { after, attempts: 1, .. } if after == patience),
            "{error:?}"
        );
        assert!(begin.elapsed() < Duration::from_mins(1));
    }
}

#[tokio::test]
async fn a_busy_receiver_is_not_the_servers_fault() {
    let server = Server::playing(vec![json(&list(40_000))]).await;
    let options = ClientOptions { total_timeout: Duration::from_secs(3), retries: 0, ..options(&server) };
    let client = Client::new(http(), options, 1).unwrap();
    let (out, mut events) = mpsc::channel(1);
    let receiver = tokio::spawn(async move {
        let mut records = 0;
        while let Some(Event::Records(batch)) = events.recv().await {
            records += batch.len();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        records
    });
    let begin = Instant::now();
    client.fetch(Namespace::Org, None, &out).await.unwrap();
    drop(out);
    assert_eq!(receiver.await.unwrap(), 40_000);
    assert!(begin.elapsed() > Duration::from_secs(3));
}

#[tokio::test]
async fn a_missing_server_is_named() {
    let server = Server::playing(vec![]).await;
    let options = ClientOptions { base_url: "http://127.0.0.1:1/api".to_owned(), ..options(&server) };
    let error = fetch_with(options, None).await.result.unwrap_err();
    assert!(matches!(error, FetchError::Transport { attempts: 2, .. }), "{error:?}");
    assert!(error.to_string().contains("http://127.0.0.1:1/api/org?depth=0 cannot be reached"), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn compressed_answers_are_read_and_bombs_are_not() {
    let body = list(1000).into_bytes();
    let play = answer("200 OK", &["Content-Encoding: gzip"], &gzip(&body));
    let (outcome, _) = fetch(vec![play]).await;
    assert_eq!((outcome.result.unwrap().bytes, outcome.ids.len()), (body.len() as u64, 1000));

    let bomb = gzip(&vec![b' '; 50_000_000]);
    assert!(bomb.len() < 500_000);
    for play in [answer("200 OK", &["Content-Encoding: gzip"], &bomb), json(&list(100_000))] {
        let server = Server::playing(vec![play]).await;
        let options = ClientOptions { max_body: 1_000_000, ..options(&server) };
        let error = fetch_with(options, None).await.result.unwrap_err();
        assert!(matches!(error, FetchError::TooBig { limit: 1_000_000, .. }), "{error:?}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn wrong_types_and_empty_lists_are_answers() {
    let (outcome, _) =
        fetch(vec![json(r#"{"data": [{"id": 1, "name": 5}, {"id": null}], "meta": {}}"#)]).await;
    let answer = outcome.result.unwrap();
    assert_eq!((answer.records, answer.unusable.len(), outcome.ids), (1, 1, vec![1]));
    let (outcome, _) = fetch(vec![Play::Send(chunked(br#"{"meta": {}, "data": []}"#, true))]).await;
    assert_eq!(outcome.result.unwrap().records, 0);
}

#[tokio::test]
async fn a_closed_channel_ends_the_fetch() {
    let server = Server::playing(vec![json(&list(5000))]).await;
    let client = Client::new(http(), options(&server), 1).unwrap();
    let (out, events) = mpsc::channel(1);
    drop(events);
    let error = client.fetch(Namespace::Org, None, &out).await.unwrap_err();
    assert!(matches!(error, FetchError::SinkClosed(_)), "{error:?}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn options_that_cannot_work_are_refused_without_showing_them() {
    let address = |option| OptionsError::Address { option };
    let with = |change: &dyn Fn(&mut ClientOptions)| {
        let mut options = ClientOptions::default();
        change(&mut options);
        Client::new(http(), options, 1).map(drop)
    };
    for url in [
        "",
        "www.peeringdb.com",
        "ftp://example.net",
        "https://user:canary@example.net/api",
        "https://example.net/?key=canary",
    ] {
        assert_eq!(with(&|options| options.base_url = url.to_owned()), Err(address("base_url")), "{url}");
        assert_eq!(
            with(&|options| options.cache_url = Some(url.to_owned())),
            Err(address("cache_url")),
            "{url}"
        );
    }
    let header = |option| OptionsError::Header { option };
    assert_eq!(with(&|options| options.api_key = Some("two\nlines".into())), Err(header("api_key")));
    assert_eq!(with(&|options| options.user_agent = "two\nlines".to_owned()), Err(header("user_agent")));
    assert_eq!(with(&|_| ()), Ok(()));
}
