//! What is known of a log without reading it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidemill_core::operator::Level;
use tidemill_core::protocol::LogChunk;

use super::error::LogError;
use crate::line::level_of;

/// What is known of one chunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Part {
    /// Which sequence of chunks it belongs to, and its number there.
    #[serde(rename = "h")]
    pub(super) hand: u16,
    #[serde(rename = "o")]
    pub(super) opened: i64,
    #[serde(rename = "n")]
    pub(super) nth: u32,
    #[serde(rename = "b")]
    pub(super) bytes: u64,
    /// How many lines of each level it has, the least important first.
    #[serde(rename = "c")]
    pub(super) counts: [u64; 4],
    /// Its first line that is an error, from 0.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub(super) first_error: Option<u64>,
    /// Where its text begins in the file or object that holds them all.
    #[serde(skip)]
    pub(super) at: u64,
    /// The object with its text, if it has one of its own.
    #[serde(skip)]
    pub(super) object: Option<Arc<str>>,
}

impl Part {
    pub(super) fn of(chunk: &LogChunk, text: &[u8]) -> Self {
        let mut counts = [0; 4];
        let mut first_error = None;
        let text = std::str::from_utf8(text).unwrap_or_default();
        for (at, line) in text.split_terminator('\n').enumerate() {
            let level = level_of(line);
            counts[level as usize] += 1;
            if level == Level::Error && first_error.is_none() {
                first_error = Some(at as u64);
            }
        }
        Self {
            hand: chunk.attempt.hand,
            opened: chunk.opened.micros(),
            nth: chunk.nth,
            bytes: text.len() as u64,
            counts,
            first_error,
            at: 0,
            object: None,
        }
    }

    /// How many lines it has.
    pub(super) fn lines(&self) -> u64 {
        self.lines_from(Level::Debug)
    }

    /// How many lines it has of this level or above.
    pub(super) fn lines_from(&self, level: Level) -> u64 {
        self.counts[level as usize..].iter().sum()
    }
}

/// One line of an index.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Note {
    /// The parts before the next of these are in this object.
    Data(Arc<str>),
    /// The next part.
    Part(Part),
    /// The attempt was over here.
    Finished,
}

impl Note {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        // Numbers and texts: nothing in it can fail.
        let _ = serde_json::to_writer(&mut *out, self);
        out.push(b'\n');
    }
}

/// The parts of a log in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    pub(super) parts: Vec<Part>,
    /// The object that holds the texts of the parts that have none of their own.
    pub(super) data: Option<Arc<str>>,
    /// Bytes in it.
    pub(super) data_bytes: u64,
    pub(super) finished: bool,
    pub(super) lines: u64,
    /// The number of the first line that is an error, from 1.
    pub(super) first_error: Option<u64>,
    /// The last chunk of each sequence.
    seen: HashMap<(u16, i64), u32>,
}

impl Index {
    /// Whether this chunk is in it. Chunks come again, but never out of order.
    pub(super) fn has(&self, part: &Part) -> bool {
        let seen = self.seen.get(&(part.hand, part.opened));
        seen.is_some_and(|&seen| part.nth <= seen)
    }

    pub(super) fn push(&mut self, mut part: Part) {
        if part.object.is_none() {
            part.at = self.data_bytes;
            self.data_bytes += part.bytes;
        }
        self.seen.insert((part.hand, part.opened), part.nth);
        if self.first_error.is_none() {
            self.first_error = part.first_error.map(|at| self.lines + at + 1);
        }
        self.lines += part.lines();
        self.parts.push(part);
    }

    /// Adds what a line of an index says.
    pub(super) fn note(&mut self, note: Note) {
        match note {
            Note::Data(object) => self.data = Some(object),
            Note::Part(part) => self.push(part),
            Note::Finished => self.finished = true,
        }
    }

    /// Reads a whole index.
    pub(super) fn read(path: &str, text: &[u8]) -> Result<Self, LogError> {
        let mut index = Self::default();
        for (at, line) in lines(text).enumerate() {
            let note = serde_json::from_slice(line).map_err(|_| LogError::Damaged {
                path: path.to_owned(),
                line: at + 1,
            })?;
            index.note(note);
        }
        Ok(index)
    }

    /// The index of the same parts, all in one object.
    pub(super) fn merged(&self, data: Arc<str>, finished: bool) -> Self {
        let mut merged = Self {
            data: Some(data),
            finished,
            ..Self::default()
        };
        for part in &self.parts {
            merged.push(Part {
                object: None,
                ..part.clone()
            });
        }
        merged
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(data) = &self.data {
            Note::Data(Arc::clone(data)).write(&mut out);
        }
        for part in &self.parts {
            Note::Part(part.clone()).write(&mut out);
        }
        if self.finished {
            Note::Finished.write(&mut out);
        }
        out
    }
}

/// The lines that are whole.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|&byte| byte == b'\n')
        .filter_map(|line| line.strip_suffix(b"\n"))
}

/// The text with a line feed at its end, so that the next part begins a line.
pub(super) fn whole_lines(text: &str) -> Cow<'_, str> {
    if text.is_empty() || text.ends_with('\n') {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("{text}\n"))
    }
}
