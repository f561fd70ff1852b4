//! Conditions of rows, as suites have them: objects since 1.4, `col("status") == "paid"` before.

use serde_json::Value;

use super::super::condition::{Comparison, Condition};
use super::super::literal::Literal;

/// Reads a condition.
///
/// # Errors
/// It is in a language that is not known here.
pub(super) fn read(condition: &Value, parser: Option<&str>) -> Result<Condition, String> {
    match condition {
        Value::Object(_) => object(condition),
        Value::String(text) => match parser {
            Some("great_expectations" | "great_expectations__experimental__") => words(text)
                .ok_or_else(|| {
                    format!("its condition `{text}` is not of the form `col(\"name\") == value`")
                }),
            // Their own name for SQL in dbt-expectations.
            None | Some("sql") => Ok(Condition::Sql(text.clone())),
            Some(other) => Err(format!(
                "its condition `{text}` is written for `{other}`, which no database speaks: write it as \
                 `col(\"name\") == value` with `condition_parser` `great_expectations`"
            )),
        },
        _ => Err("its `row_condition` is no condition".to_owned()),
    }
}

fn sign(sign: &str) -> Option<Comparison> {
    Some(match sign {
        "==" => Comparison::Equals,
        "!=" => Comparison::Differs,
        "<" => Comparison::Less,
        "<=" => Comparison::AtMost,
        ">" => Comparison::More,
        ">=" => Comparison::AtLeast,
        _ => return None,
    })
}

fn object(condition: &Value) -> Result<Condition, String> {
    let wrong = || format!("its condition {condition} is not known");
    let text = |name: &str| condition.get(name).and_then(Value::as_str);
    let column = || {
        let column = condition.get("column")?;
        let name = column.as_str().or_else(|| column.get("name")?.as_str())?;
        Some(name.to_owned())
    };
    let parts = || -> Result<Vec<Condition>, String> {
        let parts = condition.get("conditions").and_then(Value::as_array);
        parts.ok_or_else(wrong)?.iter().map(object).collect()
    };
    Ok(match text("type").ok_or_else(wrong)? {
        "and" => Condition::All(parts()?),
        "or" => Condition::Any(parts()?),
        "nullity" => {
            let column = column().ok_or_else(wrong)?;
            match condition.get("is_null").and_then(Value::as_bool) {
                Some(true) => Condition::Missing(column),
                Some(false) => Condition::Present(column),
                None => return Err(wrong()),
            }
        }
        "comparison" => {
            let column = column().ok_or_else(wrong)?;
            let operator = text("operator").ok_or_else(wrong)?;
            let parameter = condition.get("parameter").ok_or_else(wrong)?;
            if let ("IN" | "NOT_IN", Some(values)) = (operator, parameter.as_array()) {
                let values: Option<Vec<Literal>> = values.iter().map(Literal::of_json).collect();
                let values = values.ok_or_else(wrong)?;
                return Ok(if operator == "IN" {
                    Condition::OneOf { column, values }
                } else {
                    Condition::NoneOf { column, values }
                });
            }
            Condition::Compare {
                column,
                with: sign(operator).ok_or_else(wrong)?,
                value: Literal::of_json(parameter).ok_or_else(wrong)?,
            }
        }
        _ => return Err(wrong()),
    })
}

/// `col("status") == "paid"` or `col("status").notNull()`.
fn words(text: &str) -> Option<Condition> {
    let rest = text.trim().strip_prefix("col(")?;
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (name, rest) = rest[1..].split_once(quote)?;
    let rest = rest.trim_start().strip_prefix(')')?.trim();
    let column = name.to_owned();
    if rest == ".notNull()" {
        return Some(Condition::Present(column));
    }
    let (with, value) = ["==", "!=", "<=", ">=", "<", ">"]
        .into_iter()
        .find_map(|word| Some((sign(word)?, rest.strip_prefix(word)?.trim())))?;
    let quoted = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    let value = match quoted {
        Some(text) => Literal::Text(text.to_owned()),
        None => value
            .parse::<i64>()
            .map(Literal::Int)
            .or_else(|_| value.parse::<f64>().map(Literal::from))
            .ok()?,
    };
    Some(Condition::Compare {
        column,
        with,
        value,
    })
}
