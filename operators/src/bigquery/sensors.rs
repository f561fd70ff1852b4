//! Waiting for tables and partitions. While they wait, sensors hold no slot, and nothing is billed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::operator::{Operator, Outcome, TaskContext, TaskResult};
use tidemill_core::span::as_text;
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use super::client::BigQuery;
use super::table::{TableName, partition};

/// How often it looks if nothing is said.
const EVERY: Duration = Duration::from_secs(60);

/// What a sensor found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSeen {
    /// The table.
    pub table: String,
    /// The partition, if one was waited for.
    pub partition: Option<String>,
    /// Its rows.
    pub rows: i64,
}

/// Waits until a table, or a partition of it, is there and has rows.
///
/// ```
/// use tidemill_operators::bigquery::BigQueryTableSensor;
///
/// BigQueryTableSensor::on("crm.tickets").partition("{ds}").at_least(1_000);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct BigQueryTableSensor {
    table: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partition: Option<Text>,
    at_least: i64,
    #[serde(with = "as_text")]
    every: Duration,
    #[serde(default = "crate::storage::connection")]
    connection: String,
}

impl BigQueryTableSensor {
    /// Waits for this table.
    pub fn on(table: impl Into<Text>) -> Self {
        Self {
            table: table.into(),
            partition: None,
            at_least: 0,
            every: EVERY,
            connection: crate::storage::connection(),
        }
    }

    /// Waits for a partition of it, which has to have a row.
    pub fn partition(mut self, partition: impl Into<Text>) -> Self {
        self.partition = Some(partition.into());
        self.at_least = self.at_least.max(1);
        self
    }

    /// How many rows there have to be; a table may be empty, and a partition has to have one, if nothing is said.
    pub const fn at_least(mut self, rows: i64) -> Self {
        self.at_least = rows;
        self
    }

    /// How often it looks; once a minute if nothing is said.
    pub const fn every(mut self, span: Duration) -> Self {
        self.every = span;
        self
    }

    /// Through another connection than `google`.
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.connection = name.into();
        self
    }

    async fn look(&self, ctx: &TaskContext) -> TaskResult<Outcome<TableSeen>> {
        let table = TableName::of(&self.table)?;
        let name = self.partition.as_ref().map(|text| partition(text.as_str()));
        let name = name.transpose()?;
        let bq = BigQuery::open(ctx, &self.connection, None).await?;
        let table = table.in_project(bq.project());
        let rows = match &name {
            Some(name) => bq.rows_of(&table, name).await?,
            None => bq
                .table(&table)
                .await?
                .map(|table| table.rows().unwrap_or(0)),
        };
        let what = match &name {
            Some(name) => format!("partition {name} of {table}"),
            None => format!("table {table}"),
        };
        Ok(match rows {
            Some(rows) if rows >= self.at_least => Outcome::Done(TableSeen {
                table: table.to_string(),
                partition: name,
                rows,
            }),
            Some(rows) => self.wait(format!("{what} has {rows} of {} rows", self.at_least)),
            None => {
                // In a dataset that is not there it will never be.
                bq.location(&table).await?;
                self.wait(format!("{what} is not there yet"))
            }
        })
    }

    const fn wait(&self, why: String) -> Outcome<TableSeen> {
        Outcome::Deferred {
            handle: Value::Null,
            wait: self.every,
            why,
        }
    }
}

impl Operator for BigQueryTableSensor {
    const NAME: &'static str = "bigquery_table_sensor";
    type Output = TableSeen;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.connection)
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<TableSeen>> {
        self.look(ctx).await
    }

    async fn resume(&self, ctx: &TaskContext, _: Value) -> TaskResult<Outcome<TableSeen>> {
        self.look(ctx).await
    }
}
