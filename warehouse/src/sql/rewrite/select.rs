//! SELECT lists, UNNEST and STRUCT.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Distinct, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr, StructField, TableAlias,
    TableAliasColumnDef, TableFactor, ValueTableMode, visit_expressions_mut,
};

use super::make::{call, text};
use crate::sql::error::SqlError;

/// An alias of a table.
pub(super) fn alias(name: &str) -> TableAlias {
    TableAlias {
        explicit: true,
        name: Ident::with_quote('"', name),
        columns: vec![],
        at: None,
    }
}

/// The name that an expression has without an alias.
pub(super) fn own_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) if !ident.value.starts_with('@') => Some(ident.value.clone()),
        Expr::CompoundIdentifier(idents) => idents.last().map(|ident| ident.value.clone()),
        Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.last() {
            Some(datafusion::sql::sqlparser::ast::AccessExpr::Dot(expr)) => own_name(expr),
            _ => None,
        },
        Expr::Nested(inner) => own_name(inner),
        _ => None,
    }
}

/// Gives columns without a name the names that they have in a result.
pub(super) fn named(select: &mut Select) -> Result<(), SqlError> {
    if !select.lateral_views.is_empty() || select.top.is_some() {
        return Err(SqlError::unsupported("this SELECT"));
    }
    let mut anonymous = 0;
    for item in &mut select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let alias = match own_name(expr) {
                    Some(name) => name.to_lowercase(),
                    None => {
                        anonymous += 1;
                        format!("f{}_", anonymous - 1)
                    }
                };
                *item = SelectItem::ExprWithAlias {
                    expr: expr.clone(),
                    alias: Ident::with_quote('"', alias),
                };
            }
            SelectItem::ExprWithAlias { alias, .. } => {
                *alias = Ident::with_quote('"', alias.value.to_lowercase());
            }
            _ => {}
        }
    }
    Ok(())
}

/// EXISTS among the columns of a SELECT without FROM, as a count: it is only executed as a condition of rows.
pub(super) fn exists(select: &mut Select) {
    if !select.from.is_empty() {
        return;
    }
    let _ = visit_expressions_mut(&mut select.projection, |expr| {
        if let Expr::Exists { subquery, negated } = expr {
            let op = if *negated {
                BinaryOperator::Eq
            } else {
                BinaryOperator::Gt
            };
            let counted = Expr::BinaryOp {
                left: Box::new(call("count", vec![super::make::number(1)])),
                op,
                right: Box::new(super::make::number(0)),
            };
            let query = super::make::counted(subquery.as_ref().clone(), counted);
            *expr = Expr::Subquery(Box::new(query));
        }
        ControlFlow::<()>::Continue(())
    });
}

/// SELECT AS STRUCT is a SELECT of one STRUCT.
pub(super) fn value_table(select: &mut Select) -> Result<(), SqlError> {
    match select.value_table_mode.take() {
        None => Ok(()),
        Some(ValueTableMode::AsValue) => Ok(()),
        Some(ValueTableMode::AsStruct) => packed(select),
        Some(ValueTableMode::DistinctAsStruct) => {
            select.distinct = Some(Distinct::Distinct);
            packed(select)
        }
        Some(ValueTableMode::DistinctAsValue) => {
            select.distinct = Some(Distinct::Distinct);
            Ok(())
        }
    }
}

fn packed(select: &mut Select) -> Result<(), SqlError> {
    let mut args = Vec::new();
    for item in std::mem::take(&mut select.projection) {
        match item {
            SelectItem::ExprWithAlias { expr, alias } => {
                args.push(text(alias.value));
                args.push(expr);
            }
            other => return Err(SqlError::unsupported(format!("SELECT AS STRUCT {other}"))),
        }
    }
    select.projection = vec![SelectItem::ExprWithAlias {
        expr: call("named_struct", args),
        alias: Ident::with_quote('"', "f0_"),
    }];
    Ok(())
}

/// The columns of a SELECT AS STRUCT are fields now: an ORDER BY that names them means what they are.
pub(super) fn ordered(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return;
    };
    let [SelectItem::ExprWithAlias { expr, .. }] = select.projection.as_slice() else {
        return;
    };
    let Expr::Function(function) = expr else {
        return;
    };
    let FunctionArguments::List(list) = &function.args else {
        return;
    };
    if function.name != super::make::name("named_struct") {
        return;
    }
    let Some(OrderBy {
        kind: OrderByKind::Expressions(order_by),
        ..
    }) = &mut query.order_by
    else {
        return;
    };
    for by in order_by {
        let Expr::Identifier(name) = &by.expr else {
            continue;
        };
        let field = list.args.chunks(2).find_map(|pair| match pair {
            [
                FunctionArg::Unnamed(FunctionArgExpr::Expr(field)),
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)),
            ] => {
                let named = *field == text(name.value.to_lowercase());
                named.then(|| value.clone())
            }
            _ => None,
        });
        if let Some(field) = field {
            by.expr = field;
        }
    }
}

/// `STRUCT(…)` with the names of its fields.
pub(super) fn structure(values: Vec<Expr>, fields: &[StructField]) -> Result<Expr, SqlError> {
    let mut args = Vec::new();
    for (index, value) in values.into_iter().enumerate() {
        let (name, value) = match value {
            Expr::Named { expr, name } => (Some(name.value), *expr),
            other => (own_name(&other), other),
        };
        let (name, value) = match fields.get(index) {
            Some(field) => (
                field.field_name.as_ref().map(|name| name.value.clone()),
                call("cast_to", vec![value, text(field.field_type.to_string())]),
            ),
            None => (name, value),
        };
        args.push(text(
            name.unwrap_or_else(|| format!("_field_{}", index + 1)),
        ));
        args.push(value);
    }
    if args.is_empty() {
        return Err(SqlError::unsupported("a STRUCT without fields"));
    }
    Ok(call("named_struct", args))
}

/// `(a, b)` is a STRUCT whose fields have no names.
pub(super) fn tuple(values: Vec<Expr>) -> Expr {
    let args = values
        .into_iter()
        .enumerate()
        .flat_map(|(at, value)| [text(format!("_field_{}", at + 1)), value])
        .collect();
    call("named_struct", args)
}

/// The item, a mark that tells this array from others, and the place of the item where it is asked for: the names of its
/// columns, as [`crate::sql::items`] reads them.
pub(super) fn unnest(factor: &mut TableFactor, number: usize) -> Result<(), SqlError> {
    let TableFactor::UNNEST {
        alias,
        array_exprs,
        with_offset,
        with_offset_alias,
        ..
    } = factor
    else {
        return Ok(());
    };
    if array_exprs.len() != 1 {
        return Err(SqlError::unsupported("UNNEST of several arrays"));
    }
    let mark = format!("unnest${number}");
    let name = alias
        .as_ref()
        .map_or_else(|| mark.clone(), |alias| alias.name.value.to_lowercase());
    let column = |name: &str| TableAliasColumnDef {
        name: Ident::with_quote('"', name),
        data_type: None,
    };
    let mut made = self::alias(&name);
    let item = if alias.is_some() { &name } else { "unnest$" };
    made.columns = vec![column(item), column(&mark)];
    if std::mem::take(with_offset) {
        let offset = with_offset_alias
            .take()
            .map_or_else(|| "offset".to_owned(), |alias| alias.value.to_lowercase());
        made.columns.push(column(&offset));
    }
    *alias = Some(made);
    Ok(())
}

/// Whether the rows of a query are, at least in part, those of an array.
pub(super) fn of_array(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return false;
    };
    select.from.iter().any(|table| {
        std::iter::once(&table.relation)
            .chain(table.joins.iter().map(|join| &join.relation))
            .any(|factor| match factor {
                TableFactor::UNNEST { .. } => true,
                TableFactor::Derived { subquery, .. } => of_array(subquery),
                _ => false,
            })
    })
}
