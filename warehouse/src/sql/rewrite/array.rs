//! `ARRAY(SELECT …)`.

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, OrderByExpr, OrderByKind, Query, SelectItem, SetExpr, Value,
};

use super::Rewrite;
use super::call::aggregate;
use super::make::{call as made, column, counted};
use crate::sql::error::SqlError;

impl Rewrite<'_> {
    /// An aggregate in place of the column.
    pub(super) fn gathered(&mut self, mut query: Query) -> Result<Expr, SqlError> {
        if simple(&query) {
            let order_by = order(query.order_by.take().map(|order_by| order_by.kind))?;
            if let SetExpr::Select(select) = query.body.as_mut() {
                let (expr, alias) = single(&mut select.projection)?;
                let order_by = order_by
                    .into_iter()
                    .map(|by| by_value(by, alias, expr))
                    .collect();
                *expr = all(expr.clone(), order_by);
            }
        } else {
            query = ranked(query)?;
        }
        let rows = self.numbered(Box::new(query));
        Ok(made("null_is_empty$", vec![rows]))
    }
}

fn all(value: Expr, order_by: Vec<OrderByExpr>) -> Expr {
    made("null_is_empty$", vec![aggregate(value, order_by, false)])
}

/// Whether an aggregate may stand in place of the column itself.
fn simple(query: &Query) -> bool {
    query.limit_clause.is_none()
        && match query.body.as_ref() {
            SetExpr::Select(select) => {
                select.distinct.is_none()
                    && select.having.is_none()
                    && select.qualify.is_none()
                    && matches!(&select.group_by, GroupByExpr::Expressions(list, _) if list.is_empty())
                    && !select
                        .projection
                        .iter()
                        .any(|item| item.to_string().contains("OVER"))
            }
            _ => false,
        }
}

fn order(kind: Option<OrderByKind>) -> Result<Vec<OrderByExpr>, SqlError> {
    match kind {
        None => Ok(vec![]),
        Some(OrderByKind::Expressions(list)) => Ok(list),
        Some(_) => Err(SqlError::unsupported("ORDER BY ALL")),
    }
}

fn single(items: &mut [SelectItem]) -> Result<(&mut Expr, &Ident), SqlError> {
    match items {
        [SelectItem::ExprWithAlias { expr, alias }] => Ok((expr, alias)),
        _ => Err(SqlError::invalid(
            "ARRAY subquery cannot have more than one column unless using SELECT AS STRUCT to build STRUCT values",
        )),
    }
}

fn by_value(mut by: OrderByExpr, alias: &Ident, value: &Expr) -> OrderByExpr {
    if of_value(&by.expr, alias) {
        by.expr = value.clone();
    }
    by
}

/// Whether the column is meant, by its name or its place.
fn of_value(by: &Expr, alias: &Ident) -> bool {
    match by {
        Expr::Identifier(ident) => ident.value.eq_ignore_ascii_case(&alias.value),
        Expr::Value(value) => matches!(&value.value, Value::Number(number, _) if number == "1"),
        _ => false,
    }
}

/// The rows as they are, and an aggregate around them that puts them in the same order once more.
fn ranked(mut query: Query) -> Result<Query, SqlError> {
    let order_by = order(
        query
            .order_by
            .as_ref()
            .map(|order_by| order_by.kind.clone()),
    )?;
    let select = match query.body.as_mut() {
        SetExpr::Select(select) => select,
        _ if order_by.is_empty() => {
            return Err(SqlError::unsupported("ARRAY of a set operation"));
        }
        _ => {
            return Err(SqlError::unsupported(
                "ARRAY of a set operation with ORDER BY",
            ));
        }
    };
    let (value, alias) = single(&mut select.projection)?;
    let (value, alias) = (value.clone(), alias.clone());
    let distinct = select.distinct.is_some();
    let mut outer = Vec::new();
    for (at, by) in order_by.into_iter().enumerate() {
        let of_value = by.expr == value || of_value(&by.expr, &alias);
        let mut again = by.clone();
        if of_value {
            again.expr = column(&alias.value);
        } else if distinct {
            return Err(SqlError::invalid(
                "ORDER BY clause expression references a column which is not visible after SELECT DISTINCT",
            ));
        } else {
            let name = format!("by${at}");
            again.expr = column(&name);
            select.projection.push(SelectItem::ExprWithAlias {
                expr: by.expr,
                alias: Ident::with_quote('"', name),
            });
        }
        outer.push(again);
    }
    Ok(counted(query, all(column(&alias.value), outer)))
}
