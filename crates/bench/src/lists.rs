//! The program's lists without the program: `pm-irr` alone, with no database, no job, no lock and no guard.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use futures::StreamExt as _;
use pm_irr::{
    Client, Content, Family, Limits, Lookup, Options, Prefix, Request, Resolved, Shape, Sources, Want, What,
};
use tokio::sync::mpsc;

/// Prefixes of the list that is aggregated.
const COUNT: usize = 1_000_000;
/// Answers that wait to be made into a list.
const WAITING: usize = 8;
/// Lists that are made at once.
const AT_ONCE: usize = 2;

/// Asks for all lists of these AS-SETs, makes them with `-A`, two at once as the tasks do, and prints how many entries
/// each has.
#[expect(clippy::print_stdout, reason = "the output is what the part is for")]
pub(crate) async fn run(host: &str, sources: &str, names: &[String]) -> anyhow::Result<()> {
    let client = Client::new(Options::new(vec![host.to_owned()]))?;
    let requests = names.iter().map(|name| request(name, sources)).collect::<anyhow::Result<Vec<_>>>()?;
    let (sender, mut resolved) = mpsc::channel(WAITING);
    let limits = Limits::default();
    let resolving = pm_irr::resolve(&client, requests, &limits, sender);
    let shape = Shape { aggregate: true, ..Shape::default() };
    let making = async {
        let made = futures::stream::poll_fn(|context| resolved.poll_recv(context))
            .ready_chunks(WAITING)
            .map(|some| tokio::task::spawn_blocking(move || made_of(some, shape)))
            .buffer_unordered(AT_ONCE);
        let mut made = std::pin::pin!(made);
        while let Some(some) = made.next().await {
            for (request, family, entries) in some?? {
                let name = names.get(request).context("an answer to no request")?;
                println!("ipv{} {name} {entries}", if family == Family::V4 { 4 } else { 6 });
            }
        }
        Ok(())
    };
    let ((), made) = tokio::join!(resolving, making);
    client.close().await;
    made
}

/// Makes lists, and counts their entries.
fn made_of(some: Vec<Resolved>, shape: Shape) -> anyhow::Result<Vec<(usize, Family, usize)>> {
    some.into_iter().map(|one| entries(one, shape)).collect()
}

/// Makes a list, and counts its entries.
fn entries(one: Resolved, shape: Shape) -> anyhow::Result<(usize, Family, usize)> {
    let What::Prefixes(family) = one.what else { bail!("a list that nobody asked for") };
    let entries = match one.lookup {
        Lookup::Found(Content::Prefixes { prefixes, ranges }) => {
            pm_irr::prefix_list(family, prefixes, &ranges, &shape).len()
        }
        Lookup::Empty => 0,
        other => bail!("list {}: {other:?}", one.request),
    };
    Ok((one.request, family, entries))
}

fn request(name: &str, sources: &str) -> anyhow::Result<Request> {
    Ok(Request {
        objects: vec![name.parse().with_context(|| name.to_owned())?],
        sources: Sources::Only(sources.into()),
        want: Want { ipv4: true, ipv6: true, as_list: false },
        ..Request::default()
    })
}

/// Makes a list of a million prefixes with `-A -r 8 -R 24`, in no order, `rounds` times, and prints the microseconds
/// that each took.
#[expect(clippy::print_stdout, reason = "the output is what the part is for")]
pub(crate) fn aggregate(rounds: u32) -> anyhow::Result<()> {
    let prefixes = invented();
    let arguments = ["-A", "-r", "8", "-R", "24"].map(str::to_owned);
    let shape = Shape::parse(&arguments, Family::V4)?;
    for _ in 0..rounds {
        let begun = Instant::now();
        let entries = pm_irr::prefix_list(Family::V4, prefixes.iter().copied(), &[], &shape);
        let took: Duration = begun.elapsed();
        ensure!((1..COUNT).contains(&entries.len()), "{} entries of {COUNT} prefixes", entries.len());
        println!("{}", took.as_micros());
    }
    Ok(())
}

/// Allocations of /16 to /20 and more specifics in them, distinct and in no order.
fn invented() -> Vec<Prefix> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut prefixes = Vec::with_capacity(COUNT);
    while prefixes.len() < COUNT {
        while prefixes.len() < COUNT {
            let length = 16 + random.below(5);
            let allocation = Prefix::new(Family::V4, u128::from(random.next()) << 64, length);
            prefixes.push(allocation);
            for _ in 0..random.below(40) {
                let length = if random.below(10) < 6 { 24 } else { length + random.below(24 - length) };
                let address = allocation.address() | (u128::from(random.next()) << 64 >> length);
                prefixes.push(Prefix::new(Family::V4, address, length));
            }
        }
        prefixes.sort_unstable();
        prefixes.dedup();
    }
    for at in (1..prefixes.len()).rev() {
        let other = random.index(at + 1);
        prefixes.swap(at, other);
    }
    prefixes.truncate(COUNT);
    prefixes
}

/// xorshift64: the same numbers in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u8) -> u8 {
        u8::try_from(self.next() % u64::from(end)).unwrap_or_default()
    }

    fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.next()).unwrap_or_default() % end
    }
}
