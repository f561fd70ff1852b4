//! What was asked and what it did: one line for every request, and for every change that comes later. Tests compare it with
//! the ledger.
//!
//! All lines are in one file, those of earlier starts, too. A line's number is its place in the file; where some of the lines
//! begin is held in memory, so that any of them can be found without reading what is before.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::services::Service;

/// Of so many lines the beginning of one is held in memory.
const STEP: u64 = 1_000;

/// One request, or a change that came later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Counts up from 1, through all starts of the sandbox.
    pub number: u64,
    /// When it was answered.
    pub at: DateTime<Utc>,
    /// Whose method it was.
    pub service: Service,
    /// The method by its published identifier; `dataflow.job` and the like for what becomes of a job.
    pub method: Cow<'static, str>,
    /// Verb and path as they came; of a change that came later, the job.
    pub request: String,
    /// What was answered; none if a fault took the reply away, and of a change that came later.
    pub status: Option<u16>,
    /// What changed, in the words of the service.
    pub effects: Vec<String>,
    /// The fault that was put into it.
    pub fault: Option<String>,
}

/// A file with all lines.
pub struct Journal {
    path: PathBuf,
    inner: Mutex<Inner>,
}

struct Inner {
    file: File,
    /// Lines that there are.
    lines: u64,
    bytes: u64,
    /// Where the lines 1, `STEP` + 1, … begin.
    starts: Vec<u64>,
}

impl Journal {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let (mut lines, mut bytes, mut starts) = (0, 0, Vec::new());
        let mut text = BufReader::with_capacity(1 << 20, File::open(path)?);
        let mut line = Vec::new();
        while {
            line.clear();
            text.read_until(b'\n', &mut line)? > 0
        } {
            if lines % STEP == 0 {
                starts.push(bytes);
            }
            lines += 1;
            bytes += line.len() as u64;
        }
        // A kill can leave the last line torn; it keeps its number and is nothing.
        if !line_ends(path, bytes)? {
            file.write_all(b"\n")?;
            bytes += 1;
        }
        Ok(Self {
            path: path.to_owned(),
            inner: Mutex::new(Inner {
                file,
                lines,
                bytes,
                starts,
            }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request; its number is set here.
    pub(crate) fn note(&self, mut entry: Entry) {
        let mut inner = self.lock();
        entry.number = inner.lines + 1;
        let line = match serde_json::to_string(&entry) {
            Ok(line) => line + "\n",
            Err(error) => {
                tracing::warn!("a line of the journal cannot be written: {error}");
                return;
            }
        };
        if let Err(error) = inner.file.write_all(line.as_bytes()) {
            tracing::warn!("the journal cannot be written: {error}");
            return;
        }
        if inner.lines.is_multiple_of(STEP) {
            let start = inner.bytes;
            inner.starts.push(start);
        }
        inner.lines += 1;
        inner.bytes += line.len() as u64;
    }

    /// Lines after number `after` that `wanted` takes, oldest first.
    pub fn after(&self, after: u64, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        self.page(after, usize::MAX, wanted)
            .map(|(entries, _)| entries)
            .unwrap_or_else(|error| {
                tracing::warn!("the journal cannot be read: {error}");
                Vec::new()
            })
    }

    /// At most so many of them, and the number after which there may be more. It waits for the disk.
    pub(crate) fn page(
        &self,
        after: u64,
        most: usize,
        wanted: impl Fn(&Entry) -> bool,
    ) -> io::Result<(Vec<Entry>, Option<u64>)> {
        let (start, mut number, end) = {
            let inner = self.lock();
            let step = usize::try_from(after / STEP).unwrap_or(usize::MAX);
            match inner.starts.get(step) {
                None => return Ok((Vec::new(), None)),
                Some(start) => (*start, after / STEP * STEP, inner.bytes),
            }
        };
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(start))?;
        let mut text = BufReader::with_capacity(256 << 10, file.take(end - start));
        let (mut found, mut line) = (Vec::new(), Vec::new());
        loop {
            line.clear();
            if text.read_until(b'\n', &mut line)? == 0 {
                return Ok((found, None));
            }
            number += 1;
            if number <= after {
                continue;
            }
            let Ok(mut entry) = serde_json::from_slice::<Entry>(&line) else {
                continue;
            };
            entry.number = number;
            if wanted(&entry) {
                if found.len() == most {
                    return Ok((found, Some(number - 1)));
                }
                found.push(entry);
            }
        }
    }
}

/// Whether a file of so many bytes is empty or ends with a line.
fn line_ends(path: &Path, bytes: u64) -> io::Result<bool> {
    let Some(last) = bytes.checked_sub(1) else {
        return Ok(true);
    };
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(last))?;
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    Ok(byte == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(request: String) -> Entry {
        Entry {
            number: 0,
            at: DateTime::UNIX_EPOCH,
            service: Service::Storage,
            method: "storage.objects.get".into(),
            request,
            status: Some(200),
            effects: Vec::new(),
            fault: None,
        }
    }

    #[test]
    fn all_lines_are_found_after_a_restart_and_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let journal = Journal::open(&path).unwrap();
        for n in 1..=2_500 {
            journal.note(entry(format!("GET {n}")));
        }
        drop(journal);
        OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"{\"number\": 2501, \"at")
            .unwrap();
        let journal = Journal::open(&path).unwrap();
        journal.note(entry("GET last".to_owned()));
        let last = journal.after(2_499, |_| true);
        let shown: Vec<_> = last
            .iter()
            .map(|one| (one.number, one.request.as_str()))
            .collect();
        assert_eq!(shown, [(2_500, "GET 2500"), (2_502, "GET last")]);
        let wanted = |one: &Entry| one.request.ends_with("00");
        let (page, next) = journal.page(1_000, 2, wanted).unwrap();
        assert_eq!(
            page.iter().map(|one| one.number).collect::<Vec<_>>(),
            [1_100, 1_200]
        );
        let (page, _) = journal.page(next.unwrap(), 1, wanted).unwrap();
        assert_eq!(page[0].number, 1_300);
        assert_eq!(journal.page(9_999, 5, wanted).unwrap().0.len(), 0);
        assert_eq!(journal.after(0, wanted).len(), 25);
    }
}
