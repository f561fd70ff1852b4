//! `PIVOT` and `UNPIVOT`: which columns there are is known only while a query is planned.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, UnnestOptions};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::utils::find_aggregate_exprs;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr as Written, ExprWithAlias, Ident, NullInclusion, PivotValueSource,
    TableFactor, UnaryOperator, Value,
};

use super::items::Items;
use super::planner::call;

/// Plans both.
#[derive(Debug, Clone)]
pub(super) struct Pivots(Items);

fn refused(what: &str) -> DataFusionError {
    DataFusionError::NotImplemented(format!("The sandbox does not cover {what}"))
}

impl Pivots {
    /// Names that they make are shown as they were written.
    pub(super) fn new(items: Items) -> Self {
        Self(items)
    }

    fn named(&self, name: &str) -> String {
        self.0.show(name);
        name.to_lowercase()
    }
}

impl RelationPlanner for Pivots {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let (plan, alias) = match relation {
            TableFactor::Pivot {
                table,
                aggregate_functions,
                value_column,
                value_source: PivotValueSource::List(values),
                default_on_null: None,
                alias,
            } => {
                let [column] = value_column.as_slice() else {
                    return Err(refused("PIVOT by several columns"));
                };
                let turned = Turned {
                    aggregates: &aggregate_functions,
                    column,
                    values: &values,
                };
                (self.pivot(*table, &turned, context)?, alias)
            }
            TableFactor::Pivot { .. } => return Err(refused("PIVOT without a list of values")),
            TableFactor::Unpivot {
                table,
                value: Written::Identifier(value),
                name,
                columns,
                null_inclusion,
                alias,
            } => {
                let nulls = matches!(null_inclusion, Some(NullInclusion::IncludeNulls));
                let plan = self.unpivot(*table, (&value, &name), &columns, context)?;
                let plan = if nulls {
                    plan
                } else {
                    let value = Column::new_unqualified(value.value.to_lowercase());
                    LogicalPlanBuilder::from(plan)
                        .filter(Expr::Column(value).is_not_null())?
                        .build()?
                };
                (plan, alias)
            }
            TableFactor::Unpivot { .. } => {
                return Err(refused("UNPIVOT into several columns"));
            }
            other => return Ok(RelationPlanning::Original(Box::new(other))),
        };
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
            plan, alias,
        ))))
    }
}

/// What a PIVOT is written with.
struct Turned<'a> {
    aggregates: &'a [ExprWithAlias],
    column: &'a Written,
    values: &'a [ExprWithAlias],
}

impl Pivots {
    fn pivot(
        &self,
        table: TableFactor,
        turned: &Turned<'_>,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<LogicalPlan> {
        let input = context.plan(table)?;
        let schema = Arc::clone(input.schema());
        let by = context.sql_to_expr(turned.column.clone(), &schema)?;
        let mut used: HashSet<Column> = by.column_refs().into_iter().cloned().collect();
        let mut found = Vec::new();
        for aggregate in turned.aggregates {
            let expr = context.sql_to_expr(aggregate.expr.clone(), &schema)?;
            used.extend(expr.column_refs().into_iter().cloned());
            found.push(expr);
        }
        let mut shown = Vec::new();
        for value in turned.values {
            let is = is(turned.column, &value.expr);
            let condition = context.sql_to_expr(is, &schema)?;
            for (aggregate, expr) in turned.aggregates.iter().zip(&found) {
                let name = name(aggregate, value, turned.aggregates.len())?;
                shown.push((filtered(expr, &condition)?, self.named(&name)));
            }
        }
        let groups: Vec<Expr> = schema
            .columns()
            .into_iter()
            .filter(|column| !used.contains(column))
            .map(Expr::Column)
            .collect();
        let aggregates = find_aggregate_exprs(shown.iter().map(|(expr, _)| expr));
        let made = Aggregate::try_new(Arc::new(input), groups.clone(), aggregates.clone())?;
        let columns = shown
            .into_iter()
            .map(|(expr, name)| {
                let done = expr.transform_down(|expr| {
                    if !aggregates.contains(&expr) {
                        return Ok(Transformed::no(expr));
                    }
                    let name = expr.schema_name().to_string();
                    Ok(Transformed::yes(Expr::Column(Column::new_unqualified(
                        name,
                    ))))
                })?;
                Ok(done.data.alias(name))
            })
            .collect::<Result<Vec<_>>>()?;
        LogicalPlanBuilder::from(LogicalPlan::Aggregate(made))
            .project(groups.into_iter().chain(columns))?
            .build()
    }

    fn unpivot(
        &self,
        table: TableFactor,
        (value, name): (&Ident, &Ident),
        columns: &[ExprWithAlias],
        context: &mut dyn RelationPlannerContext,
    ) -> Result<LogicalPlan> {
        let input = context.plan(table)?;
        let schema = Arc::clone(input.schema());
        let mut values = Vec::new();
        let mut names = Vec::new();
        for column in columns {
            let expr = context.sql_to_expr(column.expr.clone(), &schema)?;
            let Expr::Column(found) = &expr else {
                return Err(refused("UNPIVOT of several columns at once"));
            };
            names.push(lit(match &column.alias {
                Some(alias) => alias.value.clone(),
                None => self.0.shown_or(&found.name, &column.expr.to_string()),
            }));
            values.push(expr);
        }
        let rest: Vec<Expr> = schema
            .columns()
            .into_iter()
            .map(Expr::Column)
            .filter(|column| !values.contains(column))
            .collect();
        let column = |name: &str| Column::new_unqualified(name);
        let arrays = [
            call("array$", values)?.alias("values$"),
            call("array$", names)?.alias("names$"),
        ];
        let shown = [
            Expr::Column(column("values$")).alias(self.named(&value.value)),
            Expr::Column(column("names$")).alias(self.named(&name.value)),
        ];
        LogicalPlanBuilder::from(input)
            .project(rest.iter().cloned().chain(arrays))?
            .unnest_columns_with_options(
                vec![column("values$"), column("names$")],
                UnnestOptions::new().with_preserve_nulls(false),
            )?
            .project(rest.into_iter().chain(shown))?
            .build()
    }
}

/// Whether a column has a value of the list.
fn is(column: &Written, value: &Written) -> Written {
    if matches!(value, Written::Value(value) if value.value == Value::Null) {
        return Written::IsNull(Box::new(column.clone()));
    }
    Written::BinaryOp {
        left: Box::new(column.clone()),
        op: BinaryOperator::Eq,
        right: Box::new(value.clone()),
    }
}

/// The aggregates of an expression over the rows with one value alone.
fn filtered(expr: &Expr, condition: &Expr) -> Result<Expr> {
    let done = expr.clone().transform_up(|expr| match expr {
        Expr::AggregateFunction(mut call) => {
            call.params.filter = Some(Box::new(match call.params.filter.take() {
                Some(filter) => filter.and(condition.clone()),
                None => condition.clone(),
            }));
            Ok(Transformed::yes(Expr::AggregateFunction(call)))
        }
        expr => Ok(Transformed::no(expr)),
    })?;
    Ok(done.data)
}

/// The name of a column, by its aggregate's and its value's.
fn name(aggregate: &ExprWithAlias, value: &ExprWithAlias, count: usize) -> Result<String> {
    let own = match &value.alias {
        Some(alias) => alias.value.clone(),
        None => of_value(&value.expr, aggregate.alias.is_none()).ok_or_else(|| {
            DataFusionError::Plan(format!(
                "The PIVOT value {} needs an alias, as no name of a column can be made of it",
                value.expr
            ))
        })?,
    };
    match &aggregate.alias {
        Some(alias) => Ok(format!("{}_{own}", alias.value)),
        None if count == 1 => Ok(own),
        None => Err(DataFusionError::Plan(
            "PIVOT expressions need aliases when there is more than one".to_owned(),
        )),
    }
}

/// What a value without an alias is called; alone, a name does not begin with a digit.
fn of_value(value: &Written, alone: bool) -> Option<String> {
    match value {
        Written::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            Value::Number(number, _) if alone => {
                Some(format!("_{}", number.replace('.', "_point_")))
            }
            Value::Number(number, _) => Some(number.replace('.', "_point_")),
            Value::Boolean(true) => Some("TRUE".to_owned()),
            Value::Boolean(false) => Some("FALSE".to_owned()),
            Value::Null => Some("NULL".to_owned()),
            _ => None,
        },
        Written::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => {
            let number = of_value(expr, false)?;
            Some(format!("{}minus_{number}", if alone { "_" } else { "" }))
        }
        _ => None,
    }
}
