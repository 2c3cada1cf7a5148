//! `kill -9` at any moment of a synchronisation leaves the old data or the new, and the next run goes on at once.

use std::time::{Duration, Instant};

use crate::support::{Program, Ran, Records, asked, assert_same, each_engine, lab, oracle, until};
use pm_lab::peeringdb::awkward::CASES;
use pm_lab::peeringdb::{Advance, Caller, Fault, FaultKind, Namespace};
use pm_store::testing::TestDatabase;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value as Json;

/// Runs that are killed, per engine.
const KILLS: u32 = 50;
/// A lock that had to be waited out would take the lease, 120 s; nobody waits even a part of it.
const AT_ONCE: Duration = Duration::from_mins(1);

/// A way to synchronise, and how long the last run took that was not killed and had something to store.
struct Way {
    arguments: &'static [&'static str],
    takes: Duration,
}

impl Way {
    async fn run(&mut self, program: &Program) -> Ran {
        let began = Instant::now();
        let ran = program.run(self.arguments).await.expect(0);
        if !ran.stderr.contains("Nothing to synchronise") {
            self.takes = began.elapsed();
        }
        ran
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_leaves_the_old_or_the_new() {
    each_engine(async |database| {
        let server = lab(0.02, 7).await;
        let program = Program::on(database).asking(&server);
        program.run(["peeringdb_sync"]).await.expect(0);
        let mut ways = [&["peeringdb_sync"][..], &["peeringdb_sync", "--full"]]
            .map(|arguments| Way { arguments, takes: Duration::ZERO });
        for way in &mut ways {
            server.world().advance(&ordinary_day());
            way.run(&program).await;
        }
        let mut old = oracle(&server, Caller::Anonymous);
        assert_same(&program.cache().await, &old, "before the first kill");
        let mut random = SmallRng::seed_from_u64(9);
        let (mut killed, mut stored) = (0, 0);
        for kill in 0..KILLS {
            let way = &mut ways[random.random_range(0..2)];
            server.world().advance(&if kill == 0 { awkward_day() } else { ordinary_day() });
            let new = oracle(&server, Caller::Anonymous);
            assert!(old != new, "a day without changes proves nothing");

            let delay = way.takes.mul_f64(random.random_range(0.0..1.0));
            let running = program.spawn(way.arguments);
            tokio::time::sleep(delay).await;
            let ran = running.kill().await;
            let when = format!("killed {kill} of {:?} after {delay:?} of {:?}", way.arguments, way.takes);
            let held = program.cache().await;
            let at_new = held == new;
            if !at_new {
                assert_same(&held, &old, &when);
            }
            killed += u32::from(ran.code == 137);
            stored += u32::from(at_new);
            goes_on(&program, database, way, &new, &when).await;
            old = new;
        }
        eprintln!("{killed} of {KILLS} killed in time, {stored} after the commit");
        // A test whose kills all come too late would find nothing.
        assert!(killed > KILLS / 4, "only {killed} runs were killed before their end");
    })
    .await;
}

/// Enough changes to tell the old from the new.
fn ordinary_day() -> Advance {
    Advance { percent: 0.2, ..Advance::day() }
}

/// A day with every awkward case but the one that only a comparison with everything can find.
fn awkward_day() -> Advance {
    let cases = CASES.iter().copied().filter(|case| case.name != "contact_hidden").collect();
    Advance { cases, ..Advance::day() }
}

/// What must hold after a kill: nothing is broken, nobody waits, and the next run ends with what PeeringDB has.
async fn goes_on(program: &Program, database: &TestDatabase, way: &mut Way, new: &Records, when: &str) {
    let doctor = program.run(["doctor", "--json"]).await.expect(0).json();
    let errors: Vec<&Json> = doctor["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["weight"] == "error")
        .collect();
    assert!(errors.is_empty(), "{when}: {errors:?}");
    let store = database.open().await;
    let lock = store.row("SELECT job_id FROM core_lock WHERE owner IS NOT NULL", vec![]).await.unwrap();
    store.close().await;
    let lock: Option<i64> = lock.map(|lock| lock.get("job_id").unwrap());
    // The record is closed before the lock is let go, so a kill between the two finds a job that is over, and stays so.
    let expected = match lock {
        Some(job) if program.job(job).await["status"] == "completed" => "completed",
        _ => "errored",
    };

    let began = Instant::now();
    let next = way.run(program).await;
    let took = began.elapsed();
    assert!(took < AT_ONCE, "{when}: the next run took {took:?}");
    if let Some(job) = lock {
        assert_eq!(program.job(job).await["status"], expected, "{when}: job {job}");
        if expected == "errored" {
            next.says(&format!("took over from job {job}"));
        }
    }
    assert_same(&program.cache().await, new, &format!("{when}, and the next run"));
}

/// A run that waits for the lock has a job record too, and nobody takes over a lock from it.
#[tokio::test(flavor = "multi_thread")]
async fn the_job_of_a_killed_waiter_does_not_stay_open() {
    each_engine(async |database| {
        let server = lab(0.01, 7).await;
        server.fault(Some(Namespace::Org), Fault::once(FaultKind::Hang));
        let program = Program::on(database).asking(&server);
        let holder = program.spawn(["peeringdb_sync"]);
        asked(&server, Namespace::Org, 0).await;
        let waiter = program.spawn(["peeringdb_sync", "--wait"]);
        until(async || program.jobs().await.len() == 2, "the second job is recorded").await;
        let job = program.jobs().await[0]["id"].as_i64().unwrap();
        waiter.kill().await;
        holder.signal("TERM").await;
        holder.ended().await.expect(1);

        let store = database.open().await;
        let long_ago = chrono::DateTime::UNIX_EPOCH;
        let values = || vec![long_ago.into(), job.into()];
        store.execute("UPDATE core_job SET created = ? WHERE id = ?", values()).await.unwrap();
        store
            .execute("UPDATE core_job SET heartbeat = ? WHERE id = ? AND heartbeat IS NOT NULL", values())
            .await
            .unwrap();
        store.close().await;
        program.run(["housekeeping"]).await.expect(0);
        assert_eq!(program.job(job).await["status"], "errored", "the job of a process that is gone");
    })
    .await;
}
