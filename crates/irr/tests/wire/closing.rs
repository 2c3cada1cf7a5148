//! Connections hold a server's workers, so they are closed when nobody needs them.

use std::time::Duration;

use pm_irr::{Ask, Client};
use tokio::time::sleep;

use super::server::{Server, ask, queries, right, until};

#[tokio::test]
async fn idle_connections_take_leave() {
    let server = Server::sound().await;
    let mut options = server.options();
    options.keep_open = Duration::from_millis(50);
    let client = Client::new(options).unwrap();
    let queries = queries(100);
    for round in 1..=3 {
        assert_eq!(right(&queries, &ask(&client, &queries).await), 100);
        until("the farewells", || server.count("!q") >= 4 * round).await;
    }
    assert_eq!(client.statistics().reconnects, 0);
}

#[tokio::test]
async fn a_connection_is_kept_for_a_while() {
    let server = Server::sound().await;
    let client = server.client();
    let queries = queries(100);
    for _ in 0..3 {
        assert_eq!(right(&queries, &ask(&client, &queries).await), 100);
        assert_eq!((client.statistics().connections, server.count("!q")), (4, 0));
    }
    client.close().await;
    until("the farewells", || server.count("!q") == 4).await;
    // And it can be used again.
    assert_eq!(right(&queries, &ask(&client, &queries).await), 100);
    drop(client);
    until("the farewells", || server.count("!q") == 8).await;
}

#[tokio::test]
async fn a_client_that_is_gone_keeps_nothing_open() {
    let server = Server::sound().await;
    let client = server.client();
    let mut receiver = client.ask(queries(100));
    drop(client);
    let mut answers = 0;
    while let Some((_, outcome)) = receiver.recv().await {
        answers += usize::from(outcome.is_ok());
    }
    assert_eq!(answers, 100);
    until("the farewells", || server.count("!q") == 4).await;
}

#[tokio::test]
async fn who_does_not_listen_is_not_answered() {
    let server = Server::start(|mut session| async move {
        while let Some(query) = session.query().await {
            session.echo(&query).await?;
            sleep(Duration::from_millis(20)).await;
        }
        None
    })
    .await;
    let client = server.client();
    let mut receiver = client.ask(queries(100_000));
    assert!(receiver.recv().await.is_some());
    drop(receiver);
    until("the end of all connections", || server.open() == 0).await;
    let read = server.lines().len();
    assert!(read < 10_000, "{read} lines are read");
    // The client is none the worse for it.
    let queries = queries(10);
    assert_eq!(right(&queries, &ask(&client, &queries).await), 10);
}

#[tokio::test]
async fn who_stopped_listening_takes_leave_of_a_silent_server() {
    let server = Server::start(|mut session| async move {
        while session.line().await.is_some() {}
        None
    })
    .await;
    let mut options = server.options();
    options.connections = 1;
    let client = Client::new(options).unwrap();
    let receiver = client.ask(queries(10));
    until("a connection", || server.count("!gAS9") == 1).await;
    drop(receiver);
    until("the farewell", || server.count("!q") == 1).await;
    // The place of that connection is free for another.
    let receiver = client.ask(queries(10));
    until("another connection", || server.count("!gAS9") == 2).await;
    drop(receiver);
}

#[tokio::test]
async fn a_server_may_close_what_nobody_uses() {
    let server = Server::start(|mut session| async move {
        // As many as a connection has to answer here, then it is closed without a word.
        for _ in 0..if session.number < 4 { 25 } else { 1000 } {
            let query = session.query().await?;
            session.echo(&query).await?;
        }
        None
    })
    .await;
    let client = server.client();
    let queries = queries(100);
    assert_eq!(right(&queries, &ask(&client, &queries).await), 100);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(right(&queries, &ask(&client, &queries).await), 100);
    assert_eq!(client.statistics().connections, 8);
}
