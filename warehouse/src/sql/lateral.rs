//! `FROM t, UNNEST(t.items) AS i`: the items of a row beside the row.
//!
//! `DataFusion` plans `UNNEST` of another table's column as a lateral subquery, and does not run it. Here it becomes an
//! unnesting of the rows themselves.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, SubqueryAlias, Unnest,
};
use datafusion::scalar::ScalarValue;

use super::planner::call;

/// The plan without such subqueries.
pub(super) fn flattened(plan: LogicalPlan) -> Result<LogicalPlan> {
    let done = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) => match flat(&join)? {
            Some(plan) => Ok(Transformed::yes(plan)),
            None => Ok(Transformed::no(LogicalPlan::Join(join))),
        },
        node => Ok(Transformed::no(node)),
    })?;
    Ok(done.data)
}

/// The two projections around an unnesting of nothing's columns.
fn around(plan: &LogicalPlan) -> Option<(&Projection, &Unnest, &Projection)> {
    let LogicalPlan::Projection(outer) = plan else {
        return None;
    };
    let LogicalPlan::Unnest(unnest) = outer.input.as_ref() else {
        return None;
    };
    let LogicalPlan::Projection(inner) = unnest.input.as_ref() else {
        return None;
    };
    matches!(inner.input.as_ref(), LogicalPlan::EmptyRelation(_)).then_some((outer, unnest, inner))
}

fn refused(what: &str) -> DataFusionError {
    DataFusionError::NotImplemented(format!(
        "The sandbox does not cover {what} of UNNEST of another table's column"
    ))
}

/// Whether rows without items stay.
fn outer(join: &Join) -> Result<bool> {
    if !join.on.is_empty() {
        return Err(refused("USING"));
    }
    match join.join_type {
        JoinType::Inner => Ok(false),
        JoinType::Left => match &join.filter {
            None | Some(Expr::Literal(ScalarValue::Boolean(Some(true)), _)) => Ok(true),
            Some(_) => Err(refused("LEFT JOIN with a condition")),
        },
        _ => Err(refused("this join")),
    }
}

fn flat(join: &Join) -> Result<Option<LogicalPlan>> {
    let LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, .. }) = join.right.as_ref() else {
        return Ok(None);
    };
    let (plan, marked) = match input.as_ref() {
        LogicalPlan::Subquery(subquery) => (subquery.subquery.as_ref(), true),
        plan => (plan, false),
    };
    let Some((shown, unnest, inner)) = around(plan) else {
        return Ok(None);
    };
    if !marked && !named_within(&inner.expr, &join.left)? {
        return Ok(None);
    }
    let outer = outer(join)?;
    let row: Vec<Expr> = join
        .left
        .schema()
        .iter()
        .map(|(qualifier, field)| Expr::Column(Column::from((qualifier, field))))
        .collect();
    let arrays = inner
        .expr
        .iter()
        .zip(inner.schema.fields())
        .map(|(expr, field)| {
            let array = own(expr.clone().unalias(), &join.left)?;
            let array = if outer {
                // Without items, a row has none that is there.
                call("empty_is_null$", vec![array])?
            } else {
                array
            };
            Ok(array.alias(field.name()))
        })
        .collect::<Result<Vec<_>>>()?;
    let below = LogicalPlanBuilder::from(Arc::clone(&join.left))
        .project(row.iter().cloned().chain(arrays))?
        .build()?;
    let options = unnest.options.clone().with_preserve_nulls(outer);
    let items = Unnest::try_new(Arc::new(below), unnest.exec_columns.clone(), options)?;
    let items = LogicalPlan::Unnest(items);
    let shown = shown
        .expr
        .iter()
        .zip(shown.schema.fields())
        .map(|(expr, field)| {
            let metadata = match expr {
                Expr::Alias(alias) => alias.metadata.clone(),
                _ => None,
            };
            expr.clone().unalias().alias_qualified_with_metadata(
                Some(alias.clone()),
                field.name(),
                metadata,
            )
        });
    let mut made = LogicalPlanBuilder::from(items).project(row.into_iter().chain(shown))?;
    if let Some(filter) = join.filter.clone().filter(|_| !outer) {
        made = made.filter(filter)?;
    }
    made.build().map(Some)
}

/// Columns of the row are no longer those of another query.
fn own(expr: Expr, row: &LogicalPlan) -> Result<Expr> {
    let done = expr.transform(|expr| match expr {
        Expr::OuterReferenceColumn(_, column) if row.schema().has_column(&column) => {
            Ok(Transformed::yes(Expr::Column(column)))
        }
        expr => Ok(Transformed::no(expr)),
    })?;
    Ok(done.data)
}

/// Whether subqueries in expressions name columns of the row: that does not mark the `UNNEST` as lateral.
fn named_within(exprs: &[Expr], row: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    for expr in exprs {
        expr.apply(|expr| {
            let subquery = match expr {
                Expr::ScalarSubquery(subquery) => subquery,
                Expr::Exists(exists) => &exists.subquery,
                Expr::InSubquery(within) => &within.subquery,
                _ => return Ok(TreeNodeRecursion::Continue),
            };
            subquery.subquery.apply_with_subqueries(|node| {
                node.apply_expressions(|expr| {
                    expr.apply(|expr| {
                        if let Expr::OuterReferenceColumn(_, column) = expr {
                            found |= row.schema().has_column(column);
                        }
                        Ok(TreeNodeRecursion::Continue)
                    })
                })
            })?;
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    Ok(found)
}
