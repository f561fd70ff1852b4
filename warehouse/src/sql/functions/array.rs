//! Functions of ARRAY.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ReturnFieldArgs;

use super::cast;
use super::math::{compare, same_gives};
use super::row::{RowFunction, json_field, list_of, of, row};
use super::string::size;
use super::value::{V, fail};

/// The functions of this module.
pub(super) const ALL: &[RowFunction] = &[
    row("array$", "A*->A", |a| Ok(V::List(a.to_vec()))).lax().gives(|args| {
        let kind = same_gives(args)?;
        if matches!(kind.data_type(), DataType::List(_)) {
            return Err(DataFusionError::Plan("Cannot construct array with element type ARRAY because nested arrays are not supported".to_owned()));
        }
        Ok(list_of(&kind))
    }),
    row("array_length", "L->I", |a| Ok(V::Int(size(a[0].list()?.len())))),
    row("positions$", "L->@I", |a| Ok(V::List((0..size(a[0].list()?.len())).map(V::Int).collect()))),
    row("array_reverse", "L->=0", |a| Ok(V::List(a[0].list()?.iter().rev().cloned().collect()))),
    row("array_concat", "LL*->=0", |a| {
        let mut all = Vec::new();
        for list in a {
            all.extend_from_slice(list.list()?);
        }
        Ok(V::List(all))
    }).gives(one_list),
    row("array_to_string", "LS[S]->S", |a| {
        let by = a[1].str()?;
        let instead = a.get(2).map(V::str).transpose()?;
        let mut parts = Vec::new();
        for item in a[0].list()? {
            match (item, instead) {
                (V::Null, None) => {}
                (V::Null, Some(text)) => parts.push(text.to_owned()),
                (other, _) => parts.push(cast::text(other)?),
            }
        }
        Ok(V::Str(parts.join(by)))
    }),
    row("array_first", "L->#0", |a| end(a[0].list()?.first())),
    row("array_last", "L->#0", |a| end(a[0].list()?.last())),
    row("array_includes", "LA->B", |a| {
        for item in a[0].list()? {
            if *item != V::Null && compare(item, &a[1])?.is_eq() {
                return Ok(V::Bool(true));
            }
        }
        Ok(V::Bool(false))
    }),
    row("array_slice", "LII->=0", |a| {
        let list = a[0].list()?;
        let at = |index: i64| if index < 0 { size(list.len()) + index } else { index };
        let (first, last) = (at(a[1].int()?).max(0), at(a[2].int()?));
        Ok(V::List((first..=last).filter_map(|index| usize::try_from(index).ok().and_then(|index| list.get(index)).cloned()).collect()))
    }),
    row("array_is_distinct", "L->B", |a| {
        let list = a[0].list()?;
        Ok(V::Bool(list.iter().enumerate().all(|(index, item)| !list[..index].contains(item))))
    }),
    row("generate_array", "II[I]->@I|FF[F]->@F", generate),
    row("offset$", "LI->#0", |a| element(a, 0, false)),
    row("ordinal$", "LI->#0", |a| element(a, 1, false)),
    row("safe_offset$", "LI->#0", |a| element(a, 0, true)),
    row("safe_ordinal$", "LI->#0", |a| element(a, 1, true)),
    row("first_items$", "LI->=0", |a| {
        let most = usize::try_from(a[1].int()?).unwrap_or(0);
        Ok(V::List(a[0].list()?.iter().take(most).cloned().collect()))
    }),
    row("empty_is_null$", "L->=0", |a| Ok(if a[0].list()?.is_empty() { V::Null } else { a[0].clone() })),
    row("null_is_empty$", "L->=0", |a| Ok(if a[0] == V::Null { V::List(Vec::new()) } else { a[0].clone() })).lax(),
    // Around a subquery, until it is planned.
    row("subquery$", "IA->=1", |a| Ok(a[1].clone())).lax(),
    row("flat$", "L->#0", |a| {
        let mut all = Vec::new();
        for list in a[0].list()? {
            all.extend_from_slice(list.list()?);
        }
        Ok(V::List(all))
    })
    .gives(|args| match args.arg_fields[0].data_type() {
        DataType::List(inner) if matches!(inner.data_type(), DataType::List(_)) => {
            Ok(of(inner.data_type().clone()))
        }
        _ => Err(DataFusionError::Plan(
            "No matching signature for function ARRAY_CONCAT_AGG: it takes an ARRAY".to_owned(),
        )),
    }),
    row("top_count$", "LI->=0", top_count).gives(counts),
    row("quantiles$", "LI->=0", quantiles),
    row("in_array$", "AL->B", |a| {
        if a[1] == V::Null {
            return Ok(V::Bool(false));
        }
        let list = a[1].list()?;
        if a[0] == V::Null {
            return Ok(if list.is_empty() { V::Bool(false) } else { V::Null });
        }
        let mut unknown = false;
        for item in list {
            if *item == V::Null {
                unknown = true;
            } else if compare(item, &a[0])?.is_eq() {
                return Ok(V::Bool(true));
            }
        }
        Ok(if unknown { V::Null } else { V::Bool(false) })
    }).lax(),
    row("json_array", "A*->J", |a| {
        let parts = a.iter().map(super::json::text).collect::<Result<Vec<_>>>()?;
        Ok(V::Json(format!("[{}]", parts.join(","))))
    }).lax().gives(|_| Ok(json_field())),
    row("error", "S->S", |a| fail(a[0].str()?)),
];

fn one_list(args: &ReturnFieldArgs<'_>) -> Result<FieldRef> {
    let first = &args.arg_fields[0];
    let item = |field: &FieldRef| match field.data_type() {
        DataType::List(item) => item.data_type().clone(),
        other => other.clone(),
    };
    if args
        .arg_fields
        .iter()
        .any(|field| item(field) != item(first))
    {
        return Err(DataFusionError::Plan(
            "No matching signature for function ARRAY_CONCAT: its arrays are of several types"
                .to_owned(),
        ));
    }
    Ok(std::sync::Arc::clone(first))
}

fn end(item: Option<&V>) -> Result<V> {
    item.cloned().map_or_else(
        || fail("ARRAY_FIRST and ARRAY_LAST cannot get an element from an empty array"),
        Ok,
    )
}

fn element(a: &[V], base: i64, safe: bool) -> Result<V> {
    let index = a[1].int()?;
    let found = usize::try_from(index - base)
        .ok()
        .and_then(|index| a[0].list().ok()?.get(index));
    match found {
        Some(found) => Ok(found.clone()),
        None if safe => Ok(V::Null),
        None => fail(format!("Array index {index} is out of bounds")),
    }
}

fn generate(a: &[V]) -> Result<V> {
    if a.iter().all(|v| matches!(v, V::Int(_))) {
        let (first, last) = (a[0].int()?, a[1].int()?);
        let step = a.get(2).map_or(Ok(1), V::int)?;
        if step == 0 {
            return fail("Sequence step cannot be 0.");
        }
        let mut found = Vec::new();
        let mut next = Some(first);
        while let Some(at) = next {
            if (step > 0 && at > last) || (step < 0 && at < last) {
                break;
            }
            if found.len() >= 10_000_000 {
                return fail("GENERATE_ARRAY: more than ten million elements");
            }
            found.push(V::Int(at));
            next = at.checked_add(step);
        }
        return Ok(V::List(found));
    }
    let (first, last) = (a[0].float()?, a[1].float()?);
    let step = a.get(2).map_or(Ok(1.0), V::float)?;
    if step == 0.0 || !step.is_finite() || !first.is_finite() || !last.is_finite() {
        return fail("Sequence step cannot be 0.");
    }
    let mut found = Vec::new();
    for count in 0_i32..10_000_000 {
        let at = first + f64::from(count) * step;
        if (step > 0.0 && at > last) || (step < 0.0 && at < last) {
            break;
        }
        found.push(V::Float(at));
    }
    Ok(V::List(found))
}

/// Of all values in their order: the least, the greatest and what lies at the same steps between them.
fn quantiles(a: &[V]) -> Result<V> {
    let list = a[0].list()?;
    let parts = a[1].int()?;
    if parts < 1 {
        return fail("APPROX_QUANTILES: the number of quantiles must be positive");
    }
    if list.is_empty() {
        return Ok(V::Null);
    }
    let most = i128::from(size(list.len()) - 1);
    (0..=parts)
        .map(|part| {
            // To the nearest, which is what an approximation may give.
            let index = (most * i128::from(part) * 2 + i128::from(parts)) / (i128::from(parts) * 2);
            Ok(list[usize::try_from(index).unwrap_or(0)].clone())
        })
        .collect::<Result<Vec<_>>>()
        .map(V::List)
}

/// STRUCTs of an item and how often it is there.
fn counts(args: &ReturnFieldArgs<'_>) -> Result<FieldRef> {
    let DataType::List(item) = args.arg_fields[0].data_type() else {
        return Ok(Arc::clone(&args.arg_fields[0]));
    };
    let fields = vec![
        item.as_ref().clone().with_name("value"),
        Field::new("count", DataType::Int64, true),
    ];
    Ok(list_of(&Field::new(
        "item",
        DataType::Struct(fields.into()),
        true,
    )))
}

/// Of all values in their order: those that are there most often, and how often.
fn top_count(a: &[V]) -> Result<V> {
    let most = a[1].int()?;
    if most < 1 {
        return fail("APPROX_TOP_COUNT: the number of values must be positive");
    }
    let mut found: Vec<(&V, i64)> = Vec::new();
    for item in a[0].list()? {
        match found.last_mut() {
            Some((last, count)) if *last == item => *count += 1,
            _ => found.push((item, 1)),
        }
    }
    found.sort_by_key(|(_, count)| -count);
    found.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    found
        .into_iter()
        .map(|(value, count)| Ok(V::Record(vec![value.clone(), V::Int(count)])))
        .collect::<Result<Vec<_>>>()
        .map(V::List)
}
