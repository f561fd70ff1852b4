//! `UPDATE` and `DELETE`.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, Update, UpdateTableFromKind,
};

use super::part::{Clause, Values, What, part};
use super::target::Target;
use super::tree::{alone, column, parts};
use super::work::{self, Statement, Wording};
use super::{Run, Undone, values};
use crate::schema::{Field, Kind, Mode};
use crate::sql::error::SqlError;
use crate::sql::request::Outcome;
use crate::sql::rewrite::make::{call, text};
use crate::tables::PARTITION_TIME;

pub(super) async fn update(run: &Run<'_>, update: Update) -> Result<Outcome, Undone> {
    if update.returning.is_some()
        || update.output.is_some()
        || update.limit.is_some()
        || !update.order_by.is_empty()
        || !update.table.joins.is_empty()
        || matches!(update.from, Some(UpdateTableFromKind::BeforeSet(_)))
    {
        return Err(SqlError::invalid("Syntax error: Unexpected words in UPDATE").into());
    }
    let target = Target::of_factor(run, &update.table.relation)?;
    let turn = target.warehouse.turn(&target.id);
    let _turn = (!run.request.dry_run).then_some(turn.lock().await);
    let target = Target::of_factor(run, &update.table.relation)?;
    let Some(selection) = update.selection else {
        return Err(SqlError::invalid("UPDATE must have a WHERE clause").into());
    };
    let mut from = vec![alone(target.factor())];
    if let Some(UpdateTableFromKind::AfterSet(more)) = update.from {
        from.extend(more);
    }
    let clause = Clause {
        when: Some(selection),
        what: What::Update(set(&target, update.assignments)?),
    };
    let statement = Statement {
        kind: "UPDATE",
        parts: vec![part(&target, from, true, vec![clause])?],
        wording: Wording::Value,
    };
    work::run(run, &target, statement).await
}

pub(super) async fn delete(run: &Run<'_>, delete: Delete) -> Result<Outcome, Undone> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let [table] = from.as_slice() else {
        return Err(SqlError::invalid("Syntax error: DELETE needs one table").into());
    };
    if delete.using.is_some()
        || delete.returning.is_some()
        || delete.output.is_some()
        || delete.limit.is_some()
        || !delete.order_by.is_empty()
        || !delete.tables.is_empty()
        || !table.joins.is_empty()
    {
        return Err(SqlError::invalid("Syntax error: Unexpected words in DELETE").into());
    }
    let target = Target::of_factor(run, &table.relation)?;
    let turn = target.warehouse.turn(&target.id);
    let _turn = (!run.request.dry_run).then_some(turn.lock().await);
    let target = Target::of_factor(run, &table.relation)?;
    let Some(selection) = delete.selection else {
        return Err(SqlError::invalid("DELETE must have a WHERE clause").into());
    };
    let clause = Clause {
        when: Some(selection),
        what: What::Delete,
    };
    let from = vec![alone(target.factor())];
    let statement = Statement {
        kind: "DELETE",
        parts: vec![part(&target, from, true, vec![clause])?],
        wording: Wording::Value,
    };
    work::run(run, &target, statement).await
}

/// What a column, or fields of it, get.
enum Node {
    Whole(Box<Expr>),
    Fields(BTreeMap<usize, Node>),
}

/// The values that a row gets from `SET`.
pub(super) fn set(target: &Target, assignments: Vec<Assignment>) -> Result<Values, SqlError> {
    let mut made = Values::default();
    let mut nodes: BTreeMap<usize, Node> = BTreeMap::new();
    for Assignment { target: at, value } in assignments {
        let AssignmentTarget::ColumnName(name) = at else {
            return Err(SqlError::unsupported(format!("SET {at}")));
        };
        let mut path = parts(&name)?;
        if path.len() > 1
            && target.position(&path[0]).is_none()
            && path[0].eq_ignore_ascii_case(&target.alias)
        {
            path.remove(0);
        }
        let by = target.table.meta.partitioning.as_ref();
        if let [one] = path.as_slice()
            && one.eq_ignore_ascii_case(PARTITION_TIME)
            && by.is_some_and(|by| by.by_ingestion())
        {
            made.place = Some(value);
            continue;
        }
        let Some(column) = path.first().and_then(|name| target.position(name)) else {
            let shown = name.to_string();
            return Err(SqlError::invalid(format!("Unrecognized name: {shown}")));
        };
        let field = &target.fields()[column];
        insert(&mut nodes, column, (field, &path[1..]), value)
            .map_err(|why| SqlError::invalid(why.replace("{}", &name.to_string())))?;
    }
    for (at, node) in nodes {
        let field = &target.fields()[at];
        let value = match node {
            Node::Whole(expr) => values::given(*expr, field)?,
            Node::Fields(fields) => {
                let path = vec![field.name.as_str()];
                Some(record(target, field, path, fields, &mut made.absent)?)
            }
        };
        made.columns.insert(at, value);
    }
    Ok(made)
}

/// Puts a value at its place; an error has `{}` where the path stands.
fn insert(
    nodes: &mut BTreeMap<usize, Node>,
    at: usize,
    (field, rest): (&Field, &[String]),
    value: Expr,
) -> Result<(), String> {
    let twice = || "Update item {} assigned more than once".to_owned();
    let Some(name) = rest.first() else {
        return match nodes.insert(at, Node::Whole(Box::new(value))) {
            None => Ok(()),
            Some(_) => Err(twice()),
        };
    };
    let Kind::Struct(fields) = &field.kind else {
        return Err(format!(
            "Cannot access field {name} on a value with type {}",
            field.kind
        ));
    };
    if field.mode == Mode::Repeated {
        return Err(format!(
            "Cannot access field {name} on a value with type ARRAY<{}>",
            field.kind
        ));
    }
    let Some(inner) = fields
        .iter()
        .position(|one| one.name.eq_ignore_ascii_case(name))
    else {
        return Err(format!(
            "Field name {name} does not exist in {}",
            field.kind
        ));
    };
    match nodes
        .entry(at)
        .or_insert_with(|| Node::Fields(BTreeMap::new()))
    {
        Node::Whole(_) => Err(twice()),
        Node::Fields(below) => insert(below, inner, (&fields[inner], &rest[1..]), value),
    }
}

/// A record with some fields anew.
fn record<'a>(
    target: &Target,
    field: &'a Field,
    path: Vec<&'a str>,
    mut nodes: BTreeMap<usize, Node>,
    absent: &mut Vec<(Expr, String)>,
) -> Result<Expr, SqlError> {
    let current = column(&target.alias, &path);
    absent.push((Expr::IsNull(Box::new(current)), path.join(".")));
    let Kind::Struct(fields) = &field.kind else {
        return Err(SqlError::invalid(format!(
            "{} is no STRUCT",
            path.join(".")
        )));
    };
    let mut args = Vec::new();
    for (at, inner) in fields.iter().enumerate() {
        let mut below = path.clone();
        below.push(&inner.name);
        args.push(text(inner.name.clone()));
        args.push(match nodes.remove(&at) {
            None => column(&target.alias, &below),
            Some(Node::Whole(expr)) => values::inner(*expr, inner)?,
            Some(Node::Fields(fields)) => record(target, inner, below, fields, absent)?,
        });
    }
    Ok(call("named_struct", args))
}
