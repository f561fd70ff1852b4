//! What decides which way a script takes: it is written down, and read again when the script is run again.

use std::io::Cursor as Bytes;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::run::Run;
use super::{SqlError, values};
use crate::schema::{Field, Kind, Mode, Schema};
use crate::sql::cursor::texts;
use crate::sql::piece::Piece;
use crate::sql::request::{Outcome, Request};
use crate::sql::scope::{Scope, Variable};

/// Rows of a query that are larger are not written down: it is run again.
const LARGEST: usize = 16 << 20;
/// What a note begins with.
const ROWS: u8 = 0;
const FAILED: u8 = 1;

impl Run<'_> {
    /// The value of an expression.
    pub(super) async fn value(&mut self, expression: &Piece) -> Result<Variable, SqlError> {
        let outcome = self.decided(&expression.selected()?).await?;
        only(outcome)
    }

    /// The value of an expression for something of a type: a literal becomes it.
    pub(super) async fn value_for(
        &mut self,
        expression: &Piece,
        to: &Field,
    ) -> Result<Variable, SqlError> {
        let literal = match expression.tokens() {
            [one] => texts(&one.token).is_some() || matches!(one.token, Token::Number(..)),
            _ => false,
        };
        let plain = to.mode != Mode::Repeated && !matches!(to.kind, Kind::Struct(_));
        if !literal || !plain {
            return self.value(expression).await;
        }
        let number = matches!(
            to.kind,
            Kind::Numeric(_) | Kind::BigNumeric(_) | Kind::Float64
        );
        let text = expression
            .tokens()
            .first()
            .is_some_and(|one| texts(&one.token).is_some());
        let moment = matches!(
            to.kind,
            Kind::Date | Kind::Datetime | Kind::Time | Kind::Timestamp
        );
        if (number && !text) || (moment && text) {
            return self.value(&expression.cast(&to.kind.to_string())).await;
        }
        self.value(expression).await
    }

    /// The values of a row: `(a, b)`, a STRUCT, or a query of one.
    pub(super) async fn row(&mut self, expression: &Piece) -> Result<Vec<Variable>, SqlError> {
        if let Some(query) = expression.as_struct() {
            let outcome = self.decided(&query).await?;
            return values::only_row(&outcome);
        }
        if let Some(items) = expression.tuple() {
            let mut row = Vec::new();
            for item in items {
                row.push(self.value(&item).await?);
            }
            return Ok(row);
        }
        let found = self.value(expression).await?;
        Ok(values::parts(&found).unwrap_or_else(|| vec![found]))
    }

    /// What a query gives that decides something.
    pub(super) async fn decided(&mut self, query: &Piece) -> Result<Outcome, SqlError> {
        let (scope, mut request) = (self.scope.clone(), self.request.clone());
        request.now = self.engine.now(&request);
        let outcome = self.remembered(query, &scope, &request).await?;
        self.read(outcome.bytes_processed);
        Ok(outcome)
    }

    /// What a query gives, or gave before a kill.
    pub(super) async fn remembered(
        &mut self,
        query: &Piece,
        scope: &Scope,
        request: &Request,
    ) -> Result<Outcome, SqlError> {
        let note = self.next_note();
        let Some(diary) = &request.diary else {
            return self.engine.statement(query, scope, request).await;
        };
        if let Some(found) = diary.noted(note) {
            return decoded(&found);
        }
        let found = self.engine.statement(query, scope, request).await;
        let text = match &found {
            Ok(outcome) => encoded(outcome)?,
            Err(error) => Some(of_error(error)?),
        };
        if let Some(text) = text {
            diary.note(note, text)?;
        }
        found
    }

    /// What a statement gives that changes something. That it failed decides, too; what it did is in the diary otherwise.
    pub(super) async fn changed(
        &mut self,
        piece: &Piece,
        scope: &Scope,
        request: &Request,
    ) -> Result<Outcome, SqlError> {
        let note = self.next_note();
        let Some(diary) = &request.diary else {
            return self.engine.statement(piece, scope, request).await;
        };
        if let Some(found) = diary.noted(note) {
            return decoded(&found);
        }
        let found = self.engine.statement(piece, scope, request).await;
        if let Err(error) = &found {
            diary.note(note, of_error(error)?)?;
        }
        found
    }
}

fn only(outcome: Outcome) -> Result<Variable, SqlError> {
    let mut row = values::only_row(&outcome)?;
    match (row.pop(), row.is_empty()) {
        (Some(value), true) => Ok(value),
        _ => Err(SqlError::invalid(
            "Syntax error: a single expression is expected",
        )),
    }
}

fn failed(error: impl std::fmt::Display) -> SqlError {
    SqlError::backend(format!("the diary of the script: {error}"))
}

/// Reasons of errors that a note may have.
const REASONS: [&str; 11] = [
    "invalidQuery",
    "notFound",
    "duplicate",
    "resourceInUse",
    "resourcesExceeded",
    "bytesBilledLimitExceeded",
    "notImplemented",
    "accessDenied",
    "invalid",
    "stopped",
    "backendError",
];

fn of_error(error: &SqlError) -> Result<Vec<u8>, SqlError> {
    let mut text = vec![FAILED];
    text.extend(serde_json::to_vec(&(error.reason, &error.message)).map_err(failed)?);
    Ok(text)
}

fn error_of(text: &[u8]) -> Result<SqlError, SqlError> {
    let (reason, message): (String, String) = serde_json::from_slice(text).map_err(failed)?;
    let reason = REASONS.into_iter().find(|one| *one == reason);
    Ok(SqlError {
        reason: reason.unwrap_or("backendError"),
        message,
    })
}

/// The schema, the bytes that were read, and the rows.
fn encoded(outcome: &Outcome) -> Result<Option<Vec<u8>>, SqlError> {
    let size: usize = outcome
        .batches
        .iter()
        .map(RecordBatch::get_array_memory_size)
        .sum();
    if size > LARGEST {
        return Ok(None);
    }
    let head = serde_json::to_vec(&(&outcome.schema, outcome.bytes_processed)).map_err(failed)?;
    let mut text = vec![ROWS];
    text.extend((head.len() as u64).to_le_bytes());
    text.extend(head);
    let arrow = Arc::new(outcome.schema.to_arrow());
    let mut writer = StreamWriter::try_new(&mut text, &arrow).map_err(failed)?;
    for batch in &outcome.batches {
        writer.write(batch).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    drop(writer);
    Ok(Some(text))
}

fn decoded(text: &[u8]) -> Result<Outcome, SqlError> {
    let broken = || failed("it is broken");
    let text = match text.split_first() {
        Some((&ROWS, text)) => text,
        Some((&FAILED, text)) => return Err(error_of(text)?),
        _ => return Err(broken()),
    };
    let (length, rest) = text.split_first_chunk::<8>().ok_or_else(broken)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(failed)?;
    let (head, rows) = rest.split_at_checked(length).ok_or_else(broken)?;
    let (schema, bytes): (Schema, u64) = serde_json::from_slice(head).map_err(failed)?;
    let mut outcome = Outcome::of("SELECT");
    (outcome.schema, outcome.bytes_processed) = (schema, bytes);
    for batch in StreamReader::try_new(Bytes::new(rows), None).map_err(failed)? {
        outcome.batches.push(batch.map_err(failed)?);
    }
    Ok(outcome)
}
