//! Logs in an object store: one object for each chunk while the attempt runs, one for all at its end.
//!
//! The name of a chunk's object says all that the index needs, so that an index is one list of names away. Merging
//! writes the object with all lines, then the index that names it, then deletes what it holds: readers see either, and
//! what is left over by a crash is known from the index and ignored. The index is only replaced by whoever has read
//! the one before it, so that two processes cannot undo each other's merges.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{
    ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion,
    WriteMultipart,
};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Kept;
use super::error::LogError;
use super::index::{Index, Part};
use super::opened::Opened;

/// So many objects are read at once.
const READS: usize = 16;
/// From so many chunks on they are merged while the attempt runs, if they are a quarter of the log or very many.
const LOOSE_MIN: usize = 64;
const LOOSE_MAX: usize = 512;
/// Larger logs are uploaded in pieces.
const PUT_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// For so long after a chunk came, readers in this process need not ask the store what there is.
const FRESH: Duration = Duration::from_secs(10);
const TRIES: usize = 4;

/// A log that chunks come for.
struct Log {
    index: Arc<Index>,
    /// What the next object is called.
    next: u64,
    /// Which index is in the store, if there is one.
    version: Option<UpdateVersion>,
    /// When a chunk came last.
    touched: Option<Instant>,
}

/// A bucket of logs.
pub(super) struct Bucket {
    store: Arc<dyn ObjectStore>,
    root: Path,
    opened: Opened<Mutex<Option<Log>>>,
}

impl Bucket {
    pub(super) fn open(
        place: &str,
        options: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, LogError> {
        let refused = |source: object_store::Error| LogError::Place {
            place: place.to_owned(),
            source,
        };
        let url = url::Url::parse(place).map_err(|error| {
            refused(object_store::Error::Generic {
                store: "url",
                source: error.into(),
            })
        })?;
        has_feature(place, url.scheme())?;
        #[cfg(feature = "cloud")]
        // It fails if there is one already: then that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (store, root) = object_store::parse_url_opts(&url, options).map_err(refused)?;
        Ok(Self::new(store.into(), root))
    }

    pub(super) fn new(store: Arc<dyn ObjectStore>, root: Path) -> Self {
        Self {
            store,
            root,
            opened: Opened::new(),
        }
    }

    pub(super) async fn append(
        &self,
        path: &str,
        mut part: Part,
        text: Bytes,
    ) -> Result<Kept, LogError> {
        let slot = self.opened.get(path);
        let mut slot = slot.lock().await;
        let mut log = match slot.take() {
            Some(log) => log,
            None => self.load(path).await?,
        };
        if log.index.has(&part) {
            *slot = Some(log);
            return Ok(Kept::Again);
        }
        let name = part_name(log.next, &part);
        let object = self.path(path, &name);
        self.store
            .put(&object, text.into())
            .await
            .map_err(failed("write", &object))?;
        part.object = Some(name.into());
        log.next += 1;
        Arc::make_mut(&mut log.index).push(part);
        log.touched = Some(Instant::now());
        if is_loose(&log.index) {
            // The chunk is kept, whatever becomes of this; it is tried again with the next one.
            let finished = log.index.finished;
            let _ = self.merge(path, &mut log, finished).await;
        }
        *slot = Some(log);
        Ok(Kept::New)
    }

    pub(super) async fn finish(&self, path: &str) -> Result<(), LogError> {
        let slot = self.opened.get(path);
        let done = {
            let mut slot = slot.lock().await;
            let mut log = match slot.take() {
                Some(log) => log,
                None => self.load(path).await?,
            };
            if log.index.parts.is_empty() {
                return Ok(());
            }
            self.merge(path, &mut log, true).await
        };
        drop(slot);
        self.opened.close(path);
        done
    }

    pub(super) async fn index(&self, path: &str) -> Result<Arc<Index>, LogError> {
        if let Some(slot) = self.opened.find(path)
            && let Some(log) = slot.lock().await.as_ref()
            && log.touched.is_some_and(|at| at.elapsed() < FRESH)
        {
            return Ok(Arc::clone(&log.index));
        }
        Ok(self.load(path).await?.index)
    }

    pub(super) async fn texts(
        &self,
        path: &str,
        index: &Index,
        parts: &[usize],
    ) -> Result<Vec<Bytes>, LogError> {
        let parts: Vec<&Part> = parts
            .iter()
            .filter_map(|&part| index.parts.get(part))
            .collect();
        let mut reads = Vec::new();
        let mut from = 0;
        while from < parts.len() {
            let together = if parts[from].object.is_some() {
                1
            } else {
                neighbours(&parts[from..])
            };
            reads.push(self.read(path, index, &parts[from..from + together]));
            from += together;
        }
        let reads: Vec<Vec<Bytes>> = stream::iter(reads).buffered(READS).try_collect().await?;
        Ok(reads.concat())
    }

    pub(super) async fn delete(&self, prefix: &str) -> Result<(), LogError> {
        for slot in self.opened.forget(prefix) {
            *slot.lock().await = None;
        }
        let prefix = self.path(prefix, "");
        let objects = self
            .store
            .list(Some(&prefix))
            .map_ok(|object| object.location)
            .boxed();
        self.store
            .delete_stream(objects)
            .map(|deleted| match deleted {
                Err(object_store::Error::NotFound { .. }) => Ok(()),
                deleted => deleted.map(drop),
            })
            .try_collect::<()>()
            .await
            .map_err(failed("delete", &prefix))
    }

    /// Reads parts that stand beside each other.
    async fn read(
        &self,
        path: &str,
        index: &Index,
        parts: &[&Part],
    ) -> Result<Vec<Bytes>, LogError> {
        let Some(first) = parts.first() else {
            return Ok(Vec::new());
        };
        if let Some(name) = &first.object {
            let object = self.path(path, name);
            return Ok(vec![self.get(&object).await?]);
        }
        let bytes: u64 = parts.iter().map(|part| part.bytes).sum();
        if bytes == 0 {
            return Ok(vec![Bytes::new(); parts.len()]);
        }
        let object = self.path(path, index.data.as_deref().unwrap_or("log.jsonl"));
        let mut text = self
            .store
            .get_range(&object, first.at..first.at + bytes)
            .await
            .map_err(failed("read", &object))?;
        let cut = parts.iter().map(|part| {
            let bytes = usize::try_from(part.bytes).unwrap_or_default();
            text.split_to(bytes.min(text.len()))
        });
        Ok(cut.collect())
    }

    async fn get(&self, object: &Path) -> Result<Bytes, LogError> {
        let got = self.store.get(object).await;
        let got = got.map_err(failed("read", object))?;
        got.bytes().await.map_err(failed("read", object))
    }

    /// What the store has of a log.
    async fn load(&self, path: &str) -> Result<Log, LogError> {
        let object = self.path(path, "log.index");
        let (mut index, version) = match self.store.get(&object).await {
            Ok(got) => {
                let version = UpdateVersion {
                    e_tag: got.meta.e_tag.clone(),
                    version: got.meta.version.clone(),
                };
                let text = got.bytes().await.map_err(failed("read", &object))?;
                (Index::read(path, &text)?, Some(version))
            }
            Err(object_store::Error::NotFound { .. }) => (Index::default(), None),
            Err(error) => return Err(failed("read", &object)(error)),
        };
        let folder = self.path(path, "parts");
        let objects: Vec<_> = self
            .store
            .list(Some(&folder))
            .try_collect()
            .await
            .map_err(failed("list", &folder))?;
        let mut loose: Vec<(u64, Part)> = objects
            .iter()
            .filter_map(|object| read_part_name(object.location.filename()?, object.size))
            .collect();
        // Two processes that kept at once may have given one number twice.
        loose.sort_by_key(|(order, part)| (*order, part.hand, part.opened, part.nth));
        let next = loose.last().map_or(0, |(order, _)| order + 1);
        for (_, part) in loose {
            if !index.has(&part) {
                index.push(part);
            }
        }
        Ok(Log {
            next: next.max(index.parts.len() as u64),
            index: Arc::new(index),
            version,
            touched: None,
        })
    }

    /// Puts all parts in one object, and says so in the index.
    async fn merge(&self, path: &str, log: &mut Log, finished: bool) -> Result<(), LogError> {
        for _ in 0..TRIES {
            let loose = log.index.parts.iter().any(|part| part.object.is_some());
            if !loose && (log.index.finished || !finished) {
                return Ok(());
            }
            let name = match self.put_lines(path, &log.index).await {
                // Somebody else has merged them.
                Err(error) if error.is_missing() => {
                    *log = self.load(path).await?;
                    continue;
                }
                name => name?,
            };
            let merged = log.index.merged(name.into(), finished);
            let object = self.path(path, "log.index");
            let mode = match log.version.take() {
                Some(version) => PutMode::Update(version),
                None => PutMode::Create,
            };
            let options = PutOptions::from(mode);
            let payload = PutPayload::from(merged.write());
            match self.store.put_opts(&object, payload, options).await {
                Ok(put) => {
                    let before = std::mem::replace(&mut log.index, Arc::new(merged));
                    log.version = Some(put.into());
                    self.delete_merged(path, &before, log.index.data.as_deref())
                        .await;
                    return Ok(());
                }
                Err(
                    object_store::Error::AlreadyExists { .. }
                    | object_store::Error::Precondition { .. },
                ) => *log = self.load(path).await?,
                Err(error) => return Err(failed("write", &object)(error)),
            }
        }
        Err(LogError::Moving {
            path: path.to_owned(),
        })
    }

    /// The object with all lines. A log of one chunk has it already.
    async fn put_lines(&self, path: &str, index: &Index) -> Result<String, LogError> {
        if let [only] = index.parts.as_slice()
            && let Some(name) = &only.object
        {
            return Ok(name.to_string());
        }
        let loose = index.parts.iter().any(|part| part.object.is_some());
        if let Some(data) = index.data.as_ref().filter(|_| !loose) {
            return Ok(data.to_string());
        }
        let bytes: u64 = index.parts.iter().map(|part| part.bytes).sum();
        // What is in it is in its name, so that no two different ones have the same.
        let name = format!("log-{}-{bytes}.jsonl", index.parts.len());
        let object = self.path(path, &name);
        let all: Vec<usize> = (0..index.parts.len()).collect();
        if bytes <= PUT_BYTES_MAX {
            let texts = self.texts(path, index, &all).await?;
            let payload: PutPayload = texts.into_iter().collect();
            let put = self.store.put(&object, payload).await;
            put.map_err(failed("write", &object))?;
            return Ok(name);
        }
        let upload = self.store.put_multipart(&object).await;
        let mut upload = WriteMultipart::new(upload.map_err(failed("write", &object))?);
        for some in all.chunks(READS) {
            for text in self.texts(path, index, some).await? {
                upload.put(text);
            }
            let room = upload.wait_for_capacity(4).await;
            room.map_err(failed("write", &object))?;
        }
        upload.finish().await.map_err(failed("write", &object))?;
        Ok(name)
    }

    /// Deletes what another object holds now. What cannot be deleted is ignored by readers, and goes with the run.
    async fn delete_merged(&self, path: &str, before: &Index, now: Option<&str>) {
        let objects = before.parts.iter().filter_map(|part| part.object.clone());
        let objects = objects.chain(before.data.clone());
        let objects: Vec<_> = objects
            .filter(|name| Some(&**name) != now)
            .map(|name| Ok(self.path(path, &name)))
            .collect();
        let deleted = self.store.delete_stream(stream::iter(objects).boxed());
        deleted.for_each(|_| std::future::ready(())).await;
    }

    fn path(&self, path: &str, name: &str) -> Path {
        let names = path.split('/').chain(name.split('/'));
        names
            .filter(|name| !name.is_empty())
            .fold(self.root.clone(), |path, name| path.join(name))
    }
}

/// Whether this build knows this kind of bucket.
fn has_feature(place: &str, scheme: &str) -> Result<(), LogError> {
    let feature = match scheme {
        "gs" if !cfg!(feature = "gcp") => "gcp",
        "s3" if !cfg!(feature = "aws") => "aws",
        _ => return Ok(()),
    };
    Err(LogError::Feature {
        place: place.to_owned(),
        feature,
    })
}

/// Whether so much lies about in single objects that a page of it takes long.
fn is_loose(index: &Index) -> bool {
    let loose = |part: &&Part| part.object.is_some();
    let objects = index.parts.iter().rev().take_while(loose).count();
    let bytes: u64 = index
        .parts
        .iter()
        .filter(loose)
        .map(|part| part.bytes)
        .sum();
    objects >= LOOSE_MAX || (objects >= LOOSE_MIN && bytes * 4 >= index.data_bytes)
}

/// How many parts stand beside each other in the object of all lines.
fn neighbours(parts: &[&Part]) -> usize {
    let beside = |pair: &&[&Part]| {
        let (one, two) = (pair[0], pair[1]);
        two.object.is_none() && one.at + one.bytes == two.at
    };
    parts.windows(2).take_while(beside).count() + 1
}

/// The name of a chunk's object, in the order in which they came.
fn part_name(order: u64, part: &Part) -> String {
    let [debug, info, warn, error] = part.counts;
    let first_error = part
        .first_error
        .map_or_else(|| "-".to_owned(), |at| at.to_string());
    format!(
        "parts/{order:08}.{}.{}.{}.{debug}-{info}-{warn}-{error}.{first_error}.jsonl",
        part.hand, part.opened, part.nth
    )
}

fn read_part_name(name: &str, bytes: u64) -> Option<(u64, Part)> {
    let fields: Vec<&str> = name.strip_suffix(".jsonl")?.split('.').collect();
    let &[order, hand, opened, nth, counts, first_error] = fields.as_slice() else {
        return None;
    };
    let counts: Option<Vec<u64>> = counts.split('-').map(|count| count.parse().ok()).collect();
    let part = Part {
        hand: hand.parse().ok()?,
        opened: opened.parse().ok()?,
        nth: nth.parse().ok()?,
        bytes,
        counts: counts?.try_into().ok()?,
        first_error: first_error.parse().ok(),
        at: 0,
        object: Some(format!("parts/{name}").into()),
    };
    Some((order.parse().ok()?, part))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(object_store::Error) -> LogError {
    let path = path.to_string();
    move |source| LogError::Store {
        doing,
        path,
        source,
    }
}
