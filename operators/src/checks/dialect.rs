//! What databases write differently, and how values and names get into a statement: never as they are.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use super::literal::Literal;

/// The SQL that a database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// BigQuery's.
    BigQuery,
    /// That of PostgreSQL, from version 12 on.
    Postgres,
}

/// A column of a table, as the database declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, such as `INT64` or `character varying`.
    pub kind: String,
}

impl Column {
    /// A column of this type.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: kind.into(),
        }
    }
}

/// Types that behave alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Int,
    Float,
    Decimal,
    Text,
    Bool,
    Date,
    /// A date and a time of day, nobody says where.
    Civil,
    /// A point in time.
    Moment,
    Time,
    Json,
    Other,
}

impl Family {
    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Float | Self::Decimal)
    }

    pub(super) const fn is_day(self) -> bool {
        matches!(self, Self::Date | Self::Civil | Self::Moment)
    }
}

/// The name of a type without its size, one name for one type.
pub(super) fn plain_kind(kind: &str) -> String {
    let open = kind.find(['(', '<']).unwrap_or(kind.len());
    // `timestamp(3) with time zone`
    let rest = kind
        .find(')')
        .filter(|close| *close > open)
        .map_or("", |close| &kind[close + 1..]);
    let name = format!("{}{rest}", kind[..open].trim_end());
    let name = name.trim().to_ascii_uppercase();
    match name.as_str() {
        "INT" | "INTEGER" | "INT4" => "INTEGER".to_owned(),
        "BIGINT" | "INT8" => "BIGINT".to_owned(),
        "SMALLINT" | "INT2" => "SMALLINT".to_owned(),
        "FLOAT" | "FLOAT64" | "FLOAT8" | "DOUBLE PRECISION" => "FLOAT64".to_owned(),
        "REAL" | "FLOAT4" => "REAL".to_owned(),
        "DECIMAL" | "NUMERIC" => "NUMERIC".to_owned(),
        "BIGDECIMAL" | "BIGNUMERIC" => "BIGNUMERIC".to_owned(),
        "BOOL" | "BOOLEAN" => "BOOL".to_owned(),
        "VARCHAR" | "CHARACTER VARYING" => "VARCHAR".to_owned(),
        "CHAR" | "CHARACTER" | "BPCHAR" => "CHAR".to_owned(),
        "TIMESTAMPTZ" | "TIMESTAMP WITH TIME ZONE" => "TIMESTAMPTZ".to_owned(),
        "TIMESTAMP" | "TIMESTAMP WITHOUT TIME ZONE" => "TIMESTAMP".to_owned(),
        "RECORD" | "STRUCT" => "STRUCT".to_owned(),
        _ => name,
    }
}

impl Dialect {
    /// Whether two declared types are the same one. In BigQuery every whole number is an `INT64`.
    pub(super) fn same_kind(self, a: &str, b: &str) -> bool {
        let plain = |kind: &str| {
            let kind = plain_kind(kind);
            match (self, kind.as_str()) {
                (Self::BigQuery, "INTEGER" | "BIGINT" | "SMALLINT" | "TINYINT" | "BYTEINT") => {
                    "INT64".to_owned()
                }
                _ => kind,
            }
        };
        let sized = a.contains('(') && b.contains('(');
        plain(a) == plain(b)
            && (!sized || a.replace(' ', "").eq_ignore_ascii_case(&b.replace(' ', "")))
    }

    pub(super) fn family(self, kind: &str) -> Family {
        match plain_kind(kind).as_str() {
            "INT64" | "INTEGER" | "BIGINT" | "SMALLINT" | "TINYINT" | "BYTEINT" => Family::Int,
            "FLOAT64" | "REAL" => Family::Float,
            "NUMERIC" | "BIGNUMERIC" => Family::Decimal,
            "STRING" | "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "CITEXT" => Family::Text,
            "BOOL" => Family::Bool,
            "DATE" => Family::Date,
            "DATETIME" => Family::Civil,
            "TIMESTAMP" if self == Self::Postgres => Family::Civil,
            "TIMESTAMP" | "TIMESTAMPTZ" => Family::Moment,
            "TIME" | "TIME WITHOUT TIME ZONE" => Family::Time,
            "JSON" | "JSONB" => Family::Json,
            _ => Family::Other,
        }
    }

    /// A name in quotes.
    ///
    /// # Errors
    /// No name has such characters.
    pub(super) fn name(self, name: &str) -> Result<String, String> {
        let odd = |c: char| c.is_control() || (self == Self::BigQuery && matches!(c, '`' | '\\'));
        if name.is_empty() || name.contains(odd) {
            return Err(format!("{name:?} is no name that can be quoted"));
        }
        Ok(match self {
            Self::BigQuery => format!("`{name}`"),
            Self::Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
        })
    }

    /// A table's name, each part in quotes.
    ///
    /// # Errors
    /// It has too many parts, or one is no name.
    pub(super) fn table(self, table: &str) -> Result<String, String> {
        // A project may have dots in it: `example.com:shop`.
        let mut parts: Vec<&str> = match self {
            Self::BigQuery => table.rsplitn(3, '.').collect(),
            Self::Postgres => table.rsplitn(2, '.').collect(),
        };
        parts.reverse();
        let quoted: Result<Vec<_>, _> = parts.into_iter().map(|part| self.name(part)).collect();
        quoted
            .map(|parts| parts.join("."))
            .map_err(|error| format!("table `{table}`: {error}"))
    }

    /// A text as a literal.
    ///
    /// # Errors
    /// PostgreSQL has no text with a NUL in it.
    pub(super) fn text(self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len() + 2);
        match self {
            Self::BigQuery => {
                out.push('\'');
                for c in text.chars() {
                    match c {
                        '\\' => out.push_str("\\\\"),
                        '\'' => out.push_str("\\'"),
                        '\n' => out.push_str("\\n"),
                        '\r' => out.push_str("\\r"),
                        '\t' => out.push_str("\\t"),
                        '\0' => out.push_str("\\x00"),
                        c => out.push(c),
                    }
                }
                out.push('\'');
            }
            Self::Postgres => {
                if text.contains('\0') {
                    return Err("PostgreSQL has no text with a NUL in it".to_owned());
                }
                // Whatever `standard_conforming_strings` is.
                if text.contains('\\') {
                    out.push('E');
                }
                out.push('\'');
                out.push_str(&text.replace('\\', "\\\\").replace('\'', "''"));
                out.push('\'');
            }
        }
        Ok(out)
    }

    /// A value as a literal of a column's type.
    ///
    /// # Errors
    /// It is no value of that type.
    pub(super) fn literal(self, value: &Literal, column: &Column) -> Result<String, String> {
        let family = self.family(&column.kind);
        let unfit = || {
            format!(
                "`{}` is no value for the column `{}`, which is {}",
                value.shown(),
                column.name,
                column.kind
            )
        };
        let text = match value {
            Literal::Null => return Ok("NULL".to_owned()),
            Literal::Bool(value) if family == Family::Bool => {
                return Ok(if *value { "TRUE" } else { "FALSE" }.to_owned());
            }
            Literal::Int(value) if family.is_number() => return Ok(value.to_string()),
            Literal::Float(value) if family.is_number() && value.is_finite() => {
                return Ok(format!("{value:?}"));
            }
            Literal::Bool(_) | Literal::Int(_) | Literal::Float(_) => return Err(unfit()),
            Literal::Text(text) => text.as_str(),
            Literal::Filled(text) => text.as_str(),
        };
        self.of_text(text, family).ok_or_else(unfit)
    }

    fn of_text(self, text: &str, family: Family) -> Option<String> {
        let trimmed = text.trim();
        Some(match family {
            Family::Text => self.text(text).ok()?,
            Family::Other if self == Self::Postgres => self.text(text).ok()?,
            Family::Int => trimmed.parse::<i64>().ok()?.to_string(),
            Family::Float => {
                let number = trimmed.parse::<f64>().ok().filter(|n| n.is_finite())?;
                format!("{number:?}")
            }
            // All of its digits.
            Family::Decimal => decimal(trimmed)?.to_owned(),
            Family::Bool => match trimmed {
                "true" => "TRUE".to_owned(),
                "false" => "FALSE".to_owned(),
                _ => return None,
            },
            Family::Date => {
                let date = NaiveDate::parse_from_str(trimmed, "%Y-%m-%d").ok()?;
                format!("DATE '{date}'")
            }
            Family::Civil => {
                let word = match self {
                    Self::BigQuery => "DATETIME",
                    Self::Postgres => "TIMESTAMP",
                };
                format!(
                    "{word} '{}'",
                    civil(trimmed)?.format("%Y-%m-%d %H:%M:%S%.6f")
                )
            }
            Family::Moment => {
                let word = match self {
                    Self::BigQuery => "TIMESTAMP",
                    Self::Postgres => "TIMESTAMPTZ",
                };
                let moment = moment(trimmed)?.format("%Y-%m-%d %H:%M:%S%.6f");
                format!("{word} '{moment}+00'")
            }
            Family::Time => {
                let time = NaiveTime::parse_from_str(trimmed, "%H:%M:%S%.f")
                    .or_else(|_| NaiveTime::parse_from_str(trimmed, "%H:%M"));
                format!("TIME '{}'", time.ok()?.format("%H:%M:%S%.6f"))
            }
            Family::Json | Family::Other => return None,
        })
    }

    /// An expression as text.
    pub(super) fn as_text(self, expr: &str, family: Family) -> String {
        match (self, family) {
            (Self::BigQuery, Family::Json | Family::Other) => format!("TO_JSON_STRING({expr})"),
            (Self::BigQuery, _) => format!("CAST({expr} AS STRING)"),
            (Self::Postgres, _) => format!("CAST({expr} AS TEXT)"),
        }
    }

    /// Whether a regular expression is found.
    pub(super) fn found(self, expr: &str, pattern: &str) -> String {
        match self {
            Self::BigQuery => format!("REGEXP_CONTAINS({expr}, {pattern})"),
            Self::Postgres => format!("({expr} ~ {pattern})"),
        }
    }

    /// Microseconds since 1970 of a day or a moment.
    pub(super) fn micros(self, expr: &str, family: Family) -> String {
        match (self, family) {
            (Self::BigQuery, Family::Moment) => format!("UNIX_MICROS({expr})"),
            (Self::BigQuery, _) => format!("UNIX_MICROS(CAST({expr} AS TIMESTAMP))"),
            (Self::Postgres, _) => {
                format!("CAST(EXTRACT(EPOCH FROM {expr}) * 1000000 AS BIGINT)")
            }
        }
    }

    /// A number that is none counts as missing, as it does for pandas.
    pub(super) fn not_nan(self, expr: &str, family: Family) -> Option<String> {
        match (self, family) {
            (Self::BigQuery, Family::Float) => Some(format!(
                "CASE WHEN IS_NAN({expr}) THEN NULL ELSE {expr} END"
            )),
            (Self::Postgres, Family::Float | Family::Decimal) => {
                Some(format!("NULLIF({expr}, 'NaN')"))
            }
            _ => None,
        }
    }

    /// The statement that lists a table's columns in their order: names and types.
    ///
    /// # Errors
    /// The name of the table cannot be quoted.
    pub fn columns_of(self, table: &str) -> Result<String, String> {
        self.table(table)?;
        let (schema, name) = table.rsplit_once('.').unwrap_or(("", table));
        Ok(match self {
            Self::BigQuery => {
                let quoted = format!("{schema}.x");
                let schema = if schema.is_empty() {
                    String::new()
                } else {
                    self.table(&quoted)?.trim_end_matches("`x`").to_owned()
                };
                format!(
                    "SELECT column_name, data_type FROM {schema}INFORMATION_SCHEMA.COLUMNS \
                     WHERE table_name = {} ORDER BY ordinal_position",
                    self.text(name)?
                )
            }
            Self::Postgres => {
                let schema = if schema.is_empty() {
                    "current_schema()".to_owned()
                } else {
                    self.text(schema)?
                };
                format!(
                    "SELECT CAST(column_name AS TEXT), CAST(data_type AS TEXT) FROM information_schema.columns \
                     WHERE table_schema = {schema} AND table_name = {} ORDER BY ordinal_position",
                    self.text(name)?
                )
            }
        })
    }
}

/// A number of any length, if the text is one.
fn decimal(text: &str) -> Option<&str> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_digits(whole) && is_digits(part)).then_some(text)
}

fn civil(text: &str) -> Option<NaiveDateTime> {
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    NaiveDateTime::parse_from_str(&text.replacen('T', " ", 1), "%Y-%m-%d %H:%M:%S%.f")
        .ok()
        .or_else(|| day()?.and_hms_opt(0, 0, 0))
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    let text = text.replacen(' ', "T", 1);
    DateTime::parse_from_rfc3339(&text)
        .map(|moment| moment.with_timezone(&Utc))
        .ok()
        // Without a zone it is UTC, as in BigQuery.
        .or_else(|| civil(&text).map(|civil| civil.and_utc()))
}

/// Whether a piece of SQL can stand in brackets: it closes what it opens, and is one statement.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn encloses(sql: &str, dialect: Dialect) -> Result<(), String> {
    let mut depth = 0_usize;
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' | '"' | '`' => {
                let mut closed = false;
                while let Some(inner) = rest.next() {
                    if inner == '\\' && dialect == Dialect::BigQuery {
                        rest.next();
                    } else if inner == '\\' && rest.peek() == Some(&c) {
                        return Err(format!(
                            "whether \\{c} ends a text depends on settings in PostgreSQL; write {c}{c}"
                        ));
                    } else if inner == c {
                        closed = true;
                        break;
                    }
                }
                if !closed {
                    return Err(format!("a {c} is opened and not closed"));
                }
            }
            '-' if rest.peek() == Some(&'-') => while rest.next().is_some_and(|c| c != '\n') {},
            '/' if rest.peek() == Some(&'*') => {
                return Err("comments are written with `--` here".to_owned());
            }
            '#' | '$' => {
                return Err(format!(
                    "`{c}` begins a comment or a quote in some databases"
                ));
            }
            ';' => return Err("it is more than one statement: there is a `;` in it".to_owned()),
            '(' => depth += 1,
            ')' => {
                depth = depth
                    .checked_sub(1)
                    .ok_or("a bracket is closed that was not opened")?;
            }
            _ => {}
        }
    }
    if depth > 0 {
        return Err("a bracket is opened and not closed".to_owned());
    }
    if sql.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(())
}
