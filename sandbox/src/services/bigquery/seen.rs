//! `BigQuery` as the pages show it: lists over all projects, which REST does not have.

use chrono::{DateTime, Utc};
use tidemill_warehouse::tables::{DatasetId, Partitioning, Snapshot, TableId};

use super::Bigquery;
use super::refusal::of_table;
use crate::call::Refusal;

pub(crate) use super::jobs::JobSeen;

/// A dataset in a list.
#[derive(Debug)]
pub(crate) struct DatasetSeen {
    pub(crate) project: String,
    pub(crate) name: String,
    pub(crate) location: String,
    pub(crate) tables: usize,
    pub(crate) views: usize,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) modified: DateTime<Utc>,
}

/// A table or view in a list.
#[derive(Debug)]
pub(crate) struct TableSeen {
    pub(crate) name: String,
    pub(crate) view: bool,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) files: usize,
    /// How it is cut: `DAY of day`.
    pub(crate) cut: Option<String>,
    pub(crate) modified: DateTime<Utc>,
}

/// Names, rows and bytes.
pub(crate) type Partitions = Vec<(String, u64, u64)>;

impl TableSeen {
    fn of(table: &Snapshot) -> Self {
        Self {
            name: table.id.table.clone(),
            view: table.meta.view.is_some(),
            rows: table.rows(),
            bytes: table.logical_bytes(),
            files: table.files.len(),
            cut: table.meta.partitioning.as_ref().map(cut),
            modified: table.modified,
        }
    }
}

fn cut(by: &Partitioning) -> String {
    let field = by.field().unwrap_or("time of arrival");
    match super::shape::shown(by, false).1.get("type") {
        Some(unit) => format!("{} of {field}", unit.as_str().unwrap_or_default()),
        None => format!("ranges of {field}"),
    }
}

impl Bigquery {
    /// The projects that have datasets.
    pub(crate) fn projects_seen(&self) -> Vec<String> {
        self.warehouse.projects()
    }

    /// The datasets of all projects.
    pub(crate) fn datasets_seen(&self) -> Vec<DatasetSeen> {
        let mut found = Vec::new();
        for project in self.warehouse.projects() {
            for dataset in self.warehouse.datasets(&project) {
                let tables = self.warehouse.tables(&dataset.id).unwrap_or_default();
                let views = tables.iter().filter(|one| one.meta.view.is_some()).count();
                // Rows of queries are in datasets that no list shows.
                if dataset.id.dataset.starts_with('_') {
                    continue;
                }
                found.push(DatasetSeen {
                    project: project.clone(),
                    location: dataset.meta.location,
                    tables: tables.len() - views,
                    views,
                    rows: tables.iter().map(Snapshot::rows).sum(),
                    bytes: tables.iter().map(Snapshot::logical_bytes).sum(),
                    modified: tables
                        .iter()
                        .map(|table| table.modified)
                        .max()
                        .unwrap_or(dataset.modified),
                    name: dataset.id.dataset,
                });
            }
        }
        found
    }

    /// The tables and views of a dataset.
    pub(crate) fn tables_seen(
        &self,
        project: &str,
        dataset: &str,
    ) -> Result<Vec<TableSeen>, Refusal> {
        let id = DatasetId::new(project, dataset);
        let tables = self
            .warehouse
            .tables(&id)
            .map_err(|error| of_table(&error))?;
        Ok(tables.iter().map(TableSeen::of).collect())
    }

    /// One table, and its partitions with rows and bytes.
    pub(crate) fn table_seen(&self, id: &TableId) -> Result<(TableSeen, Partitions), Refusal> {
        let table = self.warehouse.table(id).map_err(|error| of_table(&error))?;
        Ok((TableSeen::of(&table), table.partitions()))
    }

    /// The jobs of all projects.
    pub(crate) fn jobs_seen(&self) -> Vec<JobSeen> {
        self.jobs.seen()
    }
}

/// A schema as REST has it.
pub(crate) fn schema_shown(schema: &tidemill_warehouse::Schema) -> serde_json::Value {
    super::schema::shown(schema)
}
