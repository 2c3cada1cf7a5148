//! What of a running configuration stays the same as long as nobody changes it.

/// Beginnings of lines in which routers say when a configuration was read or changed, or how long it is: IOS-XR, Junos, IOS,
/// EOS, NX-OS.
const PASSING: [&str; 10] = [
    "!! ",
    "## Last ",
    "! Last configuration change",
    "! NVRAM config last updated",
    "! No configuration change since last restart",
    "! Command: ",
    "! Time: ",
    "!Time: ",
    "!Running configuration last done at",
    "Current configuration : ",
];

/// The text without what changes by itself, so that two readings can be compared.
pub fn lasting(text: &str) -> String {
    text.split_inclusive('\n')
        .filter(|line| !PASSING.iter().any(|passing| line.trim_start().starts_with(passing)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::lasting;

    #[test]
    fn times_do_not_count_and_everything_else_does() {
        let one = "!! Last configuration change at Mon Jan  5 02:30:00 2026 by netops\nhostname a\n! a remark\nend\n";
        let other = "!! Last configuration change at Tue Jan  6 02:30:00 2026 by netops\nhostname a\n! a remark\nend\n";
        assert_eq!(lasting(one), lasting(other));
        assert_eq!(lasting(one), "hostname a\n! a remark\nend\n");
        assert_eq!(lasting("## Last commit: 2026-01-05 by x\nversion 1;"), "version 1;");
    }
}
