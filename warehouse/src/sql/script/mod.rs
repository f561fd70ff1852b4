//! Scripts: several statements, with variables and control flow.

use std::sync::Arc;

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::engine::Engine;
use super::error::SqlError;
use super::parse;
use super::piece::Piece;
use super::request::{Outcome, Request};

/// A text as it is run.
pub(super) enum Text {
    /// One statement.
    Statement(Piece),
    /// Several, or one that belongs to a script.
    Script(Vec<Piece>),
}

/// Reads a text.
pub(super) fn read(text: &str) -> Result<Text, SqlError> {
    let whole: Arc<str> = text.into();
    let tokens = parse::tokens(text)?;
    let mut pieces: Vec<Piece> = tokens
        .into_iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
        .collect::<Vec<TokenWithSpan>>()
        .split(|token| token.token == Token::SemiColon)
        .filter(|tokens| !tokens.is_empty())
        .map(|tokens| Piece::new(Arc::clone(&whole), tokens.to_vec()))
        .collect();
    match (pieces.pop(), pieces.is_empty()) {
        (Some(piece), true) => Ok(Text::Statement(piece)),
        (None, _) => Err(SqlError::invalid(
            "Syntax error: Unexpected end of statement",
        )),
        (Some(last), false) => {
            pieces.push(last);
            Ok(Text::Script(pieces))
        }
    }
}

/// Runs a script.
#[expect(clippy::unused_async, reason = "it will run statements")]
pub(super) async fn run(
    _engine: &Engine,
    _block: &[Piece],
    _request: &Request,
) -> Result<Outcome, SqlError> {
    Err(SqlError::unsupported("scripts of several statements"))
}
