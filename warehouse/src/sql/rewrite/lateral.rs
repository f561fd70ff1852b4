//! `FROM t, t.items` is an `UNNEST`, too, also in a query within that of `t`.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, Select, TableFactor, Value,
};

use super::select::alias as aliased;

/// Makes each an `UNNEST`. `outer` are the names of the tables of the queries around; those of this one are given back with
/// them.
pub(super) fn paths(select: &mut Select, outer: &HashSet<String>) -> HashSet<String> {
    let mut names = outer.clone();
    for table in &mut select.from {
        factor(&mut table.relation, &mut names);
        for join in &mut table.joins {
            factor(&mut join.relation, &mut names);
            // It may be joined so alone.
            if let JoinOperator::Left(on) | JoinOperator::LeftOuter(on) = &mut join.join_operator
                && matches!(on, JoinConstraint::None)
                && matches!(join.relation, TableFactor::UNNEST { .. })
            {
                *on = JoinConstraint::On(Expr::Value(Value::Boolean(true).into()));
            }
        }
    }
    names
}

fn factor(factor: &mut TableFactor, names: &mut HashSet<String>) {
    path(factor, names);
    if let Some(name) = known(factor) {
        names.insert(name);
    }
}

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
            let idents = idents
                .iter()
                .map(|ident| Ident::with_quote('"', ident.value.to_lowercase()))
                .collect();
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

/// The name by which what follows knows a table, in small letters.
pub(super) fn known(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table { alias, name, .. } => {
            let last = name.0.last().and_then(|part| part.as_ident());
            let own = alias.as_ref().map(|alias| &alias.name).or(last)?;
            let own = own.value.to_lowercase();
            own.rsplit('.').next().map(str::to_owned)
        }
        TableFactor::Derived {
            alias: Some(alias), ..
        }
        | TableFactor::UNNEST {
            alias: Some(alias), ..
        }
        | TableFactor::Pivot {
            alias: Some(alias), ..
        }
        | TableFactor::Unpivot {
            alias: Some(alias), ..
        } => Some(alias.name.value.to_lowercase()),
        _ => None,
    }
}
