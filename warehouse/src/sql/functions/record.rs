//! Functions of STRUCT, which `SELECT AS STRUCT *` becomes.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ReturnFieldArgs;
use datafusion::scalar::ScalarValue;

use super::row::{RowFunction, of, row};
use super::shape;
use super::value::{V, fail};

/// The functions of this module.
pub(super) const ALL: &[RowFunction] = &[
    row("record$", "A->=0", |a| Ok(a[0].clone())).gives(|args| {
        fields(args)?;
        Ok(Arc::clone(&args.arg_fields[0]))
    }),
    row("without$", "AS*->=0", |a| {
        let (fields, values) = values(&a[0])?;
        let kept = fields.iter().zip(values).filter(|(field, _)| {
            !a[1..]
                .iter()
                .any(|name| name.str().is_ok_and(|name| same(field, name)))
        });
        Ok(V::Record(kept.map(|(_, value)| value).collect()))
    })
    .gives(|args| {
        let fields = fields(args)?;
        let mut gone = Vec::new();
        for at in 1..args.arg_fields.len() {
            let name = name(args, at)?;
            if !fields.iter().any(|field| same(field, name)) {
                return Err(missing(name));
            }
            gone.push(name);
        }
        let kept: Fields = fields
            .iter()
            .filter(|field| !gone.iter().any(|name| same(field, name)))
            .cloned()
            .collect();
        if kept.is_empty() {
            return Err(DataFusionError::Plan(
                "SELECT * EXCEPT leaves no column".to_owned(),
            ));
        }
        Ok(of(DataType::Struct(kept)))
    }),
    row("with$", "AA*->=0", |a| {
        let V::Other(ScalarValue::Struct(_)) = &a[0] else {
            return Ok(V::Null);
        };
        let (fields, mut values) = values(&a[0])?;
        for pair in a[1..].chunks(2) {
            let [name, value] = pair else { continue };
            let replaced = name.str()?.strip_prefix('=');
            let at = replaced.and_then(|name| fields.iter().position(|field| same(field, name)));
            match at {
                Some(at) => values[at] = value.clone(),
                None => values.push(value.clone()),
            }
        }
        Ok(V::Record(values))
    })
    .lax()
    .gives(|args| {
        let mut all: Vec<FieldRef> = fields(args)?.iter().cloned().collect();
        for at in (1..args.arg_fields.len()).step_by(2) {
            let name = name(args, at)?;
            let Some(given) = args.arg_fields.get(at + 1) else {
                break;
            };
            let (sign, bare) = name.split_at(1);
            let known = all.iter().position(|field| same(field, bare));
            let given = match given.data_type() {
                DataType::Null => of(DataType::Int64).as_ref().clone(),
                _ => given.as_ref().clone(),
            };
            let field = Arc::new(given.with_name(bare).with_nullable(true));
            match (sign, known) {
                ("=", Some(at)) => all[at] = field,
                ("=", None) => return Err(missing(bare)),
                (_, Some(_)) => {
                    return Err(DataFusionError::Plan(format!(
                        "Duplicate column name {bare} in SELECT AS STRUCT"
                    )));
                }
                (_, None) => all.push(field),
            }
        }
        Ok(of(DataType::Struct(all.into())))
    }),
];

fn same(field: &Field, name: &str) -> bool {
    field.name().eq_ignore_ascii_case(name)
}

fn missing(name: &str) -> DataFusionError {
    DataFusionError::Plan(format!("Column {name} in SELECT * is not there"))
}

fn fields<'a>(args: &'a ReturnFieldArgs<'_>) -> Result<&'a Fields> {
    match args.arg_fields[0].data_type() {
        DataType::Struct(fields) => Ok(fields),
        _ => Err(DataFusionError::NotImplemented(
            "The sandbox does not cover SELECT AS STRUCT * of an array whose items are no STRUCTs"
                .to_owned(),
        )),
    }
}

fn name<'a>(args: &ReturnFieldArgs<'a>, at: usize) -> Result<&'a str> {
    match args.scalar_arguments.get(at) {
        Some(Some(ScalarValue::Utf8(Some(name)))) => Ok(name),
        _ => Err(DataFusionError::Internal("a name is expected".to_owned())),
    }
}

fn values(record: &V) -> Result<(Fields, Vec<V>)> {
    match record {
        V::Other(ScalarValue::Struct(found)) => Ok((found.fields().clone(), shape::values(found)?)),
        _ => fail("a STRUCT is expected"),
    }
}
