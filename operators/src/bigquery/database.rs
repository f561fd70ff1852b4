//! BigQuery as checks see it.

use tidemill_core::operator::{BoxFuture, TaskContext, TaskError, TaskResult};

use super::client::BigQuery;
use super::rows::text;
use super::table::{TableName, TableNameError};
use crate::checks::{Column, Dialect, Query, Row};

/// More rows than this are no answer to a check.
const ROWS_MAX: usize = 100_000;

/// BigQuery as a database that answers checks.
#[derive(Debug, Clone)]
pub struct BigQueryDatabase {
    bq: BigQuery,
    location: Option<String>,
    max_bytes: Option<u64>,
}

impl BigQueryDatabase {
    /// Through this client.
    #[must_use]
    pub const fn new(bq: BigQuery) -> Self {
        Self {
            bq,
            location: None,
            max_bytes: None,
        }
    }

    /// Through a connection of the deployment.
    ///
    /// # Errors
    /// There is no such connection, or it leads elsewhere.
    pub async fn open(ctx: &TaskContext, connection: &str) -> TaskResult<Self> {
        BigQuery::open(ctx, connection, None).await.map(Self::new)
    }

    /// Where queries run. The service finds it by the tables if nothing is said.
    #[must_use]
    pub fn location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// A check fails rather than being billed for more bytes.
    #[must_use]
    pub const fn bill_at_most(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    async fn columns_of(&self, table: &str) -> TaskResult<Vec<Column>> {
        let name: TableName = table.parse().map_err(TableNameError::into_task_error)?;
        let name = name.in_project(self.bq.project());
        let found = self.bq.table(&name).await?;
        let found = found.ok_or_else(|| {
            TaskError::permanent(format!("there is no table `{name}`"))
                .help("check the name of the table and its project")
        })?;
        let columns = found.columns().into_iter();
        Ok(columns
            .map(|column| {
                let kind = match column.mode {
                    super::ColumnMode::Repeated => format!("ARRAY<{}>", column.kind),
                    _ => column.kind,
                };
                Column::new(column.name, kind)
            })
            .collect())
    }

    async fn rows_of(&self, sql: &str) -> TaskResult<Vec<Row>> {
        let options = (self.location.as_deref(), self.max_bytes);
        let rows = self.bq.ask(sql, options, ROWS_MAX).await?;
        Ok(rows
            .rows
            .iter()
            .map(|row| row.iter().map(text).collect())
            .collect())
    }
}

impl Query for BigQueryDatabase {
    fn dialect(&self) -> Dialect {
        Dialect::BigQuery
    }

    fn columns<'a>(&'a self, table: &'a str) -> BoxFuture<'a, TaskResult<Vec<Column>>> {
        Box::pin(self.columns_of(table))
    }

    fn rows<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, TaskResult<Vec<Row>>> {
        Box::pin(self.rows_of(sql))
    }
}
