//! Logs in a folder: for each attempt a file with its lines, `log.jsonl`, and one with its index, `log.index`.
//!
//! A part is kept once its line in the index is whole. What stands in the other file beyond the last part was torn off
//! by the death of the process, and is cut away when the log is opened for writing; readers do not look there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::Kept;
use super::error::LogError;
use super::index::{self, Index, Note, Part};
use super::opened::Opened;

/// After so many bytes a log is forced to the disk.
const UNSYNCED_BYTES_MAX: u64 = 4 * 1024 * 1024;

#[derive(Default)]
struct Slot(Mutex<Option<Log>>);

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<Log>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A log that is open for writing.
struct Log {
    folder: PathBuf,
    lines: File,
    notes: File,
    /// How long the file of notes is if nobody else wrote to it.
    notes_bytes: u64,
    index: Arc<Index>,
    unsynced: u64,
}

/// A folder of logs.
pub(super) struct Folder {
    root: PathBuf,
    opened: Opened<Slot>,
}

impl Folder {
    pub(super) fn open(root: &Path) -> Result<Self, LogError> {
        fs::create_dir_all(root).map_err(failed("make the folder", root))?;
        let root = root
            .canonicalize()
            .map_err(failed("find the folder", root))?;
        Ok(Self {
            root,
            opened: Opened::new(),
        })
    }

    pub(super) fn append(&self, path: &str, part: Part, text: &[u8]) -> Result<Kept, LogError> {
        let slot = self.opened.get(path);
        let mut slot = slot.lock();
        let log = self.writable(path, &mut slot)?;
        if log.index.has(&part) {
            return Ok(Kept::Again);
        }
        log.append(part, text)?;
        Ok(Kept::New)
    }

    pub(super) fn finish(&self, path: &str) -> Result<(), LogError> {
        // An attempt that wrote nothing has no log, and gets none now.
        if !self.root.join(path).is_dir() {
            return Ok(());
        }
        {
            let slot = self.opened.get(path);
            let mut slot = slot.lock();
            let log = self.writable(path, &mut slot)?;
            if !log.index.finished {
                log.note(Note::Finished)?;
            }
            log.sync()?;
        }
        self.opened.close(path);
        Ok(())
    }

    pub(super) fn sync(&self) -> Result<(), LogError> {
        for slot in self.opened.all() {
            if let Some(log) = slot.lock().as_mut() {
                log.sync()?;
            }
        }
        Ok(())
    }

    pub(super) fn index(&self, path: &str) -> Result<Arc<Index>, LogError> {
        if let Some(slot) = self.opened.find(path)
            && let Some(log) = slot.lock().as_ref()
            && log.is_mine()
        {
            return Ok(Arc::clone(&log.index));
        }
        let folder = self.root.join(path);
        match self.inside(&folder).and_then(|()| read_index(&folder)) {
            Ok((index, _)) => Ok(Arc::new(index)),
            Err(error) if error.is_missing() => Ok(Arc::default()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn texts(
        &self,
        path: &str,
        index: &Index,
        parts: &[usize],
    ) -> Result<Vec<Bytes>, LogError> {
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let folder = self.root.join(path);
        self.inside(&folder)?;
        let file = folder.join("log.jsonl");
        let mut open = File::open(&file).map_err(failed("open", &file))?;
        let mut texts = Vec::with_capacity(parts.len());
        for part in parts.iter().filter_map(|&part| index.parts.get(part)) {
            let mut text = vec![0; usize::try_from(part.bytes).unwrap_or_default()];
            open.seek(SeekFrom::Start(part.at))
                .and_then(|_| open.read_exact(&mut text))
                .map_err(failed("read", &file))?;
            texts.push(text.into());
        }
        Ok(texts)
    }

    pub(super) fn delete(&self, prefix: &str) -> Result<(), LogError> {
        for slot in self.opened.forget(prefix) {
            *slot.lock() = None;
        }
        let folder = self.root.join(prefix);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("delete", &folder)(error))
            }
            _ => Ok(()),
        }
    }

    /// Names are harmless, but somebody may have put a link where one of them leads.
    fn inside(&self, folder: &Path) -> Result<(), LogError> {
        let real = folder.canonicalize().map_err(failed("find", folder))?;
        let links = ["log.jsonl", "log.index"].map(|name| real.join(name).is_symlink());
        if real.starts_with(&self.root) && !links.contains(&true) {
            return Ok(());
        }
        Err(LogError::Outside {
            path: folder.to_owned(),
        })
    }

    fn writable<'a>(&self, path: &str, slot: &'a mut Option<Log>) -> Result<&'a mut Log, LogError> {
        let log = match slot.take().filter(Log::is_mine) {
            Some(log) => log,
            None => {
                let folder = self.root.join(path);
                fs::create_dir_all(&folder).map_err(failed("make the folder", &folder))?;
                self.inside(&folder)?;
                Log::open(folder)?
            }
        };
        Ok(slot.insert(log))
    }
}

impl Log {
    fn open(folder: PathBuf) -> Result<Self, LogError> {
        let open = |name: &str| {
            let path = folder.join(name);
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .open(&path)
                .map_err(failed("open", &path))?;
            Ok((file, path))
        };
        let (lines, lines_path) = open("log.jsonl")?;
        let (notes, notes_path) = open("log.index")?;
        let (index, notes_bytes) = read_index(&folder)?;
        notes
            .set_len(notes_bytes)
            .map_err(failed("repair", &notes_path))?;
        lines
            .set_len(index.data_bytes)
            .map_err(failed("repair", &lines_path))?;
        Ok(Self {
            folder,
            lines,
            notes,
            notes_bytes,
            index: Arc::new(index),
            unsynced: 0,
        })
    }

    /// Whether nobody else has written to it or deleted it.
    fn is_mine(&self) -> bool {
        let path = self.folder.join("log.index");
        fs::metadata(path).is_ok_and(|now| now.len() == self.notes_bytes)
    }

    fn append(&mut self, part: Part, text: &[u8]) -> Result<(), LogError> {
        if let Err(error) = self.lines.write_all(text) {
            // A full disk took a part of it; that it cannot be cut away now is found out when the log is opened again.
            let _ = self.lines.set_len(self.index.data_bytes);
            return Err(failed("append to", &self.folder.join("log.jsonl"))(error));
        }
        let before = self.index.data_bytes;
        if let Err(error) = self.note(Note::Part(part)) {
            let _ = self.lines.set_len(before);
            return Err(error);
        }
        self.unsynced += text.len() as u64;
        if self.unsynced > UNSYNCED_BYTES_MAX {
            self.sync()?;
        }
        Ok(())
    }

    fn note(&mut self, note: Note) -> Result<(), LogError> {
        let mut line = Vec::new();
        note.write(&mut line);
        if let Err(error) = self.notes.write_all(&line) {
            let _ = self.notes.set_len(self.notes_bytes);
            return Err(failed("append to", &self.folder.join("log.index"))(error));
        }
        self.notes_bytes += line.len() as u64;
        self.unsynced += line.len() as u64;
        Arc::make_mut(&mut self.index).note(note);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), LogError> {
        if self.unsynced == 0 {
            return Ok(());
        }
        // The lines first: a note must not outlive what it speaks of.
        self.lines
            .sync_data()
            .and_then(|()| self.notes.sync_data())
            .map_err(failed("write to the disk", &self.folder))?;
        self.unsynced = 0;
        Ok(())
    }
}

/// A log that is closed to make room for others.
impl Drop for Log {
    fn drop(&mut self) {
        // What cannot be forced to the disk is still with the operating system.
        let _ = self.sync();
    }
}

/// The index as far as it is whole and the lines are there, and its length.
fn read_index(folder: &Path) -> Result<(Index, u64), LogError> {
    let path = folder.join("log.index");
    let text = fs::read(&path).map_err(failed("read", &path))?;
    let lines_path = folder.join("log.jsonl");
    let there = fs::metadata(&lines_path).map_err(failed("look at", &lines_path))?;
    let mut index = Index::default();
    let mut bytes = 0;
    for line in index::lines(&text) {
        // After the death of the machine a file may end in zeroes, or be shorter than the other one says.
        let Ok(note) = serde_json::from_slice(line) else {
            break;
        };
        if matches!(&note, Note::Part(part) if index.data_bytes + part.bytes > there.len()) {
            break;
        }
        index.note(note);
        bytes += line.len() as u64 + 1;
    }
    Ok((index, bytes))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
    let path = path.to_owned();
    move |source| LogError::File {
        doing,
        path,
        source,
    }
}
