//! The page of the guide about settings, from the table.

use std::fmt::Write as _;

use crate::config::settings::{Group, TABLE};

const HEAD: &str = "# Configuration

<!-- Made from the table in cli/src/config/settings.rs: `config guide > docs/guide/configuration.md`. -->

A setting can be given in three places. A flag wins over a variable, a variable over the file, the file over the default.

| place | how |
| --- | --- |
| flag | `--lease 45s`; a command has flags for the settings that matter to it |
| variable | `TIDEMILL_LEASE=45s`; one that is set to nothing counts as not set |
| file | `lease = \"45s\"` in `tidemill.toml` in the folder where the process starts, or in the file that `--config` or `TIDEMILL_CONFIG` names |

`config show` lists every setting in force and where it came from. Secrets and passwords are never shown. A key in the file
that is no setting is an error, a `TIDEMILL_*` variable that is none is a warning; both name the setting that was probably
meant. Lists are written with commas (`--queues default,spark`), or as a list in the file (`queues = [\"default\", \"spark\"]`).
Relative names of files start from the folder where the process was started.
";

/// The page.
pub(crate) fn guide() -> String {
    let mut page = HEAD.to_owned();
    for (group, heading) in Group::ALL {
        // Writing into a String cannot fail.
        let _ = write!(
            page,
            "\n## {heading}\n\n| key | variable | what | default | what it does |\n| --- | --- | --- | --- | --- |\n"
        );
        for setting in TABLE.iter().filter(|setting| setting.group == group) {
            let default = match setting.default {
                None | Some("") => String::new(),
                Some(text) => format!("`{text}`"),
            };
            let _ = writeln!(
                page,
                "| `{}` | `{}` | {} | {default} | {} |",
                setting.key,
                setting.variable(),
                setting.kind.trim().replace("` `", "`, `"),
                setting.doc.trim(),
            );
        }
    }
    page
}
