//! Taking old history away, in small steps: whole runs, a few at a time, each step a transaction of its own.

use std::collections::VecDeque;

use tidemill_core::id::DagId;
use tidemill_core::time::Timestamp;

use crate::audit::Chain;
use crate::bind::Args;
use crate::db::Step;
use crate::read::{BadCell, Read, Reader};
use crate::sql::{self, Sql};
use crate::{Store, StoreError};

/// What goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanOptions {
    /// What ended before this.
    pub older_than: Timestamp,
    /// Of this DAG only. What belongs to no DAG then stays, and the audit log, which loses lines at its beginning only.
    pub dag: Option<DagId>,
    /// How many runs go in one step.
    pub runs_per_step: u32,
    /// Whether nothing goes, and it is only counted.
    pub dry_run: bool,
    /// Whether the monitoring table keeps what its runs have loaded, and what came of their checks.
    pub keep_loads: bool,
    /// Whether the audit log stays.
    pub keep_audit: bool,
}

impl CleanOptions {
    /// Everything before this, a hundred runs a step; the audit log stays.
    #[must_use]
    pub const fn before(older_than: Timestamp) -> Self {
        Self {
            older_than,
            dag: None,
            runs_per_step: 100,
            dry_run: false,
            keep_loads: false,
            keep_audit: true,
        }
    }
}

/// What went in one step, or would go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cleaned {
    /// How many rows of which table.
    pub rows: Vec<(String, u64)>,
}

impl Cleaned {
    /// How many rows of this table.
    #[must_use]
    pub fn of(&self, table: &str) -> u64 {
        let rows = self.rows.iter().filter(|(name, _)| name == table);
        rows.map(|(_, count)| count).sum()
    }
}

/// Statements that delete, and count, what is old without being of a run.
static OLD: &[(&str, &Sql, &Sql)] = &[
    ("outbox", &sql::CLEAN_OLD_OUTBOX, &sql::COUNT_OLD_OUTBOX),
    (
        "asset_event",
        &sql::CLEAN_OLD_ASSET_EVENT,
        &sql::COUNT_OLD_ASSET_EVENT,
    ),
    (
        "skipped_tick",
        &sql::CLEAN_OLD_SKIPPED_TICK,
        &sql::COUNT_OLD_SKIPPED_TICK,
    ),
    (
        "backfill",
        &sql::CLEAN_OLD_BACKFILL,
        &sql::COUNT_OLD_BACKFILL,
    ),
    ("session", &sql::CLEAN_OLD_SESSION, &sql::COUNT_OLD_SESSION),
    (
        "login_attempt",
        &sql::CLEAN_OLD_LOGIN_ATTEMPT,
        &sql::COUNT_OLD_LOGIN_ATTEMPT,
    ),
];

/// How many rows that are of no run go in one step.
const OLD_ROWS_PER_STEP: i64 = 5_000;

/// What stays with the monitoring table, if that stays.
const KEPT_WITH_LOADS: [&str; 2] = ["load", "check_result"];

/// Cleaning that goes on for as long as somebody asks for the next step.
#[derive(Debug)]
pub struct Cleaning {
    store: Store,
    options: CleanOptions,
    /// The last run that was looked at; none once all were.
    run: Option<i64>,
    /// The chains of the audit log that are still to be looked at.
    chains: VecDeque<Chain>,
    old: VecDeque<&'static (&'static str, &'static Sql, &'static Sql)>,
}

/// A line of the audit log, and when it was written.
struct Dated(i64, Timestamp);

impl Read for Dated {
    const TABLE: &'static str = "audit";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self(from.int()?, from.time()?))
    }
}

struct Counted(String, u64);

impl Read for Counted {
    const TABLE: &'static str = "a count";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self(from.string()?, from.count()?))
    }
}

/// A run that was cleaned away and whose logs are still to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogsLeft {
    /// Of which DAG it was.
    pub dag: String,
    /// What its logs lie under: its name, a point and its number. A run that has its name now has another number.
    pub run: String,
}

impl Read for LogsLeft {
    const TABLE: &'static str = "log_left";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            dag: from.string()?,
            run: from.string()?,
        })
    }
}

impl Store {
    /// Some of the runs that were cleaned away and whose logs are still to go. A run gets here in the transaction in which
    /// it goes, and leaves with [`logs_went`](Self::logs_went): whoever cleans and is cut in between is followed up by
    /// whoever cleans next.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn logs_left(&self, most: u32) -> Result<Vec<LogsLeft>, StoreError> {
        let args = Args::NONE.int(i64::from(most));
        self.db().rows(&sql::LOGS_LEFT, args).await
    }

    /// The logs of these are gone.
    ///
    /// # Errors
    /// If the database cannot be written. It may be said again.
    pub async fn logs_went(&self, gone: &[LogsLeft]) -> Result<(), StoreError> {
        let drop = |one: &LogsLeft| -> Step {
            let of = Args::NONE.text(one.dag.as_str()).text(one.run.as_str());
            (&sql::LOG_LEFT_DROP, of)
        };
        let steps = gone.iter().map(drop).collect();
        self.db().write(steps).await?;
        Ok(())
    }

    /// Begins to clean; [`Cleaning::next`] takes the steps. No run goes that is active, may still hold something outside, or
    /// is of a backfill that goes on. Safe beside a running engine: a run that somebody clears meanwhile stays.
    #[must_use]
    pub fn clean(&self, options: CleanOptions) -> Cleaning {
        let chains: &[Chain] = if options.keep_audit || options.dag.is_some() {
            &[]
        } else {
            &[Chain::Leader, Chain::Access]
        };
        Cleaning {
            store: self.clone(),
            run: Some(i64::MIN),
            chains: chains.iter().copied().collect(),
            old: OLD.iter().collect(),
            options,
        }
    }
}

impl Cleaning {
    /// The next step; none when there is nothing left to go.
    ///
    /// # Errors
    /// If the database cannot be written. What went before stays gone.
    pub async fn next(&mut self) -> Result<Option<Cleaned>, StoreError> {
        while let Some(after) = self.run {
            let picked = self.pick(after).await?;
            self.run = picked.last().copied();
            if !picked.is_empty() {
                return self.runs(picked).await.map(Some);
            }
        }
        while let Some(chain) = self.chains.front() {
            let went = if self.options.dry_run {
                self.chains.clear();
                let age = Args::NONE.time(self.options.older_than);
                let counted = self.store.db().row(&sql::COUNT_OLD_AUDIT, age).await?;
                u64::try_from(counted.unwrap_or(0_i64)).unwrap_or(0)
            } else {
                self.audit(*chain).await?
            };
            if went > 0 {
                let rows = vec![("audit".to_owned(), went)];
                return Ok(Some(Cleaned { rows }));
            }
            self.chains.pop_front();
        }
        while let Some((table, delete, count)) = self.old.front() {
            let age = Args::NONE
                .time(self.options.older_than)
                .text(self.options.dag.as_ref().map(DagId::as_str));
            let went = if self.options.dry_run {
                self.old.pop_front();
                let counted: Option<i64> = self.store.db().row(count, age).await?;
                u64::try_from(counted.unwrap_or(0)).unwrap_or(0)
            } else {
                let step: Step = (delete, age.int(OLD_ROWS_PER_STEP));
                let went = self.store.db().write(vec![step]).await?;
                went.into_iter().sum()
            };
            if went > 0 {
                let rows = vec![((*table).to_owned(), went)];
                return Ok(Some(Cleaned { rows }));
            }
            self.old.pop_front();
        }
        Ok(None)
    }

    /// Takes lines of the audit log away from the beginning of a chain, up to the first that is not old, and keeps the hash of
    /// the last that went: the next line is checked against it, so whoever takes more away is seen.
    async fn audit(&self, chain: Chain) -> Result<u64, StoreError> {
        let oldest = match chain {
            Chain::Leader => &sql::AUDIT_OLDEST_UPWARDS,
            Chain::Access => &sql::AUDIT_OLDEST_DOWNWARDS,
        };
        let db = self.store.db();
        let lines: Vec<Dated> = db.rows(oldest, Args::NONE.int(OLD_ROWS_PER_STEP)).await?;
        let is_old = |line: &&Dated| line.1 < self.options.older_than;
        let Some(Dated(last, _)) = lines.iter().take_while(is_old).last() else {
            return Ok(0);
        };
        let start = Args::NONE.text(chain.word()).int(*last);
        let lines = match chain {
            Chain::Leader => Args::NONE.int(1).int(*last),
            Chain::Access => Args::NONE.int(*last).int(-1),
        };
        let went = db.write(vec![
            (&sql::AUDIT_START_MOVE, start),
            (&sql::CLEAN_OLD_AUDIT, lines),
        ]);
        Ok(went.await?.last().copied().unwrap_or(0))
    }

    async fn pick(&self, after: i64) -> Result<Vec<i64>, StoreError> {
        let options = &self.options;
        let args = Args::NONE
            .int(after)
            .time(options.older_than)
            .text(options.dag.as_ref().map(DagId::as_str))
            .int(i64::from(options.runs_per_step.max(1)));
        self.store.db().rows(&sql::CLEAN_PICK, args).await
    }

    async fn runs(&self, picked: Vec<i64>) -> Result<Cleaned, StoreError> {
        let of = Args::NONE.ints(picked);
        if self.options.dry_run {
            let counted: Vec<Counted> = self.store.db().rows(&sql::CLEAN_COUNT, of).await?;
            let kept = |table: &str| KEPT_WITH_LOADS.contains(&table) && self.options.keep_loads;
            let rows = counted
                .into_iter()
                .map(|Counted(table, rows)| (table, rows));
            return Ok(Cleaned {
                rows: rows.filter(|(table, _)| !kept(table)).collect(),
            });
        }
        // The runs go first: what belongs to one that stayed stays with it.
        let run: Step = (&sql::CLEAN_RUN, of.clone().time(self.options.older_than));
        let mut steps = vec![
            (&sql::LOG_LEFT_ADD, of.clone()),
            run,
            (&sql::LOG_LEFT_KEEP, of.clone()),
        ];
        // What is noted for later is not what went.
        let mut tables = vec![None, Some("run"), None];
        for (table, delete) in [
            ("task", &sql::CLEAN_TASK),
            ("task_detail", &sql::CLEAN_TASK_DETAIL),
            ("attempt", &sql::CLEAN_ATTEMPT),
            ("output", &sql::CLEAN_OUTPUT),
            ("load", &sql::CLEAN_LOAD),
            ("check_result", &sql::CLEAN_CHECK_RESULT),
        ] {
            if !KEPT_WITH_LOADS.contains(&table) || !self.options.keep_loads {
                steps.push((delete, of.clone()));
                tables.push(Some(table));
            }
        }
        let went = self.store.db().write(steps).await?;
        let rows = tables
            .into_iter()
            .zip(went)
            .filter_map(|(table, rows)| Some((table?.to_owned(), rows)));
        Ok(Cleaned {
            rows: rows.collect(),
        })
    }
}
