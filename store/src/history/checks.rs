//! What came of checks.

use tidemill_core::id::DagId;
use tidemill_core::protocol::{AttemptNo, RunNo};
use tidemill_core::time::Timestamp;

use super::filter::listed;
use super::{CheckFilter, Cursor, Named, limit};
use crate::bind::Args;
use crate::read::{BadCell, Read, Reader};
use crate::record::CheckRow;
use crate::{Store, StoreError, sql};

/// The status of a check that found nothing.
const WELL: &str = "passed";

/// A check, by the names that it goes by, and its last results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckHead {
    /// The DAG whose task makes it.
    pub dag: DagId,
    /// The table.
    pub table: String,
    /// What it is called.
    pub name: String,
    /// Its last results, the newest first; never empty.
    pub last: Vec<CheckMark>,
}

/// One result of a check, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckMark {
    /// What kind of check it was.
    pub kind: String,
    /// `warn` or `error`.
    pub severity: String,
    /// Whether its task fails with it.
    pub blocking: bool,
    /// When the data was looked at.
    pub at: Timestamp,
    /// The attempt.
    pub attempt: AttemptNo,
    /// Which of its checks.
    pub nth: u32,
    /// `passed`, `warned`, `failed`, `error`.
    pub status: String,
    /// Rows that were looked at.
    pub rows_checked: Option<i64>,
    /// Rows that failed.
    pub rows_failed: Option<i64>,
}

/// The names of a check, and one result.
struct Marked {
    dag: DagId,
    table: String,
    name: String,
    mark: CheckMark,
}

impl Read for Marked {
    const TABLE: &'static str = "check_result";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            dag: from.name()?,
            table: from.string()?,
            name: from.string()?,
            mark: CheckMark {
                kind: from.string()?,
                severity: from.string()?,
                blocking: from.flag()?,
                at: from.time()?,
                attempt: AttemptNo(from.int()?),
                nth: from.count()?,
                status: from.string()?,
                rows_checked: from.opt_int()?,
                rows_failed: from.opt_int()?,
            },
        })
    }
}

/// Which checks, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeadFilter {
    /// Of this DAG.
    pub dag: Option<DagId>,
    /// Of these DAGs alone: those that somebody may see, if that is not all.
    pub among: Option<Vec<DagId>>,
    /// Of this table.
    pub table: Option<String>,
    /// Whose last result is not `passed`.
    pub bad: bool,
}

impl Store {
    /// A page of what came of checks, the last first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn checks(
        &self,
        of: &CheckFilter,
        after: Cursor,
        rows: u32,
    ) -> Result<Vec<Named<CheckRow>>, StoreError> {
        let statement = match (&of.dag, &of.table, &of.name, &of.status) {
            (Some(_), Some(_), Some(_), _) => &sql::CHECKS_OF_CHECK,
            (_, Some(_), ..) => &sql::CHECKS_OF_TABLE,
            (Some(_), None, ..) => &sql::CHECKS_OF_DAG,
            (None, None, _, Some(status)) if status != WELL => &sql::CHECKS_BAD,
            (None, None, ..) => &sql::CHECKS_ALL,
        };
        let args = Args::NONE
            .time(after.at)
            .int(after.id)
            .int(i64::from(after.nth))
            .time(of.at.start)
            .time(of.at.end)
            .text(of.dag.as_ref().map(DagId::as_str))
            .text(of.table.as_deref())
            .text(of.name.as_deref())
            .text(of.status.as_deref())
            .text(listed(of.among.as_deref()).as_deref())
            .int(limit(rows));
        self.db().rows(statement, args).await
    }

    /// A page of what came of the checks of a run, in the order of its attempts: after check `nth` of `attempt`; -1 for the
    /// first of it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn checks_of_run(
        &self,
        run: RunNo,
        (attempt, nth): (i64, i64),
        rows: u32,
    ) -> Result<Vec<Named<CheckRow>>, StoreError> {
        let args = Args::NONE.int(run.0).int(attempt).int(nth).int(limit(rows));
        self.db().rows(&sql::CHECKS_OF_RUN, args).await
    }

    /// What came of the checks of an attempt, in the order in which it made them.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn checks_of_attempt(
        &self,
        attempt: AttemptNo,
        rows: u32,
    ) -> Result<Vec<Named<CheckRow>>, StoreError> {
        let args = Args::NONE.int(attempt.0).int(limit(rows));
        self.db().rows(&sql::CHECKS_OF_ATTEMPT, args).await
    }

    /// What came of one check that an attempt made.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn check_of(
        &self,
        attempt: AttemptNo,
        nth: u32,
    ) -> Result<Option<Named<CheckRow>>, StoreError> {
        let args = Args::NONE.int(attempt.0).int(i64::from(nth));
        let rows = self.db().rows(&sql::CHECK_OF, args).await?;
        Ok(rows.into_iter().next())
    }

    /// Each check once, in the order of DAG, table and name, after this one; with up to `last` of its results.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn check_heads(
        &self,
        of: &HeadFilter,
        after: Option<(&DagId, &str, &str)>,
        (checks, last): (u32, u32),
    ) -> Result<Vec<CheckHead>, StoreError> {
        let after = after.map(|(dag, table, name)| (dag.as_str(), table, name));
        // One DAG's checks lie together: the way begins at its first.
        let first = of.dag.as_ref().map_or("", DagId::as_str);
        let (dag, table, name) = after.unwrap_or((first, "", ""));
        let args = Args::NONE
            .text(dag)
            .text(table)
            .text(name)
            .text(of.dag.as_ref().map(DagId::as_str))
            .text(of.table.as_deref())
            .text(listed(of.among.as_deref()).as_deref())
            .flag(of.bad)
            .int(limit(checks))
            .int(limit(last.max(1)));
        let rows: Vec<Marked> = self.db().rows(&sql::CHECK_HEADS, args).await?;
        let mut heads: Vec<CheckHead> = Vec::new();
        for row in rows {
            match heads.last_mut() {
                Some(head)
                    if (&head.dag, &head.table, &head.name)
                        == (&row.dag, &row.table, &row.name) =>
                {
                    head.last.push(row.mark);
                }
                _ => heads.push(CheckHead {
                    dag: row.dag,
                    table: row.table,
                    name: row.name,
                    last: vec![row.mark],
                }),
            }
        }
        Ok(heads)
    }
}
