//! NX-OS over NX-API.

use std::collections::BTreeMap;

use pm_lab::routers::nxapi::{self, NxApi};
use pm_router::{How, Platform, connect};
use serde_json::json;

use super::seen::Seen;
use super::{PASSWORD, change, read, target, wrong_password};

pub async fn shows_nothing() {
    let row = |address: &str, state: &str| json!({ "neighborid": address, "neighboras": 1, "state": state });
    let rows = json!([row("password Planted-said", "Idle"), row("192.0.2.1", "secret Planted-said")]);
    let summary = json!({ "TABLE_vrf": { "ROW_vrf": { "vrf-name-out": "default", "TABLE_af": { "ROW_af": { "af-id": 1,
        "TABLE_saf": { "ROW_saf": { "safi": 1, "TABLE_neighbor": { "ROW_neighbor": rows } } } } } } } });
    let answers = BTreeMap::from([
        ("show hostname".to_owned(), json!({ "hostname": "x" })),
        ("show bgp all summary vrf all".to_owned(), summary),
        ("show running-config".to_owned(), json!("router bgp 1\n  password 3 Planted-running\n")),
    ]);
    let options = nxapi::Options { user: "netops".into(), password: PASSWORD.into(), answers };
    let switch = NxApi::start(options).await.unwrap();
    let mut to = target(switch.address, Platform::Nxos);
    to.options.insert("transport".into(), json!("http"));
    to.python = "/nonexistent/python3".into();
    let mut seen = Seen::default();
    wrong_password(&mut seen, &to).await;
    let one = connect(&to).await.unwrap();
    read(&mut seen, &*one).await;
    change(&mut seen, &*one, How::Merge, "password 3 Planted-candidate\n", false).await;
    seen.check("nxos", 1);
}
