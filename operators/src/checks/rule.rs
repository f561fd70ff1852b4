//! What a check demands, as data.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::span::as_optional_text;
use tidemill_core::text::Text;

use super::literal::{Bounds, Literal};

/// Whether rows without values are looked at, when several columns are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IgnoreRowIf {
    /// Rows in which every one of the columns is null are left out.
    #[default]
    AllMissing,
    /// Rows in which any of the columns is null are left out.
    AnyMissing,
    /// Every row is looked at.
    Never,
}

/// How many of several patterns a value has to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchOn {
    /// One is enough.
    #[default]
    Any,
    /// Every one.
    All,
}

/// A number that stands for a whole column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Statistic {
    Max,
    Min,
    Mean,
    Median,
    Sum,
    Stdev,
    UniqueCount,
    UniqueProportion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SetRule {
    /// What is seen is in the set.
    Within,
    /// The set is in what is seen.
    Contains,
    /// Both.
    Equals,
}

/// A quantile and what it may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quantile {
    pub(super) at: f64,
    pub(super) within: Bounds,
}

/// Patterns and which of them have to match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Patterns {
    pub(super) patterns: Vec<String>,
    #[serde(default)]
    pub(super) on: MatchOn,
    /// None of them may match.
    #[serde(default)]
    pub(super) not: bool,
    /// Of the kind that `LIKE` takes.
    #[serde(default)]
    pub(super) like: bool,
}

/// Rows of one key that hold one after another, of a dimension that keeps its history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    pub(super) key: Vec<String>,
    pub(super) from: String,
    pub(super) to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) flag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) open_end: Option<Literal>,
    #[serde(default)]
    pub(super) inclusive: bool,
    #[serde(default)]
    pub(super) gaps: bool,
    /// Whether a key may be without a current version, or have several.
    #[serde(default)]
    pub(super) any_current: bool,
}

impl Versions {
    /// Versions of what these columns name, each of which holds from the one column up to, not including, the other.
    /// The
    /// current one has no end.
    pub fn of<C: Into<String>>(
        key: impl IntoIterator<Item = C>,
        from: impl Into<String>,
        to: impl Into<String>,
    ) -> Self {
        Self {
            key: key.into_iter().map(Into::into).collect(),
            from: from.into(),
            to: to.into(),
            flag: None,
            open_end: None,
            inclusive: false,
            gaps: false,
            any_current: false,
        }
    }

    /// The current version is the one in which this column is true.
    #[must_use]
    pub fn current(mut self, flag: impl Into<String>) -> Self {
        self.flag = Some(flag.into());
        self
    }

    /// The current version ends at this value, such as `9999-12-31`, instead of nowhere.
    #[must_use]
    pub fn open_end(mut self, value: impl Into<Literal>) -> Self {
        self.open_end = Some(value.into());
        self
    }

    /// A version holds at its end, too.
    #[must_use]
    pub const fn inclusive(mut self) -> Self {
        self.inclusive = true;
        self
    }

    /// Only the ranges are looked at: a key may have no current version.
    #[must_use]
    pub const fn any_current(mut self) -> Self {
        self.any_current = true;
        self
    }

    /// There may be time between two versions.
    #[must_use]
    pub const fn gaps_allowed(mut self) -> Self {
        self.gaps = true;
        self
    }
}

/// Where the rows of a table came from, to compare with: another table of the same database, or numbers that a task
/// before measured.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Source {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) table: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rows: Option<Literal>,
    /// Sums by column; no value: that of the table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) sums: Vec<(String, Literal)>,
    /// The largest difference, in percent of the source.
    pub(super) percent: f64,
}

impl Source {
    /// Another table in the same database: its rows are counted.
    pub fn table(name: impl Into<Text>) -> Self {
        Self {
            table: Some(name.into()),
            ..Self::default()
        }
    }

    /// So many rows: `Source::rows(Text::new("{out.extract.rows}"))`.
    pub fn rows(count: impl Into<Literal>) -> Self {
        Self {
            rows: Some(count.into()),
            ..Self::default()
        }
    }

    /// The sum of a column is the same in the other table, too.
    #[must_use]
    pub fn sum_of(mut self, column: impl Into<String>) -> Self {
        self.sums.push((column.into(), Literal::Null));
        self
    }

    /// The sum of a column is this.
    #[must_use]
    pub fn sum(mut self, column: impl Into<String>, value: impl Into<Literal>) -> Self {
        self.sums.push((column.into(), value.into()));
        self
    }

    /// The difference may be so many percent of the source; none unless this is said.
    #[must_use]
    pub const fn within_percent(mut self, percent: f64) -> Self {
        self.percent = percent;
        self
    }
}

/// What a check demands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Rule {
    RowCount(Bounds),
    RowCountOf {
        table: Text,
    },
    ColumnCount(Bounds),
    ColumnsInOrder {
        columns: Vec<String>,
    },
    ColumnsAre {
        columns: Vec<String>,
        exactly: bool,
    },
    ColumnExists {
        column: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        index: Option<usize>,
    },
    NotNull {
        column: String,
    },
    Null {
        column: String,
    },
    Unique {
        column: String,
    },
    InSet {
        column: String,
        /// No set passes, an empty one fails everything.
        set: Option<Vec<Literal>>,
    },
    NotInSet {
        column: String,
        set: Vec<Literal>,
    },
    Between {
        column: String,
        within: Bounds,
    },
    OfType {
        column: String,
        types: Vec<String>,
    },
    Matches {
        column: String,
        patterns: Patterns,
    },
    Length {
        column: String,
        within: Bounds,
    },
    Statistic {
        column: String,
        of: Statistic,
        within: Bounds,
    },
    Quantiles {
        column: String,
        quantiles: Vec<Quantile>,
    },
    Distinct {
        column: String,
        set: Vec<Literal>,
        rule: SetRule,
    },
    PairEqual {
        a: String,
        b: String,
    },
    PairGreater {
        a: String,
        b: String,
        or_equal: bool,
    },
    PairInSet {
        a: String,
        b: String,
        pairs: Vec<(Literal, Literal)>,
    },
    UniqueTogether {
        columns: Vec<String>,
    },
    UniqueWithinRow {
        columns: Vec<String>,
    },
    SumOfRow {
        columns: Vec<String>,
        total: Literal,
    },
    MostCommon {
        column: String,
        set: Vec<Literal>,
        #[serde(default)]
        ties_okay: bool,
    },
    ZScore {
        column: String,
        threshold: f64,
        double_sided: bool,
    },
    InOrder {
        column: String,
        decreasing: bool,
        #[serde(default)]
        strictly: bool,
        /// What the rows are sorted by: a table has no order of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    Strftime {
        column: String,
        format: String,
    },
    DateParses {
        column: String,
    },
    JsonParses {
        column: String,
    },
    JsonSchema {
        column: String,
        schema: Value,
    },
    NoRows {
        sql: String,
    },
    Fresh {
        column: String,
        #[serde(
            with = "as_optional_text",
            skip_serializing_if = "Option::is_none",
            default
        )]
        warn_after: Option<std::time::Duration>,
        #[serde(
            with = "as_optional_text",
            skip_serializing_if = "Option::is_none",
            default
        )]
        fail_after: Option<std::time::Duration>,
    },
    Volume {
        /// How many standard deviations from the mean of earlier counts.
        deviations: f64,
        /// How many earlier counts are needed.
        history_min: usize,
    },
    OneVersion(Versions),
    References {
        columns: Vec<String>,
        table: Text,
        to: Vec<String>,
    },
    AsInSource(Source),
}

impl Rule {
    /// The word that people know it by; stable.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::RowCount(_) => "row_count",
            Self::RowCountOf { .. } => "row_count_of",
            Self::ColumnCount(_) => "column_count",
            Self::ColumnsInOrder { .. } => "columns_in_order",
            Self::ColumnsAre { .. } => "columns_are",
            Self::ColumnExists { .. } => "column_exists",
            Self::NotNull { .. } => "not_null",
            Self::Null { .. } => "null",
            Self::Unique { .. } => "unique",
            Self::InSet { .. } => "in_set",
            Self::NotInSet { .. } => "not_in_set",
            Self::Between { .. } => "between",
            Self::OfType { .. } => "of_type",
            Self::Matches { patterns, .. } => match (patterns.like, patterns.not) {
                (false, false) => "matches",
                (false, true) => "not_matches",
                (true, false) => "like",
                (true, true) => "not_like",
            },
            Self::Length { .. } => "length",
            Self::Statistic { of, .. } => match of {
                Statistic::Max => "max",
                Statistic::Min => "min",
                Statistic::Mean => "mean",
                Statistic::Median => "median",
                Statistic::Sum => "sum",
                Statistic::Stdev => "stdev",
                Statistic::UniqueCount => "unique_count",
                Statistic::UniqueProportion => "unique_proportion",
            },
            Self::Quantiles { .. } => "quantiles",
            Self::Distinct { rule, .. } => match rule {
                SetRule::Within => "distinct_in_set",
                SetRule::Contains => "distinct_contain_set",
                SetRule::Equals => "distinct_equal_set",
            },
            Self::PairEqual { .. } => "pair_equal",
            Self::PairGreater { .. } => "pair_greater",
            Self::PairInSet { .. } => "pair_in_set",
            Self::UniqueTogether { .. } => "unique_together",
            Self::UniqueWithinRow { .. } => "unique_within_row",
            Self::SumOfRow { .. } => "sum_of_row",
            Self::MostCommon { .. } => "most_common",
            Self::ZScore { .. } => "z_score",
            Self::InOrder { decreasing, .. } => {
                if *decreasing {
                    "decreasing"
                } else {
                    "increasing"
                }
            }
            Self::Strftime { .. } => "strftime",
            Self::DateParses { .. } => "date_parses",
            Self::JsonParses { .. } => "json_parses",
            Self::JsonSchema { .. } => "json_schema",
            Self::NoRows { .. } => "no_rows",
            Self::Fresh { .. } => "fresh",
            Self::Volume { .. } => "volume",
            Self::OneVersion(_) => "one_version",
            Self::References { .. } => "references",
            Self::AsInSource(_) => "as_in_source",
        }
    }

    /// The columns it looks at.
    pub(super) fn columns(&self) -> Vec<&str> {
        match self {
            Self::NotNull { column }
            | Self::Null { column }
            | Self::Unique { column }
            | Self::InSet { column, .. }
            | Self::NotInSet { column, .. }
            | Self::Between { column, .. }
            | Self::OfType { column, .. }
            | Self::Matches { column, .. }
            | Self::Length { column, .. }
            | Self::Statistic { column, .. }
            | Self::Quantiles { column, .. }
            | Self::Distinct { column, .. }
            | Self::MostCommon { column, .. }
            | Self::ZScore { column, .. }
            | Self::InOrder { column, .. }
            | Self::Strftime { column, .. }
            | Self::DateParses { column }
            | Self::JsonParses { column }
            | Self::JsonSchema { column, .. }
            | Self::Fresh { column, .. }
            | Self::ColumnExists { column, .. } => vec![column],
            Self::PairEqual { a, b }
            | Self::PairGreater { a, b, .. }
            | Self::PairInSet { a, b, .. } => vec![a, b],
            Self::UniqueTogether { columns }
            | Self::UniqueWithinRow { columns }
            | Self::SumOfRow { columns, .. }
            | Self::References { columns, .. } => columns.iter().map(String::as_str).collect(),
            Self::OneVersion(versions) => {
                let key = versions.key.iter().map(String::as_str);
                key.chain([versions.from.as_str(), versions.to.as_str()])
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether a part of the rows may fail.
    pub(super) const fn takes_mostly(&self) -> bool {
        matches!(
            self,
            Self::NotNull { .. }
                | Self::Null { .. }
                | Self::Unique { .. }
                | Self::InSet { .. }
                | Self::NotInSet { .. }
                | Self::Between { .. }
                | Self::Matches { .. }
                | Self::Length { .. }
                | Self::ZScore { .. }
                | Self::InOrder { .. }
                | Self::Strftime { .. }
                | Self::DateParses { .. }
                | Self::JsonParses { .. }
                | Self::JsonSchema { .. }
                | Self::References { .. }
        ) || self.compares_columns()
    }

    /// Whether it compares columns of one row, so that rows without values can be left out.
    pub(super) const fn compares_columns(&self) -> bool {
        matches!(
            self,
            Self::PairEqual { .. }
                | Self::PairGreater { .. }
                | Self::PairInSet { .. }
                | Self::UniqueTogether { .. }
                | Self::UniqueWithinRow { .. }
                | Self::SumOfRow { .. }
        )
    }

    /// Its limits, if it has some that can be strict.
    pub(super) const fn bounds_mut(&mut self) -> Option<&mut Bounds> {
        match self {
            Self::RowCount(within)
            | Self::ColumnCount(within)
            | Self::Between { within, .. }
            | Self::Length { within, .. }
            | Self::Statistic { within, .. } => Some(within),
            _ => None,
        }
    }
}
