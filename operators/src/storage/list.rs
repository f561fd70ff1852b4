//! The operator that says which objects there are.

use serde::{Deserialize, Serialize};
use tidemill_core::operator::{Operator, Outcome, TaskContext, TaskError, TaskResult};
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use super::object::{GcsManifest, GcsObject};
use super::store::Storage;
use super::upload::Put;
use super::uri::{GcsPattern, GcsUri, UriError};

/// A task returns at most a mebibyte; this is what of it a list may take.
const INLINE_BYTES_MAX: usize = 900 << 10;
/// Nobody's bucket is to fill a worker's memory.
const OBJECTS_MAX: usize = 1_000_000;

/// Lists objects, with generations, sizes and sums: a [`GcsManifest`], in the order of names. Later tasks that are given it read
/// exactly these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct GcsList {
    pattern: Text,
    #[serde(default = "super::connection")]
    connection: String,
    at_least: usize,
    skip_if_none: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<Text>,
}

impl GcsList {
    /// Those that fit a pattern.
    pub fn of(pattern: impl Into<Text>) -> Self {
        Self {
            pattern: pattern.into(),
            connection: super::connection(),
            at_least: 0,
            skip_if_none: false,
            file: None,
        }
    }

    /// Through another connection than `google`.
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.connection = name.into();
        self
    }

    /// Fewer are an error of the data, which is not tried again.
    pub const fn at_least(mut self, count: usize) -> Self {
        self.at_least = count;
        self
    }

    /// If there are none, there is nothing to do: this task and those after it are skipped.
    pub const fn skip_if_none(mut self) -> Self {
        self.skip_if_none = true;
        self
    }

    /// Writes the objects as lines of JSON to this object, and returns its address instead of them. Needed beyond some thousand
    /// objects: what a task returns has at most a mebibyte.
    pub fn into_file(mut self, uri: impl Into<Text>) -> Self {
        self.file = Some(uri.into());
        self
    }
}

impl Operator for GcsList {
    const NAME: &'static str = "gcs_list";
    type Output = GcsManifest;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.connection)
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<GcsManifest>> {
        let pattern: GcsPattern = parsed(&self.pattern)?;
        let file: Option<GcsUri> = self.file.as_ref().map(parsed).transpose()?;
        let storage = Storage::open(ctx, &self.connection).await?;
        let objects = storage.list(&pattern, OBJECTS_MAX).await?;
        ctx.info(format!("{pattern}: {} objects", objects.len()));
        if objects.is_empty() && self.skip_if_none {
            return Ok(Outcome::Skipped {
                why: format!("{pattern}: there are no objects"),
            });
        }
        enough(&pattern, objects.len(), self.at_least)?;
        let Some(file) = file else {
            return fitting(GcsManifest::of(&pattern, objects)).map(Outcome::Done);
        };
        let lines = lines(&objects)?;
        let put = Put {
            content_type: Some("application/x-ndjson".to_owned()),
            ..Put::default()
        };
        storage.upload_bytes(lines, &file, &put).await?;
        let mut manifest = GcsManifest::of(&pattern, objects);
        manifest.objects.clear();
        manifest.file = Some(file);
        Ok(Outcome::Done(manifest))
    }
}

/// An address or a pattern of one, its placeholders filled in.
pub(super) fn parsed<T: std::str::FromStr<Err = UriError>>(text: &Text) -> TaskResult<T> {
    text.as_str().parse().map_err(UriError::into_task_error)
}

/// Too few objects are an error of the data.
pub(super) fn enough(pattern: &GcsPattern, found: usize, wanted: usize) -> TaskResult<()> {
    if found >= wanted {
        return Ok(());
    }
    Err(TaskError::data(format!(
        "{pattern}: there are {found} objects, and at least {wanted} are wanted"
    ))
    .help("see whether whoever writes them did, or wait for them with a sensor"))
}

/// A manifest that a task can return.
pub(super) fn fitting(manifest: GcsManifest) -> TaskResult<GcsManifest> {
    // What an object takes beside its address: numbers, the sum, the time, the names of fields.
    let bytes: usize = manifest
        .objects
        .iter()
        .map(|object| object.uri.to_string().len() + 140)
        .sum();
    if bytes <= INLINE_BYTES_MAX {
        return Ok(manifest);
    }
    Err(TaskError::permanent(format!(
        "{}: the list of {} objects is too long for what a task may return",
        manifest.pattern, manifest.count
    ))
    .help("let `GcsList` write it to an object: `.into_file(\"gs://bucket/{run_id}.jsonl\")`"))
}

fn lines(objects: &[GcsObject]) -> TaskResult<Vec<u8>> {
    let mut lines = Vec::new();
    for object in objects {
        serde_json::to_writer(&mut lines, object)?;
        lines.push(b'\n');
    }
    Ok(lines)
}
