//! Where names of tables are looked up.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use futures_util::future::BoxFuture;

use super::error::SqlError;
use super::information::JobRow;
use super::request::Request;
use crate::load::Files;
use crate::tables::{DatasetId, Scan, Warehouse};

/// A table's full name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableName {
    /// Its project.
    pub project: String,
    /// Its dataset.
    pub dataset: String,
    /// The table.
    pub table: String,
}

/// What a name stands for.
pub enum Relation {
    /// Rows, and how many bytes a full scan of them is billed.
    Rows(Arc<dyn TableProvider>, u64),
    /// Rows that say themselves how many bytes were billed.
    Table(Box<Scan>),
    /// The text of a query.
    View(String),
    /// The same, with names for its columns.
    NamedView(String, Vec<String>),
}

/// Where names of tables are looked up.
pub trait Catalog: Send + Sync {
    /// What the name stands for; none if there is no such table.
    fn relation(&self, name: &TableName) -> BoxFuture<'_, Result<Option<Relation>, SqlError>>;

    /// The tables, for who changes them; none if they cannot be changed.
    fn warehouse(&self) -> Option<&Warehouse> {
        None
    }

    /// A statement names a dataset besides the tables that it reads.
    ///
    /// # Errors
    /// The dataset is not there, or is where the statement is not run.
    fn touch(&self, _dataset: &DatasetId) -> Result<(), SqlError> {
        Ok(())
    }

    /// A statement makes a dataset in a location.
    ///
    /// # Errors
    /// The statement is run elsewhere.
    fn settle(&self, _location: &str) -> Result<(), SqlError> {
        Ok(())
    }

    /// The jobs of a project in a location; none if they are not known.
    fn jobs(&self, _project: &str, _location: &str) -> Option<Vec<JobRow>> {
        None
    }

    /// The rows of files; a catalog that has none refuses them.
    fn files(&self, _: &Files) -> BoxFuture<'_, Result<Relation, SqlError>> {
        let refused = SqlError::invalid("Files cannot be read in this query");
        Box::pin(std::future::ready(Err(refused)))
    }

    /// Where statements are run, if that is known.
    fn location(&self) -> Option<String> {
        None
    }
}

/// The name that its parts make up.
pub(super) fn full_name(parts: &[String], request: &Request) -> Result<TableName, SqlError> {
    let named = |project: &str, dataset: &str, table: &str| TableName {
        project: project.to_owned(),
        dataset: dataset.to_owned(),
        table: table.to_owned(),
    };
    match parts {
        [project, dataset, table] => Ok(named(project, dataset, table)),
        [dataset, table] => Ok(named(&request.project, dataset, table)),
        [table] => match &request.default_dataset {
            Some(dataset) => Ok(named(&request.project, dataset, table)),
            None => Err(SqlError::invalid(format!(
                "Table \"{table}\" must be qualified with a dataset (e.g. dataset.table)."
            ))),
        },
        _ => Err(SqlError::invalid(format!(
            "Invalid table name: {}",
            parts.join(".")
        ))),
    }
}
