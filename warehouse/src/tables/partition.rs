//! Partitions: which one a value belongs to, and how `BigQuery` names it.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};

use super::meta::{Partitioning, RangeBounds, Unit};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// One partition of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// Of a table without partitions.
    Whole,
    /// Rows without a value.
    Null,
    /// Rows whose value is in no range.
    Unpartitioned,
    /// Hours, days, months or years since 1970; or the first number of a range.
    At(i64),
}

impl Partition {
    /// `20260131`, `2026013105`, `202601`, `2026`, `10`, `__NULL__`; none for a whole table.
    #[must_use]
    pub fn name(self, partitioning: &Partitioning) -> Option<String> {
        let at = match self {
            Self::Whole => return None,
            Self::Null => return Some("__NULL__".to_owned()),
            Self::Unpartitioned => return Some("__UNPARTITIONED__".to_owned()),
            Self::At(at) => at,
        };
        let unit = match partitioning {
            Partitioning::Range { .. } => return Some(at.to_string()),
            Partitioning::Time { unit, .. } => *unit,
        };
        let start = unit.start(at)?;
        let mut name = format!("{:04}", start.year());
        if unit != Unit::Year {
            let _ = write!(name, "{:02}", start.month());
        }
        if matches!(unit, Unit::Day | Unit::Hour) {
            let _ = write!(name, "{:02}", start.day());
        }
        if unit == Unit::Hour {
            let _ = write!(name, "{:02}", start.hour());
        }
        Some(name)
    }

    /// Reads what stands behind `$` in the name of a table.
    #[must_use]
    pub fn from_name(name: &str, partitioning: &Partitioning) -> Option<Self> {
        match (name, partitioning) {
            ("__NULL__", _) => return Some(Self::Null),
            ("__UNPARTITIONED__", _) => return Some(Self::Unpartitioned),
            (_, Partitioning::Range { range, .. }) => {
                let at: i64 = name.parse().ok()?;
                let found = range.of(at);
                return (found == Self::At(at)).then_some(found);
            }
            _ => {}
        }
        let Partitioning::Time { unit, .. } = partitioning else {
            return None;
        };
        let digits = match unit {
            Unit::Year => 4,
            Unit::Month => 6,
            Unit::Day => 8,
            Unit::Hour => 10,
        };
        if name.len() != digits || !name.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number = |from: usize, to: usize, otherwise: u32| {
            name.get(from..to)
                .map_or(Some(otherwise), |text| text.parse().ok())
        };
        let day =
            NaiveDate::from_ymd_opt(name[..4].parse().ok()?, number(4, 6, 1)?, number(6, 8, 1)?)?;
        let at = day.and_hms_opt(number(8, 10, 0)?, 0, 0)?.and_utc();
        Some(Self::At(unit.of_micros(at.timestamp_micros())))
    }

    /// The first instant of a partition by time.
    #[must_use]
    pub fn start(self, partitioning: &Partitioning) -> Option<DateTime<Utc>> {
        match (self, partitioning) {
            (Self::At(at), Partitioning::Time { unit, .. }) => unit.start(at),
            _ => None,
        }
    }

    /// The partition that rows come into at an instant.
    pub(crate) fn at_instant(unit: Unit, now: DateTime<Utc>) -> Self {
        Self::At(unit.of_micros(now.timestamp_micros()))
    }
}

impl Unit {
    /// Which one since 1970 microseconds belong to.
    pub(super) fn of_micros(self, micros: i64) -> i64 {
        match self {
            Self::Hour => micros.div_euclid(HOUR),
            Self::Day => micros.div_euclid(DAY),
            Self::Month | Self::Year => self.of_days(micros.div_euclid(DAY)),
        }
    }

    /// Which one since 1970 a day belongs to.
    pub(super) fn of_days(self, days: i64) -> i64 {
        match self {
            Self::Hour => days * 24,
            Self::Day => days,
            Self::Month | Self::Year => {
                // Arrow's days reach beyond chrono's; those are no days of BigQuery and are refused elsewhere.
                let day = i32::try_from(days)
                    .ok()
                    .and_then(NaiveDate::from_epoch_days)
                    .unwrap_or_default();
                match self {
                    Self::Month => i64::from(day.year() - 1970) * 12 + i64::from(day.month0()),
                    _ => i64::from(day.year() - 1970),
                }
            }
        }
    }

    /// When it begins.
    pub(super) fn start(self, at: i64) -> Option<DateTime<Utc>> {
        let month = |at: i64| {
            let year = i32::try_from(1970 + at.div_euclid(12)).ok()?;
            let month = u32::try_from(at.rem_euclid(12)).ok()? + 1;
            Some(
                NaiveDate::from_ymd_opt(year, month, 1)?
                    .and_hms_opt(0, 0, 0)?
                    .and_utc(),
            )
        };
        match self {
            Self::Hour => DateTime::from_timestamp_micros(at.checked_mul(HOUR)?),
            Self::Day => DateTime::from_timestamp_micros(at.checked_mul(DAY)?),
            Self::Month => month(at),
            Self::Year => month(at.checked_mul(12)?),
        }
    }
}

impl RangeBounds {
    /// The range of a number.
    pub(super) fn of(&self, number: i64) -> Partition {
        if number < self.start || number >= self.end {
            return Partition::Unpartitioned;
        }
        let behind = (i128::from(number) - i128::from(self.start)) / i128::from(self.interval);
        let start = i128::from(self.start) + behind * i128::from(self.interval);
        i64::try_from(start).map_or(Partition::Unpartitioned, Partition::At)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(unit: Unit) -> Partitioning {
        Partitioning::Time {
            unit,
            field: None,
            expiration_ms: None,
        }
    }

    #[test]
    fn names_come_back() {
        for (unit, name) in [
            (Unit::Hour, "2026013123"),
            (Unit::Day, "20240229"),
            (Unit::Day, "19691231"),
            (Unit::Month, "196912"),
            (Unit::Month, "202602"),
            (Unit::Year, "1969"),
        ] {
            let by = time(unit);
            let partition = Partition::from_name(name, &by).unwrap();
            assert_eq!(partition.name(&by).as_deref(), Some(name));
        }
        for name in ["2026013", "20260132", "abcdefgh", "", "2026"] {
            assert_eq!(Partition::from_name(name, &time(Unit::Day)), None, "{name}");
        }
    }

    #[test]
    fn numbers_have_ranges() {
        let range = RangeBounds {
            start: -10,
            end: 10,
            interval: 5,
        };
        assert_eq!(range.of(-6), Partition::At(-10));
        assert_eq!(range.of(9), Partition::At(5));
        assert_eq!(range.of(10), Partition::Unpartitioned);
        let whole = RangeBounds {
            start: i64::MIN,
            end: i64::MAX,
            interval: 1,
        };
        assert_eq!(whole.of(0), Partition::At(0));
    }
}
