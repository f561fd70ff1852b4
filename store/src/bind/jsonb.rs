//! A batch for SQLite: a list of lists in SQLite's own binary form of JSON.
//!
//! Text needs no escapes in it and numbers no parsing of the whole, so it costs SQLite a fraction of what JSON text
//! costs. The form is documented at <https://sqlite.org/jsonb.html>: a byte with the kind and how the length is written,
//! the length, the content.

use std::io::Write as _;

use tidemill_core::time::Timestamp;

use super::{Sheet, fit};

const NULL: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const INT: u8 = 3;
const TEXT_RAW: u8 = 10;
const ARRAY: u8 = 11;
/// The length follows in one, two or four bytes.
const LENGTH_1: u8 = 12 << 4;
const LENGTH_2: u8 = 13 << 4;
const LENGTH_4: u8 = 14 << 4;
/// Kind and length of a list that is still being written.
const LIST_HEAD: usize = 5;

/// See the module.
#[derive(Debug)]
pub(crate) struct Jsonb {
    bytes: Vec<u8>,
    row_at: Option<usize>,
}

impl Default for Jsonb {
    fn default() -> Self {
        let mut new = Self {
            bytes: Vec::with_capacity(4_096),
            row_at: None,
        };
        new.open_list();
        new
    }
}

impl Jsonb {
    /// One list of numbers.
    pub(crate) fn ints(values: &[i64]) -> Vec<u8> {
        let mut list = Self::default();
        for value in values {
            list.int(Some(*value));
        }
        list.into_bytes()
    }

    /// The finished bytes.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        self.end();
        self.close_list(0);
        self.bytes
    }

    fn open_list(&mut self) {
        self.bytes
            .extend_from_slice(&[LENGTH_4 | ARRAY, 0, 0, 0, 0]);
    }

    fn close_list(&mut self, at: usize) {
        // A batch is cut long before its bytes could need more than four bytes to count.
        let length = u32::try_from(self.bytes.len() - at - LIST_HEAD).unwrap_or(u32::MAX);
        self.bytes[at + 1..at + LIST_HEAD].copy_from_slice(&length.to_be_bytes());
    }

    fn head(&mut self, kind: u8, length: usize) {
        if length <= 11 {
            self.bytes.push((length as u8) << 4 | kind);
        } else if let Ok(short) = u8::try_from(length) {
            self.bytes.extend_from_slice(&[LENGTH_1 | kind, short]);
        } else if let Ok(middle) = u16::try_from(length) {
            self.bytes.push(LENGTH_2 | kind);
            self.bytes.extend_from_slice(&middle.to_be_bytes());
        } else {
            self.bytes.push(LENGTH_4 | kind);
            let long = u32::try_from(length).unwrap_or(u32::MAX);
            self.bytes.extend_from_slice(&long.to_be_bytes());
        }
    }

    fn number(&mut self, value: i64) {
        let mut digits = [0_u8; 20];
        let mut rest = &mut digits[..];
        // The longest number has twenty characters, its sign included.
        let _ = write!(rest, "{value}");
        let length = 20 - rest.len();
        self.head(INT, length);
        self.bytes.extend_from_slice(&digits[..length]);
    }
}

impl Sheet for Jsonb {
    fn row(&mut self) {
        self.end();
        self.row_at = Some(self.bytes.len());
        self.open_list();
    }

    fn end(&mut self) {
        if let Some(at) = self.row_at.take() {
            self.close_list(at);
        }
    }

    fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn int(&mut self, value: Option<i64>) {
        match value {
            Some(value) => self.number(value),
            None => self.bytes.push(NULL),
        }
    }

    fn small(&mut self, value: Option<i32>) {
        self.int(value.map(i64::from));
    }

    fn text(&mut self, value: Option<&str>) {
        match value {
            Some(value) => {
                let value = fit::text(value);
                self.head(TEXT_RAW, value.len());
                self.bytes.extend_from_slice(value.as_bytes());
            }
            None => self.bytes.push(NULL),
        }
    }

    fn time(&mut self, value: Option<Timestamp>) {
        self.int(value.map(fit::time));
    }

    fn flag(&mut self, value: Option<bool>) {
        self.bytes.push(match value {
            Some(true) => TRUE,
            Some(false) => FALSE,
            None => NULL,
        });
    }
}
