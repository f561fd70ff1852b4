//! What people want to know about a DAG: whose it is, when it runs next, what holds it, what it touches, what its author wrote.

use std::collections::BTreeSet;

use askama::Template;
use tidemill_core::timetable::Due;

use super::super::page;
use super::super::rows::Known;
use super::head::{Head, View};
use super::{planned, words};
use crate::frame::Frame;
use crate::html::{Html, When, markdown};
use crate::oops::Oops;
use crate::paths;
use crate::routes::ThisDag;

const NEXT_RUNS: usize = 5;
/// Tables and assets in a list.
const THINGS_MAX: usize = 200;

/// A run to come.
struct NextRun {
    at: When,
    /// By the clocks of the schedule's zone, where it is not UTC.
    local: Option<String>,
    from: When,
    to: When,
}

/// A table or an asset, and the tasks that touch it.
struct Thing {
    name: String,
    how: String,
    task: String,
}

#[derive(Template)]
#[template(path = "dag_details.html")]
pub(crate) struct DetailsPage {
    frame: Frame,
    head: Head,
    owner: String,
    tags: Vec<(String, String)>,
    /// Where in the author's code it is.
    source: Option<String>,
    /// Who changed it last.
    touched: Option<String>,
    stands: Vec<(&'static str, String)>,
    timetable: Vec<(&'static str, String)>,
    limits: Vec<(&'static str, String)>,
    zone: String,
    next: Vec<NextRun>,
    /// Why no next runs are listed, or what is to be known of them.
    next_says: &'static str,
    tables: Vec<Thing>,
    assets: Vec<Thing>,
    things_more: usize,
    doc: Option<Html>,
}

page!(DetailsPage);

pub(crate) async fn show(frame: Frame, ThisDag(dag): ThisDag) -> Result<DetailsPage, Oops> {
    let (head, known) = Head::read(&frame, &dag, View::Details).await?;
    let (definition, notes) = (&known.spec.definition, &known.spec.notes);
    let zone = definition.zone();
    let zone_name = zone.to_string();
    let next_run = |due: Due| {
        let local = due.run_after.with_timezone(&zone);
        NextRun {
            at: When(due.run_after.into()),
            local: (zone_name != "UTC").then(|| local.format("%a %-d %b %H:%M %Z").to_string()),
            from: When(due.start.into()),
            to: When(due.end.into()),
        }
    };
    let next = planned::next(&known, frame.now).take(NEXT_RUNS);
    let next: Vec<NextRun> = next.map(next_run).collect();
    let (mut tables, mut assets) = (tables(&known), assets(&known));
    let more = |things: &Vec<Thing>| things.len().saturating_sub(THINGS_MAX);
    let things_more = more(&tables) + more(&assets);
    tables.truncate(THINGS_MAX);
    assets.truncate(THINGS_MAX);
    let tags = notes.tags.iter();
    Ok(DetailsPage {
        owner: notes.owner.clone(),
        tags: tags.map(|tag| (tag.clone(), paths::part(tag))).collect(),
        source: notes.source.as_ref().map(ToString::to_string),
        touched: known.row.touched.as_ref().map(|touch| {
            let at = touch.at.date().format("%-d %b %Y %H:%M UTC");
            format!("{} {} it, {at}", touch.by, touch.how)
        }),
        stands: stands(&known),
        timetable: words::timetable(definition),
        limits: words::limits(definition),
        zone: zone_name,
        next_says: next_says(&known, next.is_empty()),
        next,
        tables,
        assets,
        things_more,
        doc: (!notes.doc.trim().is_empty()).then(|| markdown(&notes.doc)),
        head,
        frame,
    })
}

fn next_says(known: &Known, none: bool) -> &'static str {
    let schedule = &known.spec.definition.schedule;
    match (&known.row.version, known.row.paused, none) {
        (None, ..) => "The DAG was removed: it makes no new runs.",
        (_, true, false) => "The DAG is paused: these begin only when it goes on.",
        (.., false) => "",
        _ if schedule.assets().is_some() => "It runs when its assets change.",
        _ if schedule.timing().is_some() => "Its timetable has come to its end.",
        _ => "It has no timetable: nothing is planned.",
    }
}

/// How it stands with being paused.
fn stands(known: &Known) -> Vec<(&'static str, String)> {
    let row = &known.row;
    let paused = match (row.paused, &row.touched) {
        (false, _) => "no".to_owned(),
        (true, Some(touch)) if &*touch.how == "paused" => {
            let at = touch.at.date().format("%-d %b %Y %H:%M UTC");
            format!("by {}, {at}", touch.by)
        }
        (true, _) => "yes".to_owned(),
    };
    let failures = match known.spec.definition.pause_after_failures {
        Some(most) => format!("{}; it is paused at {most}", row.failures_in_row),
        None => row.failures_in_row.to_string(),
    };
    vec![("Paused", paused), ("Failed runs in a row", failures)]
}

fn tables(known: &Known) -> Vec<Thing> {
    let tasks = known.spec.definition.tasks.iter();
    let writes = tasks.flat_map(|task| {
        task.touches.writes.iter().map(|to| Thing {
            name: to.table.to_string(),
            how: to.mode.to_string(),
            task: task.id.to_string(),
        })
    });
    let mut tables: Vec<Thing> = writes.collect();
    tables.sort_by(|a, b| (&a.name, &a.task).cmp(&(&b.name, &b.task)));
    tables
}

fn assets(known: &Known) -> Vec<Thing> {
    let definition = &known.spec.definition;
    let mut all: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    for task in &definition.tasks {
        let id = task.id.as_str();
        all.extend(
            task.touches
                .inlets
                .iter()
                .map(|asset| (asset.uri(), "read by", id)),
        );
        all.extend(
            task.touches
                .outlets
                .iter()
                .map(|asset| (asset.uri(), "changed by", id)),
        );
    }
    if let Some(waits) = definition.schedule.assets() {
        all.extend(
            waits
                .assets()
                .into_iter()
                .map(|asset| (asset.uri(), "starts the DAG", "")),
        );
    }
    let thing = |(name, how, task): (&str, &str, &str)| Thing {
        name: name.to_owned(),
        how: how.to_owned(),
        task: task.to_owned(),
    };
    all.into_iter().map(thing).collect()
}
