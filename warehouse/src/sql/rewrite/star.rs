//! `record.*`, and `SELECT AS STRUCT *`.

use datafusion::sql::sqlparser::ast::{
    Array, Expr, Ident, ObjectName, Select, SelectItem, SelectItemQualifiedWildcardKind,
    TableFactor, TableWithJoins, ValueTableMode, WildcardAdditionalOptions,
};

use super::Rewrite;
use super::lateral::known;
use super::make::{call, column, name, text};
use super::select::alias;
use crate::sql::error::SqlError;

impl Rewrite<'_> {
    /// `record.*` is all columns of an UNNEST of this one record.
    pub(super) fn records(&mut self, select: &mut Select) -> Result<(), SqlError> {
        let tables: Vec<String> = factors(select).filter_map(known).collect();
        let mut found = Vec::new();
        for item in &mut select.projection {
            let SelectItem::QualifiedWildcard(kind, _) = item else {
                continue;
            };
            let expr = match &*kind {
                SelectItemQualifiedWildcardKind::Expr(expr) => expr.clone(),
                SelectItemQualifiedWildcardKind::ObjectName(path) => match record(path, &tables) {
                    Some(expr) => expr,
                    None => continue,
                },
            };
            self.stars += 1;
            let star = format!("star${}", self.stars);
            *kind = SelectItemQualifiedWildcardKind::ObjectName(name(&star));
            found.push((star, expr));
        }
        if found.is_empty() {
            return Ok(());
        }
        let grouped = select.group_by != super::make::ungrouped();
        if grouped || select.having.is_some() {
            return Err(SqlError::unsupported(
                "the fields of a record as columns of a SELECT with GROUP BY: put .* around it",
            ));
        }
        apart(select, &tables)?;
        for (star, expr) in found {
            select.from.push(TableWithJoins {
                relation: TableFactor::UNNEST {
                    alias: Some(alias(&star)),
                    array_exprs: vec![Expr::Array(Array {
                        elem: vec![expr],
                        named: false,
                    })],
                    with_offset: false,
                    with_offset_alias: None,
                    with_ordinality: false,
                },
                joins: vec![],
            });
        }
        Ok(())
    }

    /// `SELECT AS STRUCT *` is the row of its one table, or the item of its array.
    pub(super) fn whole(&mut self, select: &mut Select) -> Result<(), SqlError> {
        if !matches!(
            select.value_table_mode,
            Some(ValueTableMode::AsStruct | ValueTableMode::DistinctAsStruct)
        ) {
            return Ok(());
        }
        let [first, rest @ ..] = select.projection.as_slice() else {
            return Ok(());
        };
        let SelectItem::Wildcard(options) = first else {
            return Ok(());
        };
        let mut value = match select.from.as_mut_slice() {
            [table] if table.joins.is_empty() => match &mut table.relation {
                TableFactor::UNNEST {
                    with_offset: true, ..
                } => return refused("of UNNEST WITH OFFSET"),
                TableFactor::UNNEST { alias: named, .. } => {
                    self.stars += 1;
                    let named = named.get_or_insert_with(|| alias(&format!("star${}", self.stars)));
                    column(&named.name.value.to_lowercase())
                }
                TableFactor::Derived { alias: named, .. } => {
                    self.stars += 1;
                    let named = named.get_or_insert_with(|| alias(&format!("star${}", self.stars)));
                    column(&named.name.value.to_lowercase())
                }
                factor => match known(factor) {
                    Some(name) => column(&name),
                    None => return refused("of this table"),
                },
            },
            _ => return refused("of several tables"),
        };
        value = changed(call("record$", vec![value]), options, rest)?;
        select.value_table_mode = match select.value_table_mode {
            Some(ValueTableMode::DistinctAsStruct) => Some(ValueTableMode::DistinctAsValue),
            _ => Some(ValueTableMode::AsValue),
        };
        select.projection = vec![SelectItem::ExprWithAlias {
            expr: value,
            alias: Ident::with_quote('"', "f0_"),
        }];
        Ok(())
    }
}

fn factors(select: &Select) -> impl Iterator<Item = &TableFactor> {
    select.from.iter().flat_map(|table| {
        std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation))
    })
}

/// What is no table is a column, or a field of one.
fn record(path: &ObjectName, tables: &[String]) -> Option<Expr> {
    let idents: Vec<Ident> = path
        .0
        .iter()
        .filter_map(|part| part.as_ident().cloned())
        .collect();
    match idents.as_slice() {
        [one] if tables.contains(&one.value.to_lowercase()) => None,
        [one] => Some(Expr::Identifier(one.clone())),
        _ => Some(Expr::CompoundIdentifier(idents)),
    }
}

/// `*` stands for the tables that were there before.
fn apart(select: &mut Select, tables: &[String]) -> Result<(), SqlError> {
    let all = |table: &String, options: WildcardAdditionalOptions| {
        SelectItem::QualifiedWildcard(
            SelectItemQualifiedWildcardKind::ObjectName(name(table)),
            options,
        )
    };
    let plain = WildcardAdditionalOptions::default();
    let complete = tables.len() == factors(select).count();
    let mut items = Vec::new();
    for item in std::mem::take(&mut select.projection) {
        match item {
            SelectItem::Wildcard(options) => match tables {
                [table] if complete => items.push(all(table, options)),
                _ if complete && options == plain => {
                    items.extend(tables.iter().map(|table| all(table, options.clone())));
                }
                _ => {
                    return Err(SqlError::unsupported(
                        "* of several tables beside the fields of a record",
                    ));
                }
            },
            item => items.push(item),
        }
    }
    select.projection = items;
    Ok(())
}

fn refused<T>(what: &str) -> Result<T, SqlError> {
    Err(SqlError::unsupported(format!("SELECT AS STRUCT * {what}")))
}

/// A record without some fields, with others in their place, and with further ones.
fn changed(
    mut value: Expr,
    options: &WildcardAdditionalOptions,
    rest: &[SelectItem],
) -> Result<Expr, SqlError> {
    if options.opt_ilike.is_some() || options.opt_rename.is_some() {
        return refused("with these options");
    }
    if let Some(except) = &options.opt_except {
        let names = std::iter::once(&except.first_element).chain(&except.additional_elements);
        let names = names.map(|name| text(name.value.to_lowercase()));
        value = call("without$", std::iter::once(value).chain(names).collect());
    }
    let mut given = vec![value];
    for replaced in options.opt_replace.iter().flat_map(|one| &one.items) {
        given.push(text(format!("={}", replaced.column_name.value)));
        given.push(replaced.expr.clone());
    }
    for item in rest {
        let (name, value) = match item {
            SelectItem::ExprWithAlias { expr, alias } => (alias.value.clone(), expr),
            SelectItem::UnnamedExpr(expr) => match super::select::own_name(expr) {
                Some(name) => (name, expr),
                None => return refused("with a column that has no name"),
            },
            _ => return refused("with another wildcard"),
        };
        given.push(text(format!("+{name}")));
        given.push(value.clone());
    }
    Ok(if given.len() == 1 {
        given.remove(0)
    } else {
        call("with$", given)
    })
}
