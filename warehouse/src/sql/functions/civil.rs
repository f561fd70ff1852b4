//! Days, times and zones: how they are read, written and turned into each other.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, TimeZone, Timelike};
use chrono_tz::Tz;
use datafusion::error::Result;

use super::value::{V, fail};

/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;

/// The calendar's day of a number of days since 1970.
pub(super) fn day(days: i32) -> Result<NaiveDate> {
    match NaiveDate::from_epoch_days(days) {
        Some(day) if (1..=9999).contains(&day.year()) => Ok(day),
        _ => fail(format!("DATE out of range: {days} days since 1970-01-01")),
    }
}

/// Days since 1970.
pub(super) fn days(day: NaiveDate) -> i32 {
    day.to_epoch_days()
}

/// The calendar's time of microseconds.
pub(super) fn at(micros: i64) -> Result<NaiveDateTime> {
    match DateTime::from_timestamp_micros(micros) {
        Some(at) if (1..=9999).contains(&at.year()) => Ok(at.naive_utc()),
        _ => fail("Timestamp out of range: it is not within the years 0001 to 9999"),
    }
}

/// Microseconds of a calendar's time.
pub(super) fn micros(at: NaiveDateTime) -> i64 {
    at.and_utc().timestamp_micros()
}

/// A zone: a name, or an offset.
pub(super) enum Zone {
    /// By its name.
    Named(Tz),
    /// Seconds to the east.
    Fixed(i64),
}

impl Zone {
    /// Reads `UTC`, `Europe/Berlin`, `+05:30`, `-8`.
    pub(super) fn read(text: &str) -> Result<Self> {
        if let Some(seconds) = offset(text) {
            return Ok(Self::Fixed(seconds));
        }
        match text.parse::<Tz>() {
            Ok(zone) => Ok(Self::Named(zone)),
            Err(_) => fail(format!("Invalid time zone: {text}")),
        }
    }

    /// Seconds to the east of UTC at an instant.
    pub(super) fn seconds(&self, instant: i64) -> Result<i64> {
        Ok(match self {
            Self::Fixed(seconds) => *seconds,
            Self::Named(zone) => i64::from(
                zone.offset_from_utc_datetime(&at(instant)?)
                    .fix()
                    .local_minus_utc(),
            ),
        })
    }

    /// The clock on the wall at an instant.
    pub(super) fn wall(&self, instant: i64) -> Result<i64> {
        Ok(instant + self.seconds(instant)? * 1_000_000)
    }

    /// The instant of a clock on the wall; the earlier of two, and in a gap as the offset before it says.
    pub(super) fn instant(&self, wall: i64) -> Result<i64> {
        let seconds = match self {
            Self::Fixed(seconds) => *seconds,
            Self::Named(zone) => {
                let local = at(wall)?;
                match zone.offset_from_local_datetime(&local) {
                    chrono::LocalResult::Single(one) | chrono::LocalResult::Ambiguous(one, _) => {
                        i64::from(one.fix().local_minus_utc())
                    }
                    chrono::LocalResult::None => self.seconds(wall - DAY / 8)?,
                }
            }
        };
        Ok(wall - seconds * 1_000_000)
    }
}

fn offset(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let rest = &text[1..];
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None if rest.len() == 4 => rest.split_at(2),
        None => (rest, "0"),
    };
    if hours.is_empty() || hours.len() > 2 {
        return None;
    }
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// `2020-01-31`.
pub(crate) fn date_text(days: i32) -> String {
    day(days).map_or_else(
        |_| days.to_string(),
        |day| format!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day()),
    )
}

fn fraction(micros: u32) -> String {
    match micros {
        0 => String::new(),
        some if some % 1000 == 0 => format!(".{:03}", some / 1000),
        some => format!(".{some:06}"),
    }
}

/// `12:30:00` with three or six digits behind it where there are any.
pub(crate) fn time_text(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    format!(
        "{:02}:{:02}:{:02}{}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        fraction(u32::try_from(micros % 1_000_000).unwrap_or(0))
    )
}

/// Day and time with a blank between them.
pub(crate) fn datetime_text(micros: i64) -> String {
    let days = i32::try_from(micros.div_euclid(DAY)).unwrap_or(0);
    format!("{} {}", date_text(days), time_text(micros.rem_euclid(DAY)))
}

/// An instant in a zone: `2020-01-01 00:00:00+00`.
pub(super) fn timestamp_text(instant: i64, zone: &str) -> Result<String> {
    let zone = Zone::read(zone)?;
    let seconds = zone.seconds(instant)?;
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
    let tail = if minutes == 0 {
        format!("{sign}{hours:02}")
    } else {
        format!("{sign}{hours:02}:{minutes:02}")
    };
    Ok(format!("{}{tail}", datetime_text(zone.wall(instant)?)))
}

struct Read<'a> {
    rest: &'a str,
}

impl Read<'_> {
    fn number(&mut self, most: usize) -> Option<u32> {
        let length = self
            .rest
            .chars()
            .take(most)
            .take_while(char::is_ascii_digit)
            .count();
        let (digits, rest) = self.rest.split_at(length);
        self.rest = rest;
        digits.parse().ok()
    }

    fn one_of(&mut self, chars: &[char]) -> bool {
        match self.rest.strip_prefix(chars) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn day(&mut self) -> Option<NaiveDate> {
        let year = self.number(5)?;
        self.one_of(&['-']).then_some(())?;
        let month = self.number(2)?;
        self.one_of(&['-']).then_some(())?;
        let day = self.number(2)?;
        NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
            .filter(|day| (1..=9999).contains(&day.year()))
    }

    fn time(&mut self) -> Option<i64> {
        let hour = self.number(2)?;
        self.one_of(&[':']).then_some(())?;
        let minute = self.number(2)?;
        self.one_of(&[':']).then_some(())?;
        let second = self.number(2)?;
        let mut micros = 0;
        if self.one_of(&['.']) {
            let digits: String = self.rest.chars().take_while(char::is_ascii_digit).collect();
            self.rest = &self.rest[digits.len()..];
            if digits.len() > 9 {
                return None;
            }
            micros = format!("{digits:0<6}")[..6].parse().ok()?;
        }
        (hour < 24 && minute < 60 && second < 60).then_some(())?;
        Some(i64::from(hour * 3600 + minute * 60 + second) * 1_000_000 + micros)
    }
}

/// Day, time and zone as far as they are there.
fn read(text: &str) -> Option<(i64, Option<String>)> {
    let mut reader = Read { rest: text.trim() };
    let mut total = i64::from(days(reader.day()?)) * DAY;
    if reader.one_of(&['T', 't'])
        || (reader.rest.starts_with(' ')
            && reader.rest[1..].starts_with(|c: char| c.is_ascii_digit())
            && reader.one_of(&[' ']))
    {
        total += reader.time()?;
    }
    let zone = reader.rest.trim();
    Some((total, (!zone.is_empty()).then(|| zone.to_owned())))
}

/// DATE of a value.
pub(super) fn to_date(v: &V, zone: Option<&str>) -> Result<i32> {
    let whole =
        |micros: i64| i32::try_from(micros.div_euclid(DAY)).or_else(|_| fail("DATE out of range"));
    match v {
        V::Date(v) => Ok(*v),
        V::Datetime(v) => whole(*v),
        V::Timestamp(v) => whole(Zone::read(zone.unwrap_or("UTC"))?.wall(*v)?),
        V::Str(text) => match read(text) {
            Some((micros, None)) => whole(micros),
            _ => fail(format!("Invalid date: '{text}'")),
        },
        other => fail(format!("Invalid cast of {other:?} to DATE")),
    }
}

/// DATETIME of a value.
pub(super) fn to_datetime(v: &V, zone: Option<&str>) -> Result<i64> {
    match v {
        V::Date(v) => Ok(i64::from(*v) * DAY),
        V::Datetime(v) => Ok(*v),
        V::Timestamp(v) => Zone::read(zone.unwrap_or("UTC"))?.wall(*v),
        V::Str(text) => match read(text) {
            Some((micros, None)) => Ok(micros),
            _ => fail(format!("Invalid datetime string \"{text}\"")),
        },
        other => fail(format!("Invalid cast of {other:?} to DATETIME")),
    }
}

/// TIMESTAMP of a value.
pub(super) fn to_timestamp(v: &V, zone: Option<&str>) -> Result<i64> {
    match v {
        V::Timestamp(v) => Ok(*v),
        V::Date(_) | V::Datetime(_) => {
            Zone::read(zone.unwrap_or("UTC"))?.instant(to_datetime(v, None)?)
        }
        V::Str(text) => match read(text) {
            Some((wall, own)) => {
                let zone = match (&own, zone) {
                    (Some(own), _) => {
                        Zone::read(own).or_else(|_| fail(format!("Invalid timestamp: '{text}'")))?
                    }
                    (None, zone) => Zone::read(zone.unwrap_or("UTC"))?,
                };
                zone.instant(wall)
            }
            None => fail(format!("Invalid timestamp: '{text}'")),
        },
        other => fail(format!("Invalid cast of {other:?} to TIMESTAMP")),
    }
}

/// TIME of a value.
pub(super) fn to_time(v: &V) -> Result<i64> {
    match v {
        V::Time(v) => Ok(*v),
        V::Datetime(v) | V::Timestamp(v) => Ok(v.rem_euclid(DAY)),
        V::Str(text) => {
            let mut reader = Read { rest: text.trim() };
            match reader.time() {
                Some(v) if reader.rest.is_empty() => Ok(v),
                _ => fail(format!("Invalid time string \"{text}\"")),
            }
        }
        other => fail(format!("Invalid cast of {other:?} to TIME")),
    }
}

/// A unit of the calendar, in capitals: what `EXTRACT` gives of a clock on the wall.
pub(super) fn part(name: &str, wall: i64) -> Result<i64> {
    let at = at(wall)?;
    let day = at.date();
    let week = |first: i64| {
        // Weeks begin on a day; the days before the first of them are week 0.
        let weekday = i64::from(day.weekday().num_days_from_sunday());
        let since = (weekday - first).rem_euclid(7);
        (i64::from(day.ordinal0()) + 7 - since) / 7
    };
    Ok(match name {
        "YEAR" => day.year().into(),
        "QUARTER" => i64::from(day.month0() / 3 + 1),
        "MONTH" => day.month().into(),
        "DAY" => day.day().into(),
        "DAYOFYEAR" => day.ordinal().into(),
        "DAYOFWEEK" => i64::from(day.weekday().num_days_from_sunday()) + 1,
        "WEEK" => week(0),
        "ISOWEEK" => day.iso_week().week().into(),
        "ISOYEAR" => day.iso_week().year().into(),
        "HOUR" => at.hour().into(),
        "MINUTE" => at.minute().into(),
        "SECOND" => at.second().into(),
        "MILLISECOND" => (wall.rem_euclid(1_000_000)) / 1000,
        "MICROSECOND" => wall.rem_euclid(1_000_000),
        other => match weekday(other) {
            Some(first) => week(first),
            None => {
                return fail(format!(
                    "A valid date part name is required but found {other}"
                ));
            }
        },
    })
}

/// The first day of `WEEK(MONDAY)`, from Sunday.
pub(super) fn weekday(name: &str) -> Option<i64> {
    let inner = name.strip_prefix("WEEK(")?.strip_suffix(')')?;
    [
        "SUNDAY",
        "MONDAY",
        "TUESDAY",
        "WEDNESDAY",
        "THURSDAY",
        "FRIDAY",
        "SATURDAY",
    ]
    .iter()
    .position(|day| *day == inner)
    .and_then(|index| i64::try_from(index).ok())
}
