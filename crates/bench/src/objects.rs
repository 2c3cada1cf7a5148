//! Objects for a measurement's database.

use std::sync::Arc;

use pm_store::changes::Author;
use pm_store::objects::model::Model;
use pm_store::objects::problems::Rules;
use pm_store::objects::record::Draft;
use pm_store::objects::secrets::Keyring;
use pm_store::objects::write::{self, Writing};
use pm_store::{Session, Transaction};

use crate::session::start_time;

/// Objects per statement.
const BATCH: usize = 1000;

/// The key of all secrets in these databases.
pub(crate) fn keyring() -> Arc<Keyring> {
    Arc::new(Keyring::new([7; 32], &[]))
}

/// An object with this name, also as its slug.
pub(crate) fn named(model: &'static Model, name: &str) -> Draft {
    Draft::new(model).with("name", name).with("slug", name)
}

/// Creates objects in a transaction.
pub(crate) struct Filler<'a> {
    pub(crate) session: Session<'a>,
    keyring: Arc<Keyring>,
    author: Author,
}

impl<'a> Filler<'a> {
    pub(crate) fn new(transaction: &'a mut Transaction<'_>) -> Self {
        let author = Author { user_id: None, user_name: "bench".into(), request_id: "bench".into() };
        Self { session: transaction.session(), keyring: keyring(), author }
    }

    /// Gives their numbers.
    pub(crate) async fn create(&mut self, drafts: &[Draft]) -> anyhow::Result<Vec<i64>> {
        let rules = Rules { checked: false, community_values: false };
        let mut ids = Vec::new();
        for batch in drafts.chunks(BATCH) {
            let writing = Writing { author: &self.author, now: start_time(), keyring: &self.keyring, rules };
            ids.extend(
                write::create(&mut self.session, writing, batch).await?.iter().map(|record| record.id),
            );
        }
        Ok(ids)
    }
}
