//! Checks as they are written in a DAG.

use serde::{Deserialize, Serialize};
use tidemill_core::text::Text;

use super::condition::Condition;
use super::rule::{IgnoreRowIf, Rule};

/// Failing rows that are shown of each check, unless the author says otherwise.
pub const SAMPLE_ROWS: usize = 20;

/// How much a failed check matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody should look when there is time.
    Warn,
    /// The data is wrong.
    #[default]
    Error,
}

/// One check of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    pub(super) rule: Rule,
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub(super) mostly: f64,
    #[serde(default, skip_serializing_if = "is_error")]
    pub(super) severity: Severity,
    /// A check that blocks fails its task. Nothing said: if it is severe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) blocking: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) row_condition: Option<Condition>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) nulls_fail: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) ignore: IgnoreRowIf,
}

const fn all() -> f64 {
    1.0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_all(mostly: &f64) -> bool {
    *mostly >= 1.0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_error(severity: &Severity) -> bool {
    *severity == Severity::Error
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Check {
    pub(super) const fn new(rule: Rule) -> Self {
        Self {
            id: None,
            rule,
            mostly: 1.0,
            severity: Severity::Error,
            blocking: None,
            row_condition: None,
            nulls_fail: false,
            ignore: IgnoreRowIf::AllMissing,
        }
    }

    pub(super) fn blocks(&self) -> bool {
        self.blocking.unwrap_or(self.severity == Severity::Error)
    }

    /// What it is called if the author says nothing: `not_null(order_id)`.
    pub(super) fn name(&self) -> String {
        self.id.clone().unwrap_or_else(|| {
            let columns = self.rule.columns();
            if columns.is_empty() {
                self.rule.name().to_owned()
            } else {
                format!("{}({})", self.rule.name(), columns.join(", "))
            }
        })
    }
}

/// Checks of one table. See the [module](super).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "checks do nothing until they are added to a DAG or run"]
pub struct Checks {
    pub(super) table: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) connection: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) only: Option<Condition>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) key: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) masked: Vec<String>,
    #[serde(default = "sample_rows", skip_serializing_if = "is_usual_sample")]
    pub(super) sample_rows: usize,
    pub(super) checks: Vec<Check>,
    /// What was written wrongly; said when the checks run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) misuse: Vec<String>,
}

const fn sample_rows() -> usize {
    SAMPLE_ROWS
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_usual_sample(rows: &usize) -> bool {
    *rows == SAMPLE_ROWS
}

impl Checks {
    /// Checks of this table: `project.dataset.table` in BigQuery, `schema.table` in PostgreSQL. Placeholders are
    /// filled in.
    pub fn on(table: impl Into<Text>) -> Self {
        Self {
            table: table.into(),
            connection: None,
            only: None,
            key: Vec::new(),
            masked: Vec::new(),
            sample_rows: SAMPLE_ROWS,
            checks: Vec::new(),
            misuse: Vec::new(),
        }
    }

    /// The same checks of another table: of the one that was just staged, say.
    pub fn of_table(mut self, table: impl Into<Text>) -> Self {
        self.table = table.into();
        self
    }

    /// The connection of the database that has the table; the project's own if nothing is said.
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.connection = Some(name.into());
        self
    }

    /// Looks at a part of the table only, such as one partition: `column("day").equals(Text::new("{ds}"))`. This is
    /// for all
    /// checks; [`row_condition`](Self::row_condition) is for one.
    pub fn only(mut self, condition: impl Into<Condition>) -> Self {
        self.only = Some(condition.into());
        self
    }

    /// Columns that say which row it is; they are shown with every failing row.
    pub fn key<C: Into<String>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.key = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Columns whose values nobody may see: stars stand for them in failing rows, and they never leave the database.
    pub fn masked<C: Into<String>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.masked = columns.into_iter().map(Into::into).collect();
        self
    }

    /// How many failing rows of each check are shown; [`SAMPLE_ROWS`] if nothing is said, 0 for none.
    pub const fn sample_rows(mut self, rows: usize) -> Self {
        self.sample_rows = rows;
        self
    }

    /// The table, as written.
    #[must_use]
    pub fn table(&self) -> &str {
        self.table.as_str()
    }

    /// How many checks there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.checks.len()
    }

    /// Whether there is no check.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }

    /// What the checks are called, in their order; no two alike.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = Vec::with_capacity(self.checks.len());
        for check in &self.checks {
            let name = check.name();
            let mut id = name.clone();
            let mut copy = 1;
            while ids.contains(&id) {
                copy += 1;
                id = format!("{name} #{copy}");
            }
            ids.push(id);
        }
        ids
    }

    /// What was written wrongly: a setting that its check does not have. Checks with any fail before they ask anything.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.misuse.clone();
        if self.checks.is_empty() {
            problems.push("there is no check of it".to_owned());
        }
        problems
    }

    pub(super) fn with(mut self, rule: Rule) -> Self {
        self.checks.push(Check::new(rule));
        self
    }

    /// Changes the check that was added last.
    fn last(
        mut self,
        what: &str,
        fits: impl FnOnce(&Rule) -> bool,
        set: impl FnOnce(&mut Check),
    ) -> Self {
        match self.checks.last_mut() {
            Some(check) if fits(&check.rule) => set(check),
            Some(check) => {
                let problem = format!("`{what}` says nothing about `{}`", check.name());
                self.misuse.push(problem);
            }
            None => self
                .misuse
                .push(format!("`{what}` comes before the first check")),
        }
        self
    }

    /// Of the check before: what it is called.
    pub fn named(self, id: impl Into<String>) -> Self {
        self.last("named", |_| true, |check| check.id = Some(id.into()))
    }

    /// Of the check before: the part of the rows that has to pass, 1 if nothing is said.
    pub fn mostly(mut self, part: f64) -> Self {
        if !(0.0..=1.0).contains(&part) {
            self.misuse
                .push(format!("`mostly` is a part of 1, not {part}"));
            return self;
        }
        self.last("mostly", Rule::takes_mostly, |check| check.mostly = part)
    }

    /// Of the check before: how much it matters. A check that only warns does not block.
    pub fn severity(self, severity: Severity) -> Self {
        self.last(
            "severity",
            |_| true,
            |check| {
                check.severity = severity;
            },
        )
    }

    /// Of the check before: it only warns.
    pub fn warn(self) -> Self {
        self.severity(Severity::Warn)
    }

    /// Of the check before: whether its task fails with it.
    pub fn blocking(self, blocking: bool) -> Self {
        self.last(
            "blocking",
            |_| true,
            |check| {
                check.blocking = Some(blocking);
            },
        )
    }

    /// Of the check before: only these rows are looked at, before anything else is.
    pub fn row_condition(self, condition: impl Into<Condition>) -> Self {
        self.last(
            "row_condition",
            |_| true,
            |check| {
                check.row_condition = Some(condition.into());
            },
        )
    }

    /// Of the check before: a row without a value fails. Otherwise such rows are not looked at, which surprises people.
    pub fn nulls_fail(self) -> Self {
        self.last(
            "nulls_fail",
            |rule| rule.takes_mostly() && !rule.compares_columns(),
            |check| check.nulls_fail = true,
        )
    }

    /// Of the check before, if it compares columns: which rows without values are left out.
    pub fn ignore_row_if(self, ignore: IgnoreRowIf) -> Self {
        self.last("ignore_row_if", Rule::compares_columns, |check| {
            check.ignore = ignore;
        })
    }

    /// Of the check before: its lower limit itself is outside.
    pub fn strict_min(self) -> Self {
        let has = |rule: &Rule| rule.clone().bounds_mut().is_some();
        self.last("strict_min", has, |check| {
            if let Some(within) = check.rule.bounds_mut() {
                within.strict_min = true;
            }
        })
    }

    /// Of the check before: its upper limit itself is outside.
    pub fn strict_max(self) -> Self {
        let has = |rule: &Rule| rule.clone().bounds_mut().is_some();
        self.last("strict_max", has, |check| {
            if let Some(within) = check.rule.bounds_mut() {
                within.strict_max = true;
            }
        })
    }

    /// Of the check before: ties are fine, one of the most common values has to be in the set.
    pub fn ties_okay(self) -> Self {
        let has = |rule: &Rule| matches!(rule, Rule::MostCommon { .. });
        self.last("ties_okay", has, |check| {
            if let Rule::MostCommon { ties_okay, .. } = &mut check.rule {
                *ties_okay = true;
            }
        })
    }

    /// Of the check before: two values must not be the same.
    pub fn strictly(self) -> Self {
        let has = |rule: &Rule| matches!(rule, Rule::InOrder { .. });
        self.last("strictly", has, |check| {
            if let Rule::InOrder { strictly, .. } = &mut check.rule {
                *strictly = true;
            }
        })
    }

    /// Of the check before: the column that its rows are sorted by.
    pub fn sorted_by(self, column: impl Into<String>) -> Self {
        let has = |rule: &Rule| matches!(rule, Rule::InOrder { .. });
        self.last("sorted_by", has, |check| {
            if let Rule::InOrder { by, .. } = &mut check.rule {
                *by = Some(column.into());
            }
        })
    }
}
