//! What a child process prints, as lines.

use std::fmt;

use tidemill_core::operator::Level;
use tidemill_core::time::Timestamp;

use crate::book::AttemptLog;
use crate::line::Entry;

/// No form of a secret is waited for longer than this; a longer one would be a file, not a secret.
const HELD_BACK_MAX: usize = 1024 * 1024;

/// Takes bytes as they come from a pipe, and writes a line to the log for each that is complete.
///
/// A secret that comes in pieces is seen whole, because nothing is written before its line is. What a progress bar has
/// overwritten is left out, bytes that are no text are shown as `�`, and of a line that is too long the rest is counted.
pub struct Captured {
    log: AttemptLog,
    level: Level,
    source: &'static str,
    line: Vec<u8>,
    /// Bytes of this line beyond what is looked at.
    beyond: u64,
    /// Whether the last byte was a carriage return: only the next one tells what it means.
    returned: bool,
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl Captured {
    pub(crate) fn new(log: AttemptLog, level: Level, source: &'static str) -> Self {
        Self {
            log,
            level,
            source,
            line: Vec::new(),
            beyond: 0,
            returned: false,
        }
    }

    /// Takes what was read, in pieces of any size.
    pub fn push(&mut self, now: Timestamp, bytes: &[u8]) {
        let most = self.log.line_bytes_max() + self.log.masker().longest().min(HELD_BACK_MAX);
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.returned {
                self.returned = false;
                if rest[0] == b'\n' {
                    self.write(now);
                    rest = &rest[1..];
                    continue;
                }
                self.clear();
            }
            let end = rest
                .iter()
                .position(|byte| matches!(byte, b'\n' | b'\r'))
                .unwrap_or(rest.len());
            self.take(&rest[..end], most);
            match rest.get(end) {
                Some(b'\n') => self.write(now),
                Some(_) => self.returned = true,
                None => {}
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }

    /// Writes the line that has no end. To be called when the pipe is closed.
    pub fn finish(mut self, now: Timestamp) {
        if !self.line.is_empty() {
            self.write(now);
        }
    }

    fn take(&mut self, bytes: &[u8], most: usize) {
        let room = most.saturating_sub(self.line.len()).min(bytes.len());
        self.line.extend_from_slice(&bytes[..room]);
        self.beyond += (bytes.len() - room) as u64;
    }

    fn write(&mut self, now: Timestamp) {
        let text = String::from_utf8_lossy(&self.line);
        let entry = Entry {
            source: Some(self.source),
            ..Entry::new(now, self.level, &text)
        };
        self.log.put(&entry, self.beyond);
        self.clear();
    }

    fn clear(&mut self) {
        self.line.clear();
        self.beyond = 0;
    }
}
