//! Whoever puts jobs on the queue keeps nobody from writing meanwhile.

use std::process::Command;
use std::time::Duration;

use crate::support::configured;
use crate::support::fake_routers::fill;
use pm_store::Store;
use pm_store::testing::{TestDatabase, epoch};
use pm_tasks::queue::{Origin, enqueue_each};
use pm_tasks::{AnyTask, PollBgpSessions};

/// A key on a file system that hangs; whoever reads it hangs as well, so it does so in a place of its own.
#[tokio::test]
async fn files_are_read_while_others_can_write() {
    for database in TestDatabase::each().await {
        let store = database.open().await;
        fill(&store).await;
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("key");
        assert!(Command::new("mkfifo").arg(&key).status().unwrap().success());
        let arguments = serde_json::json!({ "key_file": key }).to_string();
        store.execute("UPDATE devices_router SET napalm_args = ?", vec![arguments.into()]).await.unwrap();
        let url = database.url.clone();
        let asking = std::thread::spawn(move || {
            let asking = async {
                let store = Store::open(&url).await.unwrap();
                let config = configured(&[("secret_key", &"k".repeat(50)), ("napalm_username", "nobody")]);
                let task = AnyTask::PollBgpSessions(PollBgpSessions { limit: None });
                let spread = enqueue_each(&store, &config, &task, Origin::COMMAND_LINE, epoch()).await;
                store.close().await;
                spread
            };
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(asking)
        });
        // Opened to be written, a pipe waits for its reader: from then on the key is being read.
        let waits = key.clone();
        let opened = tokio::task::spawn_blocking(move || std::fs::OpenOptions::new().write(true).open(waits));
        let pipe = opened.await.unwrap().unwrap();
        let write = store.execute("UPDATE devices_router SET comments = 'written'", vec![]);
        let written = tokio::time::timeout(Duration::from_secs(5), write).await;
        // Each router has the same key.
        let plain = directory.path().join("plain");
        std::fs::write(&plain, "no key").unwrap();
        std::fs::rename(&plain, &key).unwrap();
        drop(pipe);
        let spread = tokio::task::spawn_blocking(|| asking.join()).await.unwrap().unwrap().unwrap();
        assert!(!spread.queued.is_empty(), "{spread:?}");
        written.unwrap().unwrap();
        store.close().await;
        database.remove().await;
    }
}
