//! What comes out for which arguments, in how many rounds.

use pm_irr::{Answer, Ask, Limits, What};

use super::requests::{V4, V6, list, only, request, run, run_with, shown};
use super::rpsl::written_out;
use super::server::Server;

const WORLD: &str = "
    RIPE AS-FOO = AS1 AS-BAR
    RADB AS-BAR = AS2 AS-FOO AS-GONE
    RIPE AS-EMPTY =
    RIPE AS-HOLLOW = AS-GONE
    RIPE AS-TWO = AS1
    RADB AS-TWO = AS2
    RIPE AS-PRIV = AS1 AS64512 AS-SUBPRIV
    RIPE AS-SUBPRIV = AS2 AS65000
    RIPE AS-DEEP1 = AS1 AS-DEEP2
    RIPE AS-DEEP2 = AS2 AS-DEEP3
    RIPE AS-DEEP3 = AS3
    ALTDB AS-LOOP = AS3
    RIPE AS-LONG1 = AS-LONG2
    RIPE AS-LONG2 = AS-LONG3
    RIPE AS-LONG3 = AS1
    RADB AS-LOOP = AS1 AS-BACK AS-TWO
    RADB AS-BACK = AS2 AS-LOOP
    RIPE AS1:AS2:AS-HIER = AS3
    RIPE AS-ANYWAY = AS1 AS-ANY RS-FOO
    RIPE RS-FOO = 10.9.0.0/24 10.9.4.0/22^24 2001:db8:9::/48^+ RS-SUB AS1
    RIPE RS-SUB = 10.8.0.0/24^+ AS-DEEP2
    RIPE RS-TWO = 10.7.0.0/24
    RADB RS-TWO = 10.7.1.0/24 RS-SUB AS-TWO AS1 RS-GONE RS-SUB^24
    RIPE 10.1.0.0/24 AS1
    RADB 10.1.1.0/24 AS1
    RIPE 10.2.0.0/24 AS2
    RIPE 2001:db8:2::/48 AS2
    RIPE 10.3.0.0/24 AS3
    RIPE 10.64.0.0/24 AS64512
    RIPE 10.65.0.0/24 AS65000
    RIPE AS3
    RIPE AS4
";

fn server() -> Server {
    Server::of_rpsl(&written_out(WORLD))
}

/// A server of each kind; what comes out must not depend on it.
fn servers() -> [Server; 3] {
    [server(), Server { set_routes: false, ..server() }, Server { seed: 7, ..server() }]
}

async fn assert_list(what: What, arguments: &str, wanted: &str, notes: &[&str]) {
    for server in servers() {
        let (list, said) = list(&server, what, arguments).await;
        assert_eq!(list, wanted, "{arguments}, !a {}", server.set_routes);
        assert_eq!(said, notes, "{arguments}, !a {}", server.set_routes);
    }
}

/// Without a look at the notes: how much is known about missing members depends on the server.
async fn assert_found(what: What, arguments: &str, wanted: &str) {
    for server in servers() {
        let (list, _) = list(&server, what, arguments).await;
        assert_eq!(list, wanted, "{arguments}, !a {}", server.set_routes);
    }
}

#[tokio::test]
async fn plain_sets() {
    assert_list(V4, "AS-FOO", "10.1.0.0/24 10.1.1.0/24 10.2.0.0/24", &[]).await;
    assert_list(V6, "as-foo", "2001:db8:2::/48", &[]).await;
    assert_list(What::AsList, "AS-FOO", "1 2", &[]).await;
    assert_list(V4, "-S RIPE AS-FOO", "10.1.0.0/24", &[]).await;
    assert_list(V4, "AS-TWO", "10.1.0.0/24 10.1.1.0/24", &[]).await;
    assert_list(V4, "-S RADB,RIPE AS-TWO", "10.2.0.0/24", &[]).await;
    assert_list(V4, "AS-FOO AS-DEEP3 AS-TWO", "10.1.0.0/24 10.1.1.0/24 10.2.0.0/24 10.3.0.0/24", &[]).await;
    assert_list(V4, "AS1:AS2:AS-HIER", "10.3.0.0/24", &[]).await;
}

#[tokio::test]
async fn empty_unknown_and_unsaid_are_three_things() {
    assert_list(V4, "AS-EMPTY", "empty", &[]).await;
    assert_list(V4, "AS-HOLLOW", "empty", &[]).await;
    assert_list(V6, "AS-TWO", "empty", &[]).await;
    assert_list(V4, "AS-GONE", "unknown: AS-GONE", &[]).await;
    assert_list(V4, "AS-GONE RADB::AS-FOO", "unknown: AS-GONE RADB::AS-FOO", &[]).await;
    assert_list(V4, "-S RADB AS-EMPTY", "unknown: AS-EMPTY", &[]).await;
    assert_list(V4, "RS-GONE", "unknown: RS-GONE", &[]).await;
    assert_list(V4, "AS-GONE AS-EMPTY", "empty", &["AS-GONE does not exist"]).await;
    assert_list(V4, "AS-GONE AS3", "10.3.0.0/24", &["AS-GONE does not exist"]).await;
    let said = "no data for AS-GONE; the server does not say whether it exists";
    for server in servers().map(|server| Server { objects: false, ..server }) {
        assert_eq!(list(&server, V4, "AS-GONE").await, ("nothing".to_owned(), vec![said.to_owned()]));
        assert_eq!(list(&server, V4, "AS-GONE AS3").await, ("10.3.0.0/24".to_owned(), vec![said.to_owned()]));
        assert_eq!(list(&server, V4, "AS5").await.0, "nothing");
    }
}

#[tokio::test]
async fn an_as_is_known_by_its_object_or_its_routes() {
    assert_list(V4, "AS1", "10.1.0.0/24 10.1.1.0/24", &[]).await;
    assert_list(V6, "AS1", "empty", &[]).await;
    assert_list(V4, "AS4", "empty", &[]).await;
    assert_list(V4, "AS5", "unknown: AS5", &[]).await;
    assert_list(What::AsList, "AS5 AS1", "1 5", &[]).await;
}

#[tokio::test]
async fn private_as_numbers_are_kept_or_dropped_by_the_arguments() {
    let left_out = "2 private or reserved AS number(s) of AS-PRIV left out";
    let from_ripe = "2 private or reserved AS number(s) of RIPE::AS-PRIV left out";
    let (public, private) = ("10.1.0.0/24 10.1.1.0/24 10.2.0.0/24", "10.64.0.0/24 10.65.0.0/24");
    let both = format!("{public} {private}");
    assert_list(V4, "AS-PRIV", &both, &[]).await;
    assert_list(V4, "-p AS-PRIV", &both, &[]).await;
    assert_list(V4, "RIPE::AS-PRIV", public, &[from_ripe]).await;
    assert_list(V4, "-p RIPE::AS-PRIV", &both, &[]).await;
    assert_list(V4, "-L 9 AS-PRIV", public, &[left_out]).await;
    assert_list(V4, "-p -L 9 AS-PRIV", &both, &[]).await;
    assert_list(V4, "AS-PRIV EXCEPT AS9", public, &[left_out]).await;
    assert_list(V4, "AS-PRIV RS-GONE RIPE::AS-TWO", public, &["RS-GONE does not exist", left_out]).await;
    assert_list(What::AsList, "AS-PRIV", "1 2", &[left_out]).await;
    assert_list(What::AsList, "RIPE::AS-PRIV", "1 2", &[from_ripe]).await;
    assert_list(What::AsList, "-p AS-PRIV", "1 2 64512 65000", &[]).await;
    assert_list(V4, "-p AS64512", "10.64.0.0/24", &[]).await;
    let refused =
        "failed: AS64512 is private or reserved; it is looked up only where private AS numbers are asked for";
    assert_list(V4, "AS64512 AS1", refused, &[]).await;
    assert_list(What::AsList, "AS64512", refused, &[]).await;
    let server = server();
    list(&server, V4, "AS-FOO AS64512").await;
    assert!(server.rounds().is_empty(), "nothing is asked for a list that is refused");
    assert_list(What::AsList, "AS23456 AS0 AS65552 AS64495", "0 23456 64495 65552", &[]).await;
}

#[tokio::test]
async fn a_set_of_a_source_reads_only_the_root_there() {
    assert_found(V4, "RIPE::AS-FOO", "10.1.0.0/24 10.1.1.0/24 10.2.0.0/24").await;
    assert_found(V4, "RADB::AS-TWO", "10.2.0.0/24").await;
    assert_found(V4, "-S RADB RIPE::AS-FOO", "10.1.1.0/24").await;
    // The way back to the root's name enters the set of that name in the request's sources.
    assert_found(V4, "-S ALTDB,RIPE RADB::AS-LOOP", "10.1.0.0/24").await;
    assert_found(What::AsList, "-S ALTDB,RADB,RIPE RADB::AS-LOOP", "1 2 3").await;
    assert_found(What::AsList, "RADB::AS-LOOP", "1 2").await;
    assert_found(V4, "RIPE::AS-GONE", "unknown: RIPE::AS-GONE").await;
    let no_source =
        "failed: AS-FOO (!iAS-FOO in NOSRC): refused: One or more selected sources are unavailable.";
    assert_found(V4, "NOSRC::AS-FOO", no_source).await;
    assert_found(What::AsList, "NOSRC::AS-FOO AS1", no_source).await;
}

#[tokio::test]
async fn the_depth_is_that_of_the_nearest_root() {
    let cut =
        |count: u32, depth| format!("{count} set(s) in AS-DEEP1 not entered: deeper than {depth} level(s)");
    assert_list(What::AsList, "-L 1 AS-DEEP1", "1", &[&cut(1, 1)]).await;
    assert_list(What::AsList, "-L 2 AS-DEEP1", "1 2", &[&cut(1, 2)]).await;
    assert_list(What::AsList, "-L 3 AS-DEEP1", "1 2 3", &[]).await;
    assert_list(
        V4,
        "-L 2 AS-DEEP1 AS-DEEP2",
        "10.1.0.0/24 10.1.1.0/24 10.2.0.0/24 10.3.0.0/24",
        &[&cut(1, 2)],
    )
    .await;
    assert_list(What::AsList, "-L 1 RADB::AS-TWO", "2", &[]).await;
    assert_list(V4, "-L 0 AS-DEEP1", "failed: a depth of 0 enters no set; the least is 1", &[]).await;
}

#[tokio::test]
async fn exceptions_hold_below_sets_only() {
    assert_list(What::AsList, "AS-DEEP1 EXCEPT as-deep2", "1", &[]).await;
    assert_list(What::AsList, "AS-DEEP1 EXCEPT AS2", "1 3", &[]).await;
    assert_list(What::AsList, "AS-DEEP1 EXCEPT AS-DEEP1", "1 2 3", &[]).await;
    assert_list(What::AsList, "AS-DEEP1 AS2 EXCEPT AS2 AS-DEEP3", "1 2", &[]).await;
    assert_list(What::AsList, "RADB::AS-TWO EXCEPT AS1", "2", &[]).await;
    assert_list(V4, "RS-TWO EXCEPT AS1", "10.7.0.0/24", &[]).await;
}

#[tokio::test]
async fn members_that_are_missing_are_counted_where_they_are_seen() {
    let note = |set: &str, names: &str, count: u32| {
        format!("{count} member(s) of {set} do not exist or are empty: {names}")
    };
    assert_list(What::AsList, "-L 9 AS-FOO", "1 2", &[&note("AS-FOO", "AS-GONE", 1)]).await;
    assert_list(What::AsList, "RIPE::AS-HOLLOW", "empty", &[&note("RIPE::AS-HOLLOW", "AS-GONE", 1)]).await;
    assert_list(What::AsList, "-L 9 AS-ANYWAY", "1", &[&note("AS-ANYWAY", "AS-ANY, RS-FOO", 2)]).await;
    assert_list(What::AsList, "RIPE::AS-ANYWAY", "1", &[&note("RIPE::AS-ANYWAY", "AS-ANY, RS-FOO", 2)]).await;
    assert_list(What::AsList, "AS-ANYWAY", "1", &[]).await;
}

#[tokio::test]
async fn what_stands_for_everything_is_refused() {
    for name in ["AS-ANY", "RS-ANY", "RIPE::AS-ANY"] {
        let wanted = format!("failed: {name} stands for everything and is no set that can be looked up");
        assert_list(V4, &format!("AS1 {name}"), &wanted, &[]).await;
    }
}

#[tokio::test]
async fn route_sets_keep_their_ranges() {
    let foo = "10.1.0.0/24 10.1.1.0/24 10.2.0.0/24 10.3.0.0/24 10.9.0.0/24 10.8.0.0/24^24-32 10.9.4.0/22^24";
    assert_list(V4, "RS-FOO", foo, &[]).await;
    assert_list(V6, "RS-FOO", "2001:db8:2::/48 2001:db8:9::/48^48-128", &[]).await;
    assert_list(V4, "RIPE::RS-FOO", foo, &[]).await;
    assert_list(V6, "RIPE::RS-FOO", "2001:db8:2::/48 2001:db8:9::/48^48-128", &[]).await;
    let missing = "2 member(s) of RADB::RS-TWO do not exist or are empty: RS-SUB^24, RS-GONE";
    let two = "10.1.0.0/24 10.1.1.0/24 10.2.0.0/24 10.3.0.0/24 10.7.1.0/24 10.8.0.0/24^24-32";
    assert_list(V4, "RADB::RS-TWO", two, &[missing]).await;
    assert_list(V4, "RS-TWO", "10.7.0.0/24", &[]).await;
    assert_list(V4, "-L 1 RS-TWO", "10.7.0.0/24", &[]).await;
    assert_list(What::AsList, "RS-FOO", "empty", &[]).await;
    assert_list(What::AsList, "RS-FOO AS1", "1", &[]).await;
}

#[tokio::test]
async fn prefixes_belong_to_the_list_of_their_family_and_need_no_server() {
    let dead = Server { dead: true, ..server() };
    assert_eq!(
        list(&dead, V4, "192.0.2.0/24^25-26 192.0.2.77/24 2001:db8::/32").await.0,
        "192.0.2.0/24 192.0.2.0/24^25-26"
    );
    assert_eq!(list(&dead, V6, "192.0.2.0/24 2001:db8::/32^+").await.0, "2001:db8::/32^32-128");
    assert_eq!(list(&dead, V6, "192.0.2.0/24").await.0, "empty");
    assert_eq!(list(&dead, What::AsList, "192.0.2.0/24").await.0, "empty");
}

#[tokio::test]
async fn other_classes_are_ignored_but_not_alone() {
    let note = "AS1:FLTR-X is neither an as-set nor a route-set and is ignored";
    assert_list(V4, "AS1:FLTR-X AS3", "10.3.0.0/24", &[note]).await;
    let nothing = "failed: there is nothing to look up: no set, no AS number, no prefix";
    assert_list(V4, "AS1:FLTR-X", nothing, &[]).await;
    assert_list(V4, "", nothing, &[]).await;
}

#[tokio::test]
async fn plain_sets_take_one_round() {
    let server = server();
    let results = run(&server, &["AS-FOO", "AS-DEEP1", "AS-FOO"]).await;
    assert_eq!(results[&(0, V4)], results[&(2, V4)]);
    let wanted = ["!a4AS-FOO", "!a6AS-FOO", "!iAS-FOO,1", "!a4AS-DEEP1", "!a6AS-DEEP1", "!iAS-DEEP1,1"];
    assert_eq!(server.rounds(), [wanted.map(str::to_owned)]);
}

#[tokio::test]
async fn what_is_without_data_is_asked_for_by_name_in_a_second_round() {
    let server = server();
    run(&server, &["AS-EMPTY", "AS-TWO", "AS-GONE", "AS4"]).await;
    let rounds = server.rounds();
    assert_eq!(rounds.len(), 2);
    // The routes of AS-TWO in the other family are proof enough.
    assert_eq!(rounds[1], ["!mas-set,AS-EMPTY", "!mas-set,AS-GONE", "!maut-num,AS4"]);
}

#[tokio::test]
async fn proof_that_comes_late_is_waited_for() {
    for seed in 1..20 {
        let server = Server { seed, ..server() };
        run(&server, &["AS-TWO", "RIPE::AS-TWO"]).await;
        assert!(!server.rounds().concat().iter().any(|line| line.starts_with("!m")), "{seed}");
    }
}

#[tokio::test]
async fn without_route_lists_of_sets_each_as_is_asked_once() {
    let refused = ["!a4AS-FOO", "!a6AS-FOO", "!iAS-FOO,1", "!a4AS-DEEP1", "!a6AS-DEEP1", "!iAS-DEEP1,1"];
    let wanted = ["!gAS1", "!gAS2", "!6AS1", "!6AS2", "!gAS3", "!6AS3"];
    for (told, first) in [(true, vec!["!iAS-FOO,1", "!iAS-DEEP1,1"]), (false, refused.to_vec())] {
        let server = Server { set_routes: false, told, ..server() };
        run(&server, &["AS-FOO", "AS-DEEP1"]).await;
        assert_eq!(server.rounds(), [first, wanted.to_vec()], "told before: {told}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_in_the_middle_gives_the_same_lists() {
    let refused = || Ok(pm_irr::Answer::Refused("Unrecognised command".to_owned()));
    let wanted = run(&server(), &["AS-FOO", "AS-DEEP1", "RIPE::AS-FOO"]).await;
    for line in ["!a4AS-FOO", "!a6AS-DEEP1", "!a4AS-BAR"] {
        let server = server().with_fault(line, refused());
        let found = run(&server, &["AS-FOO", "AS-DEEP1", "RIPE::AS-FOO"]).await;
        assert!(server.rounds().concat().iter().any(|asked| asked == line), "{line} was not asked");
        // Not the same notes: this way it is seen which members do not exist.
        for (key, (wanted, _)) in &wanted {
            assert_eq!(shown(&found[key].0), shown(wanted), "{line}: {key:?}");
        }
    }
}

#[tokio::test]
async fn a_set_of_a_source_takes_two_rounds() {
    let server = server();
    run_with(&server, vec![only(V4, request("RIPE::AS-FOO"))], &Limits::default()).await;
    let wanted = [vec!["!iAS-FOO in RIPE"], vec!["!iAS-BAR,1", "!gAS1", "!a4AS-BAR"]];
    assert_eq!(server.rounds(), wanted);
}

#[tokio::test]
async fn private_members_cost_a_third_round() {
    let server = server();
    run_with(&server, vec![only(V4, request("RIPE::AS-PRIV"))], &Limits::default()).await;
    let wanted = [vec!["!iAS-PRIV in RIPE"], vec!["!iAS-SUBPRIV,1", "!gAS1", "!a4AS-SUBPRIV"], vec!["!gAS2"]];
    assert_eq!(server.rounds(), wanted);
}

#[tokio::test]
async fn lists_of_sets_that_a_later_round_needs_are_kept() {
    let server = server();
    let results = run(&server, &["AS-BAR", "RIPE::AS-FOO", "-S RIPE AS-DEEP1"]).await;
    assert_eq!(shown(&results[&(1, V4)].0), "10.1.0.0/24 10.1.1.0/24 10.2.0.0/24");
    assert_each_once(&server);
    // The selections of sources stand in a row.
    assert_eq!(server.rounds()[0].iter().filter(|line| line.ends_with("in RIPE")).count(), 4);
    assert!(server.rounds()[0][3..].iter().all(|line| line.ends_with("in RIPE")));
}

#[tokio::test]
async fn many_alike_cost_as_much_as_one() {
    for server in servers() {
        let one = Server::new(&server.world);
        let one = Server { set_routes: server.set_routes, seed: server.seed, ..one };
        run(&one, &["RIPE::AS-PRIV", "-L 2 AS-DEEP1"]).await;
        let many = run(&server, &["RIPE::AS-PRIV", "-L 2 AS-DEEP1"].repeat(50)).await;
        assert_each_once(&server);
        assert_eq!(server.rounds().concat().len(), one.rounds().concat().len());
        assert!((2..100).all(|place| many[&(place, V4)] == many[&(place % 2, V4)]));
    }
}

#[tokio::test]
async fn a_run_can_be_a_task_of_its_own() {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let run = tokio::spawn(async move {
        let server = server();
        pm_irr::resolve(&server, vec![request("AS-FOO")], &Limits::default(), sender).await;
        let route = "10.1.0.0/24".parse().unwrap();
        pm_irr::explain(&server, &request("AS-FOO"), route, &Limits::default()).await
    });
    while receiver.recv().await.is_some() {}
    assert!(matches!(run.await.unwrap().lookup, pm_irr::Lookup::Found(_)));
}

fn assert_each_once(server: &Server) {
    let mut lines = server.rounds().concat();
    let count = lines.len();
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), count, "something was asked twice");
}

#[tokio::test]
async fn limits_name_the_set_and_the_numbers() {
    let limits = Limits { depth: 2, members: 3, prefixes: 2 };
    let cases = [
        (V4, "AS-FOO", "too big: 3 prefixes of AS-FOO (limit 2)"),
        (V4, "AS-TWO AS3", "too big: 3 prefixes of the list (limit 2)"),
        (V4, "AS-TWO AS1 10.1.0.0/24", "10.1.0.0/24 10.1.1.0/24"),
        (V4, "RS-FOO", "too big: 9 members of RS-FOO (limit 2)"),
        (What::AsList, "-L 9 AS-LONG1", "too big: 3 levels of sets in AS-LONG1 (limit 2)"),
        (What::AsList, "-L 1 AS-DEEP1", "1"),
        (What::AsList, "-p RIPE::AS-PRIV", "too big: 4 AS numbers of the list (limit 3)"),
        (What::AsList, "-L 2 AS-FOO", "too big: 5 members of AS-FOO (limit 3)"),
        (V4, "192.0.2.0/24 192.0.2.0/25 192.0.2.0/26", "too big: 3 prefixes of the list (limit 2)"),
        (V4, "192.0.2.0/24^+ 192.0.2.0/25^+ 192.0.2.0/26^+", "too big: 3 ranges of the list (limit 2)"),
    ];
    for (what, arguments, wanted) in cases {
        let results = run_with(&server(), vec![only(what, request(arguments))], &limits).await;
        assert_eq!(shown(&results[&(0, what)].0), wanted, "{arguments}");
    }
    let wide = (0..300).map(|asn| format!("AS{asn}")).collect::<Vec<_>>().join(" ");
    let server = server().with_fault("!iAS-FOO,1", Ok(Answer::Data(wide)));
    let limits = Limits { members: 299, ..Limits::default() };
    let results = run_with(&server, vec![only(What::AsList, request("AS-FOO"))], &limits).await;
    assert_eq!(shown(&results[&(0, What::AsList)].0), "too big: 300 members of AS-FOO (limit 299)");
}

#[tokio::test]
async fn a_chain_that_is_too_long_is_given_up() {
    let chain = |length: u32| {
        let sets: Vec<_> = (1..length).map(|n| format!("RIPE AS-C{n} = AS-C{}", n + 1)).collect();
        Server::of_rpsl(&written_out(&format!("{}\nRIPE AS-C{length} = AS1", sets.join("\n"))))
    };
    assert_eq!(list(&chain(64), What::AsList, "-L 999 AS-C1").await.0, "1");
    assert_eq!(
        list(&chain(65), What::AsList, "-L 999 AS-C1").await.0,
        "too big: 65 levels of sets in AS-C1 (limit 64)"
    );
    assert_eq!(list(&chain(65), What::AsList, "AS-C1").await.0, "1");
}

#[tokio::test]
async fn a_run_that_nobody_listens_to_ends() {
    let server = server();
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let requests = vec![request("AS-FOO"), request("AS-GONE")];
    let listen = async {
        assert!(receiver.recv().await.is_some());
        drop(receiver);
    };
    let limits = Limits::default();
    tokio::join!(pm_irr::resolve(&server as &dyn Ask, requests, &limits, sender), listen);
    assert_eq!(server.rounds().len(), 1, "no second round for nobody");
}
