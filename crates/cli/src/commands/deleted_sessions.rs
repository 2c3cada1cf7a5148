//! `sessions deleted` and `sessions forget`: sessions that are deleted here and may still be on their router.

use pm_store::tombstones::Tombstone;
use pm_tasks::{Editor, deleted_sessions};

use crate::app::EXIT_OK;
use crate::output::Output;

const HEADER: [&str; 9] = ["ID", "Router", "Address", "ASN", "Name", "Group", "VRF", "Deleted", "By"];

pub(super) async fn list(editor: &Editor, output: &Output, limit: Option<&str>) -> anyhow::Result<u8> {
    let found = deleted_sessions::list(editor, limit).await?;
    output.table("deleted_sessions", &found, &HEADER, cells)?;
    Ok(EXIT_OK)
}

pub(super) async fn forget(editor: &Editor, output: &Output, ids: &[i64]) -> anyhow::Result<u8> {
    let forgotten = deleted_sessions::forget(editor, ids).await?;
    output.table("forgotten", &forgotten, &HEADER, cells)?;
    output.remark(&format!("{} deleted sessions forgotten; no router was touched.", forgotten.len()));
    Ok(EXIT_OK)
}

fn cells(one: &Tombstone) -> Vec<String> {
    vec![
        one.id.to_string(),
        one.router_name.clone(),
        one.ip_address.to_string(),
        one.remote_asn.to_string(),
        one.remote_name.clone(),
        one.group_name.clone().unwrap_or_default(),
        one.vrf.clone().unwrap_or_default(),
        one.deleted_at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        one.deleted_by.clone(),
    ]
}
