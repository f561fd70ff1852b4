//! Functions of DATE, DATETIME, TIMESTAMP and TIME.

use chrono::{Datelike, Months, NaiveDate};
use datafusion::arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ReturnFieldArgs;
use datafusion::scalar::ScalarValue;

use super::civil::{self, DAY, Zone, at, day, days, micros, weekday};
use super::row::{RowFunction, of, row};
use super::value::{DATETIME, V, fail, timestamp};

/// The functions of this module.
pub(super) const ALL: &[RowFunction] = &[
    row("date", "III->D|T[S]->D|M->D|D->D", date),
    row("datetime", "IIIIII->M|DO->M|T[S]->M|M->M|D->M", datetime),
    row("timestamp", "T->T|S[S]->T|D[S]->T|M[S]->T", timestamp_of),
    row("time", "III->O|T[S]->O|M->O|O->O", time),
    row("date_add", "DIS->D", |a| add_date(a, 1)),
    row("date_sub", "DIS->D", |a| add_date(a, -1)),
    row("datetime_add", "MIS->M|DIS->M", |a| add_datetime(a, 1)),
    row("datetime_sub", "MIS->M|DIS->M", |a| add_datetime(a, -1)),
    row("timestamp_add", "TIS->T", |a| add_timestamp(a, 1)),
    row("timestamp_sub", "TIS->T", |a| add_timestamp(a, -1)),
    row("time_add", "OIS->O", |a| add_time(a, 1)),
    row("time_sub", "OIS->O", |a| add_time(a, -1)),
    row("interval_add", "DIS->D|MIS->M|TIS->T", |a| add_any(a, 1)).gives(interval_gives),
    row("interval_sub", "DIS->D|MIS->M|TIS->T", |a| add_any(a, -1)).gives(interval_gives),
    row("date_diff", "DDS->I|MMS->I|TTS->I|DMS->I|MDS->I", diff),
    row("datetime_diff", "MMS->I|DMS->I|MDS->I|DDS->I", |a| {
        diff(&[wall(&a[0])?, wall(&a[1])?, a[2].clone()])
    }),
    row("timestamp_diff", "TTS->I", |a| {
        diff(&[instant(&a[0])?, instant(&a[1])?, a[2].clone()])
    }),
    row("time_diff", "OOS->I", |a| {
        let unit = micros_of(a[2].str()?)?;
        Ok(V::Int(
            civil::to_time(&a[0])?.div_euclid(unit) - civil::to_time(&a[1])?.div_euclid(unit),
        ))
    }),
    row("date_trunc", "DS->D|MS->M|TS[S]->T", truncate_any),
    row("datetime_trunc", "MS->M|DS->M", |a| {
        Ok(V::Datetime(truncate(
            civil::to_datetime(&a[0], None)?,
            a[1].str()?,
        )?))
    }),
    row("timestamp_trunc", "TS[S]->T|MS->M", truncate_any),
    row("time_trunc", "OS->O", |a| {
        let unit = micros_of(a[1].str()?)?;
        let at = civil::to_time(&a[0])?;
        Ok(V::Time(at - at.rem_euclid(unit)))
    }),
    row("last_day", "D[S]->D|M[S]->D", last_day),
    row("extract_part", "SD->I|SM->I|ST[S]->I|SO->I", extract).gives(extract_gives),
    row("unix_date", "D->I", |a| {
        Ok(V::Int(civil::to_date(&a[0], None)?.into()))
    }),
    row("date_from_unix_date", "I->D", |a| {
        let days = i32::try_from(a[0].int()?).or_else(|_| fail("DATE out of range"))?;
        day(days)?;
        Ok(V::Date(days))
    }),
    row("unix_seconds", "T->I", |a| {
        Ok(V::Int(
            civil::to_timestamp(&a[0], None)?.div_euclid(1_000_000),
        ))
    }),
    row("unix_millis", "T->I", |a| {
        Ok(V::Int(civil::to_timestamp(&a[0], None)?.div_euclid(1000)))
    }),
    row("unix_micros", "T->I", |a| {
        Ok(V::Int(civil::to_timestamp(&a[0], None)?))
    }),
    row("timestamp_seconds", "I->T", |a| from_unix(&a[0], 1_000_000)),
    row("timestamp_millis", "I->T", |a| from_unix(&a[0], 1000)),
    row("timestamp_micros", "I->T", |a| from_unix(&a[0], 1)),
    row("generate_date_array", "DD[IS]->@D", date_array),
    row("generate_timestamp_array", "TTIS->@T", timestamp_array),
];

fn zone(a: &[V], index: usize) -> Result<Option<&str>> {
    a.get(index).map(V::str).transpose()
}

fn wall(v: &V) -> Result<V> {
    civil::to_datetime(v, None).map(V::Datetime)
}

fn instant(v: &V) -> Result<V> {
    civil::to_timestamp(v, None).map(V::Timestamp)
}

fn ymd(a: &[V]) -> Result<NaiveDate> {
    let small =
        |v: &V| u32::try_from(v.int()?).or_else(|_| fail("Input calculates to invalid date"));
    let year = i32::try_from(a[0].int()?).unwrap_or(0);
    match NaiveDate::from_ymd_opt(year, small(&a[1])?, small(&a[2])?) {
        Some(day) if (1..=9999).contains(&year) => Ok(day),
        _ => fail(format!(
            "Input calculates to invalid date: {:04}-{:02}-{:02}",
            a[0].int()?,
            a[1].int()?,
            a[2].int()?
        )),
    }
}

fn hms(a: &[V]) -> Result<i64> {
    let (hour, minute, second) = (a[0].int()?, a[1].int()?, a[2].int()?);
    if (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second) {
        return Ok((hour * 3600 + minute * 60 + second) * 1_000_000);
    }
    fail(format!(
        "Input calculates to invalid time: {hour:02}:{minute:02}:{second:02}"
    ))
}

fn date(a: &[V]) -> Result<V> {
    if a.len() == 3 {
        return Ok(V::Date(days(ymd(a)?)));
    }
    civil::to_date(&a[0], zone(a, 1)?).map(V::Date)
}

fn datetime(a: &[V]) -> Result<V> {
    if a.len() == 6 {
        return Ok(V::Datetime(i64::from(days(ymd(a)?)) * DAY + hms(&a[3..])?));
    }
    match a.get(1) {
        Some(V::Time(time)) => Ok(V::Datetime(civil::to_datetime(&a[0], None)? + time)),
        _ => civil::to_datetime(&a[0], zone(a, 1)?).map(V::Datetime),
    }
}

fn timestamp_of(a: &[V]) -> Result<V> {
    civil::to_timestamp(&a[0], zone(a, 1)?).map(V::Timestamp)
}

fn time(a: &[V]) -> Result<V> {
    match &a[0] {
        V::Int(_) => hms(a).map(V::Time),
        V::Timestamp(_) => Ok(V::Time(
            civil::to_datetime(&a[0], zone(a, 1)?)?.rem_euclid(DAY),
        )),
        other => civil::to_time(other).map(V::Time),
    }
}

fn micros_of(unit: &str) -> Result<i64> {
    Ok(match unit {
        "MICROSECOND" => 1,
        "MILLISECOND" => 1000,
        "SECOND" => 1_000_000,
        "MINUTE" => 60_000_000,
        "HOUR" => 3_600_000_000,
        "DAY" => DAY,
        other => return fail(format!("Unsupported date part here: {other}")),
    })
}

/// Months of a unit; none if it is of a fixed length.
fn months_of(unit: &str) -> Option<i64> {
    match unit {
        "MONTH" => Some(1),
        "QUARTER" => Some(3),
        "YEAR" => Some(12),
        _ => None,
    }
}

fn add_months(day: NaiveDate, months: i64) -> Result<NaiveDate> {
    let size = Months::new(u32::try_from(months.unsigned_abs()).unwrap_or(u32::MAX));
    let moved = if months < 0 {
        day.checked_sub_months(size)
    } else {
        day.checked_add_months(size)
    };
    moved
        .filter(|day| (1..=9999).contains(&day.year()))
        .map_or_else(|| fail("The date overflowed"), Ok)
}

fn shift(wall: i64, amount: i64, unit: &str) -> Result<i64> {
    let overflow = || DataFusionError::Execution("The date or time overflowed".to_owned());
    if let Some(months) = months_of(unit) {
        let moved = add_months(
            at(wall)?.date(),
            amount.checked_mul(months).ok_or_else(overflow)?,
        )?;
        return Ok(i64::from(days(moved)) * DAY + wall.rem_euclid(DAY));
    }
    let size = if unit == "WEEK" {
        7 * DAY
    } else {
        micros_of(unit)?
    };
    let moved = amount
        .checked_mul(size)
        .and_then(|size| wall.checked_add(size))
        .ok_or_else(overflow)?;
    micros_in_range(moved)
}

fn micros_in_range(value: i64) -> Result<i64> {
    at(value).map(micros)
}

fn add_date(a: &[V], sign: i64) -> Result<V> {
    let unit = a[2].str()?;
    if !matches!(unit, "DAY" | "WEEK" | "MONTH" | "QUARTER" | "YEAR") {
        return fail(format!("DATE_ADD does not support the {unit} date part"));
    }
    let moved = shift(
        i64::from(civil::to_date(&a[0], None)?) * DAY,
        signed(&a[1], sign)?,
        unit,
    )?;
    civil::to_date(&V::Datetime(moved), None).map(V::Date)
}

fn signed(v: &V, sign: i64) -> Result<i64> {
    v.int()?
        .checked_mul(sign)
        .map_or_else(|| fail("INTERVAL out of range"), Ok)
}

fn add_datetime(a: &[V], sign: i64) -> Result<V> {
    shift(
        civil::to_datetime(&a[0], None)?,
        signed(&a[1], sign)?,
        a[2].str()?,
    )
    .map(V::Datetime)
}

fn add_timestamp(a: &[V], sign: i64) -> Result<V> {
    let unit = a[2].str()?;
    if unit == "WEEK" || months_of(unit).is_some() {
        return fail(format!(
            "TIMESTAMP_ADD does not support the {unit} date part"
        ));
    }
    shift(
        civil::to_timestamp(&a[0], None)?,
        signed(&a[1], sign)?,
        unit,
    )
    .map(V::Timestamp)
}

fn add_time(a: &[V], sign: i64) -> Result<V> {
    let moved = i128::from(signed(&a[1], sign)?) * i128::from(micros_of(a[2].str()?)?)
        + i128::from(civil::to_time(&a[0])?);
    Ok(V::Time(
        i64::try_from(moved.rem_euclid(i128::from(DAY))).unwrap_or(0),
    ))
}

fn add_any(a: &[V], sign: i64) -> Result<V> {
    match &a[0] {
        V::Timestamp(_) => add_timestamp(a, sign),
        _ => add_datetime(a, sign),
    }
}

/// A DATE moved by an INTERVAL is a DATETIME.
fn interval_gives(args: &ReturnFieldArgs<'_>) -> Result<datafusion::arrow::datatypes::FieldRef> {
    Ok(of(match args.arg_fields[0].data_type() {
        DataType::Timestamp(_, Some(_)) => timestamp(),
        _ => DATETIME,
    }))
}

fn diff(a: &[V]) -> Result<V> {
    let unit = a[2].str()?;
    if let (V::Timestamp(later), V::Timestamp(earlier)) = (&a[0], &a[1]) {
        return Ok(V::Int((later - earlier) / micros_of(unit)?));
    }
    let (later, earlier) = (
        civil::to_datetime(&a[0], None)?,
        civil::to_datetime(&a[1], None)?,
    );
    let dates = matches!(
        (&a[0], &a[1]),
        (V::Date(_) | V::Str(_), V::Date(_) | V::Str(_))
    );
    if dates
        && matches!(
            unit,
            "HOUR" | "MINUTE" | "SECOND" | "MILLISECOND" | "MICROSECOND"
        )
    {
        return fail(format!(
            "DATE_DIFF does not support the {unit} date part when the argument is DATE type"
        ));
    }
    Ok(V::Int(boundary(later, unit)? - boundary(earlier, unit)?))
}

/// How many units began up to this moment; a difference of two is what lies between.
fn boundary(wall: i64, unit: &str) -> Result<i64> {
    let moment = at(wall)?;
    let months = i64::from(moment.year()) * 12 + i64::from(moment.month0());
    let since = wall.div_euclid(DAY);
    Ok(match unit {
        "YEAR" => moment.year().into(),
        "QUARTER" => months.div_euclid(3),
        "MONTH" => months,
        "WEEK" => (since + 4).div_euclid(7),
        "ISOWEEK" => (since + 3).div_euclid(7),
        "ISOYEAR" => moment.iso_week().year().into(),
        other => match weekday(other) {
            Some(first) => (since + 4 - first).div_euclid(7),
            None => wall.div_euclid(micros_of(other)?),
        },
    })
}

fn truncate(wall: i64, unit: &str) -> Result<i64> {
    let moment = at(wall)?;
    let start = |year, month| {
        NaiveDate::from_ymd_opt(year, month, 1).map_or(0, |day| i64::from(days(day)) * DAY)
    };
    let week = |first: i64| {
        let since = wall.div_euclid(DAY);
        (since - (since + 4 - first).rem_euclid(7)) * DAY
    };
    Ok(match unit {
        "YEAR" => start(moment.year(), 1),
        "QUARTER" => start(moment.year(), moment.month0() / 3 * 3 + 1),
        "MONTH" => start(moment.year(), moment.month()),
        "WEEK" => week(0),
        "ISOWEEK" => week(1),
        "ISOYEAR" => {
            let first =
                NaiveDate::from_isoywd_opt(moment.iso_week().year(), 1, chrono::Weekday::Mon);
            first.map_or(0, |day| i64::from(days(day)) * DAY)
        }
        other => match weekday(other) {
            Some(first) => week(first),
            None => {
                let size = micros_of(other)?;
                wall - wall.rem_euclid(size)
            }
        },
    })
}

fn truncate_any(a: &[V]) -> Result<V> {
    let unit = a[1].str()?;
    match &a[0] {
        V::Timestamp(at) => {
            let zone = Zone::read(zone(a, 2)?.unwrap_or("UTC"))?;
            if micros_of(unit).is_ok_and(|size| size < 3_600_000_000) {
                return Ok(V::Timestamp(truncate(*at, unit)?));
            }
            Ok(V::Timestamp(
                zone.instant(truncate(zone.wall(*at)?, unit)?)?,
            ))
        }
        V::Datetime(at) => truncate(*at, unit).map(V::Datetime),
        V::Str(_) if a.len() == 3 => {
            let at = V::Timestamp(civil::to_timestamp(&a[0], None)?);
            truncate_any(&[at, a[1].clone(), a[2].clone()])
        }
        other => {
            if matches!(
                unit,
                "HOUR" | "MINUTE" | "SECOND" | "MILLISECOND" | "MICROSECOND"
            ) {
                return fail(format!(
                    "DATE_TRUNC does not support the {unit} date part when the argument is DATE type"
                ));
            }
            let moved = truncate(i64::from(civil::to_date(other, None)?) * DAY, unit)?;
            civil::to_date(&V::Datetime(moved), None).map(V::Date)
        }
    }
}

fn last_day(a: &[V]) -> Result<V> {
    let unit = match a.get(1) {
        None => "MONTH",
        Some(unit) => unit.str()?,
    };
    let first = truncate(civil::to_datetime(&a[0], None)?, unit)?;
    let next = match unit {
        "YEAR" | "QUARTER" | "MONTH" => shift(first, 1, unit)?,
        "ISOYEAR" => truncate(first + 370 * DAY, unit)?,
        other if other.starts_with("WEEK") || other == "ISOWEEK" => first + 7 * DAY,
        other => return fail(format!("LAST_DAY does not support the {other} date part")),
    };
    civil::to_date(&V::Datetime(next - DAY), None).map(V::Date)
}

fn extract_gives(args: &ReturnFieldArgs<'_>) -> Result<datafusion::arrow::datatypes::FieldRef> {
    let Some(Some(ScalarValue::Utf8(Some(unit)))) = args.scalar_arguments.first() else {
        return Err(DataFusionError::Plan("EXTRACT needs a part".to_owned()));
    };
    Ok(of(match unit.as_str() {
        "DATE" => DataType::Date32,
        "DATETIME" => DATETIME,
        "TIME" => super::row::time_type(),
        _ => DataType::Int64,
    }))
}

fn extract(a: &[V]) -> Result<V> {
    let unit = a[0].str()?;
    let wall = match &a[1] {
        V::Time(at) => {
            micros_of(unit)?;
            *at
        }
        other => civil::to_datetime(other, zone(a, 2)?)?,
    };
    if matches!(a[1], V::Date(_)) && (micros_of(unit).is_ok() && unit != "DAY") {
        return fail(format!(
            "EXTRACT from DATE does not support the {unit} date part"
        ));
    }
    Ok(match unit {
        "DATE" => V::Date(civil::to_date(&V::Datetime(wall), None)?),
        "DATETIME" => V::Datetime(wall),
        "TIME" => V::Time(wall.rem_euclid(DAY)),
        other => V::Int(civil::part(other, wall)?),
    })
}

fn from_unix(v: &V, size: i64) -> Result<V> {
    match v.int()?.checked_mul(size) {
        Some(micros) => micros_in_range(micros).map(V::Timestamp),
        None => fail("Timestamp out of range"),
    }
}

fn date_array(a: &[V]) -> Result<V> {
    let (first, last) = (civil::to_date(&a[0], None)?, civil::to_date(&a[1], None)?);
    let (step, unit) = match a.get(2) {
        None => (1, "DAY"),
        Some(step) => (step.int()?, a[3].str()?),
    };
    let start = i64::from(first) * DAY;
    let found = series(start, i64::from(last) * DAY, step, unit)?;
    Ok(V::List(
        found
            .into_iter()
            .map(|wall| civil::to_date(&V::Datetime(wall), None).map(V::Date))
            .collect::<Result<_>>()?,
    ))
}

fn timestamp_array(a: &[V]) -> Result<V> {
    let (first, last) = (
        civil::to_timestamp(&a[0], None)?,
        civil::to_timestamp(&a[1], None)?,
    );
    let found = series(first, last, a[2].int()?, a[3].str()?)?;
    Ok(V::List(found.into_iter().map(V::Timestamp).collect()))
}

fn series(first: i64, last: i64, step: i64, unit: &str) -> Result<Vec<i64>> {
    if step == 0 {
        return fail("Sequence step cannot be 0.");
    }
    let mut found = Vec::new();
    for count in 0_i64.. {
        let next = shift(first, count.saturating_mul(step), unit)?;
        if (step > 0 && next > last) || (step < 0 && next < last) {
            break;
        }
        if found.len() > 1_000_000 {
            return fail("The array has more than a million elements");
        }
        found.push(next);
    }
    Ok(found)
}
