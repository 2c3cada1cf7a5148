//! Workers and schedulers that are killed at random, and a database that goes away: every slot of every schedule is run
//! once or accounted for, and nothing is left behind. `CHAOS_SECONDS` makes it longer; `make chaos` takes three minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::postgres::Postgres;
use crate::support::{Program, until};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures::future::join_all;
use pm_store::testing::TestDatabase;
use pm_store::{Store, Value};
use pm_tasks::{Clock as _, SystemClock};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;

/// Seconds of the schedules in a second.
const FACTOR: i64 = 100;
const WORKERS: usize = 4;
const SCHEDULERS: usize = 3;
/// Of the schedules' time: what passes until somebody looks.
const LAST_LOOK: TimeDelta = TimeDelta::minutes(15);

/// Name, expression, minutes between slots, and task.
const SCHEDULES: [(&str, &str, i64, &str); 4] = [
    ("chaos-housekeeping", "* * * * *", 1, "housekeeping"),
    ("chaos-prefixes", "* * * * *", 1, "grab_prefixes"),
    ("chaos-poll", "*/3 * * * *", 3, "poll_bgp_sessions"),
    ("chaos-deploy", "*/5 * * * *", 5, "configure_routers"),
];

/// A router at which somebody answers the telephone and says nothing, so that to ask it takes a while.
fn world(port: u16) -> String {
    format!(
        "format: peering-manager objects\nversion: 1\nautonomous_systems:\n  - {{asn: 64500, name: Own, affiliated: true}}\n\
         platforms:\n  - {{name: BIRD, slug: bird, napalm_driver: bird}}\nconfigurations:\n  - {{name: Short, template: \"# nothing\"}}\n\
         routers:\n  - name: silent\n    hostname: 127.0.0.1\n    local_autonomous_system: 64500\n    platform: bird\n    \
         configuration_template: Short\n    poll_bgp_sessions_state: true\n    napalm_username: netops\n    \
         napalm_password: planted-password\n    napalm_timeout: 2\n    napalm_args: {{port: {port}}}\n"
    )
}

/// A process that is started again whenever it ends, as systemd does it.
struct Kept<'a> {
    program: &'a Program,
    arguments: Vec<String>,
    log: String,
    child: Child,
    kills: u32,
}

impl<'a> Kept<'a> {
    fn start(program: &'a Program, number: usize, arguments: Vec<String>) -> Self {
        let log = format!("{}-{number}.log", arguments[0]);
        let child = spawn(program, &arguments, &log);
        Self { program, arguments, log, child, kills: 0 }
    }

    fn look_after(&mut self) {
        if self.child.try_wait().unwrap().is_some() {
            self.child = spawn(self.program, &self.arguments, &self.log);
        }
    }

    async fn kill(&mut self) {
        self.child.kill().await.unwrap();
        self.kills += 1;
        self.child = spawn(self.program, &self.arguments, &self.log);
    }

    async fn end(mut self) {
        if let Some(process) = self.child.id() {
            let process = nix::unistd::Pid::from_raw(process.try_into().unwrap());
            nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM).unwrap();
        }
        let ended = tokio::time::timeout(Duration::from_mins(2), self.child.wait()).await.expect("it ends");
        let ended = ended.unwrap();
        assert!(ended.success(), "{}: {ended}", self.log);
    }
}

fn spawn(program: &Program, arguments: &[String], log: &str) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(program.path(log)).unwrap();
    program.command(arguments).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_slot_is_accounted_for_while_processes_are_killed_and_the_database_is_restarted() {
    let Some(server) = Postgres::start() else { return };
    let seconds: u64 = std::env::var("CHAOS_SECONDS").map_or(60, |text| text.parse().unwrap());
    let seed: u64 = std::env::var("CHAOS_SEED").map_or(1, |text| text.parse().unwrap());
    println!("{seconds} s, seed {seed}");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let program = Program::with_url(&server.url())
        .set("secret_key", "a key for the tests of nothing but fifty characters or more")
        .set("lock_lease", 3)
        // There is no IRR server to ask, and what waits to ask it again would be waited for.
        .set("job_retries", 0)
        .set("worker_stop_seconds", 5)
        .set("commit_confirm_seconds", 20)
        .set("post_check_min_seconds", 1)
        .set("post_check_seconds", 4);
    prepare(&program, silent.local_addr().unwrap().port()).await;

    let started = SystemClock.now();
    let since: DateTime<Utc> = "2026-03-01T00:00:30Z".parse().unwrap();
    let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Micros, true);
    let lapse: Vec<String> = [
        "scheduler",
        "--time-lapse",
        &FACTOR.to_string(),
        "--since",
        &text(since),
        "--started",
        &text(started),
    ]
    .map(str::to_owned)
    .to_vec();
    let worker: Vec<String> = ["worker", "--concurrency", "3"].map(str::to_owned).to_vec();
    let mut kept: Vec<Kept> = (0..WORKERS)
        .map(|number| Kept::start(&program, number, worker.clone()))
        .chain((0..SCHEDULERS).map(|number| Kept::start(&program, number, lapse.clone())))
        .collect();
    havoc(&mut kept, &server, Duration::from_secs(seconds), seed).await;
    let kills: u32 = kept.iter().map(|one| one.kills).sum();
    let schedulers = kept.split_off(WORKERS);
    let store = Store::open(&server.url()).await.unwrap();
    let end = since + TimeDelta::seconds(i64::try_from(seconds).unwrap() * FACTOR);
    until(async || reached(&store).await > end - LAST_LOOK, "all schedules have come to the end").await;
    until(async || count(&store, "core_scheduler").await == SCHEDULERS, "all schedulers are at work").await;
    for scheduler in schedulers {
        scheduler.end().await;
    }
    until(async || open_jobs(&store).await == 0, "no job waits or runs any more").await;
    // One that has just been started would not know yet what to do with a signal.
    until(async || count(&store, "core_worker").await == WORKERS, "all workers are at work").await;
    for worker in kept {
        worker.end().await;
    }
    let lost = account(&store, since, end).await;
    each_job_was_run_by_one(&program);
    store.close().await;
    println!("{kills} kills, {lost} jobs lost");
    assert!(kills >= u32::try_from(seconds / 3).unwrap(), "{kills} kills");
    assert!(lost > 0, "no job was lost, so nothing was tried");
    assert!(!everything_said(&program).contains("planted-password"));
}

async fn prepare(program: &Program, port: u16) {
    let document = program.path("world.yaml");
    std::fs::write(&document, world(port)).unwrap();
    program.run(["import", &document.display().to_string()]).await.expect(0);
    let shipped =
        ["housekeeping", "peeringdb_sync", "configure_routers", "poll_bgp_sessions", "grab_prefixes"];
    program.run(["schedule", "disable"].iter().chain(&shipped)).await.expect(0);
    for (name, cron, _, task) in SCHEDULES {
        program.run(["schedule", "set", name, "--cron", cron, "--task", task]).await.expect(0);
    }
    program.run(["schedule", "enable"].into_iter().chain(SCHEDULES.map(|(name, ..)| name))).await.expect(0);
}

/// Kills one of them every now and then, and in the middle restarts the database.
async fn havoc(kept: &mut [Kept<'_>], server: &Postgres, time: Duration, seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    let begun = Instant::now();
    let mut restarted = false;
    let mut next_kill = Duration::from_secs(2);
    while begun.elapsed() < time {
        tokio::time::sleep(Duration::from_millis(50)).await;
        kept.iter_mut().for_each(Kept::look_after);
        if begun.elapsed() > next_kill {
            let victim = random.random_range(0..kept.len());
            kept[victim].kill().await;
            next_kill = begun.elapsed() + Duration::from_millis(random.random_range(100..1500));
        }
        if !restarted && begun.elapsed() > time / 2 {
            server.restart();
            restarted = true;
        }
    }
    kept.iter_mut().for_each(Kept::look_after);
}

/// How many rows a table has.
async fn count(store: &Store, table: &str) -> usize {
    let rows = store.rows(&format!("SELECT 1 AS one FROM {table}"), vec![]).await.unwrap();
    rows.len()
}

/// The last slot of the schedule that has come least far.
async fn reached(store: &Store) -> DateTime<Utc> {
    let sql = "SELECT MAX(s.last_slot) AS slot FROM core_scheduleslot s JOIN core_schedule d ON d.id = s.schedule_id \
               WHERE d.name LIKE 'chaos-%' GROUP BY d.id";
    let slots = store.rows(sql, vec![]).await.unwrap();
    let slots = slots.iter().map(|row| row.get::<DateTime<Utc>, _>("slot").unwrap());
    slots.min().unwrap_or(DateTime::UNIX_EPOCH)
}

/// What the workers say of jobs names the jobs that they have begun; two processes that run one job would both name it.
fn each_job_was_run_by_one(program: &Program) {
    let mut by_whom: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let mut put_back = BTreeSet::new();
    for number in 0..WORKERS {
        let said = std::fs::read_to_string(program.path(&format!("worker-{number}.log"))).unwrap();
        for line in said.lines() {
            // `job 17 housekeeping: …`
            let Some((_, rest)) = line.split_once("job ") else { continue };
            let Some((job, what)) = rest.split_once(": ") else { continue };
            if !SCHEDULES.iter().any(|(.., task)| job.ends_with(&format!(" {task}"))) {
                continue;
            }
            by_whom.entry(job.to_owned()).or_default().insert(number);
            if what.starts_with("waits again") {
                put_back.insert(job.to_owned());
            }
        }
    }
    assert!(by_whom.len() > 20, "{} jobs were spoken of", by_whom.len());
    for (job, workers) in by_whom.iter().filter(|(job, _)| !put_back.contains(*job)) {
        assert_eq!(workers.len(), 1, "job {job} was run by the workers {workers:?}");
    }
}

async fn open_jobs(store: &Store) -> i64 {
    let sql = "SELECT COUNT(*) AS count FROM core_job WHERE status IN ('pending', 'running')";
    store.row(sql, vec![]).await.unwrap().unwrap().get("count").unwrap()
}

/// A job, as far as it is looked at.
#[derive(Debug)]
struct Job {
    task: String,
    status: String,
    lost: bool,
    error: Option<String>,
    repeat_of: Option<i64>,
    arguments: String,
}

/// Looks over what is left, and gives how many jobs were lost.
async fn account(store: &Store, since: DateTime<Utc>, end: DateTime<Utc>) -> usize {
    let jobs = jobs(store).await;
    let done = |job: &&Job| job.task == "housekeeping" && job.status == "completed";
    assert!(jobs.values().filter(done).count() > 0, "no housekeeping was ever done");
    let mut of_slots = BTreeSet::new();
    for (name, _, minutes, task) in SCHEDULES {
        slots(store, &jobs, &mut of_slots, (name, minutes, task), since, end).await;
    }
    let repeats: BTreeMap<i64, i64> =
        jobs.iter().filter_map(|(id, job)| job.repeat_of.map(|of| (of, *id))).collect();
    let asked: BTreeSet<i64> =
        jobs.iter().filter(|(_, job)| job.repeat_of.is_none()).map(|(id, _)| *id).collect();
    assert_eq!(asked, of_slots, "every job is a slot's, or does a lost one again");
    assert_eq!(
        repeats.len(),
        jobs.values().filter(|job| job.repeat_of.is_some()).count(),
        "nothing is done again twice"
    );
    for (id, job) in &jobs {
        assert!(
            ["completed", "failed", "errored", "cancelled"].contains(&job.status.as_str()),
            "job {id} is {}",
            job.status
        );
        if job.lost {
            // One that is lost is done again once, if that is harmless.
            let lost_before = job.repeat_of.is_some_and(|of| jobs[&of].lost);
            let harmless = job.task != "configure_routers" && !lost_before;
            assert_eq!(is_done_again(&jobs, job), harmless, "job {id} was lost: {job:?}");
        }
        if job.status == "completed" {
            assert!(!repeats.contains_key(id), "job {id} was done, and done again");
        }
        if job.status != "completed" {
            assert!(job.error.is_some(), "job {id} is {} and does not say why", job.status);
        }
    }
    let held = store.rows("SELECT key FROM core_lock WHERE owner IS NOT NULL", vec![]).await.unwrap();
    assert!(held.is_empty(), "{} locks are held", held.len());
    let workers = store.rows("SELECT owner FROM core_worker", vec![]).await.unwrap();
    assert!(workers.is_empty(), "{} workers did not sign off", workers.len());
    jobs.values().filter(|job| job.lost).count()
}

/// Whether the record of a lost job names one that does the same again: a new one, or one that waited already.
fn is_done_again(jobs: &BTreeMap<i64, Job>, lost: &Job) -> bool {
    let error = lost.error.as_deref().unwrap_or_default();
    let Some((_, named)) = error.rsplit_once("; job ") else { return false };
    let again: i64 = named.strip_suffix(" does it again").expect(error).parse().unwrap();
    assert!(again > 0 && jobs.contains_key(&again), "{lost:?}");
    (&jobs[&again].task, &jobs[&again].arguments) == (&lost.task, &lost.arguments)
}

async fn jobs(store: &Store) -> BTreeMap<i64, Job> {
    let rows = store
        .rows(
            "SELECT id, task, status, outcome, error, repeat_of, arguments FROM core_job WHERE queued ORDER BY id",
            vec![],
        )
        .await
        .unwrap();
    let jobs = rows.iter().map(|row| {
        let outcome: Option<String> = row.get("outcome").unwrap();
        let job = Job {
            task: row.get("task").unwrap(),
            status: row.get("status").unwrap(),
            lost: outcome.as_deref() == Some("lost"),
            error: row.get("error").unwrap(),
            repeat_of: row.get("repeat_of").unwrap(),
            arguments: row.json("arguments").unwrap().unwrap_or_default().to_string(),
        };
        (row.get("id").unwrap(), job)
    });
    jobs.collect()
}

/// The slots of a schedule follow each other without a gap up to the end, and each has its job or its reason.
async fn slots(
    store: &Store,
    jobs: &BTreeMap<i64, Job>,
    of_slots: &mut BTreeSet<i64>,
    (name, minutes, task): (&str, i64, &str),
    since: DateTime<Utc>,
    end: DateTime<Utc>,
) {
    let step = TimeDelta::minutes(minutes);
    let rows = store
        .rows(
            "SELECT s.slot, s.last_slot, s.slots, s.state, s.job_id, s.reason FROM core_scheduleslot s \
             JOIN core_schedule d ON d.id = s.schedule_id WHERE d.name = ? ORDER BY s.slot",
            vec![Value::from(name)],
        )
        .await
        .unwrap();
    let mut expected: Option<DateTime<Utc>> = None;
    let mut states: BTreeMap<String, i64> = BTreeMap::new();
    for row in &rows {
        let (slot, last): (DateTime<Utc>, DateTime<Utc>) =
            (row.get("slot").unwrap(), row.get("last_slot").unwrap());
        let count: i64 = row.get("slots").unwrap();
        assert_eq!(slot, expected.unwrap_or(slot), "{name}: a slot is missing or there twice");
        assert_eq!(
            last,
            slot + step * i32::try_from(count - 1).unwrap(),
            "{name}: {count} slots from {slot}"
        );
        let state: String = row.get("state").unwrap();
        let job: Option<i64> = row.get("job_id").unwrap();
        let reason: Option<String> = row.get("reason").unwrap();
        if state == "queued" {
            let job = job.unwrap_or_else(|| panic!("{name}: the slot {slot} has no job"));
            assert_eq!(jobs.get(&job).map(|job| job.task.as_str()), Some(task), "{name}: the slot {slot}");
            assert!(of_slots.insert(job), "{name}: job {job} belongs to two slots");
        } else {
            assert!(job.is_none() && reason.is_some_and(|why| !why.is_empty()), "{name}: the slot {slot}");
        }
        *states.entry(state).or_default() += count;
        expected = Some(last + step);
    }
    println!("{name}: {states:?}");
    let first: DateTime<Utc> = rows[0].get("slot").unwrap();
    // Processes, too, take a while to start.
    assert!(first > since && first < since + LAST_LOOK * 4, "{name}: the first slot is {first}");
    let reached = expected.unwrap_or_else(|| panic!("{name}: no slot at all"));
    // The last look of the last scheduler may be a few seconds old.
    assert!(reached > end - LAST_LOOK, "{name}: it went no further than {reached}, of {end}");
    assert!(states.get("queued").is_some_and(|count| *count >= 5), "{name}: {states:?}");
}

fn everything_said(program: &Program) -> String {
    let names = (0..WORKERS).map(|number| format!("worker-{number}.log"));
    let names = names.chain((0..SCHEDULERS).map(|number| format!("scheduler-{number}.log")));
    names.map(|name| std::fs::read_to_string(program.path(&name)).unwrap()).collect()
}

/// On one host with SQLite: the service with fast schedules, Prometheus, and people at the command line.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_that_the_database_is_locked() {
    let database = TestDatabase::sqlite();
    let program = Program::on(&database).set("metrics_enabled", true);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    prepare(&program, silent.local_addr().unwrap().port()).await;
    // Whoever listens there in between makes the service end, and the test says so.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let started = SystemClock.now().to_rfc3339_opts(SecondsFormat::Micros, true);
    let lapse = ["--time-lapse", "100", "--since", "2026-03-01T00:00:30Z", "--started", &started];
    let service = program.spawn(["run", "--listen", &address].iter().chain(&lapse));
    let people: [&[&str]; 6] = [
        &["jobs", "list"],
        &["schedule", "list"],
        &["housekeeping", "--wait"],
        &["peeringdb", "status"],
        &["grab_prefixes", "--tasks"],
        &["deployments", "list"],
    ];
    let begun = Instant::now();
    let mut rounds = 0;
    while begun.elapsed() < Duration::from_secs(20) || rounds < 4 {
        let tag = [format!("name=tag {rounds}"), format!("slug=tag-{rounds}")];
        rounds += 1;
        let writes = program.run(["objects", "add", "tag", &tag[0], &tag[1]]);
        let asks = join_all(people.map(|arguments| program.run(arguments)));
        let (wrote, asked, scraped) = tokio::join!(writes, asks, scrape(port));
        for ran in std::iter::once(wrote).chain(asked) {
            ran.expect(0).never_says("locked").never_says("busy");
        }
        assert!(scraped.starts_with("HTTP/1.1 200 ") && scraped.contains("peering_manager_"), "{scraped}");
    }
    service.signal("TERM").await;
    let ended = service.ended().await.expect(0).never_says("database is locked");
    assert!(ended.stderr.contains("jobs completed"), "{ended}");
    database.remove().await;
}

/// What Prometheus gets; the service may still be starting.
async fn scrape(port: u16) -> String {
    let answer = tokio::sync::Mutex::new(String::new());
    until(
        async || {
            let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else {
                return false;
            };
            let request =
                format!("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.read_to_string(&mut *answer.lock().await).await.is_ok()
        },
        "somebody answers",
    )
    .await;
    answer.into_inner()
}
