//! What a worker holds of its logs: open chunks, chunks on their way, and how both stay within their bounds.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tidemill_core::operator::Level;
use tidemill_core::protocol::{AttemptRef, LogAck, LogChunk, LogPlace};
use tidemill_core::time::Timestamp;

use super::LogLimits;
use crate::line::Entry;

/// An attempt, and when its log was opened.
type Key = (AttemptRef, Timestamp);

/// Lines that are not in the log.
#[derive(Debug, Clone, Copy, Default)]
struct Missing {
    lines: u64,
    bytes: u64,
}

impl Missing {
    fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.bytes += other.bytes;
    }

    fn line(bytes: usize) -> Self {
        Self {
            lines: 1,
            bytes: bytes as u64,
        }
    }
}

/// A chunk that was cut.
struct Cut {
    /// Its place among all chunks of the worker.
    order: u64,
    nth: u32,
    /// When its first line was written.
    at: Timestamp,
    lines: Arc<str>,
    /// What was dropped before it.
    lost: Missing,
    last: bool,
}

struct Log {
    place: LogPlace,
    next: u32,
    /// The open chunk, and when its first line was written.
    buffer: String,
    since: Timestamp,
    /// What was dropped before the open chunk for want of memory.
    lost: Missing,
    cut: VecDeque<Cut>,
    /// Bytes of the beginning.
    written: usize,
    /// Once the beginning is full: the last lines, to be written at the end, and what is missing before them.
    tail: Option<Tail>,
    closed: bool,
}

#[derive(Default)]
struct Tail {
    lines: VecDeque<Box<str>>,
    bytes: usize,
    missing: Missing,
}

/// All logs of a worker.
pub(super) struct Pile {
    limits: LogLimits,
    logs: HashMap<Key, Log>,
    /// Open chunks with something in them, by their first line.
    waiting: BTreeSet<(Timestamp, Key)>,
    /// Every chunk that is not acknowledged.
    order: BTreeMap<u64, Key>,
    /// Those of them that were not sent.
    ready: BTreeSet<u64>,
    /// Those of them that may be dropped.
    droppable: BTreeSet<u64>,
    next_order: u64,
    held: usize,
}

impl Pile {
    pub(super) fn new(limits: LogLimits) -> Self {
        Self {
            limits,
            logs: HashMap::new(),
            waiting: BTreeSet::new(),
            order: BTreeMap::new(),
            ready: BTreeSet::new(),
            droppable: BTreeSet::new(),
            next_order: 0,
            held: 0,
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held
    }

    /// Adds a line. Says whether the session should look when something is due.
    pub(super) fn push(&mut self, key: &Key, place: &LogPlace, at: Timestamp, json: &str) -> bool {
        let head = self
            .limits
            .attempt_bytes_max
            .saturating_sub(self.limits.tail_bytes_max);
        let log = self.logs.entry(*key).or_insert_with(|| Log::new(place));
        if log.closed {
            return false;
        }
        if log.tail.is_some() {
            self.push_tail(key, json);
            return false;
        }
        if log.written + json.len() <= head {
            return self.push_head(key, at, json);
        }
        log.tail = Some(Tail::default());
        let mark = format!(
            "the log has reached its limit of {} bytes: of what follows, the last {} bytes are shown when the attempt ends",
            self.limits.attempt_bytes_max, self.limits.tail_bytes_max
        );
        let woken = self.push_head(key, at, &warning(at, &mark));
        self.push_tail(key, json);
        woken
    }

    fn push_head(&mut self, key: &Key, at: Timestamp, json: &str) -> bool {
        let fits = self.make_room(json.len());
        let Some(log) = self.logs.get_mut(key) else {
            return false;
        };
        if !fits {
            log.lost.add(Missing::line(json.len()));
            return false;
        }
        let first = log.buffer.is_empty();
        if first {
            log.since = at;
        }
        log.buffer.push_str(json);
        log.written += json.len();
        self.held += json.len();
        if log.buffer.len() >= self.limits.chunk_bytes {
            let woken = self.ready.is_empty();
            self.cut(key, false);
            woken
        } else if first {
            // Only the first of all waiting brings the next look closer.
            let woken = self.waiting.is_empty();
            self.waiting.insert((at, *key));
            woken
        } else {
            false
        }
    }

    fn push_tail(&mut self, key: &Key, json: &str) {
        let fits = self.make_room(json.len());
        let Some(tail) = self.logs.get_mut(key).and_then(|log| log.tail.as_mut()) else {
            return;
        };
        if fits {
            tail.lines.push_back(json.into());
            tail.bytes += json.len();
            self.held += json.len();
        } else {
            tail.missing.add(Missing::line(json.len()));
        }
        while tail.bytes > self.limits.tail_bytes_max {
            let Some(line) = tail.lines.pop_front() else {
                break;
            };
            tail.bytes -= line.len();
            self.held -= line.len();
            tail.missing.add(Missing::line(line.len()));
        }
    }

    /// Drops the oldest chunks until so many bytes fit in. Says whether they do.
    fn make_room(&mut self, bytes: usize) -> bool {
        while self.held + bytes > self.limits.memory_bytes_max {
            let Some(oldest) = self.droppable.pop_first() else {
                return false;
            };
            self.drop_cut(oldest);
        }
        true
    }

    fn drop_cut(&mut self, order: u64) {
        let Some(key) = self.order.get(&order).copied() else {
            return;
        };
        let Some(log) = self.logs.get_mut(&key) else {
            return;
        };
        let Ok(at) = log.cut.binary_search_by_key(&order, |cut| cut.order) else {
            return;
        };
        let cut = &mut log.cut[at];
        self.held -= cut.lines.len();
        let mut lost = cut.lost;
        lost.add(Missing {
            lines: count_lines(&cut.lines),
            bytes: cut.lines.len() as u64,
        });
        if cut.last {
            // That it was the last one is still to be said.
            cut.lines = "".into();
            cut.lost = lost;
            return;
        }
        log.cut.remove(at);
        match log.cut.get_mut(at) {
            Some(next) => next.lost.add(lost),
            None => log.lost.add(lost),
        }
        self.order.remove(&order);
        self.ready.remove(&order);
    }

    /// Makes a chunk of what is open.
    fn cut(&mut self, key: &Key, last: bool) {
        let Some(log) = self.logs.get_mut(key) else {
            return;
        };
        self.waiting.remove(&(log.since, *key));
        let order = self.next_order;
        self.next_order += 1;
        let lines: Arc<str> = std::mem::take(&mut log.buffer).into();
        if !lines.is_empty() {
            self.droppable.insert(order);
        }
        log.cut.push_back(Cut {
            order,
            nth: log.next,
            at: log.since,
            lines,
            lost: std::mem::take(&mut log.lost),
            last,
        });
        log.next += 1;
        self.order.insert(order, *key);
        self.ready.insert(order);
    }

    /// Closes a log. Says whether the session should look.
    pub(super) fn close(&mut self, key: &Key) -> bool {
        let Some(log) = self.logs.get_mut(key).filter(|log| !log.closed) else {
            return false;
        };
        let at = log.since;
        if let Some(tail) = log.tail.take() {
            self.held -= tail.bytes;
            if tail.missing.lines > 0 {
                let Missing { lines, bytes } = tail.missing;
                let mark = format!(
                    "{lines} lines ({bytes} bytes) are left out here: the log was too long"
                );
                self.push_head(key, at, &warning(at, &mark));
            }
            for line in tail.lines {
                self.push_head(key, at, &line);
            }
        }
        if let Some(log) = self.logs.get_mut(key) {
            log.closed = true;
        }
        let woken = self.ready.is_empty();
        self.cut(key, true);
        woken
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        if !self.ready.is_empty() {
            return Some(Timestamp::default());
        }
        let (since, _) = self.waiting.first()?;
        Some(since.after(self.limits.chunk_wait))
    }

    pub(super) fn due(&mut self, now: Timestamp) -> Vec<LogChunk> {
        while let Some((since, key)) = self.waiting.first().copied() {
            if since.after(self.limits.chunk_wait) > now {
                break;
            }
            self.cut(&key, false);
        }
        // The clock went back: what seems to come from the future has waited long enough.
        while let Some((since, key)) = self.waiting.last().copied() {
            if since <= now {
                break;
            }
            self.cut(&key, false);
        }
        let ready = std::mem::take(&mut self.ready);
        ready
            .into_iter()
            .filter_map(|order| self.chunk(order))
            .collect()
    }

    pub(super) fn unacked(&mut self) -> Vec<LogChunk> {
        self.ready.clear();
        self.order
            .keys()
            .filter_map(|&order| self.chunk(order))
            .collect()
    }

    fn chunk(&self, order: u64) -> Option<LogChunk> {
        let key = self.order.get(&order)?;
        let log = self.logs.get(key)?;
        let at = log.cut.binary_search_by_key(&order, |cut| cut.order).ok()?;
        let cut = &log.cut[at];
        let lines = if cut.lost.lines == 0 {
            Arc::clone(&cut.lines)
        } else {
            let Missing { lines, bytes } = cut.lost;
            let mark = format!(
                "up to {lines} lines ({bytes} bytes) are left out here: the scheduler could not be reached, and the worker's room for logs was full"
            );
            format!("{}{}", warning(cut.at, &mark), cut.lines).into()
        };
        Some(LogChunk {
            attempt: key.0,
            opened: key.1,
            nth: cut.nth,
            place: log.place.clone(),
            lines,
            last: cut.last,
        })
    }

    pub(super) fn acked(&mut self, ack: &LogAck) {
        let key = (ack.attempt, ack.opened);
        let Some(log) = self.logs.get_mut(&key) else {
            return;
        };
        while let Some(cut) = log.cut.pop_front_if(|cut| cut.nth <= ack.nth) {
            self.held -= cut.lines.len();
            self.order.remove(&cut.order);
            self.ready.remove(&cut.order);
            self.droppable.remove(&cut.order);
        }
        if log.closed && log.cut.is_empty() {
            self.logs.remove(&key);
        }
    }
}

impl Log {
    fn new(place: &LogPlace) -> Self {
        Self {
            place: place.clone(),
            next: 0,
            buffer: String::new(),
            since: Timestamp::default(),
            lost: Missing::default(),
            cut: VecDeque::new(),
            written: 0,
            tail: None,
            closed: false,
        }
    }
}

fn warning(at: Timestamp, text: &str) -> String {
    let mut json = String::new();
    Entry::new(at, Level::Warn, text).encode(&mut json);
    json
}

fn count_lines(lines: &str) -> u64 {
    lines.bytes().filter(|&byte| byte == b'\n').count() as u64
}
