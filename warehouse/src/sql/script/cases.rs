//! The statement `CASE`.

use super::read::within;
use super::{Block, SqlError, What};
use crate::sql::cursor::Cursor;
use crate::sql::piece::Piece;

/// Reads one. Without a value its conditions are those of an `IF`.
pub(super) fn read(cursor: &mut Cursor<'_>, depth: usize) -> Result<What, SqlError> {
    cursor.step();
    let value = match cursor.word().as_str() {
        "WHEN" => None,
        _ => Some(cursor.expression(&["WHEN"])?),
    };
    let mut arms: Vec<(Piece, Block)> = Vec::new();
    while cursor.take("WHEN") {
        let condition = cursor.expression(&["THEN"])?;
        cursor.expect("THEN")?;
        let body = within(cursor, &["WHEN", "ELSE", "END"], depth)?;
        arms.push((condition, body));
    }
    if arms.is_empty() {
        return Err(cursor.unexpected());
    }
    let otherwise = if cursor.take("ELSE") {
        Some(within(cursor, &["END"], depth)?)
    } else {
        None
    };
    cursor.expect("END")?;
    cursor.expect("CASE")?;
    Ok(match value {
        None => What::If {
            arms,
            otherwise: otherwise.unwrap_or_default(),
        },
        Some(value) => What::Case {
            value,
            arms,
            otherwise,
        },
    })
}
