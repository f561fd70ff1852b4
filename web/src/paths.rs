//! The addresses of pages. What is of a DAG lies under `/dags/{dag}`, so that its policy is decided before anything is read.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
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

/// What of a DAG is open at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) dag: DagId,
    pub(crate) run: Option<String>,
    pub(crate) task: Option<String>,
}

impl Open {
    /// Reads a path of ours; none if it is of no DAG.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix("/dags/")?.split('/');
        let mut next = || {
            let part = parts.next().filter(|part| !part.is_empty())?;
            Some(percent_decode_str(part).decode_utf8().ok()?.into_owned())
        };
        let dag = DagId::parse(&next()?).ok()?;
        let run = next().filter(|word| word == "runs").and_then(|_| next());
        let task = run.as_ref().and_then(|_| next());
        let task = task.filter(|word| word == "tasks").and_then(|_| next());
        Some(Self { dag, run, task })
    }

    /// Where a page listens for changes.
    pub(crate) fn live(path: &str) -> String {
        match Self::of(path) {
            None => "/live".to_owned(),
            Some(Self { dag, run: None, .. }) => format!("/live?dag={dag}"),
            Some(Self {
                dag,
                run: Some(run),
                ..
            }) => format!("/live?dag={dag}&run={}", part(&run)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_back_to_what_they_are_of() {
        let id = DagId::parse("sales").unwrap();
        let of = |path: &str| Open::of(path).map(|open| (open.run, open.task));
        let name = "manual__2026 +/é&?";
        let run_path = run(&id, name);
        assert_eq!(of("/dags"), None);
        assert_eq!(of("/runs"), None);
        assert_eq!(of(&dag(&id)), Some((None, None)));
        assert_eq!(of("/dags/sales/graph"), Some((None, None)));
        assert_eq!(of(&run_path), Some((Some(name.to_owned()), None)));
        let task_path = task(&id, name, "load.stock", NOT_MAPPED);
        let found = Some((Some(name.to_owned()), Some("load.stock".to_owned())));
        assert_eq!(of(&task_path), found);
        assert_eq!(of(&format!("{run_path}/do/retry")).unwrap().1, None);
    }

    #[test]
    fn a_page_listens_for_what_it_is_about() {
        assert_eq!(Open::live("/"), "/live");
        assert_eq!(Open::live("/dags/sales/graph"), "/live?dag=sales");
        let run = "/dags/sales/runs/a%20b+c/tasks/x";
        assert_eq!(Open::live(run), "/live?dag=sales&run=a%20b%2Bc");
    }
}
