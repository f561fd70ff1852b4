//! What a statement does, as queries.

use std::collections::HashMap;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Query, SelectItem, TableWithJoins};

use super::target::Target;
use super::tree::{and, binary, column, item, select};
use crate::sql::error::SqlError;
use crate::sql::rewrite::make::{case, number};
use crate::tables::{FILE, ROW};

/// A query whose rows say what becomes of rows of the table.
pub(super) struct Part {
    /// It.
    pub(super) query: Query,
    /// The same without what only copies rows: what the statement itself reads, and the types that it has.
    pub(super) counting: Query,
    /// For each column of the first the one of the second.
    pub(super) counted: Vec<Option<usize>>,
    /// The column with the number of the clause; none: it is always the first.
    pub(super) action: Option<usize>,
    /// The columns with the numbers of file and row, if it looks at the table.
    pub(super) identity: Option<(usize, usize)>,
    /// What clauses do.
    pub(super) does: Vec<Does>,
    /// How many columns it has to have: of its own, and of those that were added to it.
    pub(super) width: Option<(usize, usize)>,
}

/// What becomes of a row.
pub(super) enum Does {
    /// It goes.
    Delete,
    /// Another comes in its place.
    Update(Given),
    /// One comes.
    Insert(Given),
}

/// The values of a row that comes.
#[derive(Default)]
pub(super) struct Given {
    /// For each column of the table the one of the query; none is NULL.
    pub(super) columns: Vec<Option<usize>>,
    /// The column of the query with the time of its partition.
    pub(super) place: Option<usize>,
    /// Columns of the query that must not be true, and the names of the records that are NULL then.
    pub(super) absent: Vec<(usize, String)>,
    /// Columns of the table that are not as they were.
    pub(super) changed: Vec<usize>,
}

/// A clause of a statement.
pub(super) struct Clause {
    /// When it applies.
    pub(super) when: Option<Expr>,
    /// What it does.
    pub(super) what: What,
}

/// What a clause does, in expressions.
pub(super) enum What {
    /// The row goes.
    Delete,
    /// Columns of it get other values.
    Update(Values),
    /// A row comes.
    Insert(Values),
}

/// Expressions for a row.
#[derive(Default)]
pub(super) struct Values {
    /// By the column of the table; none is NULL.
    pub(super) columns: HashMap<usize, Option<Expr>>,
    /// The time of its partition.
    pub(super) place: Option<Expr>,
    /// Conditions under which a record that gets a field is NULL, and its name.
    pub(super) absent: Vec<(Expr, String)>,
}

/// The columns of a query that is being made.
#[derive(Default)]
struct Items {
    all: Vec<SelectItem>,
    counting: Vec<SelectItem>,
    counted: Vec<Option<usize>>,
    copies: HashMap<usize, usize>,
}

impl Items {
    fn add(&mut self, expr: Expr, counting: Option<Expr>) -> usize {
        let at = self.all.len();
        let name = format!("c${at}");
        self.all.push(item(expr, &name));
        self.counted
            .push(counting.is_some().then_some(self.counting.len()));
        if let Some(expr) = counting {
            self.counting.push(item(expr, &name));
        }
        at
    }

    fn both(&mut self, expr: Expr) -> usize {
        self.add(expr.clone(), Some(expr))
    }

    /// A column of the table as it is.
    fn copy(&mut self, target: &Target, at: usize) -> usize {
        if let Some(found) = self.copies.get(&at) {
            return *found;
        }
        let expr = column(&target.alias, &[&target.fields()[at].name]);
        let found = self.add(expr, None);
        self.copies.insert(at, found);
        found
    }
}

/// The query of clauses over rows of `from`; the table is among those if `looks`.
pub(super) fn part(
    target: &Target,
    from: Vec<TableWithJoins>,
    looks: bool,
    clauses: Vec<Clause>,
) -> Result<Part, SqlError> {
    let mut items = Items::default();
    let identity = looks.then(|| {
        let file = items.both(column(&target.alias, &[FILE]));
        (file, items.both(column(&target.alias, &[ROW])))
    });
    let several = clauses.len() > 1;
    let deciding = deciding(&clauses);
    let action = match &deciding {
        Some(deciding) if several => Some(items.both(deciding.clone())),
        _ => None,
    };
    let condition = match deciding {
        Some(deciding) if several => Some(Expr::IsNotNull(Box::new(deciding))),
        _ => clauses.first().and_then(|clause| clause.when.clone()),
    };
    let mut does = Vec::new();
    let chosen = several.then(|| self::deciding(&clauses)).flatten();
    for (at, clause) in clauses.into_iter().enumerate() {
        // What another clause does to a row must not be reckoned for it: it may fail.
        let guard = |expr: Expr| match &chosen {
            Some(chosen) => {
                let this = binary(chosen.clone(), BinaryOperator::Eq, number(at));
                case(this, expr, None)
            }
            None => expr,
        };
        does.push(match clause.what {
            What::Delete => Does::Delete,
            What::Update(values) => {
                let mut given = made(target, &mut items, values, &guard);
                for column in 0..target.fields().len() {
                    if !given.changed.contains(&column) {
                        given.columns[column] = Some(items.copy(target, column));
                    }
                }
                Does::Update(given)
            }
            What::Insert(values) => Does::Insert(made(target, &mut items, values, &guard)),
        });
    }
    if items.counting.is_empty() {
        items.counting.push(item(number(1), "c$"));
    }
    if items.all.is_empty() {
        items.all.push(item(number(1), "c$"));
        items.counted.push(Some(0));
    }
    Ok(Part {
        query: select(items.all, from.clone(), condition.clone())?,
        counting: select(items.counting, from, condition)?,
        counted: items.counted,
        action,
        identity,
        does,
        width: None,
    })
}

fn made(target: &Target, items: &mut Items, values: Values, guard: &dyn Fn(Expr) -> Expr) -> Given {
    let mut given = Given {
        columns: vec![None; target.fields().len()],
        ..Given::default()
    };
    let mut add = |expr: Expr| items.add(guard(expr.clone()), Some(expr));
    given.place = values.place.map(&mut add);
    for (condition, name) in values.absent {
        given.absent.push((add(condition), name));
    }
    let mut columns: Vec<_> = values.columns.into_iter().collect();
    columns.sort_by_key(|(at, _)| *at);
    for (at, expr) in columns {
        given.columns[at] = expr.map(&mut add);
        given.changed.push(at);
    }
    given
}

/// The number of the first clause that applies, or NULL.
fn deciding(clauses: &[Clause]) -> Option<Expr> {
    clauses
        .iter()
        .enumerate()
        .rev()
        .fold(None, |rest, (at, clause)| match &clause.when {
            None => Some(number(at)),
            Some(when) => Some(case(when.clone(), number(at), rest)),
        })
}

/// The condition of a clause: that its rows are there, and its own.
pub(super) fn when(there: Option<Expr>, own: Option<Expr>) -> Option<Expr> {
    and(there.into_iter().chain(own))
}
