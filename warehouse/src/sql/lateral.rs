//! `FROM t, UNNEST(t.items) AS i`: the items of a row beside the row.
//!
//! The rewriting makes `UNNEST` of another table's column a lateral subquery, which `DataFusion` plans and does not run. Here it
//! becomes an unnesting of the rows themselves.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::{
    Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, SubqueryAlias, Unnest,
};

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

fn flat(join: &Join) -> Result<Option<LogicalPlan>> {
    let LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, .. }) = join.right.as_ref() else {
        return Ok(None);
    };
    let LogicalPlan::Subquery(subquery) = input.as_ref() else {
        return Ok(None);
    };
    let Some((outer, unnest, inner)) = around(&subquery.subquery) else {
        return Ok(None);
    };
    if join.join_type != JoinType::Inner || !join.on.is_empty() {
        return Ok(None);
    }
    let row: Vec<Expr> = join
        .left
        .schema()
        .iter()
        .map(|(qualifier, field)| Expr::Column(Column::from((qualifier, field))))
        .collect();
    let arrays = inner
        .expr
        .iter()
        .map(|expr| own(expr.clone()))
        .collect::<Result<Vec<_>>>()?;
    let below = LogicalPlanBuilder::from(Arc::clone(&join.left))
        .project(row.iter().cloned().chain(arrays))?
        .build()?;
    let options = unnest.options.clone().with_preserve_nulls(false);
    let items = Unnest::try_new(Arc::new(below), unnest.exec_columns.clone(), options)?;
    let items = LogicalPlan::Unnest(items);
    let shown = outer
        .expr
        .iter()
        .zip(outer.schema.fields())
        .map(|(expr, field)| {
            let expr = expr.clone().unalias();
            expr.alias_qualified(Some(alias.clone()), field.name())
        });
    let mut made = LogicalPlanBuilder::from(items).project(row.into_iter().chain(shown))?;
    if let Some(filter) = &join.filter {
        made = made.filter(filter.clone())?;
    }
    made.build().map(Some)
}

/// Columns of the row are no longer those of another query.
fn own(expr: Expr) -> Result<Expr> {
    let done = expr.transform(|expr| match expr {
        Expr::OuterReferenceColumn(_, column) => Ok(Transformed::yes(Expr::Column(column))),
        expr => Ok(Transformed::no(expr)),
    })?;
    Ok(done.data)
}
