//! What holds the workspace together, and what only a real process can show.

mod binary;
mod checklist;
mod deploy;
mod profiles;
mod structure;

use std::path::{Path, PathBuf};

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the workspace is there")
}
