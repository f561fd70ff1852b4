//! One method a kind of check: of whole tables and of single columns.

use serde_json::Value;
use tidemill_core::text::Text;

use super::builder::Checks;
use super::literal::{Bounds, Literal};
use super::rule::{MatchOn, Patterns, Quantile, Rule, SetRule, Statistic};

fn strings<S: Into<String>>(texts: impl IntoIterator<Item = S>) -> Vec<String> {
    texts.into_iter().map(Into::into).collect()
}

fn literals<L: Into<Literal>>(values: impl IntoIterator<Item = L>) -> Vec<Literal> {
    values.into_iter().map(Into::into).collect()
}

/// Of whole tables.
impl Checks {
    /// The table has from so many rows to so many; `()` is no limit.
    pub fn row_count(self, min: impl Into<Literal>, max: impl Into<Literal>) -> Self {
        self.with(Rule::RowCount(Bounds::new(min, max)))
    }

    /// The table has so many rows.
    pub fn row_count_equals(self, count: impl Into<Literal>) -> Self {
        let count = count.into();
        self.with(Rule::RowCount(Bounds::new(count.clone(), count)))
    }

    /// The table has as many rows as another one of the same database.
    pub fn row_count_of(self, table: impl Into<Text>) -> Self {
        self.with(Rule::RowCountOf {
            table: table.into(),
        })
    }

    /// The table has so many columns.
    pub fn column_count_equals(self, count: u32) -> Self {
        self.with(Rule::ColumnCount(Bounds::new(count, count)))
    }

    /// The table has from so many columns to so many.
    pub fn column_count(self, min: impl Into<Literal>, max: impl Into<Literal>) -> Self {
        self.with(Rule::ColumnCount(Bounds::new(min, max)))
    }

    /// The table has these columns in this order, and no other.
    pub fn columns_in_order<C: Into<String>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        let columns = strings(columns);
        self.with(Rule::ColumnsInOrder { columns })
    }

    /// The table has these columns, in any order, and no other.
    pub fn columns_are<C: Into<String>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        let columns = strings(columns);
        self.with(Rule::ColumnsAre {
            columns,
            exactly: true,
        })
    }

    /// The table has at least these columns.
    pub fn columns_include<C: Into<String>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        let columns = strings(columns);
        self.with(Rule::ColumnsAre {
            columns,
            exactly: false,
        })
    }

    /// The table has this column.
    pub fn column_exists(self, column: impl Into<String>) -> Self {
        let column = column.into();
        self.with(Rule::ColumnExists {
            column,
            index: None,
        })
    }

    /// The table has this column at this place, counted from 0.
    pub fn column_exists_at(self, column: impl Into<String>, index: usize) -> Self {
        let column = column.into();
        self.with(Rule::ColumnExists {
            column,
            index: Some(index),
        })
    }

    /// This query, one `SELECT` in the dialect of the database, returns no rows. `{batch}` stands for the rows that
    /// are checked; other placeholders are not filled in.
    pub fn no_rows(self, sql: impl Into<String>) -> Self {
        self.with(Rule::NoRows { sql: sql.into() })
    }

    /// The number of rows is no odd one: it is within so many standard deviations of the mean of the counts before,
    /// and there are at least seven of them. Less history passes, and the report says so.
    pub fn usual_volume(self, deviations: f64) -> Self {
        self.with(Rule::Volume {
            deviations,
            history_min: 7,
        })
    }
}

/// Of single columns.
impl Checks {
    /// No value is missing.
    pub fn not_null(self, column: impl Into<String>) -> Self {
        self.with(Rule::NotNull {
            column: column.into(),
        })
    }

    /// Every value is missing.
    pub fn null(self, column: impl Into<String>) -> Self {
        self.with(Rule::Null {
            column: column.into(),
        })
    }

    /// No value comes twice. Every member of a group of equal values counts.
    pub fn unique(self, column: impl Into<String>) -> Self {
        self.with(Rule::Unique {
            column: column.into(),
        })
    }

    /// Each value is one of these.
    pub fn in_set<L: Into<Literal>>(
        self,
        column: impl Into<String>,
        values: impl IntoIterator<Item = L>,
    ) -> Self {
        self.with(Rule::InSet {
            column: column.into(),
            set: Some(literals(values)),
        })
    }

    /// No value is one of these.
    pub fn not_in_set<L: Into<Literal>>(
        self,
        column: impl Into<String>,
        values: impl IntoIterator<Item = L>,
    ) -> Self {
        self.with(Rule::NotInSet {
            column: column.into(),
            set: literals(values),
        })
    }

    /// Each value is between these; `()` is no limit.
    pub fn between(
        self,
        column: impl Into<String>,
        min: impl Into<Literal>,
        max: impl Into<Literal>,
    ) -> Self {
        self.with(Rule::Between {
            column: column.into(),
            within: Bounds::new(min, max),
        })
    }

    /// No value is less.
    pub fn at_least(self, column: impl Into<String>, min: impl Into<Literal>) -> Self {
        self.with(Rule::Between {
            column: column.into(),
            within: Bounds::new(min, ()),
        })
    }

    /// No value is more.
    pub fn at_most(self, column: impl Into<String>, max: impl Into<Literal>) -> Self {
        self.with(Rule::Between {
            column: column.into(),
            within: Bounds::new((), max),
        })
    }

    /// The column is of this type, as the database declares it.
    pub fn of_type(self, column: impl Into<String>, kind: impl Into<String>) -> Self {
        self.with(Rule::OfType {
            column: column.into(),
            types: vec![kind.into()],
        })
    }

    /// The column is of one of these types.
    pub fn of_types<T: Into<String>>(
        self,
        column: impl Into<String>,
        kinds: impl IntoIterator<Item = T>,
    ) -> Self {
        self.with(Rule::OfType {
            column: column.into(),
            types: strings(kinds),
        })
    }

    /// The regular expression is found in each value; it need not be all of it.
    pub fn matches(self, column: impl Into<String>, pattern: impl Into<String>) -> Self {
        self.with(Rule::Matches {
            column: column.into(),
            patterns: Patterns {
                patterns: vec![pattern.into()],
                on: MatchOn::Any,
                not: false,
                like: false,
            },
        })
    }

    /// The regular expression is found in no value.
    pub fn not_matches(self, column: impl Into<String>, pattern: impl Into<String>) -> Self {
        self.with(Rule::Matches {
            column: column.into(),
            patterns: Patterns {
                patterns: vec![pattern.into()],
                on: MatchOn::Any,
                not: true,
                like: false,
            },
        })
    }

    /// Any, or all, of these regular expressions are found in each value.
    pub fn matches_list<P: Into<String>>(
        self,
        column: impl Into<String>,
        patterns: impl IntoIterator<Item = P>,
        on: MatchOn,
    ) -> Self {
        self.with(Rule::Matches {
            column: column.into(),
            patterns: Patterns {
                patterns: strings(patterns),
                on,
                not: false,
                like: false,
            },
        })
    }

    /// None of these regular expressions is found in any value.
    pub fn not_matches_list<P: Into<String>>(
        self,
        column: impl Into<String>,
        patterns: impl IntoIterator<Item = P>,
    ) -> Self {
        self.with(Rule::Matches {
            column: column.into(),
            patterns: Patterns {
                patterns: strings(patterns),
                on: MatchOn::Any,
                not: true,
                like: false,
            },
        })
    }

    /// Each value is `LIKE` this pattern.
    pub fn like(self, column: impl Into<String>, pattern: impl Into<String>) -> Self {
        self.with(Rule::Matches {
            column: column.into(),
            patterns: Patterns {
                patterns: vec![pattern.into()],
                on: MatchOn::Any,
                not: false,
                like: true,
            },
        })
    }

    /// No value is `LIKE` this pattern.
    pub fn not_like(self, column: impl Into<String>, pattern: impl Into<String>) -> Self {
        self.with(Rule::Matches {
            column: column.into(),
            patterns: Patterns {
                patterns: vec![pattern.into()],
                on: MatchOn::Any,
                not: true,
                like: true,
            },
        })
    }

    /// Each value is `LIKE` any, or all, of these patterns.
    pub fn like_list<P: Into<String>>(
        self,
        column: impl Into<String>,
        patterns: impl IntoIterator<Item = P>,
        on: MatchOn,
    ) -> Self {
        self.with(Rule::Matches {
            column: column.into(),
            patterns: Patterns {
                patterns: strings(patterns),
                on,
                not: false,
                like: true,
            },
        })
    }

    /// No value is `LIKE` any of these patterns.
    pub fn not_like_list<P: Into<String>>(
        self,
        column: impl Into<String>,
        patterns: impl IntoIterator<Item = P>,
    ) -> Self {
        self.with(Rule::Matches {
            column: column.into(),
            patterns: Patterns {
                patterns: strings(patterns),
                on: MatchOn::Any,
                not: true,
                like: true,
            },
        })
    }

    /// Each value has from so many characters to so many.
    pub fn length(
        self,
        column: impl Into<String>,
        min: impl Into<Literal>,
        max: impl Into<Literal>,
    ) -> Self {
        self.with(Rule::Length {
            column: column.into(),
            within: Bounds::new(min, max),
        })
    }

    /// Each value has so many characters.
    pub fn length_equals(self, column: impl Into<String>, characters: u32) -> Self {
        self.with(Rule::Length {
            column: column.into(),
            within: Bounds::new(characters, characters),
        })
    }

    fn statistic(self, column: impl Into<String>, of: Statistic, within: Bounds) -> Self {
        self.with(Rule::Statistic {
            column: column.into(),
            of,
            within,
        })
    }

    /// The largest value is between these.
    pub fn max(
        self,
        column: impl Into<String>,
        min: impl Into<Literal>,
        max: impl Into<Literal>,
    ) -> Self {
        self.statistic(column, Statistic::Max, Bounds::new(min, max))
    }

    /// The smallest value is between these.
    pub fn min(
        self,
        column: impl Into<String>,
        min: impl Into<Literal>,
        max: impl Into<Literal>,
    ) -> Self {
        self.statistic(column, Statistic::Min, Bounds::new(min, max))
    }

    /// The mean of what is not null is between these.
    pub fn mean(
        self,
        column: impl Into<String>,
        min: impl Into<Literal>,
        max: impl Into<Literal>,
    ) -> Self {
        self.statistic(column, Statistic::Mean, Bounds::new(min, max))
    }

    /// The median is between these.
    pub fn median(
        self,
        column: impl Into<String>,
        min: impl Into<Literal>,
        max: impl Into<Literal>,
    ) -> Self {
        self.statistic(column, Statistic::Median, Bounds::new(min, max))
    }

    /// The sum is between these.
    pub fn sum(
        self,
        column: impl Into<String>,
        min: impl Into<Literal>,
        max: impl Into<Literal>,
    ) -> Self {
        self.statistic(column, Statistic::Sum, Bounds::new(min, max))
    }

    /// The standard deviation of a sample is between these.
    pub fn stdev(
        self,
        column: impl Into<String>,
        min: impl Into<Literal>,
        max: impl Into<Literal>,
    ) -> Self {
        self.statistic(column, Statistic::Stdev, Bounds::new(min, max))
    }

    /// From so many to so many different values are there.
    pub fn unique_count(
        self,
        column: impl Into<String>,
        min: impl Into<Literal>,
        max: impl Into<Literal>,
    ) -> Self {
        self.statistic(column, Statistic::UniqueCount, Bounds::new(min, max))
    }

    /// Different values by all values, nulls left out, is between these parts of 1.
    pub fn unique_proportion(
        self,
        column: impl Into<String>,
        min: impl Into<Literal>,
        max: impl Into<Literal>,
    ) -> Self {
        self.statistic(column, Statistic::UniqueProportion, Bounds::new(min, max))
    }

    /// Each quantile, a part of 1, is between its limits: `[(0.5, 10, 20), …]`. It is the smallest value that at
    /// least this part of the values does not exceed.
    pub fn quantiles<A: Into<Literal>, B: Into<Literal>>(
        self,
        column: impl Into<String>,
        quantiles: impl IntoIterator<Item = (f64, A, B)>,
    ) -> Self {
        let quantiles = quantiles.into_iter().map(|(at, min, max)| Quantile {
            at,
            within: Bounds::new(min, max),
        });
        let quantiles = quantiles.collect();
        self.with(Rule::Quantiles {
            column: column.into(),
            quantiles,
        })
    }

    /// The different values are all in this set.
    pub fn distinct_in_set<L: Into<Literal>>(
        self,
        column: impl Into<String>,
        values: impl IntoIterator<Item = L>,
    ) -> Self {
        self.with(Rule::Distinct {
            column: column.into(),
            set: literals(values),
            rule: SetRule::Within,
        })
    }

    /// Every value of this set is there.
    pub fn distinct_contain_set<L: Into<Literal>>(
        self,
        column: impl Into<String>,
        values: impl IntoIterator<Item = L>,
    ) -> Self {
        self.with(Rule::Distinct {
            column: column.into(),
            set: literals(values),
            rule: SetRule::Contains,
        })
    }

    /// The different values are this set.
    pub fn distinct_equal_set<L: Into<Literal>>(
        self,
        column: impl Into<String>,
        values: impl IntoIterator<Item = L>,
    ) -> Self {
        self.with(Rule::Distinct {
            column: column.into(),
            set: literals(values),
            rule: SetRule::Equals,
        })
    }

    /// The most common value is one of these, and there is one only: see [`ties_okay`](Self::ties_okay).
    pub fn most_common_in_set<L: Into<Literal>>(
        self,
        column: impl Into<String>,
        values: impl IntoIterator<Item = L>,
    ) -> Self {
        self.with(Rule::MostCommon {
            column: column.into(),
            set: literals(values),
            ties_okay: false,
        })
    }

    /// Each value is less than so many standard deviations away from the mean, on either side.
    pub fn z_score_below(self, column: impl Into<String>, deviations: f64) -> Self {
        self.with(Rule::ZScore {
            column: column.into(),
            threshold: deviations,
            double_sided: true,
        })
    }

    /// Each value is less than so many standard deviations above the mean.
    pub fn z_score_below_above_mean(self, column: impl Into<String>, deviations: f64) -> Self {
        self.with(Rule::ZScore {
            column: column.into(),
            threshold: deviations,
            double_sided: false,
        })
    }

    /// No value is less than the one before. Say with [`sorted_by`](Self::sorted_by) what is before what.
    pub fn increasing(self, column: impl Into<String>) -> Self {
        self.with(Rule::InOrder {
            column: column.into(),
            decreasing: false,
            strictly: false,
            by: None,
        })
    }

    /// No value is more than the one before. Say with [`sorted_by`](Self::sorted_by) what is before what.
    pub fn decreasing(self, column: impl Into<String>) -> Self {
        self.with(Rule::InOrder {
            column: column.into(),
            decreasing: true,
            strictly: false,
            by: None,
        })
    }

    /// Each value is a date in this format: `%Y-%m-%d`. Of the directives those of numbers are known, and `%z` and
    /// `%p`.
    pub fn strftime(self, column: impl Into<String>, format: impl Into<String>) -> Self {
        self.with(Rule::Strftime {
            column: column.into(),
            format: format.into(),
        })
    }

    /// Each value is a date or a moment in one of the ways in which people write them.
    pub fn date_parses(self, column: impl Into<String>) -> Self {
        self.with(Rule::DateParses {
            column: column.into(),
        })
    }

    /// Each value is JSON.
    pub fn json_parses(self, column: impl Into<String>) -> Self {
        self.with(Rule::JsonParses {
            column: column.into(),
        })
    }

    /// Each value is JSON that this schema describes.
    pub fn json_schema(self, column: impl Into<String>, schema: Value) -> Self {
        self.with(Rule::JsonSchema {
            column: column.into(),
            schema,
        })
    }
}
