//! The bell of the queue: PostgreSQL tells those who listen that a job was put there. SQLite tells on demand that some other
//! connection has written, whatever it wrote. It only saves waiting: whoever listens still looks from time to time, because a
//! ring can be missed.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use sqlx::sqlite::SqlitePool;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::{Engine, Session, StoreError};

const CHANNEL: &str = "core_job_queued";
/// How long to wait before listening again, when the connection was lost.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);

/// How often the server is asked whether it is still there: a firewall that forgets a silent connection tells nobody.
const PROBE: Duration = Duration::from_mins(1);
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often SQLite is asked whether somebody has written.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Rings when somebody has put a job on the queue. Ends with its owner.
pub struct Bell {
    rung: Arc<Notify>,
    listening: JoinHandle<()>,
}

impl Bell {
    /// One that listens to the server, over a connection of the pool that it keeps.
    pub(crate) fn of_server(pool: PgPool) -> Self {
        Self::probing(pool, PROBE, PATIENCE)
    }

    fn probing(pool: PgPool, probe: Duration, patience: Duration) -> Self {
        Self::again_and_again(move |bell| {
            let pool = pool.clone();
            async move { listen(&pool, &bell, probe, patience).await }
        })
    }

    /// One that looks at the file, over a connection of the pool that it keeps.
    pub(crate) fn of_file(pool: SqlitePool) -> Self {
        Self::again_and_again(move |bell| {
            let pool = pool.clone();
            async move { look(&pool, &bell).await }
        })
    }

    fn again_and_again<F>(listen: impl Fn(Arc<Notify>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), sqlx::Error>> + Send,
    {
        let rung = Arc::new(Notify::new());
        let bell = Arc::clone(&rung);
        let listening = tokio::spawn(async move {
            loop {
                if let Err(error) = listen(Arc::clone(&bell)).await {
                    tracing::debug!(%error, "nobody tells of new jobs for now");
                }
                tokio::time::sleep(LISTEN_AGAIN).await;
            }
        });
        Self { rung, listening }
    }

    /// Waits for the next ring; one that came since the last time counts.
    pub async fn rung(&self) {
        self.rung.notified().await;
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(
    pool: &PgPool,
    bell: &Notify,
    probe: Duration,
    patience: Duration,
) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    // Nobody knows what was rung before.
    bell.notify_one();
    loop {
        // None: the connection was lost and made anew, and rings may have been missed.
        while let Ok(rung) = tokio::time::timeout(probe, listener.try_recv()).await {
            rung?;
            bell.notify_one();
        }
        let asked = tokio::time::timeout(patience, sqlx::query("SELECT 1").execute(&mut listener)).await;
        asked.map_err(|_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))??;
    }
}

/// <https://www.sqlite.org/pragma.html#pragma_data_version>: the number changes when another connection has committed.
async fn look(pool: &SqlitePool, bell: &Notify) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let mut last = None;
    loop {
        let version: i64 = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut *connection).await?;
        // The first look rings, too: nobody knows what came before it.
        if last.replace(version) != Some(version) {
            bell.notify_one();
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// Rings, once the transaction is committed.
pub(crate) async fn ring(session: &mut Session<'_>) -> Result<(), StoreError> {
    if session.engine() == Engine::Postgres {
        session.execute("SELECT pg_notify(?, '')", vec![CHANNEL.into()]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::testing::TestDatabase;

    /// Passes on what is said, until it is told to forget all connections without a word, as a firewall does.
    async fn firewall(server: String, forgets: Arc<AtomicBool>) -> u16 {
        async fn pass(
            from: impl tokio::io::AsyncRead,
            to: impl tokio::io::AsyncWrite,
            forgets: Arc<AtomicBool>,
        ) {
            let (mut from, mut to) = (Box::pin(from), Box::pin(to));
            let mut octets = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut octets).await {
                if !forgets.load(Ordering::SeqCst) && to.write_all(&octets[..count]).await.is_err() {
                    return;
                }
            }
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Only connections of before are forgotten.
                let forgets =
                    if forgets.load(Ordering::SeqCst) { Arc::default() } else { Arc::clone(&forgets) };
                let (read, write) = client.into_split();
                let (answers, asks) = TcpStream::connect(&server).await.unwrap().into_split();
                tokio::spawn(pass(read, asks, Arc::clone(&forgets)));
                tokio::spawn(pass(answers, write, forgets));
            }
        });
        port
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_bell_that_nobody_hears_any_more_is_hung_up_anew() {
        let Some(database) = TestDatabase::postgres().await else { return };
        let url = url::Url::parse(&database.url).unwrap();
        let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let forgets = Arc::new(AtomicBool::new(false));
        let port = firewall(server, Arc::clone(&forgets)).await;
        let mut through = url.clone();
        through.set_port(Some(port)).unwrap();
        through.set_host(Some("127.0.0.1")).unwrap();
        let direct = database.open().await;
        let pool = PgPool::connect_lazy(through.as_str()).unwrap();
        let short = Duration::from_millis(200);
        let bell = Bell::probing(pool, short, short);
        let rings = async || {
            ring(&mut direct.connection().await.unwrap().session()).await.unwrap();
            tokio::time::timeout(short, bell.rung()).await.is_ok()
        };
        let heard = async || while !rings().await {};
        tokio::time::timeout(Duration::from_secs(20), heard()).await.unwrap();
        forgets.store(true, Ordering::SeqCst);
        tokio::time::timeout(Duration::from_secs(40), heard()).await.unwrap();
        drop(bell);
        direct.close().await;
        database.remove().await;
    }
}
