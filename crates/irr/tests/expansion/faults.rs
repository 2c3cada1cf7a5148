//! A part that failed makes the whole list fail; the other lists of the run stay.

use pm_irr::{Answer, Failure, Outcome, What};

use super::requests::{V4, V6, list, run, shown};
use super::rpsl::written_out;
use super::server::Server;

const WORLD: &str = "
    RIPE AS-FOO = AS1 AS-BAR
    RADB AS-BAR = AS2
    RIPE AS-EMPTY =
    RIPE RS-FOO = 10.9.0.0/24 RS-BAR AS2
    RIPE RS-BAR = 10.8.0.0/24
    RIPE 10.1.0.0/24 AS1
    RIPE 10.2.0.0/24 AS2
    RIPE AS4
";

fn server() -> Server {
    Server::of_rpsl(&written_out(WORLD))
}

fn faults() -> [(Outcome, &'static str); 4] {
    [
        (
            Err(Failure("whois.example.net:43: silent for 60 s".to_owned())),
            "whois.example.net:43: silent for 60 s",
        ),
        (Ok(Answer::Refused("out of memory".to_owned())), "refused: out of memory"),
        (Ok(Answer::Ambiguous), "the server has several objects of this name"),
        (Ok(Answer::TooBig(123)), "too big: 123"),
    ]
}

/// Lists, the server's kind, and every question that leads to them.
const WAYS: [(bool, What, &str, &[&str]); 9] = [
    (true, V4, "AS-FOO", &["!a4AS-FOO"]),
    (true, What::AsList, "AS-FOO", &["!iAS-FOO,1"]),
    (false, V4, "AS-FOO", &["!iAS-FOO,1", "!gAS1", "!gAS2"]),
    (true, V4, "RIPE::AS-FOO", &["!iAS-FOO", "!gAS1", "!a4AS-BAR", "!iAS-BAR,1"]),
    (true, V4, "-L 3 AS-FOO", &["!iAS-FOO", "!iAS-BAR", "!gAS1", "!gAS2"]),
    (true, V4, "AS-EMPTY AS1 AS-FOO EXCEPT AS9", &["!iAS-EMPTY", "!iAS-FOO", "!iAS-BAR", "!gAS1", "!gAS2"]),
    (true, V4, "RS-FOO", &["!iRS-FOO,1"]),
    (true, V4, "RIPE::RS-FOO", &["!iRS-FOO", "!iRS-BAR,1", "!gAS2"]),
    (true, V6, "AS4", &["!6AS4", "!gAS4"]),
];

#[tokio::test]
async fn every_part_counts() {
    for (set_routes, what, arguments, lines) in WAYS {
        let server = || Server { set_routes, ..server() };
        let clean = list(&server(), what, arguments).await.0;
        assert!(!clean.starts_with("failed"), "{arguments}: {clean}");
        for line in lines {
            for (outcome, reason) in faults() {
                let server = server().with_fault(line, outcome);
                let (list, notes) = list(&server, what, arguments).await;
                if list == clean {
                    // Who is refused `!a` asks in the other way.
                    assert!(line.starts_with("!a") && reason.starts_with("refused"), "{arguments}, {line}");
                    continue;
                }
                let named = list.contains(reason) && list.contains(line);
                let kind =
                    list.starts_with("failed: ") || list.starts_with("too big: 123 bytes in the answer to ");
                assert!(named && kind && notes.is_empty(), "{arguments}, {line}: {list}");
            }
            // An answer that never comes, though the asking has ended.
            let server = Server { mute: Some((*line).to_owned()), ..server() };
            let list = list(&server, what, arguments).await.0;
            assert!(
                list.starts_with("failed: ") && list.ends_with("no answer came"),
                "{arguments}, {line}: {list}"
            );
        }
    }
}

#[tokio::test]
async fn what_fails_does_not_touch_the_rest() {
    let server = server().with_fault("!a4AS-FOO", Err(Failure("gone".to_owned())));
    let results = run(&server, &["AS-FOO", "AS-BAR", "AS-BAR AS-FOO"]).await;
    assert_eq!(shown(&results[&(0, V4)].0), "failed: AS-FOO (!a4AS-FOO): gone");
    assert_eq!(shown(&results[&(2, V4)].0), "failed: AS-FOO (!a4AS-FOO): gone");
    assert_eq!(shown(&results[&(1, V4)].0), "10.2.0.0/24");
    assert_eq!(shown(&results[&(0, What::AsList)].0), "1 2");
}

#[tokio::test]
async fn a_failure_weighs_more_than_a_list_that_is_too_big_and_than_what_is_unknown() {
    let server = server()
        .with_fault("!a4AS-FOO", Ok(Answer::TooBig(9)))
        .with_fault("!a4AS-BAR", Err(Failure("gone".to_owned())));
    for arguments in ["AS-FOO AS-BAR", "AS-BAR AS-GONE AS-FOO"] {
        assert_eq!(list(&server, V4, arguments).await.0, "failed: AS-BAR (!a4AS-BAR): gone");
    }
    assert_eq!(list(&server, V4, "AS-GONE AS-FOO").await.0, "too big: 9 bytes in the answer to !a4AS-FOO");
}

#[tokio::test]
async fn who_has_failed_asks_for_nothing_more() {
    let server = server().with_fault("!a4AS-FOO", Err(Failure("gone".to_owned())));
    let failed = "failed: AS-FOO (!a4AS-FOO): gone";
    assert_eq!(list(&server, V4, "AS-EMPTY AS-FOO").await.0, failed);
    assert_eq!(server.rounds().len(), 1);
}

#[tokio::test]
async fn the_question_whether_a_set_exists_may_be_refused_but_not_fail() {
    let unsaid = [Answer::Refused("Unrecognised command: m".to_owned()), Answer::Done];
    for answer in unsaid {
        let server = server().with_fault("!mas-set,AS-EMPTY", Ok(answer));
        assert_eq!(list(&server, V4, "AS-EMPTY").await.0, "nothing");
    }
    for answer in [Answer::TooBig(1 << 30), Answer::Ambiguous] {
        let server = server().with_fault("!mas-set,AS-EMPTY", Ok(answer));
        assert_eq!(list(&server, V4, "AS-EMPTY").await.0, "empty");
    }
    let server = server().with_fault("!mas-set,AS-EMPTY", Err(Failure("gone".to_owned())));
    assert_eq!(list(&server, V4, "AS-EMPTY").await.0, "failed: AS-EMPTY (!mas-set,AS-EMPTY): gone");
}

#[tokio::test]
async fn nobody_there_fails_all_that_is_looked_up() {
    let dead = Server { dead: true, ..server() };
    let results = run(&dead, &["AS-FOO", "192.0.2.0/24", "RIPE::RS-FOO"]).await;
    let failed = shown(&results[&(0, V4)].0);
    assert_eq!(failed, "failed: AS-FOO (!a4AS-FOO): whois.example.net:43: connection refused");
    assert_eq!(shown(&results[&(1, V4)].0), "192.0.2.0/24");
    assert!(shown(&results[&(2, V6)].0).starts_with("failed: RS-FOO (!iRS-FOO in RIPE)"));
}

#[tokio::test]
async fn an_answer_that_cannot_be_right_fails() {
    for text in
        ["10.0.0.0/24 10.0.0.0/33", "10.0.0.0/24 AS1", "10.0.0.0/24 2001:db8::/32", "10.0.0.0/24\u{7}"]
    {
        let server = server().with_fault("!a4AS-FOO", Ok(Answer::Data(text.to_owned())));
        let list = list(&server, V4, "AS-FOO").await.0;
        assert!(list.starts_with("failed: AS-FOO (!a4AS-FOO): the server gave \""), "{list}");
        assert!(!list.contains(char::is_control));
    }
    let server = server()
        .with_fault("!a4AS-FOO", Ok(Answer::Data("10.2.0.0/24 10.1.0.77/24\n10.2.0.0/24".to_owned())));
    assert_eq!(list(&server, V4, "AS-FOO").await.0, "10.1.0.0/24 10.2.0.0/24");
    let server = server.with_fault("!a4AS-FOO", Ok(Answer::Data(String::new())));
    assert_eq!(list(&server, V4, "AS-FOO").await.0, "empty");
}

#[tokio::test]
async fn members_that_are_no_names_are_never_sent() {
    let members = "AS1 AS-X,1 AS-\u{fc} AS99999999999 as-bar FLTR-X 10.0.0.0/8 -- AS-BAR";
    let server = server().with_fault("!iAS-FOO", Ok(Answer::Data(members.to_owned())));
    let (found, notes) = list(&server, What::AsList, "-L 5 AS-FOO").await;
    assert_eq!(found, "1 2");
    assert_eq!(
        notes,
        ["5 member(s) of AS-FOO do not exist or are empty: AS-X,1, AS-\\u{fc}, AS99999999999, FLTR-X, --"]
    );
    assert_eq!(server.rounds(), [["!iAS-FOO"], ["!iAS-BAR"]]);
}
