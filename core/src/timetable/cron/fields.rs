//! The five fields in the form that the search and the description share.
//!
//! This module owns small sets of numbers and what each set stands for. It must
//! not read text and must not know about dates or zones.

/// The months with 31 days, in which every day of the month exists.
const LONG_MONTHS: [u32; 7] = [1, 3, 5, 7, 8, 10, 12];

/// A set of numbers between `min` and `max`, none of which exceeds 63.
///
/// A bit mask keeps the sets free of allocation and makes the questions asked
/// of them, such as whether all are present, single comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NumberSet {
    bits: u64,
    min: u32,
    max: u32,
}

impl NumberSet {
    /// Makes an empty set for numbers from `min` to `max`.
    pub(super) const fn empty(min: u32, max: u32) -> Self {
        Self { bits: 0, min, max }
    }

    /// Adds a number. One outside the range is left out, so that a set can
    /// never hold what its field does not allow.
    pub(super) fn insert(&mut self, number: u32) {
        if (self.min..=self.max).contains(&number) {
            self.bits |= 1 << number;
        }
    }

    pub(super) fn contains(self, number: u32) -> bool {
        (self.min..=self.max).contains(&number) && self.bits & (1 << number) != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.bits == 0
    }

    pub(super) fn len(self) -> usize {
        self.bits.count_ones() as usize
    }

    /// Tells whether every number of the range is present.
    pub(super) fn is_full(self) -> bool {
        (self.min..=self.max).all(|number| self.contains(number))
    }

    /// Lists the numbers from the lowest to the highest.
    pub(super) fn iter(self) -> impl Iterator<Item = u32> {
        (self.min..=self.max).filter(move |number| self.contains(*number))
    }
}

/// The fields of one expression, read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) minutes: NumberSet,
    pub(super) hours: NumberSet,
    pub(super) days: NumberSet,
    /// Whether `L` asks for the last day of each month.
    pub(super) last_day: bool,
    pub(super) months: NumberSet,
    pub(super) weekdays: Weekdays,
    /// Whether the day field limits anything. A field with a star does not.
    pub(super) days_limited: bool,
    /// Whether the weekday field limits anything.
    pub(super) weekdays_limited: bool,
}

/// The weekday field, with Sunday as 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Weekdays {
    /// The days that match in every week.
    pub(super) every: NumberSet,
    /// The days that match on their first to fifth occurrence in a month.
    pub(super) nth: [NumberSet; 5],
    /// The days that match on their last occurrence in a month.
    pub(super) last: NumberSet,
}

impl Weekdays {
    /// Makes a weekday field that matches nothing yet.
    pub(super) const fn empty() -> Self {
        let none = NumberSet::empty(0, 6);
        Self {
            every: none,
            nth: [none; 5],
            last: none,
        }
    }
}

/// Returns the most days that a month can have in any year.
pub(super) fn longest_length(month: u32) -> u32 {
    match month {
        2 => 29,
        month if LONG_MONTHS.contains(&month) => 31,
        _ => 30,
    }
}
