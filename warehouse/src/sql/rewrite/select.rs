//! SELECT lists, UNNEST and STRUCT.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Distinct, Expr, Ident, Select, SelectItem, StructField, TableAlias,
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
fn own_name(expr: &Expr) -> Option<String> {
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

/// The element and its offset are columns with the names that the query gives them.
pub(super) fn unnest(factor: &mut TableFactor) -> Result<(), SqlError> {
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
    let [array] = array_exprs.as_slice() else {
        return Err(SqlError::unsupported("UNNEST of several arrays"));
    };
    let name = alias.as_ref().map_or_else(
        || "unnest$".to_owned(),
        |alias| alias.name.value.to_lowercase(),
    );
    let column = |name: &str| TableAliasColumnDef {
        name: Ident::with_quote('"', name),
        data_type: None,
    };
    let mut made = super::select::alias(&name);
    made.columns = vec![column(&name)];
    if *with_offset {
        let offset = with_offset_alias
            .as_ref()
            .map_or_else(|| "offset".to_owned(), |alias| alias.value.to_lowercase());
        let positions = call("positions$", vec![array.clone()]);
        array_exprs.push(positions);
        made.columns.push(column(&offset));
        *with_offset = false;
        *with_offset_alias = None;
    }
    *alias = Some(made);
    Ok(())
}
