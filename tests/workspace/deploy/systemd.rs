//! The units.

use std::path::{Path, PathBuf};

use super::{COMMANDS, files, folder, read, seconds};

/// Section, key, value.
type Line = (String, String, String);

fn unit(path: &Path) -> Vec<Line> {
    let mut section = String::new();
    let mut all = Vec::new();
    for line in read(path).lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            name.clone_into(&mut section);
            continue;
        }
        let (key, value) = line
            .split_once('=')
            .unwrap_or_else(|| panic!("{}: `{line}`", path.display()));
        assert!(!section.is_empty(), "{}: `{line}`", path.display());
        all.push((section.clone(), key.to_owned(), value.to_owned()));
    }
    all
}

fn units() -> Vec<(PathBuf, Vec<Line>)> {
    let all = files(&folder().join("systemd")).into_iter();
    let services = all.filter(|path| path.extension().is_some_and(|ending| ending == "service"));
    let units: Vec<_> = services.map(|path| (path.clone(), unit(&path))).collect();
    assert_eq!(units.len(), 4, "standalone, scheduler, worker, web");
    units
}

#[test]
fn units_start_commands_that_exist_and_leave_them_no_rights() {
    for (path, unit) in units() {
        let service = |key: &str| {
            let mut lines = unit.iter().rev();
            let found = lines.find(|(section, name, _)| section == "Service" && name == key);
            found.map_or("", |(_, _, value)| value.as_str())
        };
        let shown = path.display();
        let command = service("ExecStart");
        let command = command.strip_prefix("/usr/local/bin/tidemill ");
        assert!(command.is_some_and(|it| COMMANDS.contains(&it)), "{shown}");
        for (key, value) in [
            ("Type", "exec"),
            ("User", "tidemill"),
            ("KillMode", "mixed"),
            ("NoNewPrivileges", "yes"),
            ("ProtectSystem", "strict"),
            ("ProtectHome", "yes"),
            ("CapabilityBoundingSet", ""),
            ("StateDirectory", "tidemill"),
        ] {
            assert_eq!(service(key), value, "{shown}: {key}");
        }
        assert!(
            unit.iter()
                .any(|(section, key, _)| section == "Install" && key == "WantedBy")
        );
    }
}

#[test]
fn units_wait_longer_than_running_attempts_have_to_end() {
    for (path, unit) in units() {
        let of = |key: &'static str| unit.iter().filter(move |(_, name, _)| name == key);
        let stop = of("TimeoutStopSec")
            .map(|(_, _, value)| seconds(value))
            .max();
        let grace = of("Environment")
            .filter_map(|(_, _, value)| value.strip_prefix("TIDEMILL_GRACE="))
            .map(seconds)
            .max();
        assert!(stop > grace, "{}: {stop:?}, {grace:?}", path.display());
    }
}

#[test]
fn units_read_secrets_only_from_credentials_that_they_load() {
    for (path, unit) in units() {
        let of = |key: &'static str| {
            let lines = unit.iter().filter(move |(_, name, _)| name == key);
            lines.map(|(_, _, value)| value.as_str())
        };
        let loaded: Vec<&str> = of("LoadCredential")
            .filter_map(|credential| credential.split_once(':'))
            .map(|(name, _)| name)
            .collect();
        let named: Vec<&str> = of("Environment")
            .filter_map(|line| line.split_once("=%d/"))
            .map(|(_, name)| name)
            .collect();
        assert_eq!(
            named.iter().collect::<std::collections::BTreeSet<_>>(),
            loaded.iter().collect(),
            "{}",
            path.display()
        );
        for line in of("Environment") {
            for secret in ["TIDEMILL_TOKEN=", "TIDEMILL_KEYS=", "TIDEMILL_DATABASE="] {
                assert!(!line.starts_with(secret), "{}: {line}", path.display());
            }
        }
    }
}
