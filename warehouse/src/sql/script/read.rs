//! Texts to trees.

use std::sync::Arc;

use datafusion::sql::sqlparser::tokenizer::Token;

use super::{Block, Head, SqlError, Step, What};
use crate::sql::cursor::Cursor;
use crate::sql::ddl::kind_and_mode;
use crate::sql::parse;
use crate::sql::piece::{Kind, Piece};

/// Statements within statements, at most, as in `BigQuery`.
const DEEPEST: usize = 50;

/// Reads a whole text.
pub(super) fn block(text: &Arc<str>) -> Result<Block, SqlError> {
    let tokens = parse::tokens(text)?
        .into_iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
        .collect();
    let whole = Piece::new(Arc::clone(text), tokens);
    let mut cursor = Cursor::new(&whole);
    let block = steps(&mut cursor, &[], 0)?;
    cursor.finish()?;
    Ok(block)
}

/// Statements up to one of these words.
fn steps(cursor: &mut Cursor<'_>, ends: &[&str], depth: usize) -> Result<Block, SqlError> {
    let mut block = Vec::new();
    loop {
        while cursor.sign(&Token::SemiColon) {}
        if cursor.ended() || ends.contains(&cursor.word().as_str()) {
            return Ok(block);
        }
        if depth > DEEPEST {
            return Err(SqlError::invalid(format!(
                "Statements are nested more than {DEEPEST} deep{}",
                cursor.place()
            )));
        }
        let from = cursor.clone();
        let what = step(cursor, depth)?;
        if matches!(what, What::Declare { .. })
            && block
                .iter()
                .any(|step: &Step| !matches!(step.what, What::Declare { .. }))
        {
            return Err(SqlError::invalid(format!(
                "Variable declarations are allowed only at the start of a block or script{}",
                from.place()
            )));
        }
        let piece = from.up_to(cursor);
        block.push(Step { piece, what });
        if !cursor.sign(&Token::SemiColon) && !cursor.ended() {
            return Err(cursor.unexpected());
        }
    }
}

fn step(cursor: &mut Cursor<'_>, depth: usize) -> Result<What, SqlError> {
    let label = label(cursor)?;
    let word = cursor.word();
    let what = match word.as_str() {
        "LOOP" | "WHILE" | "REPEAT" | "FOR" => looped(cursor, label.clone(), depth)?,
        "BEGIN" => begin(cursor, label.clone(), depth)?,
        _ if label.is_some() => return Err(cursor.unexpected()),
        "DECLARE" => declare(cursor)?,
        "SET" => set(cursor)?,
        "IF" => condition(cursor, depth)?,
        "CASE" => super::cases::read(cursor, depth)?,
        "BREAK" | "LEAVE" => {
            cursor.step();
            What::Leave(optional(cursor)?)
        }
        "CONTINUE" | "ITERATE" => {
            cursor.step();
            What::Continue(optional(cursor)?)
        }
        "RETURN" => {
            cursor.step();
            What::Return
        }
        "RAISE" => {
            cursor.step();
            if cursor.take("USING MESSAGE") {
                cursor.need(&Token::Eq)?;
                What::Raise(Some(cursor.statement()?))
            } else {
                What::Raise(None)
            }
        }
        "EXECUTE" => super::execute::read(cursor)?,
        "ASSERT" => {
            cursor.step();
            let condition = cursor.expression(&["AS"])?;
            let message = if cursor.take("AS") {
                Some(cursor.statement()?)
            } else {
                None
            };
            What::Assert { condition, message }
        }
        "COMMIT" | "ROLLBACK" => {
            return Err(SqlError::unsupported(format!(
                "transactions of several statements: {word}"
            )));
        }
        "CALL" => return Err(SqlError::unsupported("CALL")),
        _ => plain(cursor)?,
    };
    if label.is_some() && !cursor.is(&Token::SemiColon) && !cursor.ended() {
        let place = cursor.place();
        let end = cursor.name()?;
        if label.as_deref() != Some(end.to_lowercase().as_str()) {
            return Err(SqlError::invalid(format!(
                "Mismatched end label {end}{place}"
            )));
        }
    }
    Ok(what)
}

fn plain(cursor: &mut Cursor<'_>) -> Result<What, SqlError> {
    let place = cursor.clone();
    let piece = cursor.statement()?;
    if piece.word(0) == "CREATE" && (1..5).any(|at| piece.word(at) == "PROCEDURE") {
        return Err(SqlError::unsupported("CREATE PROCEDURE"));
    }
    match piece.kind()? {
        // What is no SQL is told before anything is run.
        Kind::Query => piece.parsed().map(|_| What::Plain),
        Kind::Ddl | Kind::Dml => Ok(What::Plain),
        Kind::Script => Err(place.unexpected()),
    }
}

fn label(cursor: &mut Cursor<'_>) -> Result<Option<String>, SqlError> {
    let mut ahead = cursor.clone();
    if let Ok(name) = ahead.name()
        && ahead.sign(&Token::Colon)
    {
        *cursor = ahead;
        return Ok(Some(name.to_lowercase()));
    }
    Ok(None)
}

fn optional(cursor: &mut Cursor<'_>) -> Result<Option<String>, SqlError> {
    if cursor.is(&Token::SemiColon) || cursor.ended() {
        return Ok(None);
    }
    Ok(Some(cursor.name()?.to_lowercase()))
}

fn declare(cursor: &mut Cursor<'_>) -> Result<What, SqlError> {
    cursor.step();
    let mut names = vec![cursor.name()?.to_lowercase()];
    while cursor.sign(&Token::Comma) {
        names.push(cursor.name()?.to_lowercase());
    }
    let kind = match cursor.word().as_str() {
        "DEFAULT" => None,
        _ => Some(kind_and_mode(cursor)?),
    };
    let value = if cursor.take("DEFAULT") {
        Some(cursor.statement()?)
    } else {
        None
    };
    Ok(What::Declare { names, kind, value })
}

fn set(cursor: &mut Cursor<'_>) -> Result<What, SqlError> {
    cursor.step();
    let mut names = Vec::new();
    if cursor.sign(&Token::LParen) {
        loop {
            names.push(cursor.name()?.to_lowercase());
            if !cursor.sign(&Token::Comma) {
                break;
            }
        }
        cursor.need(&Token::RParen)?;
        // Also one alone in brackets is taken out of a row.
        names.insert(0, String::new());
    } else if cursor.word().starts_with("@@") {
        names.push(cursor.word().to_lowercase());
        cursor.step();
    } else {
        names.push(cursor.name()?.to_lowercase());
    }
    cursor.need(&Token::Eq)?;
    let value = cursor.statement()?;
    Ok(What::Set { names, value })
}

fn condition(cursor: &mut Cursor<'_>, depth: usize) -> Result<What, SqlError> {
    cursor.step();
    let mut arms = Vec::new();
    let mut otherwise = Vec::new();
    loop {
        let condition = cursor.expression(&["THEN"])?;
        cursor.expect("THEN")?;
        let body = steps(cursor, &["ELSEIF", "ELSE", "END"], depth + 1)?;
        arms.push((condition, body));
        if cursor.take("ELSEIF") {
            continue;
        }
        if cursor.take("ELSE") {
            otherwise = steps(cursor, &["END"], depth + 1)?;
        }
        cursor.expect("END")?;
        cursor.expect("IF")?;
        return Ok(What::If { arms, otherwise });
    }
}

fn looped(cursor: &mut Cursor<'_>, label: Option<String>, depth: usize) -> Result<What, SqlError> {
    let word = cursor.word();
    cursor.step();
    let (head, body, end) = match word.as_str() {
        "LOOP" => (Head::Loop, steps(cursor, &["END"], depth + 1)?, "LOOP"),
        "WHILE" => {
            let condition = cursor.expression(&["DO"])?;
            cursor.expect("DO")?;
            let body = steps(cursor, &["END"], depth + 1)?;
            (Head::While(condition), body, "WHILE")
        }
        "REPEAT" => {
            let body = steps(cursor, &["UNTIL"], depth + 1)?;
            cursor.expect("UNTIL")?;
            let condition = cursor.expression(&["END"])?;
            (Head::Until(condition), body, "REPEAT")
        }
        _ => {
            let name = cursor.name()?.to_lowercase();
            cursor.expect("IN")?;
            let query = cursor.expression(&["DO"])?;
            cursor.expect("DO")?;
            let body = steps(cursor, &["END"], depth + 1)?;
            (Head::For(name, query), body, "FOR")
        }
    };
    cursor.expect("END")?;
    cursor.expect(end)?;
    Ok(What::Loop { label, head, body })
}

fn begin(cursor: &mut Cursor<'_>, label: Option<String>, depth: usize) -> Result<What, SqlError> {
    cursor.step();
    if cursor.word() == "TRANSACTION" || cursor.is(&Token::SemiColon) || cursor.ended() {
        return Err(SqlError::unsupported(
            "transactions of several statements: BEGIN TRANSACTION",
        ));
    }
    let body = steps(cursor, &["EXCEPTION", "END"], depth + 1)?;
    let handler = if cursor.take("EXCEPTION") {
        cursor.expect("WHEN ERROR THEN")?;
        Some(steps(cursor, &["END"], depth + 1)?)
    } else {
        None
    };
    cursor.expect("END")?;
    Ok(What::Begin {
        label,
        body,
        handler,
    })
}

/// Statements up to one of these words, within another.
pub(super) fn within(
    cursor: &mut Cursor<'_>,
    ends: &[&str],
    depth: usize,
) -> Result<Block, SqlError> {
    steps(cursor, ends, depth + 1)
}
