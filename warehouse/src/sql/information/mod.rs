//! `INFORMATION_SCHEMA` and `__TABLES__`: what is known of datasets, tables and jobs, as tables.
//!
//! A column that would not be true is not there: a query that names it is refused.

mod columns;
mod jobs;
mod options;
mod tables;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::RecordBatch;

use super::catalog::Catalog;
use super::error::SqlError;
use super::request::Request;
use crate::rows::{Cell, RowsBuilder};
use crate::schema::{Field, Kind, Schema};
use crate::tables::{Dataset, DatasetId, Snapshot, Warehouse};

pub use jobs::JobRow;

/// A view, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    name: String,
    project: String,
    of: Of,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Of {
    Dataset(DatasetId),
    /// A location, in small letters.
    Region(String),
    /// Nothing was said.
    Project,
}

/// The view that the parts of a name stand for, if any.
pub(super) fn view(parts: &[String], request: &Request) -> Option<View> {
    let project = |given: Option<&String>| given.unwrap_or(&request.project).clone();
    if let [before @ .., name] = parts
        && name.eq_ignore_ascii_case("__TABLES__")
    {
        let (project, dataset) = match before {
            [] => (project(None), request.default_dataset.clone()?),
            [dataset] => (project(None), dataset.clone()),
            [given, dataset] => (project(Some(given)), dataset.clone()),
            _ => return None,
        };
        return Some(View {
            name: "__TABLES__".to_owned(),
            of: Of::Dataset(DatasetId::new(&project, dataset)),
            project,
        });
    }
    let [before @ .., schema, name] = parts else {
        return None;
    };
    if !schema.eq_ignore_ascii_case("INFORMATION_SCHEMA") {
        return None;
    }
    let (project, last) = match before {
        [] => (project(None), None),
        [last] => (project(None), Some(last)),
        [given, last] => (project(Some(given)), Some(last)),
        _ => return None,
    };
    let of = match last {
        None => Of::Project,
        Some(last) => match last.to_lowercase().strip_prefix("region-") {
            Some(region) => Of::Region(region.to_owned()),
            None => Of::Dataset(DatasetId::new(&project, last)),
        },
    };
    Some(View {
        name: name.to_uppercase(),
        project,
        of,
    })
}

/// The rows of a view.
pub(super) fn rows(catalog: &dyn Catalog, view: &View) -> Result<RecordBatch, SqlError> {
    let warehouse = catalog
        .warehouse()
        .ok_or_else(|| SqlError::unsupported("INFORMATION_SCHEMA here"))?;
    match &view.of {
        Of::Dataset(id) => catalog.touch(id)?,
        Of::Region(region) => catalog.settle(&location(region))?,
        Of::Project => {}
    }
    let found = Found {
        catalog,
        warehouse,
        view,
    };
    match view.name.as_str() {
        "__TABLES__" => tables::summary(&found),
        "SCHEMATA" => tables::schemata(&found),
        "SCHEMATA_OPTIONS" => options::of_datasets(&found),
        "TABLES" => tables::tables(&found),
        "VIEWS" => tables::views(&found),
        "PARTITIONS" => tables::partitions(&found),
        "TABLE_STORAGE" | "TABLE_STORAGE_BY_PROJECT" => tables::storage(&found),
        "MATERIALIZED_VIEWS" => tables::materialized(&found),
        "TABLE_OPTIONS" => options::of_tables(&found),
        "COLUMNS" => columns::columns(&found),
        "COLUMN_FIELD_PATHS" => columns::paths(&found),
        "JOBS" | "JOBS_BY_PROJECT" => jobs::jobs(&found),
        other => Err(SqlError::unsupported(format!("INFORMATION_SCHEMA.{other}"))),
    }
}

/// A location as datasets have it.
fn location(region: &str) -> String {
    match region {
        "us" | "eu" => region.to_uppercase(),
        other => other.to_owned(),
    }
}

/// What a view is over.
struct Found<'a> {
    catalog: &'a dyn Catalog,
    warehouse: &'a Warehouse,
    view: &'a View,
}

impl Found<'_> {
    /// The datasets that a view is over.
    fn datasets(&self) -> Vec<Dataset> {
        let place = match &self.view.of {
            Of::Region(region) => Some(location(region)),
            Of::Project => Some(self.catalog.location().unwrap_or_else(|| "US".to_owned())),
            Of::Dataset(_) => None,
        };
        self.warehouse
            .datasets(&self.view.project)
            .into_iter()
            .filter(|dataset| match (&self.view.of, &place) {
                (Of::Dataset(id), _) => dataset.id == *id,
                (_, Some(place)) => {
                    dataset.meta.location.eq_ignore_ascii_case(place)
                        && !dataset.id.dataset.starts_with('_')
                }
                _ => false,
            })
            .collect()
    }

    /// The tables that a view is over.
    fn tables(&self) -> Result<Vec<Snapshot>, SqlError> {
        if self.view.of == Of::Project {
            return Err(SqlError::invalid(format!(
                "Table \"INFORMATION_SCHEMA.{}\" must be qualified with a dataset (e.g. dataset.table).",
                self.view.name
            )));
        }
        let mut tables = Vec::new();
        for dataset in self.datasets() {
            tables.extend(self.warehouse.tables(&dataset.id)?);
        }
        Ok(tables)
    }
}

/// Columns that may be missing.
fn schema(columns: &[(&str, Kind)]) -> Schema {
    Schema {
        fields: columns
            .iter()
            .map(|(name, kind)| Field::new(*name, kind.clone()))
            .collect(),
    }
}

fn batch(schema: &Schema, rows: Vec<Vec<Cell>>) -> Result<RecordBatch, SqlError> {
    let mut builder = RowsBuilder::new(schema);
    for row in &rows {
        builder.push(row);
    }
    builder
        .batch()
        .map_err(|error| SqlError::backend(error.to_string()))
}

fn text(value: impl Into<String>) -> Cell {
    Cell::Text(value.into())
}

fn yes(value: bool) -> Cell {
    text(if value { "YES" } else { "NO" })
}

fn number(value: u64) -> Cell {
    Cell::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

fn moment(at: DateTime<Utc>) -> Cell {
    Cell::Micros(at.timestamp_micros())
}

fn maybe(value: Option<Cell>) -> Cell {
    value.unwrap_or(Cell::Null)
}

/// The name of a table in three columns.
fn named(table: &Snapshot) -> Vec<Cell> {
    vec![
        text(&table.id.project),
        text(&table.id.dataset),
        text(&table.id.table),
    ]
}

const STRING: Kind = Kind::String(None);

const NAMED: [(&str, Kind); 3] = [
    ("table_catalog", STRING),
    ("table_schema", STRING),
    ("table_name", STRING),
];

/// The columns of a table's name, and others.
fn of_named(more: &[(&str, Kind)]) -> Schema {
    let mut columns = NAMED.to_vec();
    columns.extend(more.iter().cloned());
    schema(&columns)
}
