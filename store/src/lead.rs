//! Taking the lead.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use crate::bind::Args;
use crate::commit::{Leader, micros};
use crate::db::Database;
use crate::read::{BadCell, Read, Reader};
use crate::sql::{LEADER_HOLDER, LEADER_TAKE};
use crate::{Store, StoreError};

/// Whoever stands by looks again at least this often: a leader that resigns is followed within this time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What became of a try to take the lead.
#[derive(Debug)]
#[must_use]
pub enum Lead {
    /// We lead.
    Taken(Leader),
    /// Somebody else does.
    Held {
        /// Who.
        by: String,
        /// How long the lease lasts if it is not renewed.
        rest: Duration,
    },
}

/// Who leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The term.
    pub term: i64,
    /// The name of whoever leads; empty if nobody does.
    pub name: String,
    /// How long the lease lasts if it is not renewed.
    pub rest: Duration,
}

impl Read for Holder {
    const TABLE: &'static str = "leader";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            term: from.int()?,
            name: from.string()?,
            rest: Duration::from_micros(from.count()?),
        })
    }
}

/// The lead as it was taken.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The term.
    pub(crate) term: i64,
    /// The hash of the last line that a leader wrote into the audit log.
    pub(crate) audit_hash: String,
}

impl Read for Taken {
    const TABLE: &'static str = "leader";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            term: from.int()?,
            audit_hash: from.string()?,
        })
    }
}

impl Store {
    /// Who leads.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn holder(&self) -> Result<Holder, StoreError> {
        let holder = self.db().row(&LEADER_HOLDER, Args::NONE).await?;
        holder.ok_or(StoreError::NoLeaderRow)
    }

    /// Takes the lead, waiting for as long as somebody else has it. On SQLite nobody can wait: one engine has the file.
    ///
    /// # Errors
    /// If the database cannot be written, or another engine runs on this SQLite file.
    pub async fn lead(&self, holder: &str, lease: Duration) -> Result<Leader, StoreError> {
        loop {
            match self.try_lead(holder, lease).await? {
                Lead::Taken(leader) => return Ok(leader),
                Lead::Held { rest, .. } => {
                    sleep(rest.clamp(Duration::from_millis(10), LOOK_EVERY)).await;
                }
            }
        }
    }

    /// Takes the lead, unless somebody else has it. A lease is by the clock of the database; that a paused leader changes
    /// nothing after it is not the lease's doing but the term's.
    ///
    /// # Errors
    /// If the database cannot be written, or another engine runs on this SQLite file.
    pub async fn try_lead(&self, holder: &str, lease: Duration) -> Result<Lead, StoreError> {
        let lock = match self.db() {
            Database::Sqlite(db) => Some(lock(&db.path)?),
            Database::Postgres(_) => None,
        };
        let args = Args::NONE.text(holder).int(micros(lease));
        let taken: Vec<Taken> = self.db().write_rows(&LEADER_TAKE, args).await?;
        if let Some(taken) = taken.into_iter().next() {
            let leader = Leader::new(self.clone(), taken, lease, lock);
            return Ok(Lead::Taken(leader));
        }
        let Holder { name: by, rest, .. } = self.holder().await?;
        Ok(Lead::Held { by, rest })
    }
}

/// Locks the file beside the database. The system frees it when the process ends, however it ends.
fn lock(database: &Path) -> Result<File, StoreError> {
    let mut name = OsString::from(database);
    name.push(".lock");
    let file = Path::new(&name).to_owned();
    let failed = |source| StoreError::Lock {
        file: file.clone(),
        source,
    };
    let mut options = File::options();
    let opened = options.create(true).truncate(false).write(true).open(&file);
    let opened = opened.map_err(failed)?;
    match opened.try_lock() {
        Ok(()) => Ok(opened),
        Err(TryLockError::WouldBlock) => Err(StoreError::OtherEngine {
            file: database.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
