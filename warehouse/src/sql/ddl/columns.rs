//! Columns and their types.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::options::Options;
use super::{Run, SqlError};
use crate::schema::{Digits, Field, Kind, Mode, Schema};
use crate::sql::cursor::Cursor;

/// Types within types, at most.
const DEEPEST: usize = 15;

/// A type; an ARRAY is REPEATED.
pub(in crate::sql) fn kind_and_mode(cursor: &mut Cursor<'_>) -> Result<(Kind, Mode), SqlError> {
    kind(cursor, 0)
}

fn kind(cursor: &mut Cursor<'_>, depth: usize) -> Result<(Kind, Mode), SqlError> {
    if depth > DEEPEST {
        return Err(SqlError::invalid(format!(
            "Types are nested more than {DEEPEST} deep{}",
            cursor.place()
        )));
    }
    if cursor.take("ARRAY") {
        cursor.need(&Token::Lt)?;
        let place = cursor.place();
        let (item, mode) = kind(cursor, depth + 1)?;
        if mode == Mode::Repeated {
            return Err(SqlError::invalid(format!(
                "Arrays of arrays are not supported{place}"
            )));
        }
        cursor.closing()?;
        return Ok((item, Mode::Repeated));
    }
    if cursor.take("STRUCT") {
        cursor.need(&Token::Lt)?;
        let mut fields = Vec::new();
        loop {
            let name = cursor.name()?;
            let (kind, mode) = kind(cursor, depth + 1)?;
            let mut field = Field::new(name, kind).mode(mode);
            if cursor.word() == "OPTIONS" {
                field.description = description(cursor)?;
            }
            if cursor.word() == "NOT" {
                return Err(SqlError::unsupported("NOT NULL of fields of a STRUCT"));
            }
            fields.push(field);
            if !cursor.sign(&Token::Comma) {
                break;
            }
        }
        cursor.closing()?;
        return Ok((Kind::Struct(fields), Mode::Nullable));
    }
    Ok((plain(cursor)?, Mode::Nullable))
}

fn plain(cursor: &mut Cursor<'_>) -> Result<Kind, SqlError> {
    let place = cursor.place();
    let wrong = cursor.unexpected();
    let word = cursor.any_name()?;
    let mut text = word.clone();
    if cursor.sign(&Token::LParen) {
        let mut bounds = vec![cursor.number()?];
        while cursor.sign(&Token::Comma) {
            bounds.push(cursor.number()?);
        }
        cursor.need(&Token::RParen)?;
        let bounds: Vec<String> = bounds.iter().map(i64::to_string).collect();
        text = format!("{word}({})", bounds.join(", "));
    }
    match Kind::from_name(&text) {
        Some(kind) => {
            bounds_fit(&kind, &place)?;
            Ok(kind)
        }
        None if ["GEOGRAPHY", "RANGE"].contains(&word.to_uppercase().as_str()) => {
            Err(SqlError::unsupported(format!("the type {word}")))
        }
        None if text == word && word.chars().all(char::is_alphanumeric) => {
            Err(SqlError::invalid(format!("Type not found: {word}{place}")))
        }
        None if text == word => Err(wrong),
        None => Err(SqlError::invalid(format!("Invalid type: {text}{place}"))),
    }
}

fn bounds_fit(kind: &Kind, place: &str) -> Result<(), SqlError> {
    let (digits, before, behind) = match kind {
        Kind::Numeric(Some(digits)) => (digits, 29, 9),
        Kind::BigNumeric(Some(digits)) => (digits, 38, 38),
        Kind::String(Some(0)) | Kind::Bytes(Some(0)) => {
            return Err(SqlError::invalid(format!(
                "The length of {kind} must be at least 1{place}"
            )));
        }
        _ => return Ok(()),
    };
    let Digits { precision, scale } = digits;
    let (precision, scale) = (i32::from(*precision), i32::from(*scale));
    if scale < 0 || scale > behind || precision < scale.max(1) || precision - scale > before {
        return Err(SqlError::invalid(format!(
            "{kind} does not fit: the scale is at most {behind}, and the precision at least 1 and at most the scale plus {before}{place}"
        )));
    }
    Ok(())
}

/// `OPTIONS(description = '…')`.
fn description(cursor: &mut Cursor<'_>) -> Result<Option<String>, SqlError> {
    let options = Options::read(cursor)?;
    let mut found = None;
    for option in options.list {
        match option.name.as_str() {
            "description" => found = option.literal()?,
            "policy_tags" | "rounding_mode" | "data_policies" => {
                return Err(SqlError::unsupported(format!(
                    "the option {} of columns",
                    option.name
                )));
            }
            _ => return Err(option.unknown()),
        }
    }
    Ok(found)
}

impl Run<'_> {
    /// `name TYPE …`, as CREATE TABLE and ADD COLUMN have it.
    pub(super) async fn column(&self, cursor: &mut Cursor<'_>) -> Result<Field, SqlError> {
        let name = cursor.name()?;
        let (kind, mode) = kind_and_mode(cursor)?;
        let mut field = Field::new(name, kind).mode(mode);
        loop {
            if cursor.take("NOT NULL") {
                if field.mode == Mode::Repeated {
                    return Err(SqlError::invalid(format!(
                        "NOT NULL cannot be applied to ARRAY fields: {}",
                        field.name
                    )));
                }
                field.mode = Mode::Required;
            } else if cursor.word() == "OPTIONS" {
                field.description = description(cursor)?;
            } else if cursor.take("DEFAULT") {
                let value = cursor.expression(&["NOT", "OPTIONS", "DEFAULT", "COLLATE"])?;
                // It is looked at now, and has its value with each row.
                let (found, _) = self
                    .engine
                    .evaluate(&value, self.scope, self.request)
                    .await?;
                if !super::super::coerce::assignable(&found, &field) {
                    return Err(SqlError::invalid(format!(
                        "Invalid default value expression for column {}: it has the type {}",
                        field.name, found.kind
                    )));
                }
                field.default = Some(value.source().to_owned());
            } else if ["PRIMARY", "REFERENCES", "COLLATE", "CONSTRAINT"]
                .contains(&cursor.word().as_str())
            {
                return Err(SqlError::unsupported(format!(
                    "{} of columns",
                    cursor.word()
                )));
            } else {
                return Ok(field);
            }
        }
    }

    /// `(name TYPE …, …)`.
    pub(super) async fn columns(&self, cursor: &mut Cursor<'_>) -> Result<Schema, SqlError> {
        cursor.need(&Token::LParen)?;
        let mut fields = Vec::new();
        while !cursor.is(&Token::RParen) {
            if ["PRIMARY", "FOREIGN", "CONSTRAINT"].contains(&cursor.word().as_str())
                && ["KEY", "FOREIGN", "PRIMARY"].contains(&cursor.word_ahead(1).as_str())
            {
                return Err(SqlError::unsupported("constraints of tables"));
            }
            fields.push(self.column(cursor).await?);
            if !cursor.sign(&Token::Comma) {
                break;
            }
        }
        cursor.need(&Token::RParen)?;
        if fields.is_empty() {
            return Err(SqlError::invalid(format!(
                "Syntax error: a table needs columns{}",
                cursor.place()
            )));
        }
        Ok(Schema { fields })
    }
}
