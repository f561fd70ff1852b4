//! The files of a load.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::error::LoadError;
use crate::tables::{HeldObject, Objects};

/// What is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Objects, each with at most one `*`.
    Uris(Vec<String>),
    /// A file that was uploaded with the job.
    Upload(PathBuf),
}

/// A file that is read.
pub(super) struct Input {
    /// As messages name it.
    pub(super) uri: String,
    pub(super) size: u64,
    held: Held,
}

enum Held {
    Object(Box<dyn HeldObject>),
    Path(PathBuf),
}

impl Input {
    pub(super) fn path(&self) -> &Path {
        match &self.held {
            Held::Object(object) => object.path(),
            Held::Path(path) => path,
        }
    }

    pub(super) fn open(&self) -> Result<File, LoadError> {
        File::open(self.path()).map_err(|error| LoadError::reading(&self.uri, error))
    }

    /// The text of the file, unpacked if it is packed.
    pub(super) fn lines(&self) -> Result<Box<dyn BufRead>, LoadError> {
        let failed = |error| LoadError::reading(&self.uri, error);
        let mut file = BufReader::with_capacity(1 << 20, self.open()?);
        let packed = file.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]);
        let mut text: Box<dyn BufRead> = if packed {
            Box::new(BufReader::with_capacity(1 << 20, MultiGzDecoder::new(file)))
        } else {
            Box::new(file)
        };
        let mark = b"\xef\xbb\xbf";
        if text.fill_buf().map_err(failed)?.starts_with(mark) {
            text.read_exact(&mut [0; 3]).map_err(failed)?;
        }
        Ok(text)
    }
}

/// The file of an upload.
pub(super) fn inputs_of(source: &Source) -> Result<Vec<Input>, LoadError> {
    let Source::Upload(path) = source else {
        return Ok(Vec::new());
    };
    let size = path
        .metadata()
        .map_err(|error| LoadError::reading("the upload", error))?
        .len();
    Ok(vec![Input {
        uri: "the upload".to_owned(),
        size,
        held: Held::Path(path.clone()),
    }])
}

/// The files that a load names, in the order of their names; each stays as it is while it is held.
pub(super) fn inputs(source: &Source, objects: &dyn Objects) -> Result<Vec<Input>, LoadError> {
    let uris = match source {
        Source::Upload(_) => return inputs_of(source),
        Source::Uris(uris) => uris,
    };
    if uris.is_empty() {
        return Err(LoadError::invalid(
            "Required parameter is missing: sourceUris",
        ));
    }
    let mut found = Vec::new();
    for uri in uris {
        if uri.matches('*').count() > 1 {
            return Err(LoadError::invalid(format!(
                "Invalid source URI: {uri}: at most one wildcard is allowed"
            )));
        }
        let missing = || LoadError {
            reason: "notFound",
            message: if uri.contains('*') {
                format!("Not found: Uris {uri}")
            } else {
                format!("Not found: URI {uri}")
            },
            location: None,
            rows: Vec::new(),
        };
        let matching = match objects.matching(uri) {
            Err(error) if error.reason == "notFound" => return Err(missing()),
            other => other?,
        };
        if matching.is_empty() {
            return Err(missing());
        }
        for object in matching {
            // What a listing shows as a folder is an empty object.
            if object.size == 0 && object.uri.ends_with('/') {
                continue;
            }
            let held = match objects.hold(&object.uri) {
                // Deleted since it was listed.
                Err(error) if error.reason == "notFound" && uri.contains('*') => continue,
                other => other?,
            };
            found.push(Input {
                uri: object.uri,
                size: held.size(),
                held: Held::Object(held),
            });
        }
    }
    found.sort_by(|a, b| a.uri.cmp(&b.uri));
    found.dedup_by(|a, b| a.uri == b.uri);
    Ok(found)
}
