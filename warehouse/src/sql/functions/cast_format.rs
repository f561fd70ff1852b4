//! `CAST(… AS … FORMAT '…')`: elements as words.

use datafusion::error::Result;

use super::civil::{self, DAY, Zone};
use super::date_format::parse;
use super::value::{V, fail};

/// The words, the longest first, and the element with a percent sign that means the same.
const WORDS: [(&str, &str); 23] = [
    ("YYYY", "%E4Y"),
    ("YY", "%y"),
    ("MONTH", "%B"),
    ("MON", "%b"),
    ("MM", "%m"),
    ("MI", "%M"),
    ("DDD", "%j"),
    ("DD", "%d"),
    ("DAY", "%A"),
    ("DY", "%a"),
    ("D", "%w"),
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("HH", "%I"),
    ("SSSSS", ""),
    ("SS", "%S"),
    ("FF", ""),
    ("AM", "%p"),
    ("PM", "%p"),
    ("A.M.", ""),
    ("P.M.", ""),
    ("TZH", ""),
    ("TZM", ""),
];

fn translated(format: &str) -> Result<String> {
    let mut out = String::new();
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let Some((text, behind)) = quoted.split_once('"') else {
                return fail(format!("Unclosed quote in format: {format}"));
            };
            out.push_str(&text.replace('%', "%%"));
            rest = behind;
            continue;
        }
        if "-./,';: T".contains(c) {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let upper = rest.to_ascii_uppercase();
        match WORDS.iter().find(|(word, _)| upper.starts_with(word)) {
            // Names of days and months take the case of the element.
            Some((word, element)) if !element.is_empty() && *word != "D" => {
                let capital =
                    rest.starts_with(word) && matches!(*word, "MONTH" | "MON" | "DAY" | "DY");
                if capital {
                    return fail(format!(
                        "The format element {word} in capitals is not covered here"
                    ));
                }
                out.push_str(element);
                rest = &rest[word.len()..];
            }
            _ => return fail(format!("The format \"{format}\" is not covered here")),
        }
    }
    Ok(out)
}

/// The cast with a format.
pub(super) fn cast(v: &V, target: &str, format: &str, zone: Option<&V>) -> Result<V> {
    if matches!(v, V::Null) {
        return Ok(V::Null);
    }
    if let (V::Bytes(bytes), "STRING") = (v, target) {
        return super::hash::encode(bytes, format).map(V::Str);
    }
    if let (V::Str(text), "BYTES") = (v, target) {
        return super::hash::decode(text, format).map(V::Bytes);
    }
    let zone = match zone {
        Some(zone) => zone.str()?,
        None => "UTC",
    };
    let elements = translated(format)?;
    match (v, target) {
        (V::Date(_) | V::Datetime(_), "STRING") => {
            super::date_format::write(&elements, civil::to_datetime(v, None)?, None).map(V::Str)
        }
        (V::Timestamp(at), "STRING") => {
            super::date_format::write(&elements, Zone::read(zone)?.wall(*at)?, None).map(V::Str)
        }
        (V::Time(at), "STRING") => super::date_format::write(&elements, *at, None).map(V::Str),
        (V::Str(text), "DATE") => {
            civil::to_date(&V::Datetime(parse(&elements, text)?.0), None).map(V::Date)
        }
        (V::Str(text), "DATETIME") => Ok(V::Datetime(parse(&elements, text)?.0)),
        (V::Str(text), "TIME") => Ok(V::Time(parse(&elements, text)?.0.rem_euclid(DAY))),
        (V::Str(text), "TIMESTAMP") => Zone::read(zone)?
            .instant(parse(&elements, text)?.0)
            .map(V::Timestamp),
        _ => fail(format!(
            "CAST to {target} with FORMAT '{format}' is not covered here"
        )),
    }
}
