//! Items that are STRUCTs: `*` stands for their fields, and the name of the `UNNEST` for the STRUCT.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ExceptSelectItem, Expr, Ident, JoinOperator, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableAliasColumnDef, TableFactor, TableWithJoins,
    Visit, VisitMut, Visitor, VisitorMut, WildcardAdditionalOptions,
};

use super::lateral::known;

/// The column with a table's whole row.
pub(crate) const ROW: &str = "whole$";

/// Gives the items of these arrays, which are named by their marks, a column that `*` does not stand for, and the tables of
/// these names one with their whole row.
pub(crate) fn hide(query: &mut Query, structs: &HashSet<String>, rows: &HashSet<String>) {
    if !structs.is_empty() || !rows.is_empty() {
        let _ = query.visit(&mut Hide { structs, rows });
    }
}

/// What tables are called in a query, at any depth of it.
pub(crate) fn tables(query: &Query) -> HashSet<String> {
    let mut found = Tables(HashSet::new());
    let _ = Visit::visit(query, &mut found);
    found.0
}

struct Tables(HashSet<String>);

impl Visitor for Tables {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if matches!(
            factor,
            TableFactor::Table { .. } | TableFactor::Derived { .. }
        ) {
            self.0.extend(known(factor));
        }
        ControlFlow::Continue(())
    }
}

/// A table that is to have its whole row: what it is called, and the table without.
pub(crate) fn row(factor: &TableFactor) -> Option<(String, TableFactor)> {
    let (TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. }) = factor else {
        return None;
    };
    let [.., last] = alias.as_ref()?.columns.as_slice() else {
        return None;
    };
    if last.name.value != ROW {
        return None;
    }
    let name = known(factor)?;
    let mut bare = factor.clone();
    if let TableFactor::Table {
        alias: Some(alias), ..
    }
    | TableFactor::Derived {
        alias: Some(alias), ..
    } = &mut bare
    {
        alias.columns.pop();
    }
    Some((name, bare))
}

struct Hide<'a> {
    structs: &'a HashSet<String>,
    rows: &'a HashSet<String>,
}

impl VisitorMut for Hide<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let names = self.body(&mut query.body);
        if !names.is_empty() {
            Bare::new(&names).visit(&mut query.order_by);
        }
        ControlFlow::Continue(())
    }
}

impl Hide<'_> {
    /// The names that an ORDER BY behind it knows.
    fn body(&self, body: &mut SetExpr) -> HashMap<String, String> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left);
                self.body(right);
                HashMap::new()
            }
            _ => HashMap::new(),
        }
    }

    fn select(&self, select: &mut Select) -> HashMap<String, String> {
        let mut names = HashMap::new();
        for table in &mut select.from {
            self.joined(table, &mut names);
        }
        if names.is_empty() {
            return names;
        }
        for item in &mut select.projection {
            match item {
                SelectItem::Wildcard(options) => {
                    let columns: BTreeSet<&String> = names.values().collect();
                    for column in columns {
                        except(options, column);
                    }
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    options,
                ) => {
                    let last = name.0.last().and_then(|part| part.as_ident());
                    let found = last.and_then(|last| names.get(&last.value.to_lowercase()));
                    if let Some(column) = found {
                        except(options, column);
                    }
                }
                _ => {}
            }
        }
        let mut bare = Bare::new(&names);
        bare.visit(&mut select.projection);
        bare.visit(&mut select.selection);
        // What the SELECT calls so is meant behind it.
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                names.remove(&alias.value.to_lowercase());
            }
        }
        let mut bare = Bare::new(&names);
        bare.visit(&mut select.group_by);
        bare.visit(&mut select.having);
        bare.visit(&mut select.qualify);
        bare.visit(&mut select.named_window);
        names
    }

    /// The tables in their order: each knows those before it.
    fn joined(&self, table: &mut TableWithJoins, names: &mut HashMap<String, String>) {
        self.factor(&mut table.relation, names);
        for join in &mut table.joins {
            self.factor(&mut join.relation, names);
            if let JoinOperator::Join(on)
            | JoinOperator::Inner(on)
            | JoinOperator::Left(on)
            | JoinOperator::LeftOuter(on) = &mut join.join_operator
            {
                Bare::new(names).visit(on);
            }
        }
    }

    fn factor(&self, factor: &mut TableFactor, names: &mut HashMap<String, String>) {
        match factor {
            TableFactor::UNNEST {
                alias: Some(alias),
                array_exprs,
                ..
            } => {
                Bare::new(names).visit(array_exprs);
                if let [item, mark, ..] = alias.columns.as_mut_slice()
                    && self.structs.contains(&mark.name.value)
                {
                    let column = format!("item${}", mark.name.value);
                    item.name = Ident::with_quote('"', column.clone());
                    names.insert(alias.name.value.to_lowercase(), column);
                }
            }
            TableFactor::Table { .. } | TableFactor::Derived { .. } => {
                let Some(name) = known(factor).filter(|name| self.rows.contains(name)) else {
                    return;
                };
                let row = TableAliasColumnDef {
                    name: Ident::with_quote('"', ROW),
                    data_type: None,
                };
                if let TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } =
                    factor
                {
                    alias
                        .get_or_insert_with(|| super::select::alias(&name))
                        .columns
                        .push(row);
                    names.insert(name, ROW.to_owned());
                }
            }
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => self.joined(table_with_joins, names),
            _ => {}
        }
    }
}

fn except(options: &mut WildcardAdditionalOptions, column: &str) {
    let column = Ident::with_quote('"', column);
    match &mut options.opt_except {
        Some(except) => except.additional_elements.push(column),
        None => {
            options.opt_except = Some(ExceptSelectItem {
                first_element: column,
                additional_elements: vec![],
            });
        }
    }
}

/// Puts the hidden columns in where items are named alone.
struct Bare<'a> {
    names: &'a HashMap<String, String>,
    /// What the queries within call their own tables.
    within: Vec<HashSet<String>>,
}

impl<'a> Bare<'a> {
    fn new(names: &'a HashMap<String, String>) -> Self {
        Self {
            names,
            within: Vec::new(),
        }
    }

    fn visit(&mut self, tree: &mut impl VisitMut) {
        let _ = tree.visit(self);
    }
}

impl VisitorMut for Bare<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let mut own = HashSet::new();
        if let SetExpr::Select(select) = query.body.as_ref() {
            for table in &select.from {
                own.extend(known(&table.relation));
                own.extend(table.joins.iter().filter_map(|join| known(&join.relation)));
            }
        }
        self.within.push(own);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.within.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(ident) = &*expr {
            let name = ident.value.to_lowercase();
            let theirs = self.within.iter().any(|own| own.contains(&name));
            if let (Some(column), false) = (self.names.get(&name), theirs) {
                *expr = Expr::CompoundIdentifier(vec![
                    Ident::with_quote('"', name),
                    Ident::with_quote('"', column.clone()),
                ]);
            }
        }
        ControlFlow::Continue(())
    }
}
