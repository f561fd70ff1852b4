//! The operators that move content between a worker's disk and Cloud Storage.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tidemill_core::operator::{Operator, OrFail as _, Outcome, TaskContext, TaskError, TaskResult};
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use super::list::parsed;
use super::object::GcsObject;
use super::store::Storage;
use super::upload::Put;
use super::uri::GcsUri;

/// A file on a worker and the object that has the same content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcsFile {
    /// The file, on the worker that did it.
    pub path: PathBuf,
    /// The object.
    pub object: GcsObject,
}

/// Shows how far it is, not more often than matters.
fn watch(ctx: &TaskContext, size: u64) -> impl FnMut(u64) + Send {
    let mut shown = 0;
    move |bytes| {
        let percent = (bytes * 100).checked_div(size).unwrap_or(100);
        if percent > shown {
            shown = percent;
            let (mib, of) = (bytes >> 20, size >> 20);
            let part = f64::from(u32::try_from(percent).unwrap_or(100)) / 100.0;
            ctx.progress(part, format!("{mib} of {of} MiB"));
        }
    }
}

/// Uploads a file of the worker, and returns the object. One that has this content already is left as it is.
///
/// The file is on the disk of the worker that runs the task: what wrote it has to have run on the same one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct GcsUpload {
    file: Text,
    to: Option<Text>,
    #[serde(default = "super::connection")]
    connection: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    only_if_absent: bool,
}

impl GcsUpload {
    /// Uploads this file: `GcsUpload::file("/data/{ds}.csv").to("gs://raw/sales/{ds}.csv")`.
    pub fn file(path: impl Into<Text>) -> Self {
        Self {
            file: path.into(),
            to: None,
            connection: super::connection(),
            content_type: None,
            only_if_absent: false,
        }
    }

    /// Where it goes: an object, or a folder with a slash at its end, in which it keeps its name.
    pub fn to(mut self, uri: impl Into<Text>) -> Self {
        self.to = Some(uri.into());
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

    /// An object that is there with other content is an error, instead of being replaced.
    pub const fn only_if_absent(mut self) -> Self {
        self.only_if_absent = true;
        self
    }
}

impl Operator for GcsUpload {
    const NAME: &'static str = "gcs_upload";
    type Output = GcsObject;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.connection)
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<GcsObject>> {
        let path = PathBuf::from(self.file.as_str());
        let to = self.to.as_ref().or_permanent("read where the file goes")?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let to: GcsUri = if to.as_str().ends_with('/') {
            parsed(&Text::new(format!("{to}{name}")))?
        } else {
            parsed(to)?
        };
        let storage = Storage::open(ctx, &self.connection).await?;
        let size = tokio::fs::metadata(&path)
            .await
            .map_or(0, |file| file.len());
        let put = Put {
            content_type: self.content_type.clone(),
            only_if_absent: self.only_if_absent,
        };
        let object = storage.upload(&path, &to, &put, watch(ctx, size)).await?;
        ctx.info(format!(
            "{to} has the content of {}: {} bytes, generation {}",
            path.display(),
            object.size,
            object.generation
        ));
        Ok(Outcome::Done(object))
    }
}

/// Downloads an object to a file of the worker. The file appears when it is complete; one that has this content already is left
/// as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct GcsDownload {
    object: Text,
    to: Option<Text>,
    #[serde(default = "super::connection")]
    connection: String,
}

impl GcsDownload {
    /// Downloads this object: `GcsDownload::object("gs://raw/{ds}.csv").to("/data/{ds}.csv")`.
    pub fn object(uri: impl Into<Text>) -> Self {
        Self {
            object: uri.into(),
            to: None,
            connection: super::connection(),
        }
    }

    /// Where it goes: a file, or a folder with a slash at its end, in which it keeps its name. Folders are made.
    pub fn to(mut self, path: impl Into<Text>) -> Self {
        self.to = Some(path.into());
        self
    }

    /// Through another connection than `google`.
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.connection = name.into();
        self
    }
}

impl Operator for GcsDownload {
    const NAME: &'static str = "gcs_download";
    type Output = GcsFile;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.connection)
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<GcsFile>> {
        let uri: GcsUri = parsed(&self.object)?;
        let to = self
            .to
            .as_ref()
            .or_permanent("read where the object goes")?;
        let mut path = PathBuf::from(to.as_str());
        if to.as_str().ends_with('/') {
            let name = uri.object().rsplit('/').next().unwrap_or_default();
            if matches!(name, "" | "." | "..") {
                return Err(
                    TaskError::permanent(format!("{uri} has no name for a file"))
                        .help("write the whole path of the file"),
                );
            }
            path.push(name);
        }
        let storage = Storage::open(ctx, &self.connection).await?;
        let object = storage.find(&uri).await?.ok_or_else(|| {
            TaskError::permanent(format!("there is no object {uri}"))
                .help("see whether whoever writes it did, or wait for it with `GcsObjectSensor`")
        })?;
        let watch = watch(ctx, object.size);
        storage.download(&object, &path, watch).await?;
        ctx.info(format!(
            "{} has the content of {uri} in generation {}: {} bytes",
            path.display(),
            object.generation,
            object.size
        ));
        Ok(Outcome::Done(GcsFile { path, object }))
    }
}
