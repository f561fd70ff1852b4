//! From `BigQuery`'s syntax tree to one that `DataFusion` plans with the same meaning.

mod array;
mod call;
pub(crate) mod items;
mod lateral;
pub(crate) mod make;
pub(crate) mod pseudo;
mod select;
mod star;
mod table;
pub(crate) mod variables;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, CastFormat, CastKind, CeilFloorKind, DateTimeField, Expr, Ident, Query, Select,
    Subscript, TableFactor, UnaryOperator, Value, VisitMut, VisitorMut,
};

use super::error::SqlError;
use crate::load::Files;
use make::{call as made, text};

/// What a statement is read with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    /// Values by the names of parameters and variables, in small letters; positional ones by `1`, `2`.
    pub(crate) values: HashMap<String, Expr>,
    /// The present, as a TIMESTAMP's text.
    pub(crate) now: String,
}

/// A table that a statement names, and the name that it has while it is planned.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    /// As it was written, part by part.
    pub(crate) parts: Vec<String>,
    /// While it is planned.
    pub(crate) planned: String,
    /// Where it stands.
    pub(crate) place: String,
    /// Files, if it is a function that reads some.
    pub(crate) files: Option<Files>,
}

/// Rewrites a tree.
pub(crate) struct Rewrite<'a> {
    context: &'a Context,
    ctes: HashSet<String>,
    /// The tables, in the order they were found.
    pub(crate) tables: Vec<Named>,
    derived: usize,
    arrays: usize,
    subqueries: usize,
    stars: usize,
    /// The names of tables, of each SELECT around what is visited.
    around: Vec<HashSet<String>>,
}

impl<'a> Rewrite<'a> {
    /// With values for names.
    pub(crate) fn new(context: &'a Context) -> Self {
        Self {
            context,
            ctes: HashSet::new(),
            tables: Vec::new(),
            derived: 0,
            arrays: 0,
            subqueries: 0,
            stars: 0,
            around: Vec::new(),
        }
    }

    /// Rewrites in place.
    pub(crate) fn run(&mut self, tree: &mut impl VisitMut) -> Result<(), SqlError> {
        match tree.visit(self) {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(()),
        }
    }

    fn expr(&mut self, expr: &mut Expr) -> Result<(), SqlError> {
        let taken = std::mem::replace(expr, Expr::Value(Value::Null.into()));
        *expr = self.rewritten(taken)?;
        Ok(())
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one short arm for each kind of expression"
    )]
    fn rewritten(&mut self, expr: Expr) -> Result<Expr, SqlError> {
        Ok(match expr {
            Expr::Value(value) => self.value(value.value)?,
            Expr::Identifier(ident) if ident.value.starts_with("@@") => {
                self.system(&ident.value[2..])?
            }
            Expr::CompoundIdentifier(parts)
                if parts
                    .first()
                    .is_some_and(|part| part.value.starts_with("@@")) =>
            {
                let name: Vec<&str> = parts.iter().map(|part| part.value.as_str()).collect();
                self.system(&name.join(".")[2..])?
            }
            Expr::Identifier(ident) if ident.value.starts_with('@') => {
                let name = ident.value.trim_start_matches('@').to_lowercase();
                match self.context.values.get(&format!("@{name}")) {
                    Some(value) => value.clone(),
                    None => {
                        return Err(SqlError::invalid(format!(
                            "Query parameter '{name}' not found"
                        )));
                    }
                }
            }
            Expr::CompoundIdentifier(mut parts)
                if parts
                    .first()
                    .is_some_and(|part| part.value.starts_with('@')) =>
            {
                let root = self.rewritten(Expr::Identifier(parts.remove(0)))?;
                let fields = parts.into_iter().map(Expr::Identifier).map(AccessExpr::Dot);
                accesses(root, fields.collect())
            }
            Expr::Identifier(ident) => match self.context.values.get(&ident.value.to_lowercase()) {
                Some(value) => value.clone(),
                None => Expr::Identifier(ident),
            },
            Expr::TypedString(typed) => {
                let kind = typed.data_type.to_string();
                let value = typed.value.value.into_string().unwrap_or_default();
                if kind.eq_ignore_ascii_case("JSON") {
                    made("parse_json", vec![text(value)])
                } else {
                    made("cast_to", vec![text(value), text(kind)])
                }
            }
            Expr::Cast {
                kind,
                expr,
                data_type,
                format,
                array: false,
            } => {
                let function = match kind {
                    CastKind::Cast => "cast_to",
                    CastKind::SafeCast => "safe.cast_to",
                    _ => return Err(SqlError::invalid("Syntax error: Unexpected cast operator")),
                };
                let mut args = vec![*expr, text(data_type.to_string())];
                match format {
                    None => {}
                    Some(CastFormat::Value(format)) => args.push(Expr::Value(format)),
                    Some(CastFormat::ValueAtTimeZone(format, zone)) => {
                        args.extend([Expr::Value(format), Expr::Value(zone)]);
                    }
                }
                made(function, args)
            }
            Expr::Extract { field, expr, .. } => {
                let part = text(field.to_string().to_uppercase());
                made("extract_part", vec![part, *expr])
            }
            Expr::Ceil { expr, field } => one_argument("ceil", *expr, &field)?,
            Expr::Floor { expr, field } => one_argument("floor", *expr, &field)?,
            Expr::Substring {
                expr,
                substring_from,
                substring_for,
                ..
            } => {
                let rest = [substring_from, substring_for]
                    .into_iter()
                    .flatten()
                    .map(|one| *one);
                made("substr", std::iter::once(*expr).chain(rest).collect())
            }
            Expr::Trim {
                expr,
                trim_characters,
                trim_where: None,
                trim_what: None,
            } => made(
                "trim",
                std::iter::once(*expr)
                    .chain(trim_characters.unwrap_or_default())
                    .collect(),
            ),
            Expr::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char: None,
            } => negate(negated, made("like$", vec![*expr, *pattern])),
            Expr::InUnnest {
                expr,
                array_expr,
                negated,
            } => negate(negated, made("in_array$", vec![*expr, *array_expr])),
            Expr::Array(array) => made("array$", array.elem),
            Expr::Tuple(values) => select::tuple(values),
            Expr::Struct { values, fields } => select::structure(values, &fields)?,
            Expr::UnaryOp {
                op: UnaryOperator::Minus,
                expr,
            } => match *expr {
                Expr::Value(value) => Expr::UnaryOp {
                    op: UnaryOperator::Minus,
                    expr: Box::new(Expr::Value(value)),
                },
                other => made("negate$", vec![other]),
            },
            Expr::UnaryOp {
                op: UnaryOperator::BitwiseNot,
                expr,
            } => made("bit_not$", vec![*expr]),
            Expr::BinaryOp { left, op, right } => call::interval_sum(*left, op, *right)?,
            Expr::CompoundFieldAccess { root, access_chain } => accesses(*root, access_chain),
            Expr::Function(function) => self.function(function)?,
            Expr::Subquery(query) => self.numbered(query),
            Expr::AtTimeZone { .. }
            | Expr::ILike { .. }
            | Expr::RLike { .. }
            | Expr::SimilarTo { .. }
            | Expr::AnyOp { .. }
            | Expr::AllOp { .. }
            | Expr::Convert { .. }
            | Expr::Trim { .. }
            | Expr::Like { .. }
            | Expr::Collate { .. }
            | Expr::Overlay { .. }
            | Expr::Position { .. } => {
                return Err(SqlError::unsupported(format!("the expression {expr}")));
            }
            other => other,
        })
    }

    /// A subquery over an array: two of them are told from each other by their numbers.
    fn numbered(&mut self, query: Box<Query>) -> Expr {
        if !select::of_array(&query) {
            return Expr::Subquery(query);
        }
        self.subqueries += 1;
        let number = make::number(self.subqueries);
        made("subquery$", vec![number, Expr::Subquery(query)])
    }

    /// `@@name`.
    fn system(&self, name: &str) -> Result<Expr, SqlError> {
        match self
            .context
            .values
            .get(&format!("@@{}", name.to_lowercase()))
        {
            Some(value) => Ok(value.clone()),
            None => Err(SqlError::invalid(format!(
                "System variable @@{name} is unknown, or cannot be used here"
            ))),
        }
    }

    fn value(&self, value: Value) -> Result<Expr, SqlError> {
        Ok(match value {
            Value::SingleQuotedString(value)
            | Value::DoubleQuotedString(value)
            | Value::TripleSingleQuotedString(value)
            | Value::TripleDoubleQuotedString(value)
            | Value::SingleQuotedRawStringLiteral(value)
            | Value::DoubleQuotedRawStringLiteral(value)
            | Value::TripleSingleQuotedRawStringLiteral(value)
            | Value::TripleDoubleQuotedRawStringLiteral(value) => text(value),
            Value::SingleQuotedByteStringLiteral(value)
            | Value::DoubleQuotedByteStringLiteral(value) => {
                if value.contains('\\') {
                    return Err(SqlError::unsupported("escapes in literals of BYTES"));
                }
                made("cast_to", vec![text(value), text("BYTES")])
            }
            Value::HexStringLiteral(_) => {
                return Err(SqlError::invalid("Syntax error: Unexpected literal"));
            }
            Value::Placeholder(mark) => {
                let number = mark.trim_start_matches('?');
                match self.context.values.get(number) {
                    Some(value) => value.clone(),
                    None => {
                        return Err(SqlError::invalid(format!(
                            "Query parameter number {number} is missing"
                        )));
                    }
                }
            }
            other => Expr::Value(other.into()),
        })
    }
}

fn one_argument(function: &str, expr: Expr, field: &CeilFloorKind) -> Result<Expr, SqlError> {
    match field {
        CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => Ok(made(function, vec![expr])),
        other => Err(SqlError::unsupported(format!("{function} with {other:?}"))),
    }
}

fn negate(negated: bool, expr: Expr) -> Expr {
    if negated {
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: Box::new(expr),
        }
    } else {
        expr
    }
}

fn accesses(root: Expr, chain: Vec<AccessExpr>) -> Expr {
    let mut at = root;
    for access in chain {
        let indexed = match &access {
            AccessExpr::Subscript(Subscript::Index {
                index: Expr::Function(function),
            }) => call::index_of(function),
            _ => None,
        };
        at = match indexed {
            Some((name, index)) => made(name, vec![at, index]),
            None => Expr::CompoundFieldAccess {
                root: Box::new(at),
                access_chain: vec![by_text(access)],
            },
        };
    }
    at
}

/// `.name` as `['name']`, which both struct and JSON are planned by.
fn by_text(access: AccessExpr) -> AccessExpr {
    match access {
        AccessExpr::Dot(Expr::Identifier(ident)) => AccessExpr::Subscript(Subscript::Index {
            index: text(ident.value),
        }),
        other => other,
    }
}

/// The zone of EXTRACT belongs to the call, and is nowhere else.
fn zoned(expr: &mut Expr) {
    if let Expr::Extract {
        field, expr: inner, ..
    } = expr
        && let Expr::AtTimeZone {
            timestamp,
            time_zone,
        } = inner.as_ref()
    {
        let part = text(field.to_string().to_uppercase());
        let args = vec![part, timestamp.as_ref().clone(), time_zone.as_ref().clone()];
        *expr = made("extract_part", args);
    }
}

fn flow(result: Result<(), SqlError>) -> ControlFlow<SqlError> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

impl VisitorMut for Rewrite<'_> {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<SqlError> {
        if !query.pipe_operators.is_empty() {
            return ControlFlow::Break(SqlError::unsupported("pipe operators"));
        }
        if let Some(with) = &mut query.with {
            for cte in &mut with.cte_tables {
                let lower = cte.alias.name.value.to_lowercase();
                cte.alias.name = Ident::with_quote('"', &lower);
                self.ctes.insert(lower);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<SqlError> {
        select::ordered(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<SqlError> {
        let around = self.around.last().cloned().unwrap_or_default();
        self.around.push(lateral::paths(select, &around));
        flow(
            self.records(select)
                .and_then(|()| self.whole(select))
                .and_then(|()| select::named(select)),
        )
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<SqlError> {
        self.around.pop();
        select::exists(select);
        flow(select::value_table(select))
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<SqlError> {
        flow(self.table(factor))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        zoned(expr);
        match expr {
            Expr::Function(function) => flow(call::parts(function)),
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        flow(self.expr(expr))
    }
}
