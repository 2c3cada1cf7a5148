//! What the original rendered from its database, rendered after `import-original` has taken that database over.
//!
//! Runs over `$EXTRA_CASES/render` (`world/`, `cases/<name>/`), if that is set.

use crate::original;
use crate::recorded;
use crate::support;

use std::path::Path;
use std::sync::Arc;

use pm_render::MissingPrefixes;
use pm_store::Store;
use pm_store::objects::problems::ObjectError;
use pm_store::objects::secrets::Keyring;
use pm_store::testing::{each_engine, epoch};
use pm_tasks::render::{Snapshot, Wants, with_snapshot};
use pm_tasks::{ImportOriginal, Runner, secret_key};
use tokio_util::sync::CancellationToken;

/// Where a rendering from the store is meant to differ: case and reason.
const DIFFERENT: &[(&str, &str)] = &[
    ("err_communities_field", "the field of communities is given, as version 1.11 does and all manuals said"),
    ("filter_as_list", LISTS),
    ("filter_prefix_list", LISTS),
    ("full_frr_edge", LISTS),
    ("full_iosxr_r3", LISTS),
    ("full_openbgpd_edge", LISTS),
    ("mail_unicode_subject", LISTS),
];

/// The database there has lists that no IRR tool of today makes. With lists as they are kept here, these cases are equal
/// too, which the test looks at.
const LISTS: &str =
    "lists are kept sorted, prefixes in their shortest form, and without lower bounds that say nothing";

/// Takes the database over as the command does, and gives the keys of its secrets.
async fn taken_over(store: &Store, directory: &Path) -> Arc<Keyring> {
    let config = Arc::new(support::configured(&[("secret_key", &"long and secret ".repeat(4))]));
    let keyring = Arc::new(secret_key::keyring(&config, store).await);
    let runner = Runner {
        store: store.clone(),
        config,
        clock: support::HeldClock::at(epoch()),
        sink: Arc::new(support::Lines::default()),
        seed: 1,
        wait: false,
    };
    let task = ImportOriginal { directory: directory.to_owned(), dry_run: false };
    let finished = runner.run(&task, CancellationToken::new()).await.unwrap();
    assert_eq!(finished.exit, 0, "{}", finished.message);
    keyring
}

#[tokio::test]
async fn a_store_renders_what_the_original_renders() {
    let Some(root) = recorded::extra_cases() else { return };
    let tidied = Arc::new(original::tidied_world(&root.join("world")));
    each_engine(async |store| {
        let keyring = taken_over(&store, &root.join("world")).await;
        let mut transaction = store.begin_reading().await.unwrap();
        let mut session = transaction.session();
        // As a command does: what each template seems to need, and more if it reaches for more.
        let mut renderings = Vec::new();
        for (folder, name, flags) in recorded::cases(&root) {
            for (template, _, _) in recorded::PARTS {
                let Ok(text) = std::fs::read_to_string(folder.join(template)) else { continue };
                let adjust = |settings: &mut pm_render::Settings| {
                    settings.missing_prefixes = MissingPrefixes::Empty;
                    pm_tasks::render::set_password_forms(settings);
                };
                let mut wants = Wants::of([text.as_str()]);
                if let Some(asn) = flags["mail"]["asn"].as_i64() {
                    wants = wants.with_networks(&[asn]);
                }
                let render = |snapshot: &Snapshot| -> Result<_, ObjectError> {
                    Ok(recorded::render(&snapshot.world, &flags, &text, &adjust))
                };
                let rendered = with_snapshot(&mut session, &keyring, wants, render).await.unwrap();
                if DIFFERENT.iter().any(|(different, _)| *different == name) {
                    let wanted = recorded::render(&tidied, &flags, &text, &adjust);
                    assert!(
                        rendered.as_ref().ok() == wanted.as_ref().ok(),
                        "{name} differs in more than its lists"
                    );
                }
                renderings.push(rendered);
            }
        }
        let mut renderings = renderings.into_iter();
        let (count, failed) = recorded::differences(&root, DIFFERENT, |_, _| renderings.next().unwrap());
        println!("{} of {count} cases equal or meant to differ", count - failed.len());
        assert!(failed.is_empty(), "{} cases differ:\n{}", failed.len(), failed.join("\n"));
    })
    .await;
}
