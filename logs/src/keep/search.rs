//! Finding a text in a log.

use aho_corasick::AhoCorasick;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::operator::Level;

use super::LogKeeper;
use super::error::LogError;
use super::index::Index;
use super::read::{Numbered, about, lines_of};
use crate::line::{Line, level_of};

/// One call gives so many lines at most.
const HITS_MAX: usize = 1000;
/// One call reads so much at most; the next one goes on.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
const TRIES: usize = 4;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// A text, as it is; large and small letters of ASCII are the same.
    pub text: String,
    /// Lines below this level are left out.
    pub level: Level,
    /// Only lines after this one are looked at; 0 for all.
    pub after: u64,
    /// At most so many are wanted.
    pub hits: usize,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The lines with the text in them, or in a value of their fields.
    pub lines: Vec<Numbered>,
    /// After which line to go on, if the log was not read to its end.
    pub next: Option<u64>,
}

pub(super) async fn search(
    keeper: &LogKeeper,
    path: &str,
    search: Search,
) -> Result<Found, LogError> {
    let needle = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build([&search.text]);
    let Ok(needle) = needle else {
        // It is longer than any line can be.
        return Ok(Found {
            lines: Vec::new(),
            next: None,
        });
    };
    // In a line as it is kept; what occurs there is looked at closer.
    let quoted = Value::from(search.text.as_str()).to_string();
    let rough = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build([quoted.trim_matches('"').trim_end_matches('\\')])
        .ok();
    let mut scan = Scan {
        needle,
        rough,
        most: search.hits.clamp(1, HITS_MAX),
        search,
        number: 0,
        found: Vec::new(),
    };
    let mut tried = 1;
    loop {
        match scan.run(keeper, path).await {
            Err(error) if error.is_missing() && tried < TRIES => tried += 1,
            Err(error) => return Err(error),
            Ok(next) => {
                return Ok(Found {
                    lines: scan.found,
                    next,
                });
            }
        }
    }
}

struct Scan {
    search: Search,
    needle: AhoCorasick,
    rough: Option<AhoCorasick>,
    most: usize,
    number: u64,
    found: Vec<Numbered>,
}

impl Scan {
    /// Reads until enough was found or read. Says after which line to go on.
    async fn run(&mut self, keeper: &LogKeeper, path: &str) -> Result<Option<u64>, LogError> {
        let index = keeper.index(path).await?;
        let mut part = self.first_part(&index);
        self.found.clear();
        let mut bytes = 0;
        while part < index.parts.len() {
            if bytes >= BYTES_MAX {
                return Ok(Some(self.number));
            }
            let (parts, next) = about(&index, part);
            bytes += parts.iter().map(|&at| index.parts[at].bytes).sum::<u64>();
            for text in keeper.texts(path, &index, parts).await? {
                for line in lines_of(&text) {
                    self.number += 1;
                    self.look(line);
                    if self.found.len() >= self.most {
                        return Ok((self.number < index.lines).then_some(self.number));
                    }
                }
            }
            part = next;
        }
        Ok(None)
    }

    /// The part with the first line to look at; counts those before it.
    fn first_part(&mut self, index: &Index) -> usize {
        self.number = 0;
        for (at, part) in index.parts.iter().enumerate() {
            if self.number + part.lines() > self.search.after {
                return at;
            }
            self.number += part.lines();
        }
        index.parts.len()
    }

    fn look(&mut self, json: &str) {
        let may = |rough: &AhoCorasick| rough.is_match(json);
        if self.number <= self.search.after
            || level_of(json) < self.search.level
            || !self.rough.as_ref().is_none_or(may)
        {
            return;
        }
        let line = Line::read(json);
        let in_fields = || line.fields.values().any(|value| self.is_in(value));
        if self.needle.is_match(&line.text) || in_fields() {
            self.found.push(Numbered {
                number: self.number,
                line,
            });
        }
    }

    fn is_in(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.needle.is_match(text),
            Value::Array(items) => items.iter().any(|item| self.is_in(item)),
            Value::Object(fields) => fields.values().any(|value| self.is_in(value)),
            Value::Number(_) | Value::Bool(_) => self.needle.is_match(&value.to_string()),
            Value::Null => false,
        }
    }
}
