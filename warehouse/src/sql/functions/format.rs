//! `FORMAT`.

use datafusion::error::Result;

use super::cast;
use super::row::{RowFunction, row};
use super::value::{V, fail};

/// The functions of this module.
pub(super) const ALL: &[RowFunction] = &[row("format", "SA*->S", format).lax()];

fn format(a: &[V]) -> Result<V> {
    if a[0] == V::Null {
        return Ok(V::Null);
    }
    let mut values = a[1..].iter();
    let mut out = String::new();
    let mut chars = a[0].str()?.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = Spec::default();
        while let Some(flag) = chars.next_if(|c| "-+ #0'".contains(*c)) {
            spec.flags.push(flag);
        }
        let width = digits(&mut chars, &mut values)?;
        if width.is_some_and(|width| width < 0) {
            spec.flags.push('-');
        }
        spec.width = width.map_or(0, |width| usize::try_from(width.abs()).unwrap_or(0));
        if chars.next_if_eq(&'.').is_some() {
            let precision = digits(&mut chars, &mut values)?.unwrap_or(0);
            spec.precision = usize::try_from(precision).ok();
        }
        let Some(letter) = chars.next() else {
            return fail("Error in FORMAT: a single % at its end");
        };
        if letter == '%' {
            out.push('%');
            continue;
        }
        let Some(value) = values.next() else {
            return fail("Too few arguments to FORMAT for pattern");
        };
        match one(&spec, letter, value)? {
            Some(text) => out.push_str(&text),
            None => return Ok(V::Null),
        }
    }
    if values.next().is_some() {
        return fail("Too many arguments to FORMAT for pattern");
    }
    Ok(V::Str(out))
}

#[derive(Default)]
struct Spec {
    flags: String,
    width: usize,
    precision: Option<usize>,
}

fn digits<'a>(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    values: &mut impl Iterator<Item = &'a V>,
) -> Result<Option<i64>> {
    if chars.next_if_eq(&'*').is_some() {
        return match values.next() {
            Some(value) => value.int().map(Some),
            None => fail("Too few arguments to FORMAT for pattern"),
        };
    }
    let mut text = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        text.push(digit);
    }
    Ok(text.parse().ok())
}

/// The text of one value; none if NULL makes the whole NULL.
fn one(spec: &Spec, letter: char, value: &V) -> Result<Option<String>> {
    if *value == V::Null {
        return Ok(match letter {
            't' | 'T' => Some(padded(spec, "NULL".to_owned())),
            _ => None,
        });
    }
    let bad = || {
        fail(format!(
            "Invalid type for argument to FORMAT: %{letter} of {value:?}"
        ))
    };
    let text = match (letter, value) {
        ('d' | 'i' | 'u', V::Int(v)) => number(spec, *v < 0, v.unsigned_abs().to_string()),
        ('x', V::Int(v)) => number(spec, *v < 0, format!("{:x}", v.unsigned_abs())),
        ('X', V::Int(v)) => number(spec, *v < 0, format!("{:X}", v.unsigned_abs())),
        ('o', V::Int(v)) => number(spec, *v < 0, format!("{:o}", v.unsigned_abs())),
        ('f' | 'F', V::Float(v)) if v.is_finite() => {
            let precision = spec.precision.unwrap_or(6);
            number(
                spec,
                v.is_sign_negative(),
                format!("{:.precision$}", v.abs()),
            )
        }
        ('f' | 'F', V::Numeric(v)) => {
            let precision = spec.precision.unwrap_or(6);
            number(spec, *v < 0, fixed(v.unsigned_abs(), precision))
        }
        ('e', V::Float(v)) if v.is_finite() => {
            let precision = spec.precision.unwrap_or(6);
            let text = format!("{:.precision$e}", v.abs());
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let exponent: i32 = exponent.parse().unwrap_or(0);
            let sign = if exponent < 0 { '-' } else { '+' };
            number(
                spec,
                v.is_sign_negative(),
                format!("{mantissa}e{sign}{:02}", exponent.abs()),
            )
        }
        ('g', V::Float(v)) if v.is_finite() => number(
            spec,
            v.is_sign_negative(),
            cast::general(v.abs(), spec.precision.unwrap_or(6)),
        ),
        ('s', V::Str(text)) => {
            let cut = spec.precision.unwrap_or(usize::MAX);
            padded(spec, text.chars().take(cut).collect())
        }
        ('t', other) => padded(spec, plain(other)?),
        ('T', other) => padded(spec, literal(other)?),
        ('p', V::Json(text)) => padded(spec, text.clone()),
        _ => return bad(),
    };
    Ok(Some(text))
}

fn fixed(v: u128, precision: usize) -> String {
    let shown = precision.min(9);
    let unit = 10_u128.pow(u32::try_from(9 - shown).unwrap_or(0));
    let rounded = (v + unit / 2) / unit;
    let scale = 10_u128.pow(u32::try_from(shown).unwrap_or(0));
    if precision == 0 {
        return rounded.to_string();
    }
    format!(
        "{}.{:0shown$}{}",
        rounded / scale,
        rounded % scale,
        "0".repeat(precision - shown)
    )
}

fn number(spec: &Spec, negative: bool, digits: String) -> String {
    let digits = if spec.flags.contains('\'') {
        grouped(&digits)
    } else {
        digits
    };
    let sign = match (negative, spec.flags.contains('+'), spec.flags.contains(' ')) {
        (true, _, _) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        _ => "",
    };
    if spec.flags.contains('0') && !spec.flags.contains('-') {
        let width = spec.width.saturating_sub(sign.len());
        return format!("{sign}{digits:0>width$}");
    }
    padded(spec, format!("{sign}{digits}"))
}

fn grouped(digits: &str) -> String {
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::new();
    for (index, c) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(c);
    }
    out + rest
}

fn padded(spec: &Spec, text: String) -> String {
    let width = spec.width;
    if spec.flags.contains('-') {
        format!("{text:<width$}")
    } else {
        format!("{text:>width$}")
    }
}

/// `%t`: as a person reads it.
fn plain(v: &V) -> Result<String> {
    Ok(match v {
        V::List(items) => {
            let parts = items.iter().map(plain_item).collect::<Result<Vec<_>>>()?;
            format!("[{}]", parts.join(", "))
        }
        V::Json(text) => text.clone(),
        V::Null => "NULL".to_owned(),
        other => cast::text(other)?,
    })
}

fn plain_item(v: &V) -> Result<String> {
    match v {
        V::Other(_) => fail("FORMAT of STRUCT is not covered here"),
        other => plain(other),
    }
}

/// `%T`: as SQL would write it.
fn literal(v: &V) -> Result<String> {
    let quoted = |text: &str| {
        let quote = if text.contains('"') && !text.contains('\'') {
            '\''
        } else {
            '"'
        };
        let inner = text.replace('\\', "\\\\").replace('\n', "\\n");
        let inner = if quote == '"' {
            inner.replace('"', "\\\"")
        } else {
            inner
        };
        format!("{quote}{inner}{quote}")
    };
    Ok(match v {
        V::Str(text) => quoted(text),
        V::Json(text) => format!("JSON {}", quoted(text)),
        V::Date(_) => format!("DATE {}", quoted(&cast::text(v)?)),
        V::Datetime(_) => format!("DATETIME {}", quoted(&cast::text(v)?)),
        V::Timestamp(_) => format!("TIMESTAMP {}", quoted(&cast::text(v)?)),
        V::Time(_) => format!("TIME {}", quoted(&cast::text(v)?)),
        V::Numeric(_) => format!("NUMERIC {}", quoted(&cast::text(v)?)),
        V::Big(_) => format!("BIGNUMERIC {}", quoted(&cast::text(v)?)),
        V::List(items) => {
            let parts = items.iter().map(literal).collect::<Result<Vec<_>>>()?;
            format!("[{}]", parts.join(", "))
        }
        V::Bytes(_) | V::Other(_) => {
            return fail("FORMAT %T of BYTES and STRUCT is not covered here");
        }
        other => plain(other)?,
    })
}
