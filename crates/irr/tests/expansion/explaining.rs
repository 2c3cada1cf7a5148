//! Which path leads to a route.

use pm_irr::{Answer, Explanation, Limits, Lookup, Object, Reason, explain};

use super::requests::request;
use super::rpsl::written_out;
use super::server::Server;

const WORLD: &str = "
    RIPE AS-ROOT = AS-LEFT AS-RIGHT AS1
    RIPE AS-LEFT = AS2 AS-LOW
    RADB AS-RIGHT = AS-LOW AS-ROOT AS3
    RIPE AS-LOW = AS3 AS4
    RADB AS-ROOT = AS9
    RIPE AS-PRIV = AS64512
    RIPE AS-EMPTY =
    RIPE RS-ROOT = RS-LOW 10.0.0.0/8^16-24
    RIPE RS-LOW = 10.4.0.0/24 AS-LOW
    RIPE 10.3.0.0/16 AS3
    RADB 10.3.0.0/16 AS3
    RADB 10.3.4.0/24 AS3
    RIPE 10.3.4.0/24 AS1
    ALTDB 10.3.4.0/25 AS1
    RIPE 10.4.0.0/24 AS4
    RIPE 10.64.0.0/24 AS64512
    RIPE 2001:db8::/32 AS3
";

fn server() -> Server {
    Server::of_rpsl(&written_out(WORLD))
}

async fn explained(server: &Server, arguments: &str, route: &str) -> Explanation {
    explain(server, &request(arguments), route.parse().unwrap(), &Limits::default()).await
}

fn line(reason: &Reason) -> String {
    let origin = reason.origin.map_or_else(|| "-".to_owned(), |asn| format!("AS{asn}"));
    let (registered, path) = (Object::Prefix(reason.registered), reason.path.join(" > "));
    format!("{registered} {origin} in {} by {path} and {} others", reason.sources.join(","), reason.others)
}

async fn lines(arguments: &str, route: &str) -> Vec<String> {
    for set_routes in [true, false] {
        let server = Server { set_routes, seed: 5, ..server() };
        match explained(&server, arguments, route).await.lookup {
            Lookup::Found(reasons) if !set_routes => return reasons.iter().map(line).collect(),
            Lookup::Found(_) => {}
            other => panic!("{arguments}: {other:?}"),
        }
    }
    unreachable!()
}

#[tokio::test]
async fn the_shortest_path_and_how_many_more() {
    assert_eq!(
        lines("AS-ROOT", "10.3.4.0/24").await,
        [
            "10.3.4.0/24 AS1 in RIPE by AS-ROOT and 0 others",
            "10.3.4.0/24 AS3 in RADB by AS-ROOT > AS-RIGHT and 1 others",
            "10.3.0.0/16 AS3 in RIPE,RADB by AS-ROOT > AS-RIGHT and 1 others",
        ]
    );
    assert_eq!(
        lines("AS-ROOT AS-LOW AS3", "10.3.99.0/24").await,
        ["10.3.0.0/16 AS3 in RIPE,RADB by  and 3 others"]
    );
    assert_eq!(
        lines("-S RADB,RIPE RIPE::AS-ROOT", "2001:db8:1::/48").await,
        ["2001:db8::/32 AS3 in RIPE by RIPE::AS-ROOT > AS-RIGHT and 1 others"]
    );
}

#[tokio::test]
async fn depth_and_exceptions_hold() {
    assert_eq!(lines("-L 2 AS-ROOT", "10.3.4.0/24").await.len(), 3);
    assert_eq!(
        lines("-L 1 AS-ROOT", "10.3.4.0/24").await,
        ["10.3.4.0/24 AS1 in RIPE by AS-ROOT and 0 others"]
    );
    assert_eq!(
        lines("AS-ROOT EXCEPT AS-RIGHT AS1", "10.3.4.0/24").await[0],
        "10.3.4.0/24 AS3 in RADB by AS-ROOT > AS-LEFT > AS-LOW and 0 others"
    );
}

#[tokio::test]
async fn route_sets_and_arguments() {
    assert_eq!(
        lines("RS-ROOT 10.4.0.0/23^24", "10.4.0.0/24").await,
        [
            "10.4.0.0/24 - in  by RS-ROOT > RS-LOW and 0 others",
            "10.4.0.0/24 AS4 in RIPE by RS-ROOT > RS-LOW > AS-LOW and 0 others",
            "10.4.0.0/23^24 - in  by  and 0 others",
            "10.0.0.0/8^16-24 - in  by RS-ROOT and 0 others",
        ]
    );
}

#[tokio::test]
async fn what_leads_nowhere_says_so() {
    let server = server();
    for (arguments, wanted) in [
        ("AS-ROOT", Lookup::Empty),
        ("AS-EMPTY", Lookup::Empty),
        ("AS-GONE AS5", Lookup::Unknown(vec!["AS-GONE".to_owned(), "AS5".to_owned()])),
        ("AS-GONE AS-EMPTY", Lookup::Empty),
    ] {
        assert_eq!(explained(&server, arguments, "192.0.2.0/24").await.lookup, wanted, "{arguments}");
    }
    let notes = explained(&server, "AS-GONE AS-ROOT", "10.3.4.0/24").await.notes;
    assert_eq!(notes[0].to_string(), "AS-GONE does not exist");
    let mute = Server { objects: false, ..server };
    assert_eq!(explained(&mute, "AS-GONE", "10.3.4.0/24").await.lookup, Lookup::Nothing);
}

#[tokio::test]
async fn private_as_numbers_as_in_the_list() {
    assert_eq!(lines("AS-PRIV", "10.64.0.0/24").await.len(), 1);
    assert_eq!(explained(&server(), "RIPE::AS-PRIV", "10.64.0.0/24").await.lookup, Lookup::Empty);
    assert_eq!(lines("-p RIPE::AS-PRIV", "10.64.0.0/24").await.len(), 1);
    assert!(matches!(explained(&server(), "AS64512", "10.64.0.0/24").await.lookup, Lookup::Failed(_)));
}

#[tokio::test]
async fn faults_fail() {
    for line in ["!iAS-LOW", "!gAS4", "!gAS3"] {
        let server = server().with_fault(line, Ok(Answer::Refused("no".to_owned())));
        let lookup = explained(&server, "AS-ROOT", "10.3.4.0/24").await.lookup;
        assert!(matches!(&lookup, Lookup::Failed(reason) if reason.contains(line)), "{lookup:?}");
    }
    let dead = Server { dead: true, ..server() };
    assert!(matches!(explained(&dead, "AS-ROOT", "10.3.4.0/24").await.lookup, Lookup::Failed(_)));
}

#[tokio::test]
async fn a_server_that_repeats_itself_makes_no_more_ways() {
    let twice = "10.3.4.0/24 10.3.4.0/24".to_owned();
    let server = server().with_fault("!gAS1", Ok(Answer::Data(twice)));
    let Lookup::Found(reasons) = explained(&server, "-L 1 AS-ROOT", "10.3.4.0/24").await.lookup else {
        panic!("not found");
    };
    assert_eq!((reasons.len(), reasons[0].others), (1, 0));
}

#[tokio::test]
async fn only_what_matches_is_asked_source_by_source() {
    let server = server();
    explained(&server, "AS-ROOT", "10.3.4.0/24").await;
    let rounds = server.rounds();
    let last: Vec<_> = rounds.last().unwrap().iter().map(String::as_str).collect();
    assert_eq!(
        last,
        [
            "!gAS1 in ALTDB",
            "!gAS3 in ALTDB",
            "!gAS1 in RADB",
            "!gAS3 in RADB",
            "!gAS1 in RIPE",
            "!gAS3 in RIPE"
        ]
    );
}
