//! From checks to statements: one that answers them all, one for failing rows, and one of each check to reproduce it.

mod aggregates;
mod formats;
mod rows;
mod statement;

use std::fmt::Write as _;
use std::time::Duration;

use super::builder::{Check, Checks};
use super::dialect::{Column, Dialect};
use super::literal::Bounds;
use super::rule::{Quantile, SetRule};
use super::schema::Schema;

use rows::{Failing, and, filter, own_query};
pub(crate) use statement::Slot;
use statement::{ROWS, Statement};

/// Different values that are fetched of a column at most, where no database can look at them.
pub(crate) const FETCHED_VALUES_MAX: usize = 100_000;

/// What a fetched value is tested for.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    Date,
    Json,
    Schema(Schema),
}

/// What a number of the source is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Against {
    Slot(Slot),
    Number(f64),
}

/// How a check is ruled, and where what it needs is found in the row.
#[derive(Debug, Clone)]
pub(crate) enum Ruling {
    /// It does not fit the table.
    Wrong(String),
    /// The declaration of the table decides.
    Known {
        ok: bool,
        observed: String,
    },
    Rows {
        rows: Slot,
        missing: Option<Slot>,
        kept: Slot,
        bad: Slot,
        parts: Vec<(&'static str, Slot)>,
    },
    Number {
        value: Slot,
        within: Bounds,
    },
    /// The mean of the two in the middle.
    Middle {
        low: Slot,
        high: Slot,
        within: Bounds,
    },
    Extreme {
        value: Slot,
        ok: Slot,
    },
    Proportion {
        distinct: Slot,
        present: Slot,
        within: Bounds,
    },
    Quantiles {
        values: Vec<(Slot, Quantile)>,
    },
    Set {
        rule: SetRule,
        seen: Slot,
        known: Slot,
        wanted: usize,
    },
    Mode {
        modes: Slot,
        known: Slot,
        mode: Slot,
        ties_okay: bool,
    },
    Same {
        here: Slot,
        there: Slot,
    },
    NoRows {
        bad: Slot,
    },
    Age {
        micros: Slot,
        warn_after: Option<Duration>,
        fail_after: Option<Duration>,
    },
    Volume {
        rows: Slot,
        deviations: f64,
        history_min: usize,
    },
    Source {
        pairs: Vec<(String, Slot, Against)>,
        percent: f64,
    },
    Fetched {
        rows: Slot,
        missing: Slot,
        nulls_fail: bool,
        sql: String,
        test: Test,
    },
}

/// A check, ready to be asked.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) ruling: Ruling,
    failing: Option<Failing>,
    scope: String,
}

/// Checks, ready to be asked.
pub(crate) struct Compiled {
    /// The statement that answers them; none if the table's declaration does.
    pub(crate) sql: Option<String>,
    /// How wide its row is.
    pub(crate) width: usize,
    pub(crate) planned: Vec<Planned>,
    rows: String,
}

/// All checks as one statement. A check that does not fit the table is ruled [`Ruling::Wrong`] and asks nothing.
///
/// # Errors
/// The table or the condition of all checks is wrong.
pub(crate) fn compile(
    checks: &Checks,
    dialect: Dialect,
    columns: &[Column],
) -> Result<Compiled, String> {
    some(checks, dialect, columns, |_| true)
}

/// Only these checks.
pub(crate) fn some(
    checks: &Checks,
    dialect: Dialect,
    columns: &[Column],
    chosen: impl Fn(usize) -> bool,
) -> Result<Compiled, String> {
    let mut statement = Statement::new(checks, dialect, columns)?;
    let mut planned = Vec::with_capacity(checks.checks.len());
    for (index, check) in checks.checks.iter().enumerate() {
        let plan = if chosen(index) {
            plan(check, &mut statement)
        } else {
            Err(String::new())
        };
        planned.push(plan.unwrap_or_else(|error| Planned {
            ruling: Ruling::Wrong(error),
            failing: None,
            scope: String::new(),
        }));
    }
    Ok(Compiled {
        sql: statement.text(),
        width: statement.width(),
        planned,
        rows: statement.rows().to_owned(),
    })
}

fn plan(check: &Check, to: &mut Statement<'_>) -> Result<Planned, String> {
    let scope = match &check.row_condition {
        Some(condition) => to.condition(condition)?,
        None => String::new(),
    };
    let Some(failing) = rows::failing(check, &scope, to)? else {
        return aggregates::plan(check, &scope, to);
    };
    let scope_of = scope.as_str();
    let rows = to.count(&[scope_of]);
    let missing = failing
        .missing
        .as_ref()
        .map(|missing| to.count(&[scope_of, missing]));
    let kept = to.count(&[scope_of, &failing.kept]);
    let (bad, parts) = match (&failing.grouped, &failing.from) {
        (Some(grouped), _) => (to.single(grouped.clone(), &["bad"])[0], Vec::new()),
        (None, None) => (
            to.count(&[scope_of, &failing.kept, &failing.bad]),
            Vec::new(),
        ),
        (None, Some(from)) => {
            let mut picks = format!(
                "COUNT(CASE WHEN {} THEN 1 END) AS bad",
                and(&[scope_of, &failing.kept, &failing.bad])
            );
            let names: Vec<String> = (0..failing.parts.len())
                .map(|index| format!("part{index}"))
                .collect();
            for (name, (_, part)) in names.iter().zip(&failing.parts) {
                let _ = write!(
                    picks,
                    ", COUNT(CASE WHEN {} THEN 1 END) AS {name}",
                    and(&[scope_of, part])
                );
            }
            let mut columns = vec!["bad"];
            columns.extend(names.iter().map(String::as_str));
            let found = to.single(format!("SELECT {picks} FROM {from} AS f"), &columns);
            let words = failing.parts.iter().map(|(words, _)| *words);
            (found[0], words.zip(found[1..].iter().copied()).collect())
        }
    };
    Ok(Planned {
        ruling: Ruling::Rows {
            rows,
            missing,
            kept,
            bad,
            parts,
        },
        failing: Some(failing),
        scope,
    })
}

/// What one row of a sample is: which check, and which columns.
pub(crate) struct Shown {
    pub(crate) check: usize,
    pub(crate) columns: Vec<String>,
}

impl Compiled {
    /// The rows that fail a check, all of their columns, as a statement for people.
    pub(crate) fn rows_of(
        &self,
        checks: &Checks,
        index: usize,
        dialect: Dialect,
    ) -> Option<String> {
        let planned = &self.planned[index];
        let rows = &self.rows;
        if let super::rule::Rule::NoRows { sql } = &checks.checks[index].rule {
            let (batch, with) = if planned.scope.is_empty() {
                (ROWS, String::new())
            } else {
                let scope = filter(&[&planned.scope]);
                let with = format!(",\nbatch AS (\n  SELECT * FROM {ROWS}{scope}\n)");
                ("batch", with)
            };
            let query = own_query(sql, dialect, batch).ok()?;
            return Some(if sql.contains("{batch}") {
                format!("WITH {ROWS} AS (\n  {rows}\n){with}\nSELECT * FROM (\n{query}\n) AS q")
            } else {
                query
            });
        }
        let failing = planned.failing.as_ref()?;
        let from = failing.from.as_deref().unwrap_or(ROWS);
        let filter = filter(&[&planned.scope, &failing.kept, &failing.bad]);
        Some(format!(
            "WITH {ROWS} AS (\n  {rows}\n)\nSELECT * FROM {from} AS f{filter}"
        ))
    }

    /// One statement for some failing rows of each of these checks. Masked columns are not selected.
    pub(crate) fn samples(
        &self,
        checks: &Checks,
        failed: &[usize],
        (dialect, columns): (Dialect, &[Column]),
    ) -> Option<(String, Vec<Shown>)> {
        let to = Statement::new(checks, dialect, columns).ok()?;
        let mut shown = Vec::new();
        let mut parts: Vec<(usize, Vec<String>, String)> = Vec::new();
        for &index in failed {
            let planned = &self.planned[index];
            let Some(failing) = &planned.failing else {
                continue;
            };
            let mut names: Vec<&str> = checks.key.iter().map(String::as_str).collect();
            names.extend(failing.columns.iter().map(String::as_str));
            let mut picked = Vec::new();
            let mut exprs = Vec::new();
            for name in names {
                let Ok((quoted, column)) = to.quoted(name) else {
                    continue;
                };
                if picked.contains(&column.name) {
                    continue;
                }
                let masked = checks
                    .masked
                    .iter()
                    .any(|mask| mask.eq_ignore_ascii_case(&column.name));
                exprs.push(if masked {
                    format!("CASE WHEN {quoted} IS NULL THEN NULL ELSE '***' END")
                } else {
                    dialect.as_text(&quoted, dialect.family(&column.kind))
                });
                picked.push(column.name.clone());
            }
            let from = failing.from.as_deref().unwrap_or(ROWS);
            let filter = filter(&[&planned.scope, &failing.kept, &failing.bad]);
            let tail = format!("FROM {from} AS f{filter} LIMIT {}", checks.sample_rows);
            parts.push((index, exprs, tail));
            shown.push(Shown {
                check: index,
                columns: picked,
            });
        }
        let width = shown.iter().map(|shown| shown.columns.len()).max()?;
        let null = dialect.as_text("NULL", super::dialect::Family::Text);
        let parts: Vec<String> = parts
            .into_iter()
            .map(|(index, mut cells, tail)| {
                cells.resize(width, null.clone());
                let cells: Vec<String> = cells
                    .iter()
                    .enumerate()
                    .map(|(at, expr)| format!("{expr} AS v{at}"))
                    .collect();
                format!("(SELECT '{index}' AS failed, {} {tail})", cells.join(", "))
            })
            .collect();
        let sql = format!(
            "WITH {ROWS} AS (\n  {}\n)\n{}",
            self.rows,
            parts.join("\nUNION ALL\n")
        );
        Some((sql, shown))
    }
}
