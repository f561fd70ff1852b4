//! The operators that copy, compose and delete objects, all of it on the service's side.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tidemill_core::operator::{Operator, OrFail as _, Outcome, TaskContext, TaskError, TaskResult};
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use super::list::{enough, fitting, parsed};
use super::object::{GcsManifest, GcsObject};
use super::store::Storage;
use super::uri::{GcsPattern, GcsUri};

/// More objects are not copied or deleted by one task.
const OBJECTS_MAX: usize = 100_000;

fn share(done: usize, of: usize) -> f64 {
    let number = |count| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    number(done) / number(of.max(1))
}

/// Copies objects, and returns what is there then. Content that is there already is not copied again; other content is
/// replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct GcsCopy {
    pattern: Text,
    to: Option<Text>,
    #[serde(default = "super::connection")]
    connection: String,
    moving: bool,
    at_least: usize,
}

impl GcsCopy {
    /// Copies what fits a pattern: `GcsCopy::of("gs://landing/{ds}/*.csv").to("gs://raw/sales/{ds}/")`.
    pub fn of(pattern: impl Into<Text>) -> Self {
        Self {
            pattern: pattern.into(),
            to: None,
            connection: super::connection(),
            moving: false,
            at_least: 0,
        }
    }

    /// Where they go. With a slash at the end it is a folder, in which they keep their names from the first folder on that
    /// the pattern leaves open; without, the one object that is copied gets this name.
    pub fn to(mut self, uri: impl Into<Text>) -> Self {
        self.to = Some(uri.into());
        self
    }

    /// Through another connection than `google`.
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.connection = name.into();
        self
    }

    /// Deletes what was copied, once all of it was: not before, so a failure in between loses nothing.
    pub const fn moving(mut self) -> Self {
        self.moving = true;
        self
    }

    /// Fewer are an error of the data, which is not tried again.
    pub const fn at_least(mut self, count: usize) -> Self {
        self.at_least = count;
        self
    }

    /// Which object becomes which.
    fn pairs(
        &self,
        pattern: &GcsPattern,
        objects: Vec<GcsObject>,
    ) -> TaskResult<Vec<(GcsObject, GcsUri)>> {
        let to = self.to.as_ref().or_permanent("read where the objects go")?;
        if !to.as_str().ends_with('/') {
            if pattern.one().is_none() {
                return Err(TaskError::permanent(format!(
                    "{pattern} may be many objects, and `{to}` is the name of one"
                ))
                .help("write a slash at its end: then it is a folder"));
            }
            let to: GcsUri = parsed(to)?;
            return Ok(objects.into_iter().map(|from| (from, to.clone())).collect());
        }
        let folder = pattern.folder().len();
        let pair = |from: GcsObject| {
            let name = from.uri.object().get(folder..).unwrap_or_default();
            let to = parsed(&Text::new(format!("{to}{name}")))?;
            Ok((from, to))
        };
        objects.into_iter().map(pair).collect()
    }
}

impl Operator for GcsCopy {
    const NAME: &'static str = "gcs_copy";
    type Output = GcsManifest;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.connection)
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<GcsManifest>> {
        let pattern: GcsPattern = parsed(&self.pattern)?;
        let storage = Storage::open(ctx, &self.connection).await?;
        let objects = storage.list(&pattern, OBJECTS_MAX).await?;
        let pairs = self.pairs(&pattern, objects)?;
        if !self.moving || !pairs.is_empty() {
            enough(&pattern, pairs.len(), self.at_least)?;
        }
        let there = there(&storage, &pairs).await?;
        let mut copied = Vec::with_capacity(pairs.len());
        let mut written = 0;
        let (storage, there, of) = (&storage, &there, pairs.len());
        let copy = |(from, to): &'_ (GcsObject, GcsUri)| {
            let (from, to) = (from.clone(), to.clone());
            let found = there.get(&to);
            let copy: tidemill_core::operator::BoxFuture<'_, _> =
                Box::pin(async move { storage.copy(&from, &to, found).await });
            copy
        };
        let done = |count, (object, is_new): (GcsObject, bool)| {
            copied.push(object);
            written += usize::from(is_new);
            ctx.progress(share(count, of), format!("{count} of {of} objects"));
        };
        storage.with_each(&pairs, copy, done).await?;
        let kept = of - written;
        ctx.info(format!(
            "{pattern}: copied {written} objects, {kept} were there already"
        ));
        if self.moving {
            let gone = delete_all(ctx, storage, pairs.into_iter().map(|(from, _)| from)).await?;
            ctx.info(format!(
                "{pattern}: deleted {gone} objects that were copied"
            ));
        }
        copied.sort_by(|a, b| a.uri.cmp(&b.uri));
        fitting(GcsManifest::of(&pattern, copied)).map(Outcome::Done)
    }
}

/// What is at the places that are copied to.
async fn there(
    storage: &Storage,
    pairs: &[(GcsObject, GcsUri)],
) -> TaskResult<HashMap<GcsUri, GcsObject>> {
    let mut there = HashMap::new();
    let [(_, first), .., (_, last)] = pairs else {
        for (_, to) in pairs {
            there.extend(storage.find(to).await?.map(|found| (to.clone(), found)));
        }
        return Ok(there);
    };
    // One list instead of a request each: what all of them begin with is a folder.
    let both = first.object().chars().zip(last.object().chars());
    let common: String = both.take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    let folder = common.rfind('/').map_or("", |end| &common[..=end]);
    let pattern = format!("gs://{}/{folder}", first.bucket());
    let pattern: GcsPattern = parsed(&Text::new(pattern))?;
    let wanted: std::collections::HashSet<&GcsUri> = pairs.iter().map(|(_, to)| to).collect();
    let see = |object: GcsObject| {
        if wanted.contains(&object.uri) {
            there.insert(object.uri.clone(), object);
        }
        std::ops::ControlFlow::Continue(())
    };
    storage.each(&pattern, see).await?;
    Ok(there)
}

/// Deletes objects in their generations, and says how many were there.
async fn delete_all(
    ctx: &TaskContext,
    storage: &Storage,
    objects: impl IntoIterator<Item = GcsObject>,
) -> TaskResult<usize> {
    let objects: Vec<GcsObject> = objects.into_iter().collect();
    let of = objects.len();
    let mut gone = 0;
    let delete = |object: GcsObject| {
        let delete: tidemill_core::operator::BoxFuture<'_, _> =
            Box::pin(async move { storage.delete(&object).await });
        delete
    };
    let done = |count, was_there| {
        gone += usize::from(was_there);
        ctx.progress(share(count, of), format!("{count} of {of} objects"));
    };
    storage.with_each(objects, delete, done).await?;
    Ok(gone)
}

/// Composes objects into one, in the order in which they are given or, of a pattern, of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct GcsCompose {
    sources: Vec<Text>,
    into: Option<Text>,
    #[serde(default = "super::connection")]
    connection: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    deleting_sources: bool,
}

impl GcsCompose {
    /// Composes what fits a pattern: `GcsCompose::of("gs://raw/{ds}/part-*.csv").into("gs://raw/{ds}.csv")`.
    pub fn of(pattern: impl Into<Text>) -> Self {
        Self::of_all([pattern])
    }

    /// Composes what fits several patterns, in their order.
    pub fn of_all<T: Into<Text>>(patterns: impl IntoIterator<Item = T>) -> Self {
        Self {
            sources: patterns.into_iter().map(Into::into).collect(),
            into: None,
            connection: super::connection(),
            content_type: None,
            deleting_sources: false,
        }
    }

    /// The object that comes of it, in the same bucket.
    pub fn into(mut self, uri: impl Into<Text>) -> Self {
        self.into = Some(uri.into());
        self
    }

    /// Through another connection than `google`.
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.connection = name.into();
        self
    }

    /// What its content is, such as `text/csv`.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Deletes what was composed, afterwards. Another attempt then finds the new object and nothing to compose it of, and leaves
    /// it as it is.
    pub const fn deleting_sources(mut self) -> Self {
        self.deleting_sources = true;
        self
    }
}

impl Operator for GcsCompose {
    const NAME: &'static str = "gcs_compose";
    type Output = GcsObject;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.connection)
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<GcsObject>> {
        let into = self.into.as_ref().or_permanent("read what is composed")?;
        let into: GcsUri = parsed(into)?;
        let storage = Storage::open(ctx, &self.connection).await?;
        let mut sources = Vec::new();
        for source in &self.sources {
            let pattern: GcsPattern = parsed(source)?;
            if pattern.bucket() != into.bucket() {
                return Err(TaskError::permanent(format!(
                    "{pattern} and {into} are not in one bucket"
                ))
                .help("copy the objects into the bucket first, with `GcsCopy`"));
            }
            let found = storage.list(&pattern, OBJECTS_MAX).await?;
            // The object that comes of it may fit the pattern.
            sources.extend(found.into_iter().filter(|object| object.uri != into));
        }
        if sources.is_empty() {
            let there = storage.find(&into).await?;
            return match there.filter(|_| self.deleting_sources) {
                Some(there) => Ok(Outcome::Done(there)),
                None => Err(
                    TaskError::data(format!("there is nothing to compose {into} of"))
                        .help("see whether whoever writes the objects did"),
                ),
            };
        }
        let content_type = self.content_type.as_deref();
        let (object, is_new) = storage.compose(&sources, &into, content_type).await?;
        let how = if is_new { "composed" } else { "it was there" };
        ctx.info(format!("{into}: {how}, of {} objects", sources.len()));
        if self.deleting_sources {
            delete_all(ctx, &storage, sources).await?;
        }
        Ok(Outcome::Done(object))
    }
}

/// What was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcsRemoved {
    /// How many objects.
    pub count: usize,
    /// How many bytes they had.
    pub bytes: u64,
}

/// Deletes objects in the generation that it found: what is written meanwhile stays, and is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct GcsDelete {
    pattern: Text,
    #[serde(default = "super::connection")]
    connection: String,
    even_all: bool,
}

impl GcsDelete {
    /// Deletes what fits a pattern: `GcsDelete::of("gs://raw/staging/{run_id}/")`.
    pub fn of(pattern: impl Into<Text>) -> Self {
        Self {
            pattern: pattern.into(),
            connection: super::connection(),
            even_all: false,
        }
    }

    /// Through another connection than `google`.
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.connection = name.into();
        self
    }

    /// The pattern may name no folder, which is everything in the bucket.
    pub const fn even_all(mut self) -> Self {
        self.even_all = true;
        self
    }
}

impl Operator for GcsDelete {
    const NAME: &'static str = "gcs_delete";
    type Output = GcsRemoved;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.connection)
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<GcsRemoved>> {
        let pattern: GcsPattern = parsed(&self.pattern)?;
        if pattern.prefix().is_empty() && !self.even_all {
            return Err(TaskError::permanent(format!(
                "{pattern} names no folder: everything in the bucket could go"
            ))
            .help("narrow the pattern; if it is meant, say `.even_all()`"));
        }
        let storage = Storage::open(ctx, &self.connection).await?;
        let objects = storage.list(&pattern, OBJECTS_MAX).await?;
        let bytes = objects.iter().map(|object| object.size).sum();
        let count = delete_all(ctx, &storage, objects).await?;
        ctx.info(format!("{pattern}: deleted {count} objects, {bytes} bytes"));
        Ok(Outcome::Done(GcsRemoved { count, bytes }))
    }
}
