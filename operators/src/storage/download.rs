//! Content into a file: in one generation, summed while it comes, continued where it broke off.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tidemill_core::operator::{TaskError, TaskResult};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _, BufWriter};

use super::object::GcsObject;
use super::store::Storage;
use super::sum::{Sum, unread};
use crate::http::{Download, backoff};

/// Bytes that are gathered before they are written.
const AT_ONCE: usize = 1 << 20;
/// How often it is continued without a byte of progress.
const TRIES: u32 = 8;
/// How long the next piece may take.
const IDLE: Duration = Duration::from_secs(60);

/// What is being written.
struct Part {
    path: PathBuf,
    file: BufWriter<File>,
    sum: Sum,
}

impl Storage {
    /// Downloads an object in its generation to this path, and tells how many bytes are there now and then. The file appears
    /// there when it is complete and its sum is right; until then it is a hidden one beside it, which the next try continues.
    /// A file that has this content already is left as it is.
    ///
    /// # Errors
    /// It cannot be read or written, or the object's generation is gone.
    pub async fn download(
        &self,
        object: &GcsObject,
        to: &Path,
        mut watch: impl FnMut(u64) + Send,
    ) -> TaskResult<()> {
        if is_there(object, to).await? {
            watch(object.size);
            return Ok(());
        }
        let mut part = Part::open(object, to).await?;
        let mut tries = 0;
        while part.sum.size < object.size {
            let before = part.sum.size;
            let Err(error) = self.pour(object, &mut part, &mut watch).await else {
                break;
            };
            if part.sum.size > before {
                tries = 0;
            }
            tries += 1;
            if !error.kind.is_retried() || tries > TRIES {
                part.keep().await?;
                return Err(error);
            }
            let pause = error.retry_after.unwrap_or_else(|| backoff(tries));
            self.pace().warn(&format!(
                "{}; continued at byte {} in {:.1} s",
                error.message,
                part.sum.size,
                pause.as_secs_f64()
            ));
            self.pace().sleep(pause).await;
            if self.pace().is_cancelled() {
                part.keep().await?;
                return Err(TaskError::cancelled(format!("{}: cancelled", object.uri)));
            }
        }
        part.become_file(object, to).await
    }

    /// Lets content run into the part until its end, or until it breaks off.
    async fn pour(
        &self,
        object: &GcsObject,
        part: &mut Part,
        watch: &mut (impl FnMut(u64) + Send),
    ) -> TaskResult<()> {
        let at = part.sum.size;
        let mut download = self.content(object, at).await?;
        check(object, at, &download)?;
        while let Some(bytes) = download.chunk().await? {
            let left = object.size - part.sum.size;
            if bytes.len() as u64 > left {
                return Err(TaskError::transient(format!(
                    "read {}: more came than the object has",
                    object.uri
                )));
            }
            part.write(&bytes).await?;
            watch(part.sum.size);
        }
        if part.sum.size < object.size {
            return Err(TaskError::transient(format!(
                "read {}: the content ended early",
                object.uri
            )));
        }
        Ok(())
    }

    /// The content from a byte on, as it is stored: nobody unpacks it on the way.
    pub(super) async fn content(&self, object: &GcsObject, from: u64) -> TaskResult<Download> {
        let uri = &object.uri;
        let mut request = self
            .client
            .get("/storage/v1/b/{}/o/{}", &[uri.bucket(), uri.object()])
            .query("alt", "media")
            .query("generation", object.generation)
            .header("accept-encoding", "gzip")
            .doing(format!("read {uri}"))
            .names(format!(
                "object {uri} in generation {}, or it was replaced",
                object.generation
            ))
            .needs("storage.objects.get")
            .try_within(IDLE);
        if from > 0 {
            request = request.header("range", format!("bytes={from}-"));
        }
        request.download().await
    }
}

/// Whether what comes is the content that was asked for, and no page of a proxy.
fn check(object: &GcsObject, at: u64, download: &Download) -> TaskResult<()> {
    let wrong = |what: &str| {
        TaskError::transient(format!(
            "read {}: what came is not the content: {what}",
            object.uri
        ))
    };
    let number = |name: &str| download.header(name)?.parse::<i64>().ok();
    match number("x-goog-generation") {
        Some(found) if found != object.generation => return Err(wrong("another generation")),
        // Servers that stand for Cloud Storage may not say; then the length has to be right.
        None if number("content-length") != i64::try_from(object.size - at).ok() => {
            return Err(wrong("it says neither its generation nor the right length"));
        }
        _ => {}
    }
    let begins: Option<u64> = download.header("content-range").and_then(|range| {
        range
            .strip_prefix("bytes ")?
            .split('-')
            .next()?
            .parse()
            .ok()
    });
    match (download.status(), begins) {
        (200, _) if at == 0 => Ok(()),
        (206, Some(begins)) if begins == at => Ok(()),
        _ => Err(wrong("it begins elsewhere")),
    }
}

/// Whether the file has this content already.
async fn is_there(object: &GcsObject, to: &Path) -> TaskResult<bool> {
    let size = match tokio::fs::metadata(to).await {
        Ok(found) if found.is_file() => found.len(),
        _ => return Ok(false),
    };
    Ok(size == object.size && Sum::of_file(to, size).await?.is_of(object))
}

impl Part {
    /// What an earlier try left of this generation is summed and continued.
    async fn open(object: &GcsObject, to: &Path) -> TaskResult<Self> {
        let shown = to.display().to_string();
        let name = to.file_name().ok_or_else(|| {
            TaskError::permanent(format!("`{shown}` names no file"))
                .help("write the whole path, with the file's name")
        })?;
        let hidden = format!(".{}.{}.part", name.to_string_lossy(), object.generation);
        let path = to.with_file_name(hidden);
        if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let made = tokio::fs::create_dir_all(folder).await;
            made.map_err(|error| unread(&folder.display().to_string(), &error))?;
        }
        let mut options = OpenOptions::new();
        let opened = options.create(true).truncate(false).write(true);
        let opened = opened.open(&path).await;
        let mut file = opened.map_err(|error| unread(&shown, &error))?;
        let sum = Sum::of_file(&path, object.size).await?;
        let failed = |error: std::io::Error| unread(&shown, &error);
        file.set_len(sum.size).await.map_err(failed)?;
        let end = std::io::SeekFrom::Start(sum.size);
        file.seek(end).await.map_err(failed)?;
        Ok(Self {
            path,
            file: BufWriter::with_capacity(AT_ONCE, file),
            sum,
        })
    }

    fn failed(&self, error: &std::io::Error) -> TaskError {
        unread(&self.path.display().to_string(), error)
    }

    async fn write(&mut self, bytes: &[u8]) -> TaskResult<()> {
        let written = self.file.write_all(bytes).await;
        written.map_err(|error| self.failed(&error))?;
        self.sum.add(bytes);
        Ok(())
    }

    /// Leaves it for the next try.
    async fn keep(&mut self) -> TaskResult<()> {
        let flushed = self.file.flush().await;
        flushed.map_err(|error| self.failed(&error))
    }

    async fn become_file(mut self, object: &GcsObject, to: &Path) -> TaskResult<()> {
        self.keep().await?;
        if self.sum.crc32c != object.sum()? {
            let _ = tokio::fs::remove_file(&self.path).await;
            return Err(TaskError::transient(format!(
                "{}: what came has another sum than the object; it is read anew",
                object.uri
            )));
        }
        let synced = self.file.get_ref().sync_all().await;
        synced.map_err(|error| self.failed(&error))?;
        let renamed = tokio::fs::rename(&self.path, to).await;
        renamed.map_err(|error| unread(&to.display().to_string(), &error))
    }
}
