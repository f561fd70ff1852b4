//! Tasks that are meant, and the two things that are done with them: they run again, or count as having ended.

use std::sync::Arc;

use serde_json::Value;
use tidemill_core::protocol::RunNo;
use tidemill_core::state::TaskState;
use tidemill_scheduler::engine::{Around, Command, RunVersion, Select, Selected};

use super::given::note;
use crate::oops::Oops;

/// Tasks of a run, and what is around them.
#[derive(Debug, Clone)]
pub(crate) struct Picked {
    pub(crate) run: RunNo,
    pub(crate) tasks: Selected,
    pub(crate) around: Around,
}

impl Picked {
    const fn select(run: RunNo, tasks: Selected) -> Select {
        Select { run, tasks }
    }

    /// They run again, the run with these params and this version if it is to have others.
    pub(crate) fn again(
        self,
        (params, version): (Option<Value>, RunVersion),
        text: Option<&str>,
    ) -> Result<Command, Oops> {
        Ok(Command::Clear {
            select: Self::select(self.run, self.tasks),
            around: self.around,
            params,
            version,
            note: note(text)?,
        })
    }

    /// They count as having ended like this.
    pub(crate) fn count_as(self, state: TaskState, text: &str) -> Result<Command, Oops> {
        Ok(Command::Mark {
            select: Self::select(self.run, self.tasks),
            around: self.around,
            state,
            note: needed(text)?,
        })
    }
}

/// A note that whoever marks has to give: whoever looks later has to know why.
fn needed(text: &str) -> Result<Option<Arc<str>>, Oops> {
    let given = note(Some(text))?;
    if given.is_none() {
        let says = "say why this is marked, for whoever looks later";
        return Err(Oops::field("note", says));
    }
    Ok(given)
}
