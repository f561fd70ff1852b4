//! The tables of a warehouse as queries look them up.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::load::Files;
use crate::sql::{Catalog, JobRow, Relation, SqlError, TableName};
use crate::tables::{DatasetId, TableError, TableId, Warehouse};

/// The tables of a warehouse for queries in one location: those of datasets elsewhere are not there. Clones share what
/// they found.
#[derive(Clone)]
pub struct Located {
    warehouse: Warehouse,
    jobs: Option<Jobs>,
    found: Arc<Mutex<Found>>,
    files: bool,
}

/// Looks up the jobs of a project in a location.
type Jobs = Arc<dyn Fn(&str, &str) -> Vec<JobRow> + Send + Sync>;

#[derive(Default)]
struct Found {
    location: Option<String>,
    tables: Vec<TableId>,
}

impl Located {
    /// The tables in `location`, such as `US`.
    #[must_use]
    pub fn new(warehouse: Warehouse, location: impl Into<String>) -> Self {
        let located = Self::anywhere(warehouse);
        located.found().location = Some(location.into());
        located
    }

    /// The tables of whichever location the first one that is asked for is in.
    #[must_use]
    pub fn anywhere(warehouse: Warehouse) -> Self {
        Self {
            warehouse,
            jobs: None,
            found: Arc::default(),
            files: false,
        }
    }

    /// With jobs, for `INFORMATION_SCHEMA.JOBS`.
    #[must_use]
    pub fn with_jobs(
        mut self,
        jobs: impl Fn(&str, &str) -> Vec<JobRow> + Send + Sync + 'static,
    ) -> Self {
        self.jobs = Some(Arc::new(jobs));
        self
    }

    /// The same, and queries may read files of Cloud Storage: `read_parquet`, `read_csv`, `read_json`. `BigQuery` has no such
    /// functions.
    #[must_use]
    pub fn with_files(mut self) -> Self {
        self.files = true;
        self
    }

    fn found(&self) -> std::sync::MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The location, if it was said or found.
    #[must_use]
    pub fn location(&self) -> Option<String> {
        self.found().location.clone()
    }

    /// The tables and views that were asked for and are there.
    #[must_use]
    pub fn tables(&self) -> Vec<TableId> {
        self.found().tables.clone()
    }

    /// The location of a dataset, which is where everything else is, too.
    fn place(&self, dataset: &DatasetId) -> Result<String, SqlError> {
        let mut found = self.found();
        let there = self
            .warehouse
            .dataset(dataset)
            .ok()
            .map(|dataset| dataset.meta.location)
            .filter(|location| {
                let wanted = found.location.as_ref();
                wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(location))
            });
        let Some(location) = there else {
            return Err(elsewhere(
                &format!("Dataset {dataset}"),
                found.location.as_deref(),
            ));
        };
        found.location.get_or_insert_with(|| location.clone());
        Ok(location)
    }

    fn look(&self, name: &TableName) -> Result<Option<Relation>, SqlError> {
        let id = TableId::from(name);
        let location = self.place(&id.of())?;
        let mut found = self.found();
        match self.warehouse.table(&id) {
            Ok(table) => {
                if !found.tables.contains(&id) {
                    found.tables.push(id);
                }
                Ok(Some(match &table.meta.view {
                    Some(text) if table.meta.view_columns.is_empty() => {
                        Relation::View(text.clone())
                    }
                    Some(text) => {
                        Relation::NamedView(text.clone(), table.meta.view_columns.clone())
                    }
                    None => Relation::Table(Box::new(self.warehouse.scan(&table))),
                }))
            }
            Err(TableError::NoTable(_) | TableError::NoDataset(_)) => {
                Err(elsewhere(&format!("Table {id}"), Some(&location)))
            }
            Err(error) => Err(SqlError {
                reason: error.reason(),
                message: error.to_string(),
            }),
        }
    }
}

fn elsewhere(what: &str, location: Option<&str>) -> SqlError {
    SqlError {
        reason: "notFound",
        message: format!(
            "Not found: {what} was not found in location {}",
            location.unwrap_or("US")
        ),
    }
}

impl Catalog for Located {
    fn relation(&self, name: &TableName) -> BoxFuture<'_, Result<Option<Relation>, SqlError>> {
        let found = self.look(name);
        async move { found }.boxed()
    }

    fn warehouse(&self) -> Option<&Warehouse> {
        Some(&self.warehouse)
    }

    fn touch(&self, dataset: &DatasetId) -> Result<(), SqlError> {
        self.place(dataset).map(|_| ())
    }

    fn settle(&self, location: &str) -> Result<(), SqlError> {
        let mut found = self.found();
        let settled = found.location.get_or_insert_with(|| location.to_owned());
        if settled.eq_ignore_ascii_case(location) {
            return Ok(());
        }
        Err(SqlError {
            reason: "invalidQuery",
            message: format!(
                "The job runs in {settled} and cannot make or look at what is in {location}; say that location for the job"
            ),
        })
    }

    fn jobs(&self, project: &str, location: &str) -> Option<Vec<JobRow>> {
        self.jobs.as_ref().map(|jobs| jobs(project, location))
    }

    fn location(&self) -> Option<String> {
        Self::location(self)
    }

    fn files(&self, files: &Files) -> BoxFuture<'_, Result<Relation, SqlError>> {
        let (objects, files) = (Arc::clone(self.warehouse.objects()), files.clone());
        let allowed = self.files;
        async move {
            if !allowed {
                return Err(SqlError::invalid(
                    "Table-valued functions that read files are there in programs of jobs alone",
                ));
            }
            let opened = tokio::task::spawn_blocking(move || files.open(objects.as_ref()))
                .await
                .map_err(|error| SqlError::invalid(error.to_string()))?;
            match opened {
                Ok((rows, bytes)) => Ok(Relation::Rows(rows, bytes)),
                Err(error) => Err(SqlError {
                    reason: match error.reason {
                        "notFound" => "notFound",
                        "backendError" => "backendError",
                        _ => "invalidQuery",
                    },
                    message: error.message,
                }),
            }
        }
        .boxed()
    }
}
