//! Which sources a question goes to.

use std::time::Duration;

use pm_irr::{Answer, Ask, Client, Query, Sources};
use tokio::time::timeout;

use super::server::{DEFAULT, Server, ask, data, only, query, right};

/// Questions for four selections, one after the other in turn.
fn mixed(count: usize) -> Vec<Query> {
    let selections = [Sources::Default, only("RIPE"), only("ARIN,RADB"), only("RADB")];
    (0..count).map(|number| query(&format!("AS{number}"), &selections[number % 4])).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_goes_to_its_sources() {
    let server = Server::sound().await;
    for (connections, window, most) in [(1, 1000, 3), (4, 1000, 30), (4, 3, 100)] {
        let mut options = server.options();
        (options.connections, options.window) = (connections, window);
        let client = Client::new(options).unwrap();
        client.features().await.unwrap();
        let queries = mixed(400);
        let outcomes = ask(&client, &queries).await;
        assert_eq!(right(&queries, &outcomes), 400);
        let statistics = client.statistics();
        let greetings = 6 + 2 * (statistics.connections - 1);
        let selections = statistics.queries - greetings - 400;
        assert!((3..=most).contains(&selections), "{selections} selections on {connections} connections");
        // And back to the server's own.
        let queries = mixed(40);
        assert_eq!(right(&queries, &ask(&client, &queries).await), 40);
    }
    assert!(server.count(&format!("!s{DEFAULT}")) > 0);
}

#[tokio::test]
async fn the_same_selection_is_not_made_twice() {
    let server = Server::sound().await;
    let client = server.client();
    for _ in 0..3 {
        let queries: Vec<Query> = (0..7).map(|number| query(&format!("AS{number}"), &only("RIPE"))).collect();
        assert_eq!(right(&queries, &ask(&client, &queries).await), 7);
    }
    assert_eq!((server.count("!sRIPE"), client.statistics().connections), (1, 1));
}

#[tokio::test]
async fn without_the_list_of_the_server_a_new_connection_has_its_selection() {
    let server = Server::start(|mut session| async move {
        session.old = true;
        while let Some(query) = session.query().await {
            session.echo(&query).await?;
        }
        None
    })
    .await;
    for connections in [1, 4] {
        let mut options = server.options();
        options.connections = connections;
        let client = Client::new(options).unwrap();
        client.features().await.unwrap();
        for _ in 0..3 {
            let queries = mixed(60);
            let outcomes = timeout(Duration::from_secs(20), ask(&client, &queries)).await.unwrap();
            assert_eq!(right(&queries, &outcomes), 60);
        }
    }
    assert_eq!(server.count(&format!("!s{DEFAULT}")), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_selection_is_answered_from_no_other_sources() {
    let server = Server::sound().await;
    for connections in [1, 4] {
        let mut options = server.options();
        options.connections = connections;
        let client = Client::new(options).unwrap();
        client.features().await.unwrap();
        for _ in 0..2 {
            let mut queries = mixed(400);
            for query in queries.iter_mut().step_by(3) {
                query.sources = only("RIPE,NOSRC,ARIN,NONE");
            }
            let outcomes = ask(&client, &queries).await;
            let text = format!(
                "{} does not have the sources NOSRC,NONE of RIPE,NOSRC,ARIN,NONE: One or more selected sources are unavailable.",
                server.address
            );
            let refused =
                outcomes.iter().step_by(3).filter(|outcome| **outcome == Ok(Answer::Refused(text.clone())));
            assert_eq!(refused.count(), 134);
            assert_eq!(right(&queries, &outcomes), 266);
        }
        assert_eq!(client.statistics().reconnects, 0);
    }
}

#[tokio::test]
async fn a_refused_selection_is_no_selection() {
    let server = Server::sound().await;
    let client = server.client();
    for sources in ["NOSRC", "RIPE", "NOSRC", "NOSRC", "RIPE"] {
        let queries =
            [query("AS1", &only(sources)), query("AS2", &Sources::Default), query("AS3", &only(sources))];
        let outcomes = ask(&client, &queries).await;
        assert_eq!(right(&queries, &outcomes), if sources == "RIPE" { 3 } else { 1 });
        assert!(outcomes.iter().all(Result::is_ok));
    }
    assert_eq!(client.statistics().connections, 1);
}

#[tokio::test]
async fn an_answer_that_is_none_to_a_selection_ends_the_connection() {
    let server = Server::start(|mut session| async move {
        while let Some(line) = session.line().await {
            if line == "!sRIPE" && session.number == 0 {
                session.send(data("RIPE").as_bytes()).await?;
            } else if !session.greets_or_selects(&line).await? {
                session.echo(&line).await?;
            }
        }
        None
    })
    .await;
    let client = server.client();
    let queries = [query("AS1", &only("RIPE")), query("AS2", &only("RIPE"))];
    assert_eq!(right(&queries, &ask(&client, &queries).await), 2);
    assert_eq!(client.statistics().reconnects, 1);
}

#[tokio::test]
async fn a_refusal_holds_for_one_asking() {
    let server = Server::start(|mut session| async move {
        let mut refused = false;
        while let Some(line) = session.line().await {
            if line == "!sRADB" && !std::mem::replace(&mut refused, true) {
                session.send(b"F not now\n").await?;
            } else if !session.greets_or_selects(&line).await? {
                session.echo(&line).await?;
            }
        }
        None
    })
    .await;
    let client = server.client();
    let queries = [query("AS1", &only("RADB"))];
    assert_eq!(right(&queries, &ask(&client, &queries).await), 0);
    assert_eq!(right(&queries, &ask(&client, &queries).await), 1);
    assert_eq!((server.count("!sRADB"), client.statistics().connections), (2, 1));
}
