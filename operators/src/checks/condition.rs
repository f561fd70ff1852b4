//! Which rows a check looks at.

use serde::{Deserialize, Serialize};

use super::literal::Literal;

/// Which rows a check looks at.
///
/// Best made of columns and values: `column("status").equals("paid")`; such a condition runs on every database, and
/// values
/// can be placeholders. A text is SQL as it is, in the dialect of the database and without placeholders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// SQL, as the author wrote it.
    Sql(String),
    /// A column compared with a value.
    Compare {
        /// The column.
        column: String,
        /// How.
        with: Comparison,
        /// The value.
        value: Literal,
    },
    /// A column has one of these values.
    OneOf {
        /// The column.
        column: String,
        /// The values.
        values: Vec<Literal>,
    },
    /// A column has a value, and none of these.
    NoneOf {
        /// The column.
        column: String,
        /// The values.
        values: Vec<Literal>,
    },
    /// A column has no value.
    Missing(String),
    /// A column has a value.
    Present(String),
    /// Every one of these.
    All(Vec<Condition>),
    /// Any of these.
    Any(Vec<Condition>),
}

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// It is the value.
    Equals,
    /// It is another one.
    Differs,
    /// It is less.
    Less,
    /// It is not more.
    AtMost,
    /// It is more.
    More,
    /// It is not less.
    AtLeast,
}

impl Comparison {
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Equals => "=",
            Self::Differs => "<>",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// A column, to make a [`Condition`] of.
#[must_use]
pub fn column(name: impl Into<String>) -> ColumnIs {
    ColumnIs(name.into())
}

/// A column, to make a [`Condition`] of.
#[derive(Debug, Clone)]
pub struct ColumnIs(String);

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident => $how:ident),+ $(,)?) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(self, value: impl Into<Literal>) -> Condition {
            Condition::Compare { column: self.0, with: Comparison::$how, value: value.into() }
        })+
    };
}

impl ColumnIs {
    comparisons! {
        /// Rows where it is this value.
        equals => Equals,
        /// Rows where it is another value.
        differs_from => Differs,
        /// Rows where it is less.
        less_than => Less,
        /// Rows where it is not more.
        at_most => AtMost,
        /// Rows where it is more.
        more_than => More,
        /// Rows where it is not less.
        at_least => AtLeast,
    }

    /// Rows where it is one of these.
    #[must_use]
    pub fn one_of<L: Into<Literal>>(self, values: impl IntoIterator<Item = L>) -> Condition {
        Condition::OneOf {
            column: self.0,
            values: values.into_iter().map(Into::into).collect(),
        }
    }

    /// Rows where it has a value, and none of these.
    #[must_use]
    pub fn none_of<L: Into<Literal>>(self, values: impl IntoIterator<Item = L>) -> Condition {
        Condition::NoneOf {
            column: self.0,
            values: values.into_iter().map(Into::into).collect(),
        }
    }

    /// Rows where it has no value.
    #[must_use]
    pub fn missing(self) -> Condition {
        Condition::Missing(self.0)
    }

    /// Rows where it has a value.
    #[must_use]
    pub fn present(self) -> Condition {
        Condition::Present(self.0)
    }
}

impl From<&str> for Condition {
    fn from(sql: &str) -> Self {
        Self::Sql(sql.to_owned())
    }
}

impl From<String> for Condition {
    fn from(sql: String) -> Self {
        Self::Sql(sql)
    }
}
