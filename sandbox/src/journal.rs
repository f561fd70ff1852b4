//! What was asked and what it did: one line for every request. Tests compare it with the ledger.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::services::Service;

/// How many lines can be asked for; all are in the file.
const KEPT: usize = 100_000;

/// One request.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Counts up from 1 since the sandbox was started.
    pub number: u64,
    /// When it was answered.
    pub at: DateTime<Utc>,
    /// Whose method it was.
    pub service: Service,
    /// The method by its published identifier.
    pub method: &'static str,
    /// Verb and path as they came.
    pub request: String,
    /// What was answered; none if a fault took the reply away.
    pub status: Option<u16>,
    /// What changed, in the words of the service.
    pub effects: Vec<String>,
    /// The fault that was put into it.
    pub fault: Option<String>,
}

/// The newest lines, and a file with all.
pub struct Journal {
    inner: Mutex<Inner>,
}

struct Inner {
    lines: VecDeque<Entry>,
    next: u64,
    file: File,
}

impl Journal {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self {
            inner: Mutex::new(Inner {
                lines: VecDeque::new(),
                next: 1,
                file,
            }),
        })
    }

    /// Notes a request; its number is set here.
    pub(crate) fn note(&self, mut entry: Entry) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        entry.number = inner.next;
        inner.next += 1;
        match serde_json::to_string(&entry) {
            Ok(line) => {
                if let Err(error) = inner.file.write_all(format!("{line}\n").as_bytes()) {
                    tracing::warn!("the journal cannot be written: {error}");
                }
            }
            Err(error) => tracing::warn!("a line of the journal cannot be written: {error}"),
        }
        inner.lines.push_back(entry);
        if inner.lines.len() > KEPT {
            inner.lines.pop_front();
        }
    }

    /// Lines after number `after` that `wanted` takes, oldest first.
    pub fn after(&self, after: u64, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .lines
            .iter()
            .filter(|entry| entry.number > after && wanted(entry))
            .cloned()
            .collect()
    }
}
