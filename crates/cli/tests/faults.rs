//! Every way in which PeeringDB's answers go wrong: what is said, the exit code, and that nothing is stored.

use std::time::{Duration, Instant};

use crate::support::{Program, assert_same, count_asked, each_engine, lab, oracle};
use pm_lab::peeringdb::{Advance, Caller, Fault, FaultKind, Namespace, Server};

/// What a fault that does not pass must lead to.
struct Expected {
    exit: i32,
    /// What the message must hold beside the address: the HTTP status, the first bytes, the reason.
    says: &'static [&'static str],
    /// Whether the message is about the answer and so names its address.
    names_url: bool,
}

/// The fault as it lasts, and what comes of it. `None` for those that are no reason to fail.
fn lasting(kind: FaultKind) -> (Fault, Option<Expected>) {
    let fault = Fault { times: 0, ..Fault::once(kind) };
    let hour = Fault { seconds: 3_600, ..fault.clone() };
    let fails = |says| Some(Expected { exit: 1, says, names_url: true });
    let later = |says| Some(Expected { exit: 75, says, names_url: true });
    let guarded = |says| Some(Expected { exit: 3, says, names_url: false });
    match kind {
        FaultKind::TooMany => (hour, later(&["HTTP 429", "next 3600 s", "Request was throttled"])),
        FaultKind::TooManyDate => {
            (hour, later(&["HTTP 429", "next 3600 s, until 20", "Request was throttled"]))
        }
        FaultKind::TooManyBare => (fault, later(&["HTTP 429", "Request was throttled"])),
        FaultKind::Unauthorized => (fault, fails(&["HTTP 401", "Invalid API key"])),
        FaultKind::Internal => (fault, fails(&["HTTP 500", "<h1>Server Error (500)</h1>"])),
        FaultKind::BadGateway => (fault, fails(&["HTTP 502", "502 Bad Gateway"])),
        FaultKind::Html | FaultKind::NotJson => {
            (fault, fails(&["HTTP 200", "not with PeeringDB's JSON", "down for maintenance"]))
        }
        FaultKind::NoData | FaultKind::DataObject => {
            (fault, fails(&["HTTP 200", "not with PeeringDB's JSON"]))
        }
        FaultKind::Cut | FaultKind::CutChunked | FaultKind::CutClean => (fault, fails(&["was cut after"])),
        FaultKind::Slow | FaultKind::Hang => (fault, fails(&["did not answer in full within 2 s"])),
        FaultKind::Huge => (fault, fails(&["is longer than 1048576 bytes"])),
        FaultKind::Empty | FaultKind::MassDelete => {
            (fault, guarded(&["fac would lose", "nothing was changed", "--force"]))
        }
        // Single records that cannot be used cost the run only themselves.
        FaultKind::WrongTypes | FaultKind::NoId | FaultKind::Duplicate => (fault, None),
    }
}

/// A filled cache that PeeringDB has moved on from, so that a run has something to store.
async fn filled(program: &Program, server: &Server) {
    program.run(["peeringdb_sync"]).await.expect(0);
    server.world().advance(&Advance { percent: 3.0, ..Advance::day() });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_lasts_fails_the_run_and_changes_nothing() {
    each_engine(async |database| {
        let server = lab(0.02, 5).await;
        let mut program = Program::on(database)
            .asking(&server)
            .set("peeringdb_timeout", 60)
            .set("peeringdb_max_retry_after", 1)
            .set("peeringdb_max_body_mb", 1);
        filled(&program, &server).await;
        let (old, held, reported) = (program.cache().await, program.status().await, report(&program).await);
        let url = format!("{}/fac?depth=0", server.url());
        for kind in FaultKind::ALL {
            let (fault, Some(Expected { exit, says, names_url })) = lasting(*kind) else { continue };
            eprintln!("{kind}");
            let endless = matches!(kind, FaultKind::Slow | FaultKind::Hang);
            program = program.set("peeringdb_timeout", if endless { 2 } else { 60 });
            server.fault(Some(Namespace::Fac), fault);
            let ran = program.run(["peeringdb_sync", "--full", "--json"]).await.expect(exit);
            server.clear_faults();
            let ran = says.iter().fold(ran, |ran, text| ran.says(text)).never_says("Nothing to synchronise");
            let ran = if names_url { ran.says(&url).says("nothing was stored") } else { ran };
            let job = program.job(ran.job()).await;
            assert_eq!(job["status"], "failed", "{kind}: {job}");
            assert!(says.iter().all(|text| job["error"].as_str().unwrap().contains(text)), "{kind}: {job}");
            assert_eq!(program.status().await, held, "{kind}");
            assert_eq!(report(&program).await, reported, "{kind}");
        }
        // The numbers could be right by accident, the records could not.
        assert_same(&program.cache().await, &old, "after all faults");
        program.run(["peeringdb_sync"]).await.expect(0).says("Synchronisation finished");
        assert_same(&program.cache().await, &oracle(&server, Caller::Anonymous), "when all was well again");
    })
    .await;
}

async fn report(program: &Program) -> serde_json::Value {
    program.run(["peeringdb_sync", "--report", "--json"]).await.expect(0).json()
}

/// Each of these hits another namespace once; one more request each, and the run ends well.
#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_passes_is_waited_out() {
    let passing = [
        (Namespace::Org, FaultKind::TooMany),
        (Namespace::Campus, FaultKind::TooManyDate),
        (Namespace::Fac, FaultKind::Internal),
        (Namespace::Carrier, FaultKind::BadGateway),
        (Namespace::Carrierfac, FaultKind::Html),
        (Namespace::Net, FaultKind::Cut),
        (Namespace::Ix, FaultKind::CutChunked),
        (Namespace::Ixfac, FaultKind::CutClean),
        (Namespace::Ixlan, FaultKind::NotJson),
        (Namespace::Ixpfx, FaultKind::NoData),
        (Namespace::Netfac, FaultKind::Slow),
        (Namespace::Netixlan, FaultKind::Hang),
        (Namespace::Poc, FaultKind::DataObject),
    ];
    each_engine(async |database| {
        let server = lab(0.02, 5).await;
        for (namespace, kind) in passing {
            server.fault(Some(namespace), Fault::once(kind));
        }
        let program =
            Program::on(database).asking(&server).set("peeringdb_timeout", 20).set("peeringdb_retries", 1);
        program.run(["peeringdb_sync"]).await.expect(0).never_says("Nothing to synchronise");
        for (namespace, kind) in passing {
            assert_eq!(count_asked(&server, namespace), 2, "{kind}");
        }
        assert_same(&program.cache().await, &oracle(&server, Caller::Anonymous), "after all passed");
    })
    .await;
}

/// Waiting for an hour would look like hanging to whoever started the run.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_pause_is_not_waited_out() {
    each_engine(async |database| {
        let server = lab(0.01, 5).await;
        server.fault(None, Fault { times: 0, seconds: 3_600, ..Fault::once(FaultKind::TooMany) });
        let program = Program::on(database).asking(&server).set("peeringdb_retries", 3);
        let began = Instant::now();
        let ran = program.run(["peeringdb_sync", "--json"]).await.expect(75);
        assert!(began.elapsed() < Duration::from_mins(5), "gave up after {:?}", began.elapsed());
        assert_eq!(ran.json()["exit"], 75);
        assert_eq!(program.job(ran.job()).await["status"], "failed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_cannot_be_used_are_named_and_the_others_stored() {
    each_engine(async |database| {
        let server = lab(0.02, 5).await;
        let program = Program::on(database).asking(&server);
        for (kind, says) in [(FaultKind::NoId, "it has no id"), (FaultKind::WrongTypes, "no object")] {
            filled(&program, &server).await;
            server.fault(Some(Namespace::Fac), Fault { times: 0, ..Fault::once(kind) });
            let ran =
                program.run(["peeringdb_sync", "--full", "--json"]).await.expect(4).says("fac: not stored: ");
            let ran = ran.says(says);
            server.clear_faults();
            let job = program.job(ran.job()).await;
            assert_eq!((&job["status"], &job["outcome"]), (&"completed".into(), &"partial".into()), "{kind}");
            // Nothing but what could not be used is missing, and it comes as soon as PeeringDB sends it well.
            let (mut held, mut expected) = (program.cache().await, oracle(&server, Caller::Anonymous));
            let (held_fac, expected_fac) = (held.remove("fac").unwrap(), expected.remove("fac").unwrap());
            assert_same(&held, &expected, kind.as_str());
            assert!(
                held_fac.len() + 2 >= expected_fac.len(),
                "{kind}: {} of {}",
                held_fac.len(),
                expected_fac.len()
            );
            program.run(["peeringdb_sync"]).await.expect(0);
            assert_same(&program.cache().await, &oracle(&server, Caller::Anonymous), "after the next run");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_comes_twice_is_stored_once() {
    each_engine(async |database| {
        let server = lab(0.02, 5).await;
        server.fault(Some(Namespace::Fac), Fault::once(FaultKind::Duplicate));
        let program = Program::on(database).asking(&server);
        program.run(["peeringdb_sync"]).await.expect(0);
        let (held, expected) = (program.cache().await, oracle(&server, Caller::Anonymous));
        assert!(held["fac"].keys().eq(expected["fac"].keys()));
        program.run(["peeringdb_sync", "--full"]).await.expect(0);
        assert_same(&program.cache().await, &expected, "after a comparison with everything");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peeringdb_that_cannot_be_reached_is_named() {
    each_engine(async |database| {
        let program = Program::on(database).set("peeringdb_api", "http://127.0.0.1:9/api");
        let ran = program.run(["peeringdb_sync"]).await.expect(1);
        ran.says("http://127.0.0.1:9/api/net?depth=0").says("refused").says("nothing was stored");
        let status = program.status().await;
        assert!(status["namespaces"].as_array().unwrap().iter().all(|one| one["records"] == 0), "{status}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_of_the_environment_are_not_asked() {
    let server = lab(0.01, 4).await;
    let database = pm_store::testing::TestDatabase::sqlite();
    let mut program = Program::on(&database).asking(&server);
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        // Nobody listens there.
        program = program.env(name, "http://127.0.0.1:9");
    }
    program.run(["peeringdb_sync"]).await.expect(0);
    assert!(count_asked(&server, Namespace::Net) > 0);
    database.remove().await;
}
