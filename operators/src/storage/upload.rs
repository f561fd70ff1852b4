//! A file into an object: in pieces that survive a lost reply, with a sum that the service checks.

use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde_json::json;
use tidemill_core::operator::{TaskError, TaskResult};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::object::{GcsObject, Resource};
use super::store::{FIELDS, Storage};
use super::sum::{Sum, unread};
use super::uri::GcsUri;
use crate::http::{Method, Reply, backoff};

/// Bytes of a piece: a multiple of 256 KiB, which the service wants.
const PIECE: u64 = 8 << 20;
/// How often a piece is tried without progress.
const TRIES: u32 = 8;
/// How often an upload is begun anew because its session is gone.
const SESSIONS: u32 = 3;
const PIECE_WITHIN: Duration = Duration::from_secs(120);

/// How an object is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Put {
    /// What its content is; `application/octet-stream` if nothing is said.
    pub content_type: Option<String>,
    /// Whether one that is there with other content is an error, instead of being replaced.
    pub only_if_absent: bool,
}

/// What is uploaded.
enum Content<'a> {
    File(&'a Path),
    Bytes(Bytes),
}

impl Content<'_> {
    async fn sum(&self) -> TaskResult<Sum> {
        match self {
            Self::File(path) => Sum::of_file(path, u64::MAX).await,
            Self::Bytes(bytes) => {
                let mut sum = Sum::default();
                sum.add(bytes);
                Ok(sum)
            }
        }
    }

    /// The piece from this byte on.
    async fn piece(&self, at: u64, size: u64) -> TaskResult<Bytes> {
        let wanted = usize::try_from(PIECE.min(size - at)).unwrap_or(usize::MAX);
        let path = match self {
            Self::File(path) => path,
            Self::Bytes(bytes) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                return Ok(bytes.slice(at..at + wanted));
            }
        };
        let shown = path.display().to_string();
        let piece = read(path, at, wanted).await;
        let piece = piece.map_err(|error| unread(&shown, &error))?;
        if piece.len() < wanted {
            return Err(TaskError::transient(format!(
                "{shown} became shorter while it was read"
            )));
        }
        Ok(piece)
    }
}

/// How far a session is.
enum At {
    Byte(u64),
    Done(GcsObject),
    /// The service has forgotten it.
    Gone,
    /// Another generation is there now.
    Clash,
}

impl Storage {
    /// Uploads a file, and tells how many bytes are there now and then. An object that has this content already is left as it
    /// is, so doing it twice changes nothing.
    ///
    /// # Errors
    /// The file cannot be read, the object cannot be written, or somebody else writes it at the same time.
    pub async fn upload(
        &self,
        from: &Path,
        to: &GcsUri,
        how: &Put,
        watch: impl FnMut(u64) + Send,
    ) -> TaskResult<GcsObject> {
        self.write(&Content::File(from), to, how, watch).await
    }

    /// The same with content that is in memory.
    ///
    /// # Errors
    /// The object cannot be written, or somebody else writes it at the same time.
    pub async fn upload_bytes(
        &self,
        content: impl Into<Bytes>,
        to: &GcsUri,
        how: &Put,
    ) -> TaskResult<GcsObject> {
        let content = Content::Bytes(content.into());
        self.write(&content, to, how, |_| {}).await
    }

    async fn write(
        &self,
        from: &Content<'_>,
        to: &GcsUri,
        how: &Put,
        mut watch: impl FnMut(u64) + Send,
    ) -> TaskResult<GcsObject> {
        let sum = from.sum().await?;
        for _ in 0..SESSIONS {
            let there = self.find(to).await?;
            if let Some(there) = there.as_ref() {
                if sum.is_of(there) {
                    watch(sum.size);
                    return Ok(there.clone());
                }
                if how.only_if_absent {
                    return Err(TaskError::permanent(format!(
                        "{to} is there already, with other content"
                    ))
                    .help("give the object another name, or let it be replaced"));
                }
            }
            let replaces = there.map_or(0, |there| there.generation);
            let Some(session) = self.begin(to, how, sum, replaces).await? else {
                continue;
            };
            let sent = self.send(from, &session, (to, sum), &mut watch).await?;
            match sent {
                At::Done(object) if sum.is_of(&object) => return Ok(object),
                At::Done(object) => {
                    self.delete(&object).await?;
                    return Err(TaskError::transient(format!(
                        "write {to}: the service stored other content than was sent"
                    )));
                }
                // Perhaps it was this upload whose reply was lost: it is looked for.
                At::Gone | At::Clash | At::Byte(_) => {}
            }
        }
        Err(TaskError::transient(format!(
            "write {to}: somebody else writes it at the same time, or uploads are forgotten"
        ))
        .help("see that only one task writes this object"))
    }

    /// Begins a session. Two that are begun are as good as one: an object comes of the one that is filled.
    async fn begin(
        &self,
        to: &GcsUri,
        how: &Put,
        sum: Sum,
        replaces: i64,
    ) -> TaskResult<Option<String>> {
        let content_type = how.content_type.as_deref();
        let content_type = content_type.unwrap_or("application/octet-stream");
        let reply = self
            .client
            .post("/upload/storage/v1/b/{}/o", &[to.bucket()])
            .query("uploadType", "resumable")
            .query("name", to.object())
            .query("ifGenerationMatch", replaces)
            .query("fields", FIELDS)
            .header("x-upload-content-type", content_type)
            .header("x-upload-content-length", sum.size.to_string())
            .json(&json!({ "contentType": content_type, "crc32c": sum.text() }))
            .repeatable()
            .answers(&[412])
            .doing(format!("write {to}"))
            .names(format!("bucket `{}`", to.bucket()))
            .needs("storage.objects.create")
            .send()
            .await?;
        if reply.status() == 412 {
            return Ok(None);
        }
        let session = reply.header("location").map(str::to_owned);
        session.map(Some).ok_or_else(|| {
            TaskError::transient(format!("write {to}: the service gave no upload session"))
        })
    }

    async fn send(
        &self,
        from: &Content<'_>,
        session: &str,
        (to, sum): (&GcsUri, Sum),
        watch: &mut (impl FnMut(u64) + Send),
    ) -> TaskResult<At> {
        let (mut at, mut tries) = (0, 0);
        loop {
            let piece = from.piece(at, sum.size).await?;
            let sent = self.send_piece(session, piece, (to, at, sum.size)).await;
            let next = match sent {
                Ok(next) => next,
                Err(error) if error.kind.is_retried() && tries < TRIES => {
                    tries += 1;
                    self.rest(&error, to, tries).await?;
                    self.how_far(session, to, sum.size).await?
                }
                Err(error) => return Err(error),
            };
            let At::Byte(next) = next else {
                return Ok(next);
            };
            if next > sum.size {
                return Ok(At::Gone);
            }
            tries = if next > at { 0 } else { tries + 1 };
            if tries > TRIES {
                return Ok(At::Gone);
            }
            at = next;
            watch(at);
        }
    }

    async fn rest(&self, error: &TaskError, to: &GcsUri, tries: u32) -> TaskResult<()> {
        let pause = error.retry_after.unwrap_or_else(|| backoff(tries));
        let seconds = pause.as_secs_f64();
        self.pace().warn(&format!(
            "{}; asked how far it is in {seconds:.1} s",
            error.message
        ));
        self.pace().sleep(pause).await;
        if self.pace().is_cancelled() {
            return Err(TaskError::cancelled(format!("write {to}: cancelled")));
        }
        Ok(())
    }

    async fn send_piece(
        &self,
        session: &str,
        piece: Bytes,
        (to, at, size): (&GcsUri, u64, u64),
    ) -> TaskResult<At> {
        let range = match (at + piece.len() as u64).checked_sub(1) {
            Some(last) if !piece.is_empty() => format!("bytes {at}-{last}/{size}"),
            _ => format!("bytes */{size}"),
        };
        let request = self
            .client
            .follow(Method::PUT, session)
            .header("content-range", range)
            .body("application/octet-stream", piece)
            // Whether it arrived is asked before it is sent again.
            .once()
            .answers(&[308, 404, 410, 412])
            .expects_json()
            .try_within(PIECE_WITHIN)
            .doing(format!("write {to}"))
            .names(format!("bucket `{}`", to.bucket()))
            .needs("storage.objects.create");
        far(&request.send().await?)
    }

    async fn how_far(&self, session: &str, to: &GcsUri, size: u64) -> TaskResult<At> {
        let request = self
            .client
            .follow(Method::PUT, session)
            .header("content-range", format!("bytes */{size}"))
            .answers(&[308, 404, 410, 412])
            .expects_json()
            .doing(format!("ask how far the upload of {to} is"))
            .needs("storage.objects.create");
        far(&request.send().await?)
    }
}

fn far(reply: &Reply) -> TaskResult<At> {
    Ok(match reply.status() {
        308 => {
            let range = reply
                .header("range")
                .and_then(|range| range.rsplit_once('-'));
            let last = range.and_then(|(_, last)| last.parse::<u64>().ok());
            At::Byte(last.map_or(0, |last| last + 1))
        }
        404 | 410 => At::Gone,
        412 => At::Clash,
        _ => At::Done(reply.json::<Resource>()?.read()?),
    })
}

async fn read(path: &Path, at: u64, wanted: usize) -> std::io::Result<Bytes> {
    let mut file = File::open(path).await?;
    file.seek(std::io::SeekFrom::Start(at)).await?;
    let mut piece = BytesMut::zeroed(wanted);
    let mut filled = 0;
    while filled < wanted {
        match file.read(&mut piece[filled..]).await? {
            0 => break,
            read => filled += read,
        }
    }
    piece.truncate(filled);
    Ok(piece.freeze())
}
