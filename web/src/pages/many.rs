//! Pausing many DAGs at once, or letting them go on: what is chosen in the list is shown, and done when somebody says so.

use std::sync::Arc;

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use tidemill_core::id::DagId;
use tidemill_core::state::RunState;
use tidemill_scheduler::engine::{Command, Pausable};

use super::page;
use super::rows::{self, Known};
use crate::door::{Asked, DoorError};
use crate::frame::Frame;
use crate::html::in_time;
use crate::input::Sent;
use crate::oops::Oops;
use crate::paths;
use crate::said::Done;

/// No more are done at once.
const DAGS_MAX: usize = 500;

/// A DAG that would change.
struct Line {
    dag: DagId,
    href: String,
    edits: u32,
    /// What follows from it.
    says: String,
}

/// A DAG that was not changed, and why.
struct Left {
    dag: DagId,
    href: String,
    why: String,
}

#[derive(Template)]
#[template(path = "many.html")]
pub(crate) struct ManyPage {
    frame: Frame,
    pause: bool,
    lines: Vec<Line>,
    /// How many of those chosen are so already.
    same: usize,
    /// How many were changed just now, if that was asked for.
    done: Option<usize>,
    left: Vec<Left>,
}

page!(ManyPage);

/// What was sent: the choice, or the choice and that somebody is sure of it.
struct Choice {
    pause: bool,
    /// Each with the edits that were seen, if somebody is sure.
    dags: Vec<(DagId, Option<u32>)>,
}

impl Choice {
    fn read(frame: &Frame, pairs: &[(String, String)]) -> Result<Self, Oops> {
        let wrong = || Oops::invalid("the list that was sent cannot be read; choose again");
        let find = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted);
        let pause = find("pause").and_then(|(_, value)| value.parse().ok());
        let mut dags: Vec<(DagId, Option<u32>)> = Vec::new();
        for (name, value) in pairs {
            let (dag, seen) = match name.as_str() {
                "dag" => (value.as_str(), None),
                "sure" => {
                    let (seen, dag) = value.split_once(' ').ok_or_else(wrong)?;
                    (dag, Some(seen.parse().map_err(|_| wrong())?))
                }
                _ => continue,
            };
            let dag = DagId::parse(dag).map_err(|_| wrong())?;
            if !frame.operates(&dag) {
                let says = format!("there is no DAG `{dag}`, or you may not change it");
                return Err(Oops::not_found(says));
            }
            if dags.iter().all(|(known, _)| *known != dag) {
                dags.push((dag, seen));
            }
        }
        match dags.len() {
            0 => Err(Oops::invalid("choose at least one DAG")),
            1..=DAGS_MAX => Ok(Self {
                pause: pause.ok_or_else(wrong)?,
                dags,
            }),
            many => Err(Oops::invalid(format!(
                "{many} DAGs are too many at once: at most {DAGS_MAX} are taken"
            ))),
        }
    }
}

pub(crate) async fn send(
    frame: Frame,
    Sent(pairs): Sent<Vec<(String, String)>>,
) -> Result<Response, Oops> {
    let choice = Choice::read(&frame, &pairs)?;
    if choice.dags.iter().all(|(_, seen)| seen.is_some()) {
        return carry_out(frame, choice).await;
    }
    Ok(preview(frame, choice).await?.into_response())
}

async fn preview(frame: Frame, choice: Choice) -> Result<ManyPage, Oops> {
    let known = rows::known(&frame).await?;
    let recent = rows::recent(&frame).await?;
    let mut page = ManyPage {
        pause: choice.pause,
        lines: Vec::new(),
        same: 0,
        done: None,
        left: Vec::new(),
        frame,
    };
    for (dag, _) in choice.dags {
        let Some(known) = known.iter().find(|known| known.row.id == dag) else {
            page.left.push(Left {
                href: paths::dag(&dag),
                why: "it was removed".to_owned(),
                dag,
            });
            continue;
        };
        if known.row.paused == choice.pause {
            page.same += 1;
            continue;
        }
        let runs = recent.get(&dag).map(Vec::as_slice).unwrap_or_default();
        let on = runs.iter().filter(|run| run.state == RunState::Running);
        page.lines.push(Line {
            href: paths::dag(&dag),
            edits: known.row.edits,
            says: follows(&page.frame, known, (choice.pause, on.count())),
            dag,
        });
    }
    Ok(page)
}

/// What follows from pausing a DAG, or from letting it go on.
fn follows(frame: &Frame, known: &Known, (pause, on): (bool, usize)) -> String {
    match (pause, on) {
        (true, 0) => "no run of it is on".to_owned(),
        (true, 1) => "a run is on: it starts no more tasks".to_owned(),
        (true, on) => format!("{on} runs are on: they start no more tasks"),
        (false, _) => {
            let row = tidemill_store::record::DagRow {
                paused: false,
                ..known.row.clone()
            };
            let known = Known {
                row,
                spec: Arc::clone(&known.spec),
            };
            match rows::next_due(&known, frame.now) {
                None => "no run is planned by time".to_owned(),
                Some(at) => match in_time(frame.now, at).as_str() {
                    "now" => "a run is due at once".to_owned(),
                    next => format!("its next run is due {next}"),
                },
            }
        }
    }
}

async fn carry_out(frame: Frame, choice: Choice) -> Result<Response, Oops> {
    let (mut done, mut left) = (0, Vec::new());
    let mut away: Option<DoorError> = None;
    for (dag, seen) in choice.dags {
        let asked = Asked {
            by: frame.name(),
            seen,
            dry_run: false,
            command: Command::Pause {
                what: Pausable::Dag(dag.clone()),
                pause: choice.pause,
            },
        };
        // While nobody leads, each of five hundred would wait for an answer.
        let answer = match &away {
            Some(error) => Err(error.clone()),
            None => frame.web.door().ask(asked).await.map(|_| ()),
        };
        if let Err(error) = answer {
            left.push(Left {
                href: paths::dag(&dag),
                why: error.to_string(),
                dag,
            });
            if matches!(error, DoorError::Away(_) | DoorError::Open(_)) {
                away = Some(error);
            }
        } else {
            done += 1;
        }
    }
    if left.is_empty() {
        let (dags, verb) = match (done, choice.pause) {
            (1, true) => ("1 DAG is".to_owned(), "paused"),
            (1, false) => ("1 DAG goes".to_owned(), "on"),
            (many, true) => (format!("{many} DAGs are"), "paused"),
            (many, false) => (format!("{many} DAGs go"), "on"),
        };
        return Ok(Done::at("/dags", format!("{dags} {verb}.")).into_response());
    }
    let page = ManyPage {
        frame,
        pause: choice.pause,
        lines: Vec::new(),
        same: 0,
        done: Some(done),
        left,
    };
    Ok(page.into_response())
}
