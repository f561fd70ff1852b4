//! One load: its numbers, where the data came from, the job that did it.

use askama::Template;
use tidemill_core::protocol::Load;

use super::lines::{CheckLine, Link, LoadLine, address, number};
use super::page;
use crate::api::monitor::place_of;
use crate::frame::Frame;
use crate::html::{When, bytes, grouped, took};
use crate::input::At;
use crate::oops::Oops;
use crate::paths;
use crate::routes::ThisDag;

/// More files are counted, not listed.
const SOURCES_MAX: usize = 200;
const CHECKS_MAX: u32 = 100;

#[derive(Template)]
#[template(path = "load.html")]
pub(crate) struct LoadPage {
    frame: Frame,
    line: LoadLine,
    /// Where all loads into the table are.
    alike: String,
    started: When,
    facts: Vec<(&'static str, String)>,
    error: Option<String>,
    job_id: Option<String>,
    /// Each with where it can be looked at.
    sources: Vec<(String, Option<String>)>,
    more_sources: usize,
    checks: Vec<CheckLine>,
}

page!(LoadPage);

pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, load)): At<(String, String)>,
) -> Result<LoadPage, Oops> {
    let gone = || Oops::not_found("there is no such load; it may have been cleaned away");
    let (attempt, nth) = place_of(&load).ok_or_else(gone)?;
    let store = frame.web.store();
    let found = store.load_of(attempt, nth).await?;
    let found = found.filter(|load| load.row.dag == dag).ok_or_else(gone)?;
    let checks = store.checks_of_attempt(attempt, CHECKS_MAX).await?;
    let load = &found.row.load;
    let sources = load.sources.iter().take(SOURCES_MAX);
    Ok(LoadPage {
        line: LoadLine::new(&found),
        alike: address("/loads", &[("table", &load.destination)]),
        started: When(load.started_at),
        facts: facts(load),
        error: load.error.clone().filter(|error| !error.is_empty()),
        job_id: load.job_id.clone(),
        sources: sources
            .map(|source| (source.clone(), place_of_file(source)))
            .collect(),
        more_sources: load.sources.len().saturating_sub(SOURCES_MAX),
        checks: checks
            .iter()
            .map(|check| CheckLine::new(&check.row))
            .collect(),
        frame,
    })
}

fn facts(load: &Load) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Rows before", number(load.rows_before)),
        ("Rows loaded", grouped(load.rows_loaded)),
        ("Rows after", number(load.rows_after)),
        ("Rows left out", grouped(load.rows_rejected)),
        ("Rows read", grouped(load.rows_read)),
        ("Files", grouped(load.files)),
        ("Bytes read", bytes(load.bytes_read)),
        ("Took", took(load.ended_at.since(load.started_at))),
    ];
    if let Some(slots) = load.slot_ms {
        facts.push(("Slot time", format!("{} ms", grouped(slots))));
    }
    if let Some(billed) = load.bytes_billed {
        facts.push(("Billed", bytes(billed)));
    }
    facts
}

/// Where a person can look at a file: an object of Cloud Storage, or what is a web page already. Of a pattern nobody knows
/// which files it was.
fn place_of_file(source: &str) -> Option<String> {
    if source.starts_with("https://") {
        return Some(source.to_owned());
    }
    let (bucket, object) = source.strip_prefix("gs://")?.split_once('/')?;
    if object.is_empty() || object.contains(['*', '?', '[', '{']) {
        return None;
    }
    let object: Vec<String> = object.split('/').map(paths::part).collect();
    Some(format!(
        "https://console.cloud.google.com/storage/browser/_details/{}/{}",
        paths::part(bucket),
        object.join("/")
    ))
}

/// A link that leads away, in the words of the template.
impl LoadPage {
    fn job(&self) -> Option<&Link> {
        self.line.job.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::place_of_file;

    #[test]
    fn only_what_is_one_file_is_a_link() {
        let of = |source: &str| place_of_file(source);
        assert_eq!(
            of("gs://crm/a b/1.parquet").as_deref(),
            Some("https://console.cloud.google.com/storage/browser/_details/crm/a%20b/1.parquet")
        );
        for none in [
            "gs://crm/*.parquet",
            "gs://crm",
            "gs://crm/",
            "javascript:alert(1)",
            "/x",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
        assert!(of("https://crm.example/1").is_some());
    }
}
