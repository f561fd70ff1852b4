//! Pages of a log, and the whole of it.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use tidemill_core::operator::Level;

use super::LogKeeper;
use super::error::LogError;
use super::index::{self, Index};
use crate::line::{Line, level_of};

/// A page has at most so many lines, and about so many bytes.
const PAGE_LINES_MAX: usize = 5000;
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// So much is read at once when all of a log is read.
pub(super) const READ_BYTES: u64 = 1024 * 1024;
/// How often a log may change its form while it is read.
const TRIES: usize = 4;

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At this position among the lines of the wanted level, from 0.
    At(u64),
    /// At the line with this number, or the first of the wanted level after it: for links to lines.
    Line(u64),
    /// At the first line that is an error; if there is none, so that the page ends with the log.
    Trouble,
}

/// Which lines are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Where the page begins.
    pub start: Start,
    /// How many lines it has at most. A page of very long lines has fewer.
    pub lines: usize,
    /// Lines below this level are left out, and not counted.
    pub level: Level,
}

/// A line and its number, from 1: the number it has for ever, whatever is left out around it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Numbered {
    /// The number.
    pub number: u64,
    /// The line.
    #[serde(flatten)]
    pub line: Line,
}

/// A part of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The lines.
    pub lines: Vec<Numbered>,
    /// The position of the first of them among the lines of the wanted level, from 0.
    pub from: u64,
    /// How many lines of the wanted level there are.
    pub total: u64,
    /// How many lines of any level there are.
    pub total_of_all: u64,
    /// The number of the first line that is an error.
    pub first_error: Option<u64>,
    /// Whether the attempt is over.
    pub finished: bool,
}

/// In which form a log is downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it is kept: one JSON object a line.
    JsonLines,
    /// For people: time, level, source, text.
    Text,
}

impl LogKeeper {
    pub(super) async fn page(&self, path: &str, wanted: Wanted) -> Result<Page, LogError> {
        for _ in 1..TRIES {
            match self.try_page(path, wanted).await {
                Err(error) if error.is_missing() => {}
                page => return page,
            }
        }
        moved(self.try_page(path, wanted).await, path)
    }

    async fn try_page(&self, path: &str, wanted: Wanted) -> Result<Page, LogError> {
        let index = self.index(path).await?;
        let level = wanted.level;
        let most = wanted.lines.min(PAGE_LINES_MAX);
        let total = index.parts.iter().map(|part| part.lines_from(level)).sum();
        let from = match (wanted.start, index.first_error) {
            (Start::At(at), _) => at,
            (Start::Line(number), _) | (Start::Trouble, Some(number)) => {
                self.position(path, &index, number, level).await?
            }
            (Start::Trouble, None) => u64::saturating_sub(total, most as u64),
        };
        let mut page = Page {
            lines: Vec::new(),
            from,
            total,
            total_of_all: index.lines,
            first_error: index.first_error,
            finished: index.finished,
        };
        let (parts, before, first) = choose(&index, from, most as u64, level);
        let texts = self.texts(path, &index, parts.clone()).await?;
        let mut skip = from - before.min(from);
        let mut bytes = 0;
        for (part, text) in parts.iter().zip(texts) {
            // Parts without a line of the level were not read, but their lines count.
            let next = first_line(&index, *part, first, &parts) + 1;
            for (number, line) in (next..).zip(lines_of(&text)) {
                if level_of(line) < level {
                    continue;
                }
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                if page.lines.len() >= most || bytes > PAGE_BYTES_MAX {
                    return Ok(page);
                }
                bytes += line.len();
                page.lines.push(Numbered {
                    number,
                    line: Line::read(line),
                });
            }
        }
        Ok(page)
    }

    /// How many lines of a level stand before a line.
    async fn position(
        &self,
        path: &str,
        index: &Arc<Index>,
        number: u64,
        level: Level,
    ) -> Result<u64, LogError> {
        let (mut lines, mut position) = (0, 0);
        for (at, part) in index.parts.iter().enumerate() {
            if lines + part.lines() < number {
                lines += part.lines();
                position += part.lines_from(level);
                continue;
            }
            let texts = self.texts(path, index, vec![at]).await?;
            let text = texts.first().map_or("", |text| as_text(text));
            let before = usize::try_from(number.saturating_sub(lines + 1)).unwrap_or(usize::MAX);
            let before = text.split_terminator('\n').take(before);
            return Ok(position + before.filter(|line| level_of(line) >= level).count() as u64);
        }
        Ok(position)
    }
}

/// The parts with the lines from this position on, how many lines of the level stand before them, and the number of the
/// last line before them.
fn choose(index: &Index, from: u64, most: u64, level: Level) -> (Vec<usize>, u64, u64) {
    let (mut position, mut number, mut bytes) = (0, 0, 0);
    let mut parts = Vec::new();
    let mut start = None;
    for (at, part) in index.parts.iter().enumerate() {
        let lines = part.lines_from(level);
        let end = from.saturating_add(most);
        if position >= end || bytes > PAGE_BYTES_MAX as u64 {
            break;
        }
        if lines > 0 && position + lines > from {
            start.get_or_insert((position, number));
            parts.push(at);
            bytes += part.bytes;
        }
        position += lines;
        number += part.lines();
    }
    let (before, first) = start.unwrap_or((position, number));
    (parts, before, first)
}

/// The number of the last line before a part.
fn first_line(index: &Index, part: usize, first: u64, parts: &[usize]) -> u64 {
    let from = parts.first().copied().unwrap_or(part);
    let before = index.parts.get(from..part).unwrap_or_default();
    first + before.iter().map(index::Part::lines).sum::<u64>()
}

/// Reads a log from its beginning to where it ends now.
pub(super) fn download(
    keeper: LogKeeper,
    path: String,
    form: Form,
) -> impl Stream<Item = Result<Bytes, LogError>> + Send + use<> {
    stream::try_unfold((keeper, path, 0), move |(keeper, path, from)| async move {
        let (texts, next) = keeper.some(&path, from).await?;
        if next == from {
            return Ok(None);
        }
        let text = match form {
            Form::JsonLines => Bytes::from(texts.concat()),
            Form::Text => texts.iter().flat_map(for_people).collect(),
        };
        Ok(Some((text, (keeper, path, next))))
    })
}

impl LogKeeper {
    /// About a MiB of a log from this part on, and which part comes then.
    async fn some(&self, path: &str, from: usize) -> Result<(Vec<Bytes>, usize), LogError> {
        let mut tried = 1;
        loop {
            // The parts stay the same, whatever objects they are moved to.
            let index = self.index(path).await?;
            let (parts, next) = about(&index, from);
            match self.texts(path, &index, parts).await {
                Err(error) if error.is_missing() && tried < TRIES => tried += 1,
                texts => return Ok((moved(texts, path)?, next)),
            }
        }
    }
}

/// The parts of about a MiB from this one on, and the one after them.
pub(super) fn about(index: &Index, from: usize) -> (Vec<usize>, usize) {
    let mut bytes = 0;
    let rest = index.parts.iter().enumerate().skip(from);
    let parts: Vec<usize> = rest
        .take_while(|(_, part)| {
            let more = bytes < READ_BYTES;
            bytes += part.bytes;
            more
        })
        .map(|(at, _)| at)
        .collect();
    let next = parts.last().map_or(from, |last| last + 1);
    (parts, next)
}

fn moved<T>(read: Result<T, LogError>, path: &str) -> Result<T, LogError> {
    read.map_err(|error| {
        if error.is_missing() {
            LogError::Moving {
                path: path.to_owned(),
            }
        } else {
            error
        }
    })
}

fn for_people(text: &Bytes) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for line in lines_of(text) {
        out.extend_from_slice(Line::read(line).for_people().as_bytes());
        out.push(b'\n');
    }
    out
}

pub(super) fn lines_of(text: &Bytes) -> impl Iterator<Item = &str> {
    as_text(text).split_terminator('\n')
}

/// What was kept was text; a disk may have made something else of it, up to which we read.
fn as_text(text: &Bytes) -> &str {
    match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&text[..error.valid_up_to()]).unwrap_or_default(),
    }
}
