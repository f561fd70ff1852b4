//! What a statement needs while it is planned.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SessionContext, ident};
use datafusion::sql::parser::Statement as Planned;
use datafusion::sql::sqlparser::ast::{Query, Statement};

use super::error::SqlError;
use super::items::Items;
use super::parse::Words;
use super::pivot::Pivots;
use super::rewrite::{self, variables};
use super::scope::Scope;
use crate::tables::Meter;

/// What a statement needs while it is planned.
pub(super) struct Session {
    /// Where it is planned.
    pub(super) ctx: SessionContext,
    /// Names as people see them, by those in small letters.
    pub(super) names: HashMap<String, String>,
    /// Of all tables, in small letters.
    pub(super) columns: HashSet<String>,
    /// What is billed for reading whole tables.
    pub(super) bytes: u64,
    /// What is billed for scans.
    pub(super) meter: Arc<Meter>,
}

impl Session {
    /// Without tables.
    pub(super) fn new(ctx: SessionContext) -> Self {
        Self {
            ctx,
            names: HashMap::new(),
            columns: HashSet::new(),
            bytes: 0,
            meter: Arc::default(),
        }
    }

    /// The plan of a query whose tables are there.
    pub(super) async fn planned(
        &mut self,
        query: &Query,
        scope: &Scope,
    ) -> Result<LogicalPlan, DataFusionError> {
        loop {
            let mut query = query.clone();
            variables::put_in(&mut query, scope, self.columns.clone());
            let items = Items::new(self.names.clone());
            let plan = self.once(&query, &items).await;
            // A field of an array's items comes before a variable of its name.
            let mut again = false;
            for lower in items.fields() {
                if scope.variables.contains_key(&lower) {
                    again |= self.columns.insert(lower);
                }
            }
            if again {
                continue;
            }
            for (lower, name) in items.names() {
                self.names.entry(lower).or_insert(name);
            }
            return plan;
        }
    }

    async fn once(&self, query: &Query, items: &Items) -> Result<LogicalPlan, DataFusionError> {
        let mut state = self.ctx.state();
        state.register_relation_planner(Arc::new(items.clone()))?;
        state.register_relation_planner(Arc::new(Pivots::new(items.clone())))?;
        let mut tables = rewrite::items::tables(query);
        let mut rows = HashSet::new();
        loop {
            let known = items.structs();
            let mut query = query.clone();
            rewrite::items::hide(&mut query, &known, &rows);
            let query = Statement::Query(Box::new(query));
            let plan = state
                .statement_to_plan(Planned::Statement(Box::new(query)))
                .await;
            // What was not known to be a STRUCT is planned otherwise now.
            if items.structs().len() > known.len() {
                continue;
            }
            // A name that is no column may be a table: it stands for its rows.
            if let Err(error) = &plan
                && let Some(name) = unknown(error)
                && tables.remove(&name)
            {
                rows.insert(name);
                continue;
            }
            let plan = super::lateral::flattened(plan?)?;
            super::agree::check(&plan)?;
            return super::subquery::called(plan, &state);
        }
    }

    /// Rows under the name that they have while planned, with their columns in small letters.
    pub(super) fn add(&mut self, frame: DataFrame, planned: &str) -> Result<(), SqlError> {
        let failed = |error: DataFusionError| SqlError::from_engine(&error, &Words::default());
        let mut columns = Vec::new();
        for field in frame.schema().fields() {
            let lower = field.name().to_lowercase();
            self.names.insert(lower.clone(), field.name().clone());
            self.columns.insert(lower.clone());
            columns.push(ident(field.name()).alias(lower));
        }
        let view = frame.select(columns).map_err(failed)?.into_view();
        self.ctx
            .register_table(datafusion::common::TableReference::bare(planned), view)
            .map_err(failed)?;
        Ok(())
    }
}

/// The name alone that was not found.
fn unknown(error: &DataFusionError) -> Option<String> {
    match error.find_root() {
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, .. } if field.relation.is_none() => {
                Some(field.name.to_lowercase())
            }
            _ => None,
        },
        _ => None,
    }
}
