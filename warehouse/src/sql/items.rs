//! `UNNEST` as a table: its items, the fields of those that are STRUCTs, and their places.
//!
//! Whether items are STRUCTs is known only while a query is planned. What has been found is kept: a query is planned again
//! with their own columns hidden from `*`, see [`super::rewrite::items`].

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::datatypes::{DataType, Fields};
use datafusion::common::{Column, DFSchema, UnnestOptions};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions::core::expr_ext::FieldAccessor;
use datafusion::functions::core::expr_fn::named_struct;
use datafusion::logical_expr::expr::FieldMetadata;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::sql::sqlparser::ast::{TableAlias, TableFactor};

use super::functions::type_name;
use super::planner::call;
use super::rewrite;

/// The column of the array below an unnesting.
const ITEMS: &str = "items$";
/// The column of the places of its items.
const PLACES: &str = "places$";

/// What is known of the arrays of a query.
#[derive(Debug, Default)]
struct Found {
    /// The marks of those whose items are STRUCTs.
    structs: HashSet<String>,
    /// Names as people see them, by those in small letters.
    names: HashMap<String, String>,
    /// The fields of items, in small letters.
    fields: HashSet<String>,
}

/// Plans `UNNEST`.
#[derive(Debug, Default, Clone)]
pub(super) struct Items(Arc<Mutex<Found>>);

impl Items {
    /// With names as people see them, by those in small letters.
    pub(super) fn new(names: HashMap<String, String>) -> Self {
        let found = Found {
            names,
            ..Found::default()
        };
        Self(Arc::new(Mutex::new(found)))
    }

    /// The fields of the items of arrays, in small letters.
    pub(super) fn fields(&self) -> HashSet<String> {
        self.found(|found| found.fields.clone())
    }

    /// A name as people see it.
    pub(super) fn shown(&self, lower: &str) -> String {
        self.shown_or(lower, lower)
    }

    /// A name as people see it, and what it is where nothing is known of it.
    pub(super) fn shown_or(&self, lower: &str, unknown: &str) -> String {
        self.found(|found| {
            let name = found.names.get(lower);
            name.cloned().unwrap_or_else(|| unknown.to_owned())
        })
    }

    /// How people see a name, unless it is known.
    pub(super) fn show(&self, name: &str) {
        self.found(|found| {
            let lower = name.to_lowercase();
            found.names.entry(lower).or_insert_with(|| name.to_owned());
        });
    }

    /// The marks of arrays of STRUCT that were found so far.
    pub(super) fn structs(&self) -> HashSet<String> {
        self.found(|found| found.structs.clone())
    }

    /// Names as people see them, by those in small letters.
    pub(super) fn names(&self) -> HashMap<String, String> {
        self.found(|found| found.names.clone())
    }

    fn found<T>(&self, with: impl FnOnce(&mut Found) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn of_struct(&self, (item, mark): (&str, &str), fields: &Fields) {
        self.found(|found| {
            // A field of its name comes before the STRUCT.
            let named = |name: &str| name.eq_ignore_ascii_case(item);
            if !fields.iter().any(|field| named(field.name())) {
                found.structs.insert(mark.to_owned());
            }
            for field in fields {
                let (lower, name) = (field.name().to_lowercase(), field.name());
                found.fields.insert(lower.clone());
                found.names.entry(lower).or_insert_with(|| name.clone());
            }
        });
    }
}

impl RelationPlanner for Items {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        if let Some((name, bare)) = rewrite::items::row(&relation) {
            let plan = context.plan(bare)?;
            let plan = self.beside(plan, &name)?;
            return Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
                plan, None,
            ))));
        }
        let TableFactor::UNNEST {
            alias: Some(alias),
            array_exprs,
            ..
        } = &relation
        else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        // The rewriting names the item, marks the array, and names the place if it is asked for.
        let names: Vec<String> = alias
            .columns
            .iter()
            .map(|column| column.name.value.clone())
            .collect();
        let ([array], [item, mark, place @ ..]) = (array_exprs.as_slice(), names.as_slice()) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let array = context.sql_expr_to_logical_expr(array.clone(), &DFSchema::empty())?;
        let plan = self.rows(array, item, mark, place.first())?;
        let alias = TableAlias {
            columns: vec![],
            ..alias.clone()
        };
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
            plan,
            Some(alias),
        ))))
    }
}

impl Items {
    /// The rows of a table, and each as a STRUCT beside its columns.
    fn beside(&self, plan: LogicalPlan, name: &str) -> Result<LogicalPlan> {
        let columns = plan.schema().columns();
        let fields = columns
            .iter()
            .flat_map(|column| {
                let shown = self.shown(&column.name);
                [lit(shown), Expr::Column(column.clone())]
            })
            .collect();
        let row = named_struct(fields).alias_qualified(Some(name), rewrite::items::ROW);
        let all = columns.into_iter().map(Expr::Column);
        LogicalPlanBuilder::from(plan)
            .project(all.chain([row]))?
            .build()
    }

    fn rows(
        &self,
        array: Expr,
        item: &str,
        mark: &str,
        place: Option<&String>,
    ) -> Result<LogicalPlan> {
        let (_, field) = array.to_field(&DFSchema::empty())?;
        let DataType::List(inner) = field.data_type() else {
            return Err(DataFusionError::Plan(format!(
                "Values referenced in UNNEST must be arrays. UNNEST contains expression of type {}",
                type_name(&field)
            )));
        };
        let column = |name: &str| Column::new_unqualified(name);
        let mut arrays = vec![array.clone().alias(ITEMS)];
        let mut unnested = vec![column(ITEMS)];
        if place.is_some() {
            arrays.push(call("positions$", vec![array])?.alias(PLACES));
            unnested.push(column(PLACES));
        }
        let items = || Expr::Column(column(ITEMS));
        let mut shown = Vec::new();
        let mut known = HashSet::new();
        if let DataType::Struct(fields) = inner.data_type() {
            self.of_struct((item, mark), fields);
            for field in fields {
                let name = field.name().to_lowercase();
                if known.insert(name.clone()) {
                    shown.push(items().field(field.name().clone()).alias(name));
                }
            }
        }
        if known.insert(item.to_owned()) {
            let metadata =
                (!inner.metadata().is_empty()).then(|| FieldMetadata::from(inner.metadata()));
            shown.push(items().alias_with_metadata(item, metadata));
        }
        if let Some(place) = place {
            shown.push(Expr::Column(column(PLACES)).alias(place));
        }
        let options = UnnestOptions::new().with_preserve_nulls(false);
        LogicalPlanBuilder::empty(true)
            .project(arrays)?
            .unnest_columns_with_options(unnested, options)?
            .project(shown)?
            .build()
    }
}
