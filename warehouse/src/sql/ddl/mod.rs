//! Statements that change tables, views and datasets.

use super::engine::Engine;
use super::error::SqlError;
use super::piece::Piece;
use super::request::{Outcome, Request};
use super::scope::Scope;

/// Runs one such statement; of a dry run it changes nothing.
#[expect(clippy::unused_async, reason = "it will read and write tables")]
pub(super) async fn run(
    _engine: &Engine,
    _scope: &Scope,
    piece: &Piece,
    _request: &Request,
) -> Result<Outcome, SqlError> {
    Err(SqlError::unsupported(format!(
        "the statement {}",
        piece.word(0)
    )))
}
