//! Refuses what `DataFusion` would make one type of, and `BigQuery` would not.

use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use super::functions::type_name;
use super::planner::comparable;

/// Looks at every expression of a plan before it is analysed.
pub(crate) fn check(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Union(union) = node {
            for input in &union.inputs[1..] {
                columns(union.inputs[0].schema(), input.schema())?;
            }
        }
        let mut schema = DFSchema::empty();
        for input in node.inputs() {
            schema.merge(input.schema());
        }
        node.apply_expressions(|expr| {
            expr.apply(|inner| {
                one(inner, &schema)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn columns(first: &DFSchema, next: &DFSchema) -> Result<()> {
    for (index, (left, right)) in first.fields().iter().zip(next.fields()).enumerate() {
        if !comparable(left, right) {
            return Err(DataFusionError::Plan(format!(
                "Column {} in UNION has incompatible types: {}, {}",
                index + 1,
                type_name(left),
                type_name(right)
            )));
        }
    }
    Ok(())
}

fn one(expr: &Expr, schema: &DFSchema) -> Result<()> {
    match expr {
        Expr::Case(case) => {
            let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
            let all: Vec<&Expr> = results.chain(case.else_expr.as_deref()).collect();
            agree("CASE", &all, schema)
        }
        Expr::ScalarFunction(call) if matches!(call.name(), "coalesce" | "nullif") => {
            let all: Vec<&Expr> = call.args.iter().collect();
            agree(&call.name().to_uppercase(), &all, schema)
        }
        Expr::InList(list) => {
            let all: Vec<&Expr> = std::iter::once(list.expr.as_ref())
                .chain(&list.list)
                .collect();
            agree("IN", &all, schema)
        }
        Expr::Between(between) => agree(
            "BETWEEN",
            &[
                between.expr.as_ref(),
                between.low.as_ref(),
                between.high.as_ref(),
            ],
            schema,
        ),
        _ => Ok(()),
    }
}

fn agree(what: &str, all: &[&Expr], schema: &DFSchema) -> Result<()> {
    // Columns of an outer query have no field here; they are compared where both are known.
    let fields: Vec<FieldRef> = all
        .iter()
        .filter_map(|expr| expr.to_field(schema).ok().map(|(_, field)| field))
        .collect();
    for (index, left) in fields.iter().enumerate() {
        if let Some(right) = fields[index + 1..]
            .iter()
            .find(|right| !comparable(left, right))
        {
            // A literal STRING beside a day is read as one by both.
            if what != "CASE" && what != "COALESCE" && dates(left, right) {
                continue;
            }
            return Err(DataFusionError::Plan(format!(
                "No matching signature for {what} for argument types: {}, {}",
                type_name(left),
                type_name(right)
            )));
        }
    }
    Ok(())
}

fn dates(left: &FieldRef, right: &FieldRef) -> bool {
    let temporal = |name: &str| matches!(name, "DATE" | "DATETIME" | "TIMESTAMP" | "TIME");
    let (left, right) = (type_name(left), type_name(right));
    (temporal(&left) && right == "STRING") || (temporal(&right) && left == "STRING")
}
