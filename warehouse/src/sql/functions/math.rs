//! Arithmetic: nothing wraps, `/` never truncates, and rounding is half away from zero.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef, i256};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ReturnFieldArgs;

use super::cast;
use super::civil;
use super::row::{RowFunction, of, row, type_name};
use super::value::{BIG, NANO, NUMERIC, V, divide_half_away, fail, numeric_to_float};

/// The functions of this module.
pub(super) const ALL: &[RowFunction] = &[
    row("add$", "DI->D|ID->D|FF->F", |a| arithmetic(a, '+')).gives(sum_gives),
    row("subtract$", "DI->D|FF->F", |a| arithmetic(a, '-')).gives(sum_gives),
    row("multiply$", "FF->F", |a| arithmetic(a, '*')).gives(number_gives),
    row("divide$", "FF->F", |a| arithmetic(a, '/')).gives(quotient_gives),
    row("negate$", "F->F", |a| {
        arithmetic(&[V::Int(0), a[0].clone()], '-')
    })
    .gives(number_gives),
    row("safe_add", "FF->F", |a| {
        Ok(arithmetic(a, '+').unwrap_or(V::Null))
    })
    .gives(number_gives),
    row("safe_subtract", "FF->F", |a| {
        Ok(arithmetic(a, '-').unwrap_or(V::Null))
    })
    .gives(number_gives),
    row("safe_multiply", "FF->F", |a| {
        Ok(arithmetic(a, '*').unwrap_or(V::Null))
    })
    .gives(number_gives),
    row("safe_divide", "FF->F", |a| {
        Ok(arithmetic(a, '/').unwrap_or(V::Null))
    })
    .gives(quotient_gives),
    row("safe_negate", "F->F", |a| {
        Ok(arithmetic(&[V::Int(0), a[0].clone()], '-').unwrap_or(V::Null))
    })
    .gives(number_gives),
    row("div", "II->I|NN->N", div).gives(number_gives),
    row("mod", "II->I|NN->N", modulo).gives(number_gives),
    row("ieee_divide", "FF->F", |a| {
        Ok(V::Float(a[0].float()? / a[1].float()?))
    }),
    row("abs", "F->F", abs).gives(number_gives),
    row("sign", "F->F", sign).gives(number_gives),
    row("round", "F[IS]->F", |a| round(a, Way::HalfAway)).gives(rounded_gives),
    row("trunc", "F[I]->F", |a| round(a, Way::Zero)).gives(rounded_gives),
    row("ceil", "F->F", |a| round(a, Way::Up)).gives(rounded_gives),
    row("floor", "F->F", |a| round(a, Way::Down)).gives(rounded_gives),
    row("sqrt", "F->F", |a| finite("SQRT", a[0].float()?, f64::sqrt)),
    row("cbrt", "F->F", |a| finite("CBRT", a[0].float()?, f64::cbrt)),
    row("exp", "F->F", |a| finite("EXP", a[0].float()?, f64::exp)),
    row("ln", "F->F", |a| finite("LN", a[0].float()?, f64::ln)),
    row("log10", "F->F", |a| {
        finite("LOG10", a[0].float()?, f64::log10)
    }),
    row("log", "F[F]->F", |a| {
        let base = a.get(1).map(V::float).transpose()?;
        finite("LOG", a[0].float()?, |v| {
            base.map_or_else(|| v.ln(), |base| v.ln() / base.ln())
        })
    }),
    row("pow", "FF->F", |a| {
        let power = a[1].float()?;
        finite("POW", a[0].float()?, |v| v.powf(power))
    }),
    row("sin", "F->F", |a| Ok(V::Float(a[0].float()?.sin()))),
    row("cos", "F->F", |a| Ok(V::Float(a[0].float()?.cos()))),
    row("tan", "F->F", |a| Ok(V::Float(a[0].float()?.tan()))),
    row("asin", "F->F", |a| finite("ASIN", a[0].float()?, f64::asin)),
    row("acos", "F->F", |a| finite("ACOS", a[0].float()?, f64::acos)),
    row("atan", "F->F", |a| Ok(V::Float(a[0].float()?.atan()))),
    row("atan2", "FF->F", |a| {
        Ok(V::Float(a[0].float()?.atan2(a[1].float()?)))
    }),
    row("is_nan", "F->B", |a| Ok(V::Bool(a[0].float()?.is_nan()))),
    row("is_inf", "F->B", |a| {
        Ok(V::Bool(a[0].float()?.is_infinite()))
    }),
    row("greatest", "AA*->A", |a| extreme(a, true)).gives(same_gives),
    row("least", "AA*->A", |a| extreme(a, false)).gives(same_gives),
    row("bit_count", "I->I", |a| {
        Ok(V::Int(a[0].int()?.count_ones().into()))
    }),
    row("bit_and$", "II->I", |a| {
        Ok(V::Int(a[0].int()? & a[1].int()?))
    }),
    row("bit_or$", "II->I", |a| {
        Ok(V::Int(a[0].int()? | a[1].int()?))
    }),
    row("bit_xor$", "II->I", |a| {
        Ok(V::Int(a[0].int()? ^ a[1].int()?))
    }),
    row("bit_not$", "I->I", |a| Ok(V::Int(!a[0].int()?))),
    row("shift_left$", "II->I", |a| {
        shifted(a, |v, by| v.checked_shl(by).unwrap_or(0))
    }),
    row("shift_right$", "II->I", |a| {
        shifted(a, |v, by| ((v as u64).checked_shr(by).unwrap_or(0)) as i64)
    }),
    row("range_bucket", "AL->I", |a| {
        let point = &a[0];
        let mut count = 0;
        for bound in a[1].list()? {
            if compare(bound, point)? == std::cmp::Ordering::Greater {
                break;
            }
            count += 1;
        }
        Ok(V::Int(count))
    }),
    row("numeric$", "N->N|G->G|F->F", |a| Ok(a[0].clone())).gives(number_gives),
];

fn shifted(a: &[V], by: fn(i64, u32) -> i64) -> Result<V> {
    match u32::try_from(a[1].int()?) {
        Ok(count) => Ok(V::Int(by(a[0].int()?, count))),
        Err(_) => fail("Bitwise binary shift by negative offset"),
    }
}

/// The widest of the numbers' types.
fn number_gives(args: &ReturnFieldArgs<'_>) -> Result<FieldRef> {
    let mut kind = DataType::Int64;
    let rank = |kind: &DataType| match kind {
        DataType::Float64 | DataType::Float32 => 3,
        DataType::Decimal256(..) => 2,
        DataType::Decimal128(..) => 1,
        _ => 0,
    };
    for field in args.arg_fields {
        let next = match field.data_type() {
            DataType::Float64 | DataType::Float32 => DataType::Float64,
            DataType::Decimal256(..) => BIG,
            DataType::Decimal128(..) => NUMERIC,
            _ => DataType::Int64,
        };
        if rank(&next) > rank(&kind) {
            kind = next;
        }
    }
    Ok(of(kind))
}

fn sum_gives(args: &ReturnFieldArgs<'_>) -> Result<FieldRef> {
    let day = args
        .arg_fields
        .iter()
        .any(|field| matches!(field.data_type(), DataType::Date32));
    if day {
        Ok(of(DataType::Date32))
    } else {
        number_gives(args)
    }
}

/// INT64 divided by INT64 is FLOAT64.
fn quotient_gives(args: &ReturnFieldArgs<'_>) -> Result<FieldRef> {
    let field = number_gives(args)?;
    Ok(if field.data_type() == &DataType::Int64 {
        of(DataType::Float64)
    } else {
        field
    })
}

/// ROUND of INT64 is FLOAT64.
fn rounded_gives(args: &ReturnFieldArgs<'_>) -> Result<FieldRef> {
    Ok(match args.arg_fields[0].data_type() {
        DataType::Decimal128(..) => of(NUMERIC),
        DataType::Decimal256(..) => of(BIG),
        _ => of(DataType::Float64),
    })
}

/// The type that all of them have.
pub(super) fn same_gives(args: &ReturnFieldArgs<'_>) -> Result<FieldRef> {
    let mut known: Option<FieldRef> = None;
    let numeric = |field: &FieldRef| {
        matches!(field.data_type(), DataType::Int64 | DataType::Float64)
            || field.data_type().is_decimal()
    };
    if args
        .arg_fields
        .iter()
        .all(|field| numeric(field) || matches!(field.data_type(), DataType::Null))
    {
        return number_gives(args);
    }
    for field in args.arg_fields {
        if matches!(field.data_type(), DataType::Null) {
            continue;
        }
        let Some(first) = &known else {
            known = Some(Arc::clone(field));
            continue;
        };
        let both = if first.data_type() == field.data_type() {
            Some(Arc::clone(first))
        } else if matches!(first.data_type(), DataType::Struct(_)) {
            super::shape::both(first, field)
        } else {
            None
        };
        if both.is_none() {
            return Err(DataFusionError::Plan(format!(
                "No matching signature: {} and {} have no common type",
                type_name(first),
                type_name(field)
            )));
        }
        known = both;
    }
    Ok(known.unwrap_or_else(|| of(DataType::Int64)))
}

fn overflow<T>(kind: &str, a: &[V], sign: char) -> Result<T> {
    let show = |v: &V| cast::text(v).unwrap_or_default();
    fail(format!(
        "{kind} overflow: {} {sign} {}",
        show(&a[0]),
        show(&a[1])
    ))
}

fn arithmetic(a: &[V], sign: char) -> Result<V> {
    match (&a[0], &a[1]) {
        (V::Date(_), V::Int(_)) | (V::Int(_), V::Date(_)) => dates(a, sign),
        (V::Float(_), _) | (_, V::Float(_)) => floats(a, sign),
        (V::Int(_), V::Int(_)) if sign == '/' => floats(a, sign),
        (V::Int(left), V::Int(right)) => {
            let found = match sign {
                '+' => left.checked_add(*right),
                '-' => left.checked_sub(*right),
                _ => left.checked_mul(*right),
            };
            found.map_or_else(|| overflow("int64", a, sign), |v| Ok(V::Int(v)))
        }
        (V::Big(_), _) | (_, V::Big(_)) => bigs(a, sign),
        _ => numerics(a, sign),
    }
}

fn dates(a: &[V], sign: char) -> Result<V> {
    let (day, count) = match (&a[0], &a[1]) {
        (V::Date(day), V::Int(count)) => (*day, if sign == '-' { -*count } else { *count }),
        (V::Int(count), V::Date(day)) => (*day, *count),
        _ => return fail("no DATE"),
    };
    let moved = i32::try_from(i64::from(day).saturating_add(count))
        .or_else(|_| fail("DATE out of range"))?;
    civil::day(moved)?;
    Ok(V::Date(moved))
}

fn floats(a: &[V], sign: char) -> Result<V> {
    let (left, right) = (a[0].float()?, a[1].float()?);
    let found = match sign {
        '+' => left + right,
        '-' => left - right,
        '*' => left * right,
        _ if right == 0.0 => return division(a),
        _ => left / right,
    };
    if !found.is_finite() && left.is_finite() && right.is_finite() {
        return overflow("double", a, sign);
    }
    Ok(V::Float(found))
}

fn division<T>(a: &[V]) -> Result<T> {
    fail(format!(
        "division by zero: {} / {}",
        cast::text(&a[0]).unwrap_or_default(),
        cast::text(&a[1]).unwrap_or_default()
    ))
}

fn numerics(a: &[V], sign: char) -> Result<V> {
    let (left, right) = (cast::numeric(&a[0])?, cast::numeric(&a[1])?);
    let limit = 10_i128.pow(38);
    let found = match sign {
        '+' => left.checked_add(right),
        '-' => left.checked_sub(right),
        '*' => wide_divide(
            i256::from_i128(left).wrapping_mul(i256::from_i128(right)),
            i256::from_i128(NANO),
        )
        .to_i128(),
        _ if right == 0 => return division(a),
        _ => wide_divide(
            i256::from_i128(left).wrapping_mul(i256::from_i128(NANO)),
            i256::from_i128(right),
        )
        .to_i128(),
    };
    match found {
        Some(v) if v.abs() < limit => Ok(V::Numeric(v)),
        _ => overflow("numeric", a, sign),
    }
}

/// A quotient, half away from zero.
fn wide_divide(v: i256, by: i256) -> i256 {
    let (quotient, rest) = (v.wrapping_div(by), v.wrapping_rem(by));
    let (rest, size) = (rest.wrapping_abs(), by.wrapping_abs());
    if rest >= size.wrapping_sub(rest) {
        let one = i256::from_i128(1);
        if v.is_negative() == by.is_negative() {
            quotient.wrapping_add(one)
        } else {
            quotient.wrapping_sub(one)
        }
    } else {
        quotient
    }
}

fn bigs(a: &[V], sign: char) -> Result<V> {
    let (left, right) = (cast::big(&a[0])?, cast::big(&a[1])?);
    let found = match sign {
        '+' => left.checked_add(right),
        '-' => left.checked_sub(right),
        // A product of 76 digits needs more than 256 bits on its way, and is refused where it has not got them.
        '*' => {
            let unit = i256::from_i128(10).wrapping_pow(19);
            let exact =
                left.wrapping_rem(unit) == i256::ZERO && right.wrapping_rem(unit) == i256::ZERO;
            if exact {
                left.wrapping_div(unit)
                    .checked_mul(right.wrapping_div(unit))
            } else {
                return fail(
                    "BIGNUMERIC products with more than 19 digits behind the point are not covered here",
                );
            }
        }
        _ => return fail("Division of BIGNUMERIC is not covered here; cast to NUMERIC or FLOAT64"),
    };
    found.map_or_else(|| overflow("BIGNUMERIC", a, sign), |v| Ok(V::Big(v)))
}

fn div(a: &[V]) -> Result<V> {
    if let (V::Int(left), V::Int(right)) = (&a[0], &a[1]) {
        if *right == 0 {
            return division(a);
        }
        return left
            .checked_div(*right)
            .map_or_else(|| overflow("int64", a, '/'), |v| Ok(V::Int(v)));
    }
    let (left, right) = (cast::numeric(&a[0])?, cast::numeric(&a[1])?);
    if right == 0 {
        return division(a);
    }
    (left / right)
        .checked_mul(NANO)
        .map_or_else(|| overflow("numeric", a, '/'), |v| Ok(V::Numeric(v)))
}

fn modulo(a: &[V]) -> Result<V> {
    if let (V::Int(left), V::Int(right)) = (&a[0], &a[1]) {
        if *right == 0 {
            return division(a);
        }
        return Ok(V::Int(left.checked_rem(*right).unwrap_or(0)));
    }
    let (left, right) = (cast::numeric(&a[0])?, cast::numeric(&a[1])?);
    if right == 0 {
        division(a)
    } else {
        Ok(V::Numeric(left % right))
    }
}

fn abs(a: &[V]) -> Result<V> {
    Ok(match &a[0] {
        V::Int(v) => match v.checked_abs() {
            Some(v) => V::Int(v),
            None => return fail(format!("int64 overflow: ABS({v})")),
        },
        V::Float(v) => V::Float(v.abs()),
        V::Numeric(v) => V::Numeric(v.abs()),
        V::Big(v) => V::Big(v.wrapping_abs()),
        other => return fail(format!("{other:?} is no number")),
    })
}

fn sign(a: &[V]) -> Result<V> {
    Ok(match &a[0] {
        V::Int(v) => V::Int(v.signum()),
        V::Float(v) if *v == 0.0 || v.is_nan() => V::Float(*v),
        V::Float(v) => V::Float(v.signum()),
        V::Numeric(v) => V::Numeric(v.signum() * NANO),
        other => return fail(format!("SIGN of {other:?} is not covered here")),
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    HalfAway,
    Zero,
    Up,
    Down,
}

fn round(a: &[V], way: Way) -> Result<V> {
    let places = a.get(1).map_or(Ok(0), V::int)?;
    let mode = a.get(2).map_or(Ok("ROUND_HALF_AWAY_FROM_ZERO"), V::str)?;
    match &a[0] {
        V::Numeric(v) => round_numeric(*v, places, way, mode),
        V::Big(v) => {
            if i64::from(v.is_negative()) < 0 || way != Way::HalfAway {
                return fail("Rounding of BIGNUMERIC other than by ROUND is not covered here");
            }
            let unit = i256::from_i128(10)
                .wrapping_pow(u32::try_from((38 - places).clamp(0, 75)).unwrap_or(0));
            Ok(V::Big(wide_divide(*v, unit).wrapping_mul(unit)))
        }
        other if mode == "ROUND_HALF_AWAY_FROM_ZERO" => {
            Ok(V::Float(round_float(other.float()?, places, way)?))
        }
        _ => fail("A rounding mode needs NUMERIC or BIGNUMERIC"),
    }
}

fn round_numeric(v: i128, places: i64, way: Way, mode: &str) -> Result<V> {
    let digits = u32::try_from((9 - places).clamp(0, 38)).unwrap_or(0);
    let unit = 10_i128.pow(digits);
    let low = v.div_euclid(unit);
    let whole = v.rem_euclid(unit) == 0;
    let found = match (way, mode) {
        (Way::HalfAway, "ROUND_HALF_EVEN") => {
            let double = v.rem_euclid(unit) * 2;
            if double > unit || (double == unit && low % 2 != 0) {
                low + 1
            } else {
                low
            }
        }
        (Way::HalfAway, "ROUND_HALF_AWAY_FROM_ZERO") => divide_half_away(v, unit),
        (Way::HalfAway, other) => return fail(format!("Invalid rounding mode: {other}")),
        (Way::Zero, _) => v / unit,
        (Way::Up, _) => {
            if whole {
                low
            } else {
                low + 1
            }
        }
        (Way::Down, _) => low,
    };
    match found.checked_mul(unit) {
        Some(v) if v.abs() < 10_i128.pow(38) => Ok(V::Numeric(v)),
        _ => fail("numeric overflow: ROUND"),
    }
}

fn round_float(v: f64, places: i64, way: Way) -> Result<f64> {
    if !v.is_finite() {
        return Ok(v);
    }
    let whole = |v: f64| match way {
        Way::HalfAway => v.round(),
        Way::Zero => v.trunc(),
        Way::Up => v.ceil(),
        Way::Down => v.floor(),
    };
    if places == 0 {
        return Ok(whole(v));
    }
    let places = i32::try_from(places.clamp(-400, 400)).unwrap_or(0);
    if places > 300 {
        return Ok(v);
    }
    let unit = 10_f64.powi(places.abs());
    let (scaled, back): (f64, fn(f64, f64) -> f64) = if places > 0 {
        (v * unit, |v, unit| v / unit)
    } else {
        (v / unit, |v, unit| v * unit)
    };
    if !scaled.is_finite() {
        return Ok(v);
    }
    Ok(back(whole(scaled), unit))
}

fn finite(name: &str, v: f64, then: impl FnOnce(f64) -> f64) -> Result<V> {
    let found = then(v);
    if (found.is_nan() && !v.is_nan()) || (found.is_infinite() && v.is_finite()) {
        return fail(format!(
            "Floating point error in function: {name}({})",
            cast::float_text(v)
        ));
    }
    Ok(V::Float(found))
}

/// Which is greater, of two values of a type.
pub(super) fn compare(left: &V, right: &V) -> Result<std::cmp::Ordering> {
    use std::cmp::Ordering;
    Ok(match (left, right) {
        (V::Int(a), V::Int(b)) => a.cmp(b),
        (V::Numeric(a), V::Numeric(b)) => a.cmp(b),
        (V::Big(a), V::Big(b)) => a.cmp(b),
        (V::Str(a), V::Str(b)) => a.cmp(b),
        (V::Bytes(a), V::Bytes(b)) => a.cmp(b),
        (V::Bool(a), V::Bool(b)) => a.cmp(b),
        (V::Date(a), V::Date(b)) => a.cmp(b),
        (V::Datetime(a), V::Datetime(b))
        | (V::Timestamp(a), V::Timestamp(b))
        | (V::Time(a), V::Time(b)) => a.cmp(b),
        (V::Numeric(a), V::Int(b)) => a.cmp(&(i128::from(*b) * NANO)),
        (V::Int(a), V::Numeric(b)) => (i128::from(*a) * NANO).cmp(b),
        (V::Float(_), V::Numeric(b)) => left
            .float()?
            .partial_cmp(&numeric_to_float(*b))
            .unwrap_or(Ordering::Less),
        (V::Float(_), _) | (_, V::Float(_)) => left
            .float()?
            .partial_cmp(&right.float()?)
            .unwrap_or(Ordering::Less),
        _ => return fail("These values have no order here"),
    })
}

fn extreme(a: &[V], greatest: bool) -> Result<V> {
    if let Some(nan) = a.iter().find(|v| matches!(v, V::Float(v) if v.is_nan())) {
        return Ok(nan.clone());
    }
    let mut best = &a[0];
    for v in &a[1..] {
        if (compare(v, best)? == std::cmp::Ordering::Greater) == greatest {
            best = v;
        }
    }
    Ok(best.clone())
}
