//! Values that checks compare with, and the limits made of them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use tidemill_core::text::Text;

/// A value in a check: a number, a text, a date. It is written into the statement as a literal of its column's type,
/// so no
/// value can become a part of the SQL.
///
/// A `&str` stays as it is, braces and all; placeholders are filled in where the author says so, with
/// `Text::new("{ds}")`.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// No value; as a limit: none.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text, a date or a moment.
    Text(String),
    /// A text whose placeholders are filled in when the task runs.
    Filled(Text),
}

impl Literal {
    pub(super) const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// As a number, also if it came as text out of a placeholder.
    pub(super) fn number(&self) -> Option<f64> {
        let number = match self {
            Self::Int(value) => exact(*value),
            Self::Float(value) => *value,
            Self::Text(text) => text.trim().parse().ok()?,
            Self::Filled(text) => text.as_str().trim().parse().ok()?,
            Self::Null | Self::Bool(_) => return None,
        };
        number.is_finite().then_some(number)
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => number_shown(*value),
            Self::Text(text) => text.clone(),
            Self::Filled(text) => text.to_string(),
        }
    }

    /// What JSON has at this place; lists and objects are no value.
    pub(super) fn of_json(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Self::Int(whole),
                (None, Some(number)) => number.into(),
                (None, None) => Self::Text(number.to_string()),
            },
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(_) | Value::Object(_) => return None,
        })
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and limits are compared as the platforms compare them"
)]
pub(super) const fn exact(value: i64) -> f64 {
    value as f64
}

/// At most six digits after the point, and none that say nothing.
pub(super) fn number_shown(value: f64) -> String {
    if value.abs() >= 1e15 || (value != 0.0 && value.abs() < 1e-4) {
        return format!("{value:e}");
    }
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

macro_rules! from {
    ($($kind:ty => $variant:ident),+) => {
        $(impl From<$kind> for Literal {
            fn from(value: $kind) -> Self {
                Self::$variant(value.into())
            }
        })+
    };
}

from!(bool => Bool, i64 => Int, i32 => Int, u32 => Int, &str => Text, String => Text);

impl From<f64> for Literal {
    /// Numbers that are none stay texts: a check with one fails with a message that shows it.
    fn from(value: f64) -> Self {
        if value.is_finite() {
            Self::Float(value)
        } else {
            Self::Text(value.to_string())
        }
    }
}

impl From<()> for Literal {
    fn from((): ()) -> Self {
        Self::Null
    }
}

impl<T: Into<Self>> From<Option<T>> for Literal {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<Text> for Literal {
    fn from(text: Text) -> Self {
        if text.as_str().contains(['{', '}']) {
            Self::Filled(text)
        } else {
            Self::Text(text.as_str().to_owned())
        }
    }
}

impl From<NaiveDate> for Literal {
    fn from(date: NaiveDate) -> Self {
        Self::Text(date.to_string())
    }
}

impl From<NaiveDateTime> for Literal {
    fn from(time: NaiveDateTime) -> Self {
        Self::Text(time.format("%Y-%m-%d %H:%M:%S%.f").to_string())
    }
}

impl From<DateTime<Utc>> for Literal {
    fn from(time: DateTime<Utc>) -> Self {
        Self::Text(time.format("%Y-%m-%d %H:%M:%S%.f+00:00").to_string())
    }
}

impl Serialize for Literal {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Bool(value) => to.serialize_bool(*value),
            Self::Int(value) => to.serialize_i64(*value),
            Self::Float(value) => to.serialize_f64(*value),
            Self::Text(text) => to.serialize_str(text),
            Self::Filled(text) => text.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        if value.is_object() {
            return Text::deserialize(value)
                .map(Self::Filled)
                .map_err(D::Error::custom);
        }
        Self::of_json(&value).ok_or_else(|| D::Error::custom("a value is a scalar, not a list"))
    }
}

/// From here to there; what is null is open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bounds {
    #[serde(default = "null", skip_serializing_if = "Literal::is_null")]
    pub(super) min: Literal,
    #[serde(default = "null", skip_serializing_if = "Literal::is_null")]
    pub(super) max: Literal,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) strict_min: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) strict_max: bool,
}

const fn null() -> Literal {
    Literal::Null
}

impl Bounds {
    pub(super) fn new(min: impl Into<Literal>, max: impl Into<Literal>) -> Self {
        Self {
            min: min.into(),
            max: max.into(),
            strict_min: false,
            strict_max: false,
        }
    }

    /// Both limits as numbers.
    ///
    /// # Errors
    /// One of them is none, or nothing is between them.
    pub(super) fn numbers(&self) -> Result<(Option<f64>, Option<f64>), String> {
        let number = |limit: &Literal| match limit {
            Literal::Null => Ok(None),
            other => other
                .number()
                .map(Some)
                .ok_or_else(|| format!("the limit `{}` is no number", other.shown())),
        };
        let (min, max) = (number(&self.min)?, number(&self.max)?);
        self.in_order(min, max)?;
        Ok((min, max))
    }

    /// Fails if the first limit is above the second.
    pub(super) fn in_order<T: PartialOrd>(
        &self,
        min: Option<T>,
        max: Option<T>,
    ) -> Result<(), String> {
        match (min, max) {
            (Some(min), Some(max)) if min > max => Err(format!(
                "nothing is between {} and {}: the first limit is above the second",
                self.min.shown(),
                self.max.shown()
            )),
            _ => Ok(()),
        }
    }

    /// Whether a number is inside.
    pub(super) fn hold(&self, (min, max): (Option<f64>, Option<f64>), value: f64) -> bool {
        let above = min.is_none_or(|min| {
            if self.strict_min {
                value > min
            } else {
                value >= min
            }
        });
        let below = max.is_none_or(|max| {
            if self.strict_max {
                value < max
            } else {
                value <= max
            }
        });
        above && below
    }

    /// For people: `between 1 and 5`.
    pub(super) fn shown(&self) -> String {
        let low = if self.strict_min {
            "more than"
        } else {
            "at least"
        };
        let high = if self.strict_max {
            "less than"
        } else {
            "at most"
        };
        match (self.min.is_null(), self.max.is_null()) {
            (true, true) => "anything".to_owned(),
            (false, true) => format!("{low} {}", self.min.shown()),
            (true, false) => format!("{high} {}", self.max.shown()),
            (false, false) if self.min == self.max => self.min.shown(),
            (false, false) if self.strict_min || self.strict_max => {
                format!("{low} {} and {high} {}", self.min.shown(), self.max.shown())
            }
            (false, false) => format!("between {} and {}", self.min.shown(), self.max.shown()),
        }
    }
}
