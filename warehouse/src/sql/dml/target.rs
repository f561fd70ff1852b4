//! The table that a statement changes.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{Ident, ObjectName, ObjectNamePart, TableFactor};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::tree::{alias as aliased, named, parts};
use super::{Run, Undone};
use crate::schema::Field;
use crate::sql::JobRow;
use crate::sql::catalog::{Catalog, Relation, TableName};
use crate::sql::engine::Engine;
use crate::sql::error::SqlError;
use crate::tables::{DatasetId, Numbered, Snapshot, TableId, Warehouse};

/// What the table is called in the queries that a statement is made.
const MARK: &str = "target$";

/// A table at the moment at which a statement looks at it.
pub(super) struct Target {
    pub(super) id: TableId,
    pub(super) table: Snapshot,
    pub(super) warehouse: Warehouse,
    /// How the statement calls it.
    pub(super) alias: String,
}

impl Target {
    /// Looks a table up by its name as it was written.
    pub(super) fn new(
        run: &Run<'_>,
        name: &ObjectName,
        alias: Option<&Ident>,
    ) -> Result<Self, Undone> {
        let parts = parts(name)?;
        let id = run.engine.target(&parts, run.scope, run.request)?;
        let warehouse = run.engine.warehouse(run.request)?;
        let table = warehouse.table(&id)?;
        if table.meta.view.is_some() {
            return Err(SqlError::invalid(format!(
                "Invalid value: {id} is a view: DML over views is not supported"
            ))
            .into());
        }
        let alias = match alias {
            Some(alias) => alias.value.to_lowercase(),
            None => id.table.to_lowercase(),
        };
        Ok(Self {
            id,
            table,
            warehouse,
            alias,
        })
    }

    /// The same from a FROM.
    pub(super) fn of_factor(run: &Run<'_>, factor: &TableFactor) -> Result<Self, Undone> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                version: None,
                sample: None,
                ..
            } => Self::new(run, name, alias.as_ref().map(|alias| &alias.name)),
            other => Err(SqlError::invalid(format!(
                "Syntax error: {other} is no table that can be changed"
            ))
            .into()),
        }
    }

    /// Its columns.
    pub(super) fn fields(&self) -> &[Field] {
        &self.table.meta.schema.fields
    }

    /// Which of its columns a name is.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.fields()
            .iter()
            .position(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// An error for a name that is none of its columns.
    pub(super) fn missing(&self, name: &str) -> SqlError {
        SqlError::invalid(format!("Column {name} is not present in table {}", self.id))
    }

    /// It in a FROM of a query.
    pub(super) fn factor(&self) -> TableFactor {
        let part = || ObjectNamePart::Identifier(Ident::with_quote('"', MARK));
        let mut factor = named(ObjectName(vec![part(), part(), part()]));
        if let TableFactor::Table { alias, .. } = &mut factor {
            *alias = Some(aliased(&self.alias));
        }
        factor
    }

    /// Its rows with their numbers, counted anew.
    pub(super) fn numbered(&self, run: &Run<'_>) -> Numbered {
        let mut scan = self.warehouse.scan(&self.table);
        if run.request.text.to_lowercase().contains("_partition") {
            scan = scan.with_partition_columns();
        }
        Numbered::new(scan)
    }

    /// The engine with these rows among its tables.
    pub(super) fn engine(&self, run: &Run<'_>, rows: &Numbered) -> Engine {
        run.engine.over(Arc::new(WithTarget {
            others: Arc::clone(run.engine.catalog()),
            rows: rows.clone(),
        }))
    }
}

/// The tables of a catalog, and the one that is changed.
struct WithTarget {
    others: Arc<dyn Catalog>,
    rows: Numbered,
}

impl Catalog for WithTarget {
    fn relation(&self, name: &TableName) -> BoxFuture<'_, Result<Option<Relation>, SqlError>> {
        if name.table == MARK && name.project == MARK {
            let rows = Relation::Rows(Arc::new(self.rows.clone()), 0);
            return async move { Ok(Some(rows)) }.boxed();
        }
        self.others.relation(name)
    }

    fn warehouse(&self) -> Option<&Warehouse> {
        self.others.warehouse()
    }

    fn touch(&self, dataset: &DatasetId) -> Result<(), SqlError> {
        self.others.touch(dataset)
    }

    fn settle(&self, location: &str) -> Result<(), SqlError> {
        self.others.settle(location)
    }

    fn jobs(&self, project: &str, location: &str) -> Option<Vec<JobRow>> {
        self.others.jobs(project, location)
    }

    fn location(&self) -> Option<String> {
        self.others.location()
    }
}
