//! The rows of a query as people see them.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::ast::{Query, SelectItem, SetExpr};

use crate::Schema;

/// Names in the SELECT list as they were written, by what they are while planned.
pub(super) fn written_names(query: &Query) -> HashMap<String, String> {
    let mut body = query.body.as_ref();
    loop {
        match body {
            SetExpr::SetOperation { left, .. } => body = left,
            SetExpr::Query(inner) => body = &inner.body,
            _ => break,
        }
    }
    let SetExpr::Select(select) = body else {
        return HashMap::new();
    };
    let mut names = HashMap::new();
    for item in &select.projection {
        use datafusion::sql::sqlparser::ast::Expr;
        let name = match item {
            SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.value.clone()),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => {
                names.last().map(|name| name.value.clone())
            }
            _ => None,
        };
        if let Some(name) = name {
            names.insert(name.to_lowercase(), name);
        }
    }
    names
}

/// The columns with the names that people see.
pub(super) fn shown(schema: &ArrowSchema, names: &HashMap<String, String>) -> ArrowSchema {
    ArrowSchema::new(
        schema
            .fields()
            .iter()
            .map(|field| {
                let name = names.get(field.name()).unwrap_or(field.name());
                // NULL without a type is INT64.
                let kind = match field.data_type() {
                    DataType::Null => DataType::Int64,
                    other => other.clone(),
                };
                Field::new(name, kind, true).with_metadata(field.metadata().clone())
            })
            .collect::<Vec<_>>(),
    )
}

/// The rows in the types of the columns.
pub(super) fn fitted(
    batch: &RecordBatch,
    columns: &Schema,
) -> Result<RecordBatch, DataFusionError> {
    let schema = columns.to_arrow();
    let arrays = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(array, field)| datafusion::arrow::compute::cast(array, field.data_type()))
        .collect::<Result<Vec<_>, _>>()?;
    let options =
        datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::new(schema),
        arrays,
        &options,
    )?)
}
