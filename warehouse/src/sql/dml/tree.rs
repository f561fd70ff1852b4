//! Pieces of the queries that statements are made.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, ObjectName, Query, Select, SelectItem, SetExpr, Statement,
    TableAlias, TableFactor, TableWithJoins, Value,
};

use crate::sql::error::SqlError;
use crate::sql::parse;

/// A SELECT of nothing from nowhere.
fn bare() -> Result<Query, SqlError> {
    let (mut statements, _) = parse::statements("SELECT 1")?;
    match statements.pop() {
        Some(Statement::Query(query)) => Ok(*query),
        _ => Err(SqlError::invalid("Syntax error: a query is expected")),
    }
}

/// `SELECT items FROM from WHERE condition`.
pub(super) fn select(
    items: Vec<SelectItem>,
    from: Vec<TableWithJoins>,
    condition: Option<Expr>,
) -> Result<Query, SqlError> {
    let mut query = bare()?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        let select: &mut Select = select;
        select.projection = items;
        select.from = from;
        select.selection = condition;
    }
    Ok(query)
}

/// The expression of a text: a column's default.
pub(super) fn expression(text: &str) -> Result<Expr, SqlError> {
    let (mut statements, _) = parse::statements(&format!("SELECT {text}"))?;
    if let Some(Statement::Query(query)) = statements.pop()
        && let SetExpr::Select(select) = *query.body
        && let [SelectItem::UnnamedExpr(expr)] = select.projection.as_slice()
    {
        return Ok(expr.clone());
    }
    Err(SqlError::invalid(format!("{text} is no default")))
}

/// `expr AS alias`.
pub(super) fn item(expr: Expr, alias: &str) -> SelectItem {
    SelectItem::ExprWithAlias {
        expr,
        alias: Ident::with_quote('"', alias),
    }
}

/// A table without joins.
pub(super) fn alone(relation: TableFactor) -> TableWithJoins {
    TableWithJoins {
        relation,
        joins: vec![],
    }
}

/// `(query) AS alias`.
pub(super) fn derived(query: Query, alias: &str) -> TableFactor {
    TableFactor::Derived {
        lateral: false,
        subquery: Box::new(query),
        alias: Some(self::alias(alias)),
        sample: None,
    }
}

/// A column, or a field of one, of a table.
pub(super) fn column(table: &str, path: &[&str]) -> Expr {
    let idents = std::iter::once(&table).chain(path);
    Expr::CompoundIdentifier(
        idents
            .map(|name| Ident::with_quote('"', name.to_lowercase()))
            .collect(),
    )
}

/// `a op b`.
pub(super) fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(left),
        op,
        right: Box::new(right),
    }
}

/// `a AND b`, of those that are there; each in parentheses.
pub(super) fn and(all: impl IntoIterator<Item = Expr>) -> Option<Expr> {
    all.into_iter()
        .map(|one| Expr::Nested(Box::new(one)))
        .reduce(|left, right| binary(left, BinaryOperator::And, right))
}

/// NULL.
pub(super) fn null() -> Expr {
    Expr::Value(Value::Null.into())
}

/// The parts of a name.
pub(super) fn parts(name: &ObjectName) -> Result<Vec<String>, SqlError> {
    name.0
        .iter()
        .map(|part| match part.as_ident() {
            Some(ident) => Ok(ident.value.clone()),
            None => Err(SqlError::unsupported(format!("the name {name}"))),
        })
        .collect()
}

/// An expression without the parentheses around it.
pub(super) fn bared(mut expr: Expr) -> Expr {
    while let Expr::Nested(inner) = expr {
        expr = *inner;
    }
    expr
}

/// An alias of a table.
pub(super) fn alias(name: &str) -> TableAlias {
    TableAlias {
        explicit: true,
        name: Ident::with_quote('"', name),
        columns: vec![],
        at: None,
    }
}

/// A table by its name.
pub(super) fn named(name: ObjectName) -> TableFactor {
    TableFactor::Table {
        name,
        alias: None,
        args: None,
        with_hints: vec![],
        version: None,
        with_ordinality: false,
        partitions: vec![],
        json_path: None,
        sample: None,
        index_hints: vec![],
    }
}
