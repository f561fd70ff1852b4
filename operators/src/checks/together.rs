//! One method a kind of check: of several columns, of versions, and against other tables.

use std::time::Duration;

use tidemill_core::text::Text;

use super::builder::Checks;
use super::literal::Literal;
use super::rule::{Rule, Source, Versions};

fn strings<S: Into<String>>(texts: impl IntoIterator<Item = S>) -> Vec<String> {
    texts.into_iter().map(Into::into).collect()
}

/// Of several columns.
impl Checks {
    /// Both columns have the same value.
    pub fn pair_equal(self, a: impl Into<String>, b: impl Into<String>) -> Self {
        let (a, b) = (a.into(), b.into());
        self.with(Rule::PairEqual { a, b })
    }

    /// The first column is more than the second.
    pub fn pair_greater(self, a: impl Into<String>, b: impl Into<String>) -> Self {
        let (a, b) = (a.into(), b.into());
        self.with(Rule::PairGreater {
            a,
            b,
            or_equal: false,
        })
    }

    /// The first column is not less than the second.
    pub fn pair_at_least(self, a: impl Into<String>, b: impl Into<String>) -> Self {
        let (a, b) = (a.into(), b.into());
        self.with(Rule::PairGreater {
            a,
            b,
            or_equal: true,
        })
    }

    /// Both values are one of these pairs.
    pub fn pair_in_set<A: Into<Literal>, B: Into<Literal>>(
        self,
        a: impl Into<String>,
        b: impl Into<String>,
        pairs: impl IntoIterator<Item = (A, B)>,
    ) -> Self {
        let (a, b) = (a.into(), b.into());
        let pairs = pairs.into_iter().map(|(a, b)| (a.into(), b.into()));
        self.with(Rule::PairInSet {
            a,
            b,
            pairs: pairs.collect(),
        })
    }

    /// No two rows have the same values in all of these columns.
    pub fn unique_together<C: Into<String>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        let columns = strings(columns);
        self.with(Rule::UniqueTogether { columns })
    }

    /// No two of these columns have the same value in one row.
    pub fn unique_within_row<C: Into<String>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        let columns = strings(columns);
        self.with(Rule::UniqueWithinRow { columns })
    }

    /// The sum of these columns is this in each row; a row with a null fails.
    pub fn sum_of_row<C: Into<String>>(
        self,
        columns: impl IntoIterator<Item = C>,
        total: impl Into<Literal>,
    ) -> Self {
        let columns = strings(columns);
        self.with(Rule::SumOfRow {
            columns,
            total: total.into(),
        })
    }
}

/// Of time, of versions, and against other tables.
impl Checks {
    /// The newest value of this column is no older than this; an empty table fails.
    pub fn fresh(self, column: impl Into<String>, fail_after: Duration) -> Self {
        self.with(Rule::Fresh {
            column: column.into(),
            warn_after: None,
            fail_after: Some(fail_after),
        })
    }

    /// As [`fresh`](Self::fresh), with a warning before it fails.
    pub fn fresh_within(
        self,
        column: impl Into<String>,
        warn_after: Duration,
        fail_after: Duration,
    ) -> Self {
        self.with(Rule::Fresh {
            column: column.into(),
            warn_after: Some(warn_after),
            fail_after: Some(fail_after),
        })
    }

    /// Of a dimension that keeps its history: each key has one current version, and no two versions of a key hold at
    /// the
    /// same time, end before they begin, or leave a gap.
    pub fn one_version(self, versions: Versions) -> Self {
        self.with(Rule::OneVersion(versions))
    }

    /// Each value is in a column of another table.
    pub fn references(
        self,
        column: impl Into<String>,
        table: impl Into<Text>,
        to: impl Into<String>,
    ) -> Self {
        self.with(Rule::References {
            columns: vec![column.into()],
            table: table.into(),
            to: vec![to.into()],
        })
    }

    /// The values of these columns are together in columns of another table. Rows in which one is null are left out.
    pub fn references_together<A: Into<String>, B: Into<String>>(
        self,
        columns: impl IntoIterator<Item = A>,
        table: impl Into<Text>,
        to: impl IntoIterator<Item = B>,
    ) -> Self {
        self.with(Rule::References {
            columns: strings(columns),
            table: table.into(),
            to: strings(to),
        })
    }

    /// The table has what its source has: rows, and sums of columns.
    pub fn as_in_source(self, source: Source) -> Self {
        self.with(Rule::AsInSource(source))
    }
}
