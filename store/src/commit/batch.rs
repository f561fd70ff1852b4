//! A commit in the form in which its database takes it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::audit::{Bound, bind};
use crate::bind::{Jsonb, Sheet, TableRows, Write};
use crate::db::Database;
use crate::record::{Changes, Highest};
use crate::rows::{ConnectionGone, VariableGone};
use crate::sql::{self, Sql};

/// How many rows one part has at most; more of them make another part.
const PART_ROWS_MAX: usize = 4_096;

/// How many bytes one part has before another begins.
const PART_BYTES_MAX: usize = 8 << 20;

/// The rows of one table, for one statement.
#[derive(Debug)]
pub(crate) struct Part<S> {
    /// The statement.
    pub(crate) sql: &'static Sql,
    /// The table whose rows these are.
    pub(crate) table: &'static str,
    /// Whether exactly so many rows must be changed.
    pub(crate) counted: bool,
    /// How many rows these are.
    pub(crate) rows: u64,
    /// The rows.
    pub(crate) sheet: S,
}

impl<S> Part<S> {
    /// As an argument.
    pub(crate) fn rows_wanted(&self) -> i64 {
        i64::try_from(self.rows).unwrap_or(i64::MAX)
    }
}

/// What the leader's row is moved to.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) term: i64,
    pub(crate) batch: i64,
    highest: Highest,
    /// The hash of the last line that it adds to the audit log; none if it adds none.
    pub(crate) audit_hash: Option<String>,
}

impl Mark {
    /// The arguments of its statement; the hash comes after them.
    pub(crate) const fn numbers(&self) -> [i64; 8] {
        let highest = &self.highest;
        [
            self.term,
            self.batch,
            highest.run,
            highest.attempt,
            highest.backfill,
            highest.asset_event,
            highest.outbox,
            highest.audit,
        ]
    }
}

/// A commit, ready to be sent, as often as it takes.
#[derive(Debug)]
pub(crate) struct Batch {
    mark: Mark,
    parts: Parts,
}

#[derive(Debug)]
enum Parts {
    Postgres(Vec<Part<TableRows>>),
    Sqlite(Vec<Part<Vec<u8>>>),
}

impl Batch {
    /// Writes these changes in the form of this database. `before` is the hash of the last line of the audit log.
    pub(crate) fn new(
        database: &Database,
        (term, batch): (i64, i64),
        changes: &Changes,
        before: &str,
    ) -> Self {
        let audits = bind(before, &changes.audits);
        let parts = match database {
            Database::Postgres(_) => Parts::Postgres(parts(changes, &audits)),
            Database::Sqlite(_) => Parts::Sqlite(
                parts::<Jsonb>(changes, &audits)
                    .into_iter()
                    .map(|part| Part {
                        sql: part.sql,
                        table: part.table,
                        counted: part.counted,
                        rows: part.rows,
                        sheet: part.sheet.into_bytes(),
                    })
                    .collect(),
            ),
        };
        Self {
            mark: Mark {
                term,
                batch,
                highest: highest(changes),
                audit_hash: audits.into_iter().last().map(|line| line.hash),
            },
            parts,
        }
    }

    /// What the leader's row is moved to.
    pub(crate) const fn mark(&self) -> &Mark {
        &self.mark
    }

    /// For SQLite, in order.
    pub(crate) fn sqlite_parts(&self) -> &[Part<Vec<u8>>] {
        match &self.parts {
            Parts::Sqlite(parts) => parts,
            Parts::Postgres(_) => &[],
        }
    }

    /// For PostgreSQL: the parts that go into one statement each. A table comes once in each, because a statement sees
    /// nothing of what it has itself changed.
    pub(crate) fn postgres_groups(&self, bytes_max: usize) -> Vec<Vec<&Part<TableRows>>> {
        let Parts::Postgres(parts) = &self.parts else {
            return Vec::new();
        };
        let mut groups = vec![Vec::new()];
        let (mut seen, mut bytes) = (HashSet::new(), 0);
        for part in parts {
            let full = bytes + part.sheet.bytes() > bytes_max && bytes > 0;
            if full || seen.contains(part.sql.name) {
                groups.push(Vec::new());
                seen.clear();
                bytes = 0;
            }
            seen.insert(part.sql.name);
            bytes += part.sheet.bytes();
            if let Some(group) = groups.last_mut() {
                group.push(part);
            }
        }
        groups
    }
}

struct Filling<S>(Vec<Part<S>>);

impl<S: Sheet> Filling<S> {
    /// Rows that are added, replaced or removed.
    fn add<'a, T: Write + 'a>(&mut self, sql: &'static Sql, rows: impl IntoIterator<Item = &'a T>) {
        self.fill(sql, false, rows);
    }

    /// The same; `counted` if each must be there.
    fn fill<'a, T: Write + 'a>(
        &mut self,
        sql: &'static Sql,
        counted: bool,
        rows: impl IntoIterator<Item = &'a T>,
    ) {
        let mut open = false;
        for row in rows {
            let full = |part: &Part<S>| {
                part.rows as usize >= PART_ROWS_MAX || part.sheet.bytes() >= PART_BYTES_MAX
            };
            if !open || self.0.last().is_some_and(full) {
                self.0.push(Part {
                    sql,
                    table: T::TABLE,
                    counted,
                    rows: 0,
                    sheet: S::default(),
                });
                open = true;
            }
            if let Some(part) = self.0.last_mut() {
                part.rows += 1;
                part.sheet.row();
                row.write(&mut part.sheet);
                part.sheet.end();
            }
        }
    }
}

/// What is to be written. Rows of the same table never meet in two parts of one statement, so where a row is both removed
/// and written again, removing is left out: writing replaces all of it.
fn parts<S: Sheet>(changes: &Changes, audits: &[Bound<'_>]) -> Vec<Part<S>> {
    let mut to = Filling(Vec::new());
    to.add(&sql::VERSION_ADD, &changes.versions);
    to.add(&sql::TASK_NAME_ADD, &changes.task_names);
    to.add(&sql::DAG_PUT, &changes.dags);
    let pools_gone = changes.pools_gone.iter();
    to.add(&sql::POOL_PUT, &changes.pools);
    to.add(
        &sql::POOL_DROP,
        pools_gone.filter(|name| changes.pools.iter().all(|pool| pool.name != **name)),
    );
    secrets(&mut to, changes);
    to.add(&sql::BACKFILL_PUT, &changes.backfills);
    to.fill(&sql::RUN_PUT, true, &changes.runs);
    to.add(&sql::RUN_ADD, &changes.new_runs);
    to.add(&sql::BACKFILL_DATE_PUT, &changes.backfill_dates);
    to.fill(&sql::TASK_PUT, true, &changes.tasks);
    to.add(&sql::TASK_ADD, &changes.new_tasks);
    to.add(&sql::TASK_DETAIL_PUT, &changes.task_details);
    to.add(&sql::ATTEMPT_ADD, &changes.attempts);
    to.add(&sql::OUTPUT_ADD, &changes.outputs);
    to.add(&sql::LOAD_ADD, &changes.loads);
    to.add(&sql::CHECK_RESULT_ADD, &changes.checks);
    let done: HashSet<_> = changes.cleanups_done.iter().collect();
    to.add(
        &sql::CLEANUP_PUT,
        changes
            .cleanups
            .iter()
            .filter(|cleanup| !done.contains(&cleanup.of.attempt)),
    );
    to.add(&sql::CLEANUP_DROP, &changes.cleanups_done);
    to.add(&sql::ASSET_EVENT_ADD, &changes.asset_events);
    let waits: HashSet<_> = changes
        .asset_waits
        .iter()
        .map(|wait| (wait.dag.as_str(), &*wait.asset))
        .collect();
    to.add(
        &sql::ASSET_WAIT_DROP,
        changes
            .asset_waits_used
            .iter()
            .filter(|(dag, asset)| !waits.contains(&(dag.as_str(), &**asset))),
    );
    to.add(&sql::ASSET_WAIT_PUT, &changes.asset_waits);
    to.add(&sql::OUTBOX_ADD, &changes.outbox);
    to.add(&sql::SKIPPED_TICK_ADD, &changes.skipped_ticks);
    to.add(&sql::AUDIT_ADD, audits);
    to.0
}

/// Connections and variables, which nothing else points to.
fn secrets<S: Sheet>(to: &mut Filling<S>, changes: &Changes) {
    to.add(&sql::CONNECTION_PUT, &changes.connections);
    let stays = |name: &Arc<str>| changes.connections.iter().any(|row| row.name == *name);
    let gone = changes.connections_gone.iter().filter(|name| !stays(name));
    let gone: Vec<_> = gone.map(ConnectionGone).collect();
    to.add(&sql::CONNECTION_DROP, &gone);
    to.add(&sql::VARIABLE_PUT, &changes.variables);
    let stays = |name: &Arc<str>| changes.variables.iter().any(|row| row.name == *name);
    let gone = changes.variables_gone.iter().filter(|name| !stays(name));
    let gone: Vec<_> = gone.map(VariableGone).collect();
    to.add(&sql::VARIABLE_DROP, &gone);
}

/// The highest numbers that these changes give.
fn highest(changes: &Changes) -> Highest {
    let most = |numbers: &mut dyn Iterator<Item = i64>| numbers.max().unwrap_or(0);
    let tasks = changes.tasks.iter().chain(&changes.new_tasks);
    Highest {
        run: most(&mut changes.new_runs.iter().map(|run| run.id.0)),
        attempt: most(
            &mut tasks
                .map(|task| task.attempt.0)
                .chain(changes.attempts.iter().map(|attempt| attempt.id.0))
                .chain(changes.cleanups.iter().map(|row| row.of.attempt.0)),
        ),
        backfill: most(&mut changes.backfills.iter().map(|backfill| backfill.id)),
        asset_event: most(&mut changes.asset_events.iter().map(|event| event.id)),
        outbox: most(&mut changes.outbox.iter().map(|row| row.id)),
        audit: most(&mut changes.audits.iter().map(|row| row.id)),
    }
}
