//! What is known of datasets and tables besides their rows.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::TableError;
use crate::schema::{Kind, Mode, Schema};

/// Most columns that a table is clustered by.
const CLUSTERING_MOST: usize = 4;

/// What is known of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetMeta {
    /// Where its tables are, such as `US`.
    pub location: String,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friendly_name: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Names and values.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// How long new tables live, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_expiration_ms: Option<i64>,
    /// How long partitions of new tables live, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_expiration_ms: Option<i64>,
    /// Kept for who asks; nothing is checked by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Value>,
}

/// What is known of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TableMeta {
    /// Its columns.
    pub schema: Schema,
    /// How it is cut into partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitioning: Option<Partitioning>,
    /// Whether queries have to say which partitions they want.
    #[serde(default)]
    pub require_partition_filter: bool,
    /// The columns by which rows are kept near each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clustering: Vec<String>,
    /// The text of the query that a view is; a view has no rows of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
    /// The names that a view gives the columns of its query, if it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub view_columns: Vec<String>,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friendly_name: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Names and values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// From then on it is not there any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<DateTime<Utc>>,
}

/// How a table is cut into partitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Partitioning {
    /// By time.
    Time {
        /// How long a partition is.
        unit: Unit,
        /// The column that says when; none: when the row came in.
        field: Option<String>,
        /// How long a partition lives, in milliseconds.
        expiration_ms: Option<i64>,
    },
    /// By a number.
    Range {
        /// The column.
        field: String,
        /// Where ranges begin and end.
        range: RangeBounds,
    },
}

/// How long a partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Unit {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month.
    Month,
    /// A year.
    Year,
}

/// Ranges of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeBounds {
    /// The first number.
    pub start: i64,
    /// The first number that is in no range any more.
    pub end: i64,
    /// How many numbers a range has.
    pub interval: i64,
}

impl Partitioning {
    /// The column that decides; none: when the row came in.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Time { field, .. } => field.as_deref(),
            Self::Range { field, .. } => Some(field),
        }
    }

    /// Whether the time at which a row comes in decides.
    #[must_use]
    pub fn by_ingestion(&self) -> bool {
        self.field().is_none()
    }
}

impl Unit {
    /// As REST and SQL name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "HOUR",
            Self::Day => "DAY",
            Self::Month => "MONTH",
            Self::Year => "YEAR",
        }
    }

    /// Reads such a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Hour, Self::Day, Self::Month, Self::Year]
            .into_iter()
            .find(|unit| unit.name().eq_ignore_ascii_case(name))
    }
}

impl TableMeta {
    /// A table of these columns and nothing else.
    #[must_use]
    pub fn new(schema: Schema) -> Self {
        Self {
            schema,
            ..Self::default()
        }
    }

    /// Whether it can be a table.
    ///
    /// # Errors
    /// With the words of `BigQuery`.
    pub fn check(&self) -> Result<(), TableError> {
        fields_fit(&self.schema.fields)?;
        if self.view.is_some() && (self.partitioning.is_some() || !self.clustering.is_empty()) {
            return Err(TableError::invalid(
                "Views can have neither partitioning nor clustering",
            ));
        }
        self.partitioning_fits()?;
        if self.clustering.len() > CLUSTERING_MOST {
            return Err(TableError::invalid(format!(
                "Too many clustering fields: at most {CLUSTERING_MOST} are allowed"
            )));
        }
        for name in &self.clustering {
            let field = self.schema.field(name).ok_or_else(|| {
                TableError::invalid(format!(
                    "The field specified for clustering cannot be found in the schema: {name}. Only top-level fields can be used for clustering."
                ))
            })?;
            let fits = !matches!(
                field.kind,
                Kind::Float64 | Kind::Json | Kind::Interval | Kind::Struct(_) | Kind::Bytes(_)
            );
            if field.mode == Mode::Repeated || !fits {
                return Err(TableError::invalid(format!(
                    "The field {name} of type {} cannot be used for clustering",
                    field.kind
                )));
            }
        }
        Ok(())
    }

    fn partitioning_fits(&self) -> Result<(), TableError> {
        let Some(partitioning) = &self.partitioning else {
            if self.require_partition_filter {
                return Err(TableError::invalid(
                    "require_partition_filter can only be set for partitioned tables",
                ));
            }
            return Ok(());
        };
        if let Partitioning::Range { range, .. } = partitioning
            && (range.interval <= 0 || range.end <= range.start)
        {
            return Err(TableError::invalid(
                "The range of a partitioning needs an interval above 0 and an end behind its start",
            ));
        }
        let Some(name) = partitioning.field() else {
            return Ok(());
        };
        let field = self.schema.field(name).ok_or_else(|| {
            TableError::invalid(format!(
                "The field specified for partitioning cannot be found in the schema: {name}"
            ))
        })?;
        let fits = match (partitioning, &field.kind) {
            (Partitioning::Range { .. }, kind) => *kind == Kind::Int64,
            (Partitioning::Time { unit, .. }, Kind::Date) => *unit != Unit::Hour,
            (Partitioning::Time { .. }, kind) => matches!(kind, Kind::Timestamp | Kind::Datetime),
        };
        if field.mode == Mode::Repeated || !fits {
            return Err(TableError::invalid(format!(
                "The field specified for partitioning has a type that does not fit: {name} is {}{}",
                if field.mode == Mode::Repeated {
                    "REPEATED "
                } else {
                    ""
                },
                field.kind
            )));
        }
        Ok(())
    }
}

/// Names of columns and of fields within them.
fn fields_fit(fields: &[crate::schema::Field]) -> Result<(), TableError> {
    let mut seen = std::collections::HashSet::new();
    for field in fields {
        let name = &field.name;
        let fits = !name.is_empty()
            && name.chars().count() <= 300
            && !name.chars().any(|c| {
                c.is_control()
                    || matches!(
                        c,
                        '!' | '"'
                            | '$'
                            | '('
                            | ')'
                            | '*'
                            | ','
                            | '.'
                            | '/'
                            | ';'
                            | '?'
                            | '@'
                            | '['
                            | '\\'
                            | ']'
                            | '^'
                            | '`'
                            | '{'
                            | '}'
                            | '~'
                    )
            });
        if !fits {
            return Err(TableError::invalid(format!(
                "Invalid field name \"{name}\". Fields must contain the allowed characters, and be at most 300 characters long."
            )));
        }
        let upper = name.to_uppercase();
        let kept = [
            "_TABLE_",
            "_FILE_",
            "_PARTITION",
            "_ROW_TIMESTAMP",
            "__ROOT__",
            "_COLIDENTIFIER",
        ];
        if kept.iter().any(|kept| upper.starts_with(kept)) {
            return Err(TableError::invalid(format!(
                "Invalid field name \"{name}\". Field names are not allowed to start with the (case-insensitive) prefixes {}",
                kept.join(", ")
            )));
        }
        if !seen.insert(name.to_lowercase()) {
            return Err(TableError::invalid(format!(
                "Duplicate field name \"{name}\" in the schema: field names are compared without regard to case"
            )));
        }
        if let Kind::Struct(inner) = &field.kind {
            if inner.is_empty() {
                return Err(TableError::invalid(format!(
                    "Field {name} is type RECORD but has no schema"
                )));
            }
            fields_fit(inner)?;
        }
    }
    Ok(())
}
