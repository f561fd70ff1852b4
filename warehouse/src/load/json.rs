//! One JSON object a line.

use std::io::BufRead;

use serde_json::{Map, Value};

use super::error::{LoadError, RowError};
use super::source::Input;

/// A row of more bytes is refused, as in `BigQuery`.
const ROW_BYTES: usize = 100 << 20;

/// The rows of a file, one after the other.
pub(super) struct Objects<'a> {
    text: Box<dyn BufRead>,
    uri: &'a str,
    offset: u64,
}

/// A row, or why it is none.
pub(super) struct Line {
    /// Where it begins, in bytes.
    pub(super) offset: u64,
    pub(super) row: Result<Map<String, Value>, String>,
}

impl<'a> Objects<'a> {
    pub(super) fn open(input: &'a Input) -> Result<Self, LoadError> {
        Ok(Self {
            text: input.lines()?,
            uri: &input.uri,
            offset: 0,
        })
    }

    /// The next row that is not empty.
    pub(super) fn next(&mut self) -> Result<Option<Line>, LoadError> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let offset = self.offset;
            let read = self
                .text
                .read_until(b'\n', &mut bytes)
                .map_err(|error| LoadError::reading(self.uri, error))?;
            if read == 0 {
                return Ok(None);
            }
            self.offset += read as u64;
            if bytes.len() > ROW_BYTES {
                return Err(LoadError::reading(
                    self.uri,
                    format!("The row starting at byte {offset} is larger than {ROW_BYTES} bytes."),
                ));
            }
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let row = match serde_json::from_slice(&bytes) {
                Ok(Value::Object(row)) => Ok(row),
                Ok(_) => Err("Start of object expected.".to_owned()),
                Err(error) => Err(format!("Parser terminated before end of string: {error}")),
            };
            return Ok(Some(Line { offset, row }));
        }
    }
}

/// What is wrong with a row.
pub(super) fn wrong(uri: &str, offset: u64, message: &str) -> RowError {
    RowError {
        location: uri.to_owned(),
        message: format!(
            "JSON parsing error in row starting at position {offset}: {message} File: {uri}"
        ),
    }
}
