//! Every command, and what is refused.

use std::time::Duration;

use pm_lab::irrd::{Options, Server};

use super::client::{Client, ask, data, small};

/// Compares answers to one line each, all on connections of their own.
fn check(server: &Server, cases: &[(&str, String)]) {
    for (line, answer) in cases {
        assert_eq!(ask(server, line), *answer, "{line}");
    }
}

fn found(line: &str, text: &str) -> (String, String) {
    (line.to_owned(), data(text))
}

fn check_found(server: &Server, cases: &[(String, String)]) {
    for (line, answer) in cases {
        assert_eq!(ask(server, line), *answer, "{line}");
    }
}

/// The words of an answer, sorted: IRRd gives prefixes in any order.
fn words(answer: &str) -> Vec<&str> {
    let mut words: Vec<&str> = answer.lines().nth(1).unwrap_or_default().split(' ').collect();
    words.sort_unstable();
    words
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_are_taken_apart() {
    let server = small(Options::default()).await;
    check_found(
        &server,
        &[
            found("!iAS-TOP", "AS-MID AS64501 AS64502"),
            found("!ias-top", "AS-MID AS64501 AS64502"),
            found("!iAS-MID", "AS-MISSING AS-TOP AS64503"),
            found("!iAS-TOP,1", "AS64501 AS64502 AS64503"),
            found("!iAS-MID,1", "AS64501 AS64502 AS64503"),
            found("!iAS-SELF", "AS64501"),
            found("!ias-self", "AS-SELF AS64501"),
            found("!iAS-TAKES", "AS64501"),
            found("!iAS-BOTH", "AS64501"),
            found("!iRS-TOP", "198.51.100.0/24^+ 2001:db8:ffff::/48 AS-BOTH^24 AS64501 RS-SUB"),
            found(
                "!iRS-TOP,1",
                "192.0.2.0/24 198.51.100.0/24^+ 2001:db8:1::/48 2001:db8:ffff::/48 203.0.113.0/25^25-28",
            ),
        ],
    );
    let nothing = "D\n".to_owned();
    let unknown = [
        "!iAS-EMPTY",
        "!iAS-EMPTY,1",
        "!iAS-NONE",
        "!iAS-NONE,1",
        "!iAS64501",
        "!iAS-TOP,2",
        "!iRIPE::AS-TOP",
    ];
    check(&server, &unknown.map(|line| (line, nothing.clone())));
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_come_from_all_sources_and_each_once() {
    let server = small(Options::default()).await;
    check_found(
        &server,
        &[
            found("!gAS64501", "192.0.2.0/24"),
            found("!gas64501", "192.0.2.0/24"),
            found("!6AS64501", "2001:db8:1::/48"),
            found("!sARIN\n!gAS64503", "203.0.113.0/24").into_selected(),
            found("!a6AS-TOP", "2001:db8:1::/48"),
        ],
    );
    assert_eq!(words(&ask(&server, "!a4AS-TOP")), ["192.0.2.0/24", "192.0.2.0/25", "203.0.113.0/24"]);
    assert_eq!(words(&ask(&server, "!aAS-BOTH")), ["192.0.2.0/24", "2001:db8:1::/48"]);
    let nothing = "D\n".to_owned();
    let none =
        ["!gAS64999", "!6AS64502", "!aAS64501", "!a4AS-EMPTY", "!aRS-TOP", "!a4AS-NONE", "!sRADB\n!gAS64503"];
    for line in none {
        let answer = ask(&server, line);
        assert_eq!(answer.strip_prefix("C\n").unwrap_or(&answer), nothing, "{line}");
    }
}

trait Selected {
    fn into_selected(self) -> Self;
}

impl Selected for (String, String) {
    /// With the answer to `!s` before it.
    fn into_selected(self) -> Self {
        (self.0, format!("C\n{}", self.1))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_selected_source_that_has_a_set_counts() {
    let server = small(Options::default()).await;
    let refused = "F One or more selected sources are unavailable.\n";
    check(
        &server,
        &[
            ("!s-lc", data("RIPE,RADB,ARIN")),
            ("!s-*\n!s-lc", format!("C\n{}", data("RIPE,RADB,ARIN"))),
            ("!sradb,Ripe\n!iAS-BOTH\n!s-lc", format!("C\n{}{}", data("AS64502"), data("RADB,RIPE"))),
            ("!sRIPE,RIPE\n!s-lc", format!("C\n{}", data("RIPE,RIPE"))),
            ("!sARIN\n!sRIPE,NOWHERE\n!s-lc", format!("C\n{refused}{}", data("ARIN"))),
            ("!sRIPE,", refused.to_owned()),
            ("!sRIPE, RADB", refused.to_owned()),
            ("!sRIPE\n!iAS-TOP,1", format!("C\n{}", data("AS64501 AS64502"))),
        ],
    );
    let sources = ["RADB", "apnic", "RIPE"].map(str::to_owned).to_vec();
    let server = small(Options { sources, ..Options::default() }).await;
    check(
        &server,
        &[
            ("!s-lc", data("RADB,APNIC,RIPE")),
            ("!iAS-BOTH", data("AS64502")),
            ("!gAS64503", "D\n".to_owned()),
            ("!sARIN\n!gAS64503", format!("C\n{}", data("203.0.113.0/24"))),
            ("!sAPNIC\n!gAS64501", "C\nD\n".to_owned()),
            ("!jAPNIC", "C\n".to_owned()),
            ("!j-*", data("RIPE:N:-\nRADB:N:-\nARIN:N:-")),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn excluded_sets_are_not_entered() {
    let server = small(Options::default()).await;
    check(
        &server,
        &[
            (
                "!eas-mid,AS-X\n!iAS-TOP,1\n!e-lc",
                format!("C\n{}{}", data("AS64501 AS64502"), data("AS-MID,AS-X")),
            ),
            ("!eAS-MID\n!iAS-MID,1", format!("C\n{}", data("AS64501 AS64502 AS64503"))),
            ("!eAS-MID\n!e\n!e-lc\n!iAS-TOP,1", format!("C\nC\nC\n{}", data("AS64501 AS64502 AS64503"))),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_shown() {
    let server = small(Options::default()).await;
    let top = "as-set:         AS-TOP\nmembers:        AS64501,AS-MID\nmembers:        AS64502\n\
        mnt-by:         MNT-A\nsource:         RIPE";
    let route = |source| {
        format!(
            "route:          192.0.2.0/24\norigin:         AS64501\nmnt-by:         MNT-A\nsource:         {source}"
        )
    };
    let empty = "as-set:         AS-EMPTY\nmnt-by:         MNT-A\nsource:         RIPE";
    let both = |source, asn| {
        format!(
            "as-set:         AS-BOTH\nmembers:        {asn}\nmnt-by:         MNT-A\nsource:         {source}"
        )
    };
    check(
        &server,
        &[
            ("!mas-set,AS-TOP", data(top)),
            ("!mas-set, as-top", data(top)),
            ("!mas-set,AS-EMPTY", data(empty)),
            ("!mroute,192.0.2.0/24AS64501", data(&route("RIPE"))),
            ("!mroute,192.0.2.0/24-as64501", data(&route("RIPE"))),
            ("!sRADB\n!mroute,192.0.2.0/24 AS64501", format!("C\n{}", data(&route("RADB")))),
            ("!sRADB,RIPE\n!mas-set,AS-BOTH", format!("C\n{}", data(&both("RADB", "AS64502")))),
            (
                "-T as-set as-both",
                format!("{}\n\n{}\n\n\n", both("RIPE", "AS64501"), both("RADB", "AS64502")),
            ),
            (
                "-s RADB -r -T as-set AS-BOTH\n!s-lc",
                format!("{}\n\n\n{}", both("RADB", "AS64502"), data("RADB")),
            ),
            ("AS-EMPTY", format!("{empty}\n\n\n")),
        ],
    );
    let nothing = [
        "!mAS-SET,AS-TOP",
        "!mas-set,AS-NONE",
        "!mas-set,",
        "!mroute-set,AS-TOP",
        "!mmntner,MNT-A",
        "!maut-num,AS99",
        "!mroute,192.0.2.0/24",
    ];
    check(&server, &nothing.map(|line| (line, "D\n".to_owned())));
    let none = "%  No entries found for the selected source(s).\n\n\n";
    check(
        &server,
        &[
            ("-T AS-SET AS-TOP", none.to_owned()),
            ("-T route-set AS-TOP", none.to_owned()),
            ("GET / HTTP/1.0", none.to_owned()),
            ("-T", "%% ERROR: Missing argument for flag/search: T\n\n\n".to_owned()),
            ("-Z AS-TOP", "%% ERROR: Unrecognised flag/search: Z\n\n\n".to_owned()),
            ("-s NOWHERE", "%% ERROR: One or more selected sources are unavailable.\n\n\n".to_owned()),
            // A restriction without a question hits the next one that looks for objects.
            (
                "-T route-set\n!iAS-BOTH\n!mas-set,AS-EMPTY\n!mas-set,AS-EMPTY",
                format!("{none}{}D\n{}", data("AS64501"), data(empty)),
            ),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_is_answered_or_refused() {
    let server = small(Options::default()).await;
    check(
        &server,
        &[
            ("!v", data("IRRd -- version 4.5.4")),
            ("!nbgpq4 1.9", "C\n".to_owned()),
            ("!t30", "C\n".to_owned()),
            ("!t0", "F Invalid value for timeout: 0\n".to_owned()),
            ("!a", "F Missing required set name for A query\n".to_owned()),
            ("!gASx", "F Invalid AS number ASX: number part is not numeric\n".to_owned()),
            ("!jripe,NOWHERE", data("RIPE:N:-\nNOWHERE:X:Database unknown")),
            ("!zzz", "F Unrecognised command: z\n".to_owned()),
            ("!A4AS-TOP", "F Unrecognised command: A\n".to_owned()),
            (
                "!iA\0B\n!v",
                format!("F Queries may not contain null bytes\n{}", data("IRRd -- version 4.5.4")),
            ),
            ("", String::new()),
            (" \t\r\n!gAS64501 \r", data("192.0.2.0/24")),
            ("!!\n!!junk", String::new()),
        ],
    );
    let status = ask(&server, "!JRIPE,NOWHERE");
    let status: serde_json::Value =
        serde_json::from_str(status.split_once('\n').unwrap().1.strip_suffix("C\n").unwrap()).unwrap();
    assert_eq!(status["RIPE"]["source_type"], "regular");
    assert_eq!(status["NOWHERE"]["error"], "Unknown source");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_server_does_not_know_new_commands() {
    let server = small(Options { no_a: true, no_m: true, ..Options::default() }).await;
    check(
        &server,
        &[
            ("!a", "F Unrecognised command: a\n".to_owned()),
            ("!a4AS-TOP", "F Unrecognised command: a\n".to_owned()),
            ("!mas-set,AS-TOP", "F Unrecognised command: m\n".to_owned()),
            ("!iAS-TOP,1", data("AS64501 AS64502 AS64503")),
        ],
    );
}

/// One answer, and the connection is closed; `!q` closes without one.
#[tokio::test(flavor = "multi_thread")]
async fn without_two_marks_there_is_one_answer() {
    let server = small(Options::default()).await;
    for (sent, answer) in [
        ("\n\n!gAS64501\n!v\n", data("192.0.2.0/24")),
        ("!zzz\n!v\n", "F Unrecognised command: z\n".to_owned()),
        ("!q\n!v\n", String::new()),
        ("!!\n!v\n!Q\n!v\n", data("IRRd -- version 4.5.4")),
    ] {
        let mut client = Client::new(&server);
        client.send(sent);
        assert_eq!(String::from_utf8(client.rest().0).unwrap(), answer, "{sent}");
    }
    assert_eq!(server.counters().quits, 2);
}

/// The last line may lack its end, if the client says that nothing follows.
#[tokio::test(flavor = "multi_thread")]
async fn a_half_closed_connection_is_answered() {
    let server = small(Options::default()).await;
    let mut client = Client::new(&server);
    client.send("!!\n!gAS64501\n!v");
    client.0.shutdown(std::net::Shutdown::Write).unwrap();
    let (answer, error) = client.rest();
    assert_eq!(String::from_utf8(answer).unwrap(), data("192.0.2.0/24") + &data("IRRd -- version 4.5.4"));
    assert_eq!(error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_bytes_are_names_that_nobody_has() {
    let server = small(Options::default()).await;
    let mut client = Client::new(&server);
    client.send(b"!!\n!iAS-\xff\xfe\n!g\xff\n!i\xc3\x84\n!q\n");
    let (answer, _) = client.rest();
    assert_eq!(
        String::from_utf8(answer).unwrap(),
        "D\nF Invalid AS number \\XFF: must start with \"AS\"\nD\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_keep_the_order_of_queries() {
    let server = small(Options::default()).await;
    let queries = ["!gAS64501", "!iAS-NONE", "!zzz", "!v", "!iAS-TOP", "!a4AS-TOP"];
    let answers: Vec<String> = queries.iter().map(|line| ask(&server, line)).collect();
    let (lines, expected): (Vec<_>, Vec<_>) =
        (0..20_000).map(|nth| (queries[nth % 6], answers[nth % 6].as_str())).unzip();
    assert!(ask(&server, &lines.join("\n")) == expected.concat());
    assert_eq!(server.counters().of("!a4"), 20_000 / 6 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed_without_a_word() {
    let server = small(Options { idle: Duration::from_secs(4), ..Options::default() }).await;
    let mut client = Client::new(&server);
    client.send("!!\n!v\n");
    let (answer, error) = client.rest();
    assert_eq!((String::from_utf8(answer).unwrap(), error), (data("IRRd -- version 4.5.4"), None));
    assert_eq!(server.counters().idle, 1);
    // `!t` changes it, to a second at least.
    let mut client = Client::new(&server);
    client.send("!!\n!t60\n");
    assert_eq!(client.read(2), "C\n");
    std::thread::sleep(Duration::from_secs(5));
    client.send("!v\n!q\n");
    assert_eq!(String::from_utf8(client.rest().0).unwrap(), data("IRRd -- version 4.5.4"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_is_counted_and_kept() {
    let server = small(Options { log: 3, ..Options::default() }).await;
    ask(&server, "!sRADB\n!a4AS-TOP\n!iAS-TOP,1");
    let counters = server.counters();
    assert_eq!(counters.all(), 5);
    for kind in ["!!", "!s", "!a4", "!i,1", "!q"] {
        assert_eq!(counters.of(kind), 1, "{kind}");
    }
    assert_eq!((counters.connections, counters.quits, counters.most_open), (1, 1, 1));
    assert_eq!(counters.bytes_in, 34);
    let queries = server.queries();
    let lines: Vec<(&str, &str)> =
        queries.iter().map(|seen| (seen.line.as_str(), seen.sources.as_str())).collect();
    assert_eq!(lines, [("!a4AS-TOP", "RADB"), ("!iAS-TOP,1", "RADB"), ("!q", "RADB")]);
    server.reset_counters();
    assert_eq!(server.counters().all(), 0);
    assert!(server.queries().is_empty());
}
