//! The leader: the only one who commits.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Batch, CommitOutcome, Resolved, Settled, Tried};
use crate::bind::Args;
use crate::lead::Taken;
use crate::read::{BadCell, Read, Reader};
use crate::record::Changes;
use crate::sql::{LEADER_READ, LEADER_RENEW, LEADER_RESIGN};
use crate::{Store, StoreError};

/// How long a commit is tried again after the first failure; doubled with each, up to the last.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_LAST: Duration = Duration::from_secs(2);

/// Whoever has this leads, until somebody else takes the lead or it is given up.
#[derive(Debug)]
pub struct Leader {
    store: Store,
    term: i64,
    lease: Duration,
    last: Mutex<Last>,
    /// Keeps a second engine off a SQLite file for as long as this lives; freed by the system if the process dies.
    _lock: Option<File>,
}

/// The last batch of ours that is known to be on record, and the hash of the last line of the audit log after it.
#[derive(Debug, Clone)]
struct Last {
    batch: i64,
    audit_hash: String,
}

/// The leader's row.
#[derive(Debug)]
struct Standing {
    term: i64,
    last: Last,
}

impl Read for Standing {
    const TABLE: &'static str = "leader";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            term: from.int()?,
            last: Last {
                batch: from.int()?,
                audit_hash: from.string()?,
            },
        })
    }
}

impl Leader {
    pub(crate) fn new(store: Store, taken: Taken, lease: Duration, lock: Option<File>) -> Self {
        let Taken { term, audit_hash } = taken;
        Self {
            store,
            term,
            lease,
            last: Mutex::new(Last {
                batch: 0,
                audit_hash,
            }),
            _lock: lock,
        }
    }

    /// Its term. No other leader ever has the same.
    #[must_use]
    pub const fn term(&self) -> i64 {
        self.term
    }

    /// Holds the lead for another lease, by the database's clock. Says whether it is still held.
    ///
    /// # Errors
    /// If the database cannot be asked: then whether the lead is held is open.
    pub async fn renew(&self) -> Result<bool, StoreError> {
        let args = Args::NONE.int(self.term).int(micros(self.lease));
        let changed = self.store.db().write(vec![(&LEADER_RENEW, args)]).await?;
        Ok(changed == [1])
    }

    /// Gives the lead up, so that nobody has to wait for its lease to end.
    ///
    /// # Errors
    /// If the database cannot be told. The lease then ends by itself.
    pub async fn resign(self) -> Result<(), StoreError> {
        let args = Args::NONE.int(self.term);
        self.store.db().write(vec![(&LEADER_RESIGN, args)]).await?;
        Ok(())
    }

    /// Writes these changes as batch `batch`, in one transaction. The first batch of a term is 1, and each is one more than
    /// the last. A batch that is on record already is not written again.
    ///
    /// # Errors
    /// When nothing was written: the database refused it, or could not be reached. `is_retryable` says whether the
    /// same can work later.
    pub async fn commit(&self, batch: i64, changes: &Changes) -> Result<CommitOutcome, StoreError> {
        self.send(&self.written(batch, changes).await?).await
    }

    /// Writes these changes as [`Self::commit`] does, and tries again until it is clear what became of them, at most for
    /// `within`.
    ///
    /// # Errors
    /// When nothing was written and trying again does not help, or when the time was not enough.
    pub async fn commit_surely(
        &self,
        batch: i64,
        changes: &Changes,
        within: Duration,
    ) -> Result<Settled, StoreError> {
        let sent = self.written(batch, changes).await?;
        let deadline = Instant::now() + within;
        let (mut pause, mut unknown) = (PAUSE_FIRST, false);
        loop {
            let outcome = if unknown {
                match self.resolve(batch).await {
                    Ok(Resolved::Done) => Ok(CommitOutcome::Done),
                    Ok(Resolved::Deposed) => Ok(CommitOutcome::Deposed),
                    Ok(Resolved::NotDone) => self.send(&sent).await,
                    Err(error) => Ok(CommitOutcome::Unknown(error)),
                }
            } else {
                self.send(&sent).await
            };
            let error = match outcome {
                Ok(CommitOutcome::Done) => return Ok(Settled::Done),
                Ok(CommitOutcome::Deposed) => return Ok(Settled::Deposed),
                Ok(CommitOutcome::Unknown(error)) => {
                    unknown = true;
                    error
                }
                Err(error) if error.is_retryable() => error,
                Err(error) => return Err(error),
            };
            if Instant::now() + pause > deadline {
                return Err(if unknown {
                    StoreError::StillUnknown {
                        batch,
                        seconds: within.as_secs(),
                        source: Box::new(error),
                    }
                } else {
                    error
                });
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_LAST);
        }
    }

    /// Finds out what became of a commit whose answer was lost. It waits for one that is being written, and reads on
    /// another connection.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn resolve(&self, batch: i64) -> Result<Resolved, StoreError> {
        let standing = self.standing().await?;
        Ok(if standing.term != self.term {
            Resolved::Deposed
        } else if standing.last.batch >= batch {
            Resolved::Done
        } else {
            Resolved::NotDone
        })
    }

    async fn send(&self, sent: &Arc<Batch>) -> Result<CommitOutcome, StoreError> {
        match self.store.db().commit(sent.clone()).await {
            Tried::Done => {
                let mark = sent.mark();
                let mut last = self.last();
                last.batch = mark.batch;
                if let Some(hash) = &mark.audit_hash {
                    last.audit_hash.clone_from(hash);
                }
                Ok(CommitOutcome::Done)
            }
            Tried::Failed(error) => Err(error),
            Tried::Unknown(error) => Ok(CommitOutcome::Unknown(error)),
            Tried::NotNext => {
                let (batch, standing) = (sent.mark().batch, self.standing().await?);
                if standing.term != self.term {
                    Ok(CommitOutcome::Deposed)
                } else if standing.last.batch == batch {
                    Ok(CommitOutcome::Done)
                } else {
                    let last = standing.last.batch;
                    Err(StoreError::OutOfOrder { batch, last })
                }
            }
        }
    }

    /// Writes changes in the form of the database, with what binds their lines of the audit log to the last one. That is in
    /// mind, unless nobody has asked what became of the batch before.
    async fn written(&self, batch: i64, changes: &Changes) -> Result<Arc<Batch>, StoreError> {
        if !changes.audits.is_empty() && self.last().batch != batch - 1 {
            self.standing().await?;
        }
        let before = self.last().audit_hash.clone();
        let db = self.store.db();
        let written = Batch::new(db, (self.term, batch), changes, &before);
        Ok(Arc::new(written))
    }

    /// The leader's row as it is on record; what it says of us is kept in mind.
    async fn standing(&self) -> Result<Standing, StoreError> {
        let rows = self.store.db().write_rows(&LEADER_READ, Args::NONE).await?;
        let standing: Standing = rows.into_iter().next().ok_or(StoreError::NoLeaderRow)?;
        if standing.term == self.term {
            self.last().clone_from(&standing.last);
        }
        Ok(standing)
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A length of time in whole microseconds.
pub(crate) fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
