//! Statements that change rows: `INSERT`, `UPDATE`, `DELETE`, `MERGE`, `TRUNCATE`.
//!
//! Each is made one query or two over the table, whose rows have numbers there. What it gives says which rows go and what comes
//! in their place; that is written to new files as it comes. Then the files that had such rows are written anew without them, and
//! all of that is put in the place of the old files at once.

mod assign;
mod insert;
mod merge;
mod part;
mod side;
mod sink;
mod target;
mod tree;
mod truncate;
mod update;
mod values;
mod work;

use datafusion::sql::sqlparser::ast::Statement;

use super::engine::Engine;
use super::error::SqlError;
use super::piece::Piece;
use super::request::{Outcome, Request};
use super::scope::Scope;
use crate::tables::TableError;

/// How often a statement is run again because somebody else changed its table meanwhile.
const ATTEMPTS: usize = 10;

/// What a statement is run with.
struct Run<'a> {
    engine: &'a Engine,
    scope: &'a Scope,
    request: &'a Request,
    words: super::parse::Words,
}

/// A statement that was not done.
enum Undone {
    /// Somebody else changed its table meanwhile.
    Conflict(SqlError),
    /// For another reason.
    Failed(SqlError),
}

impl From<SqlError> for Undone {
    fn from(error: SqlError) -> Self {
        Self::Failed(error)
    }
}

impl From<TableError> for Undone {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Conflict(_) => Self::Conflict(error.into()),
            error => Self::Failed(error.into()),
        }
    }
}

/// Runs one such statement; of a dry run it changes nothing.
pub(super) async fn run(
    engine: &Engine,
    scope: &Scope,
    piece: &Piece,
    request: &Request,
) -> Result<Outcome, SqlError> {
    let (statement, words) = piece.parsed()?;
    let run = Run {
        engine,
        scope,
        request,
        words,
    };
    let mut attempt = 0;
    loop {
        attempt += 1;
        match once(&run, statement.clone(), piece).await {
            Ok(outcome) => return Ok(outcome),
            Err(Undone::Conflict(_)) if attempt < ATTEMPTS => {}
            Err(Undone::Conflict(error) | Undone::Failed(error)) => return Err(error),
        }
    }
}

async fn once(run: &Run<'_>, statement: Statement, piece: &Piece) -> Result<Outcome, Undone> {
    match statement {
        Statement::Insert(insert) => insert::run(run, insert).await,
        Statement::Update(update) => update::update(run, update).await,
        Statement::Delete(delete) => update::delete(run, delete).await,
        Statement::Merge(merge) => merge::run(run, merge).await,
        Statement::Truncate(truncate) => truncate::run(run, &truncate).await,
        _ => {
            let word = piece.word(0);
            Err(SqlError::unsupported(format!("the statement {word}")).into())
        }
    }
}
