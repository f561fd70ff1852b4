//! The addresses of pages. What is of a DAG lies under `/dags/{dag}`, so that its policy is decided before anything is read.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tidemill_core::id::DagId;
use tidemill_core::protocol::{MapIndex, NOT_MAPPED};
use tidemill_core::version::Version;

/// Names of runs have colons and dashes, which need no escape in a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b':');

/// Text within a path or a query.
pub(crate) fn part(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A DAG.
pub(crate) fn dag(dag: &DagId) -> String {
    format!("/dags/{dag}")
}

/// What changed between two versions of a DAG.
pub(crate) fn diff(dag: &DagId, (from, to): (&Version, &Version)) -> String {
    let (from, to) = (part(from.as_str()), part(to.as_str()));
    format!("/dags/{dag}/diff?from={from}&to={to}")
}

/// A version of a DAG.
pub(crate) fn version(dag: &DagId, version: &Version) -> String {
    format!("/dags/{dag}/definition?version={}", part(version.as_str()))
}

/// A run.
pub(crate) fn run(dag: &DagId, name: &str) -> String {
    format!("/dags/{dag}/runs/{}", part(name))
}

/// A task in a run; of a mapped one an instance, or all of it.
pub(crate) fn task(dag: &DagId, run_name: &str, task: &str, index: MapIndex) -> String {
    let task = format!("/dags/{dag}/runs/{}/tasks/{}", part(run_name), part(task));
    if index == NOT_MAPPED {
        task
    } else {
        format!("{task}?index={index}")
    }
}
