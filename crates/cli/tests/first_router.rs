//! What `docs/installation.md` tells to do with the first router, with a real one: BIRD in place of Junos.

use std::path::Path;
use std::process::Command;

use crate::lab::{HOST, Lab};
use crate::support::Program;
use pm_router::DaemonKind;

/// The lines of the page's section that are to be typed.
fn told() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/installation.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once("\n## Your first router\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let lines: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    lines.join("\n")
}

#[test]
fn the_first_router_is_polled() {
    let Some(lab) = Lab::start(DaemonKind::Bird) else { return };
    let directory = tempfile::tempdir().unwrap();
    let program = Program::with_url(&format!("sqlite://{}", directory.path().join("test.db").display()))
        .set("secret_key", "k".repeat(50));
    let told = told();
    for expected in ["ssh-keyscan edge1.example.net", "router ping", "--platform junos", "poll_bgp_sessions"]
    {
        assert!(told.contains(expected), "{told}");
    }
    let told = told
        .replace("juniper-junos", "bird")
        .replace("--platform junos", "--platform bird")
        .replace("/tmp/edge1", program.path("edge1").to_str().unwrap());
    // With an /etc of its own, in which the router has its name.
    let script = format!(
        "set -e
        mount -t tmpfs tmpfs /mnt
        mkdir /mnt/upper /mnt/work
        mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
        rm -f /etc/ssh/ssh_known_hosts
        echo '{HOST} edge1.example.net' >>/etc/hosts
        mkdir -p /etc/peering-manager
        install -m 600 {} /etc/peering-manager/id
        peering-manager objects add platform name=BIRD slug=bird napalm_driver=bird
        {told}",
        lab.file("client").display(),
    );
    let binary = Path::new(env!("CARGO_BIN_EXE_peering-manager"));
    let system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let output = Command::new("unshare")
        .args(["--mount", "bash", "-c", &script])
        .env_clear()
        .env("HOME", program.path("home"))
        .env("PATH", format!("{}:{system}", binary.parent().unwrap().display()))
        .current_dir(program.path(""))
        .output()
        .unwrap();
    let said =
        format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("edge1.example.net is router (CZ.NIC BIRD"), "{said}");
    assert!(said.contains("192.0.2.2"), "{said}");
}
