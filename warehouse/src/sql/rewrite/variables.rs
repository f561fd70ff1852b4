//! Names of variables for their values. A column of the same name comes first.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Ident, Query, Select, SelectItem, SetExpr, TableAlias, TableFactor, Visit,
    VisitMut, Visitor, VisitorMut,
};

use super::accesses;
use crate::sql::scope::Scope;
use crate::sql::variable;

/// Puts variables in where no column can be meant. `columns` are those of the tables that the query names.
pub(crate) fn put_in(query: &mut Query, scope: &Scope, columns: HashSet<String>) {
    if scope.variables.is_empty() {
        return;
    }
    let mut names = Names {
        found: columns,
        depth: 0,
    };
    let _ = Visit::visit(&*query, &mut names);
    let mut taken = names.found;
    // What the outermost SELECT calls its columns is known behind it, and not in it.
    let mut of_result = HashSet::new();
    if let SetExpr::Select(select) = query.body.as_ref() {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                of_result.insert(alias.value.to_lowercase());
            }
        }
    }
    let body = |put: &mut Put<'_>, select: &mut Select| {
        let _ = VisitMut::visit(&mut select.projection, put);
        let _ = VisitMut::visit(&mut select.from, put);
        let _ = VisitMut::visit(&mut select.selection, put);
    };
    if let SetExpr::Select(select) = query.body.as_mut() {
        let mut put = Put {
            scope,
            taken: &taken,
        };
        body(&mut put, select);
    }
    taken.extend(of_result);
    let mut put = Put {
        scope,
        taken: &taken,
    };
    let _ = VisitMut::visit(query, &mut put);
}

/// Names that queries give to columns and tables, but for the columns of the outermost one.
struct Names {
    found: HashSet<String>,
    depth: usize,
}

impl Names {
    fn alias(&mut self, alias: &TableAlias) {
        self.found.insert(alias.name.value.to_lowercase());
        for column in &alias.columns {
            self.found.insert(column.name.value.to_lowercase());
        }
    }
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.depth += 1;
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.alias(&cte.alias);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if self.depth > 1 {
            for item in &select.projection {
                if let SelectItem::ExprWithAlias { alias, expr } = item
                    && !named_after(expr, alias)
                {
                    self.found.insert(alias.value.to_lowercase());
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::UNNEST { alias, .. } = factor
            && let Some(alias) = alias
        {
            self.alias(alias);
        }
        ControlFlow::Continue(())
    }
}

/// A column that is a name alone, under this name: whatever it means, it means the same further out.
fn named_after(expr: &Expr, alias: &Ident) -> bool {
    matches!(expr, Expr::Identifier(name) if name.value.eq_ignore_ascii_case(&alias.value))
}

struct Put<'a> {
    scope: &'a Scope,
    taken: &'a HashSet<String>,
}

impl Put<'_> {
    fn known(&self, ident: &Ident) -> Option<String> {
        let name = ident.value.to_lowercase();
        (self.scope.variables.contains_key(&name) && !self.taken.contains(&name)).then_some(name)
    }
}

impl VisitorMut for Put<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => {
                if let Some(name) = self.known(ident) {
                    *expr = variable::call(&name);
                }
            }
            Expr::CompoundIdentifier(parts) => {
                if let Some(name) = parts.first().and_then(|first| self.known(first)) {
                    let fields = parts
                        .drain(1..)
                        .map(Expr::Identifier)
                        .map(AccessExpr::Dot)
                        .collect();
                    *expr = accesses(variable::call(&name), fields);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
