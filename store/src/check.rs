//! What must always be true, asked of the database itself: `tidemill db check`.
//!
//! Pools and the limits on active tasks are not checked here: who takes which slots is in the DAGs' definitions, and the
//! engine recounts it.

use std::time::Duration;

use tidemill_core::time::Timestamp;

use crate::bind::Args;
use crate::db::apart;
use crate::sql::{self, Sql};
use crate::{Store, StoreError};

/// A run may be seen between its last task's end and its own for so long.
const GRACE: Duration = Duration::from_secs(60);

/// Something that should be true and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The check that found it.
    pub check: &'static str,
    /// What should be true.
    pub sentence: &'static str,
    /// Where it is not.
    pub subject: String,
}

struct Check {
    sql: &'static Sql,
    sentence: &'static str,
    /// Whether it asks what is older than a moment ago.
    timed: bool,
}

macro_rules! checks {
    ($($sql:ident $sentence:literal $timed:literal;)+) => {
        &[$(Check { sql: &sql::$sql, sentence: $sentence, timed: $timed },)+]
    };
}

static CHECKS: &[Check] = checks! {
    ATTEMPT_AHEAD "No attempt that is over is newer than the current attempt of its task." false;
    ENDED_AHEAD "The last attempt whose end is on record is not newer than the current one." false;
    ENDED_UNRECORDED "Every attempt that a task calls ended is in the history." false;
    ATTEMPT_WITHOUT_TASK "Every attempt belongs to a task instance." false;
    OUTPUT_WITHOUT_TASK "Every output belongs to a task instance." false;
    TASK_DETAIL_WITHOUT_TASK "Every detail belongs to a task instance." false;
    CLEANUP_WITHOUT_TASK "Every cleanup belongs to a task instance." false;
    TASK_WITHOUT_RUN "Every task instance belongs to a run." false;
    RUN_WITHOUT_TASK "Every run has its tasks." false;
    RUN_WITHOUT_VERSION "The version that a run runs is there." false;
    RUN_WITHOUT_DAG "The DAG of a run is there, removed or not." false;
    DAG_WITHOUT_VERSION "The version that new runs of a DAG take is there." false;
    DATE_TWICE "A date of a DAG has one run." false;
    ENDED_RUN_OPEN_TASK "In a run that has ended, every task has." false;
    OPEN_RUN_ENDED_TASKS "A run in which every task has ended ends as well, at the latest a minute after the last." true;
    MAPPED_WITHOUT_WHOLE "Where there is an instance of a mapped task, there is the task as a whole." false;
    OUTBOX_TWICE "Nothing is told twice." false;
    OUTBOX_STATE "What is in the outbox is pending, sent at some time, or dead." false;
    DATE_WITHOUT_RUN "The run of a date of a backfill that goes on is there, and of that backfill." false;
    RUN_WITHOUT_DATE "A run of a backfill has a date there." false;
    LEADER_ROW "There is one row that says who leads, and its numbers make sense." false;
    NUMBER_BEYOND "No number is higher than the highest that was ever given." false;
    ACCESS_TURN_ROW "There is one row that gives the turn to change access, and no line of the audit log is beyond it." false;
    ACCESS_ROLE "Every role is one that there is." false;
    ADMIN_MISSING "Where there are users, one of them is an admin who is not disabled." false;
    DISABLED_SESSION "Nobody who is disabled is signed in." false;
    SECRET_IN_CLEAR "No password, no secret of a session and no token lies in the database in clear." false;
};

impl Store {
    /// Looks for what should not be; at most a hundred findings a check. On two million tasks all checks take five seconds
    /// on PostgreSQL and half a minute on SQLite. Each check is a snapshot of its own: one that lasted for all of them would
    /// keep a database that is written meanwhile from tidying up.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn check(&self, now: Timestamp) -> Result<Vec<Violation>, StoreError> {
        let db = self.db().clone();
        let grace = i64::try_from(GRACE.as_micros()).unwrap_or(0);
        let before = Timestamp::from_micros(now.micros().saturating_sub(grace));
        apart(async move {
            let mut found = Vec::new();
            for check in CHECKS {
                let args = if check.timed {
                    Args::NONE.time(before)
                } else {
                    Args::NONE
                };
                let mut view = db.snapshot().await?;
                let subjects: Vec<String> = view.rows(check.sql, args).await?;
                view.end().await?;
                found.extend(subjects.into_iter().map(|subject| Violation {
                    check: check.sql.name,
                    sentence: check.sentence,
                    subject,
                }));
            }
            Ok(found)
        })
        .await
    }
}
