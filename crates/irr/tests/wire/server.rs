//! Servers that follow a script, one connection at a time.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pm_irr::{Client, Family, Kind, Options, Outcome, Query, Sources};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// The sources that a server has; the first two are those that it takes by itself.
pub const SOURCES: [&str; 3] = ["RADB", "RIPE", "ARIN"];
/// What `!s-lc` gives.
pub const DEFAULT: &str = "RADB,RIPE";

/// Every line that a server read, with the number of the connection.
pub type Log = Arc<Mutex<Vec<(usize, String)>>>;

/// A listener that runs a script for each connection. It ends with its last connection when it is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub log: Log,
    open: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl Server {
    /// Connections are numbered from 0.
    pub async fn start<S, F>(script: S) -> Self
    where
        S: Fn(Session) -> F + Send + 'static,
        F: Future<Output = Option<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Log::default();
        let open = Arc::new(AtomicUsize::new(0));
        let (seen, counter) = (log.clone(), open.clone());
        let task = tokio::spawn(async move {
            let mut sessions = JoinSet::new();
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let session = script(Session::new(number, stream, seen.clone()));
                let counter = counter.clone();
                counter.fetch_add(1, Relaxed);
                sessions.spawn(async move {
                    session.await;
                    counter.fetch_sub(1, Relaxed);
                });
            }
        });
        Self { address, log, open, task: task.abort_handle() }
    }

    /// A server that answers everything as it should be.
    pub async fn sound() -> Self {
        Self::start(|mut session| async move {
            while let Some(query) = session.query().await {
                session.echo(&query).await?;
            }
            None
        })
        .await
    }

    /// Lines that were read so far.
    pub fn lines(&self) -> Vec<String> {
        self.log.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }

    /// How many of the lines read so far are this one.
    pub fn count(&self, line: &str) -> usize {
        self.lines().iter().filter(|seen| *seen == line).count()
    }

    /// Connections that have not ended.
    pub fn open(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// Connections that said something so far.
    pub fn connections(&self) -> usize {
        self.count("!!")
    }

    /// Options with this server alone, and time limits that tests can wait for.
    pub fn options(&self) -> Options {
        options(&[self])
    }

    /// A client of this server alone.
    pub fn client(&self) -> Client {
        Client::new(self.options()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Options with these servers.
pub fn options(servers: &[&Server]) -> Options {
    let mut options = Options::new(servers.iter().map(|server| server.address.to_string()).collect());
    options.retry_pause = Duration::from_millis(10);
    options
}

/// An address where nobody listens.
pub async fn closed_port() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

/// One connection, seen from the server.
pub struct Session {
    pub number: usize,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    log: Log,
    /// What is selected.
    pub sources: String,
    /// Answers leave in pieces of up to so many bytes, if not 0.
    pub piece: usize,
    /// Whether `!s-lc` and the like are known.
    pub old: bool,
}

impl Session {
    fn new(number: usize, stream: TcpStream, log: Log) -> Self {
        stream.set_nodelay(true).unwrap();
        let (reader, writer) = stream.into_split();
        let (reader, sources) = (BufReader::new(reader), DEFAULT.to_owned());
        Self { number, reader, writer, log, sources, piece: 0, old: false }
    }

    /// The next line; `None` when the client closed the connection or took leave.
    pub async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line).await.ok().filter(|count| *count > 0)?;
        let line = line.trim_end().to_owned();
        self.log.lock().unwrap().push((self.number, line.clone()));
        (line != "!q").then_some(line)
    }

    /// The next query; answers what a client says beside.
    pub async fn query(&mut self) -> Option<String> {
        loop {
            let line = self.line().await?;
            if !self.greets_or_selects(&line).await? {
                return Some(line);
            }
        }
    }

    /// Answers a part of the greeting, or a selection of sources; whether it was one.
    pub async fn greets_or_selects(&mut self, line: &str) -> Option<bool> {
        let answer = match line {
            "!!" => String::new(),
            "!v" | "!s-lc" | "!j-*" if self.old => "F Unrecognised command\n".to_owned(),
            "!a" if self.old => "F Unrecognised command: a\n".to_owned(),
            "!v" => data("IRRd -- version 4.5.4"),
            "!a" => "F Missing required set name for A query\n".to_owned(),
            "!s-lc" => data(DEFAULT),
            "!j-*" => data("ARIN:N:-\nRADB:N:1-7\nRIPE:N:5-9"),
            _ if line.starts_with("!n") || line.starts_with("!t") => "C\n".to_owned(),
            _ => match line.strip_prefix("!s") {
                Some(list) if list.split(',').all(|source| SOURCES.contains(&source)) => {
                    list.clone_into(&mut self.sources);
                    "C\n".to_owned()
                }
                Some(_) => "F One or more selected sources are unavailable.\n".to_owned(),
                None => return Some(false),
            },
        };
        self.send(answer.as_bytes()).await?;
        Some(true)
    }

    /// Answers with what was asked, and in which sources.
    pub async fn echo(&mut self, query: &str) -> Option<()> {
        let text = format!("{query} {}", self.sources);
        self.send(data(&text).as_bytes()).await
    }

    pub async fn send(&mut self, bytes: &[u8]) -> Option<()> {
        let piece = if self.piece == 0 { bytes.len().max(1) } else { self.piece };
        for piece in bytes.chunks(piece) {
            self.writer.write_all(piece).await.ok()?;
            if self.piece > 0 {
                tokio::task::yield_now().await;
            }
        }
        Some(())
    }

    /// Says nothing more until the client closes the connection.
    pub async fn hang(&mut self) -> Option<()> {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).await.ok()?;
        None
    }
}

/// An answer with this text.
pub fn data(text: &str) -> String {
    format!("A{}\n{text}\nC\n", text.len() + 1)
}

/// `!gAS…` for so many AS numbers, from the sources that the server takes by itself.
pub fn queries(count: usize) -> Vec<Query> {
    (0..count).map(|number| query(&format!("AS{number}"), &Sources::Default)).collect()
}

/// `!g` of a name.
pub fn query(name: &str, sources: &Sources) -> Query {
    Query { sources: sources.clone(), kind: Kind::Routes(Family::V4), name: name.to_owned() }
}

/// A selection.
pub fn only(list: &str) -> Sources {
    Sources::Only(list.into())
}

/// What a sound server answers to a query.
pub fn expected(query: &Query) -> String {
    let sources = match &query.sources {
        Sources::Default => DEFAULT,
        Sources::Only(list) => list,
    };
    format!("{query} {sources}")
}

/// Asks, and gives the outcomes in the order of the queries. Fails if one comes twice or not at all.
pub async fn ask(client: &Client, queries: &[Query]) -> Vec<Outcome> {
    use pm_irr::Ask;
    let mut receiver = client.ask(queries.to_vec());
    let mut outcomes: Vec<Option<Outcome>> = vec![None; queries.len()];
    while let Some((index, outcome)) = receiver.recv().await {
        assert!(outcomes[index].replace(outcome).is_none(), "query {index} is answered twice");
    }
    outcomes
        .into_iter()
        .enumerate()
        .map(|(index, outcome)| outcome.unwrap_or_else(|| panic!("{index}")))
        .collect()
}

/// How many of the queries have the answer of a sound server.
pub fn right(queries: &[Query], outcomes: &[Outcome]) -> usize {
    let is_right = |(query, outcome): &(&Query, &Outcome)| matches!(outcome, Ok(pm_irr::Answer::Data(text)) if *text == expected(query));
    queries.iter().zip(outcomes).filter(is_right).count()
}

/// The text of a failure.
pub fn failure(outcome: &Outcome) -> &str {
    match outcome {
        Err(pm_irr::Failure(text)) => text,
        Ok(answer) => panic!("an answer, not a failure: {answer:?}"),
    }
}

/// Waits until it is so; fails if it is not within a minute.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not come about");
}
