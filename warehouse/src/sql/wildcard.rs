//! Tables with a prefix as one: `events_*`.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::Field;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::prelude::{DataFrame, ident};
use datafusion::scalar::ScalarValue;

use super::catalog::{Catalog, Relation, TableName};
use super::error::SqlError;
use super::functions::type_name;
use super::parse::Words;
use super::session::Session;
use crate::tables::{DatasetId, Snapshot};

/// The column with what stands for the star.
pub(super) const SUFFIX: &str = "_TABLE_SUFFIX";

/// The rows of all tables whose names begin like that of the wildcard. A condition on the suffix leaves out the others before
/// they are read.
pub(super) async fn rows(
    catalog: &dyn Catalog,
    name: &TableName,
    session: &Session,
) -> Result<DataFrame, SqlError> {
    let prefix = name.table.trim_end_matches('*');
    let dataset = DatasetId::new(&name.project, &name.dataset);
    catalog.touch(&dataset)?;
    let missing = || {
        SqlError::invalid(format!(
            "{}:{}.{} does not match any table.",
            name.project, name.dataset, name.table
        ))
    };
    let warehouse = catalog.warehouse().ok_or_else(missing)?;
    let mut tables: Vec<Snapshot> = warehouse
        .tables(&dataset)?
        .into_iter()
        .filter(|table| table.id.table.starts_with(prefix))
        .collect();
    if let Some(view) = tables.iter().find(|table| table.meta.view.is_some()) {
        return Err(SqlError::invalid(format!(
            "Views cannot be queried through prefix. Matched views are: {}:{}.{}",
            view.id.project, view.id.dataset, view.id.table
        )));
    }
    // The columns are those of the table that was made last.
    tables.sort_by(|a, b| (a.created, &a.id.table).cmp(&(b.created, &b.id.table)));
    let newest = tables.last().ok_or_else(missing)?.meta.schema.to_arrow();
    let fields: Vec<Arc<Field>> = newest.fields().iter().cloned().collect();
    let failed = |error: DataFusionError| SqlError::from_engine(&error, &Words::default());
    let mut all: Option<DataFrame> = None;
    for table in &tables {
        let one = TableName {
            table: table.id.table.clone(),
            ..name.clone()
        };
        let Some(Relation::Table(scan)) = catalog.relation(&one).await? else {
            continue;
        };
        let scan = scan.with_meter(Arc::clone(&session.meter));
        let rows = session.ctx.read_table(Arc::new(scan)).map_err(failed)?;
        let mut columns = fields
            .iter()
            .map(|field| column(&rows, field))
            .collect::<Result<Vec<_>, _>>()?;
        columns.push(lit(&table.id.table[prefix.len()..]).alias(SUFFIX));
        let rows = rows.select(columns).map_err(failed)?;
        all = Some(match all {
            None => rows,
            Some(all) => all.union(rows).map_err(failed)?,
        });
    }
    all.ok_or_else(missing)
}

/// A column of one of the tables as that of all; what it has not is NULL.
fn column(rows: &DataFrame, field: &Field) -> Result<Expr, SqlError> {
    let own = rows
        .schema()
        .fields()
        .iter()
        .find(|own| own.name().eq_ignore_ascii_case(field.name()));
    match own {
        None => Ok(cast(lit(ScalarValue::Null), field.data_type().clone()).alias(field.name())),
        Some(own) if own.data_type() == field.data_type() && own.metadata() == field.metadata() => {
            Ok(ident(own.name()).alias(field.name()))
        }
        Some(own) => Err(SqlError::invalid(format!(
            "Cannot read field '{}' of type {} as {}",
            field.name(),
            type_name(own),
            type_name(field)
        ))),
    }
}

/// The columns that `*` does not stand for.
pub(super) fn hidden() -> HashSet<String> {
    HashSet::from([SUFFIX.to_lowercase()])
}
