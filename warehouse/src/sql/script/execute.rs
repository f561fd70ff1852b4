//! `EXECUTE IMMEDIATE`.

use std::collections::HashMap;

use datafusion::sql::sqlparser::tokenizer::Token;

use super::run::Run;
use super::{SqlError, Text, What};
use crate::rows::{CellText, text_of};
use crate::schema::{Kind, Mode};
use crate::sql::cursor::Cursor;
use crate::sql::piece::Piece;
use crate::sql::scope::{Scope, Variable};

/// Reads one.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<What, SqlError> {
    cursor.step();
    cursor.expect("IMMEDIATE")?;
    let text = cursor.expression(&["INTO", "USING"])?;
    let mut into = Vec::new();
    if cursor.take("INTO") {
        into.push(cursor.name()?.to_lowercase());
        while cursor.sign(&Token::Comma) {
            into.push(cursor.name()?.to_lowercase());
        }
    }
    let mut using = Vec::new();
    if cursor.take("USING") {
        loop {
            let value = cursor.expression(&["AS"])?;
            let name = if cursor.take("AS") {
                Some(cursor.name()?.to_lowercase())
            } else {
                None
            };
            using.push((value, name));
            if !cursor.sign(&Token::Comma) {
                break;
            }
        }
    }
    Ok(What::Execute { text, into, using })
}

impl Run<'_> {
    /// Runs the statement that an expression gives.
    pub(super) async fn execute(
        &mut self,
        text: &Piece,
        into: &[String],
        using: &[(Piece, Option<String>)],
    ) -> Result<(), SqlError> {
        let found = self.value(text).await?;
        let sql = match (&found.field.kind, found.field.mode) {
            (Kind::String(_), mode) if mode != Mode::Repeated => {
                text_of(found.value.as_ref(), 0, CellText::File)
            }
            _ => {
                return Err(SqlError::invalid(format!(
                    "EXECUTE IMMEDIATE takes a STRING, not {}",
                    found.field.kind
                )));
            }
        };
        let Some(sql) = sql else {
            return Err(SqlError::invalid("EXECUTE IMMEDIATE takes no NULL"));
        };
        let piece = match super::read(&sql)? {
            Text::Statement(piece) => piece,
            Text::Script(_) => {
                return Err(SqlError::invalid(
                    "EXECUTE IMMEDIATE takes a single statement, and none that belongs to a script",
                ));
            }
        };
        let mut parameters = HashMap::new();
        for (at, (value, name)) in using.iter().enumerate() {
            let key = match name {
                Some(name) => format!("@{name}"),
                None => (at + 1).to_string(),
            };
            let value = self.value(value).await?;
            parameters.insert(key, value);
        }
        // It knows the temporary tables of the script, and not its variables.
        let scope = Scope {
            variables: HashMap::new(),
            parameters: Some(parameters),
            ..self.scope.clone()
        };
        let outcome = self.statement(&piece, &scope).await?;
        if into.is_empty() {
            return Ok(());
        }
        let row: Vec<Variable> = super::values::only_row(&outcome)?;
        if outcome.statement_type != "SELECT" || row.len() != into.len() {
            return Err(SqlError::invalid(format!(
                "EXECUTE IMMEDIATE … INTO has {} variables for {} columns",
                into.len(),
                row.len()
            )));
        }
        for (name, value) in into.iter().zip(row) {
            self.assign(name, value)?;
        }
        Ok(())
    }
}
