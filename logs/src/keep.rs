//! Keeping logs, and reading them back: in a folder, or in a bucket of an object store.
//!
//! A log is a sequence of parts, one for each chunk that came, and an index that says for each part where it is, how
//! many lines of each level it has, and which chunk it was. The index answers whether a chunk came before, where a
//! line is, and where the first error is, without reading the text.

mod bucket;
mod error;
mod folder;
mod index;
mod names;
mod opened;
mod read;
mod search;
mod tail;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use object_store::ObjectStore;
use tidemill_core::protocol::{LogChunk, LogPlace};

pub use error::LogError;
pub use read::{Form, Numbered, Page, Start, Wanted};
pub use search::{Found, Search};
pub use tail::Tail;

use bucket::Bucket;
use folder::Folder;
use index::{Index, Part};
use tail::Listeners;

/// A chunk that is larger did not come from a worker of ours.
const CHUNK_BYTES_MAX: usize = 1024 * 1024;

/// What keeping a chunk did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is kept now.
    New,
    /// It was kept before.
    Again,
}

enum Backend {
    Folder(Arc<Folder>),
    Bucket(Bucket),
}

struct Inner {
    backend: Backend,
    listeners: Listeners,
}

/// Where the logs of all attempts are. Clones are the same.
///
/// In a folder, a chunk is handed to the operating system before it counts as kept: it survives the death of this
/// process at any point. It is forced to the disk every few MiB, when its log is finished, and on
/// [`sync`](Self::sync): the death of the machine may take what came since. In a bucket, it is an object.
///
/// One process at a time keeps the logs of an attempt; any number may read.
#[derive(Clone)]
pub struct LogKeeper(Arc<Inner>);

impl std::fmt::Debug for LogKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogKeeper(…)")
    }
}

impl LogKeeper {
    /// Opens a folder, by its path or as `file:///…`, or a bucket, as `gs://bucket/prefix` or `s3://bucket/prefix`.
    /// The options are those of the store, such as `google_service_account` or `aws_region`.
    ///
    /// # Errors
    /// The folder cannot be made, or there is no such kind of store in this build.
    pub fn open(
        place: &str,
        options: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, LogError> {
        if let Some(path) = place.strip_prefix("file://") {
            return Self::folder(Path::new(path));
        }
        if !place.contains("://") {
            return Self::folder(Path::new(place));
        }
        Ok(Self::new(Backend::Bucket(Bucket::open(place, options)?)))
    }

    /// Keeps logs in this folder, which is made if need be.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn folder(root: &Path) -> Result<Self, LogError> {
        Ok(Self::new(Backend::Folder(Arc::new(Folder::open(root)?))))
    }

    /// Keeps logs in this store, under this prefix.
    #[must_use]
    pub fn bucket(store: Arc<dyn ObjectStore>, prefix: object_store::path::Path) -> Self {
        Self::new(Backend::Bucket(Bucket::new(store, prefix)))
    }

    fn new(backend: Backend) -> Self {
        Self(Arc::new(Inner {
            backend,
            listeners: Listeners::default(),
        }))
    }

    /// Keeps a chunk, once. When this has returned, the chunk may be acknowledged.
    ///
    /// # Errors
    /// It is not kept, in whole or in part: it is to be kept again later. A chunk that is [too
    /// large](LogError::TooLarge) never will be.
    pub async fn keep(&self, chunk: &LogChunk) -> Result<Kept, LogError> {
        let bytes = chunk.lines.len();
        if bytes > CHUNK_BYTES_MAX {
            return Err(LogError::TooLarge { bytes });
        }
        let path = names::log(&chunk.place);
        let text = Bytes::from(index::whole_lines(&chunk.lines).into_owned());
        let part = Part::of(chunk, &text);
        let kept = match &self.0.backend {
            Backend::Folder(folder) => {
                let path = path.clone();
                on_thread(folder, move |folder| folder.append(&path, part, &text)).await?
            }
            Backend::Bucket(bucket) => bucket.append(&path, part, text).await?,
        };
        if kept == Kept::New {
            self.0.listeners.tell(&path);
        }
        Ok(kept)
    }

    /// The attempt is over: its log is put in its final form. Chunks may still come, and this may be said again.
    ///
    /// For an attempt that wrote nothing, a bucket has to be asked all the same: it is meant for attempts of which a
    /// chunk came, and for those whose worker was lost.
    ///
    /// # Errors
    /// The store cannot be reached; readers see the log as it was.
    pub async fn finish(&self, place: &LogPlace) -> Result<(), LogError> {
        let path = names::log(place);
        match &self.0.backend {
            Backend::Folder(folder) => {
                let path = path.clone();
                on_thread(folder, move |folder| folder.finish(&path)).await?;
            }
            Backend::Bucket(bucket) => bucket.finish(&path).await?,
        }
        self.0.listeners.tell(&path);
        Ok(())
    }

    /// Forces to the disk what was kept in a folder since the last time.
    ///
    /// # Errors
    /// The disk refuses.
    pub async fn sync(&self) -> Result<(), LogError> {
        match &self.0.backend {
            Backend::Folder(folder) => on_thread(folder, |folder| folder.sync()).await,
            Backend::Bucket(_) => Ok(()),
        }
    }

    /// A page of a log. A log that is not there has no lines: its attempt wrote none, or it was cleaned away.
    ///
    /// # Errors
    /// The store cannot be reached, or what is there is no log.
    pub async fn read(&self, place: &LogPlace, wanted: Wanted) -> Result<Page, LogError> {
        self.page(&names::log(place), wanted).await
    }

    /// The lines in which a text occurs, from some line on.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn search(&self, place: &LogPlace, search: Search) -> Result<Found, LogError> {
        search::search(self, &names::log(place), search).await
    }

    /// The lines after this one, as they come; 0 for all.
    #[must_use]
    pub fn tail(&self, place: &LogPlace, after: u64) -> Tail {
        let path = names::log(place);
        let news = self.0.listeners.listen(&path);
        Tail::new(self.clone(), path, after, news)
    }

    /// The whole log, in pieces of about a MiB.
    pub fn download(
        &self,
        place: &LogPlace,
        form: Form,
    ) -> impl Stream<Item = Result<Bytes, LogError>> + Send + use<> {
        read::download(self.clone(), names::log(place), form)
    }

    /// Deletes the logs of a run: of that with this name, a point and its number.
    ///
    /// # Errors
    /// The store cannot be reached; it may be said again.
    pub async fn delete_run(&self, dag: &str, run: &str) -> Result<(), LogError> {
        self.delete(format!("{}/{}", names::safe(dag), names::safe(run)))
            .await
    }

    /// Deletes the logs of a DAG.
    ///
    /// # Errors
    /// The store cannot be reached; it may be said again.
    pub async fn delete_dag(&self, dag: &str) -> Result<(), LogError> {
        self.delete(names::safe(dag)).await
    }

    async fn delete(&self, prefix: String) -> Result<(), LogError> {
        match &self.0.backend {
            Backend::Folder(folder) => {
                on_thread(folder, move |folder| folder.delete(&prefix)).await
            }
            Backend::Bucket(bucket) => bucket.delete(&prefix).await,
        }
    }

    /// The index of a log; an empty one if there is no log.
    async fn index(&self, path: &str) -> Result<Arc<Index>, LogError> {
        match &self.0.backend {
            Backend::Folder(folder) => {
                let path = path.to_owned();
                on_thread(folder, move |folder| folder.index(&path)).await
            }
            Backend::Bucket(bucket) => bucket.index(path).await,
        }
    }

    /// The texts of these parts.
    async fn texts(
        &self,
        path: &str,
        index: &Arc<Index>,
        parts: Vec<usize>,
    ) -> Result<Vec<Bytes>, LogError> {
        match &self.0.backend {
            Backend::Folder(folder) => {
                let (path, index) = (path.to_owned(), Arc::clone(index));
                on_thread(folder, move |folder| folder.texts(&path, &index, &parts)).await
            }
            Backend::Bucket(bucket) => bucket.texts(path, index, &parts).await,
        }
    }
}

/// Files block: they are read and written on a thread for that.
async fn on_thread<T: Send + 'static>(
    folder: &Arc<Folder>,
    work: impl FnOnce(&Folder) -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    let folder = Arc::clone(folder);
    match tokio::task::spawn_blocking(move || work(&folder)).await {
        Ok(done) => done,
        Err(_) => Err(LogError::Stopped),
    }
}
