//! Names in a clause of MERGE that is about rows of one side alone: they are those of that side.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, MergeAction, MergeInsertKind, Query, VisitMut, VisitorMut,
};

use crate::sql::error::SqlError;

/// One side of a MERGE, as such a clause sees it.
pub(super) struct Side<'a> {
    /// How it is called.
    pub(super) alias: &'a str,
    /// Its columns, in small letters.
    pub(super) columns: HashSet<String>,
    /// How the other one is called.
    pub(super) other: &'a str,
}

impl Side<'_> {
    /// Takes names in what a clause does as those of this side.
    pub(super) fn action(&self, action: &mut MergeAction) -> Result<(), SqlError> {
        match action {
            MergeAction::Insert(insert) => {
                if let MergeInsertKind::Values(values) = &mut insert.kind {
                    for row in &mut values.rows {
                        for value in &mut row.content {
                            self.expr(value)?;
                        }
                    }
                }
                Ok(())
            }
            MergeAction::Update(update) => {
                for assignment in &mut update.assignments {
                    self.expr(&mut assignment.value)?;
                }
                Ok(())
            }
            MergeAction::Delete { .. } => Ok(()),
        }
    }

    /// Takes names in an expression as those of this side.
    pub(super) fn expr(&self, expr: &mut Expr) -> Result<(), SqlError> {
        let mut put = Put {
            side: self,
            depth: 0,
        };
        match expr.visit(&mut put) {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(()),
        }
    }
}

struct Put<'a> {
    side: &'a Side<'a>,
    depth: usize,
}

impl VisitorMut for Put<'_> {
    type Break = SqlError;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<SqlError> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<SqlError> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        // A query within has names of its own.
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        let known = |ident: &Ident| self.side.columns.contains(&ident.value.to_lowercase());
        let ours = || Ident::with_quote('"', self.side.alias);
        match expr {
            Expr::Identifier(ident) if known(ident) => {
                *expr = Expr::CompoundIdentifier(vec![ours(), ident.clone()]);
            }
            Expr::CompoundIdentifier(parts) => {
                let Some(first) = parts.first() else {
                    return ControlFlow::Continue(());
                };
                let is = |alias: &str| first.value.eq_ignore_ascii_case(alias);
                if is(self.side.alias) {
                    return ControlFlow::Continue(());
                }
                if is(self.side.other) && !known(first) {
                    return ControlFlow::Break(SqlError::invalid(format!(
                        "Unrecognized name: {}; this clause is about rows of {} alone",
                        first.value, self.side.alias
                    )));
                }
                if known(first) {
                    parts.insert(0, ours());
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
