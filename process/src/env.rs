//! What a child process inherits.

use std::ffi::{OsStr, OsString};

/// What a child inherits by name; everything that begins with `LC_` comes on top.
///
/// It is a list of what is let through, not of what is held back: the worker's own secrets have names that nobody can
/// list beforehand.
pub const INHERITED: [&str; 6] = ["HOME", "LANG", "PATH", "TMPDIR", "TZ", "USER"];

/// Where programs are looked for if nobody says.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The part of the worker's environment that its child processes may see.
///
/// Only the command line reads the process's environment. It makes one of these and provides it as a service; without
/// it a child has nothing but the default [`PATH`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseEnv(Vec<(OsString, OsString)>);

impl Default for BaseEnv {
    fn default() -> Self {
        Self::of(std::iter::empty::<(OsString, OsString)>())
    }
}

impl BaseEnv {
    /// What is let through of these variables: [`INHERITED`] and `LC_*`.
    ///
    /// ```
    /// use tidemill_process::BaseEnv;
    ///
    /// let env = BaseEnv::of([("PATH", "/bin"), ("LC_ALL", "C"), ("TIDEMILL_DATABASE_URL", "postgres://…")]);
    /// let names: Vec<_> = env.iter().map(|(name, _)| name.to_str().unwrap()).collect();
    /// assert_eq!(names, ["PATH", "LC_ALL"]);
    /// ```
    pub fn of<N: Into<OsString>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut kept: Vec<(OsString, OsString)> = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .filter(|(name, _)| is_inherited(name))
            .collect();
        if !kept.iter().any(|(name, _)| name == "PATH") {
            kept.push(("PATH".into(), PATH.into()));
        }
        Self(kept)
    }

    /// Its names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

fn is_inherited(name: &OsStr) -> bool {
    INHERITED.iter().any(|known| name == *known) || name.as_encoded_bytes().starts_with(b"LC_")
}
