//! Who holds a lock, and whether that process is certainly gone.
//!
//! An owner is written `host/boot/namespace/pid/start`: host name, the kernel's boot id, the process-id namespace, the
//! process id and its start time. On the same host and boot and in the same namespace, the last two say for certain
//! whether it still runs, so the lock of a killed process need not be waited out. Anywhere else only the lease counts.

use std::fs;

/// The owner text of this process.
pub fn this_process() -> String {
    let pid = std::process::id();
    let start = start_time(pid).unwrap_or_default();
    format!("{}/{pid}/{start}", place())
}

/// Whether the owner ran in our place and is certainly gone.
pub fn is_dead(owner: &str) -> bool {
    let Some((rest, start)) = owner.rsplit_once('/') else { return false };
    let Some((owner_place, pid)) = rest.rsplit_once('/') else { return false };
    let Ok(pid) = pid.parse() else { return false };
    // Where the processes of others are hidden (`hidepid`, proc(5)), not to be seen does not mean to be gone.
    let all_seen = fs::read_to_string("/proc/1/stat").is_ok();
    let known = all_seen && !start.is_empty() && owner_place.split('/').skip(1).all(|part| !part.is_empty());
    known && owner_place == place() && start_time(pid).as_deref() != Some(start)
}

/// The owner for people: host name and process id.
pub fn describe(owner: &str) -> String {
    let parts: Vec<&str> = owner.split('/').collect();
    match parts.as_slice() {
        [host, _, _, pid, _] => format!("process {pid} on {host}"),
        _ => owner.to_owned(),
    }
}

/// `host/boot/namespace`; the last two are empty where the kernel does not tell.
fn place() -> String {
    let read = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let host = read("/proc/sys/kernel/hostname").replace('/', "-");
    let boot: String = read("/proc/sys/kernel/random/boot_id").chars().take(8).collect();
    let namespace = fs::read_link("/proc/self/ns/pid")
        .map(|link| link.to_string_lossy().chars().filter(char::is_ascii_digit).collect::<String>())
        .unwrap_or_default();
    format!("{host}/{boot}/{namespace}")
}

/// Field 22 of `/proc/PID/stat` (`proc_pid_stat(5)`): clock ticks from boot to the start of the process. A process that
/// has ended and waits to be reaped (state `Z`) has none.
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18).map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_process_is_not_dead() {
        assert!(!is_dead(&this_process()));
    }

    #[test]
    fn a_process_that_ended_is_dead() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let start = start_time(child.id()).unwrap();
        let owner = format!("{}/{}/{start}", place(), child.id());
        assert!(!is_dead(&owner));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_dead(&owner));
    }

    #[test]
    fn nothing_is_known_of_other_places() {
        assert!(!is_dead("elsewhere/0a1b2c3d/4026531836/1/1"));
        assert!(!is_dead("nonsense"));
        assert!(!is_dead(""));
    }
}
