//! The tables of a warehouse as queries look them up.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::sql::{Catalog, Relation, SqlError, TableName};
use crate::tables::{DatasetId, TableError, TableId, Warehouse};

/// The tables of a warehouse for queries in one location: those of datasets elsewhere are not there.
#[derive(Clone)]
pub struct Located {
    warehouse: Warehouse,
    location: String,
}

impl Located {
    /// The tables in `location`, such as `US`.
    #[must_use]
    pub fn new(warehouse: Warehouse, location: impl Into<String>) -> Self {
        Self {
            warehouse,
            location: location.into(),
        }
    }

    fn look(&self, name: &TableName) -> Result<Option<Relation>, SqlError> {
        let id = TableId::from(name);
        let elsewhere = |what: String| SqlError {
            reason: "notFound",
            message: format!(
                "Not found: {what} was not found in location {}",
                self.location
            ),
        };
        let dataset: DatasetId = id.of();
        match self.warehouse.dataset(&dataset) {
            Ok(found) if found.meta.location.eq_ignore_ascii_case(&self.location) => {}
            _ => return Err(elsewhere(format!("Dataset {dataset}"))),
        }
        match self.warehouse.table(&id) {
            Ok(table) => Ok(Some(match &table.meta.view {
                Some(text) => Relation::View(text.clone()),
                None => Relation::Table(Box::new(self.warehouse.scan(&table))),
            })),
            Err(TableError::NoTable(_) | TableError::NoDataset(_)) => {
                Err(elsewhere(format!("Table {id}")))
            }
            Err(error) => Err(SqlError {
                reason: error.reason(),
                message: error.to_string(),
            }),
        }
    }
}

impl Catalog for Located {
    fn relation(&self, name: &TableName) -> BoxFuture<'_, Result<Option<Relation>, SqlError>> {
        let found = self.look(name);
        async move { found }.boxed()
    }
}
