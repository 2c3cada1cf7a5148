//! Every other platform, with NAPALM in a Python process.

use std::path::Path;

use pm_router::{HostKeys, How, Platform, connect};
use serde_json::json;

use super::seen::Seen;
use super::{change, read, target, wrong_password};

pub async fn shows_nothing() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bridge/python");
    let with = |fault: &str| {
        let directory = tempfile::tempdir().unwrap();
        let device = directory.path().join("device");
        std::fs::write(
            &device,
            json!({ "config": "neighbor 192.0.2.1 password Planted-running\n" }).to_string(),
        )
        .unwrap();
        let mut to = target("127.0.0.1:1".parse().unwrap(), Platform::Napalm);
        to.driver_name = "lab".into();
        to.python.clone_from(&python);
        to.credentials.password = Some("Planted's-1\\".into());
        to.host_keys = HostKeys::KnownHosts("/nonexistent".into());
        to.options.insert("device".into(), json!(device));
        to.options.insert("fault".into(), json!(fault));
        to.options.insert("enable_password".into(), json!("Planted-enable"));
        (directory, to)
    };
    let mut seen = Seen::default();
    let (_kept, to) = with("none:none");
    wrong_password(&mut seen, &to).await;
    let one = connect(&to).await.unwrap();
    read(&mut seen, &*one).await;
    change(&mut seen, &*one, How::Merge, "neighbor 192.0.2.2 password Planted-candidate\n", false).await;
    change(&mut seen, &*one, How::Replace, "neighbor 192.0.2.2 password Planted-candidate\n", true).await;
    change(&mut seen, &*one, How::Merge, "syntax error password Planted-candidate\n", true).await;
    one.close().await;
    for place in ["open", "facts", "neighbors", "config", "load", "commit"] {
        for what in ["secret", "crash"] {
            let (_kept, to) = with(&format!("{place}:{what}"));
            match connect(&to).await {
                Err(error) => seen.error(place, &error),
                Ok(one) => {
                    read(&mut seen, &*one).await;
                    change(&mut seen, &*one, How::Merge, "password Planted-candidate\n", true).await;
                }
            }
        }
    }
    seen.check("napalm", 12);
}
