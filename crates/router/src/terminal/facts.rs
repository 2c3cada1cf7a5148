//! `show version` and `show running-config`.

use crate::Facts;

/// What IOS and IOS-XE say.
pub(super) fn ios(text: &str) -> Facts {
    let mut facts = Facts { vendor: "Cisco".to_owned(), ..Facts::default() };
    for line in text.lines().map(str::trim_end) {
        if let Some((name, time)) = line.split_once(" uptime is ")
            && !name.contains(' ')
            && facts.uptime.is_none()
        {
            name.clone_into(&mut facts.hostname);
            facts.uptime = age(time);
        } else if let Some((_, rest)) = line.split_once(", Version ")
            && facts.version.is_empty()
        {
            rest.split(',').next().unwrap_or_default().trim().clone_into(&mut facts.version);
        } else if line.to_ascii_lowercase().starts_with("cisco ")
            && (line.contains(" processor") || line.contains(" bytes of memory"))
            && facts.model.is_empty()
        {
            line.split_whitespace().nth(1).unwrap_or_default().clone_into(&mut facts.model);
        }
    }
    facts
}

/// What NX-OS says.
pub(super) fn nxos(text: &str) -> Facts {
    let mut facts = Facts { vendor: "Cisco".to_owned(), ..Facts::default() };
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("Device name:") {
            name.trim().clone_into(&mut facts.hostname);
        } else if let Some(time) = line.strip_prefix("Kernel uptime is ") {
            facts.uptime = age(time);
        } else if let Some(rest) =
            line.strip_prefix("NXOS: version ").or_else(|| line.strip_prefix("system:"))
            && facts.version.is_empty()
        {
            let rest = rest.trim();
            rest.strip_prefix("version ").unwrap_or(rest).trim().clone_into(&mut facts.version);
        } else if is_chassis(line) && facts.model.is_empty() {
            let model = line.get(6..).unwrap_or_default();
            model.split(" (").next().unwrap_or_default().trim().clone_into(&mut facts.model);
        }
    }
    facts
}

fn is_chassis(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.starts_with("cisco nexus") && line.contains("chassis")
}

/// Seconds, from `1 year, 2 weeks, 3 days, 4 hours, 5 minutes` or `3 day(s), 2 hour(s), 1 minute(s), 9 second(s)`.
fn age(text: &str) -> Option<u64> {
    let mut sum = 0_u64;
    for part in text.split(',') {
        let mut words = part.split_whitespace();
        let count: u64 = words.next()?.parse().ok()?;
        let unit = words.next()?;
        let units = [
            ("year", 365 * 86_400),
            ("week", 7 * 86_400),
            ("day", 86_400),
            ("hour", 3600),
            ("minute", 60),
            ("second", 1),
        ];
        let (_, seconds) = units.iter().find(|(name, _)| unit.starts_with(name))?;
        sum = sum.checked_add(count.checked_mul(*seconds)?)?;
    }
    Some(sum)
}

/// The configuration without what the command says of itself before it.
pub(super) fn configuration(text: &str) -> &str {
    let mut rest = text;
    loop {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let is_heading = line.trim().is_empty()
            || line.starts_with("Building configuration")
            || line.starts_with("Current configuration");
        if !is_heading || rest.is_empty() {
            return rest;
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::{age, configuration, ios, nxos};

    #[test]
    fn what_ios_is() {
        let old = ios(
            "Cisco IOS Software, 7200 Software (C7200-ADVENTERPRISEK9-M), Version 15.2(4)S5, RELEASE SOFTWARE (fc1)\n\
             ROM: System Bootstrap, Version 12.2(8r)B\nedge1 uptime is 1 year, 2 weeks, 3 minutes\n\
             Uptime for this control processor is 5 minutes\n\
             Cisco 7206VXR (NPE400) processor (revision A) with 491520K/32768K bytes of memory.\n",
        );
        assert_eq!((old.version.as_str(), old.model.as_str()), ("15.2(4)S5", "7206VXR"));
        assert_eq!((old.hostname.as_str(), old.uptime), ("edge1", Some(365 * 86_400 + 14 * 86_400 + 180)));
        let new = ios(
            "Cisco IOS XE Software, Version 17.03.02\nCisco IOS Software [Amsterdam], Virtual XE Software \
             (X86_64_LINUX_IOSD-UNIVERSALK9-M), Version 17.3.2, RELEASE SOFTWARE (fc3)\nedge2 uptime is 1 day, 2 hours\n\
             cisco CSR1000V (VXE) processor (revision VXE) with 1105351K/3075K bytes of memory.\n",
        );
        assert_eq!((new.version.as_str(), new.model.as_str()), ("17.03.02", "CSR1000V"));
        assert_eq!(ios("").version, "");
    }

    #[test]
    fn what_nx_os_is() {
        let found = nxos(
            "Cisco Nexus Operating System (NX-OS) Software\nSoftware\n  BIOS: version 07.66\n  NXOS: version 9.3(3)\nHardware\n  \
             cisco Nexus9000 C93180YC-EX chassis (Supervisor)\n  Device name: leaf1\n  \
             Kernel uptime is 12 day(s), 3 hour(s), 22 minute(s), 57 second(s)\n",
        );
        assert_eq!((found.version.as_str(), found.hostname.as_str()), ("9.3(3)", "leaf1"));
        assert_eq!(found.model, "Nexus9000 C93180YC-EX chassis");
        assert_eq!(found.uptime, Some(12 * 86_400 + 3 * 3600 + 22 * 60 + 57));
        let older = nxos("  system:    version 7.0(3)I7(4)\n");
        assert_eq!(older.version, "7.0(3)I7(4)");
    }

    #[test]
    fn what_stands_before_the_configuration() {
        let text = "Building configuration...\n\nCurrent configuration : 1234 bytes\n!\nhostname r1\n\nend\n";
        assert_eq!(configuration(text), "!\nhostname r1\n\nend\n");
        assert_eq!(configuration("\n\n"), "");
        assert_eq!(age("x days"), None);
    }
}
