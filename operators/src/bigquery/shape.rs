//! How a table that does not exist yet is laid out.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::table::TableFacts;

/// How a table is partitioned: `Partitioning::day("opened_at")`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[must_use]
pub enum Partitioning {
    /// By the time in a column, or by the time of arrival.
    Time {
        /// `HOUR`, `DAY`, `MONTH` or `YEAR`.
        unit: String,
        /// The column; none is the time of arrival.
        column: Option<String>,
    },
    /// By ranges of a whole number.
    Range {
        /// The column.
        column: String,
        /// Where the first range begins.
        start: i64,
        /// The end, which is not part of the last.
        end: i64,
        /// How long each is.
        interval: i64,
    },
}

impl Partitioning {
    fn time(unit: &str, column: Option<String>) -> Self {
        Self::Time {
            unit: unit.to_owned(),
            column,
        }
    }

    /// A partition for each hour of this column.
    pub fn hour(column: impl Into<String>) -> Self {
        Self::time("HOUR", Some(column.into()))
    }

    /// A partition for each day of this column.
    pub fn day(column: impl Into<String>) -> Self {
        Self::time("DAY", Some(column.into()))
    }

    /// A partition for each month of this column.
    pub fn month(column: impl Into<String>) -> Self {
        Self::time("MONTH", Some(column.into()))
    }

    /// A partition for each year of this column.
    pub fn year(column: impl Into<String>) -> Self {
        Self::time("YEAR", Some(column.into()))
    }

    /// A partition for each day of arrival; a load names it with `Dedup::partition`.
    pub fn arrival_day() -> Self {
        Self::time("DAY", None)
    }

    /// A partition for each range of numbers of this column.
    pub fn range(column: impl Into<String>, numbers: std::ops::Range<i64>, interval: i64) -> Self {
        Self::Range {
            column: column.into(),
            start: numbers.start,
            end: numbers.end,
            interval,
        }
    }
}

/// How a new table is laid out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Shape {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) partitioning: Option<Partitioning>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) clustering: Vec<String>,
}

impl Shape {
    /// The fields of requests.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        match &self.partitioning {
            Some(Partitioning::Time { unit, column }) => {
                let mut by = json!({ "type": unit });
                if let Some(column) = column {
                    by["field"] = json!(column);
                }
                fields.insert("timePartitioning".to_owned(), by);
            }
            Some(Partitioning::Range {
                column,
                start,
                end,
                interval,
            }) => {
                // 64-bit numbers are text in this API.
                let range = json!({
                    "start": start.to_string(), "end": end.to_string(), "interval": interval.to_string(),
                });
                let by = json!({ "field": column, "range": range });
                fields.insert("rangePartitioning".to_owned(), by);
            }
            None => {}
        }
        if !self.clustering.is_empty() {
            let by = json!({ "fields": self.clustering });
            fields.insert("clustering".to_owned(), by);
        }
        fields
    }

    /// Those of a job that writes this table: as the author says, else as the table is, else as the name of a partition means.
    pub(super) fn over(
        &self,
        there: Option<&TableFacts>,
        partition: Option<&str>,
    ) -> Map<String, Value> {
        match (there, partition) {
            (Some(there), _) if self.partitioning.is_none() => {
                let known = there.shape().into_iter();
                let mut known: Map<String, Value> = known
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect();
                known.extend(self.fields());
                known
            }
            (None, Some(partition)) => self.of_partition(partition),
            _ => self.fields(),
        }
    }

    /// Those of a table that a partition of this name is written into: by the time of arrival, in the unit that the name means, if
    /// nothing was said.
    fn of_partition(&self, partition: &str) -> Map<String, Value> {
        let mut fields = self.fields();
        if self.partitioning.is_none() {
            let unit = match partition.len() {
                10 => "HOUR",
                6 => "MONTH",
                4 => "YEAR",
                _ => "DAY",
            };
            fields.insert("timePartitioning".to_owned(), json!({ "type": unit }));
        }
        fields
    }
}
