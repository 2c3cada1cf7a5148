//! Two runs at once, runs that are told to end, and other work beside a run.

use std::time::{Duration, Instant};

use crate::support::{Program, Running, asked, assert_same, count_asked, each_engine, lab, oracle, until};
use pm_lab::peeringdb::{Advance, Caller, Fault, FaultKind, Namespace, Server};

/// What ends at once may take this long on a busy host.
const AT_ONCE: Duration = Duration::from_mins(1);

/// A synchronisation that has everything but the contacts, for which it waits until it is stopped.
async fn stuck(program: &Program, server: &Server) -> Running {
    let before = count_asked(server, Namespace::Poc);
    server.fault(Some(Namespace::Poc), Fault::once(FaultKind::Hang));
    let running = program.spawn(["peeringdb_sync"]);
    asked(server, Namespace::Poc, before).await;
    running
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_run_names_the_first_or_waits_for_it() {
    each_engine(async |database| {
        let server = lab(0.01, 3).await;
        let program = Program::on(database).asking(&server);
        let first = stuck(&program, &server).await;
        let first_job = program.jobs().await[0]["id"].as_i64().unwrap();

        let began = Instant::now();
        let second = program.run(["peeringdb_sync", "--json"]).await.expect(75);
        assert!(began.elapsed() < AT_ONCE, "being refused took {:?}", began.elapsed());
        let second = second
            .says(&format!("process {} on ", first.id()))
            .says(&format!("job {first_job},"))
            .says("--wait");
        assert_eq!(second.json()["exit"], 75);
        assert_eq!(program.job(second.job()).await["status"], "cancelled");
        // A flush would pull the ground from under the run.
        program
            .run(["peeringdb_sync", "--flush"])
            .await
            .expect(75)
            .says(&format!("process {} on ", first.id()));

        let third = program.spawn(["peeringdb_sync", "--wait"]);
        let waits = async || {
            let newest = program.jobs().await[0]["id"].to_string();
            program.run(["jobs", "show", &newest, "--json"]).await.expect(0).stdout.contains("waiting: ")
        };
        until(waits, "the waiting job says so").await;
        first.signal("TERM").await;
        first.ended().await.expect(1);
        third.ended().await.expect(0).says("waiting: ").never_says("took over");
        assert_same(&program.cache().await, &oracle(&server, Caller::Anonymous), "after the run that waited");
    })
    .await;
}

/// The holder ends well here, so the one who waited finds nothing left to do.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_run_that_ends_well() {
    each_engine(async |database| {
        let server = lab(0.01, 3).await;
        server.fault(Some(Namespace::Net), Fault { seconds: 2, ..Fault::once(FaultKind::Slow) });
        let program = Program::on(database).asking(&server);
        let first = program.spawn(["peeringdb_sync"]);
        asked(&server, Namespace::Net, 0).await;
        let second = program.spawn(["peeringdb_sync", "--wait"]);
        first.ended().await.expect(0).says("Synchronisation finished");
        second.ended().await.expect(0).says("Nothing to synchronise");
        assert_same(&program.cache().await, &oracle(&server, Caller::Anonymous), "after both");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_the_run_and_stores_nothing() {
    each_engine(async |database| {
        let server = lab(0.01, 3).await;
        let program = Program::on(database).asking(&server);
        program.run(["peeringdb_sync"]).await.expect(0);
        let old = oracle(&server, Caller::Anonymous);
        server.world().advance(&Advance { percent: 5.0, ..Advance::day() });
        for signal in ["INT", "TERM"] {
            let running = stuck(&program, &server).await;
            let job = program.jobs().await[0]["id"].as_i64().unwrap();
            let began = Instant::now();
            running.signal(signal).await;
            let ended = running.ended().await.expect(1).says("cancelled");
            assert!(began.elapsed() < AT_ONCE, "{signal}: ended after {:?}", began.elapsed());
            assert!(!ended.stderr.contains("panicked"), "{ended}");
            assert_eq!(program.job(job).await["status"], "cancelled", "{signal}");
            assert_same(&program.cache().await, &old, signal);
        }
        let began = Instant::now();
        program.run(["peeringdb_sync"]).await.expect(0).never_says("took over").never_says("waiting");
        assert!(began.elapsed() < AT_ONCE, "the lock was not freed");
        assert_same(&program.cache().await, &oracle(&server, Caller::Anonymous), "after the next run");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_the_wait_for_a_lock() {
    each_engine(async |database| {
        let server = lab(0.01, 3).await;
        let program = Program::on(database).asking(&server);
        let holder = stuck(&program, &server).await;
        let waiter = program.spawn(["peeringdb_sync", "--wait"]);
        until(async || program.jobs().await.len() == 2, "the waiting job is recorded").await;
        let job = program.jobs().await[0]["id"].as_i64().unwrap();
        waiter.signal("INT").await;
        assert_eq!(waiter.ended().await.code, 1);
        assert_eq!(program.job(job).await["status"], "cancelled");
        holder.signal("INT").await;
        holder.ended().await.expect(1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn others_can_write_during_a_run() {
    each_engine(async |database| {
        let server = lab(0.01, 3).await;
        let program = Program::on(database).asking(&server);
        let running = stuck(&program, &server).await;
        let began = Instant::now();
        program.run(["as", "add", "64500"]).await.expect(0);
        let took = began.elapsed();
        assert!(took < Duration::from_mins(1), "a small write took {took:?}");
        running.signal("INT").await;
        running.ended().await.expect(1);
        let listed = program.run(["as", "list", "--json"]).await.expect(0).json();
        assert_eq!(listed["autonomous_systems"][0]["asn"], 64500);
    })
    .await;
}
