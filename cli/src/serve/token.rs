//! The token between scheduler, workers and commands: given, or made once and kept in the data folder.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::config::Loaded;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("no token is given and there is none in {}; set `token` or `token_file` to the scheduler's", .0.display())]
    None(PathBuf),
    #[error("cannot read {}: {source}", file.display())]
    Read {
        file: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write {}: {source}; make the folder, or set `data_dir` to another", file.display())]
    Write {
        file: PathBuf,
        source: std::io::Error,
    },
}

/// How many random bytes a token has.
const BYTES: usize = 32;

fn place(loaded: &Loaded) -> PathBuf {
    loaded.settings.data_dir.join("token")
}

/// The token that is given, or the one that a scheduler on this machine made.
pub(crate) fn find(loaded: &Loaded) -> Result<String, TokenError> {
    if let Some(token) = &loaded.settings.token {
        return Ok(token.reveal().to_owned());
    }
    let file = place(loaded);
    match fs::read_to_string(&file) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(TokenError::None(file)),
        Err(source) => Err(TokenError::Read { file, source }),
    }
}

/// The same, and if there is none, one is made that only this user can read.
pub(crate) fn find_or_make(loaded: &Loaded) -> Result<String, TokenError> {
    match find(loaded) {
        Err(TokenError::None(file)) => make(&file),
        other => other,
    }
}

fn make(file: &Path) -> Result<String, TokenError> {
    let failed = |source| TokenError::Write {
        file: file.to_owned(),
        source,
    };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let token = random().map_err(failed)?;
    let mut options = OpenOptions::new();
    let created = options.write(true).create_new(true).mode(0o600).open(file);
    match created {
        Ok(mut created) => {
            created.write_all(token.as_bytes()).map_err(failed)?;
            Ok(token)
        }
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => fs::read_to_string(file)
            .map(|text| text.trim().to_owned())
            .map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

fn random() -> std::io::Result<String> {
    let mut bytes = [0; BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let mut token = String::with_capacity(2 * BYTES);
    for byte in bytes {
        let _ = write!(token, "{byte:02x}");
    }
    Ok(token)
}
