//! Subqueries over the arrays of a row: `(SELECT SUM(i.n) FROM UNNEST(t.items) AS i)`.
//!
//! `DataFusion` joins subqueries to the query around them, which it cannot where a subquery has no table but the columns of the
//! row. Those become calls of a function of these columns. It is run for many rows at once, see [`spread`].

mod call;
mod given;
mod spread;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator, Subquery, binary_expr};

use call::{Asked, Calls};
use spread::Spread;

/// The plan with such subqueries as calls.
pub(super) fn called(plan: LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
    let mut calls = Calls::new(state);
    let done = plan.transform_up_with_subqueries(|node| {
        let mut schema = DFSchema::empty();
        for input in node.inputs() {
            schema.merge(input.schema());
        }
        let names = NamePreserver::new(&node);
        let done = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let done = expr.transform_up(|expr| one(expr, &schema, &mut calls))?;
            if done.transformed {
                Ok(done.update_data(|expr| name.restore(expr)))
            } else {
                Ok(done)
            }
        })?;
        if done.transformed {
            return done.data.recompute_schema().map(Transformed::yes);
        }
        Ok(done)
    })?;
    Ok(done.data)
}

fn one(expr: Expr, schema: &DFSchema, calls: &mut Calls<'_>) -> Result<Transformed<Expr>> {
    let (subquery, asked, needle) = match &expr {
        // The number that the rewriting gave it has done its work.
        Expr::ScalarFunction(call) if call.name() == "subquery$" && call.args.len() == 2 => {
            return Ok(Transformed::yes(call.args[1].clone()));
        }
        Expr::ScalarSubquery(subquery) => (subquery, Asked::Value, None),
        Expr::Exists(exists) => (&exists.subquery, Asked::Exists, None),
        Expr::InSubquery(within) => (&within.subquery, Asked::Within, Some(&within.expr)),
        _ => return Ok(Transformed::no(expr)),
    };
    let negated = match &expr {
        Expr::Exists(exists) => exists.negated,
        Expr::InSubquery(within) => within.negated,
        _ => false,
    };
    let Some(outer) = of_arrays(subquery)? else {
        return Ok(Transformed::no(expr));
    };
    let mut args: Vec<Expr> = outer
        .iter()
        .map(|(column, outer)| {
            if schema.has_column(column) {
                Expr::Column(column.clone())
            } else {
                outer.clone()
            }
        })
        .collect();
    let mut fields = outer
        .iter()
        .map(|(_, outer)| outer.to_field(schema).map(|(_, field)| field))
        .collect::<Result<Vec<_>>>()?;
    let columns = outer.into_iter().map(|(column, _)| column).collect();
    if let Some(needle) = needle {
        let (_, field) = needle.to_field(schema)?;
        fields.push(field);
        args.push(needle.as_ref().clone());
    }
    let spread = Spread::new(columns, fields)?;
    let call = calls.call(&spread, &subquery.subquery, asked, args)?;
    let call = if negated {
        Expr::Not(Box::new(call))
    } else {
        call
    };
    Ok(Transformed::yes(call))
}

/// The columns of queries around that a subquery names, if it has no tables; none if it names none, or has some.
fn of_arrays(subquery: &Subquery) -> Result<Option<Vec<(Column, Expr)>>> {
    let mut outer: Vec<(Column, Expr)> = Vec::new();
    let (mut tables, mut unnested) = (false, false);
    subquery.subquery.apply_with_subqueries(|node| {
        tables |= matches!(node, LogicalPlan::TableScan(_));
        let array = matches!(node, LogicalPlan::Projection(projection)
            if matches!(projection.input.as_ref(), LogicalPlan::EmptyRelation(_)));
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::OuterReferenceColumn(_, column) = expr {
                    unnested |= array;
                    if !outer.iter().any(|(known, _)| known == column) {
                        outer.push((column.clone(), expr.clone()));
                    }
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    if tables && unnested {
        return Err(DataFusionError::NotImplemented(
            "The sandbox does not cover a subquery over UNNEST of another query's column together with tables"
                .to_owned(),
        ));
    }
    Ok((!tables && !outer.is_empty()).then_some(outer))
}

/// Whether a value is another, as `BigQuery` compares them.
fn same(left: Expr, right: Expr) -> Expr {
    binary_expr(left, Operator::Eq, right)
}
