//! A line about access, which is bound once the turn is held.

use tidemill_core::time::Timestamp;

use super::Said;
use crate::bind::Args;
use crate::db::Step;
use crate::read::{BadCell, Read, Reader};
use crate::sql;

/// What was done about access. Its number, and what comes before it, is known only to whoever has the turn.
#[derive(Debug, Clone)]
pub(crate) struct AccessLine {
    pub(crate) at: Timestamp,
    pub(crate) actor: String,
    pub(crate) action: &'static str,
    pub(crate) target: String,
    pub(crate) details: String,
}

/// The row of `access_turn`, which whoever reads it holds.
#[derive(Debug)]
pub(crate) struct Held {
    /// The number of the line that is added.
    id: i64,
    /// The hash of the line before it.
    before: String,
}

impl Read for Held {
    const TABLE: &'static str = "access_turn";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            id: from.int()?,
            before: from.string()?,
        })
    }
}

impl AccessLine {
    /// The statements that add it.
    pub(crate) fn steps(&self, held: &Held) -> [Step; 2] {
        let said = Said {
            id: held.id,
            at: self.at,
            actor: &self.actor,
            action: self.action,
            target: &self.target,
            dag: None,
            run: None,
            details: &self.details,
        };
        let hash = said.hash(&held.before);
        let line = Args::NONE
            .time(self.at)
            .text(&*self.actor)
            .text(self.action)
            .text(&*self.target)
            .text(&*self.details);
        [
            (&sql::ACCESS_BOUND, Args::NONE.text(&*hash)),
            (&sql::ACCESS_AUDIT, line),
        ]
    }
}
