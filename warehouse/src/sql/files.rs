//! `read_parquet`, `read_csv` and `read_json` in FROM: files of Cloud Storage as tables.

use datafusion::prelude::DataFrame;
use datafusion::sql::sqlparser::ast::{
    Array, BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName,
    TableFunctionArgs, Value,
};

use super::catalog::Relation;
use super::engine::Engine;
use super::error::SqlError;
use super::parse::Words;
use super::rewrite::Context;
use super::session::Session;
use crate::load::{CsvOptions, Files, Format, HiveMode, HiveOptions};

/// What a function that stands for files reads.
pub(crate) fn files(
    name: &ObjectName,
    args: &TableFunctionArgs,
    context: &Context,
) -> Result<Files, SqlError> {
    let function = name.to_string().to_lowercase();
    let function = function.trim_matches(['`', '"']);
    let mut found = Files {
        uris: Vec::new(),
        format: match function {
            "read_parquet" => Format::Parquet {
                list_inference: true,
            },
            "read_csv" => Format::Csv(CsvOptions::default()),
            "read_json" => Format::Json,
            _ => {
                return Err(SqlError::invalid(format!(
                    "Table-valued function not found: {name}"
                )));
            }
        },
        hive: None,
    };
    for arg in &args.args {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) if found.uris.is_empty() => {
                found.uris = texts(expr, context).ok_or_else(|| no_text(function))?;
            }
            FunctionArg::Named {
                name,
                arg: FunctionArgExpr::Expr(expr),
                ..
            } => option(&mut found, &name.value.to_lowercase(), expr, context).ok_or_else(
                || {
                    SqlError::invalid(format!(
                        "{function} does not take {name} => {expr}; it takes hive => 'gs://bucket/folder', and read_csv delimiter, quote, skip and null_marker"
                    ))
                },
            )?,
            _ => return Err(no_text(function)),
        }
    }
    if found.uris.is_empty() {
        return Err(no_text(function));
    }
    Ok(found)
}

fn no_text(function: &str) -> SqlError {
    SqlError::invalid(format!(
        "{function} takes an address as text or several in brackets, made of literals, parameters, || and CONCAT: {function}('gs://bucket/path*')"
    ))
}

/// Sets an option by its name.
fn option(files: &mut Files, name: &str, expr: &Expr, context: &Context) -> Option<()> {
    let text = text(expr, context)?;
    match (name, &mut files.format) {
        ("hive", _) => {
            files.hive = Some(HiveOptions {
                mode: HiveMode::Auto,
                prefix: text.trim_end_matches('/').to_owned(),
            });
        }
        ("delimiter", Format::Csv(options)) => {
            let text = if text == "\\t" { "\t" } else { text.as_str() };
            options.delimiter = one(text)?;
        }
        ("quote", Format::Csv(options)) => {
            options.quote = if text.is_empty() {
                None
            } else {
                Some(one(&text)?)
            };
        }
        ("skip", Format::Csv(options)) => options.skip = Some(text.parse().ok()?),
        ("null_marker", Format::Csv(options)) => options.null_marker = Some(text),
        _ => return None,
    }
    Some(())
}

fn one(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

fn texts(expr: &Expr, context: &Context) -> Option<Vec<String>> {
    match expr {
        Expr::Array(Array { elem, .. }) => elem.iter().map(|one| text(one, context)).collect(),
        expr => text(expr, context).map(|text| vec![text]),
    }
}

/// The text that an expression is without any row.
fn text(expr: &Expr, context: &Context) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => Some(number.clone()),
            value => value.clone().into_string(),
        },
        Expr::Nested(inner) => text(inner, context),
        Expr::Identifier(name) => {
            let value = context.values.get(&name.value.to_lowercase())?;
            text(value, context)
        }
        Expr::BinaryOp {
            left,
            op: BinaryOperator::StringConcat,
            right,
        } => Some(text(left, context)? + &text(right, context)?),
        Expr::Function(function) => {
            let FunctionArguments::List(list) = &function.args else {
                return None;
            };
            let mut args = list.args.iter().map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => text(expr, context),
                _ => None,
            });
            let name = function.name.to_string().to_lowercase();
            match name.trim_matches(['`', '"']) {
                // How values of parameters are written.
                "cast_to" => args.next()?,
                "concat" => args.collect::<Option<String>>(),
                _ => None,
            }
        }
        _ => None,
    }
}

impl Engine {
    /// Gives a session the rows of files under a name.
    pub(super) async fn register_files(
        &self,
        files: &Files,
        planned: &str,
        session: &mut Session,
    ) -> Result<(), SqlError> {
        let Relation::Rows(provider, bytes) = self.catalog().files(files).await? else {
            return Err(SqlError::unsupported("files that are no rows"));
        };
        session.bytes += bytes;
        let frame: DataFrame = session
            .ctx
            .read_table(provider)
            .map_err(|error| SqlError::from_engine(&error, &Words::default()))?;
        session.add(frame, planned)
    }
}
