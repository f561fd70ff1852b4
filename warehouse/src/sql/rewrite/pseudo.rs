//! `_PARTITIONTIME` and `_PARTITIONDATE`: columns that can be named and that `*` does not stand for.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ExceptSelectItem, Ident, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, TableFactor, TableWithJoins, VisitMut, VisitorMut,
    WildcardAdditionalOptions,
};

use crate::tables::{PARTITION_DATE, PARTITION_TIME};

/// Takes such columns of these tables, which are named as they are planned, out of every `*`.
pub(crate) fn hide(query: &mut Query, tables: &HashSet<String>) {
    if !tables.is_empty() {
        let _ = query.visit(&mut Hide { tables });
    }
}

struct Hide<'a> {
    tables: &'a HashSet<String>,
}

impl VisitorMut for Hide<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let mut found = HashSet::new();
        for from in &select.from {
            self.joined(from, &mut found);
        }
        if found.is_empty() {
            return ControlFlow::Continue(());
        }
        for item in &mut select.projection {
            match item {
                SelectItem::Wildcard(options) => except(options),
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    options,
                ) if found.contains(&plain(name)) => except(options),
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }
}

impl Hide<'_> {
    /// The names by which a FROM has such tables.
    fn joined(&self, from: &TableWithJoins, found: &mut HashSet<String>) {
        let joins = from.joins.iter().map(|join| &join.relation);
        for factor in std::iter::once(&from.relation).chain(joins) {
            match factor {
                TableFactor::Table { name, alias, .. } if self.tables.contains(&plain(name)) => {
                    let name = match alias {
                        Some(alias) => alias.name.value.to_lowercase(),
                        None => plain(name),
                    };
                    found.insert(name);
                }
                TableFactor::NestedJoin {
                    table_with_joins, ..
                } => self.joined(table_with_joins, found),
                _ => {}
            }
        }
    }
}

fn plain(name: &ObjectName) -> String {
    let last = name.0.last().and_then(|part| part.as_ident());
    last.map(|ident| ident.value.to_lowercase())
        .unwrap_or_default()
}

fn except(options: &mut WildcardAdditionalOptions) {
    let column = |name: &str| Ident::with_quote('"', name.to_lowercase());
    let (time, date) = (column(PARTITION_TIME), column(PARTITION_DATE));
    match &mut options.opt_except {
        Some(except) => except.additional_elements.extend([time, date]),
        None => {
            options.opt_except = Some(ExceptSelectItem {
                first_element: time,
                additional_elements: vec![date],
            });
        }
    }
}
