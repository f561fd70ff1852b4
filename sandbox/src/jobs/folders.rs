//! Folders with programs: files beside the DAGs, looked for by their names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::program::ENDING;

/// How a file ends that says how messages are moved.
const STREAM: &str = ".sandbox.json";
/// Folders within each other; a deeper one is not looked into.
const DEPTH: usize = 12;

pub(super) fn is_sql(path: &Path) -> bool {
    path.to_string_lossy().ends_with(ENDING)
}

/// The program that a file is.
fn name(path: &Path) -> Option<&str> {
    let file = path.file_name()?.to_str()?;
    file.strip_suffix(ENDING)
        .or_else(|| file.strip_suffix(STREAM))
        .filter(|name| !name.is_empty())
}

/// The files that are the program `wanted`; more than one is a mistake.
pub(super) fn find(folder: &Path, wanted: &str) -> Vec<PathBuf> {
    let mut found = programs(folder);
    found.retain(|path| name(path) == Some(wanted));
    found
}

/// The names of all programs.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let found = programs(folder);
    found
        .iter()
        .filter_map(|path| name(path).map(str::to_owned))
        .collect()
}

/// All programs in the order of their paths. A folder that is not there has none; what a build or a tool left is not
/// looked into.
fn programs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                tracing::warn!("programs in {} cannot be found: {error}", folder.display());
                continue;
            }
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if !hidden && depth < DEPTH && entry.file_name() != "target" {
                    folders.push((path, depth + 1));
                }
            } else if name(&path).is_some() {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
