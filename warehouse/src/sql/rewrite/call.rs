//! Calls: parts of dates, intervals, and functions that are others' in disguise.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, HavingBound, HavingBoundKind, Interval, NullTreatment,
    OrderByExpr, OrderByOptions,
};

use super::Rewrite;
use super::make::{arg, call as made, case, name as named, number, text};
use crate::sql::error::SqlError;
use crate::sql::functions::NAMES;

/// Aggregates and window functions that mean the same to both.
const SAME: [&str; 30] = [
    "count",
    "min",
    "max",
    "string_agg",
    "stddev",
    "stddev_samp",
    "stddev_pop",
    "var_samp",
    "var_pop",
    "corr",
    "covar_pop",
    "covar_samp",
    "bit_and",
    "bit_or",
    "bit_xor",
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
    "coalesce",
    "nullif",
    "named_struct",
    "array_agg",
];

/// The name in small letters, with `safe.` before it where the text has it.
fn written(function: &Function) -> String {
    let parts: Vec<String> = function
        .name
        .0
        .iter()
        .map(|part| {
            part.as_ident()
                .map_or_else(|| part.to_string(), |ident| ident.value.clone())
        })
        .collect();
    parts.join(".").to_lowercase()
}

fn list(function: &mut Function) -> Option<&mut FunctionArgumentList> {
    match &mut function.args {
        FunctionArguments::List(list) => Some(list),
        _ => None,
    }
}

fn inner(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

fn interval(interval: &Interval) -> Result<(Expr, String), SqlError> {
    match (&interval.leading_field, &interval.last_field) {
        (Some(unit), None) => Ok((
            interval.value.as_ref().clone(),
            unit.to_string().to_uppercase(),
        )),
        _ => Err(SqlError::unsupported(format!("the interval {interval}"))),
    }
}

/// Parts of dates become texts, and an INTERVAL two arguments, before they are read as columns.
pub(super) fn parts(function: &mut Function) -> Result<(), SqlError> {
    let name = written(function);
    let bare = name.strip_prefix("safe.").unwrap_or(&name).to_owned();
    let at = match bare.as_str() {
        "date_diff" | "datetime_diff" | "timestamp_diff" | "time_diff" => Some(2),
        "date_trunc" | "datetime_trunc" | "timestamp_trunc" | "time_trunc" | "last_day" => Some(1),
        _ => None,
    };
    let Some(list) = list(function) else {
        return Ok(());
    };
    if let Some(argument) = at.and_then(|at| list.args.get_mut(at)) {
        let part = argument.to_string().to_uppercase();
        *argument = arg(text(part));
    }
    let mut args = Vec::with_capacity(list.args.len() + 1);
    for argument in std::mem::take(&mut list.args) {
        match inner(&argument) {
            Some(Expr::Interval(found)) => {
                let (count, unit) = interval(found)?;
                args.push(arg(count));
                args.push(arg(text(unit)));
            }
            _ => args.push(argument),
        }
    }
    list.args = args;
    Ok(())
}

/// `x[OFFSET(0)]`: the function and the index.
pub(super) fn index_of(function: &Function) -> Option<(&'static str, Expr)> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let index = list.args.first().and_then(inner)?.clone();
    let name = match written(function).as_str() {
        "offset" => "offset$",
        "ordinal" => "ordinal$",
        "safe_offset" => "safe_offset$",
        "safe_ordinal" => "safe_ordinal$",
        _ => return None,
    };
    Some((name, index))
}

/// `date + INTERVAL 1 DAY`.
pub(super) fn interval_sum(left: Expr, op: BinaryOperator, right: Expr) -> Result<Expr, SqlError> {
    let sum = |base: Expr, found: &Interval, function: &str| -> Result<Expr, SqlError> {
        let (count, unit) = interval(found)?;
        Ok(made(function, vec![base, count, text(unit)]))
    };
    match (&left, &op, &right) {
        (_, BinaryOperator::Plus, Expr::Interval(found)) => {
            sum(left.clone(), found, "interval_add")
        }
        (_, BinaryOperator::Minus, Expr::Interval(found)) => {
            sum(left.clone(), found, "interval_sub")
        }
        (Expr::Interval(found), BinaryOperator::Plus, _) => {
            sum(right.clone(), found, "interval_add")
        }
        _ => Ok(Expr::BinaryOp {
            left: Box::new(left),
            op,
            right: Box::new(right),
        }),
    }
}

impl Rewrite<'_> {
    /// A call as it is planned.
    #[expect(
        clippy::too_many_lines,
        reason = "one short arm for each function that is planned otherwise"
    )]
    pub(super) fn function(&mut self, mut function: Function) -> Result<Expr, SqlError> {
        let name = written(&function);
        if let FunctionArguments::Subquery(query) = &function.args {
            return match name.as_str() {
                "array" => self.gathered(query.as_ref().clone()),
                _ => Err(not_found(&function)),
            };
        }
        let plain: Vec<Expr> = match &function.args {
            FunctionArguments::List(list) => list
                .args
                .iter()
                .filter_map(|one| inner(one).cloned())
                .collect(),
            _ => vec![],
        };
        if matches!(
            name.as_str(),
            "offset" | "ordinal" | "safe_offset" | "safe_ordinal"
        ) || function.name.0.first().is_some_and(|part| {
            part.as_ident()
                .is_some_and(|ident| ident.quote_style == Some('"'))
        }) {
            return Ok(Expr::Function(function));
        }
        let over = function.over.is_some();
        Ok(match (name.as_str(), plain.as_slice()) {
            ("if", [condition, then, other]) => {
                case(condition.clone(), then.clone(), Some(other.clone()))
            }
            ("ifnull", [_, _]) => made("coalesce", plain),
            ("current_timestamp", []) => made(
                "cast_to",
                vec![text(self.context.now.clone()), text("TIMESTAMP")],
            ),
            ("current_date" | "current_datetime" | "current_time", [] | [_]) => {
                let now = made(
                    "cast_to",
                    vec![text(self.context.now.clone()), text("TIMESTAMP")],
                );
                let function = name.trim_start_matches("current_").to_owned();
                made(&function, std::iter::once(now).chain(plain).collect())
            }
            ("countif", [condition]) => {
                set_args(
                    &mut function,
                    vec![case(condition.clone(), number(1), None)],
                );
                function.name = named("count");
                Expr::Function(function)
            }
            ("approx_count_distinct", [value]) if !over => {
                let value = value.clone();
                set_args(&mut function, vec![value]);
                if let Some(list) = list(&mut function) {
                    list.duplicate_treatment =
                        Some(datafusion::sql::sqlparser::ast::DuplicateTreatment::Distinct);
                }
                function.name = named("count");
                Expr::Function(function)
            }
            ("logical_and", [_]) => renamed(function, "bool_and"),
            ("logical_or", [_]) => renamed(function, "bool_or"),
            ("variance", [_]) => renamed(function, "var_samp"),
            ("avg", [_]) => made("numeric$", vec![renamed(function, "avg")]),
            ("sum", [value]) => {
                set_args(&mut function, vec![made("sum_in$", vec![value.clone()])]);
                made("sum_out$", vec![renamed(function, "sum")])
            }
            ("any_value", [_]) => bounded(function)?,
            ("max_by", [value, by]) if !over => ordered("first_value", value, by, false),
            ("min_by", [value, by]) if !over => ordered("first_value", value, by, true),
            ("approx_quantiles", [value, parts]) if !over => {
                let all = aggregate(value.clone(), vec![order(value.clone(), true)], true);
                made("quantiles$", vec![all, parts.clone()])
            }
            ("array_agg", [_]) => array_agg(function)?,
            ("string_agg", _) => string_agg(function)?,
            ("md5" | "sha1" | "sha256" | "sha512", [value]) if name != "sha1" => {
                made("digest", vec![value.clone(), text(name)])
            }
            ("generate_uuid", []) => made("uuid", vec![]),
            ("rand", []) => made("random", vec![]),
            ("session_user", []) => text("sandbox@example.com"),
            ("ceiling", _) => renamed(function, "ceil"),
            ("power", _) => renamed(function, "pow"),
            ("substring", _) => renamed(function, "substr"),
            ("octet_length", _) => renamed(function, "byte_length"),
            ("character_length", _) => renamed(function, "char_length"),
            ("percentile_cont" | "percentile_disc", [_, _]) => percentile(function, &name)?,
            ("approx_top_count", [value, most]) if !over => {
                let all = aggregate(value.clone(), vec![order(value.clone(), true)], false);
                made("top_count$", vec![all, most.clone()])
            }
            ("array_concat_agg", [_]) => concatenated(function)?,
            ("array_concat_agg" | "approx_top_sum" | "grouping", _) => {
                return Err(SqlError::unsupported(format!(
                    "the function {}",
                    name.to_uppercase()
                )));
            }
            (same, _) if SAME.contains(&same) => renamed(function, same),
            (ours, _)
                if NAMES.contains(ours.strip_prefix("safe.").unwrap_or(ours))
                    && !ours.contains('$') =>
            {
                renamed(function, ours)
            }
            _ => return Err(not_found(&function)),
        })
    }
}

fn not_found(function: &Function) -> SqlError {
    let start = function
        .name
        .0
        .first()
        .and_then(|part| part.as_ident())
        .map(|ident| ident.span.start);
    let place = start
        .filter(|start| start.line > 0)
        .map(|start| format!(" at [{}:{}]", start.line, start.column))
        .unwrap_or_default();
    SqlError::invalid(format!("Function not found: {}{place}", function.name))
}

fn renamed(mut function: Function, name: &str) -> Expr {
    function.name = named(name);
    Expr::Function(function)
}

fn set_args(function: &mut Function, args: Vec<Expr>) {
    if let Some(list) = list(function) {
        list.args = args.into_iter().map(arg).collect();
    }
}

fn order(expr: Expr, ascending: bool) -> OrderByExpr {
    OrderByExpr {
        expr,
        options: OrderByOptions {
            asc: Some(ascending),
            nulls_first: Some(false),
        },
        with_fill: None,
    }
}

/// Of a window, whose NULLs count if it is said so.
fn percentile(mut function: Function, name: &str) -> Result<Expr, SqlError> {
    if function.over.is_none() {
        return Err(SqlError::invalid(format!(
            "Analytic function {} cannot be called without an OVER clause",
            name.to_uppercase()
        )));
    }
    let clauses = list(&mut function)
        .map(|list| std::mem::take(&mut list.clauses))
        .unwrap_or_default();
    let mut nulls = matches!(
        function.null_treatment.take(),
        Some(NullTreatment::RespectNulls)
    );
    for clause in clauses {
        match clause {
            FunctionArgumentClause::IgnoreOrRespectNulls(treatment) => {
                nulls |= matches!(treatment, NullTreatment::RespectNulls);
            }
            other => return Err(SqlError::unsupported(format!("{name} with {other}"))),
        }
    }
    let name = crate::sql::functions::percentile::name(name == "percentile_disc", nulls);
    Ok(renamed(function, name))
}

fn with_clauses(name: &str, value: Expr, clauses: Vec<FunctionArgumentClause>) -> Expr {
    match made(name, vec![value]) {
        Expr::Function(mut function) => {
            if let Some(list) = list(&mut function) {
                list.clauses = clauses;
            }
            Expr::Function(function)
        }
        other => other,
    }
}

fn ordered(name: &str, value: &Expr, by: &Expr, ascending: bool) -> Expr {
    with_clauses(
        name,
        value.clone(),
        vec![FunctionArgumentClause::OrderBy(vec![order(
            by.clone(),
            ascending,
        )])],
    )
}

pub(super) fn aggregate(value: Expr, order_by: Vec<OrderByExpr>, ignore: bool) -> Expr {
    let mut clauses = Vec::new();
    if ignore {
        clauses.push(FunctionArgumentClause::IgnoreOrRespectNulls(
            NullTreatment::IgnoreNulls,
        ));
    }
    if !order_by.is_empty() {
        clauses.push(FunctionArgumentClause::OrderBy(order_by));
    }
    with_clauses("array_agg", value, clauses)
}

/// `ANY_VALUE(x HAVING MAX y)`.
fn bounded(mut function: Function) -> Result<Expr, SqlError> {
    let clauses = list(&mut function)
        .map(|list| std::mem::take(&mut list.clauses))
        .unwrap_or_default();
    let mut by = Vec::new();
    for clause in clauses {
        match clause {
            FunctionArgumentClause::Having(HavingBound(kind, expr)) => {
                by.push(order(expr, matches!(kind, HavingBoundKind::Min)));
            }
            other => return Err(SqlError::unsupported(format!("ANY_VALUE with {other}"))),
        }
    }
    if by.is_empty() {
        return Ok(renamed(function, "first_value"));
    }
    if let Some(list) = list(&mut function) {
        list.clauses = vec![FunctionArgumentClause::OrderBy(by)];
    }
    Ok(renamed(function, "first_value"))
}

fn take_limit(function: &mut Function) -> Result<Option<Expr>, SqlError> {
    let Some(list) = list(function) else {
        return Ok(None);
    };
    let mut limit = None;
    let mut kept = Vec::new();
    for clause in std::mem::take(&mut list.clauses) {
        match clause {
            FunctionArgumentClause::Limit(expr) => limit = Some(expr),
            FunctionArgumentClause::Having(having) => {
                return Err(SqlError::unsupported(format!("an aggregate with {having}")));
            }
            other => kept.push(other),
        }
    }
    list.clauses = kept;
    Ok(limit)
}

fn array_agg(mut function: Function) -> Result<Expr, SqlError> {
    let limit = take_limit(&mut function)?;
    let gathered = made("empty_is_null$", vec![renamed(function, "array_agg")]);
    Ok(match limit {
        Some(limit) => made("first_items$", vec![gathered, limit]),
        None => gathered,
    })
}

/// The arrays as items of one, and then their own items.
fn concatenated(mut function: Function) -> Result<Expr, SqlError> {
    let limit = take_limit(&mut function)?;
    if let Some(list) = list(&mut function) {
        list.clauses.insert(
            0,
            FunctionArgumentClause::IgnoreOrRespectNulls(NullTreatment::IgnoreNulls),
        );
    }
    let gathered = made("empty_is_null$", vec![renamed(function, "array_agg")]);
    let gathered = match limit {
        Some(limit) => made("first_items$", vec![gathered, limit]),
        None => gathered,
    };
    Ok(made("flat$", vec![gathered]))
}

fn string_agg(mut function: Function) -> Result<Expr, SqlError> {
    let limit = take_limit(&mut function)?;
    let separator = match list(&mut function) {
        Some(list) if list.args.len() > 1 => list.args.get(1).and_then(inner).cloned(),
        _ => None,
    };
    let separator = separator.unwrap_or_else(|| text(","));
    if let Some(list) = list(&mut function) {
        list.args.truncate(1);
        if !list
            .clauses
            .iter()
            .any(|clause| matches!(clause, FunctionArgumentClause::IgnoreOrRespectNulls(_)))
        {
            list.clauses.insert(
                0,
                FunctionArgumentClause::IgnoreOrRespectNulls(NullTreatment::IgnoreNulls),
            );
        }
    }
    let mut gathered = made("empty_is_null$", vec![renamed(function, "array_agg")]);
    if let Some(limit) = limit {
        gathered = made("first_items$", vec![gathered, limit]);
    }
    Ok(made("array_to_string", vec![gathered, separator]))
}
