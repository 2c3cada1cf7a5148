//! A server in memory that takes the place of the client: with faults, in any order of answers, and with a log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use pm_irr::{Ask, Failure, Features, Outcome, Query, Sources};
use tokio::sync::mpsc;

use super::rpsl::World;

#[expect(clippy::struct_excessive_bools, reason = "each is a way in which servers differ")]
pub struct Server {
    pub world: Arc<World>,
    /// Whether it answers `!a`.
    pub set_routes: bool,
    /// Whether it has said so before anybody asks.
    pub told: bool,
    /// Whether it answers `!m`.
    pub objects: bool,
    /// Answers to single questions, by the line that is sent.
    pub faults: HashMap<String, Outcome>,
    /// Nobody is there.
    pub dead: bool,
    /// Questions to which no answer comes at all.
    pub mute: Option<String>,
    /// Answers come in an order that follows from this; 0: in the order of the questions.
    pub seed: u64,
    /// Every batch of questions.
    pub log: Mutex<Vec<Vec<Query>>>,
}

impl Server {
    pub fn new(world: &Arc<World>) -> Self {
        Self {
            world: world.clone(),
            set_routes: true,
            told: false,
            objects: true,
            faults: HashMap::new(),
            dead: false,
            mute: None,
            seed: 0,
            log: Mutex::default(),
        }
    }

    pub fn of_rpsl(text: &str) -> Self {
        Self::new(&Arc::new(World::from_rpsl(&["RIPE", "RADB", "ALTDB"], text)))
    }

    pub fn with_fault(mut self, line: &str, outcome: Outcome) -> Self {
        self.faults.insert(line.to_owned(), outcome);
        self
    }

    /// The lines of each batch, those of other than the default sources with their sources.
    pub fn rounds(&self) -> Vec<Vec<String>> {
        let line = |query: &Query| match &query.sources {
            Sources::Default => query.to_string(),
            Sources::Only(list) => format!("{query} in {list}"),
        };
        self.log.lock().unwrap().iter().map(|batch| batch.iter().map(line).collect()).collect()
    }

    fn outcome(&self, query: &Query) -> Outcome {
        if self.dead {
            return Err(nobody());
        }
        if let Some(outcome) = self.faults.get(&query.to_string()) {
            return outcome.clone();
        }
        if !self.objects && query.to_string().starts_with("!m") {
            return Ok(pm_irr::Answer::Refused("Unrecognised command: m".to_owned()));
        }
        Ok(self.world.answer(query, self.set_routes))
    }
}

fn nobody() -> Failure {
    Failure("whois.example.net:43: connection refused".to_owned())
}

#[async_trait::async_trait]
impl Ask for Server {
    async fn features(&self) -> Result<Features, Failure> {
        if self.dead {
            return Err(nobody());
        }
        Ok(Features {
            sources: self.world.sources.clone(),
            set_routes: self.set_routes,
            ..Features::default()
        })
    }

    fn known(&self) -> Option<Features> {
        self.told.then(|| Features { set_routes: self.set_routes, ..Features::default() })
    }

    fn ask(&self, queries: Vec<Query>) -> mpsc::Receiver<(usize, Outcome)> {
        assert!(!queries.is_empty());
        self.log.lock().unwrap().push(queries.clone());
        let mut outcomes: Vec<_> = queries.iter().map(|query| self.outcome(query)).enumerate().collect();
        outcomes.retain(|(place, _)| self.mute != Some(queries[*place].to_string()));
        let mut state = self.seed;
        if state != 0 {
            for place in (1..outcomes.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                outcomes.swap(place, usize::try_from(state >> 33).unwrap() % (place + 1));
            }
        }
        let (sender, receiver) = mpsc::channel(4);
        tokio::spawn(async move {
            for outcome in outcomes {
                if sender.send(outcome).await.is_err() {
                    return;
                }
            }
        });
        receiver
    }
}
