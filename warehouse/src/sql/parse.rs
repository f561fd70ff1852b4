//! Text to statements: what `BigQuery` writes otherwise than the parser reads is put right among the tokens.

use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::dialect::BigQueryDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};

use super::error::SqlError;

/// Where words stand in the text.
#[derive(Debug, Default, Clone)]
pub(crate) struct Words(Vec<(String, u64, u64)>);

impl Words {
    /// ` at [line:column]` of the first such word.
    pub(crate) fn place(&self, name: &str) -> String {
        self.0
            .iter()
            .find(|(word, ..)| word.eq_ignore_ascii_case(name))
            .map(|(_, line, column)| format!(" at [{line}:{column}]"))
            .unwrap_or_default()
    }
}

/// The statements of a text.
pub(crate) fn statements(text: &str) -> Result<(Vec<Statement>, Words), SqlError> {
    parsed(tokens(text)?)
}

/// What a text consists of.
pub(super) fn tokens(text: &str) -> Result<Vec<TokenWithSpan>, SqlError> {
    Tokenizer::new(&BigQueryDialect, text)
        .tokenize_with_location()
        .map(numbered)
        .map_err(|error| SqlError::from_parser(&error.into()))
}

/// Each `?` with its number, which it keeps wherever it is moved to.
fn numbered(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut count = 0;
    for token in &mut tokens {
        if let Token::Placeholder(mark) = &mut token.token
            && mark == "?"
        {
            count += 1;
            *mark = format!("?{count}");
        }
    }
    tokens
}

/// The statements that tokens make up.
pub(super) fn parsed(tokens: Vec<TokenWithSpan>) -> Result<(Vec<Statement>, Words), SqlError> {
    let dialect = BigQueryDialect;
    let words = Words(
        tokens
            .iter()
            .filter_map(|token| match &token.token {
                Token::Word(word) => Some((
                    word.value.clone(),
                    token.span.start.line,
                    token.span.start.column,
                )),
                _ => None,
            })
            .collect(),
    );
    let tokens = typed_arrays(safe(lowered(tokens)));
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
    let statements = parser
        .parse_statements()
        .map_err(|error| SqlError::from_parser(&error))?;
    Ok((statements, words))
}

/// Names of columns have no case; those of tables keep theirs.
fn lowered(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut table = false;
    let mut after_dot = false;
    for token in &mut tokens {
        match &mut token.token {
            Token::Word(word) => {
                let opens = word.quote_style.is_none()
                    && matches!(
                        word.keyword,
                        Keyword::FROM
                            | Keyword::JOIN
                            | Keyword::INTO
                            | Keyword::INSERT
                            | Keyword::DELETE
                            | Keyword::TABLE
                            | Keyword::UPDATE
                            | Keyword::VIEW
                            | Keyword::MERGE
                            | Keyword::EXISTS
                            | Keyword::USING
                    );
                if word.quote_style == Some('`') && !table && !word.value.contains(['.', '-', ' '])
                {
                    word.value = word.value.to_lowercase();
                }
                table = opens || (table && after_dot);
                after_dot = false;
            }
            Token::Period => {
                table = table || after_dot;
                after_dot = true;
            }
            Token::Whitespace(_) => {}
            _ => {
                table = false;
                after_dot = false;
            }
        }
    }
    tokens
}

/// `SAFE.name(` is one name, whatever keyword the second is.
fn safe(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for token in tokens {
        if let Token::Word(name) = &token.token
            && let [.., prefix, dot] = out.as_slice()
        {
            let is_prefix = matches!(&prefix.token, Token::Word(word) if word.value.eq_ignore_ascii_case("safe") && word.quote_style.is_none());
            if is_prefix && dot.token == Token::Period {
                let span = prefix.span;
                let merged = word(&format!("SAFE.{}", name.value));
                out.truncate(out.len() - 2);
                out.push(TokenWithSpan::new(merged, span));
                continue;
            }
        }
        out.push(token);
    }
    out
}

fn word(value: &str) -> Token {
    Token::Word(Word {
        value: value.to_owned(),
        quote_style: None,
        keyword: Keyword::NoKeyword,
    })
}

/// `ARRAY<T>[…]` becomes a cast of `[…]`.
fn typed_arrays(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // For each bracket that is open: the type that its end adds.
    let mut open: Vec<Option<String>> = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let token = &tokens[index];
        let is_array = matches!(&token.token, Token::Word(word) if word.keyword == Keyword::ARRAY && word.quote_style.is_none());
        if is_array && let Some((kind, next)) = typed_head(&tokens, index + 1) {
            for made in [word("cast_to"), Token::LParen, Token::LBracket] {
                out.push(TokenWithSpan::new(made, token.span));
            }
            open.push(Some(format!("ARRAY<{kind}>")));
            index = next;
            continue;
        }
        match &token.token {
            Token::LBracket => open.push(None),
            Token::RBracket => {
                if let Some(Some(kind)) = open.pop() {
                    for made in [
                        Token::RBracket,
                        Token::Comma,
                        Token::SingleQuotedString(kind),
                        Token::RParen,
                    ] {
                        out.push(TokenWithSpan::new(made, token.span));
                    }
                    index += 1;
                    continue;
                }
            }
            _ => {}
        }
        out.push(token.clone());
        index += 1;
    }
    out
}

/// The text of `<T>` and the index behind the `[` that follows.
fn typed_head(tokens: &[TokenWithSpan], from: usize) -> Option<(String, usize)> {
    let mut depth = 0_i32;
    let mut text = String::new();
    let mut word = false;
    for (index, token) in tokens.iter().enumerate().skip(from) {
        match &token.token {
            Token::Whitespace(_) => continue,
            Token::Lt if depth == 0 => {
                depth = 1;
                continue;
            }
            _ if depth == 0 => return None,
            Token::Lt => depth += 1,
            Token::Gt => depth -= 1,
            Token::ShiftRight => depth -= 2,
            _ => {}
        }
        if depth <= 0 {
            if token.token == Token::ShiftRight {
                text.push('>');
            }
            let mut next = index + 1;
            while matches!(tokens.get(next)?.token, Token::Whitespace(_)) {
                next += 1;
            }
            return (tokens[next].token == Token::LBracket).then_some((text, next + 1));
        }
        // The name of a field is apart from its type.
        let next = matches!(token.token, Token::Word(_));
        if word && next {
            text.push(' ');
        }
        word = next;
        text.push_str(&token.token.to_string());
    }
    None
}
