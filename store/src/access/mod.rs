//! Who may come in and what they may do: users, grants, sessions, tokens, tries to sign in.
//!
//! These verbs are not changes by the leader (ADR 16): whoever serves pages, and the command line, write them directly. They
//! touch the tables of access and add lines to the audit log, and nothing else. Every change of what somebody may do takes
//! the turn first (the row of `access_turn`), so such changes come one after the other, and its line of the audit log is in
//! the same transaction.

mod attempts;
mod grants;
mod sessions;
mod tokens;
mod users;

use serde_json::Value;
use tidemill_core::time::Timestamp;

use crate::audit::AccessLine;
use crate::bind::Args;
use crate::db::{Changed, Part};
use crate::{Store, StoreError, sql};

pub use sessions::LiveSession;
pub use tokens::LiveToken;
pub use users::{ChangeOutcome, NewPassword, NewUser, UserChange};

/// Who does something, and when.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// Who; the name of a user, or what else the audit log calls them.
    pub who: &'a str,
    /// When.
    pub at: Timestamp,
}

/// A line for the audit log.
pub(crate) struct Line<'a> {
    pub(crate) action: &'static str,
    pub(crate) target: &'a str,
    pub(crate) details: Value,
}

impl Line<'_> {
    fn by(&self, by: By<'_>) -> AccessLine {
        AccessLine {
            at: by.at,
            actor: by.who.to_owned(),
            action: self.action,
            target: self.target.to_owned(),
            details: self.details.to_string(),
        }
    }
}

/// What became of a change, when it had its turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It was done.
    Done,
    /// The part at this place (0 is the first after the turn) found nothing to change.
    Refused(usize),
}

impl Store {
    /// Adds a line to the audit log about something that concerns access and changes nothing, such as a refused login.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn note_access(
        &self,
        action: &'static str,
        target: &str,
        details: Value,
        by: By<'_>,
    ) -> Result<(), StoreError> {
        let line = Line {
            action,
            target,
            details,
        };
        self.in_turn(Vec::new(), &line, by).await.map(drop)
    }

    /// Does these parts and adds the line, all or nothing, after everybody who came before.
    pub(crate) async fn in_turn(
        &self,
        parts: Vec<Part>,
        line: &Line<'_>,
        by: By<'_>,
    ) -> Result<Turn, StoreError> {
        let mut all = vec![Part::Must((&sql::ACCESS_TURN, Args::NONE))];
        all.extend(parts);
        match self.db().change(all, line.by(by)).await? {
            Changed::Done => Ok(Turn::Done),
            Changed::Refused(0) => Err(StoreError::NoAccessRow),
            Changed::Refused(at) => Ok(Turn::Refused(at - 1)),
        }
    }
}
