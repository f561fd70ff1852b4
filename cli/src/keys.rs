//! The key ring of this process: from the setting `keys`, or from the file that is made for one machine.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};
use tidemill_scheduler::secrets::{KeyRing, KeyRingError, new_key};

use crate::config::{ConfigError, Loaded};
use crate::output::{INVALID, Output};

/// Why there is no key ring.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    /// The setting, or the file, is no key ring.
    #[error("the keys ({from}) are wrong: {source}")]
    Wrong {
        /// Where they are from.
        from: String,
        /// What is wrong.
        source: KeyRingError,
    },
    /// The file cannot be read or made.
    #[error("cannot use the key file {}: {source}", .file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The system gives no random bytes.
    #[error("cannot make a key: the system gives no random bytes")]
    NoRandom,
    /// Nobody gave any.
    #[error("{0}")]
    Missing(ConfigError),
}

/// The key ring, and where it is from.
#[derive(Debug)]
pub(crate) struct Keys {
    /// The ring.
    pub(crate) ring: KeyRing,
    /// Where it is from, for people.
    pub(crate) from: String,
}

/// The file of keys in the data folder.
pub(crate) fn file(loaded: &Loaded) -> PathBuf {
    loaded.settings.data_dir.join("keys")
}

/// The key ring of the setting, else of the file in the data folder.
///
/// # Errors
/// If there is none, or it is wrong.
pub(crate) fn find(loaded: &Loaded) -> Result<Keys, KeysError> {
    if let Some(keys) = &loaded.settings.keys {
        return read(keys.reveal(), &loaded.origin("keys").to_string());
    }
    let file = file(loaded);
    match std::fs::read_to_string(&file) {
        Ok(text) => read(&text, &file.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(KeysError::Missing(Loaded::missing("keys")))
        }
        Err(source) => Err(KeysError::File { file, source }),
    }
}

fn read(text: &str, from: &str) -> Result<Keys, KeysError> {
    let from = from.to_owned();
    match KeyRing::parse(text) {
        Ok(ring) => Ok(Keys { ring, from }),
        Err(source) => Err(KeysError::Wrong { from, source }),
    }
}

/// Makes the file of keys if nobody gave any: for one process on one machine. Says so.
///
/// # Errors
/// If it cannot be made.
pub(crate) fn make(loaded: &Loaded) -> Result<Option<String>, KeysError> {
    let file = file(loaded);
    if loaded.settings.keys.is_some() || file.exists() {
        return Ok(None);
    }
    let key = fresh().ok_or(KeysError::NoRandom)?;
    write_new(&file, &key).map_err(|source| KeysError::File {
        file: file.clone(),
        source,
    })?;
    Ok(Some(format!(
        "made {}: connections and variables are sealed with the key in it. Keep a copy apart from the database; without \
         it they are lost",
        file.display()
    )))
}

/// A new key, as `keys` takes it.
fn fresh() -> Option<String> {
    let random = SystemRandom::new();
    new_key(&random as &dyn SecureRandom)
}

/// Prints a new key.
pub(crate) fn print_new() -> Output {
    match fresh() {
        Some(key) => Output::data(key + "\n"),
        None => Output::failed(KeysError::NoRandom, INVALID),
    }
}

/// Readable by us alone, and only if it is not there: a key that exists is never written over.
fn write_new(file: &Path, key: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    let mut opened = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    opened.write_all(format!("{key}\n").as_bytes())?;
    opened.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::Environment;
    use crate::config::flags::GivenFlags;

    fn loaded(variables: &[(&str, &str)], folder: &Path) -> Loaded {
        let environment = Environment::new(variables.iter().copied(), folder);
        GivenFlags::default().load(&environment).unwrap()
    }

    #[test]
    fn a_key_file_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let loaded = loaded(&[], folder.path());
        assert!(matches!(find(&loaded), Err(KeysError::Missing(_))));
        let said = make(&loaded).unwrap().unwrap();
        assert!(said.contains("tidemill-data/keys"), "{said}");
        let mode = std::fs::metadata(file(&loaded)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        let first = find(&loaded).unwrap().ring.first().to_owned();
        assert_eq!(make(&loaded).unwrap(), None);
        assert_eq!(find(&loaded).unwrap().ring.first(), first);
    }

    #[test]
    fn keys_that_are_given_need_no_file_and_wrong_ones_say_where_they_are_from() {
        let folder = tempfile::tempdir().unwrap();
        let key = fresh().unwrap();
        let given = loaded(&[("TIDEMILL_KEYS", &key)], folder.path());
        assert_eq!(make(&given).unwrap(), None);
        assert_eq!(find(&given).unwrap().from, "variable TIDEMILL_KEYS");
        let wrong = loaded(&[("TIDEMILL_KEYS", "a:c2VjcmV0")], folder.path());
        let says = find(&wrong).unwrap_err().to_string();
        assert!(
            says.starts_with("the keys (variable TIDEMILL_KEYS) are wrong: the key `a` is not"),
            "{says}"
        );
    }
}
