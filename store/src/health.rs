//! What `tidemill doctor` asks a database. None of it is in the way of whoever leads.

use tidemill_core::time::Timestamp;

use crate::bind::Args;
use crate::db::Database;
use crate::read::{BadCell, Read, Reader};
use crate::{Store, StoreError, sql};

/// What a database says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// What its clock shows; none if it has none of its own.
    pub clock: Option<Timestamp>,
    /// Its settings by name: `version`, `fsync`, `synchronous_commit`, `journal_mode`, `synchronous`.
    pub settings: Vec<(String, String)>,
}

impl Health {
    /// A setting.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        let found = self.settings.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

struct Setting(String, String);

impl Read for Setting {
    const TABLE: &'static str = "a setting";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self(from.string()?, from.string()?))
    }
}

impl Store {
    /// What the database says about itself.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn health(&self) -> Result<Health, StoreError> {
        let rows: Vec<Setting> = self.db().rows(&sql::HEALTH, Args::NONE).await?;
        let mut health = Health::default();
        for Setting(name, value) in rows {
            if name == "clock" {
                health.clock = value.parse().ok().map(Timestamp::from_micros);
            } else {
                health.settings.push((name, value));
            }
        }
        Ok(health)
    }

    /// Commits something that reaches the disk and changes no table, to see how long that takes. False where there is no
    /// such thing: on SQLite every commit takes the file from the one who leads.
    ///
    /// # Errors
    /// If it cannot be committed.
    pub async fn probe_commit(&self) -> Result<bool, StoreError> {
        if matches!(self.db(), Database::Sqlite(_)) {
            return Ok(false);
        }
        let _: Vec<i64> = self.db().write_rows(&sql::COMMIT_PROBE, Args::NONE).await?;
        Ok(true)
    }
}
