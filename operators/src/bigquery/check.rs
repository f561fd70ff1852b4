//! A query whose values have to be right.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill_core::operator::{Operator, Outcome, TaskContext, TaskError, TaskResult};
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use super::client::{BigQuery, JobRequest};
use super::job::print;
use super::rows::{Rows, text};
use super::watch::{Stands, Waiting, release, waiting};

/// What values have to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    /// Neither false, 0, empty nor NULL.
    Truthy,
    /// This value; as a number within this part of it.
    Equal(Text, String),
    /// At least and at most so much.
    Between(String, String),
}

/// The values that a check saw: those of the first row, by their columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Columns and values as text; none is NULL.
    pub values: Vec<(String, Option<String>)>,
}

/// Runs a query and fails as [data](tidemill_core::operator::ErrorKind::Data) unless every value of its first row is right. For
/// the usual expectations about a table see [`Checks`](crate::Checks).
///
/// ```
/// use tidemill_operators::bigquery::BigQueryCheck;
///
/// BigQueryCheck::of("SELECT COUNT(*) FROM crm.tickets WHERE day = '{ds}'").between(1_000, 50_000);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct BigQueryCheck {
    sql: Text,
    wanted: Wanted,
    #[serde(default = "crate::storage::connection")]
    connection: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_bytes: Option<u64>,
}

impl BigQueryCheck {
    /// This query; every value of its first row has to be neither false, 0, empty nor NULL, unless something else is said.
    pub fn of(sql: impl Into<Text>) -> Self {
        Self {
            sql: sql.into(),
            wanted: Wanted::Truthy,
            connection: crate::storage::connection(),
            location: None,
            max_bytes: None,
        }
    }

    /// Every value has to be this one.
    pub fn equals(mut self, value: impl Into<Text>) -> Self {
        self.wanted = Wanted::Equal(value.into(), "0".to_owned());
        self
    }

    /// After [`equals`](Self::equals) of a number: by which part of it values may differ, such as 0.1 for a tenth.
    pub fn within(mut self, part: f64) -> Self {
        if let Wanted::Equal(_, tolerance) = &mut self.wanted {
            *tolerance = part.to_string();
        }
        self
    }

    /// Every value has to be at least and at most so much.
    pub fn between(mut self, least: impl fmt::Display, most: impl fmt::Display) -> Self {
        self.wanted = Wanted::Between(least.to_string(), most.to_string());
        self
    }

    /// Through another connection than `google`.
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.connection = name.into();
        self
    }

    /// Where it runs. The service finds it by the tables if nothing is said.
    pub fn location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// It fails rather than being billed for more bytes.
    pub const fn bill_at_most(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    fn judge(&self, rows: &Rows) -> TaskResult<Checked> {
        let row = rows.rows.first().ok_or_else(|| {
            TaskError::data("the query returned no rows, and the values of the first are checked")
        })?;
        let names = rows.columns.iter().map(|column| column.name.clone());
        let values: Vec<_> = names.zip(row.iter().map(text)).collect();
        let wrong: Vec<String> = values
            .iter()
            .filter_map(|(name, value)| {
                let why = self.wrong(value.as_deref())?;
                let shown = value.as_deref().unwrap_or("NULL");
                Some(format!("`{name}` is {shown}, {why}"))
            })
            .collect();
        if wrong.is_empty() {
            return Ok(Checked { values });
        }
        Err(TaskError::data(wrong.join("; ")).help(format!("run it yourself:\n{}", self.sql)))
    }

    /// Why a value is wrong.
    fn wrong(&self, value: Option<&str>) -> Option<String> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
        match &self.wanted {
            Wanted::Truthy => {
                let right = value.is_some_and(|text| {
                    !matches!(text, "" | "false") && number(text).is_none_or(|n| n != 0.0)
                });
                (!right).then(|| "which is nothing".to_owned())
            }
            Wanted::Equal(wanted, tolerance) => {
                let wanted = wanted.as_str();
                let part = number(tolerance).unwrap_or(0.0);
                let right = match (value.and_then(number), number(wanted)) {
                    (Some(is), Some(wanted)) => (is - wanted).abs() <= wanted.abs() * part,
                    _ => value == Some(wanted),
                };
                let more = if part > 0.0 {
                    format!(" ± {part} of it")
                } else {
                    String::new()
                };
                (!right).then(|| format!("and {wanted}{more} is wanted"))
            }
            Wanted::Between(least, most) => {
                let limits = number(least).zip(number(most));
                let right = value.and_then(number).zip(limits);
                let right = right.is_some_and(|(is, (least, most))| (least..=most).contains(&is));
                (!right).then(|| format!("and {least} to {most} is wanted"))
            }
        }
    }
}

impl Operator for BigQueryCheck {
    const NAME: &'static str = "bigquery_check";
    type Output = Checked;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.connection)
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<Checked>> {
        let bq = BigQuery::open(ctx, &self.connection, None).await?;
        let mut query = json!({ "query": self.sql.as_str(), "useLegacySql": false });
        if let Some(bytes) = self.max_bytes {
            query["maximumBytesBilled"] = json!(bytes.to_string());
        }
        let request = JobRequest::new(json!({ "query": query }), &print(self)?, ctx);
        let at = bq.at(ctx.launch_key().as_str(), self.location.as_deref());
        let (job, was_there) = bq.launch(&at, &request).await?;
        Waiting::new(ctx, &job, Value::Null).first(if was_there { "adopted" } else { "launched" })
    }

    async fn resume(&self, ctx: &TaskContext, handle: Value) -> TaskResult<Outcome<Checked>> {
        let bq = BigQuery::open(ctx, &self.connection, None).await?;
        let waits: Waiting<Value> = waiting(handle)?;
        Ok(match waits.look(ctx, &bq).await? {
            Stands::Waits(waits, wait, why) => return waits.deferred(wait, why),
            // It only reads: it may be asked again.
            Stands::Failed(_, error) | Stands::Lost(error) => Outcome::Failed(error),
            Stands::Done(job) => match self.judge(&bq.rows(job.at(), 1).await?) {
                Ok(checked) => Outcome::Done(checked),
                Err(wrong) => Outcome::Failed(wrong),
            },
        })
    }

    async fn cancel(&self, ctx: &TaskContext, handle: Option<Value>) -> TaskResult<()> {
        let bq = BigQuery::open(ctx, &self.connection, None).await?;
        release(ctx, &bq, handle, self.location.as_deref()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_judged_as_airflow_judges_them() {
        let truthy = BigQueryCheck::of("");
        for (value, right) in [
            (None, false),
            (Some(""), false),
            (Some("0"), false),
            (Some("0.0"), false),
            (Some("false"), false),
            (Some("true"), true),
            (Some("-1"), true),
            (Some("x"), true),
        ] {
            assert_eq!(truthy.wrong(value).is_none(), right, "{value:?}");
        }
        let near = BigQueryCheck::of("").equals("100").within(0.1);
        assert!(near.wrong(Some("90")).is_none() && near.wrong(Some("89")).is_some());
        let text = BigQueryCheck::of("").equals("a");
        assert!(text.wrong(Some("a")).is_none() && text.wrong(None).is_some());
        let between = BigQueryCheck::of("").between(1, 2);
        assert!(between.wrong(Some("2")).is_none() && between.wrong(Some("2.1")).is_some());
    }
}
