//! Copies of a database.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pm_store::backup::{Backup, copy_to};
use pm_store::testing::TestDatabase;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_can_be_read_by_its_owner_only_even_while_it_is_made() {
    let database = TestDatabase::sqlite();
    let store = database.open().await;
    store.execute("CREATE TABLE filler (text TEXT)", vec![]).await.unwrap();
    let text = "x".repeat(1 << 20);
    for _ in 0..20 {
        store.execute("INSERT INTO filler VALUES (?)", vec![text.as_str().into()]).await.unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let (mut seen, mut number) = (Vec::new(), 0);
    // Until somebody has looked while a copy was made.
    while seen.is_empty() {
        number += 1;
        let file = directory.path().join(format!("{number}.db"));
        let partial = directory.path().join(format!("{number}.db.partial"));
        let done = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&done);
        let looking = std::thread::spawn(move || {
            let mut seen = Vec::new();
            while !over.load(Ordering::SeqCst) {
                if let Ok(found) = std::fs::metadata(&partial) {
                    seen.push(found.permissions().mode() & 0o777);
                }
            }
            seen
        });
        let copied = copy_to(&store, &file).await.unwrap();
        done.store(true, Ordering::SeqCst);
        seen = looking.join().unwrap();
        assert!(matches!(copied, Backup::Done(size) if size > 20 << 20), "{copied:?}");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_file(&file).unwrap();
    }
    seen.dedup();
    assert_eq!(seen, [0o600]);
    store.close().await;
}
