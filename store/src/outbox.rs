//! What the world outside is told: the relay's side of the outbox. Delivery is at least once: a relay that dies between
//! telling and saying so tells again.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tidemill_core::id::DagId;
use tidemill_core::protocol::RunNo;
use tidemill_core::time::Timestamp;

use crate::access::{By, Line, Turn};
use crate::bind::Args;
use crate::db::Part;
use crate::history::{PAGE_ROWS_MAX, listed};
use crate::read::{BadCell, Read, Reader};
use crate::record::OutboxRow;
use crate::{Store, StoreError, sql};

/// Nobody else takes what a relay has taken for so long.
pub const OUTBOX_LEASE: Duration = Duration::from_secs(60);

/// Something to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// What.
    pub row: OutboxRow,
    /// Which try this is, from 1. It is also the fence: a relay that is later than its lease changes nothing.
    pub tries: u32,
}

/// What follows a delivery that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is tried again.
    At(Timestamp),
    /// It is not.
    Dead,
}

/// How far something in the outbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxState {
    /// It is to be delivered.
    Pending,
    /// It was.
    Sent,
    /// It could not be.
    Dead,
}

impl OutboxState {
    /// The word for it in the database and on pages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Dead => "dead",
        }
    }
}

impl FromStr for OutboxState {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let all = [Self::Pending, Self::Sent, Self::Dead];
        let found = all.into_iter().find(|state| state.word() == word);
        found.ok_or_else(|| format!("`{word}` is none of its words"))
    }
}

/// Something in the outbox, with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What, and how often it was tried.
    pub due: Due,
    /// How far it is.
    pub state: OutboxState,
    /// When it is tried next.
    pub next_at: Timestamp,
    /// What went wrong last.
    pub last_error: Option<Arc<str>>,
    /// When it was delivered.
    pub sent_at: Option<Timestamp>,
}

impl Read for Due {
    const TABLE: &'static str = "outbox";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            row: OutboxRow::read(from)?,
            tries: from.count()?,
        })
    }
}

impl Read for Letter {
    const TABLE: &'static str = "outbox";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            due: Due::read(from)?,
            state: from.word()?,
            next_at: from.time()?,
            last_error: from.opt_text()?,
            sent_at: from.opt_time()?,
        })
    }
}

impl Store {
    /// Takes at most `rows` that are due, for as long as [`OUTBOX_LEASE`].
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn outbox_due(&self, now: Timestamp, rows: u32) -> Result<Vec<Due>, StoreError> {
        let args = Args::NONE
            .time(now)
            .time(now.after(OUTBOX_LEASE))
            .int(i64::from(rows.min(PAGE_ROWS_MAX)));
        let mut due: Vec<Due> = self.db().write_rows(&sql::OUTBOX_DUE, args).await?;
        due.sort_by_key(|due| due.row.id);
        Ok(due)
    }

    /// These were delivered. Says how many were still ours to say so of.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn outbox_sent(&self, sent: &[Due], now: Timestamp) -> Result<u64, StoreError> {
        let told = |due: &Due| (&sql::OUTBOX_SENT, fence(due).time(now));
        let changed = self.db().write(sent.iter().map(told).collect()).await?;
        Ok(changed.into_iter().sum())
    }

    /// This one was not delivered. Says whether it was still ours to say so.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn outbox_failed(
        &self,
        due: &Due,
        error: &str,
        next: Next,
    ) -> Result<bool, StoreError> {
        let step = match next {
            Next::At(at) => (&sql::OUTBOX_LATER, fence(due).time(at).text(error)),
            Next::Dead => (&sql::OUTBOX_DEAD, fence(due).text(error)),
        };
        Ok(self.db().write(vec![step]).await? == [1])
    }

    /// Has a dead one tried again, because a person asked: the audit log says who. Says whether it was dead as of this try.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn outbox_again(&self, letter: &Due, by: By<'_>) -> Result<bool, StoreError> {
        let args = fence(letter).time(by.at);
        let line = Line {
            action: "alert.again",
            target: &letter.row.key,
            details: json!({
                "alert": letter.row.id, "route": letter.row.route, "tries": letter.tries,
            }),
        };
        let parts = vec![Part::Must((&sql::OUTBOX_AGAIN, args))];
        Ok(self.in_turn(parts, &line, by).await? == Turn::Done)
    }

    /// A page of the outbox, the last first, from before number `before` on; `i64::MAX` for the first page. About these DAGs
    /// only, if they are given: then nothing that is about none.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn letters(
        &self,
        state: Option<OutboxState>,
        among: Option<&[DagId]>,
        before: i64,
        rows: u32,
    ) -> Result<Vec<Letter>, StoreError> {
        let args = Args::NONE
            .int(before)
            .text(state.map(OutboxState::word))
            .text(listed(among).as_deref())
            .int(i64::from(rows.min(PAGE_ROWS_MAX)));
        self.db().rows(&sql::OUTBOX_ALL, args).await
    }

    /// What the world was told about a run.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn letters_of_run(&self, run: RunNo) -> Result<Vec<Letter>, StoreError> {
        let args = Args::NONE.int(run.0);
        self.db().rows(&sql::OUTBOX_OF_RUN, args).await
    }
}

fn fence(due: &Due) -> Args {
    Args::NONE.int(due.row.id).int(i64::from(due.tries))
}
