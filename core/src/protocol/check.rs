//! What came of checks of data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Failing rows that are kept of one check.
const SAMPLE_ROWS_MAX: usize = 20;
/// How long a cell of a failing row may be.
const CELL_BYTES_MAX: usize = 500;
/// How long words about a result may be.
const WORDS_BYTES_MAX: usize = 4_000;
/// How long a statement may be: one that was cut would not run.
const SQL_BYTES_MAX: usize = 64_000;

/// What came of one check of a table, for the history of checks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckResult {
    /// When the data was looked at.
    pub at: Timestamp,
    /// What the check is called: `not_null(order_id)`. No two of a table are called the same.
    pub name: String,
    /// The table.
    pub table: String,
    /// The columns that it looks at.
    pub columns: Vec<String>,
    /// What kind of check it is: `not_null`.
    pub kind: String,
    /// `warn` or `error`.
    pub severity: String,
    /// Whether its task fails with it.
    pub blocking: bool,
    /// `passed`, `warned`, `failed`, or `error` if it could not be checked.
    pub status: String,
    /// What was demanded.
    pub expected: String,
    /// What was seen.
    pub observed: String,
    /// What is wrong, or nothing.
    pub cause: String,
    /// Rows that there are.
    pub rows: Option<i64>,
    /// Rows that were looked at.
    pub rows_checked: Option<i64>,
    /// Rows that failed.
    pub rows_failed: Option<i64>,
    /// Some failing rows, masked columns as stars.
    pub sample: Vec<BTreeMap<String, Option<String>>>,
    /// The statement that gives the numbers again.
    pub sql: Option<String>,
    /// The statement that gives every failing row.
    pub rows_sql: Option<String>,
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
}

impl CheckResult {
    /// The same, no larger than a row of the history should be: a sample is a sample, and a statement that is too long is
    /// left out, since a part of it would not run.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.sample.truncate(SAMPLE_ROWS_MAX);
        let cells = self.sample.iter_mut().flat_map(BTreeMap::values_mut);
        cells.flatten().for_each(|cell| cut(cell, CELL_BYTES_MAX));
        for words in [&mut self.expected, &mut self.observed, &mut self.cause] {
            cut(words, WORDS_BYTES_MAX);
        }
        for sql in [&mut self.sql, &mut self.rows_sql] {
            sql.take_if(|sql| sql.len() > SQL_BYTES_MAX);
        }
        self
    }

    /// Every text in it that may quote the data.
    pub fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let cells = self.sample.iter_mut().flat_map(BTreeMap::values_mut);
        let words = [&mut self.expected, &mut self.observed, &mut self.cause];
        let sql = [&mut self.sql, &mut self.rows_sql];
        words
            .into_iter()
            .chain(sql.into_iter().flatten())
            .chain(cells.flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_history_has_bounds() {
        let row = BTreeMap::from([("a".to_owned(), Some("ü".repeat(1_000)))]);
        let result = CheckResult {
            cause: "x".repeat(100_000),
            sample: vec![row; 50],
            sql: Some("S".repeat(SQL_BYTES_MAX)),
            rows_sql: Some("S".repeat(SQL_BYTES_MAX + 1)),
            ..CheckResult::default()
        };
        let bounded = result.bounded();
        assert_eq!(bounded.sample.len(), SAMPLE_ROWS_MAX);
        let cell = bounded.sample[0]["a"].as_deref().unwrap();
        assert!(
            cell.len() <= CELL_BYTES_MAX + 3 && cell.ends_with("ü…"),
            "{cell}"
        );
        assert!(bounded.cause.len() <= WORDS_BYTES_MAX + 3);
        assert!(bounded.sql.is_some() && bounded.rows_sql.is_none());
    }
}
