//! Operators and paths as `BigQuery` means them.

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{DFSchema, TableReference};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions::core::expr_ext::FieldAccessor;
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr,
};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess, lit};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::functions::{scalar, type_name};

/// Plans operators as calls of functions of our own.
#[derive(Debug)]
pub(crate) struct Operators;

pub(crate) fn call(name: &str, args: Vec<Expr>) -> Result<Expr> {
    match scalar(name) {
        Some(function) => Ok(function.call(args)),
        None => Err(DataFusionError::Internal(format!("no function {name}"))),
    }
}

fn family(field: &Field) -> u8 {
    match field.data_type() {
        DataType::Null => 0,
        DataType::Int64 | DataType::Int32 | DataType::UInt64 | DataType::Float64 => 1,
        kind if kind.is_decimal() => 1,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => 2,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => 3,
        DataType::Boolean => 4,
        DataType::Date32 => 5,
        DataType::Timestamp(_, None) => 6,
        DataType::Timestamp(_, Some(_)) => 7,
        DataType::Time64(_) => 8,
        DataType::Struct(_) => 9,
        _ => 10,
    }
}

/// Whether two fields have a type that both are read as.
pub(crate) fn comparable(left: &Field, right: &Field) -> bool {
    let (a, b) = (family(left), family(right));
    a == 0 || b == 0 || a == b || (a.min(b) == 5 && a.max(b) == 6)
}

fn literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(ScalarValue::Utf8(Some(_)), _))
}

/// A literal STRING beside a day or an instant is read as one.
fn read_literal(expr: Expr, other: &Field) -> Result<Expr> {
    let kind = match family(other) {
        5 => "DATE",
        6 => "DATETIME",
        7 => "TIMESTAMP",
        8 => "TIME",
        _ => return Ok(expr),
    };
    call("cast_to", vec![expr, lit(kind)])
}

impl ExprPlanner for Operators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator as Op;
        let RawBinaryExpr { op, left, right } = expr;
        let name = match op {
            Op::Plus => "add$",
            Op::Minus => "subtract$",
            Op::Multiply => "multiply$",
            Op::Divide => "divide$",
            Op::StringConcat => "concat",
            Op::BitwiseAnd => "bit_and$",
            Op::BitwiseOr => "bit_or$",
            Op::BitwiseXor => "bit_xor$",
            Op::PGBitwiseShiftLeft => "shift_left$",
            Op::PGBitwiseShiftRight => "shift_right$",
            Op::Modulo => {
                return Err(DataFusionError::Plan(
                    "Syntax error: Unexpected \"%\"; use MOD".to_owned(),
                ));
            }
            Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq => {
                return compared(op, left, right, schema);
            }
            _ => return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right })),
        };
        Ok(PlannerResult::Planned(call(name, vec![left, right])?))
    }

    fn plan_field_access(
        &self,
        expr: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let RawFieldAccessExpr { field_access, expr } = expr;
        let (_, field) = expr.to_field(schema)?;
        let json = type_name(&field) == "JSON";
        let planned = match field_access {
            GetFieldAccess::NamedStructField { name } => {
                let name = match name {
                    ScalarValue::Utf8(Some(name)) => name,
                    other => other.to_string(),
                };
                if json {
                    call("json_field$", vec![expr, lit(name)])?
                } else {
                    step(expr, &field, &name)?
                }
            }
            GetFieldAccess::ListIndex { key } if json => call("json_field$", vec![expr, *key])?,
            GetFieldAccess::ListIndex { key } => call("offset$", vec![expr, *key])?,
            other => {
                return Ok(PlannerResult::Original(RawFieldAccessExpr {
                    field_access: other,
                    expr,
                }));
            }
        };
        Ok(PlannerResult::Planned(planned))
    }

    fn plan_compound_identifier(
        &self,
        field: &Field,
        qualifier: Option<&TableReference>,
        nested_names: &[String],
    ) -> Result<PlannerResult<Vec<Expr>>> {
        let mut expr = Expr::from((qualifier, &std::sync::Arc::new(field.clone())));
        let mut at = field.clone();
        for name in nested_names {
            if type_name(&at) == "JSON" {
                expr = call("json_field$", vec![expr, lit(name.clone())])?;
                continue;
            }
            let inner = inner_field(&at, name)?;
            expr = expr.field(inner.name().clone());
            at = inner;
        }
        Ok(PlannerResult::Planned(expr))
    }
}

fn inner_field(field: &Field, name: &str) -> Result<Field> {
    let DataType::Struct(fields) = field.data_type() else {
        return Err(DataFusionError::Plan(format!(
            "Cannot access field {name} on a value with type {}",
            type_name(field)
        )));
    };
    match fields
        .iter()
        .find(|inner| inner.name().eq_ignore_ascii_case(name))
    {
        Some(inner) => Ok(inner.as_ref().clone()),
        None => Err(DataFusionError::Plan(format!(
            "Field name {name} does not exist in {}",
            type_name(field)
        ))),
    }
}

fn step(expr: Expr, field: &Field, name: &str) -> Result<Expr> {
    let inner = inner_field(field, name)?;
    Ok(expr.field(inner.name().clone()))
}

fn compared(
    op: BinaryOperator,
    left: Expr,
    right: Expr,
    schema: &DFSchema,
) -> Result<PlannerResult<RawBinaryExpr>> {
    let (Ok((_, a)), Ok((_, b))) = (left.to_field(schema), right.to_field(schema)) else {
        return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
    };
    if comparable(&a, &b) {
        return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
    }
    let (left, right) = if literal(&left) && family(&b) >= 5 && family(&b) <= 8 {
        (read_literal(left, &b)?, right)
    } else if literal(&right) && family(&a) >= 5 && family(&a) <= 8 {
        (left, read_literal(right, &a)?)
    } else {
        return Err(DataFusionError::Plan(format!(
            "No matching signature for operator {op} for argument types: {}, {}",
            type_name(&a),
            type_name(&b)
        )));
    };
    Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
}
