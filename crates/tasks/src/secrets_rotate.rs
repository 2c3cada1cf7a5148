//! `secrets rotate`: encrypts every stored secret under the newest key.
//!
//! Reads: the key file beside the database, the settings `secret_key` and `secret_key_previous`. Writes: the key file (a new
//! key at its head, unless the settings have one), in one transaction every secret of an object that is sealed under an older
//! key or not at all, and the texts of deployments, which are many, in batches of a transaction each. A run that ends early has
//! done a part, and the next one does the rest. The older keys stay in the file: another process may still seal with one, and a
//! backup needs the key of its time.

use pm_store::deployments;
use pm_store::jobs::Outcome;
use pm_store::objects::secrets::{Keyring, keys_in_use, random_text};
use pm_store::objects::write::reseal;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::{Done, Task, TaskContext, TaskError, secret_key};

/// The task's arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretsRotate {
    /// Make no new key; take the older ones out of the file afterwards.
    #[serde(default)]
    pub forget: bool,
}

#[async_trait::async_trait]
impl Task for SecretsRotate {
    fn name(&self) -> &'static str {
        "secrets_rotate"
    }

    fn label(&self) -> &'static str {
        "secrets.rotate"
    }

    fn arguments(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn lock_key(&self) -> Option<String> {
        Some("secrets_rotate".to_owned())
    }

    fn queueable(&self) -> Result<(), String> {
        Err("keys are rotated by the one who keeps them, and not as a background task".to_owned())
    }

    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        let file = secret_key::file_of(&context.store);
        let kept = file.as_deref().map(secret_key::read).transpose().map_err(TaskError::Failed)?.flatten();
        let by_setting = context.config.secret_key.is_some();
        if let (Some(file), Some(kept), false, false) = (&file, &kept, by_setting, self.forget) {
            let key = random_text()
                .ok_or_else(|| TaskError::Failed("the operating system gives no randomness".to_owned()))?;
            let keys: Vec<String> = std::iter::once(key).chain(kept.iter().cloned()).collect();
            secret_key::replace(file, &keys).map_err(TaskError::Failed)?;
            context.reporter.info(format!("{} has a new key.", file.display()));
        }
        let keyring = secret_key::keyring(&context.config, &context.store).await;
        let mut transaction = context.store.begin().await?;
        let mut session = transaction.session();
        context.hold_lock(&mut session).await?;
        let mut resealed = reseal(&mut session, &keyring).await?;
        context.commit(transaction).await?;
        resealed += of_deployments(context, &keyring).await?;
        let in_use = keys_in_use(&mut context.store.connection().await?.session()).await?;
        let total: i64 = in_use.values().sum();
        let stale: i64 =
            in_use.iter().filter(|(id, _)| keyring.current() != Some(id)).map(|(_, count)| count).sum();
        if self.forget && stale > 0 {
            return Err(TaskError::Failed(format!(
                "{stale} secrets were encrypted under an older key meanwhile, so none was forgotten: restart the processes \
                 that were started before the last rotation, and run it again"
            )));
        }
        if let (Some(file), Some(kept), true) = (&file, &kept, self.forget) {
            // A setting takes the place of the whole file.
            let left = if by_setting { &[] } else { &kept[..1] };
            if left.is_empty() {
                std::fs::remove_file(file)
                    .map_err(|error| TaskError::Failed(format!("{}: {error}", file.display())))?;
            } else {
                secret_key::replace(file, left).map_err(TaskError::Failed)?;
            }
        }
        let outcome = if resealed == 0 { Outcome::NothingToDo } else { Outcome::Ok };
        let summary = format!("{resealed} of {total} secrets were encrypted anew.");
        Ok(Done { outcome, summary, data: json!({ "resealed": resealed, "secrets": total }) })
    }
}

/// The texts of deployments, of which there may be gigabytes: in batches, so that others can write in between.
async fn of_deployments(context: &TaskContext, keyring: &Keyring) -> Result<u64, TaskError> {
    let (mut after, mut resealed) = (0, 0);
    loop {
        let mut transaction = context.store.begin().await?;
        let mut session = transaction.session();
        context.hold_lock(&mut session).await?;
        let Some((last, count)) = deployments::reseal(&mut session, keyring, after).await? else {
            transaction.rollback().await?;
            return Ok(resealed);
        };
        context.commit(transaction).await?;
        after = last;
        resealed += count;
        context.reporter.detail(format!("{resealed} texts of deployments were encrypted anew so far"));
    }
}
