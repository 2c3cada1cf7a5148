//! Names that several registries hold.

use pm_irr::{Failure, Sources, collisions};

use super::rpsl::written_out;
use super::server::Server;

const WORLD: &str = "
    RIPE AS-TWO = AS1
    RADB AS-TWO =
    RADB AS-ONE = AS1
    ALTDB RS-TWO = 10.0.0.0/24
    RIPE RS-TWO = 10.0.0.0/24
";

#[tokio::test]
async fn holders_are_found_source_by_source() {
    let server =
        Server::of_rpsl(&written_out(WORLD)).with_fault("!mas-set,AS-ODD", Err(Failure("gone".to_owned())));
    let radb_first = Sources::Only("RADB,RIPE".into());
    let names = ["AS-TWO", "AS-ONE", "AS-TWO", "RS-TWO", "AS-GONE", "AS-ODD", "no set"];
    let mut roots: Vec<_> = names.map(|name| (Sources::Default, name.to_owned())).into();
    roots.push((radb_first.clone(), "AS-TWO".to_owned()));
    let found = collisions(&server, &roots).await.unwrap();
    let holders =
        |sources: &Sources, name: &str| found[&(sources.clone(), name.to_owned())].sources.join(" ");
    assert_eq!(holders(&Sources::Default, "AS-TWO"), "RIPE RADB");
    assert_eq!(holders(&radb_first, "AS-TWO"), "RADB RIPE");
    assert_eq!(holders(&Sources::Default, "AS-ONE"), "RADB");
    assert_eq!(holders(&Sources::Default, "RS-TWO"), "RIPE ALTDB");
    assert_eq!(holders(&Sources::Default, "AS-GONE"), "");
    let odd = &found[&(Sources::Default, "AS-ODD".to_owned())];
    assert_eq!((odd.sources.len(), odd.unsure.join(" ")), (0, "RIPE RADB ALTDB".to_owned()));
    assert_eq!(found.len(), 6);

    let rounds = server.rounds();
    assert_eq!((rounds.len(), rounds[0].len()), (1, 15), "one question per source and name");
    let mut sources: Vec<_> = rounds[0].iter().map(|line| line.rsplit_once(" in ").unwrap().1).collect();
    sources.dedup();
    assert_eq!(sources, ["ALTDB", "RADB", "RIPE"], "the questions to one source stand in a row");
}

#[tokio::test]
async fn a_server_that_does_not_say_is_not_trusted() {
    let mute = Server { objects: false, ..Server::of_rpsl(&written_out(WORLD)) };
    let roots = [(Sources::Only("RIPE,RADB".into()), "AS-TWO".to_owned())];
    let found = collisions(&mute, &roots).await.unwrap();
    assert_eq!(found[&roots[0]].unsure, ["RIPE", "RADB"]);
    let dead = Server { dead: true, ..mute };
    assert!(collisions(&dead, &[(Sources::Default, "AS-TWO".to_owned())]).await.is_err());
    assert!(collisions(&dead, &[]).await.unwrap().is_empty());
}
