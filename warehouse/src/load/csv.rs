//! CSV.

use std::io::BufRead;

use super::error::{LoadError, RowError};
use super::source::Input;
use crate::rows::{Cell, read};
use crate::schema::{Field, Kind, Mode, Schema};

/// A row of more bytes is refused, as in `BigQuery`.
const ROW_BYTES: usize = 100 << 20;

/// How CSV is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// Between values.
    pub delimiter: char,
    /// Around values; none: nothing is quoted.
    pub quote: Option<char>,
    /// Lines at the beginning of each file that are no rows; none: not said.
    pub skip: Option<u64>,
    /// What stands for NULL.
    pub null_marker: Option<String>,
    /// Values that are missing at the end of a row are NULL.
    pub jagged_rows: bool,
    /// A quoted value may have line breaks.
    pub quoted_newlines: bool,
    /// ISO-8859-1 instead of UTF-8.
    pub latin: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: ',',
            quote: Some('"'),
            skip: None,
            null_marker: None,
            jagged_rows: false,
            quoted_newlines: false,
            latin: false,
        }
    }
}

/// A value as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) text: String,
    pub(super) quoted: bool,
}

/// A row as it stands in the file.
pub(super) struct Record {
    /// Counts from 1.
    pub(super) line: u64,
    /// Where it begins, in bytes.
    pub(super) offset: u64,
    /// None: its quotes do not end.
    pub(super) values: Option<Vec<Raw>>,
}

/// The rows of a file, one after the other.
pub(super) struct Records<'a> {
    text: Box<dyn BufRead>,
    options: &'a CsvOptions,
    uri: &'a str,
    line: u64,
    offset: u64,
}

impl<'a> Records<'a> {
    pub(super) fn open(input: &'a Input, options: &'a CsvOptions) -> Result<Self, LoadError> {
        Ok(Self {
            text: input.lines()?,
            options,
            uri: &input.uri,
            line: 0,
            offset: 0,
        })
    }

    /// The next row that is not empty.
    pub(super) fn next(&mut self) -> Result<Option<Record>, LoadError> {
        loop {
            let (line, offset) = (self.line + 1, self.offset);
            let mut bytes = Vec::new();
            if !self.more(&mut bytes)? {
                return Ok(None);
            }
            let mut values = split(&self.decoded(&bytes), self.options);
            // A quoted value goes on in the next line.
            while values.is_none() && self.options.quoted_newlines && self.more(&mut bytes)? {
                if self.closes(&bytes) {
                    values = split(&self.decoded(&bytes), self.options);
                }
            }
            if values.as_ref().is_some_and(
                |values| matches!(values.as_slice(), [one] if one.text.is_empty() && !one.quoted),
            ) {
                continue;
            }
            return Ok(Some(Record {
                line,
                offset,
                values,
            }));
        }
    }

    /// Whether the quotes so far may be all.
    fn closes(&self, bytes: &[u8]) -> bool {
        let Some(quote) = self
            .options
            .quote
            .and_then(|quote| u8::try_from(quote).ok())
        else {
            return true;
        };
        bytes.iter().filter(|byte| **byte == quote).count() % 2 == 0
    }

    fn more(&mut self, bytes: &mut Vec<u8>) -> Result<bool, LoadError> {
        let before = bytes.len();
        self.text
            .read_until(b'\n', bytes)
            .map_err(|error| LoadError::reading(self.uri, error))?;
        if bytes.len() > ROW_BYTES {
            return Err(LoadError::reading(
                self.uri,
                format!(
                    "The row starting at byte {} is larger than {ROW_BYTES} bytes.",
                    self.offset
                ),
            ));
        }
        self.offset += (bytes.len() - before) as u64;
        self.line += 1;
        Ok(bytes.len() > before)
    }

    fn decoded(&self, bytes: &[u8]) -> String {
        let mut text = if self.options.latin {
            bytes.iter().map(|byte| char::from(*byte)).collect()
        } else {
            String::from_utf8_lossy(bytes).into_owned()
        };
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        text
    }
}

/// A line as its values; none if a quote does not end.
fn split(line: &str, options: &CsvOptions) -> Option<Vec<Raw>> {
    let mut values = Vec::new();
    let mut rest = line;
    loop {
        let quote = options.quote.filter(|quote| rest.starts_with(*quote));
        let Some(quote) = quote else {
            let (value, after) = match rest.split_once(options.delimiter) {
                Some((value, after)) => (value, Some(after)),
                None => (rest, None),
            };
            values.push(Raw {
                text: value.to_owned(),
                quoted: false,
            });
            match after {
                Some(after) => rest = after,
                None => return Some(values),
            }
            continue;
        };
        let mut text = String::new();
        rest = &rest[quote.len_utf8()..];
        loop {
            let (inner, after) = rest.split_once(quote)?;
            text.push_str(inner);
            rest = after;
            if !rest.starts_with(quote) {
                break;
            }
            text.push(quote);
            rest = &rest[quote.len_utf8()..];
        }
        // Whatever stands between the quote and the delimiter belongs to the value.
        let (tail, after) = match rest.split_once(options.delimiter) {
            Some((tail, after)) => (tail, Some(after)),
            None => (rest, None),
        };
        text.push_str(tail);
        values.push(Raw { text, quoted: true });
        match after {
            Some(after) => rest = after,
            None => return Some(values),
        }
    }
}

/// Reads the values of a row.
pub(super) fn row(
    record: &Record,
    schema: &Schema,
    (options, ignore_unknown): (&CsvOptions, bool),
    uri: &str,
) -> Result<Vec<Cell>, RowError> {
    let wrong = |message: String| RowError {
        location: uri.to_owned(),
        message: format!(
            "{message}; line_number: {} byte_offset_to_start_of_line: {} File: {uri}",
            record.line, record.offset
        ),
    };
    let Some(values) = &record.values else {
        return Err(wrong(format!(
            "Error detected while parsing row starting at position: {}. Error: Missing close quote character (\").",
            record.offset
        )));
    };
    let fields = &schema.fields;
    if values.len() > fields.len() && !ignore_unknown {
        return Err(wrong(format!(
            "Too many values in line. Found {} column(s) while expected {}.",
            values.len(),
            fields.len()
        )));
    }
    if values.len() < fields.len() && !options.jagged_rows {
        return Err(wrong(format!(
            "CSV table references column position {}, but line contains only {} columns.",
            values.len(),
            values.len()
        )));
    }
    fields
        .iter()
        .enumerate()
        .map(|(at, field)| {
            cell(field, values.get(at), options).map_err(|value| {
                wrong(format!(
                    "Could not parse '{value}' as {} for field {} (position {at}) starting at location {} with message 'Unable to parse'; column_index: {at} column_name: \"{}\" column_type: {} value: \"{value}\"",
                    field.kind.rest_name(),
                    field.name,
                    record.offset,
                    field.name,
                    field.kind.rest_name(),
                ))
            })
        })
        .collect()
}

fn cell(field: &Field, raw: Option<&Raw>, options: &CsvOptions) -> Result<Cell, String> {
    let Some(raw) = raw else {
        return none(field);
    };
    let text = raw.text.as_str();
    let texts = matches!(field.kind, Kind::String(_) | Kind::Bytes(_));
    let null = match &options.null_marker {
        None => text.is_empty() && !(raw.quoted && texts),
        Some(marker) => text == marker && !raw.quoted,
    };
    if null {
        return none(field);
    }
    read(&field.kind, text).ok_or_else(|| text.to_owned())
}

fn none(field: &Field) -> Result<Cell, String> {
    if field.mode == Mode::Required {
        Err("NULL".to_owned())
    } else {
        Ok(Cell::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str, options: &CsvOptions) -> Option<Vec<String>> {
        split(line, options).map(|values| values.into_iter().map(|raw| raw.text).collect())
    }

    #[test]
    fn values_are_told_apart() {
        let plain = CsvOptions::default();
        let found = |line: &str| texts(line, &plain).unwrap();
        assert_eq!(found("a,,\"b,\"\"c\"\"\",d"), ["a", "", "b,\"c\"", "d"]);
        assert_eq!(found(""), [""]);
        assert_eq!(found("a\"b,c"), ["a\"b", "c"]);
        assert_eq!(found("\"\",x"), ["", "x"]);
        assert_eq!(texts("\"a", &plain), None);
        let other = CsvOptions {
            delimiter: '\t',
            quote: None,
            ..CsvOptions::default()
        };
        assert_eq!(texts("\"a\tb", &other).unwrap(), ["\"a", "b"]);
    }
}
