//! What the palette offers: DAGs, runs, tasks of the DAG that somebody looks at, pages, and what can be done here. It only leads
//! somewhere: what changes something is a page with a preview, or a button of the page that is open.

use axum::Json;
use serde::{Deserialize, Serialize};
use tidemill_core::id::DagId;
use tidemill_store::history::{Cursor, RunFilter};

use super::rows::{Known, known};
use crate::frame::Frame;
use crate::fuzzy::score;
use crate::html::Chip;
use crate::input::Asking;
use crate::oops::Oops;
use crate::paths::{self, Open};

/// How many are offered.
const OFFERED_MAX: usize = 20;
/// How many runs are looked at by the beginning of their name.
const RUNS_MAX: u32 = 20;
/// How many runs of the DAG that is open are looked at.
const RECENT_MAX: u32 = 30;
/// How many loads of one job are looked at.
const JOBS_MAX: u32 = 5;
const CHARS_MAX: usize = 200;
/// What can be done here comes before what is elsewhere, if both go equally well.
const HERE: u32 = 3;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FindQuery {
    q: String,
    /// The path of the page that is open.
    at: String,
}

/// One thing to go to or to do.
#[derive(Debug, Serialize)]
struct Offer {
    kind: &'static str,
    label: String,
    note: String,
    href: String,
    /// The key of a button of this page that does it, instead of going anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    press: Option<&'static str>,
}

/// What the palette shows.
#[derive(Debug, Serialize)]
pub(crate) struct Offers {
    offers: Vec<Offer>,
}

/// Everything that goes with what was typed so far.
struct Ranked {
    typed: String,
    found: Vec<(u32, Offer)>,
}

impl Ranked {
    /// Takes it if it goes with what was typed.
    fn add(&mut self, bonus: u32, offer: Offer) {
        if let Some(score) = score(&self.typed, &offer.label) {
            self.found.push((score + bonus, offer));
        }
    }
}

fn offer(kind: &'static str, label: impl Into<String>, href: impl Into<String>) -> Offer {
    Offer {
        kind,
        label: label.into(),
        note: String::new(),
        href: href.into(),
        press: None,
    }
}

pub(crate) async fn answer(
    frame: Frame,
    Asking(query): Asking<FindQuery>,
) -> Result<Json<Offers>, Oops> {
    let typed: String = query.q.trim().chars().take(CHARS_MAX).collect();
    let is_asked = !typed.is_empty();
    let mut ranked = Ranked {
        typed,
        found: Vec::new(),
    };
    // Whoever may not see the DAG of the page that they name is offered nothing of it.
    let open = Open::of(&query.at).filter(|open| frame.sees(&open.dag));
    let known = known(&frame).await?;
    if let Some(open) = &open {
        here(&frame, &mut ranked, open, &known);
    }
    // What is looked at less often is found by those who look for it.
    for section in frame.sections().chain(frame.more().filter(|_| is_asked)) {
        ranked.add(0, offer("Page", section.word, section.href));
    }
    if is_asked {
        dags(&frame, &mut ranked, &known);
        tables(&frame, &mut ranked, &known);
        jobs(&frame, &mut ranked).await?;
        runs(&frame, &mut ranked, open.as_ref()).await?;
        if let Some(open) = &open {
            tasks(&frame, &mut ranked, open, &known).await?;
        }
    }
    let Ranked { mut found, .. } = ranked;
    found.sort_by(|(a, left), (b, right)| {
        b.cmp(a)
            .then_with(|| left.label.len().cmp(&right.label.len()))
            .then_with(|| left.label.cmp(&right.label))
    });
    let mut offers: Vec<Offer> = Vec::new();
    for (_, offer) in found {
        let is_twice = offer.press.is_none() && {
            let same = |one: &Offer| (&one.href, &one.label) == (&offer.href, &offer.label);
            offers.iter().any(same)
        };
        if offers.len() < OFFERED_MAX && !is_twice {
            offers.push(offer);
        }
    }
    Ok(Json(Offers { offers }))
}

/// What can be done with what is open. The words are those of its buttons.
fn here(frame: &Frame, ranked: &mut Ranked, open: &Open, known: &[Known]) {
    let dag = &open.dag;
    let Some(row) = known.iter().find(|known| known.row.id == *dag) else {
        return;
    };
    if !frame.operates(dag) {
        return;
    }
    let mut action = |label: String, href: String, press| {
        let action = Offer {
            press,
            ..offer("Action", label, href)
        };
        ranked.add(HERE, action);
    };
    let Some(run) = &open.run else {
        let word = if row.row.paused { "Resume" } else { "Pause" };
        action(format!("{word} {dag}"), String::new(), Some("p"));
        action(format!("Trigger {dag}"), trigger(dag), None);
        return;
    };
    let run_href = paths::run(dag, run);
    match &open.task {
        Some(task) => {
            let task_href = format!("{run_href}/tasks/{}", paths::part(task));
            let label = |word: &str| format!("{word} {task}");
            action(label("Retry"), format!("{task_href}/clear"), Some("r"));
            let below = format!("{task_href}/clear?scope=downstream");
            action(format!("Clear {task} and downstream"), below, Some("c"));
            action(label("Mark"), format!("{task_href}/mark"), Some("x"));
        }
        None => {
            let deeds = [
                ("Retry what failed", "retry", "r"),
                ("Run all again", "clear", "c"),
                ("Pause or resume this run", "pause", "p"),
                ("Cancel this run", "cancel", "x"),
                ("Note on this run", "note", "n"),
            ];
            for (label, deed, key) in deeds {
                action(label.to_owned(), format!("{run_href}/do/{deed}"), Some(key));
            }
        }
    }
}

fn trigger(dag: &DagId) -> String {
    format!("{}/trigger", paths::dag(dag))
}

fn dags(frame: &Frame, ranked: &mut Ranked, known: &[Known]) {
    for known in known {
        let id = &known.row.id;
        let dag = Offer {
            note: known.spec.notes.owner.clone(),
            ..offer("DAG", id.as_str(), paths::dag(id))
        };
        ranked.add(1, dag);
        if frame.operates(id) {
            ranked.add(0, offer("Action", format!("Trigger {id}"), trigger(id)));
        }
    }
}

/// Tables, each with the tasks that say that they write it: they lead to what comes before such a task.
fn tables(frame: &Frame, ranked: &mut Ranked, known: &[Known]) {
    for known in known.iter().filter(|known| frame.sees(&known.row.id)) {
        let dag = &known.row.id;
        for task in &known.spec.definition.tasks {
            let name = task.id.as_str();
            let href = format!(
                "{}?task={}&side=upstream",
                paths::dag(dag),
                paths::part(name)
            );
            for table in &task.touches.writes {
                let table = Offer {
                    note: format!("written by {name} of {dag}"),
                    ..offer("Table", table.table.to_string(), href.clone())
                };
                ranked.add(0, table);
            }
        }
    }
}

/// The task that a job outside was of, by the job's whole id.
async fn jobs(frame: &Frame, ranked: &mut Ranked) -> Result<(), Oops> {
    let among = frame.among().await?;
    let store = frame.web.store();
    let found = store.loads_of_job(&ranked.typed, among.as_deref(), JOBS_MAX);
    for of in found.await?.into_iter().filter(|of| frame.sees(&of.dag)) {
        let job = Offer {
            note: format!("loaded {} in {} of {}", of.destination, of.run, of.dag),
            ..offer(
                "Job",
                ranked.typed.clone(),
                paths::task(&of.dag, &of.run, of.task.as_str(), of.index),
            )
        };
        ranked.add(HERE, job);
    }
    Ok(())
}

/// Runs whose name begins like this, and the last ones of the DAG that is open.
async fn runs(frame: &Frame, ranked: &mut Ranked, open: Option<&Open>) -> Result<(), Oops> {
    let store = frame.web.store();
    let found = store
        .search(&ranked.typed, frame.among().await?.as_deref(), RUNS_MAX)
        .await?;
    let heads = found.runs.into_iter();
    let mut runs: Vec<_> = heads.map(|run| (run.dag, run.name, run.state)).collect();
    if let Some(open) = open {
        let of = RunFilter {
            dag: Some(open.dag.clone()),
            ..RunFilter::default()
        };
        let last = store.runs(&of, Cursor::START, RECENT_MAX).await?;
        runs.extend(last.into_iter().map(|run| (run.dag, run.name, run.state)));
    }
    for (dag, name, state) in runs.into_iter().filter(|(dag, ..)| frame.sees(dag)) {
        let word = Chip::from(state).word();
        let run = Offer {
            note: format!("{dag}, {}", word.to_lowercase()),
            ..offer("Run", &*name, paths::run(&dag, &name))
        };
        ranked.add(0, run);
    }
    Ok(())
}

/// The tasks of the DAG that is open, in the run that is open or in the last one.
async fn tasks(
    frame: &Frame,
    ranked: &mut Ranked,
    open: &Open,
    known: &[Known],
) -> Result<(), Oops> {
    let Some(dag) = known.iter().find(|known| known.row.id == open.dag) else {
        return Ok(());
    };
    let run = match &open.run {
        Some(run) => run.clone(),
        None => {
            let of = RunFilter {
                dag: Some(open.dag.clone()),
                ..RunFilter::default()
            };
            let last = frame.web.store().runs(&of, Cursor::START, 1).await?;
            let Some(last) = last.into_iter().next() else {
                return Ok(());
            };
            last.name.to_string()
        }
    };
    for task in &dag.spec.definition.tasks {
        let name = task.id.as_str();
        let href = format!(
            "{}/tasks/{}",
            paths::run(&open.dag, &run),
            paths::part(name)
        );
        let task = Offer {
            note: format!("{} in {run}", open.dag),
            ..offer("Task", name, href)
        };
        ranked.add(1, task);
    }
    Ok(())
}
