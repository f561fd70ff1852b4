//! What is on this machine, and what is near it.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use reqwest::Client;
use tidemill_scheduler::secrets::{KeyRing, SecretSource as _};
use tokio::time::Instant;

use super::{Findings, Mark};
use crate::config::Loaded;
use crate::google_secrets::GoogleSecrets;
use crate::keys::{self, KeysError};
use crate::serve::token::{self, TokenError};

const SYNCS: usize = 50;

/// Whether the data folder can be written, and how long its disk takes to keep something.
pub(super) fn data_folder(loaded: &Loaded, found: &mut Findings) {
    let folder = &loaded.settings.data_dir;
    let shown = folder.display();
    if !folder.exists() {
        let says = format!("{shown} is not there yet; it is made when it is needed");
        found.add(Mark::Fine, "data folder", says);
        return;
    }
    match sync_times(folder) {
        Ok(mut took) => {
            found.add(Mark::Fine, "data folder", format!("{shown} can be written"));
            found.add_speed("disk", "a small write to it", &mut took);
        }
        Err(error) => {
            let says = format!("{shown} cannot be written: {error}");
            found.add(Mark::Bad, "data folder", says);
        }
    }
}

/// What SQLite's commit waits for: that a few bytes at the end of a file are on the disk.
fn sync_times(folder: &Path) -> std::io::Result<Vec<Duration>> {
    let name = format!(".doctor-{}", std::process::id());
    let file = folder.join(name);
    let mut options = std::fs::OpenOptions::new();
    let mut opened = options.write(true).create_new(true).open(&file)?;
    let mut measure = || {
        let mut took = Vec::with_capacity(SYNCS);
        for _ in 0..SYNCS {
            let one = Instant::now();
            opened.write_all(&[0; 4096])?;
            opened.sync_data()?;
            took.push(one.elapsed());
        }
        Ok(took)
    };
    let took = measure();
    std::fs::remove_file(&file)?;
    took
}

/// Whether there is a key ring.
pub(super) fn keys(loaded: &Loaded, found: &mut Findings) -> Option<KeyRing> {
    match keys::find(loaded) {
        Ok(keys) => {
            let others = keys.ring.ids().count() - 1;
            let says = format!(
                "`{}` seals, {others} more unseal ({})",
                keys.ring.first(),
                keys.from
            );
            found.add(Mark::Fine, "keys", says);
            Some(keys.ring)
        }
        Err(error @ KeysError::Missing(_)) => {
            let file = keys::file(loaded);
            let says = format!("{error}; `standalone` makes {}", file.display());
            found.add(Mark::Odd, "keys", says);
            None
        }
        Err(error) => {
            found.add(Mark::Bad, "keys", error.to_string());
            None
        }
    }
}

/// Whether there is a token: given, or in the file that a scheduler on this machine made.
pub(super) fn token(loaded: &Loaded, found: &mut Findings) {
    match token::find(loaded) {
        Ok(_) if loaded.settings.token.is_some() => {
            let says = format!("given ({})", loaded.origin("token"));
            found.add(Mark::Fine, "token", says);
        }
        Ok(_) => found.add(Mark::Fine, "token", "in the data folder"),
        Err(error @ TokenError::None(_)) => found.add(Mark::Odd, "token", error.to_string()),
        Err(error) => found.add(Mark::Bad, "token", error.to_string()),
    }
}

/// Whether Secret Manager lets us in, if it is used.
pub(super) async fn secret_manager(loaded: &Loaded, client: &Client, found: &mut Findings) {
    let Some(source) = GoogleSecrets::of(&loaded.settings, client) else {
        return;
    };
    match source.fetch("tidemill-doctor").await {
        Ok(_) => found.add(Mark::Fine, "secrets", format!("{} answers", source.place())),
        Err(why) => found.add(Mark::Away, "secrets", format!("{}: {why}", source.place())),
    }
}
