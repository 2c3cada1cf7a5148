//! Workers, delays, and clients that do not read.

use std::io::Write;
use std::time::{Duration, Instant};

use pm_lab::irrd::Options;

use super::client::{Client, data, serve, small};

const VERSION: &str = "IRRd -- version 4.5.4";

/// A connection that is more than the server can serve is accepted, and answered when another one ends.
#[tokio::test(flavor = "multi_thread")]
async fn connections_wait_for_a_worker() {
    let server = small(Options { workers: Some(2), ..Options::default() }).await;
    let mut clients: Vec<Client> = (0..3).map(|_| Client::new(&server)).collect();
    for client in &mut clients[..2] {
        client.send("!!\n!v\n");
        assert_eq!(client.read(data(VERSION).len()), data(VERSION));
    }
    clients[2].send("!!\n!v\n");
    assert!(clients[2].is_silent());
    clients[0].send("!q\n");
    assert_eq!(clients[2].read(data(VERSION).len()), data(VERSION));
    assert_eq!(server.counters().most_open, 3);
}

/// The first answer takes two round trips, a shaken hand included, and those after it one, however many there are.
#[tokio::test(flavor = "multi_thread")]
async fn a_delay_is_one_of_the_wire() {
    let delay = Duration::from_millis(40);
    let server = small(Options { delay, ..Options::default() }).await;
    let mut client = Client::new(&server);
    let begun = Instant::now();
    client.send("!!\n!v\n");
    client.read(data(VERSION).len());
    let first = begun.elapsed();
    assert!(first >= delay * 4, "{first:?}");
    let begun = Instant::now();
    client.send("!v\n".repeat(500));
    assert_eq!(client.read(data(VERSION).len() * 500), data(VERSION).repeat(500));
    let pipelined = begun.elapsed();
    assert!(pipelined >= delay * 2, "{pipelined:?}");
    // A pause per answer would take 20 s and more.
    assert!(pipelined < delay * 350, "{pipelined:?}");
    client.send("!q\n");
    let begun = Instant::now();
    assert_eq!(client.rest(), (vec![], None));
    assert!(begun.elapsed() + Duration::from_millis(5) >= delay * 2);
}

/// Whoever asks and never reads is not read from after a while: what the server has taken in stays small.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_held_back() {
    let routes: Vec<String> = (0..2_000)
        .map(|nth| format!("route: 10.{}.{}.0/24\norigin: AS1\nsource: RIPE\n\n", nth / 250, nth % 250))
        .collect();
    let routes = routes.concat();
    for delay in [0, 20] {
        let server =
            serve(&routes, Options { delay: Duration::from_millis(delay), ..Options::default() }).await;
        let mut client = Client::new(&server);
        client.0.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        // Each of these lines asks for 28 kB: without an end somewhere, gigabytes.
        let lines = "!gAS1\n".repeat(10_000);
        client.send("!!\n");
        let mut blocked = false;
        for _ in 0..2_000 {
            if client.0.write_all(lines.as_bytes()).is_err() {
                blocked = true;
                break;
            }
        }
        assert!(blocked, "twenty million queries were taken");
        let asked = server.counters().of("!g");
        assert!(asked < 5_000, "{asked} queries were answered");
        // The server has not come to harm.
        let mut other = Client::new(&server);
        other.send("!v\n");
        assert_eq!(other.rest().0, data(VERSION).into_bytes());
    }
}

/// Whoever leaves in the middle leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_end_are_forgotten() {
    let server = small(Options { delay: Duration::from_millis(5), ..Options::default() }).await;
    for _ in 0..20 {
        let mut client = Client::new(&server);
        client.send("!!\n!a4AS-TOP\n!iAS-T");
    }
    for _ in 0..100 {
        if (server.counters().open, server.counters().connections) == (0, 20) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((server.counters().open, server.counters().connections), (0, 20));
}
