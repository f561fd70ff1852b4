//! Values as text and back, for loads and for what clients are shown.

use datafusion::arrow::datatypes::i256;

use super::value::V;
use super::{cast, civil, hash};

fn of(text: &str) -> V {
    V::Str(text.to_owned())
}

/// Days since 1970.
pub(crate) fn date(text: &str) -> Option<i32> {
    civil::to_date(&of(text), None).ok()
}

/// Microseconds of a calendar's time.
pub(crate) fn datetime(text: &str) -> Option<i64> {
    civil::to_datetime(&of(text), None).ok()
}

/// Microseconds since 1970; UTC where no zone is named.
pub(crate) fn timestamp(text: &str) -> Option<i64> {
    civil::to_timestamp(&of(text), None).ok()
}

/// Microseconds of a day.
pub(crate) fn time(text: &str) -> Option<i64> {
    civil::to_time(&of(text)).ok()
}

/// Billionths.
pub(crate) fn numeric(text: &str) -> Option<i128> {
    cast::numeric(&of(text)).ok()
}

/// With 38 digits behind the point.
pub(crate) fn big(text: &str) -> Option<i256> {
    cast::big(&of(text)).ok()
}

/// Bytes of base64.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    hash::decode(text, "base64").ok()
}

pub(crate) use super::cast::{big_text, float_text, numeric_text};
pub(crate) use super::civil::{date_text, datetime_text, time_text};
pub(crate) use super::hash::base64;
