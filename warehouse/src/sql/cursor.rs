//! Reads what the parser of queries cannot, token by token.

use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use super::error::SqlError;
use super::piece::{Piece, place, reserved, unexpected};

/// A place among the tokens of a statement.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    piece: &'a Piece,
    at: usize,
    /// The first half of a `>>` was taken.
    half: bool,
}

impl<'a> Cursor<'a> {
    /// The start of a statement.
    pub(super) fn new(piece: &'a Piece) -> Self {
        Self {
            piece,
            at: 0,
            half: false,
        }
    }

    /// What is there.
    pub(super) fn token(&self) -> Option<&'a TokenWithSpan> {
        self.piece.tokens().get(self.at)
    }

    /// The word that is there, in capital letters; nothing if there is none or it is quoted.
    pub(super) fn word(&self) -> String {
        self.piece.word(self.at)
    }

    /// The word `ahead` words on.
    pub(super) fn word_ahead(&self, ahead: usize) -> String {
        self.piece.word(self.at + ahead)
    }

    /// Steps over a token.
    pub(super) fn step(&mut self) {
        self.at += 1;
    }

    /// Whether nothing is left.
    pub(super) fn ended(&self) -> bool {
        self.at >= self.piece.tokens().len()
    }

    /// Steps over these words if all of them are there.
    pub(super) fn take(&mut self, words: &str) -> bool {
        let words: Vec<&str> = words.split(' ').collect();
        let there = words
            .iter()
            .enumerate()
            .all(|(ahead, word)| self.word_ahead(ahead) == *word);
        if there {
            self.at += words.len();
        }
        there
    }

    /// Steps over these words.
    pub(super) fn expect(&mut self, words: &str) -> Result<(), SqlError> {
        if self.take(words) {
            return Ok(());
        }
        Err(self.wrong(words))
    }

    /// Whether this sign is there.
    pub(super) fn is(&self, sign: &Token) -> bool {
        self.token().is_some_and(|token| token.token == *sign)
    }

    /// Steps over a sign if it is there.
    pub(super) fn sign(&mut self, sign: &Token) -> bool {
        let there = self.is(sign);
        if there {
            self.at += 1;
        }
        there
    }

    /// Steps over a sign.
    pub(super) fn need(&mut self, sign: &Token) -> Result<(), SqlError> {
        if self.sign(sign) {
            return Ok(());
        }
        Err(self.wrong(&format!("\"{sign}\"")))
    }

    /// Steps over a `>`, which may be half of a `>>`.
    pub(super) fn closing(&mut self) -> Result<(), SqlError> {
        if self.is(&Token::ShiftRight) {
            if self.half {
                self.at += 1;
            }
            self.half = !self.half;
            return Ok(());
        }
        self.need(&Token::Gt)
    }

    /// What is there should not be.
    pub(super) fn unexpected(&self) -> SqlError {
        match self.token() {
            Some(token) => unexpected(token),
            None => SqlError::invalid(format!(
                "Syntax error: Unexpected end of statement{}",
                place(self.end())
            )),
        }
    }

    fn wrong(&self, wanted: &str) -> SqlError {
        let mut error = self.unexpected();
        error.message = match self.token() {
            None => error.message,
            Some(token) => {
                let got = error
                    .message
                    .trim_start_matches("Syntax error: Unexpected ")
                    .to_owned();
                let at = place(token.span.start);
                let got = got.trim_end_matches(&at).to_owned();
                format!("Syntax error: Expected {wanted} but got {got}{at}")
            }
        };
        error
    }

    /// Right behind the statement.
    fn end(&self) -> Location {
        self.piece
            .tokens()
            .last()
            .map_or(Location::empty(), |token| token.span.end)
    }

    /// Where the cursor is.
    pub(super) fn place(&self) -> String {
        place(self.token().map_or(self.end(), |token| token.span.start))
    }

    /// That nothing is left.
    pub(super) fn finish(&self) -> Result<(), SqlError> {
        if self.ended() {
            Ok(())
        } else {
            Err(self.wrong("end of statement"))
        }
    }

    /// A name: a word, quoted or not, that means nothing else.
    pub(super) fn name(&mut self) -> Result<String, SqlError> {
        match self.token().map(|token| &token.token) {
            Some(Token::Word(word)) if reserved(word) => Err(self.unexpected()),
            _ => self.any_name(),
        }
    }

    /// A word, quoted or not.
    pub(super) fn any_name(&mut self) -> Result<String, SqlError> {
        match self.token().map(|token| &token.token) {
            Some(Token::Word(word))
                if word.quote_style != Some('"') && !word.value.starts_with('@') =>
            {
                self.at += 1;
                Ok(word.value.clone())
            }
            _ => Err(self.unexpected()),
        }
    }

    /// The parts of the name of a table or dataset, in which a project may have dashes.
    pub(super) fn path(&mut self) -> Result<Vec<String>, SqlError> {
        let mut parts = vec![self.name()?];
        let mut end = self.before().end;
        while let Some(token) = self.token().filter(|token| token.span.start == end) {
            match &token.token {
                Token::Period => {
                    self.at += 1;
                    parts.push(self.any_name()?);
                    end = self.before().end;
                    continue;
                }
                Token::Minus if parts.len() == 1 => push(&mut parts, "-"),
                Token::Word(word) if parts.len() == 1 => push(&mut parts, &word.value),
                Token::Number(digits, _) if parts.len() == 1 => {
                    push(&mut parts, digits.trim_end_matches('.'));
                    if digits.ends_with('.') {
                        self.at += 1;
                        parts.push(self.any_name()?);
                        end = self.before().end;
                        continue;
                    }
                }
                _ => break,
            }
            self.at += 1;
            end = token.span.end;
        }
        Ok(parts
            .iter()
            .flat_map(|part| part.split('.').map(str::to_owned))
            .collect())
    }

    fn before(&self) -> Span {
        self.piece
            .tokens()
            .get(self.at.wrapping_sub(1))
            .map_or(Span::empty(), |token| token.span)
    }

    /// A literal text.
    pub(super) fn literal(&mut self) -> Result<String, SqlError> {
        match self.token().and_then(|token| texts(&token.token)) {
            Some(text) => {
                self.at += 1;
                Ok(text)
            }
            None => Err(self.wrong("string literal")),
        }
    }

    /// A whole number.
    pub(super) fn number(&mut self) -> Result<i64, SqlError> {
        let negative = self.sign(&Token::Minus);
        let found = match self.token().map(|token| &token.token) {
            Some(Token::Number(digits, _)) => digits.parse::<i64>().ok(),
            _ => None,
        };
        match found {
            Some(number) => {
                self.at += 1;
                Ok(if negative { -number } else { number })
            }
            None => Err(self.wrong("integer literal")),
        }
    }

    /// Whatever comes up to a comma, an end of a bracket, or one of these words, outside of all brackets.
    pub(super) fn expression(&mut self, words: &[&str]) -> Result<Piece, SqlError> {
        let from = self.at;
        let mut depth = 0_usize;
        let mut cases = 0_usize;
        while let Some(token) = self.token() {
            match &token.token {
                Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
                Token::RParen | Token::RBracket | Token::RBrace if depth == 0 => break,
                Token::RParen | Token::RBracket | Token::RBrace => depth -= 1,
                Token::Comma if depth == 0 => break,
                Token::SemiColon => break,
                Token::Word(_) if depth == 0 => {
                    let word = self.word();
                    match word.as_str() {
                        "CASE" => cases += 1,
                        "END" if cases > 0 => cases -= 1,
                        _ if cases == 0 && words.contains(&word.as_str()) => break,
                        _ => {}
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
        if from == self.at {
            return Err(self.unexpected());
        }
        Ok(self.piece.part(from, self.at))
    }

    /// All up to a semicolon.
    pub(super) fn statement(&mut self) -> Result<Piece, SqlError> {
        let from = self.at;
        while !self.ended() && !self.is(&Token::SemiColon) {
            self.at += 1;
        }
        if from == self.at {
            return Err(self.unexpected());
        }
        Ok(self.piece.part(from, self.at))
    }

    /// What stands between this place and a later one.
    pub(super) fn up_to(&self, later: &Self) -> Piece {
        self.piece.part(self.at, later.at)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> Result<Piece, SqlError> {
        let from = self.at;
        self.at = self.piece.tokens().len();
        if from == self.at {
            return Err(self.unexpected());
        }
        Ok(self.piece.part(from, self.at))
    }
}

fn push(parts: &mut [String], text: &str) {
    if let Some(last) = parts.last_mut() {
        last.push_str(text);
    }
}

/// The value of a token that is a literal text.
pub(super) fn texts(token: &Token) -> Option<String> {
    match token {
        Token::SingleQuotedString(text)
        | Token::DoubleQuotedString(text)
        | Token::TripleSingleQuotedString(text)
        | Token::TripleDoubleQuotedString(text)
        | Token::SingleQuotedRawStringLiteral(text)
        | Token::DoubleQuotedRawStringLiteral(text)
        | Token::TripleSingleQuotedRawStringLiteral(text)
        | Token::TripleDoubleQuotedRawStringLiteral(text) => Some(text.clone()),
        _ => None,
    }
}
