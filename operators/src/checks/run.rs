//! Asks a database and puts the report together.

use std::collections::BTreeMap;

use tidemill_core::operator::{ErrorKind, TaskError, TaskResult};

use super::builder::Checks;
use super::compile::{self, Compiled, Ruling};
use super::dialect::{Column, Dialect};
use super::query::{Query, Row};
use super::report::{CheckReport, CheckResult, CheckStatus};
use super::rule::Rule;
use super::verdict::{Background, Found, Verdict};

impl Checks {
    /// The one statement that answers all checks of a table with these columns, for people and for tests; none if the
    /// declaration of the table answers them.
    ///
    /// # Errors
    /// The table or the condition of all checks is wrong.
    pub fn sql(&self, dialect: Dialect, columns: &[Column]) -> Result<Option<String>, String> {
        compile::compile(self, dialect, columns).map(|compiled| compiled.sql)
    }

    /// Asks the database: the columns of the table, then one statement for all checks, and another one for failing
    /// rows if
    /// there are any. A check that does not fit the table, or whose own SQL is wrong, is reported as that and does
    /// not keep
    /// the others from being made.
    ///
    /// # Errors
    /// The database could not be asked. That a check failed is no error here: see [`CheckReport::error`].
    pub async fn ask(
        &self,
        database: &dyn Query,
        background: &Background,
    ) -> TaskResult<CheckReport> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(TaskError::permanent(format!(
                "the checks of `{}` are written wrongly: {}",
                self.table,
                problems.join("; ")
            )));
        }
        let table = self.table.as_str();
        let columns = database.columns(table).await?;
        if columns.is_empty() {
            return Err(TaskError::permanent(format!(
                "the table `{table}` is not there, or has no columns"
            ))
            .help("check its name, and that the connection may see it"));
        }
        let compiled =
            compile::compile(self, database.dialect(), &columns).map_err(TaskError::permanent)?;
        let asking = Asking {
            checks: self,
            database,
            background,
            columns: &columns,
        };
        asking.report(compiled).await
    }
}

struct Asking<'a> {
    checks: &'a Checks,
    database: &'a dyn Query,
    background: &'a Background,
    columns: &'a [Column],
}

impl Asking<'_> {
    async fn report(&self, compiled: Compiled) -> TaskResult<CheckReport> {
        let checks = self.checks;
        let mut verdicts = match self.all(&compiled).await {
            Ok(verdicts) => verdicts,
            // One of them is wrong, and the rest is not.
            Err(error) if error.kind == ErrorKind::Permanent => self.each(&compiled).await?,
            Err(error) => return Err(error),
        };
        let mut results = Vec::with_capacity(verdicts.len());
        let ids = checks.ids();
        for (index, (id, check)) in ids.into_iter().zip(&checks.checks).enumerate() {
            let (verdict, values) = std::mem::replace(
                &mut verdicts[index],
                (Verdict::wrong(String::new()), Vec::new()),
            );
            let masked = check.rule.columns().iter().any(|column| self.masks(column));
            let mut result = CheckResult::new(id, check, verdict, masked);
            result.sample = values
                .into_iter()
                .map(|value| {
                    let column = check.rule.columns().join(", ");
                    let value = if masked { "***".to_owned() } else { value };
                    BTreeMap::from([(column, Some(value))])
                })
                .collect();
            result.rows_sql = compiled.rows_of(checks, index, self.database.dialect());
            result.sql = self.own(index)?.sql;
            results.push(result);
        }
        self.samples(&compiled, &mut results).await?;
        Ok(CheckReport {
            table: checks.table.as_str().to_owned(),
            at: self.background.now,
            results,
            sql: compiled.sql,
        })
    }

    fn masks(&self, column: &str) -> bool {
        let mut masked = self.checks.masked.iter();
        masked.any(|mask| mask.eq_ignore_ascii_case(column))
    }

    fn own(&self, index: usize) -> TaskResult<Compiled> {
        let dialect = self.database.dialect();
        compile::some(self.checks, dialect, self.columns, |other| other == index)
            .map_err(TaskError::permanent)
    }

    async fn row(&self, compiled: &Compiled) -> TaskResult<Row> {
        let Some(sql) = &compiled.sql else {
            return Ok(Vec::new());
        };
        let mut rows = self.database.rows(sql).await?;
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) if row.len() == compiled.width => Ok(row),
            _ => Err(TaskError::transient(
                "the database returned something else than the one row that was asked for",
            )),
        }
    }

    async fn verdict(
        &self,
        compiled: &Compiled,
        row: &Row,
        index: usize,
    ) -> TaskResult<(Verdict, Vec<String>)> {
        let found = Found::new(row, self.background);
        let (check, ruling) = (&self.checks.checks[index], &compiled.planned[index].ruling);
        let ruled = if let Ruling::Fetched { sql, .. } = ruling {
            let values = self.database.rows(sql).await?;
            found
                .fetched(check, ruling, &values)
                .map(|(verdict, mut bad)| {
                    bad.truncate(self.checks.sample_rows);
                    (verdict, bad)
                })
        } else {
            found
                .verdict(check, ruling)
                .map(|verdict| (verdict, Vec::new()))
        };
        Ok(ruled.unwrap_or_else(|why| (Verdict::wrong(why), Vec::new())))
    }

    async fn all(&self, compiled: &Compiled) -> TaskResult<Vec<(Verdict, Vec<String>)>> {
        let row = self.row(compiled).await?;
        let mut verdicts = Vec::new();
        for index in 0..compiled.planned.len() {
            verdicts.push(self.verdict(compiled, &row, index).await?);
        }
        Ok(verdicts)
    }

    async fn each(&self, all: &Compiled) -> TaskResult<Vec<(Verdict, Vec<String>)>> {
        let mut verdicts = Vec::new();
        for index in 0..all.planned.len() {
            let alone = self.own(index)?;
            let ruled = match self.row(&alone).await {
                Ok(row) => self.verdict(&alone, &row, index).await,
                Err(error) => Err(error),
            };
            verdicts.push(match ruled {
                Ok(ruled) => ruled,
                Err(error) if error.kind == ErrorKind::Permanent => {
                    (Verdict::wrong(error.message), Vec::new())
                }
                Err(error) => return Err(error),
            });
        }
        Ok(verdicts)
    }

    /// Failing rows of what failed. A report without them is better than none.
    async fn samples(&self, compiled: &Compiled, results: &mut [CheckResult]) -> TaskResult<()> {
        let failed: Vec<usize> = results
            .iter()
            .enumerate()
            .filter(|(_, result)| {
                matches!(result.status, CheckStatus::Failed | CheckStatus::Warned)
                    && result.unexpected != Some(0)
            })
            .map(|(index, _)| index)
            .collect();
        if self.checks.sample_rows == 0 {
            return Ok(());
        }
        for &index in &failed {
            if let Rule::NoRows { .. } = &self.checks.checks[index].rule {
                self.own_rows(compiled, index, results).await;
            }
        }
        let with = (self.database.dialect(), self.columns);
        let Some((sql, shown)) = compiled.samples(self.checks, &failed, with) else {
            return Ok(());
        };
        let rows = match self.database.rows(&sql).await {
            Ok(rows) => rows,
            Err(error) if error.kind == ErrorKind::Permanent => return Ok(()),
            Err(error) => return Err(error),
        };
        for row in rows {
            let Some((Some(index), cells)) = row.split_first() else {
                continue;
            };
            let shown = shown.iter().find(|shown| shown.check.to_string() == *index);
            if let Some(shown) = shown {
                let cells = shown.columns.iter().cloned().zip(cells.iter().cloned());
                results[shown.check].sample.push(cells.collect());
            }
        }
        Ok(())
    }

    /// Rows of an author's own query, each as JSON. What columns they have nobody knows, so nothing is shown where any
    /// column is masked.
    async fn own_rows(&self, compiled: &Compiled, index: usize, results: &mut [CheckResult]) {
        let dialect = self.database.dialect();
        let Some(sql) = compiled.rows_of(self.checks, index, dialect) else {
            return;
        };
        if !self.checks.masked.is_empty() {
            return;
        }
        let json = match dialect {
            Dialect::BigQuery => "TO_JSON_STRING(q)",
            Dialect::Postgres => "CAST(row_to_json(q) AS TEXT)",
        };
        let limit = self.checks.sample_rows;
        let sql = format!("SELECT {json} AS failing FROM (\n{sql}\n) AS q LIMIT {limit}");
        let Ok(rows) = self.database.rows(&sql).await else {
            return;
        };
        results[index].sample = rows
            .into_iter()
            .filter_map(|row| row.into_iter().next())
            .map(|row| BTreeMap::from([("row".to_owned(), row)]))
            .collect();
    }
}
