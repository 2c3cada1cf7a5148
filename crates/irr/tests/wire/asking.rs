//! Many questions at a time.

use std::time::Duration;

use pm_irr::{Answer, Ask, Client, Features, Kind, Options, Query, Sources};
use tokio::time::{sleep, timeout};

use super::server::{Server, ask, data, expected, failure, queries, query, right, until};

/// More than anything here takes, and less than the client's own limits.
const SOON: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_has_its_own_answer() {
    for piece in [0, 1, 3, 1000] {
        let server = Server::start(move |mut session| async move {
            session.piece = piece;
            while let Some(query) = session.query().await {
                if query.ends_with('7') {
                    sleep(Duration::from_micros(300)).await;
                }
                session.echo(&query).await?;
            }
            None
        })
        .await;
        let client = server.client();
        let queries = queries(if piece == 1 { 300 } else { 3000 });
        let outcomes = ask(&client, &queries).await;
        assert_eq!(right(&queries, &outcomes), queries.len(), "in pieces of {piece}");
        let statistics = client.statistics();
        assert_eq!((statistics.connections, statistics.reconnects), (4, 0));
        assert_eq!(statistics.answers, statistics.queries);
    }
}

#[tokio::test]
async fn nothing_waits_for_an_answer_that_it_does_not_need() {
    // It says nothing before it has read all that is to be said on the connection: what waits for an answer, waits for ever.
    let server = Server::start(|mut session| async move {
        let mut read = Vec::new();
        while read.len() < 10 {
            let line = session.line().await?;
            read.extend(line.starts_with("!g").then_some(line));
        }
        let greeting = if session.number == 0 {
            format!("C\nC\n{}F no\n{}D\n", data("IRRd"), data("RADB"))
        } else {
            "C\nC\n".to_owned()
        };
        session.send(greeting.as_bytes()).await?;
        for query in read {
            session.echo(&query).await?;
        }
        session.hang().await
    })
    .await;
    // The number of the connection is given when it is accepted, not when it was asked for the features.
    let queries = queries(40);
    let mut options = server.options();
    options.idle_timeout = Duration::from_secs(15);
    options.connections = 4;
    let client = Client::new(options).unwrap();
    let outcomes = timeout(SOON, ask(&client, &queries)).await.unwrap();
    assert_eq!(right(&queries, &outcomes), 40);
    assert_eq!(client.statistics().reconnects, 0);
}

#[tokio::test]
async fn features_are_asked_for_once() {
    let server = Server::sound().await;
    let client = server.client();
    let features = client.features().await.unwrap();
    let serials = [("ARIN", "N:-"), ("RADB", "N:1-7"), ("RIPE", "N:5-9")];
    let expected = Features {
        server: server.address.to_string(),
        version: Some("IRRd -- version 4.5.4".to_owned()),
        sources: vec!["RADB".to_owned(), "RIPE".to_owned()],
        serials: serials.iter().map(|(name, serial)| ((*name).to_owned(), (*serial).to_owned())).collect(),
        set_routes: true,
    };
    assert_eq!(features, expected);
    assert_eq!(client.features().await, Ok(expected));
    // The connection is used again, and nobody asks for the features again.
    let queries = queries(400);
    let outcomes = ask(&client, &queries).await;
    assert_eq!(right(&queries, &outcomes), 400);
    assert_eq!(client.statistics().connections, 4);
    assert_eq!(
        (server.count("!v"), server.count("!s-lc"), server.count("!j-*"), server.count("!a")),
        (1, 1, 1, 1)
    );
}

#[tokio::test]
async fn an_old_server_is_borne_with() {
    let server = Server::start(|mut session| async move {
        session.old = true;
        while let Some(query) = session.query().await {
            session.echo(&query).await?;
        }
        None
    })
    .await;
    let client = server.client();
    let features = client.features().await.unwrap();
    assert_eq!(features, Features { server: server.address.to_string(), ..Features::default() });
    let queries = queries(20);
    assert_eq!(right(&queries, &ask(&client, &queries).await), 20);
}

#[tokio::test]
async fn few_questions_open_one_connection() {
    let server = Server::sound().await;
    let client = server.client();
    assert!(ask(&client, &[]).await.is_empty());
    assert_eq!(client.statistics().connections, 0);
    let queries = queries(7);
    assert_eq!(right(&queries, &ask(&client, &queries).await), 7);
    assert_eq!(client.statistics().connections, 1);
    assert_eq!(right(&queries, &ask(&client, &queries).await), 7);
    assert_eq!(client.statistics().connections, 1);
}

#[tokio::test]
async fn no_more_than_the_window_is_unanswered() {
    let server = Server::start(|mut session| async move {
        let first = session.query().await?;
        let mut read = vec![first];
        // Whatever else is sent without an answer comes at once.
        while let Ok(query) = timeout(Duration::from_millis(100), session.query()).await {
            read.push(query?);
        }
        assert!(read.len() <= 5, "{} unanswered queries", read.len());
        for query in read {
            session.echo(&query).await?;
        }
        while let Some(query) = session.query().await {
            session.echo(&query).await?;
        }
        None
    })
    .await;
    let mut options = server.options();
    options.window = 5;
    let client = Client::new(options).unwrap();
    let queries = queries(100);
    assert_eq!(right(&queries, &ask(&client, &queries).await), 100);
    assert_eq!(client.statistics().reconnects, 0);
}

#[tokio::test]
async fn what_is_no_name_is_not_sent() {
    let server = Server::sound().await;
    let client = server.client();
    let bad = ["AS1\n!q", "AS1 AS2", "", "AS1,1", "AS\u{0}"];
    let mut queries: Vec<Query> = bad.iter().map(|name| query(name, &Sources::Default)).collect();
    queries.push(query("AS1", &Sources::Only("RIPE\n!q".into())));
    queries.push(query("AS2", &Sources::Default));
    let outcomes = ask(&client, &queries).await;
    for outcome in &outcomes[..6] {
        assert!(!failure(outcome).contains(char::is_control));
    }
    assert_eq!(outcomes[6], Ok(Answer::Data(expected(&queries[6]))));
    let sent: Vec<String> = server.lines().into_iter().filter(|line| line.starts_with("!g")).collect();
    assert_eq!(sent, ["!gAS2"]);
}

#[tokio::test]
async fn answers_of_every_kind_are_told_apart() {
    let server = Server::start(|mut session| async move {
        let answers: [&[u8]; 7] = [
            b"C\n",
            b"D\n",
            b"E\n",
            b"F no \x1b[1mway\n",
            b"A5\nAS\xc31\nC\n",
            b"A5\nAS\xc31\nC\n",
            b"A2\nx\nC\n",
        ];
        for answer in answers {
            session.query().await?;
            session.send(answer).await?;
        }
        session.hang().await
    })
    .await;
    let client = server.client();
    let mut queries = queries(7);
    queries[5].kind = Kind::Object(pm_irr::Class::AutNum);
    let outcomes = ask(&client, &queries).await;
    let refused = Answer::Refused("no  [1mway".to_owned());
    assert_eq!(outcomes[..4], [Ok(Answer::Done), Ok(Answer::NotFound), Ok(Answer::Ambiguous), Ok(refused)]);
    // Bytes that are no text: no names and prefixes can be read from them; an object is only to be there.
    assert!(failure(&outcomes[4]).ends_with("gave !gAS4 an answer that is not UTF-8 text"));
    assert_eq!(outcomes[5..], [Ok(Answer::Data("AS\u{fffd}1".to_owned())), Ok(Answer::Data("x".to_owned()))]);
    assert_eq!(client.statistics().reconnects, 0);
}

#[tokio::test]
async fn an_answer_that_is_too_big_is_read_past_or_cut_off() {
    let server = Server::start(|mut session| async move {
        while let Some(query) = session.query().await {
            match query.as_str() {
                "!gAS3" => session.send(data(&"x".repeat(399)).as_bytes()).await?,
                "!gAS5" => session.send(b"A401\nnot all of it").await?,
                _ => session.echo(&query).await?,
            }
        }
        None
    })
    .await;
    let mut options = server.options();
    options.answer_limit = 100;
    let client = Client::new(options).unwrap();
    let queries = queries(10);
    let outcomes = ask(&client, &queries).await;
    assert_eq!((&outcomes[3], &outcomes[5]), (&Ok(Answer::TooBig(400)), &Ok(Answer::TooBig(401))));
    assert_eq!(right(&queries, &outcomes), 8);
    // One for what came after the second; the first was read past.
    assert_eq!((client.statistics().connections, server.count("!gAS3")), (2, 1));
}

#[tokio::test]
async fn answers_that_are_cut_off_are_no_fault_of_the_following() {
    let server = Server::start(|mut session| async move {
        session.query().await?;
        session.send(b"A999999999\nxxx").await?;
        session.hang().await
    })
    .await;
    let client = server.client();
    let outcomes = ask(&client, &queries(40)).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Ok(Answer::TooBig(999_999_999))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_holds_the_server_back() {
    const SIZE: usize = 1 << 20;
    let server = Server::start(|mut session| async move {
        let answer = data(&"x".repeat(SIZE - 1));
        while session.query().await.is_some() {
            session.send(answer.as_bytes()).await?;
        }
        None
    })
    .await;
    let client = server.client();
    let mut receiver = client.ask(queries(200));
    let (mut before, mut now) = (0, 0);
    while before == 0 || now > before {
        sleep(Duration::from_millis(500)).await;
        (before, now) = (now, client.statistics().bytes_in);
    }
    // 16 MiB wait for the reader; each connection holds one answer more, and what it reads at once.
    assert!(now < 22 * SIZE as u64, "{now} bytes are read though nobody wants them");
    let mut answers = 0;
    while let Some((_, outcome)) = receiver.recv().await {
        assert!(matches!(outcome, Ok(Answer::Data(text)) if text.len() == SIZE - 1));
        answers += 1;
    }
    assert_eq!((answers, client.statistics().reconnects), (200, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn askings_at_the_same_time_share_the_connections() {
    let server = Server::sound().await;
    let client = server.client();
    // Nobody reads the first for a while, and it has more answers than may wait.
    let first = queries(5000);
    let mut held = client.ask(first.clone());
    let mut options = server.options();
    options.connections = 2;
    let (one, two) = (queries(300), queries(20));
    let other = Client::new(options).unwrap();
    let (left, right_) = tokio::join!(ask(&other, &one), ask(&other, &two));
    assert_eq!((right(&one, &left), right(&two, &right_)), (300, 20));
    assert!(other.statistics().connections <= 2);
    let waiting = ask(&client, &two);
    let mut count = 0;
    let drained = async {
        while held.recv().await.is_some() {
            count += 1;
        }
    };
    let (outcomes, ()) = tokio::join!(waiting, drained);
    assert_eq!((right(&two, &outcomes), count), (20, 5000));
    assert_eq!(client.statistics().connections, 4);
}

#[tokio::test]
async fn the_greeting_names_the_client() {
    let server = Server::sound().await;
    let mut options = Options::new(vec![format!("localhost:{}", server.address.port())]);
    options.name = "a tester 1".to_owned();
    options.idle_timeout = Duration::from_secs(20);
    let client = Client::new(options).unwrap();
    assert_eq!(client.features().await.unwrap().server, format!("localhost:{}", server.address.port()));
    assert_eq!(server.lines()[..3], ["!!", "!na tester 1", "!t20"]);
    client.close().await;
    until("the farewell", || server.count("!q") == 1).await;
}
