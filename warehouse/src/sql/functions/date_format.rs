//! `FORMAT_DATE` and `PARSE_DATE` and their sisters: elements with a percent sign.

use std::fmt::Write as _;

use chrono::{Datelike, NaiveDate, Timelike};
use datafusion::error::Result;

use super::civil::{self, DAY, Zone, at, days};
use super::row::{RowFunction, row};
use super::value::{V, fail};

/// The functions of this module.
pub(super) const ALL: &[RowFunction] = &[
    row("format_date", "SD->S|SM->S|ST->S", |a| {
        formatted(
            &a[0],
            civil::to_datetime(&V::Date(civil::to_date(&a[1], None)?), None)?,
            None,
        )
    }),
    row("format_datetime", "SM->S|SD->S|ST->S", |a| {
        formatted(&a[0], civil::to_datetime(&a[1], None)?, None)
    }),
    row("format_time", "SO->S", |a| {
        formatted(&a[0], civil::to_time(&a[1])?, None)
    }),
    row("format_timestamp", "ST[S]->S", |a| {
        let name = a.get(2).map_or(Ok("UTC"), V::str)?;
        let zone = Zone::read(name)?;
        let instant = civil::to_timestamp(&a[1], None)?;
        formatted(
            &a[0],
            zone.wall(instant)?,
            Some((zone.seconds(instant)?, name)),
        )
    }),
    row("parse_date", "SS->D", |a| {
        let found = parse(a[0].str()?, a[1].str()?)?;
        civil::to_date(&V::Datetime(found.0), None).map(V::Date)
    }),
    row("parse_datetime", "SS->M", |a| {
        Ok(V::Datetime(parse(a[0].str()?, a[1].str()?)?.0))
    }),
    row("parse_time", "SS->O", |a| {
        Ok(V::Time(parse(a[0].str()?, a[1].str()?)?.0.rem_euclid(DAY)))
    }),
    row("parse_timestamp", "SS[S]->T", |a| {
        let (wall, offset) = parse(a[0].str()?, a[1].str()?)?;
        let zone = match offset {
            Some(seconds) => Zone::Fixed(seconds),
            None => Zone::read(a.get(2).map_or(Ok("UTC"), V::str)?)?,
        };
        zone.instant(wall).map(V::Timestamp)
    }),
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// The elements of a format: text, or what stands behind a percent sign.
fn elements(format: &str) -> Result<Vec<(bool, String)>> {
    let mut found: Vec<(bool, String)> = Vec::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            match found.last_mut() {
                Some((false, text)) => text.push(c),
                _ => found.push((false, c.to_string())),
            }
            continue;
        }
        let mut element = String::new();
        let Some(first) = chars.next() else {
            return fail(format!(
                "Format string cannot end with a single '%': {format}"
            ));
        };
        element.push(first);
        if (first == 'E' || first == 'O')
            && let Some(second) = chars.next()
        {
            element.push(second);
            if second.is_ascii_digit() || second == '*' {
                element.extend(chars.next());
            }
        }
        found.push((true, element));
    }
    Ok(found)
}

fn formatted(format: &V, wall: i64, zone: Option<(i64, &str)>) -> Result<V> {
    write(format.str()?, wall, zone).map(V::Str)
}

pub(super) fn write(format: &str, wall: i64, zone: Option<(i64, &str)>) -> Result<String> {
    let mut out = String::new();
    for (element, text) in elements(format)? {
        if element {
            out.push_str(&one(&text, wall, zone)?);
        } else {
            out.push_str(&text);
        }
    }
    Ok(out)
}

#[expect(
    clippy::too_many_lines,
    reason = "one short arm for each element of a format"
)]
fn one(element: &str, wall: i64, zone: Option<(i64, &str)>) -> Result<String> {
    let moment = at(wall)?;
    let day = moment.date();
    let sunday = day.weekday().num_days_from_sunday() as usize;
    let hour12 = moment.hour12().1;
    let nested = |format: &str| write(format, wall, zone);
    let mut out = String::new();
    let written = match element {
        "Y" | "EY" => write!(out, "{}", day.year()),
        "E4Y" => write!(out, "{:04}", day.year()),
        "C" => write!(out, "{:02}", day.year() / 100),
        "y" => write!(out, "{:02}", day.year().rem_euclid(100)),
        "m" => write!(out, "{:02}", day.month()),
        "d" => write!(out, "{:02}", day.day()),
        "e" => write!(out, "{:2}", day.day()),
        "B" => write!(out, "{}", MONTHS[day.month0() as usize]),
        "b" | "h" => write!(out, "{}", &MONTHS[day.month0() as usize][..3]),
        "A" => write!(out, "{}", DAYS[sunday]),
        "a" => write!(out, "{}", &DAYS[sunday][..3]),
        "j" => write!(out, "{:03}", day.ordinal()),
        "u" => write!(out, "{}", day.weekday().number_from_monday()),
        "w" => write!(out, "{sunday}"),
        "U" => write!(out, "{:02}", civil::part("WEEK", wall)?),
        "W" => write!(out, "{:02}", civil::part("WEEK(MONDAY)", wall)?),
        "V" => write!(out, "{:02}", day.iso_week().week()),
        "G" => write!(out, "{}", day.iso_week().year()),
        "g" => write!(out, "{:02}", day.iso_week().year().rem_euclid(100)),
        "Q" => write!(out, "{}", day.month0() / 3 + 1),
        "H" => write!(out, "{:02}", moment.hour()),
        "k" => write!(out, "{:2}", moment.hour()),
        "I" => write!(out, "{hour12:02}"),
        "l" => write!(out, "{hour12:2}"),
        "M" => write!(out, "{:02}", moment.minute()),
        "S" => write!(out, "{:02}", moment.second()),
        "p" => write!(out, "{}", if moment.hour() < 12 { "AM" } else { "PM" }),
        "P" => write!(out, "{}", if moment.hour() < 12 { "am" } else { "pm" }),
        "n" => writeln!(out),
        "t" => write!(out, "\t"),
        "%" => write!(out, "%"),
        "s" => write!(
            out,
            "{}",
            (wall - zone.map_or(0, |zone| zone.0) * 1_000_000).div_euclid(1_000_000)
        ),
        "F" => return nested("%Y-%m-%d"),
        "T" | "X" => return nested("%H:%M:%S"),
        "R" => return nested("%H:%M"),
        "D" | "x" => return nested("%m/%d/%y"),
        "c" => return nested("%a %b %e %H:%M:%S %Y"),
        "r" => return nested("%I:%M:%S %p"),
        "z" | "Ez" => {
            let seconds = zone.map_or(0, |zone| zone.0);
            let sign = if seconds < 0 { '-' } else { '+' };
            let colon = if element == "Ez" { ":" } else { "" };
            write!(
                out,
                "{sign}{:02}{colon}{:02}",
                seconds.abs() / 3600,
                seconds.abs() / 60 % 60
            )
        }
        "Z" => match zone {
            None | Some((0, "UTC")) => write!(out, "UTC"),
            Some((seconds, _)) => {
                let sign = if seconds < 0 { '-' } else { '+' };
                let minutes = seconds.abs() / 60 % 60;
                if minutes == 0 {
                    write!(out, "UTC{sign}{}", seconds.abs() / 3600)
                } else {
                    write!(out, "UTC{sign}{}:{minutes:02}", seconds.abs() / 3600)
                }
            }
        },
        "E*S" => {
            let part = format!("{:06}", wall.rem_euclid(1_000_000));
            let part = part.trim_end_matches('0');
            let point = if part.is_empty() { "" } else { "." };
            write!(out, "{:02}{point}{part}", moment.second())
        }
        other => match other
            .strip_prefix('E')
            .and_then(|rest| rest.strip_suffix('S'))
        {
            Some(digits) if digits.len() == 1 && digits.as_bytes()[0].is_ascii_digit() => {
                let count = usize::from(digits.as_bytes()[0] - b'0').min(6);
                let part = format!("{:06}", wall.rem_euclid(1_000_000));
                let point = if count == 0 { "" } else { "." };
                write!(out, "{:02}{point}{}", moment.second(), &part[..count])
            }
            _ => return fail(format!("Format element %{other} is not covered here")),
        },
    };
    match written {
        Ok(()) => Ok(out),
        Err(_) => fail("cannot write a date"),
    }
}

/// What was read so far.
#[derive(Default)]
struct Parsed {
    year: Option<i64>,
    month: i64,
    day: i64,
    ordinal: Option<i64>,
    hour: i64,
    twelve: bool,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    micros: i64,
    offset: Option<i64>,
    epoch: Option<i64>,
}

/// The clock on the wall, and the offset if the text names one.
pub(super) fn parse(format: &str, text: &str) -> Result<(i64, Option<i64>)> {
    let mut parsed = Parsed {
        month: 1,
        day: 1,
        ..Parsed::default()
    };
    let bad = || fail(format!("Failed to parse input string \"{text}\""));
    let Some(rest) = parse_into(format, text.trim_start(), &mut parsed)? else {
        return bad();
    };
    if !rest.trim().is_empty() {
        return bad();
    }
    if let Some(epoch) = parsed.epoch {
        return Ok((epoch * 1_000_000, Some(0)));
    }
    let year = i32::try_from(parsed.year.unwrap_or(1970)).unwrap_or(0);
    let narrow = |v: i64| u32::try_from(v).unwrap_or(0);
    let date = match parsed.ordinal {
        Some(ordinal) => NaiveDate::from_yo_opt(year, narrow(ordinal)),
        None => NaiveDate::from_ymd_opt(year, narrow(parsed.month), narrow(parsed.day)),
    };
    let Some(date) = date.filter(|_| (1..=9999).contains(&year)) else {
        return bad();
    };
    let hour = match (parsed.twelve, parsed.afternoon) {
        (true, Some(true)) => parsed.hour % 12 + 12,
        (true, _) => parsed.hour % 12,
        (false, _) => parsed.hour,
    };
    let time = (hour * 3600 + parsed.minute * 60 + parsed.second) * 1_000_000 + parsed.micros;
    Ok((i64::from(days(date)) * DAY + time, parsed.offset))
}

fn number(text: &str, most: usize, range: std::ops::RangeInclusive<i64>) -> Option<(i64, &str)> {
    let length = text
        .chars()
        .take(most)
        .take_while(char::is_ascii_digit)
        .count();
    let value = text[..length].parse().ok()?;
    range.contains(&value).then_some((value, &text[length..]))
}

fn name<'a>(text: &'a str, names: &[&str]) -> Option<(i64, &'a str)> {
    for (index, name) in names.iter().enumerate() {
        for length in [name.len(), 3] {
            if text
                .get(..length)
                .is_some_and(|start| start.eq_ignore_ascii_case(&name[..length]))
            {
                return Some((i64::try_from(index).ok()?, &text[length..]));
            }
        }
    }
    None
}

fn parse_into<'a>(format: &str, text: &'a str, parsed: &mut Parsed) -> Result<Option<&'a str>> {
    let mut rest = text;
    for (element, wanted) in elements(format)? {
        if !element {
            for c in wanted.chars() {
                if c.is_whitespace() {
                    rest = rest.trim_start();
                } else {
                    match rest.strip_prefix(c) {
                        Some(behind) => rest = behind,
                        None => return Ok(None),
                    }
                }
            }
            continue;
        }
        let composed = match wanted.as_str() {
            "F" => Some("%Y-%m-%d"),
            "T" | "X" => Some("%H:%M:%S"),
            "R" => Some("%H:%M"),
            "D" | "x" => Some("%m/%d/%y"),
            "c" => Some("%a %b %e %H:%M:%S %Y"),
            "r" => Some("%I:%M:%S %p"),
            _ => None,
        };
        let behind = match composed {
            Some(format) => parse_into(format, rest, parsed)?,
            None => read_one(&wanted, rest, parsed)?,
        };
        match behind {
            Some(behind) => rest = behind,
            None => return Ok(None),
        }
    }
    Ok(Some(rest))
}

fn read_one<'a>(element: &str, text: &'a str, parsed: &mut Parsed) -> Result<Option<&'a str>> {
    let spaced = text.trim_start();
    let read = match element {
        "Y" | "EY" => number(text, 4, 0..=9999).map(|(v, rest)| (parsed.year = Some(v), rest).1),
        "E4Y" => number(text, 4, 0..=9999).map(|(v, rest)| (parsed.year = Some(v), rest).1),
        "y" => number(text, 2, 0..=99).map(|(v, rest)| {
            parsed.year = Some(if v < 69 { 2000 + v } else { 1900 + v });
            rest
        }),
        "m" => number(text, 2, 1..=12).map(|(v, rest)| (parsed.month = v, rest).1),
        "d" | "e" => number(spaced, 2, 1..=31).map(|(v, rest)| (parsed.day = v, rest).1),
        "b" | "B" | "h" => name(text, &MONTHS).map(|(v, rest)| (parsed.month = v + 1, rest).1),
        "a" | "A" => name(text, &DAYS).map(|(_, rest)| rest),
        "j" => number(text, 3, 1..=366).map(|(v, rest)| (parsed.ordinal = Some(v), rest).1),
        "H" | "k" => number(spaced, 2, 0..=23).map(|(v, rest)| {
            (parsed.hour, parsed.twelve) = (v, false);
            rest
        }),
        "I" | "l" => number(spaced, 2, 1..=12).map(|(v, rest)| {
            (parsed.hour, parsed.twelve) = (v, true);
            rest
        }),
        "M" => number(text, 2, 0..=59).map(|(v, rest)| (parsed.minute = v, rest).1),
        "S" => number(text, 2, 0..=59).map(|(v, rest)| (parsed.second = v, rest).1),
        "p" | "P" => match text.get(..2).map(str::to_ascii_uppercase).as_deref() {
            Some("AM") => Some((parsed.afternoon = Some(false), &text[2..]).1),
            Some("PM") => Some((parsed.afternoon = Some(true), &text[2..]).1),
            _ => None,
        },
        "n" | "t" => Some(spaced),
        "%" => text.strip_prefix('%'),
        "s" => {
            number(text, 12, 0..=253_402_300_799).map(|(v, rest)| (parsed.epoch = Some(v), rest).1)
        }
        "z" | "Ez" | "Z" => zone(text, parsed),
        seconds if seconds.starts_with('E') && seconds.ends_with('S') => fraction(text, parsed),
        other => return fail(format!("Format element %{other} is not covered here")),
    };
    Ok(read)
}

fn zone<'a>(text: &'a str, parsed: &mut Parsed) -> Option<&'a str> {
    let length = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(length);
    match Zone::read(word) {
        Ok(Zone::Fixed(seconds)) => parsed.offset = Some(seconds),
        Ok(Zone::Named(chrono_tz::UTC)) => parsed.offset = Some(0),
        _ => return None,
    }
    Some(rest)
}

fn fraction<'a>(text: &'a str, parsed: &mut Parsed) -> Option<&'a str> {
    let (second, rest) = number(text, 2, 0..=59)?;
    parsed.second = second;
    let Some(behind) = rest.strip_prefix('.') else {
        return Some(rest);
    };
    let length = behind.chars().take_while(char::is_ascii_digit).count();
    parsed.micros = format!("{:0<6}", &behind[..length])[..6].parse().ok()?;
    Some(&behind[length..])
}
