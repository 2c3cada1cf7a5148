//! Whoever changes objects at the command line.

use pm_config::Config;
use pm_store::Store;
use pm_store::changes::Author;
use pm_store::objects::problems::Rules;
use pm_store::objects::secrets::Keyring;
use pm_store::objects::write::Writing;

use crate::{Clock, secret_key};

/// Database, keys, author and time for changes of objects that belong together. For what is no task: a change that takes
/// no time needs no job and no lock.
pub struct Editor {
    /// The database.
    pub store: Store,
    /// Keys for secrets.
    pub keyring: Keyring,
    /// Who the change log names.
    pub author: Author,
    /// The time of all changes.
    pub now: chrono::DateTime<chrono::Utc>,
    /// Which rules hold.
    pub rules: Rules,
}

impl Editor {
    /// Somebody whom the change log calls `name`, under the settings' rules.
    pub async fn new(store: &Store, config: &Config, clock: &dyn Clock, name: &str) -> Self {
        Self {
            store: store.clone(),
            keyring: secret_key::keyring(config, store).await,
            author: Author {
                user_id: None,
                user_name: name.to_owned(),
                request_id: uuid::Uuid::new_v4().to_string(),
            },
            now: clock.now(),
            rules: rules(config),
        }
    }

    /// How it writes, under other rules.
    pub fn writing(&self, rules: Rules) -> Writing<'_> {
        Writing { author: &self.author, now: self.now, keyring: &self.keyring, rules }
    }
}

/// The rules that the settings ask for.
pub(crate) fn rules(config: &Config) -> Rules {
    Rules { checked: true, community_values: config.validate_bgp_community_value }
}
