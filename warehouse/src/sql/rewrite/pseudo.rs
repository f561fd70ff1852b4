//! `_PARTITIONTIME`, `_PARTITIONDATE` and `_TABLE_SUFFIX`: columns that can be named and that `*` does not stand for.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ExceptSelectItem, Ident, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, TableFactor, TableWithJoins, VisitMut, VisitorMut,
    WildcardAdditionalOptions,
};

/// Takes such columns of tables, which are named as they are planned, out of every `*`.
pub(crate) fn hide(query: &mut Query, tables: &HashMap<String, HashSet<String>>) {
    if !tables.is_empty() {
        let _ = query.visit(&mut Hide { tables });
    }
}

struct Hide<'a> {
    tables: &'a HashMap<String, HashSet<String>>,
}

impl VisitorMut for Hide<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let mut found = HashMap::new();
        for from in &select.from {
            self.joined(from, &mut found);
        }
        if found.is_empty() {
            return ControlFlow::Continue(());
        }
        for item in &mut select.projection {
            match item {
                SelectItem::Wildcard(options) => {
                    let all: BTreeSet<&String> = found.values().copied().flatten().collect();
                    except(options, all);
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    options,
                ) => {
                    if let Some(columns) = found.get(&plain(name)) {
                        except(options, columns.iter().collect());
                    }
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }
}

impl<'a> Hide<'a> {
    /// The names by which a FROM has such tables.
    fn joined(&self, from: &TableWithJoins, found: &mut HashMap<String, &'a HashSet<String>>) {
        let joins = from.joins.iter().map(|join| &join.relation);
        for factor in std::iter::once(&from.relation).chain(joins) {
            match factor {
                TableFactor::Table { name, alias, .. } => {
                    let Some(columns) = self.tables.get(&plain(name)) else {
                        continue;
                    };
                    let name = match alias {
                        Some(alias) => alias.name.value.to_lowercase(),
                        None => plain(name),
                    };
                    found.insert(name, columns);
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

fn except(options: &mut WildcardAdditionalOptions, columns: BTreeSet<&String>) {
    let mut columns = columns.into_iter().map(|name| Ident::with_quote('"', name));
    match &mut options.opt_except {
        Some(except) => except.additional_elements.extend(columns),
        None => {
            if let Some(first_element) = columns.next() {
                options.opt_except = Some(ExceptSelectItem {
                    first_element,
                    additional_elements: columns.collect(),
                });
            }
        }
    }
}
