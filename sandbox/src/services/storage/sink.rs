//! Content on its way to the disk: what is written is counted and summed up on the way.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::BodyExt;
use md5::{Digest, Md5};

use crate::call::Refusal;

/// An upload under way is kept in pieces of this size, as Cloud Storage keeps it.
pub(super) const PIECE: u64 = 256 << 10;
/// So much is given to a thread that writes at once.
const AT_ONCE: usize = 1 << 20;

/// What a body or a part of one gives, piece by piece.
pub(crate) trait Chunks {
    /// None at the end; an error if the end came early.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Refusal>> + Send;
}

/// A whole body.
pub(crate) struct Whole<'a>(pub(crate) &'a mut Body);

impl Chunks for Whole<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        while let Some(frame) = self.0.frame().await {
            let frame = frame
                .map_err(|error| Refusal::invalid(format!("the body ended early: {error}")))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

/// A file that is being written.
pub(super) struct Sink {
    file: File,
    now: State,
    /// At the last whole piece, to go back to when an upload breaks off.
    settled: State,
    /// Counts those who wrote: who is not the last any more has to stop.
    turn: u64,
    /// The content was given away.
    pub(super) closed: bool,
}

#[derive(Clone, Default)]
struct State {
    size: u64,
    crc32c: u32,
    md5: Md5,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) size: u64,
    pub(super) crc32c: u32,
    /// In base64.
    pub(super) md5: String,
}

/// A sink that a thread which writes and its request share.
pub(super) type Shared = Arc<Mutex<Sink>>;

pub(super) fn locked(sink: &Shared) -> MutexGuard<'_, Sink> {
    sink.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink {
    pub(super) fn create(path: &Path) -> io::Result<Shared> {
        let file = File::create(path)?;
        Ok(Self::over(file))
    }

    /// Goes on with a file that another process left; a piece that is not whole is dropped.
    pub(super) fn reopen(path: &Path) -> io::Result<Shared> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let whole = file.metadata()?.len() / PIECE * PIECE;
        file.set_len(whole)?;
        let state = State::read(&mut file)?;
        let sink = Self::over(file);
        {
            let mut sink = locked(&sink);
            sink.now = state.clone();
            sink.settled = state;
        }
        Ok(sink)
    }

    fn over(file: File) -> Shared {
        Arc::new(Mutex::new(Self {
            file,
            now: State::default(),
            settled: State::default(),
            turn: 0,
            closed: false,
        }))
    }

    pub(super) fn size(&self) -> u64 {
        self.now.size
    }

    /// Takes the turn: whoever wrote before writes no more.
    pub(super) fn take_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    /// Drops what is not a whole piece.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        if self.now.size != self.settled.size {
            self.file.set_len(self.settled.size)?;
            self.file.seek(SeekFrom::Start(self.settled.size))?;
            self.now = self.settled.clone();
        }
        Ok(())
    }

    pub(super) fn write(&mut self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let room = PIECE - self.now.size % PIECE;
            let take = usize::try_from(room).map_or(data.len(), |room| room.min(data.len()));
            let (now, after) = data.split_at(take);
            self.file.write_all(now)?;
            self.now.add(now);
            if self.now.size.is_multiple_of(PIECE) {
                self.settled = self.now.clone();
            }
            data = after;
        }
        Ok(())
    }

    pub(super) fn sums(&self) -> Sums {
        self.now.sums()
    }
}

/// Counts and sums up a file that is there.
pub(super) fn summed(path: &Path) -> io::Result<Sums> {
    State::read(&mut File::open(path)?).map(|state| state.sums())
}

impl State {
    fn read(file: &mut File) -> io::Result<Self> {
        let mut state = Self::default();
        let mut buffer = vec![0; AT_ONCE];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok(state);
            }
            state.add(&buffer[..read]);
        }
    }

    fn sums(&self) -> Sums {
        Sums {
            size: self.size,
            crc32c: self.crc32c,
            md5: BASE64.encode(self.md5.clone().finalize()),
        }
    }

    fn add(&mut self, data: &[u8]) {
        self.size += data.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, data);
        self.md5.update(data);
    }
}

/// Writes all that comes. What was written when this is dropped or fails stays, counted and summed up.
pub(super) async fn pour(
    sink: &Shared,
    turn: u64,
    chunks: &mut (impl Chunks + Send),
    limit: Option<u64>,
) -> Result<u64, Refusal> {
    let mut taken = 0;
    let mut waiting = Vec::new();
    let mut size = 0;
    loop {
        // A body that broke off still leaves what came before.
        let next = chunks.next().await;
        if let Ok(Some(chunk)) = &next {
            taken += chunk.len() as u64;
            if limit.is_some_and(|limit| taken > limit) {
                return Err(Refusal::invalid(format!(
                    "the body has more bytes than the {} that were announced",
                    limit.unwrap_or_default()
                )));
            }
            size += chunk.len();
            waiting.push(chunk.clone());
        }
        let over = !matches!(next, Ok(Some(_)));
        if size >= AT_ONCE || (over && size > 0) {
            write(sink, turn, std::mem::take(&mut waiting)).await?;
            size = 0;
        }
        if over {
            return next.map(|_| taken);
        }
    }
}

async fn write(sink: &Shared, turn: u64, data: Vec<Bytes>) -> Result<(), Refusal> {
    let sink = Arc::clone(sink);
    let wrote = tokio::task::spawn_blocking(move || {
        let mut sink = locked(&sink);
        if sink.turn != turn || sink.closed {
            return Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "backendError",
                "another request goes on with this upload",
            ));
        }
        data.iter()
            .try_for_each(|data| sink.write(data))
            .map_err(|error| Refusal::internal(&error))
    });
    wrote.await.map_err(|error| Refusal::internal(&error))?
}

/// Reads what is left of a body that was refused, up to a limit: clients read the reply only when they have sent theirs.
pub(crate) async fn drain(body: &mut Body) {
    let mut left = 64_usize << 20;
    while let Ok(Some(chunk)) = Whole(body).next().await {
        left = match left.checked_sub(chunk.len()) {
            Some(left) => left,
            None => return,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reopened_file_goes_on_where_it_was_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u");
        let data: Vec<u8> = (0..600_000_u32).map(|n| (n % 251) as u8).collect();
        let sink = Sink::create(&path).unwrap();
        locked(&sink).write(&data).unwrap();
        let whole = locked(&sink).sums();
        assert_eq!(whole.crc32c, crc32c::crc32c(&data));
        drop(sink);
        let sink = Sink::reopen(&path).unwrap();
        let mut sink = locked(&sink);
        let at = usize::try_from(sink.size()).unwrap();
        assert_eq!(at as u64, 2 * PIECE);
        sink.write(&data[at..at + 10]).unwrap();
        sink.settle().unwrap();
        assert_eq!(sink.size(), 2 * PIECE);
        sink.write(&data[at..]).unwrap();
        assert_eq!(sink.sums(), whole);
        assert_eq!(std::fs::read(&path).unwrap(), data);
    }
}
