//! Servers that fail, in all the ways they do.

use std::collections::BTreeSet;
use std::time::Duration;

use pm_irr::{Answer, Ask, Client, Options, Query, Sources};
use tokio::time::{sleep, timeout};

use super::server::{Server, ask, closed_port, data, failure, options, queries, query, right, until};

/// More than anything here takes.
const SOON: Duration = Duration::from_mins(1);

/// A server that takes connections and says nothing.
async fn mute() -> Server {
    Server::start(|mut session| async move {
        session.line().await?;
        session.hang().await
    })
    .await
}

/// A server with something wrong: what it does instead of answering is up to the script; `None` is a sound answer.
async fn with_fault<F>(fault: F) -> Server
where
    F: Fn(usize, usize, &str) -> Option<Vec<u8>> + Clone + Send + Sync + 'static,
{
    Server::start(move |mut session| {
        let fault = fault.clone();
        async move {
            let mut count = 0;
            while let Some(query) = session.query().await {
                if let Some(bytes) = fault(session.number, count, &query) {
                    return session.send(&bytes).await;
                }
                session.echo(&query).await?;
                count += 1;
            }
            None
        }
    })
    .await
}

#[tokio::test]
async fn a_host_that_refuses_gives_way_to_the_next() {
    let good = Server::sound().await;
    let mut options = options(&[&good]);
    options.hosts.insert(0, closed_port().await);
    let client = Client::new(options).unwrap();
    assert_eq!(client.features().await.unwrap().server, good.address.to_string());
    let queries = queries(100);
    assert_eq!(right(&queries, &ask(&client, &queries).await), 100);
}

#[tokio::test]
async fn when_all_hosts_are_bad_all_questions_fail_at_once_with_the_reasons() {
    let refusing = closed_port().await;
    let closing = Server::start(|_session| async { None }).await;
    let mut options = options(&[&closing]);
    options.hosts.insert(0, refusing.clone());
    options.hosts.push("no-such-host.invalid".to_owned());
    options.connect_timeout = Duration::from_secs(2);
    let client = Client::new(options).unwrap();
    let queries = queries(50);
    for round in 0..2 {
        let outcomes = ask(&client, &queries).await;
        let text = failure(&outcomes[49]);
        assert!(text.contains(&format!("{refusing} cannot be connected to: ")), "{text}");
        assert!(text.contains("(3 times)"), "{text}");
        assert!(text.contains(&closing.address.to_string()), "{text}");
        assert!(text.contains("; no-such-host.invalid:43 "), "{text}");
        assert!(outcomes.iter().all(|outcome| failure(outcome) == text));
        // The second time nobody is asked.
        let connections = client.statistics().connections;
        assert!((3..=12).contains(&connections), "{connections} in round {round}");
        assert!(client.features().await.is_err());
        assert_eq!(client.statistics().connections, connections);
    }
}

#[tokio::test]
async fn a_bad_host_is_tried_again_after_a_pause() {
    let server = Server::start(|mut session| async move {
        if session.number < 3 {
            return None;
        }
        while let Some(query) = session.query().await {
            session.echo(&query).await?;
        }
        None
    })
    .await;
    let mut options = server.options();
    options.bad_host_pause = Duration::from_secs(3);
    let client = Client::new(options).unwrap();
    let queries = queries(3);
    assert!(ask(&client, &queries).await.iter().all(Result::is_err));
    sleep(Duration::from_millis(3100)).await;
    assert_eq!(right(&queries, &ask(&client, &queries).await), 3);
}

#[tokio::test]
async fn a_host_that_never_answers_costs_the_time_limit_once() {
    let (mute, good) = (mute().await, Server::sound().await);
    let mut options = options(&[&mute, &good]);
    options.idle_timeout = Duration::from_secs(3);
    let client = Client::new(options).unwrap();
    let queries = queries(200);
    for _ in 0..2 {
        assert_eq!(right(&queries, &ask(&client, &queries).await), 200);
    }
    // All at once, and then never again.
    assert_eq!(mute.connections(), 4);
    let alone = Client::new(Options { idle_timeout: Duration::from_secs(3), ..mute.options() }).unwrap();
    let outcomes = ask(&alone, &queries).await;
    assert_eq!(failure(&outcomes[0]), format!("no IRR server answers: {} said nothing for 3s", mute.address));
    assert_eq!(mute.connections(), 8);
}

#[tokio::test]
async fn a_server_that_speaks_another_protocol_is_shown() {
    for (banner, shown) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", r#"sent what is no IRRd answer: "SSH-2.0-OpenSSH_9.2\r\n" (3 times)"#),
        (
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            r#"sent what is no IRRd answer: "HTTP/1.1 400 Bad Request\r\n\r\n""#,
        ),
        ("\u{1b}[2J% RIPE", r#"sent what is no IRRd answer: "\x1b[2J% RIPE""#),
    ] {
        let server = Server::start(move |mut session| async move {
            session.line().await?;
            session.send(banner.as_bytes()).await?;
            session.hang().await
        })
        .await;
        let client = server.client();
        let outcomes = ask(&client, &queries(5)).await;
        let text = failure(&outcomes[0]);
        assert!(text.contains(shown), "{text}");
        assert_eq!(client.features().await.unwrap_err().0, text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_given_twice_when_connections_break() {
    // Each connection but the last ones is cut: in the middle of an answer, between two, or with a wrong length.
    let server = with_fault(|number, count, query| {
        let whole = data(&format!("{query} RADB,RIPE"));
        let cut = |end: usize| whole.as_bytes()[..end].to_vec();
        match (number % 4, count) {
            _ if number > 20 => None,
            (0, 17) => Some(cut(1)),
            (1, 30) => Some(cut(whole.len() - 1)),
            (2, 3) => Some(whole.replace('A', "A1").into_bytes()),
            (3, 40) => Some(Vec::new()),
            _ => None,
        }
    })
    .await;
    let client = server.client();
    let queries = queries(2000);
    assert_eq!(right(&queries, &ask(&client, &queries).await), 2000);
    assert!(client.statistics().reconnects > 5);
}

#[tokio::test]
async fn a_server_that_starts_again_is_waited_for() {
    // All connections are cut together, and the next ones are closed at once: that is one event, or two.
    let server = Server::start(|mut session| async move {
        if (4..8).contains(&session.number) {
            return None;
        }
        let mut count = 0;
        while let Some(query) = session.query().await {
            if session.number < 4 && count == 20 {
                sleep(Duration::from_millis(50)).await;
                return session.send(b"A100\nhalf of it").await;
            }
            session.echo(&query).await?;
            count += 1;
        }
        None
    })
    .await;
    let client = server.client();
    let queries = queries(1000);
    assert_eq!(right(&queries, &ask(&client, &queries).await), 1000);
}

/// Poison: the server closes the connection, without a word or in the middle, or stops.
async fn poisoned(names: &'static [&'static str], how: &'static str) -> Server {
    Server::start(move |mut session| async move {
        while let Some(query) = session.query().await {
            if names.contains(&&query[2..]) {
                match how {
                    "hang" => return session.hang().await,
                    "cut" => return session.send(b"A20\nAS1").await,
                    _ => return None,
                }
            }
            session.echo(&query).await?;
        }
        None
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_queries_do_not_sink_the_others() {
    for how in ["close", "cut", "hang"] {
        for connections in [1, 4] {
            // Silence takes time: when the third query in a row has only that for an answer, the next host is tried.
            let names: &[&str] = if how == "hang" {
                &["AS5", "AS6"]
            } else {
                &["AS0", "AS5", "AS6", "AS7", "AS8", "AS9", "AS99"]
            };
            let server = poisoned(names, how).await;
            let mut options = server.options();
            options.connections = connections;
            options.idle_timeout = Duration::from_secs(2);
            let client = Client::new(options).unwrap();
            let queries = queries(100);
            let outcomes = ask(&client, &queries).await;
            assert_eq!(right(&queries, &outcomes), 100 - names.len(), "{how} on {connections} connections");
            for (query, outcome) in queries.iter().zip(&outcomes) {
                if names.contains(&query.name.as_str()) {
                    let text = failure(outcome);
                    assert!(
                        text.starts_with(&format!("no answer to {query}: {} ", server.address)),
                        "{text}"
                    );
                    assert!(text.ends_with(" (3 times)"), "{text}");
                }
            }
            // And the host is none the worse for it.
            let good: Vec<Query> =
                (10..20).map(|number| query(&format!("AS{number}"), &Sources::Default)).collect();
            assert_eq!(right(&good, &ask(&client, &good).await), 10);
        }
    }
}

#[tokio::test]
async fn a_bad_query_alone_is_no_bad_host() {
    for how in ["close", "cut", "hang"] {
        let server = poisoned(&["AS0"], how).await;
        let mut options = server.options();
        options.idle_timeout = Duration::from_secs(1);
        let client = Client::new(options).unwrap();
        assert!(failure(&ask(&client, &queries(1)).await[0]).starts_with("no answer to !gAS0: "));
        assert_eq!(client.statistics().connections, 3);
        let good = [query("AS1", &Sources::Default)];
        assert_eq!(right(&good, &ask(&client, &good).await), 1);
    }
}

#[tokio::test]
async fn a_server_that_greets_and_then_breaks_is_a_bad_host() {
    let bad = with_fault(|_, _, _| Some(Vec::new())).await;
    let good = Server::sound().await;
    let client = Client::new(options(&[&bad, &good])).unwrap();
    client.features().await.unwrap();
    let queries = queries(300);
    assert_eq!(right(&queries, &ask(&client, &queries).await), 300);
    assert!(bad.connections() <= 60, "{} connections to the bad host", bad.connections());
}

#[tokio::test]
async fn what_one_host_does_not_answer_another_may() {
    for how in ["close", "cut", "hang"] {
        let (bad, good) = (poisoned(&["AS3", "AS7"], how).await, Server::sound().await);
        let worse = poisoned(&["AS7"], how).await;
        let client = |servers: &[&Server]| {
            Client::new(Options { idle_timeout: Duration::from_secs(1), ..options(servers) }).unwrap()
        };
        let queries = queries(40);
        let outcomes = ask(&client(&[&bad, &good]), &queries).await;
        assert_eq!(right(&queries, &outcomes), 40, "{how}");
        let asked = good.lines().into_iter().filter(|line| line.starts_with("!g")).collect::<BTreeSet<_>>();
        assert_eq!(asked.into_iter().collect::<Vec<_>>(), ["!gAS3", "!gAS7"]);
        let outcomes = ask(&client(&[&bad, &worse]), &queries).await;
        assert_eq!(right(&queries, &outcomes), 39, "{how}");
        let text = failure(&outcomes[7]);
        assert!(text.starts_with(&format!("no answer to !gAS7: {} ", bad.address)), "{text}");
        assert!(text.contains(&format!(" (2 times), then {} ", worse.address)), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_closes_after_some_answers_is_asked_on() {
    for answers in [1, 3] {
        let server = with_fault(move |_, count, _| (count == answers).then(Vec::new)).await;
        let client = server.client();
        let queries = queries(60);
        assert_eq!(right(&queries, &ask(&client, &queries).await), 60);
    }
}

#[tokio::test]
async fn connections_that_are_not_served_give_their_queries_back() {
    // One worker process: a second connection is accepted, and says nothing.
    let server = Server::start(|mut session| async move {
        if session.number > 0 {
            session.line().await?;
            return session.hang().await;
        }
        while let Some(query) = session.query().await {
            session.echo(&query).await?;
        }
        None
    })
    .await;
    let client = server.client();
    client.features().await.unwrap();
    let queries = queries(400);
    // Sooner than after the minute that an answer may take.
    let outcomes = timeout(SOON, ask(&client, &queries)).await.unwrap();
    assert_eq!(right(&queries, &outcomes), 400);
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn a_dripping_server_is_ended_by_the_total_time() {
    let server = Server::start(|mut session| async move {
        session.query().await?;
        session.send(b"A100000\n").await?;
        loop {
            session.send(b"x").await?;
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let mut options = server.options();
    options.idle_timeout = Duration::from_secs(5);
    options.total = Duration::from_secs(10);
    let client = Client::new(options).unwrap();
    let outcomes = timeout(SOON, ask(&client, &queries(30))).await.unwrap();
    assert_eq!(failure(&outcomes[0]), "not answered within the 10s that all questions may take");
    assert!(outcomes.iter().all(Result::is_err));
    assert!(client.features().await.is_ok(), "known already");
    assert!(ask(&client, &queries(1)).await[0].is_err());
}

#[tokio::test]
async fn what_nobody_asked_for_ends_the_connection() {
    let server = Server::start(|mut session| async move {
        while let Some(query) = session.query().await {
            session.echo(&query).await?;
            if query == "!gAS4" && session.number == 0 {
                session.send(b"D\nD\n").await?;
            }
        }
        None
    })
    .await;
    let client = server.client();
    let queries = queries(5);
    assert_eq!(right(&queries, &ask(&client, &queries).await), 5);
    until("the end of the connection", || server.open() == 0).await;
    assert_eq!(right(&queries, &ask(&client, &queries).await), 5);
    assert_eq!(client.statistics().connections, 2);
}

#[tokio::test]
async fn answers_that_are_out_of_step_are_given_to_nobody() {
    // It answers `!!`, so each answer is one too late.
    let server = Server::start(|mut session| async move {
        session.line().await?;
        session.send(b"C\n").await?;
        while let Some(query) = session.query().await {
            session.echo(&query).await?;
        }
        None
    })
    .await;
    let client = server.client();
    let outcomes = ask(&client, &queries(5)).await;
    assert!(failure(&outcomes[0]).contains("answers !v, !s or !j with no data"), "{}", failure(&outcomes[0]));
    assert!(outcomes.iter().all(|outcome| !matches!(outcome, Ok(Answer::Data(_)))));
}
