//! How many rows a table really has: what the ledger of loads is compared with.

use std::sync::Arc;

use serde_json::Value;
use tidemill_core::operator::{BoxFuture, Connection, TaskError, TaskResult};
use tidemill_core::protocol::Load;

use crate::http::{Api, Client, Clients, Pace};

const BIGQUERY: Api = Api::google("bigquery", "https://bigquery.googleapis.com");

/// Who knows how many rows there are.
pub trait Counts: Send + Sync {
    /// How many rows a table has now, or a partition of it; none if there is no such table.
    fn rows<'a>(
        &'a self,
        table: &'a str,
        partition: Option<&'a str>,
    ) -> BoxFuture<'a, TaskResult<Option<i64>>>;
}

/// What BigQuery says of its tables. No query is made, so nothing is billed.
#[derive(Debug)]
pub struct BigQueryCounts(Client);

impl BigQueryCounts {
    /// By this connection.
    ///
    /// # Errors
    /// It says nothing that a client can be made of.
    pub fn new(
        clients: &Clients,
        connection: &Connection,
        pace: Arc<dyn Pace>,
    ) -> TaskResult<Self> {
        clients.client(connection, &BIGQUERY, pace).map(Self)
    }

    /// Project, dataset and table of a name: `project.dataset.table`, or `dataset.table` of the connection's project.
    async fn parts(&self, table: &str) -> TaskResult<[String; 3]> {
        let plain = table.replace(['`', '['], "").replace(']', "");
        let parts: Vec<&str> = plain.split(['.', ':']).collect();
        match parts.as_slice() {
            [dataset, table] => {
                let project = self.0.project().await?;
                Ok([project, (*dataset).to_owned(), (*table).to_owned()])
            }
            [project, dataset, table] => Ok([*project, *dataset, *table].map(str::to_owned)),
            _ => Err(TaskError::permanent(format!(
                "`{table}` is no table of BigQuery: write `dataset.table` or `project.dataset.table`"
            ))),
        }
    }
}

impl Counts for BigQueryCounts {
    fn rows<'a>(
        &'a self,
        table: &'a str,
        partition: Option<&'a str>,
    ) -> BoxFuture<'a, TaskResult<Option<i64>>> {
        Box::pin(async move {
            let [project, dataset, name] = self.parts(table).await?;
            let name = match partition {
                Some(partition) => format!("{name}${partition}"),
                None => name,
            };
            let path = "/bigquery/v2/projects/{}/datasets/{}/tables/{}";
            let reply = self
                .0
                .get(path, &[&project, &dataset, &name])
                .query("fields", "numRows")
                .doing(format!("count the rows of `{table}`"))
                .names(format!("table `{table}`"))
                .needs("bigquery.tables.get")
                .answers(&[404])
                .send()
                .await?;
            if reply.status() == 404 {
                return Ok(None);
            }
            let said: Value = reply.json()?;
            let rows = said.get("numRows").and_then(Value::as_str);
            let rows = rows.and_then(|rows| rows.parse().ok());
            rows.map(Some).ok_or_else(|| {
                TaskError::permanent(format!("BigQuery does not say how many rows `{table}` has"))
                    .help("a view has none of its own")
            })
        })
    }
}

/// What a load on record and the table say of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// There are as many rows as there were after the load.
    Fits(i64),
    /// There are others.
    Differs {
        /// So many there were after the load.
        ledger: i64,
        /// So many there are.
        there: i64,
    },
    /// There is no such table.
    Gone,
    /// The load does not say how many rows there were after it.
    Unsaid,
}

/// Compares the last load into a table with what is there. Where a partition was loaded its number may be that of the
/// partition, or of the table: either fits.
///
/// # Errors
/// The rows cannot be counted.
pub async fn compare(load: &Load, counts: &dyn Counts) -> TaskResult<Compared> {
    let Some(ledger) = load.rows_after else {
        return Ok(Compared::Unsaid);
    };
    let partition = load.partition.as_deref().map(|name| name.replace('-', ""));
    let partition = partition
        .as_deref()
        .filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(whole) = counts.rows(&load.destination, None).await? else {
        return Ok(Compared::Gone);
    };
    if whole == ledger {
        return Ok(Compared::Fits(ledger));
    }
    let mut there = whole;
    if let Some(partition) = partition
        && let Some(part) = counts.rows(&load.destination, Some(partition)).await?
    {
        if part == ledger {
            return Ok(Compared::Fits(ledger));
        }
        // The one that is meant is the one that is nearer.
        if part.abs_diff(ledger) < whole.abs_diff(ledger) {
            there = part;
        }
    }
    Ok(Compared::Differs { ledger, there })
}
