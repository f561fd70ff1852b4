//! What of a command's standard output the task returns.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::operator::{OrFail as _, TaskError, TaskResult};

use super::mask::Mask;

/// The most that is returned, in bytes. Larger things belong in a file or a bucket, and their name is returned.
pub const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// What of a command's standard output the task returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShellOutput {
    /// Nothing: `null`.
    None,
    /// The last line that is not blank, as a string; `null` if there is none.
    #[default]
    LastLine,
    /// All of it, read as JSON.
    Json,
    /// All of it, as a string.
    All,
}

/// Keeps what will be returned, and no more than that.
#[derive(Debug)]
pub(super) struct Collected {
    kind: ShellOutput,
    /// All of it, or the line that is being read.
    bytes: Vec<u8>,
    last: Vec<u8>,
    too_long: bool,
}

impl Collected {
    pub(super) const fn new(kind: ShellOutput) -> Self {
        Self {
            kind,
            bytes: Vec::new(),
            last: Vec::new(),
            too_long: false,
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        match self.kind {
            ShellOutput::None => {}
            ShellOutput::Json | ShellOutput::All => self.push(bytes),
            ShellOutput::LastLine => {
                for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
                    self.push(piece);
                    if piece.ends_with(b"\n") {
                        self.end_line();
                    }
                }
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = OUTPUT_BYTES_MAX - self.bytes.len();
        self.too_long |= bytes.len() > room;
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// A long line that is not the last does not matter.
    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.bytes);
        if !line.trim_ascii().is_empty() {
            self.last = line;
            if self.last.len() < OUTPUT_BYTES_MAX {
                self.too_long = false;
            }
        }
    }

    pub(super) fn value(mut self, mask: &Mask) -> TaskResult<Value> {
        if self.kind == ShellOutput::LastLine {
            self.end_line();
            self.bytes = std::mem::take(&mut self.last);
        }
        if self.too_long {
            let message = format!("its output is longer than {OUTPUT_BYTES_MAX} bytes");
            return Err(TaskError::permanent(message)
                .help("write it to a file or a bucket and print its name, or return less of it"));
        }
        let text = String::from_utf8_lossy(&self.bytes);
        let text = mask.hide(&text);
        Ok(match self.kind {
            ShellOutput::None => Value::Null,
            ShellOutput::LastLine if text.is_empty() => Value::Null,
            ShellOutput::LastLine => Value::String(text.trim().to_owned()),
            ShellOutput::All => Value::String(text.into_owned()),
            ShellOutput::Json => serde_json::from_str(&text).or_data("read its output as JSON")?,
        })
    }
}
