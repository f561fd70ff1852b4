//! One statement as it was written.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Word};

use super::cursor::Cursor;
use super::error::SqlError;
use super::parse::{self, Words};

/// A statement: its tokens, without spaces and comments, and the text that they are of.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    text: Arc<str>,
    tokens: Vec<TokenWithSpan>,
}

/// What kind of statement it is, by its first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Gives rows.
    Query,
    /// Changes rows.
    Dml,
    /// Changes tables, views and datasets.
    Ddl,
    /// Belongs to a script.
    Script,
}

impl Piece {
    /// A statement of these tokens.
    pub(super) fn new(text: Arc<str>, tokens: Vec<TokenWithSpan>) -> Self {
        Self { text, tokens }
    }

    /// Its tokens, without spaces and comments.
    pub(super) fn tokens(&self) -> &[TokenWithSpan] {
        &self.tokens
    }

    /// Some of its tokens.
    pub(super) fn part(&self, from: usize, to: usize) -> Self {
        let tokens = self.tokens.get(from..to).unwrap_or_default().to_vec();
        Self::new(Arc::clone(&self.text), tokens)
    }

    /// As an expression is run. In parentheses, so that nothing behind it is taken for an alias or a FROM.
    pub(super) fn selected(&self) -> Result<Self, SqlError> {
        match self.tokens.first() {
            Some(first) if ["SELECT", "WITH"].contains(&self.word(0).as_str()) => {
                Err(unexpected(first))
            }
            _ => Ok(self.around("SELECT (", ")")),
        }
    }

    /// With other tokens around it.
    fn around(&self, before: &str, after: &str) -> Self {
        let span = self
            .tokens
            .first()
            .map_or(Span::empty(), |token| token.span);
        let made = |text: &str| {
            let tokens = parse::tokens(text).unwrap_or_default();
            tokens
                .into_iter()
                .filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
                .map(move |token| TokenWithSpan::new(token.token, span))
                .collect::<Vec<_>>()
        };
        let mut tokens = made(before);
        tokens.extend(self.tokens.iter().cloned());
        tokens.extend(made(after));
        Self::new(Arc::clone(&self.text), tokens)
    }

    /// The expression as one of another type.
    pub(super) fn cast(&self, kind: &str) -> Self {
        self.around("CAST(", &format!("AS {kind})"))
    }

    /// Whether a variable is equal to the expression.
    pub(super) fn compared(&self, variable: &str) -> Self {
        self.around(&format!("`{variable}` = ("), ")")
    }

    /// The index of the bracket that closes the one at the start, if that is the last token.
    fn bracketed(&self) -> bool {
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate() {
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return at > 0 && at + 1 == self.tokens.len();
            }
        }
        false
    }

    /// Without brackets around all of it.
    pub(super) fn unwrapped(&self) -> Self {
        let opens = |token: &&TokenWithSpan| token.token == Token::LParen;
        let closes = |token: &&TokenWithSpan| token.token == Token::RParen;
        let leading = self.tokens.iter().take_while(opens).count();
        let trailing = self.tokens.iter().rev().take_while(closes).count();
        // Brackets at both ends belong together as far as what is between them does not close them.
        let end = self.tokens.len().saturating_sub(trailing).max(leading);
        let (mut depth, mut least) = (leading, leading);
        for token in &self.tokens[leading..end] {
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ => {}
            }
            least = least.min(depth);
        }
        let layers = if depth == trailing {
            least.min(trailing)
        } else {
            0
        };
        self.part(layers, self.tokens.len() - layers)
    }

    /// `(SELECT AS STRUCT …)` as `SELECT …`.
    pub(super) fn as_struct(&self) -> Option<Self> {
        let mut piece = self.unwrapped();
        let words = [piece.word(0), piece.word(1), piece.word(2)];
        if !self.bracketed() || words != ["SELECT", "AS", "STRUCT"] {
            return None;
        }
        piece.tokens.drain(1..3);
        Some(piece)
    }

    /// The items of `(a, b)`; none if it is something else.
    pub(super) fn tuple(&self) -> Option<Vec<Self>> {
        if !self.bracketed() || ["SELECT", "WITH"].contains(&self.word(1).as_str()) {
            return None;
        }
        let inner = self.part(1, self.tokens.len() - 1);
        let mut cursor = Cursor::new(&inner);
        let mut items = vec![cursor.expression(&[]).ok()?];
        while cursor.sign(&Token::Comma) {
            items.push(cursor.expression(&[]).ok()?);
        }
        (cursor.ended() && items.len() > 1).then_some(items)
    }

    /// Its own text.
    pub(super) fn source(&self) -> &str {
        match (self.tokens.first(), self.tokens.last()) {
            (Some(first), Some(last)) => between(&self.text, first.span.start, last.span.end),
            _ => "",
        }
    }

    /// Where it begins and ends: lines and columns.
    pub(super) fn place(&self) -> ((u64, u64), (u64, u64)) {
        let at = |at: Location| (at.line, at.column);
        match (self.tokens.first(), self.tokens.last()) {
            (Some(first), Some(last)) => (at(first.span.start), at(last.span.end)),
            _ => ((0, 0), (0, 0)),
        }
    }

    /// The word at a place in capital letters; nothing if there is none or it is quoted.
    pub(super) fn word(&self, at: usize) -> String {
        match self.tokens.get(at).map(|token| &token.token) {
            Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_uppercase(),
            _ => String::new(),
        }
    }

    /// What kind it is.
    pub(super) fn kind(&self) -> Result<Kind, SqlError> {
        let first = self.tokens.first();
        if first.is_some_and(|token| token.token == Token::LParen) {
            return Ok(Kind::Query);
        }
        Ok(match self.word(0).as_str() {
            "SELECT" | "WITH" | "FROM" | "VALUES" => Kind::Query,
            "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "TRUNCATE" => Kind::Dml,
            "CREATE" | "DROP" | "ALTER" | "LOAD" | "EXPORT" | "UNDROP" | "GRANT" | "REVOKE" => {
                Kind::Ddl
            }
            "DECLARE" | "SET" | "IF" | "LOOP" | "WHILE" | "REPEAT" | "FOR" | "BEGIN" | "CASE"
            | "BREAK" | "LEAVE" | "CONTINUE" | "ITERATE" | "RAISE" | "RETURN" | "EXECUTE"
            | "ASSERT" | "COMMIT" | "ROLLBACK" | "CALL" => Kind::Script,
            _ => match first {
                None => {
                    return Err(SqlError::invalid(
                        "Syntax error: Unexpected end of statement",
                    ));
                }
                Some(token) => return Err(unexpected(token)),
            },
        })
    }

    /// It as the parser reads it.
    pub(super) fn parsed(&self) -> Result<(Statement, Words), SqlError> {
        let (mut statements, words) = parse::parsed(self.tokens.clone())?;
        match (statements.pop(), statements.is_empty()) {
            (Some(statement), true) => Ok((statement, words)),
            _ => Err(SqlError::invalid(
                "Syntax error: Unexpected end of statement",
            )),
        }
    }
}

/// ` at [line:column]`.
pub(super) fn place(at: Location) -> String {
    format!(" at [{}:{}]", at.line, at.column)
}

/// A token that should not be there.
pub(super) fn unexpected(token: &TokenWithSpan) -> SqlError {
    let what = match &token.token {
        Token::Word(word) if reserved(word) => format!("keyword {}", word.value.to_uppercase()),
        Token::Word(word) => format!("identifier \"{}\"", word.value),
        Token::EOF => "end of statement".to_owned(),
        other => format!("\"{other}\""),
    };
    SqlError::invalid(format!(
        "Syntax error: Unexpected {what}{}",
        place(token.span.start)
    ))
}

/// Whether a word cannot be a name.
pub(super) fn reserved(word: &Word) -> bool {
    const WORDS: &str = " ALL AND ANY ARRAY AS ASC ASSERT_ROWS_MODIFIED AT BETWEEN BY CASE CAST COLLATE CONTAINS CREATE CROSS CUBE CURRENT DEFAULT DEFINE DESC DISTINCT ELSE END ENUM ESCAPE EXCEPT EXCLUDE EXISTS EXTRACT FALSE FETCH FOLLOWING FOR FROM FULL GROUP GROUPING GROUPS HASH HAVING IF IGNORE IN INNER INTERSECT INTERVAL INTO IS JOIN LATERAL LEFT LIKE LIMIT LOOKUP MERGE NATURAL NEW NO NOT NULL NULLS OF ON OR ORDER OUTER OVER PARTITION PRECEDING PROTO QUALIFY RANGE RECURSIVE RESPECT RIGHT ROLLUP ROWS SELECT SET SOME STRUCT TABLESAMPLE THEN TO TREAT TRUE UNBOUNDED UNION UNNEST USING WHEN WHERE WINDOW WITH WITHIN ";
    word.quote_style.is_none() && WORDS.contains(&format!(" {} ", word.value.to_uppercase()))
}

/// The part of a text between two places.
pub(super) fn between(text: &str, start: Location, end: Location) -> &str {
    let offset = |at: Location| {
        let mut line = 1;
        let mut column = 1;
        for (index, c) in text.char_indices() {
            if (line, column) >= (at.line, at.column) {
                return index;
            }
            if c == '\n' {
                line += 1;
                column = 1;
            } else {
                column += 1;
            }
        }
        text.len()
    };
    text.get(offset(start)..offset(end)).unwrap_or_default()
}
