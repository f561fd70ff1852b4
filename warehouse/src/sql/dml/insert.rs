//! `INSERT`.

use datafusion::sql::sqlparser::ast::{
    Expr, Insert, ObjectName, Query, SelectItem, SetExpr, TableObject, WildcardAdditionalOptions,
};

use super::part::{Does, Given, Part};
use super::target::Target;
use super::tree::{alone, derived, item, null, parts, select};
use super::work::{self, Statement, Wording};
use super::{Run, Undone, values};
use crate::sql::error::SqlError;
use crate::sql::request::Outcome;
use crate::tables::PARTITION_TIME;

/// Where a value goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Goes {
    /// To a column.
    Column(usize),
    /// It says which partition the row is of.
    Place,
}

pub(super) async fn run(run: &Run<'_>, insert: Insert) -> Result<Outcome, Undone> {
    let TableObject::TableName(name) = &insert.table else {
        return Err(SqlError::unsupported("INSERT into this").into());
    };
    if insert.overwrite
        || insert.has_table_keyword
        || insert.partitioned.is_some()
        || insert.on.is_some()
        || insert.returning.is_some()
        || insert.output.is_some()
        || insert.or.is_some()
    {
        return Err(SqlError::invalid("Syntax error: Unexpected words in INSERT").into());
    }
    let target = Target::new(run, name, None)?;
    let goes = goes(&target, &insert.columns)?;
    let Some(source) = insert.source else {
        return Err(SqlError::invalid("Syntax error: INSERT needs VALUES or a query").into());
    };
    let wording = match source.body.as_ref() {
        SetExpr::Values(_) => Wording::Value,
        _ => Wording::Column,
    };
    let part = part(&target, &goes, *source)?;
    let statement = Statement {
        kind: "INSERT",
        parts: vec![part],
        wording,
    };
    work::run(run, &target, statement).await
}

/// Where the values of a row go.
pub(super) fn goes(target: &Target, columns: &[ObjectName]) -> Result<Vec<Goes>, SqlError> {
    if columns.is_empty() {
        return Ok((0..target.fields().len()).map(Goes::Column).collect());
    }
    let mut goes = Vec::new();
    for column in columns {
        let parts = parts(column)?;
        let [name] = parts.as_slice() else {
            return Err(target.missing(&column.to_string()));
        };
        let by = target.table.meta.partitioning.as_ref();
        let found = match target.position(name) {
            Some(at) => Goes::Column(at),
            None if name.eq_ignore_ascii_case(PARTITION_TIME)
                && by.is_some_and(|by| by.by_ingestion()) =>
            {
                Goes::Place
            }
            None => return Err(target.missing(name)),
        };
        if goes.contains(&found) {
            return Err(SqlError::invalid(format!(
                "INSERT has columns with duplicate name: {name}"
            )));
        }
        goes.push(found);
    }
    Ok(goes)
}

/// The columns that no value goes to and that have a default.
pub(super) fn defaults(target: &Target, goes: &[Goes]) -> Result<Vec<(usize, Expr)>, SqlError> {
    let mut found = Vec::new();
    for (at, field) in target.fields().iter().enumerate() {
        if !goes.contains(&Goes::Column(at))
            && let Some(expr) = values::default(field)?
        {
            found.push((at, expr));
        }
    }
    Ok(found)
}

fn part(target: &Target, goes: &[Goes], mut source: Query) -> Result<Part, SqlError> {
    if let SetExpr::Values(rows) = source.body.as_mut() {
        for row in &mut rows.rows {
            let row = &mut row.content;
            if row.len() != goes.len() {
                return Err(SqlError::invalid(format!(
                    "Inserted row has wrong column count; Has {}, expected {}",
                    row.len(),
                    goes.len()
                )));
            }
            for (value, goes) in row.iter_mut().zip(goes) {
                let expr = std::mem::replace(value, null());
                *value = match goes {
                    Goes::Place => expr,
                    Goes::Column(at) => {
                        let field = &target.fields()[*at];
                        values::alone(values::given(expr, field)?, field)
                    }
                };
            }
        }
    } else {
        unique(&mut source);
    }
    let mut given = Given {
        columns: vec![None; target.fields().len()],
        ..Given::default()
    };
    for (at, goes) in goes.iter().enumerate() {
        match goes {
            Goes::Column(column) => given.columns[*column] = Some(at),
            Goes::Place => given.place = Some(at),
        }
    }
    let defaults = defaults(target, goes)?;
    let more = defaults.len();
    if more > 0 {
        let mut items = vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())];
        for (index, (column, expr)) in defaults.into_iter().enumerate() {
            given.columns[column] = Some(goes.len() + index);
            items.push(item(expr, &format!("default${column}")));
        }
        source = select(items, vec![alone(derived(source, "rows$"))], None)?;
    }
    Ok(Part {
        query: source.clone(),
        counting: source,
        counted: (0..goes.len() + more).map(Some).collect(),
        action: None,
        identity: None,
        does: vec![Does::Insert(given)],
        width: Some((goes.len(), more)),
    })
}

/// Columns of one name are no matter here, and cannot be planned.
fn unique(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return;
    };
    let mut seen = std::collections::HashSet::new();
    for (at, one) in select.projection.iter_mut().enumerate() {
        let (expr, name) = match one {
            SelectItem::UnnamedExpr(expr) => {
                let name = match &*expr {
                    Expr::Identifier(ident) => ident.value.to_lowercase(),
                    Expr::CompoundIdentifier(idents) => idents
                        .last()
                        .map(|ident| ident.value.to_lowercase())
                        .unwrap_or_default(),
                    _ => continue,
                };
                (expr.clone(), name)
            }
            SelectItem::ExprWithAlias { expr, alias } => (expr.clone(), alias.value.to_lowercase()),
            _ => continue,
        };
        if !seen.insert(name) {
            *one = item(expr, &format!("again${at}"));
        }
    }
}
