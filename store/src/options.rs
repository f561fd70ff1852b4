//! How a store is opened.

use std::time::Duration;

/// What happens to a database whose schema is older than this release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Schema {
    /// It is brought up to date; an empty database, or none yet on SQLite, becomes Tidemill's.
    #[default]
    Migrate,
    /// It is refused, for a role that may not change tables.
    Require,
    /// It is left as it is, to look at it with [`Store::migrations`](crate::Store::migrations) and nothing else.
    Leave,
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// What PostgreSQL shows as the name of our sessions.
    pub application: String,
    /// How many connections read at once. Commits, other writes, listening and hints have their own.
    pub readers_max: u32,
    /// How long to wait for a connection.
    pub connect_within: Duration,
    /// What happens to an older schema.
    pub schema: Schema,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            application: "tidemill".to_owned(),
            readers_max: 8,
            connect_within: Duration::from_secs(10),
            schema: Schema::Migrate,
        }
    }
}
