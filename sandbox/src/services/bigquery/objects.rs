//! Cloud Storage as the warehouse sees it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidemill_warehouse::tables::{FoundObject, HeldObject, ObjectError, Objects};

use crate::call::Refusal;
use crate::services::storage::{Held, Storage};
use crate::state::Clock;

/// The objects of the sandbox.
pub(super) struct Stored {
    pub(super) storage: Arc<Storage>,
    pub(super) clock: Clock,
}

struct Content(Held);

impl HeldObject for Content {
    fn path(&self) -> &Path {
        &self.0.path
    }

    fn size(&self) -> u64 {
        self.0.object.size
    }
}

fn failed(refusal: Refusal) -> ObjectError {
    let reason = match refusal.status.as_u16() {
        404 => "notFound",
        500.. => "backendError",
        _ => "invalid",
    };
    ObjectError {
        reason,
        message: refusal.message,
    }
}

impl Objects for Stored {
    fn matching(&self, uri: &str) -> Result<Vec<FoundObject>, ObjectError> {
        let found = self.storage.matching(uri).map_err(failed)?;
        Ok(found
            .into_iter()
            .map(|one| FoundObject {
                uri: one.place.uri(),
                size: one.size,
            })
            .collect())
    }

    fn hold(&self, uri: &str) -> Result<Box<dyn HeldObject>, ObjectError> {
        let place = Storage::place(uri).map_err(failed)?;
        let held = self.storage.hold(&place).map_err(failed)?;
        Ok(Box::new(Content(held)))
    }

    fn scratch(&self) -> PathBuf {
        // There is no file yet that the guard could remove.
        self.storage.scratch().0.clone()
    }

    fn adopt(&self, uri: &str, file: &Path, content_type: &str) -> Result<(), ObjectError> {
        let place = Storage::place(uri).map_err(failed)?;
        let now = (self.clock)();
        self.storage
            .adopt(&place, file, content_type, now)
            .map(drop)
            .map_err(failed)
    }
}
