//! `OPTIONS(name = value, …)`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::{Run, SqlError};
use crate::rows::{CellText, text_of};
use crate::schema::{Kind, Mode};
use crate::sql::cursor::{Cursor, texts};
use crate::sql::piece::Piece;
use crate::tables::{DatasetMeta, Partitioning, TableMeta};

const DAY_MS: f64 = 86_400_000.0;

/// All of a statement.
#[derive(Default)]
pub(in crate::sql) struct Options {
    pub(in crate::sql) list: Vec<Named>,
}

/// One of them.
pub(in crate::sql) struct Named {
    /// In small letters.
    pub(in crate::sql) name: String,
    pub(in crate::sql) value: Given,
    place: String,
}

/// A value as it was written.
pub(in crate::sql) enum Given {
    /// An ARRAY of pairs.
    Pairs(Vec<(String, String)>),
    /// An ARRAY of texts.
    Texts(Vec<String>),
    /// An expression.
    Expression(Piece),
}

impl Options {
    /// Reads `OPTIONS(…)`.
    pub(in crate::sql) fn read(cursor: &mut Cursor<'_>) -> Result<Self, SqlError> {
        cursor.expect("OPTIONS")?;
        Self::in_brackets(cursor)
    }

    /// Reads `(…)`.
    pub(in crate::sql) fn in_brackets(cursor: &mut Cursor<'_>) -> Result<Self, SqlError> {
        cursor.need(&Token::LParen)?;
        let mut list: Vec<Named> = Vec::new();
        while !cursor.is(&Token::RParen) {
            let place = cursor.place();
            let name = cursor.name()?.to_lowercase();
            if list.iter().any(|one| one.name == name) {
                return Err(SqlError::invalid(format!(
                    "Duplicate option specified for '{name}'{place}"
                )));
            }
            cursor.need(&Token::Eq)?;
            let value = if cursor.is(&Token::LBracket) {
                array(cursor)?
            } else {
                Given::Expression(cursor.expression(&[])?)
            };
            list.push(Named { name, value, place });
            if !cursor.sign(&Token::Comma) {
                break;
            }
        }
        cursor.need(&Token::RParen)?;
        Ok(Self { list })
    }
}

fn array(cursor: &mut Cursor<'_>) -> Result<Given, SqlError> {
    cursor.need(&Token::LBracket)?;
    let mut pairs = Vec::new();
    let mut list = Vec::new();
    while !cursor.is(&Token::RBracket) {
        if cursor
            .token()
            .is_some_and(|token| texts(&token.token).is_some())
        {
            list.push(cursor.literal()?);
        } else {
            cursor.take("STRUCT");
            cursor.need(&Token::LParen)?;
            let name = cursor.literal()?;
            cursor.need(&Token::Comma)?;
            pairs.push((name, cursor.literal()?));
            cursor.need(&Token::RParen)?;
        }
        if !cursor.sign(&Token::Comma) {
            break;
        }
    }
    cursor.need(&Token::RBracket)?;
    if !list.is_empty() && !pairs.is_empty() {
        return Err(SqlError::invalid(format!(
            "Array elements of different types{}",
            cursor.place()
        )));
    }
    Ok(if list.is_empty() {
        Given::Pairs(pairs)
    } else {
        Given::Texts(list)
    })
}

impl Named {
    /// There is none of this name.
    pub(in crate::sql) fn unknown(&self) -> SqlError {
        SqlError::invalid(format!("Unknown option: {}{}", self.name, self.place))
    }

    pub(in crate::sql) fn wrong(&self, wanted: &str) -> SqlError {
        SqlError::invalid(format!(
            "The option {} must be {wanted}{}",
            self.name, self.place
        ))
    }

    fn uncovered(&self) -> SqlError {
        SqlError::unsupported(format!("the option {}", self.name))
    }

    /// A text that stands there as it is, or NULL.
    pub(super) fn literal(&self) -> Result<Option<String>, SqlError> {
        let Given::Expression(piece) = &self.value else {
            return Err(self.wrong("a STRING"));
        };
        match piece.tokens() {
            [one] => match texts(&one.token) {
                Some(text) => Ok(Some(text)),
                None if piece.word(0) == "NULL" => Ok(None),
                None => Err(self.wrong("a STRING")),
            },
            _ => Err(self.wrong("a STRING literal")),
        }
    }

    fn pairs(&self) -> Result<BTreeMap<String, String>, SqlError> {
        match &self.value {
            Given::Pairs(pairs) => Ok(pairs.iter().cloned().collect()),
            Given::Expression(piece) if piece.word(0) == "NULL" => Ok(BTreeMap::new()),
            _ => Err(self.wrong("an ARRAY of STRUCTs of two STRINGs")),
        }
    }
}

impl Run<'_> {
    /// The value of an option as text with its type; none is NULL.
    async fn value(&self, option: &Named) -> Result<Option<(Kind, String)>, SqlError> {
        let Given::Expression(piece) = &option.value else {
            return Err(option.wrong("a single value"));
        };
        let (field, value) = self
            .engine
            .evaluate(piece, self.scope, self.request)
            .await?;
        if field.mode == Mode::Repeated || matches!(field.kind, Kind::Struct(_)) {
            return Err(option.wrong("a single value"));
        }
        Ok(text_of(value.as_ref(), 0, CellText::RestMicros).map(|text| (field.kind, text)))
    }

    pub(in crate::sql) async fn text_option(
        &self,
        option: &Named,
    ) -> Result<Option<String>, SqlError> {
        match self.value(option).await? {
            None => Ok(None),
            Some((Kind::String(_), text)) => Ok(Some(text)),
            Some(_) => Err(option.wrong("a STRING")),
        }
    }

    pub(in crate::sql) async fn flag_option(
        &self,
        option: &Named,
    ) -> Result<Option<bool>, SqlError> {
        match self.value(option).await? {
            None => Ok(None),
            Some((Kind::Bool, text)) => Ok(Some(text == "true")),
            Some(_) => Err(option.wrong("a BOOL")),
        }
    }

    pub(in crate::sql) async fn count_option(
        &self,
        option: &Named,
    ) -> Result<Option<u64>, SqlError> {
        match self.value(option).await? {
            None => Ok(None),
            Some((Kind::Int64, text)) => match text.parse() {
                Ok(count) => Ok(Some(count)),
                Err(_) => Err(option.wrong("an INT64 that is not negative")),
            },
            Some(_) => Err(option.wrong("an INT64")),
        }
    }

    /// Days as milliseconds.
    async fn days(&self, option: &Named) -> Result<Option<i64>, SqlError> {
        let found = match self.value(option).await? {
            None => return Ok(None),
            Some((Kind::Int64 | Kind::Float64 | Kind::Numeric(_), text)) => text.parse::<f64>(),
            Some(_) => return Err(option.wrong("a number of days")),
        };
        match found {
            Ok(days) if days > 0.0 && days < 100_000_000.0 => {
                #[expect(clippy::cast_possible_truncation, reason = "it is in bounds")]
                let millis = (days * DAY_MS) as i64;
                Ok(Some(millis))
            }
            _ => Err(option.wrong("a number of days above 0")),
        }
    }

    async fn moment(&self, option: &Named) -> Result<Option<DateTime<Utc>>, SqlError> {
        let found = match self.value(option).await? {
            None => return Ok(None),
            Some((Kind::Timestamp, text)) => {
                text.parse().ok().and_then(DateTime::from_timestamp_micros)
            }
            Some((Kind::String(_), text)) => DateTime::parse_from_rfc3339(&text)
                .ok()
                .map(|at| at.with_timezone(&Utc)),
            Some(_) => None,
        };
        match found {
            Some(at) if at > self.request.now => Ok(Some(at)),
            Some(_) => Err(option.wrong("in the future")),
            None => Err(option.wrong("a TIMESTAMP")),
        }
    }

    /// Options of a table or view.
    pub(super) async fn of_table(
        &self,
        options: &Options,
        meta: &mut TableMeta,
    ) -> Result<(), SqlError> {
        let view = meta.view.is_some();
        for option in &options.list {
            match option.name.as_str() {
                "description" => meta.description = self.text_option(option).await?,
                "friendly_name" => meta.friendly_name = self.text_option(option).await?,
                "labels" => meta.labels = option.pairs()?,
                "expiration_timestamp" => meta.expires = self.moment(option).await?,
                "require_partition_filter" if !view => {
                    meta.require_partition_filter =
                        self.flag_option(option).await?.unwrap_or(false);
                }
                "partition_expiration_days" if !view => {
                    let days = self.days(option).await?;
                    match &mut meta.partitioning {
                        Some(Partitioning::Time { expiration_ms, .. }) => *expiration_ms = days,
                        _ if days.is_none() => {}
                        _ => {
                            return Err(SqlError::invalid(
                                "partition_expiration_days can only be set for tables that are partitioned by time",
                            ));
                        }
                    }
                }
                "kms_key_name"
                | "default_rounding_mode"
                | "enable_change_history"
                | "tags"
                | "max_staleness"
                | "enable_fine_grained_mutations"
                | "storage_uri"
                | "file_format"
                | "table_format"
                | "privacy_policy" => {
                    return Err(option.uncovered());
                }
                _ => return Err(option.unknown()),
            }
        }
        Ok(())
    }

    /// Options of a dataset.
    pub(super) async fn of_dataset(
        &self,
        options: &Options,
        meta: &mut DatasetMeta,
        new: bool,
    ) -> Result<(), SqlError> {
        for option in &options.list {
            match option.name.as_str() {
                "description" => meta.description = self.text_option(option).await?,
                "friendly_name" => meta.friendly_name = self.text_option(option).await?,
                "labels" => meta.labels = option.pairs()?,
                "default_table_expiration_days" => {
                    meta.table_expiration_ms = self.days(option).await?;
                }
                "default_partition_expiration_days" => {
                    meta.partition_expiration_ms = self.days(option).await?;
                }
                "location" if new => {
                    if let Some(location) = self.text_option(option).await? {
                        meta.location = placed(&location);
                    }
                }
                "default_kms_key_name"
                | "default_rounding_mode"
                | "failover_reservation"
                | "is_case_insensitive"
                | "is_primary"
                | "max_time_travel_hours"
                | "primary_replica"
                | "storage_billing_model"
                | "tags" => {
                    return Err(option.uncovered());
                }
                _ => return Err(option.unknown()),
            }
        }
        Ok(())
    }
}

/// Multi-regions are named in capital letters, regions in small ones.
fn placed(location: &str) -> String {
    match location.to_uppercase().as_str() {
        multi @ ("US" | "EU") => multi.to_owned(),
        _ => location.to_lowercase(),
    }
}
