//! What came of the checks of a table, for the ledger and for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidemill_core::operator::{TaskContext, TaskError};
use tidemill_core::protocol;

use super::builder::{Check, Severity};
use super::rule::{Rule, Statistic};
use super::verdict::{Ruled, Verdict, grouped};
use super::words;

/// Lines of a message that name checks; the rest is counted.
const LINES_MAX: usize = 20;
/// Failing rows that a message shows of each check.
const ROWS_IN_MESSAGE: usize = 3;

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// The data is as it should be.
    Passed,
    /// It is not, and somebody should look when there is time.
    Warned,
    /// It is not.
    Failed,
    /// Nobody knows: the check does not fit the table, or its statement is wrong.
    Error,
}

/// What came of one check, in the columns of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// What the check is called: `not_null(order_id)`. No two of a table are called the same.
    pub id: String,
    /// Its kind: `not_null`.
    pub kind: String,
    /// The columns it looks at.
    pub columns: Vec<String>,
    /// What came of it.
    pub status: CheckStatus,
    /// How much it matters.
    pub severity: Severity,
    /// Whether its task fails with it.
    pub blocking: bool,
    /// Rows that there are, where its condition holds.
    pub rows: Option<i64>,
    /// Rows without a value.
    pub missing: Option<i64>,
    /// Rows that were looked at.
    pub checked: Option<i64>,
    /// Rows that failed.
    pub unexpected: Option<i64>,
    /// Rows that failed, in percent of those that were looked at; none if there are none.
    pub unexpected_percent: Option<f64>,
    /// Rows that failed, in percent of all.
    pub unexpected_percent_total: Option<f64>,
    /// The part of the rows that had to pass.
    pub mostly: f64,
    /// What was seen, of checks that are not of single rows.
    pub observed: String,
    /// What was demanded.
    pub expected: String,
    /// What is wrong, or nothing.
    pub cause: String,
    /// Some failing rows, masked columns as stars.
    pub sample: Vec<BTreeMap<String, Option<String>>>,
    /// The statement that gives the numbers of this check alone.
    pub sql: Option<String>,
    /// The statement that gives every failing row.
    pub rows_sql: Option<String>,
}

/// A part of a whole in percent.
fn percent(part: Option<i64>, whole: Option<i64>) -> Option<f64> {
    let (part, whole) = (part?, whole?);
    (whole > 0).then(|| super::literal::exact(part) / super::literal::exact(whole) * 100.0)
}

impl CheckResult {
    pub(super) fn new(id: String, check: &Check, verdict: Verdict, masked: bool) -> Self {
        let status = match (verdict.ruled, check.severity) {
            (Ruled::Passed, _) => CheckStatus::Passed,
            (Ruled::Warned, _) | (Ruled::Failed, Severity::Warn) => CheckStatus::Warned,
            (Ruled::Failed, Severity::Error) => CheckStatus::Failed,
            (Ruled::Wrong, _) => CheckStatus::Error,
        };
        let shows_a_value = matches!(
            check.rule,
            Rule::MostCommon { .. }
                | Rule::Quantiles { .. }
                | Rule::Statistic {
                    of: Statistic::Max | Statistic::Min | Statistic::Median,
                    ..
                }
        );
        let observed = if masked && shows_a_value && verdict.ruled != Ruled::Wrong {
            "***".to_owned()
        } else {
            verdict.observed
        };
        let cause = match status {
            CheckStatus::Passed => String::new(),
            CheckStatus::Error => format!("cannot be checked: {observed}"),
            _ => words::cause(&check.rule, (verdict.unexpected, verdict.rows), &observed),
        };
        Self {
            id,
            kind: check.rule.name().to_owned(),
            columns: check
                .rule
                .columns()
                .into_iter()
                .map(str::to_owned)
                .collect(),
            status,
            severity: check.severity,
            blocking: check.blocks() && verdict.ruled != Ruled::Warned,
            rows: verdict.rows,
            missing: verdict.missing,
            checked: verdict.checked,
            unexpected: verdict.unexpected,
            unexpected_percent: percent(verdict.unexpected, verdict.checked),
            unexpected_percent_total: percent(verdict.unexpected, verdict.rows),
            mostly: check.mostly,
            observed,
            expected: words::expected(&check.rule),
            cause,
            sample: Vec::new(),
            sql: None,
            rows_sql: None,
        }
    }

    /// As the history of checks has it.
    fn on_record(&self, table: &str, at: DateTime<Utc>) -> protocol::CheckResult {
        let status = match self.status {
            CheckStatus::Passed => "passed",
            CheckStatus::Warned => "warned",
            CheckStatus::Failed => "failed",
            CheckStatus::Error => "error",
        };
        let severity = match self.severity {
            Severity::Warn => "warn",
            Severity::Error => "error",
        };
        protocol::CheckResult {
            at: at.into(),
            name: self.id.clone(),
            table: table.to_owned(),
            columns: self.columns.clone(),
            kind: self.kind.clone(),
            severity: severity.to_owned(),
            blocking: self.blocking,
            status: status.to_owned(),
            expected: self.expected.clone(),
            observed: self.observed.clone(),
            cause: self.cause.clone(),
            rows: self.rows,
            rows_checked: self.checked,
            rows_failed: self.unexpected,
            sample: self.sample.clone(),
            sql: self.sql.clone(),
            rows_sql: self.rows_sql.clone(),
        }
    }

    /// Whether its task fails with it.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.blocking && self.status != CheckStatus::Passed
    }

    /// `12 of 4,000 rows have no customer_id (not_null, blocking)`.
    fn line(&self) -> String {
        let mut notes = vec![self.kind.clone()];
        if self.mostly < 1.0 {
            notes.push(format!("mostly {}", self.mostly));
        }
        notes.push(
            match (self.blocks(), self.status) {
                (true, _) => "blocking",
                (false, CheckStatus::Warned) => "warning",
                (false, _) => "not blocking",
            }
            .to_owned(),
        );
        // The kind alone does not say which of two it is.
        let name = if self.cause.starts_with("cannot be checked") {
            format!("{}: ", self.id)
        } else {
            String::new()
        };
        format!("{name}{} ({})", self.cause, notes.join(", "))
    }
}

/// What came of the checks of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckReport {
    /// The table.
    pub table: String,
    /// When it was asked.
    pub at: DateTime<Utc>,
    /// What came of each check, in their order.
    pub results: Vec<CheckResult>,
    /// The one statement that was asked, if any had to be.
    pub sql: Option<String>,
}

impl CheckReport {
    /// Puts every result on record, for the history of checks. The checks operator does it itself; a task that asks checks
    /// on its own way, such as write–audit–publish, calls this.
    pub fn record(&self, ctx: &TaskContext) {
        for result in &self.results {
            ctx.record_check(result.on_record(&self.table, self.at));
        }
    }

    /// The results that are not as they should be, those that block first, the most rows first.
    #[must_use]
    pub fn findings(&self) -> Vec<&CheckResult> {
        let mut findings: Vec<&CheckResult> = self
            .results
            .iter()
            .filter(|result| result.status != CheckStatus::Passed)
            .collect();
        findings.sort_by_key(|result| {
            let rows = std::cmp::Reverse(result.unexpected);
            (!result.blocks(), result.status == CheckStatus::Warned, rows)
        });
        findings
    }

    /// Whether the task that asked has to fail.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.results.iter().any(CheckResult::blocks)
    }

    /// Whether everything is as it should be.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.findings().is_empty()
    }

    /// For whoever is on call: the cause first, then other findings, then failing rows and how to see them.
    #[must_use]
    pub fn message(&self) -> String {
        let findings = self.findings();
        let table = &self.table;
        let Some(first) = findings.first() else {
            let count = self.results.len();
            return format!("{table}: all {count} checks passed");
        };
        let mut text = format!("{table}: {}", first.line());
        for finding in findings.iter().skip(1).take(LINES_MAX) {
            let _ = write!(text, "\n{table}: {}", finding.line());
        }
        let more = findings.len().saturating_sub(LINES_MAX + 1);
        if more > 0 {
            let _ = write!(text, "\nand {more} more findings");
        }
        let passed = self.results.len() - findings.len();
        let _ = write!(
            text,
            "\n{} of {} checks passed",
            grouped(i64::try_from(passed).unwrap_or(i64::MAX)),
            self.results.len()
        );
        for row in first.sample.iter().take(ROWS_IN_MESSAGE) {
            let cells: Vec<String> = row
                .iter()
                .map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("NULL")))
                .collect();
            let _ = write!(text, "\nrow: {}", cells.join(", "));
        }
        text
    }

    /// The error that the task fails with, if it has to. It is not tried again: the data does not get better by it. A
    /// check that cannot be made is no fault of the data, and no better on a second try either.
    #[must_use]
    pub fn error(&self) -> Option<TaskError> {
        if !self.blocks() {
            return None;
        }
        let findings = self.findings();
        let first = findings.first()?;
        let message = self.message();
        Some(if first.status == CheckStatus::Error {
            TaskError::permanent(message).help("mend the check, or the table it is of")
        } else {
            let help = first
                .rows_sql
                .as_ref()
                .or(first.sql.as_ref())
                .map_or_else(String::new, |sql| format!("see the rows with:\n{sql}"));
            TaskError::data(message).help(help)
        })
    }
}
