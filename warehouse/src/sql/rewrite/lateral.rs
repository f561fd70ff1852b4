//! `UNNEST` of a column of a table that stands before it in the same FROM.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, Query, Select, SelectItem, SetExpr, Statement,
    TableFactor, visit_expressions,
};

use super::make::call;
use super::select::alias as aliased;
use crate::sql::error::SqlError;
use crate::sql::parse;

/// Makes each a lateral subquery.
pub(super) fn laterals(select: &mut Select) -> Result<(), SqlError> {
    let mut names = HashSet::new();
    for table in &mut select.from {
        factor(&mut table.relation, &mut names, true)?;
        for join in &mut table.joins {
            let inner = matches!(
                join.join_operator,
                JoinOperator::CrossJoin(_)
                    | JoinOperator::Join(JoinConstraint::On(_) | JoinConstraint::None)
                    | JoinOperator::Inner(JoinConstraint::On(_) | JoinConstraint::None)
            );
            factor(&mut join.relation, &mut names, inner)?;
        }
    }
    Ok(())
}

fn factor(
    factor: &mut TableFactor,
    names: &mut HashSet<String>,
    inner: bool,
) -> Result<(), SqlError> {
    path(factor, names);
    subquery(factor, names, inner)?;
    known(factor, names);
    Ok(())
}

/// `FROM t, t.items` is an UNNEST, too.
fn path(factor: &mut TableFactor, names: &HashSet<String>) {
    if let TableFactor::Table {
        name,
        alias,
        args: None,
        ..
    } = &*factor
    {
        let idents: Vec<Ident> = name
            .0
            .iter()
            .filter_map(|part| part.as_ident().cloned())
            .collect();
        if let [first, .., last] = idents.as_slice()
            && names.contains(&first.value.to_lowercase())
        {
            let alias = alias
                .clone()
                .unwrap_or_else(|| aliased(&last.value.to_lowercase()));
            *factor = TableFactor::UNNEST {
                alias: Some(alias),
                array_exprs: vec![Expr::CompoundIdentifier(idents)],
                with_offset: false,
                with_offset_alias: None,
                with_ordinality: false,
            };
        }
    }
}

/// An UNNEST of columns becomes a subquery.
fn subquery(
    factor: &mut TableFactor,
    names: &HashSet<String>,
    inner: bool,
) -> Result<(), SqlError> {
    if let TableFactor::UNNEST {
        alias,
        array_exprs,
        with_offset,
        with_offset_alias,
        ..
    } = &*factor
        && let [array] = array_exprs.as_slice()
        && !names.is_empty()
        && columns(array)
    {
        if !inner {
            return Err(SqlError::unsupported(
                "LEFT JOIN of UNNEST of another table's column",
            ));
        }
        let name = alias.as_ref().map_or_else(
            || "unnest$".to_owned(),
            |alias| alias.name.value.to_lowercase(),
        );
        let mut items = vec![item(call("unnest", vec![array.clone()]), &name)];
        if *with_offset {
            let offset = with_offset_alias
                .as_ref()
                .map_or_else(|| "offset".to_owned(), |alias| alias.value.to_lowercase());
            let positions = call("positions$", vec![array.clone()]);
            items.push(item(call("unnest", vec![positions]), &offset));
        }
        *factor = TableFactor::Derived {
            lateral: true,
            subquery: Box::new(bare(items)?),
            alias: Some(aliased(&name)),
            sample: None,
        };
    }
    Ok(())
}

/// The name by which what follows knows it.
fn known(factor: &TableFactor, names: &mut HashSet<String>) {
    if let TableFactor::Table { alias, name, .. } = factor {
        let last = name.0.last().and_then(|part| part.as_ident());
        let own = alias.as_ref().map(|alias| &alias.name).or(last);
        if let Some(own) = own {
            let own = own.value.to_lowercase();
            names.insert(own.rsplit('.').next().unwrap_or_default().to_owned());
        }
    }
    if let TableFactor::Derived {
        alias: Some(alias), ..
    }
    | TableFactor::UNNEST {
        alias: Some(alias), ..
    } = factor
    {
        names.insert(alias.name.value.to_lowercase());
    }
}

/// Whether an expression names columns.
fn columns(expr: &Expr) -> bool {
    visit_expressions(expr, |expr| {
        let first = match expr {
            Expr::Identifier(ident) => Some(ident),
            Expr::CompoundIdentifier(idents) => idents.first(),
            _ => None,
        };
        match first {
            Some(ident) if !ident.value.starts_with('@') => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    })
    .is_break()
}

fn item(expr: Expr, alias: &str) -> SelectItem {
    SelectItem::ExprWithAlias {
        expr,
        alias: Ident::with_quote('"', alias),
    }
}

fn bare(items: Vec<SelectItem>) -> Result<Query, SqlError> {
    let (mut statements, _) = parse::statements("SELECT 1")?;
    match statements.pop() {
        Some(Statement::Query(mut query)) => {
            if let SetExpr::Select(select) = query.body.as_mut() {
                select.projection = items;
            }
            Ok(*query)
        }
        _ => Err(SqlError::invalid("Syntax error: a query is expected")),
    }
}
