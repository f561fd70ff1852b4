//! The logs of a worker's attempts, until the scheduler has kept them.
//!
//! Writing takes a line, masks it, and adds it to the attempt's open chunk; it never waits for anything but a short
//! lock. The worker's session asks what is due, sends it, and says what was acknowledged. An attempt that writes
//! nothing is not known here at all.

mod pile;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidemill_core::operator::Level;
use tidemill_core::protocol::{AttemptRef, LogAck, LogChunk, LogPlace};
use tidemill_core::time::Timestamp;
use tokio::sync::Notify;

use crate::captured::Captured;
use crate::line::Entry;
use crate::mask::Masker;
use pile::Pile;

/// How much is logged, and how it is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLimits {
    /// A line is cut after this many bytes of text.
    pub line_bytes_max: usize,
    /// A log is cut after this many bytes: its beginning and its end are kept.
    pub attempt_bytes_max: usize,
    /// How much of the end of a log that is cut is kept.
    pub tail_bytes_max: usize,
    /// A chunk of this size is sent at once.
    pub chunk_bytes: usize,
    /// A smaller one is sent after this time.
    pub chunk_wait: Duration,
    /// All that is not acknowledged yet takes this much memory; the oldest is dropped for what is new.
    pub memory_bytes_max: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            line_bytes_max: 16 * 1024,
            attempt_bytes_max: 10 * 1024 * 1024,
            tail_bytes_max: 256 * 1024,
            chunk_bytes: 64 * 1024,
            chunk_wait: Duration::from_secs(1),
            memory_bytes_max: 64 * 1024 * 1024,
        }
    }
}

struct Shared {
    limits: LogLimits,
    masker: Masker,
    pile: Mutex<Pile>,
    /// The highest `opened` ever given.
    opened: AtomicI64,
    changed: Notify,
}

impl Shared {
    /// The lock is only ever held over our own code: a panic of a task that logs leaves nothing half done.
    fn pile(&self) -> MutexGuard<'_, Pile> {
        self.pile.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The logs of all attempts of a worker. Clones are the same book.
#[derive(Clone)]
pub struct LogBook(Arc<Shared>);

impl fmt::Debug for LogBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogBook(…)")
    }
}

impl LogBook {
    /// An empty book whose lines go through this masker.
    #[must_use]
    pub fn new(limits: LogLimits, masker: Masker) -> Self {
        Self(Arc::new(Shared {
            pile: Mutex::new(Pile::new(limits.clone())),
            limits,
            masker,
            opened: AtomicI64::new(i64::MIN),
            changed: Notify::new(),
        }))
    }

    /// Opens the log of an attempt. It costs nothing until something is written.
    #[must_use]
    pub fn open(&self, now: Timestamp, attempt: AttemptRef, place: LogPlace) -> AttemptLog {
        // Two logs of one attempt must differ, even if the clock stands still or goes back.
        let next = |last: i64| Some(last.saturating_add(1).max(now.micros()));
        let order = Ordering::Relaxed;
        let last = self.0.opened.fetch_update(order, order, next);
        let opened = next(last.unwrap_or_default()).unwrap_or_default();
        AttemptLog(Arc::new(Open {
            book: Arc::clone(&self.0),
            key: (attempt, Timestamp::from_micros(opened)),
            place,
            closed: AtomicBool::new(false),
        }))
    }

    /// What masks the lines: secrets that are fetched later are added to it.
    #[must_use]
    pub fn masker(&self) -> &Masker {
        &self.0.masker
    }

    /// What is to be sent now: what is full, what has waited long enough, what is closed. Each chunk is given once;
    /// after a connection was lost, [`unacked`](Self::unacked) gives them again.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Vec<LogChunk> {
        self.0.pile().due(now)
    }

    /// When something is due next: an instant in the past if something is due already, nothing if nothing was written.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.0.pile().next_due()
    }

    /// Waits until [`next_due`](Self::next_due) may have come closer. What happened before the call counts, so that
    /// nothing is missed between looking and waiting.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// The scheduler has kept this chunk and those before it: they are forgotten.
    pub fn acked(&self, ack: &LogAck) {
        self.0.pile().acked(ack);
    }

    /// Everything that was cut and is not acknowledged, in order: to be sent first after a reconnect.
    #[must_use]
    pub fn unacked(&self) -> Vec<LogChunk> {
        self.0.pile().unacked()
    }

    /// How many bytes are held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.0.pile().held_bytes()
    }
}

struct Open {
    book: Arc<Shared>,
    key: (AttemptRef, Timestamp),
    place: LogPlace,
    closed: AtomicBool,
}

impl Open {
    fn append(&self, at: Timestamp, json: &str) {
        let mut pile = self.book.pile();
        let open = !self.closed.load(Ordering::Acquire);
        if open && pile.push(&self.key, &self.place, at, json) {
            self.book.changed.notify_one();
        }
    }

    fn close(&self) {
        // Under the lock, so that no line comes after the last chunk.
        let mut pile = self.book.pile();
        if !self.closed.swap(true, Ordering::AcqRel) && pile.close(&self.key) {
            self.book.changed.notify_one();
        }
    }
}

/// A log that nobody closed, because its task panicked or was dropped, is closed all the same.
impl Drop for Open {
    fn drop(&mut self) {
        self.close();
    }
}

/// The log of one attempt. Clones write to the same log; the last one that goes closes it.
#[derive(Clone)]
pub struct AttemptLog(Arc<Open>);

impl fmt::Debug for AttemptLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AttemptLog").field(&self.0.key.0).finish()
    }
}

impl AttemptLog {
    /// Writes a text; each of its lines becomes one.
    pub fn write(&self, now: Timestamp, level: Level, text: &str) {
        self.put(&Entry::new(now, level, text), 0);
    }

    /// Writes a text with its source and fields.
    pub fn write_entry(&self, entry: &Entry<'_>) {
        self.put(entry, 0);
    }

    /// Takes what a child process prints, from one of its pipes.
    #[must_use]
    pub fn capture(&self, level: Level, source: &'static str) -> Captured {
        Captured::new(self.clone(), level, source)
    }

    /// Nothing more will be written: the rest is sent at once, as the last chunk. What is written later is dropped.
    pub fn close(&self) {
        self.0.close();
    }

    pub(crate) fn masker(&self) -> &Masker {
        &self.0.book.masker
    }

    pub(crate) fn line_bytes_max(&self) -> usize {
        self.0.book.limits.line_bytes_max
    }

    /// Writes an entry, of whose last line so many bytes are missing already.
    pub(crate) fn put(&self, entry: &Entry<'_>, beyond: u64) {
        if self.0.closed.load(Ordering::Acquire) {
            return;
        }
        let masker = self.masker();
        let text = masker.mask(entry.text);
        let fields = entry.fields.map(|fields| masker.mask_fields(fields));
        let source = entry.source.map(|source| masker.mask(source));
        let mut json = String::with_capacity(text.len().min(self.line_bytes_max()) + 64);
        let mut lines = text
            .strip_suffix('\n')
            .unwrap_or(&text)
            .split('\n')
            .peekable();
        while let Some(line) = lines.next() {
            let line = line.strip_suffix('\r').unwrap_or(line);
            let beyond = if lines.peek().is_none() { beyond } else { 0 };
            let cut = self.cut(line, beyond);
            let entry = Entry {
                text: cut.as_deref().unwrap_or(line),
                source: source.as_deref(),
                fields: fields.as_ref(),
                ..*entry
            };
            json.clear();
            entry.encode(&mut json);
            self.0.append(entry.at, &json);
        }
    }

    /// The line with a mark, if it is too long.
    fn cut(&self, line: &str, beyond: u64) -> Option<String> {
        let most = self.line_bytes_max();
        if line.len() <= most && beyond == 0 {
            return None;
        }
        let end = line.floor_char_boundary(most);
        let missing = (line.len() - end) as u64 + beyond;
        Some(format!("{} … ({missing} bytes cut)", &line[..end]))
    }
}
