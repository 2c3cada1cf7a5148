//! What monitoring shows, in numbers: tasks, the queue, workers, how old the data is, sessions, what guards hold. A fixed
//! number of statements, however much there is, which all see one moment.

use chrono::{DateTime, Utc};

use crate::deployments::Deployment;
use crate::jobs::{Outcome, Status};
use crate::notifications::{self, State};
use crate::polls::{SessionKind, UNKNOWN};
use crate::routers::Listed;
use crate::schedules::{self, Schedule, facts, schedulers};
use crate::{Session, Store, StoreError, deployments, events, queue, routers};

/// All of it.
#[derive(Clone, Debug)]
pub struct Vitals {
    /// The last run of each task that has ever run, by its name.
    pub runs: Vec<LastRun>,
    /// The jobs that are not over.
    pub open: Vec<Open>,
    /// The schedules, by name.
    pub schedules: Vec<Schedule>,
    /// The schedulers that have not signed off. Some may be gone all the same.
    pub schedulers: Vec<schedulers::Sign>,
    /// The workers that have not signed off. Some may be gone all the same.
    pub workers: Vec<queue::Worker>,
    /// When the PeeringDB namespace that has waited longest was synchronised; nothing if there was no synchronisation.
    pub peeringdb: Option<DateTime<Utc>>,
    /// Prefix and AS lists.
    pub lists: Vec<Lists>,
    /// How old the prefix lists are, see [`facts::irr_answered`]; nothing if there are none.
    pub prefix_lists: Option<DateTime<Utc>>,
    /// The routers, by name.
    pub routers: Vec<Listed>,
    /// The sessions, in groups.
    pub sessions: Vec<Sessions>,
    /// Routers to which a guard lets no configuration.
    pub refused: i64,
    /// Since when deployments are frozen, if they are.
    pub frozen: Option<DateTime<Utc>>,
    /// Notifications, by where they stand.
    pub notifications: Vec<(State, i64)>,
    /// When what is still to be told happened, or was made into a notification: the oldest of it.
    pub untold: Option<DateTime<Utc>>,
    /// Deployments whose end is not known, see [`deployments::unsettled`].
    pub unsettled: Vec<Deployment>,
    /// Octets that the database takes on disk.
    pub database_size: i64,
}

/// How a task's last run went; of jobs that were asked for together, the one that went worst. One that never began is none,
/// and neither is a rehearsal (`dry_run`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastRun {
    /// The task.
    pub task: String,
    /// How it ended.
    pub status: Status,
    /// How well.
    pub outcome: Option<Outcome>,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it ended.
    pub ended: DateTime<Utc>,
    /// When the last run ended that did all it should.
    pub succeeded: Option<DateTime<Utc>>,
    /// How many of them a guard refused.
    pub refused: i64,
}

/// Jobs that are not over, of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Where they stand.
    pub place: Place,
    /// The queue that they are on; nothing for those that a command runs itself.
    pub queue: Option<String>,
    /// How many.
    pub count: i64,
    /// When the first of them was asked for.
    pub since: DateTime<Utc>,
}

/// Where a job stands that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// It waits for a worker.
    Waiting,
    /// A process has it, and waits for its lock.
    Pending,
    /// It runs.
    Running,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Pending, Self::Running];

    /// As it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Pending => "pending",
            Self::Running => "running",
        }
    }
}

/// Prefix and AS lists that stand alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lists {
    /// Where they stand, see [`crate::irr::Stand`].
    pub state: String,
    /// How many.
    pub count: i64,
    /// Of how many a newer one is held back.
    pub held: i64,
    /// Of how many the last look failed.
    pub failing: i64,
}

/// Sessions of one kind that stand alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// Their kind.
    pub kind: SessionKind,
    /// Where they stand with people, such as `enabled`.
    pub status: String,
    /// How the last poll found them, `unknown` if none did.
    pub state: String,
    /// How many.
    pub count: i64,
}

/// Reads all of it.
///
/// # Errors
/// Those of the database.
pub async fn read(store: &Store) -> Result<Vitals, StoreError> {
    let mut transaction = store.begin_reading().await?;
    let mut session = transaction.session();
    let told = notifications::counts_in(&mut session).await?;
    let untold = told.iter().filter(|(state, ..)| state.is_to_be_sent()).map(|(.., oldest)| *oldest);
    let events = events::waiting_in(&mut session).await?.1;
    let vitals = Vitals {
        runs: last_runs(&mut session).await?,
        open: open_jobs(&mut session).await?,
        schedules: schedules::list(&mut session).await?,
        schedulers: schedulers::list(&mut session).await?,
        workers: queue::workers_in(&mut session).await?,
        peeringdb: synchronised(&mut session).await?,
        lists: lists(&mut session).await?,
        prefix_lists: facts::irr_answered(&mut session).await?,
        routers: routers::list(&mut session).await?,
        sessions: sessions(&mut session).await?,
        refused: refused(&mut session).await?,
        frozen: deployments::frozen(&mut session).await?.map(|freeze| freeze.begun),
        notifications: told.iter().map(|(state, count, _)| (*state, *count)).collect(),
        untold: untold.chain(events).min(),
        unsettled: deployments::unsettled(&mut session).await?,
        database_size: crate::health::size_in(&mut session).await?,
    };
    transaction.rollback().await?;
    Ok(vitals)
}

/// The run of each task that ended last; of those that were asked for together with it, such as one for each router, the one
/// that went worst. One that is done again counts as little as one that went well.
///
/// It looks each task up: there may be millions of jobs.
const LAST_RUNS: &str = r#"
WITH RECURSIVE tasks (task) AS (
    SELECT (SELECT j.task FROM core_job j WHERE j.completed IS NOT NULL ORDER BY j.task LIMIT 1)
    UNION ALL
    SELECT (SELECT j.task FROM core_job j WHERE j.completed IS NOT NULL AND j.task > tasks.task ORDER BY j.task LIMIT 1)
    FROM tasks WHERE tasks.task IS NOT NULL
), newest AS (
    SELECT task,
        (SELECT j.id FROM core_job j WHERE j.task = tasks.task AND j.completed IS NOT NULL AND j.started IS NOT NULL
            AND j.arguments NOT LIKE '%"dry_run":true%' ORDER BY j.completed DESC, j.id DESC LIMIT 1) AS id,
        (SELECT j.completed FROM core_job j WHERE j.task = tasks.task AND j.completed IS NOT NULL
            AND j.started IS NOT NULL AND j.arguments NOT LIKE '%"dry_run":true%'
            AND j.status = 'completed' AND COALESCE(j.outcome, '') <> 'partial'
            ORDER BY j.completed DESC, j.id DESC LIMIT 1) AS succeeded
    FROM tasks WHERE task IS NOT NULL
), ran AS (
    SELECT j.id, j.task, j.status, j.outcome, j.started, j.completed, n.succeeded,
        CASE WHEN j.exit_code = 3 THEN 1 ELSE 0 END AS refused,
        CASE WHEN EXISTS (SELECT 1 FROM core_job r WHERE r.repeat_of = j.id) THEN 0
             WHEN j.status IN ('failed', 'errored') OR j.outcome = 'lost' THEN 3
             WHEN j.status = 'cancelled' THEN 2
             WHEN j.outcome = 'partial' THEN 1 ELSE 0 END AS harm
    FROM newest n JOIN core_job f ON f.id = n.id JOIN core_job j ON (j.id = f.id OR j.batch = f.batch)
    WHERE j.task = f.task AND j.completed IS NOT NULL AND j.started IS NOT NULL
        AND j.arguments NOT LIKE '%"dry_run":true%'
)
SELECT task, status, outcome, started, completed, succeeded, all_refused FROM (
    SELECT ran.*, CAST(SUM(refused) OVER (PARTITION BY task) AS BIGINT) AS all_refused,
        ROW_NUMBER() OVER (PARTITION BY task ORDER BY harm DESC, completed DESC, id DESC) AS place
    FROM ran) t
WHERE place = 1 ORDER BY task"#;

async fn last_runs(session: &mut Session<'_>) -> Result<Vec<LastRun>, StoreError> {
    let rows = session.rows(LAST_RUNS, vec![]).await?;
    let runs = rows.iter().map(|row| {
        let status: String = row.get(1)?;
        Ok(LastRun {
            task: row.get(0)?,
            status: Status::parse(&status).ok_or_else(|| StoreError::Data(format!("job status {status}")))?,
            outcome: row.get::<Option<String>, _>(2)?.as_deref().and_then(Outcome::parse),
            started: row.get(3)?,
            ended: row.get(4)?,
            succeeded: row.get(5)?,
            refused: row.get(6)?,
        })
    });
    runs.collect()
}

/// Routers whose newest deployment, rehearsals apart, is one that a guard refused, unless a later run found that there is nothing
/// to change any more.
const REFUSED: &str = r#"
SELECT COUNT(*) FROM devices_router r JOIN devices_deployment d ON d.id = (
    SELECT n.id FROM devices_deployment n LEFT JOIN core_job j ON j.id = n.job_id
    WHERE n.router_id = r.id AND n.status <> 'planned' AND COALESCE(j.arguments, '') NOT LIKE '%"dry_run":true%'
    ORDER BY n.id DESC LIMIT 1)
WHERE d.status = 'refused' AND d.passed IS NULL"#;

async fn refused(session: &mut Session<'_>) -> Result<i64, StoreError> {
    session.row(REFUSED, vec![]).await?.map_or(Ok(0), |row| row.get(0))
}

async fn open_jobs(session: &mut Session<'_>) -> Result<Vec<Open>, StoreError> {
    let sql = "SELECT CASE WHEN status = 'running' THEN 'running' WHEN owner IS NULL THEN 'waiting' ELSE 'pending' END, \
               queue, COUNT(*), MIN(created) FROM core_job WHERE status IN ('pending', 'running') GROUP BY 1, 2";
    let rows = session.rows(sql, vec![]).await?;
    let open = rows.iter().map(|row| {
        let place: String = row.get(0)?;
        let place = Place::ALL.into_iter().find(|one| one.as_str() == place).unwrap_or(Place::Pending);
        Ok(Open { place, queue: row.get(1)?, count: row.get(2)?, since: row.get(3)? })
    });
    open.collect()
}

async fn synchronised(session: &mut Session<'_>) -> Result<Option<DateTime<Utc>>, StoreError> {
    let row = session.row("SELECT MIN(synchronised) FROM peeringdb_watermark", vec![]).await?;
    row.map_or(Ok(None), |row| row.get(0))
}

async fn lists(session: &mut Session<'_>) -> Result<Vec<Lists>, StoreError> {
    let sql = "SELECT state, COUNT(*), COUNT(held_id), COUNT(failure) FROM peering_irrstate GROUP BY state ORDER BY state";
    let rows = session.rows(sql, vec![]).await?;
    let lists = rows.iter().map(|row| {
        Ok(Lists { state: row.get(0)?, count: row.get(1)?, held: row.get(2)?, failing: row.get(3)? })
    });
    lists.collect()
}

async fn sessions(session: &mut Session<'_>) -> Result<Vec<Sessions>, StoreError> {
    let mut found = Vec::new();
    for kind in SessionKind::ALL {
        let sql = format!(
            "SELECT s.status, COALESCE(p.state, '{UNKNOWN}'), COUNT(*) FROM {} s \
             LEFT JOIN peering_sessionpoll p ON p.{} = s.id GROUP BY 1, 2 ORDER BY 1, 2",
            kind.table(),
            kind.column()
        );
        for row in session.rows(&sql, vec![]).await? {
            found.push(Sessions { kind, status: row.get(0)?, state: row.get(1)?, count: row.get(2)? });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Engine;
    use crate::testing::each_engine;

    #[tokio::test]
    async fn the_last_runs_are_looked_up() {
        each_engine(async |store| {
            if store.engine() == Engine::Sqlite {
                let plan = store.rows(&format!("EXPLAIN QUERY PLAN {LAST_RUNS}"), vec![]).await.unwrap();
                let steps: Vec<String> = plan.iter().map(|row| row.get(3).unwrap()).collect();
                let jobs = |step: &&String| {
                    ["j", "f", "r"].iter().any(|name| step.starts_with(&format!("SCAN {name}")))
                };
                let all: Vec<&String> =
                    steps.iter().filter(jobs).filter(|step| !step.contains("INDEX core_job_ended")).collect();
                assert!(all.is_empty(), "{steps:#?}");
            }
            let mut connection = store.connection().await.unwrap();
            assert_eq!(last_runs(&mut connection.session()).await.unwrap(), []);
        })
        .await;
    }

    /// A run of `configure_routers` that is over.
    async fn job(store: &Store, batch: &str, exit: i64, arguments: &str, ended: DateTime<Utc>) {
        let sql = "INSERT INTO core_job (job_id, name, task, status, arguments, batch, exit_code, created, started, completed) \
                   VALUES (?, '', 'configure_routers', 'completed', ?, ?, ?, ?, ?, ?)";
        let mut row = vec![uuid::Uuid::new_v4().to_string().into(), arguments.into(), batch.into()];
        row.extend([exit.into(), ended.into(), ended.into(), ended.into()]);
        store.execute(sql, row).await.unwrap();
    }

    #[tokio::test]
    async fn what_guards_refused_is_counted_for_all_jobs_of_a_run() {
        each_engine(async |store| {
            let now = crate::testing::epoch();
            for (batch, exit) in [("old", 3), ("new", 4), ("new", 3)] {
                let ended = now + chrono::TimeDelta::seconds(if batch == "new" { 60 } else { 0 });
                job(&store, batch, exit, "{}", ended).await;
            }
            let mut connection = store.connection().await.unwrap();
            let [run] = last_runs(&mut connection.session()).await.unwrap().try_into().unwrap();
            assert_eq!(run.refused, 1);
        })
        .await;
    }

    #[tokio::test]
    async fn a_router_is_refused_until_something_goes_through() {
        each_engine(async |store| {
            let now = crate::testing::epoch();
            let sql = "INSERT INTO devices_router (created, updated, name, hostname) VALUES (?, ?, ?, 'host')";
            for name in ["edge1", "edge2"] {
                store.execute(sql, vec![now.into(), now.into(), name.into()]).await.unwrap();
            }
            let deployed = async |router: &str, status: &str, dry_run: bool| {
                job(&store, "", 0, &format!(r#"{{"dry_run":{dry_run}}}"#), now).await;
                let sql = "INSERT INTO devices_deployment (router_id, router_name, job_id, user_name, begun, status, template, \
                           load_mode, forced, input_hash, candidate, running, diff, added, removed, sessions, warnings) \
                           SELECT r.id, r.name, (SELECT MAX(id) FROM core_job), '', ?, ?, '', '', FALSE, '', '', '', '', 0, 0, \
                           '[]', '[]' FROM devices_router r WHERE r.name = ?";
                store.execute(sql, vec![now.into(), status.into(), router.into()]).await.unwrap();
                refused(&mut store.connection().await.unwrap().session()).await.unwrap()
            };
            assert_eq!(deployed("edge1", "refused", false).await, 1);
            assert_eq!(deployed("edge2", "refused", false).await, 2);
            assert_eq!(deployed("edge1", "confirmed", false).await, 1, "the other one is as it was");
            assert_eq!(deployed("edge1", "refused", true).await, 1, "a rehearsal");
            assert_eq!(deployed("edge2", "planned", true).await, 1, "a plan");
            let mut connection = store.connection().await.unwrap();
            let mut session = connection.session();
            deployments::nothing_against(&mut session, &["edge1".into()], now).await.unwrap();
            assert_eq!(refused(&mut session).await.unwrap(), 1);
            deployments::nothing_against(&mut session, &["edge2".into()], now).await.unwrap();
            assert_eq!(refused(&mut session).await.unwrap(), 0, "the old configuration is wanted again");
            assert_eq!(deployed("edge2", "refused", false).await, 1);
        })
        .await;
    }

    /// Lists of networks: the days since each was answered for, and where it stands.
    async fn age(store: &Store, lists: impl Iterator<Item = (Option<i64>, &str)>) -> Option<i64> {
        store.execute("DELETE FROM peering_autonomoussystem", vec![]).await.unwrap();
        let now = crate::testing::epoch();
        for (at, (answered, state)) in lists.enumerate() {
            let asn = i64::try_from(at).unwrap() + 1;
            let sql =
                "INSERT INTO peering_autonomoussystem (created, updated, asn, name) VALUES (?, ?, ?, 'Peer')";
            store.execute(sql, vec![now.into(), now.into(), asn.into()]).await.unwrap();
            let sql = "INSERT INTO peering_irrstate (autonomous_system_id, kind, state, checked, answered, failure) \
                       SELECT id, 'ipv4', ?, ?, ?, 'no answer' FROM peering_autonomoussystem WHERE asn = ?";
            let answered = answered.map(|days| now - chrono::TimeDelta::days(days));
            store.execute(sql, vec![state.into(), now.into(), answered.into(), asn.into()]).await.unwrap();
        }
        let mut connection = store.connection().await.unwrap();
        let found = facts::irr_answered(&mut connection.session()).await.unwrap();
        found.map(|time| (now - time).num_days())
    }

    #[tokio::test]
    async fn prefix_lists_are_as_old_as_most_of_them() {
        each_engine(async |store| {
            let current = |days| (Some(days), "current");
            assert_eq!(age(&store, std::iter::empty()).await, None);
            assert_eq!(
                age(&store, [current(1), current(3), (Some(9), "off"), (None, "missing")].into_iter()).await,
                Some(3)
            );
            // One of many answers.
            assert_eq!(age(&store, (0..20).map(|at| current(if at == 0 { 0 } else { 5 }))).await, Some(5));
            // A tenth may be older, and never answered for is older than all.
            let some =
                |old: i64| (0..20).map(move |at| if at < old { (None, "current") } else { current(1) });
            assert_eq!(age(&store, some(2)).await, Some(1));
            assert_eq!(age(&store, some(3)).await, None);
        })
        .await;
    }
}
