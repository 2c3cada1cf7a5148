//! Everything that can go wrong, seen by a client that looks at bytes.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pm_lab::irrd::{Fault, FaultKind, Options, Server};

use super::client::{Client, ask, data, small};

const TOP: &str = "AS64501 AS64502 AS64503";

/// What comes back for one query, and how it ended.
fn struck(server: &Server) -> (String, Option<ErrorKind>) {
    let mut client = Client::new(server);
    client.send("!!\n!iAS-TOP,1\n!q\n");
    let (bytes, error) = client.rest();
    (String::from_utf8_lossy(&bytes).into_owned(), error)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_go_wrong_and_then_right() {
    let server = small(Options::default()).await;
    let cases = [
        (FaultKind::Short, format!("A19\n{TOP}\nC\n")),
        (FaultKind::Long, format!("A29\n{TOP}\nC\n")),
        (FaultKind::NoLength, format!("A12x\n{TOP}\nC\n")),
        (FaultKind::Fail, "F An internal error occurred while processing this query.\n".to_owned()),
        (FaultKind::Unrecognised, "F Unrecognised command: i\n".to_owned()),
        (FaultKind::Empty, "D\n".to_owned()),
        (FaultKind::Garbage, "\u{fffd}\0\x1b[31m this is no answer\n".to_owned()),
        (FaultKind::Cut, data(TOP)[..15].to_owned()),
        (FaultKind::Late, data(TOP)),
    ];
    for (kind, answer) in cases {
        server.fault(Fault { wait: Some(Duration::from_millis(10)), ..Fault::once(kind).matching("!i") });
        assert_eq!(struck(&server), (answer, None), "{kind}");
        assert_eq!(struck(&server), (data(TOP), None), "{kind} strikes once");
    }
    assert_eq!(server.counters().faults, 9);
    server.fault(Fault::once(FaultKind::Http));
    assert!(struck(&server).0.starts_with("HTTP/1.1 400"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_cut_where_it_was_said() {
    let server = small(Options::default()).await;
    for (bytes, rest) in [(0, ""), (1, "A"), (3, "A24"), (9, "A24\nAS645"), (1_000, &data(TOP))] {
        server.fault(Fault { bytes: Some(bytes), ..Fault::once(FaultKind::Cut).matching("AS-TOP") });
        assert_eq!(struck(&server), (rest.to_owned(), None));
    }
    server.fault(Fault { bytes: Some(3), ..Fault::once(FaultKind::Reset).matching("AS-TOP") });
    assert_eq!(struck(&server).1, Some(ErrorKind::ConnectionReset));
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_find_their_queries() {
    let server = small(Options::default()).await;
    server.fault(Fault::always(FaultKind::Empty).matching("as-top"));
    server.fault(Fault::always(FaultKind::Fail).matching("!6"));
    let refused = "F An internal error occurred while processing this query.\n";
    for (lines, answer) in [
        (
            "!iAS-TOP,1\n!iAS-TOP\n!a4AS-TOP\n!mas-set,AS-TOP\n!iAS-BOTH",
            format!("D\nD\nD\nD\n{}", data("AS64501")),
        ),
        ("!gAS64501\n!6AS64501\n!6AS64502", format!("{}{refused}{refused}", data("192.0.2.0/24"))),
    ] {
        assert_eq!(ask(&server, lines), answer);
    }
    server.clear_faults();
    assert_eq!(ask(&server, "!iAS-TOP,1"), data(TOP));
    // The third and the fourth, of whatever connection.
    server.fault(Fault { times: 2, ..Fault::once(FaultKind::Empty).matching("!v").after(2) });
    let version = data("IRRd -- version 4.5.4");
    assert_eq!(
        ask(&server, "!v\n!gAS64501\n!v"),
        [&version, &data("192.0.2.0/24"), &version].map(String::as_str).concat()
    );
    assert_eq!(ask(&server, "!v\n!v\n!v"), format!("D\nD\n{version}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_falls_silent() {
    let server = small(Options::default()).await;
    server.fault(Fault::once(FaultKind::Silent).matching("!v").after(1));
    let mut client = Client::new(&server);
    client.send("!!\n!v\n!v\n!gAS64501\n");
    let version = data("IRRd -- version 4.5.4");
    assert_eq!(client.read(version.len()), version);
    assert!(client.is_silent());
    // Other connections are served.
    assert_eq!(ask(&server, "!v"), version);

    server.fault(Fault::once(FaultKind::Hang));
    let mut client = Client::new(&server);
    client.send("!!\n!v\n");
    assert!(client.is_silent());
    drop(client);
    assert_eq!(ask(&server, "!v"), version);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_go_wrong() {
    let server = small(Options::default()).await;
    server.fault(Fault::once(FaultKind::Close));
    // What was sent into the closing connection may come back as a reset.
    let mut client = Client::new(&server);
    assert_eq!(client.0.read(&mut [0; 9]).unwrap_or(0), 0);
    server.fault(Fault::once(FaultKind::Banner));
    let mut client = Client::new(&server);
    client.send("!!\n!v\n");
    assert_eq!(client.read(8), "SSH-2.0-");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port_refuses_and_opens_again() {
    let server = small(Options::default()).await;
    let mut open = Client::new(&server);
    open.send("!!\n!v\n");
    let version = data("IRRd -- version 4.5.4");
    assert_eq!(open.read(version.len()), version);
    for _ in 0..3 {
        server.set_listening(false).await;
        let refused = TcpStream::connect(server.address()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        open.send("!v\n");
        assert_eq!(open.read(version.len()), version);
        server.set_listening(true).await;
        assert_eq!(ask(&server, "!v"), version);
    }
    server.fault(Fault { wait: Some(Duration::from_secs(5)), ..Fault::once(FaultKind::Refuse) });
    let mut refused = false;
    for _ in 0..6000 {
        let open = TcpStream::connect(server.address()).is_ok();
        if refused && open {
            break;
        }
        refused |= !open;
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(refused);
    assert_eq!(ask(&server, "!v"), version);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_takes_its_time() {
    let server = small(Options::default()).await;
    server.fault(Fault { bytes: Some(100), ..Fault::once(FaultKind::Slow).matching("!i") });
    let begun = Instant::now();
    assert_eq!(struck(&server), (data(TOP), None));
    // 30 bytes at 100 bytes a second.
    assert!(begun.elapsed() >= Duration::from_millis(250), "{:?}", begun.elapsed());
}

/// An answer without end is sent as long as somebody reads.
#[tokio::test(flavor = "multi_thread")]
async fn a_huge_answer_goes_on() {
    let server = small(Options::default()).await;
    server.fault(Fault::once(FaultKind::Huge).matching("!i"));
    let mut client = Client::new(&server);
    client.send("!!\n!iAS-TOP\n");
    assert_eq!(client.read(15), "A1000000000000\n");
    for _ in 0..100 {
        assert!(client.read(100_000).contains("192.0.2.0/24 "));
    }
    drop(client);
    server.fault(Fault { bytes: Some(70_000), ..Fault::once(FaultKind::Huge).matching("!i") });
    let (answer, error) = struck(&server);
    assert_eq!((answer.len(), error), (7 + 70_000 + 2, None));
}

#[test]
fn faults_are_read_from_text() {
    let fault: Fault = "cut,match=AS-X,bytes=100,times=0,after=2".parse().unwrap();
    assert_eq!(fault, Fault { bytes: Some(100), ..Fault::always(FaultKind::Cut).matching("AS-X").after(2) });
    let fault: Fault = "late,seconds=0.5".parse().unwrap();
    assert_eq!(fault, Fault { wait: Some(Duration::from_millis(500)), ..Fault::once(FaultKind::Late) });
    for kind in FaultKind::ALL {
        assert_eq!(kind.as_str().parse::<Fault>(), Ok(Fault::once(*kind)));
    }
    for text in ["", "cuts", "cut,times", "cut,times=x", "cut,seconds=-1", "cut,for=3"] {
        assert!(text.parse::<Fault>().is_err(), "{text}");
    }
}

/// The controls, over HTTP.
#[tokio::test(flavor = "multi_thread")]
async fn faults_and_counters_can_be_had_over_http() {
    let server = small(Options { control: Some(0), ..Options::default() }).await;
    let control = |request: &str| {
        use std::io::Write;
        let mut stream = TcpStream::connect(server.control().unwrap()).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(control("POST /lab/fault?kind=empty&match=AS-TOP&times=0").contains(r#"{"fault":"empty"}"#));
    assert_eq!(ask(&server, "!iAS-TOP,1"), "D\n");
    assert!(control("POST /lab/fault?clear=1").contains(r#"{"cleared":true}"#));
    assert_eq!(ask(&server, "!iAS-TOP,1"), data(TOP));
    assert!(control("GET /lab/counters").contains(r#""!i,1":2"#));
    assert!(control("GET /lab/queries").contains(r#""line":"!iAS-TOP,1""#));
    assert!(control("POST /lab/reset").contains("true"));
    assert_eq!(server.counters().all(), 0);
    assert!(control("POST /lab/fault?kind=nonsense").starts_with("HTTP/1.1 400"));
    assert!(control("POST /lab/fault?kind=cut&never=1").contains("unknown parameter never"));
}
