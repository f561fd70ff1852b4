//! The tasks of a run: lists of them, one of them, what was tried, why it waits, what it returned, and what is done with it.

use axum::Json;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::protocol::{AttemptNo, InstanceRef, MapIndex, NOT_MAPPED, TaskNo};
use tidemill_core::state::TaskState;
use tidemill_scheduler::engine::{Around, Command, RunVersion, Selected};
use tidemill_store::history::{TaskOfRun, Tasks};
use utoipa::{IntoParams, ToSchema};

use super::given::{Body, Change, Query, note};
use super::paging::{self, Listed, Tagged};
use super::pick::Picked;
use super::views::{AttemptView, ChangedView, InstancesView, OutputView, TaskView, WhyView};
use super::{find, runs};
use crate::frame::Frame;
use crate::input::At;
use crate::oops::Oops;
use crate::pages::{Place, Tries};
use crate::routes::ThisDag;

type Named = At<(String, String, String)>;
type Answer = Result<Json<ChangedView>, Oops>;

/// A page that is narrowed to a state is filled in at most so many reads; what comes then is shorter.
const READS_MAX: usize = 20;

/// What a list of tasks is narrowed to.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TasksQuery {
    /// Only those in this state.
    state: Option<String>,
    /// The instances of mapped tasks, too, each after its task.
    instances: Option<bool>,
    /// Only this task, and its instances if those are wanted.
    task: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many rows: 1 to 1,000, 50 if nobody says.
    limit: Option<u32>,
}

fn cursor(row: &TaskOfRun) -> String {
    let of = row.task.of;
    paging::cursor("tasks", format_args!("{}.{}", of.task, of.map_index))
}

fn place(cursor: Option<&str>) -> Result<Option<(TaskNo, MapIndex)>, Oops> {
    let Some(place) = paging::place("tasks", cursor)? else {
        return Ok(None);
    };
    let parts = place.split_once('.');
    let parts = parts.and_then(|(task, index)| Some((task.parse().ok()?, index.parse().ok()?)));
    let (task, index) = parts.ok_or_else(paging::wrong)?;
    Ok(Some((TaskNo(task), index)))
}

fn view(row: &TaskOfRun) -> TaskView {
    let owned = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(ToOwned::to_owned);
    TaskView {
        why: owned(&row.why),
        note: owned(&row.note),
        message: owned(&row.message),
        ..TaskView::from(&row.task)
    }
}

/// The tasks of a run, in the order of their numbers. There are none before it has begun.
pub(crate) async fn list(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, name)): At<(String, String)>,
    Query(query): Query<TasksQuery>,
) -> Result<Listed<TaskView>, Oops> {
    let limit = paging::rows(query.limit)?;
    let state = query.state.as_deref().map(str::parse::<TaskState>);
    let state = state
        .transpose()
        .map_err(|error| Oops::field("state", error))?;
    let mut after = place(query.cursor.as_deref())?;
    let run = find::run(&frame, &dag, &name).await?;
    let mut items = Vec::new();
    let mut last = None;
    for _ in 0..READS_MAX {
        let which = if query.instances.unwrap_or(false) {
            Tasks::All(after)
        } else {
            Tasks::Whole(after.map(|(task, _)| task))
        };
        let rows = frame.web.store().tasks_of_run(run.id, which, limit).await?;
        for row in &rows {
            after = Some((row.task.of.task, row.task.of.map_index));
            last = Some(cursor(row));
            let is_wanted = state.is_none_or(|state| row.task.state == state)
                && query
                    .task
                    .as_deref()
                    .is_none_or(|task| row.task.name == task);
            if is_wanted {
                items.push(view(row));
            }
            if items.len() == limit as usize {
                return Ok(Listed::new(&frame, items, last));
            }
        }
        if rows.len() < limit as usize {
            return Ok(Listed::new(&frame, items, None));
        }
    }
    Ok(Listed::new(&frame, items, last))
}

/// Which instance.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InstanceQuery {
    /// Which instance of a mapped task, from 0; the task as a whole without it.
    index: Option<MapIndex>,
}

async fn found(
    frame: &Frame,
    ThisDag(dag): &ThisDag,
    At((_, run, task)): &Named,
    index: Option<MapIndex>,
) -> Result<Place, Oops> {
    find::place(frame, dag, (run, task), index).await
}

fn begun(place: &Place) -> Result<InstanceRef, Oops> {
    let says =
        "the run has not begun, so it has no tasks yet; `why` of the run says what it waits for";
    place.of().ok_or_else(|| Oops::not_found(says))
}

/// One task, or an instance of one.
pub(crate) async fn show(
    frame: Frame,
    dag: ThisDag,
    named: Named,
    Query(query): Query<InstanceQuery>,
) -> Result<Tagged<TaskView>, Oops> {
    let place = found(&frame, &dag, &named, query.index).await?;
    let of = begun(&place)?;
    let detail = frame.web.store().task_detail(of).await?;
    let row = place
        .row
        .as_ref()
        .ok_or_else(|| Oops::broken("a task without a row"))?;
    let view = TaskView::from(row).with(detail.as_ref());
    Ok(Tagged(view.edits, view))
}

/// How many instances of a mapped task are in which state.
pub(crate) async fn instances(
    frame: Frame,
    dag: ThisDag,
    named: Named,
    Query(super::dags::Nothing {}): Query<super::dags::Nothing>,
) -> Result<Listed<InstancesView>, Oops> {
    let place = found(&frame, &dag, &named, None).await?;
    let of = begun(&place)?;
    let states = frame.web.store().instance_states((of.run, of.task)).await?;
    let counted = states.into_iter().map(|one| InstancesView {
        state: one.state,
        count: one.count,
    });
    Ok(Listed::new(&frame, counted.collect(), None))
}

/// What was tried, the last first; the attempt that is on has no end.
pub(crate) async fn attempts(
    frame: Frame,
    dag: ThisDag,
    named: Named,
    Query(query): Query<InstanceQuery>,
) -> Result<Listed<AttemptView>, Oops> {
    let place = found(&frame, &dag, &named, query.index).await?;
    let of = begun(&place)?;
    let over = frame.web.store().attempts(of).await?;
    let live = place.row.as_ref().and_then(AttemptView::live);
    let all = live.into_iter().chain(over.iter().map(Into::into));
    Ok(Listed::new(&frame, all.collect(), None))
}

/// Every gate before a task. There are none any more once it is over.
pub(crate) async fn why(
    frame: Frame,
    dag: ThisDag,
    named: Named,
    Query(query): Query<InstanceQuery>,
) -> Result<Json<WhyView>, Oops> {
    let place = found(&frame, &dag, &named, query.index).await?;
    let door = frame.web.door();
    match place.of() {
        Some(of) => {
            let why = door.why(of).await?;
            let (gates, ahead) = why.map(|why| (why.gates, why.ahead)).unwrap_or_default();
            runs::held(&frame, (Some(place.state()), &gates, ahead)).await
        }
        None => {
            let gates = door.why_run(place.run.id).await?.unwrap_or_default();
            runs::held(&frame, (Some(place.state()), &gates, 0)).await
        }
    }
}

/// Which attempt of which instance.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AttemptQuery {
    /// Which instance of a mapped task, from 0; the task as a whole without it.
    pub(super) index: Option<MapIndex>,
    /// The number of the attempt within the task; the last without it.
    pub(super) attempt: Option<u32>,
}

/// What an attempt returned.
pub(crate) async fn output(
    frame: Frame,
    dag: ThisDag,
    named: Named,
    Query(query): Query<AttemptQuery>,
) -> Result<Json<OutputView>, Oops> {
    let place = found(&frame, &dag, &named, query.index).await?;
    let tries = Tries::read(&frame, &place, query.attempt).await?;
    let untried = || Oops::not_found("the task has not been tried yet");
    let AttemptNo(attempt) = tries.selected().ok_or_else(untried)?.attempt;
    let rows = frame.web.store().outputs(&[AttemptNo(attempt)]).await?;
    let output = rows.into_iter().next();
    let output = output.map_or(Value::Null, |row| {
        serde_json::from_str(&row.value).unwrap_or_else(|_| Value::String(row.value.to_string()))
    });
    Ok(Json(OutputView { attempt, output }))
}

/// Which tasks around the one in the path are meant, too.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default, expecting = "an object")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "five independent ticks of a form"
)]
pub(crate) struct TaskClearBody {
    /// Which instance of a mapped task, from 0; all without it.
    index: Option<MapIndex>,
    /// And everything before it.
    upstream: bool,
    /// And everything after it.
    downstream: bool,
    /// And the same in earlier runs.
    past: bool,
    /// And the same in later runs.
    future: bool,
    /// Of all these only what failed, or could not run because something failed.
    only_failed: bool,
    /// Why, for people.
    note: Option<String>,
}

/// As what a task counts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct TaskMarkBody {
    /// How it counts as having ended: `success`, `failed` or `skipped`.
    #[schema(value_type = String)]
    state: TaskState,
    /// Which instance of a mapped task, from 0; all without it.
    #[serde(default)]
    index: Option<MapIndex>,
    /// And everything before it.
    #[serde(default)]
    upstream: bool,
    /// And everything after it.
    #[serde(default)]
    downstream: bool,
    /// Why, for people who look later.
    note: String,
}

/// Which instance.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default, expecting = "an object")]
pub(crate) struct TaskCancelBody {
    /// Which instance of a mapped task, from 0.
    index: Option<MapIndex>,
}

/// An answer to what a task asks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct TaskAnswerBody {
    /// The answer: one of the choices of the task.
    choice: String,
    /// Which instance of a mapped task, from 0.
    #[serde(default)]
    index: Option<MapIndex>,
}

/// A note on a task.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct TaskPatch {
    /// The note; an empty one for none.
    note: String,
    /// Which instance of a mapped task, from 0; the task as a whole without it.
    #[serde(default)]
    index: Option<MapIndex>,
}

fn picked(place: &Place, around: Around) -> Picked {
    Picked {
        run: place.run.id,
        tasks: Selected::Tasks(vec![(place.task.clone(), place.wanted_index())]),
        around,
    }
}

/// Runs a task again, and what is around it if that is wanted.
pub(crate) async fn clear(
    change: Change,
    dag: ThisDag,
    named: Named,
    Body(body): Body<TaskClearBody>,
) -> Answer {
    let place = found(&change.frame, &dag, &named, body.index).await?;
    let around = Around {
        upstream: body.upstream,
        downstream: body.downstream,
        past: body.past,
        future: body.future,
        only_failed: body.only_failed,
    };
    let anew = (None, RunVersion::Keep);
    let command = picked(&place, around).again(anew, body.note.as_deref())?;
    change.ask(command).await
}

/// Marks a task.
pub(crate) async fn mark(
    change: Change,
    dag: ThisDag,
    named: Named,
    Body(body): Body<TaskMarkBody>,
) -> Answer {
    let place = found(&change.frame, &dag, &named, body.index).await?;
    let around = Around {
        upstream: body.upstream,
        downstream: body.downstream,
        ..Around::default()
    };
    let command = picked(&place, around).count_as(body.state, &body.note)?;
    change.ask(command).await
}

/// Ends the attempt that is on.
pub(crate) async fn cancel(
    change: Change,
    dag: ThisDag,
    named: Named,
    Body(body): Body<TaskCancelBody>,
) -> Answer {
    let place = found(&change.frame, &dag, &named, body.index).await?;
    let of = begun(&place)?;
    change.ask(Command::CancelAttempt { of }).await
}

/// That a stop is waited for no longer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct TaskForgetBody {
    /// What became of what the attempt started outside, for people who look later.
    note: String,
    /// Which instance of a mapped task, from 0.
    #[serde(default)]
    index: Option<MapIndex>,
}

/// Waits no longer for the stop of the last attempt.
pub(crate) async fn forget(
    change: Change,
    dag: ThisDag,
    named: Named,
    Body(body): Body<TaskForgetBody>,
) -> Answer {
    let place = found(&change.frame, &dag, &named, body.index).await?;
    let of = begun(&place)?;
    let says = || Oops::field("note", "say what became of it, for whoever looks later");
    let note = note(Some(&body.note))?.ok_or_else(says)?;
    change.ask(Command::Forget { of, note }).await
}

/// Answers what a task asks.
pub(crate) async fn answer(
    change: Change,
    dag: ThisDag,
    named: Named,
    Body(body): Body<TaskAnswerBody>,
) -> Answer {
    let place = found(&change.frame, &dag, &named, body.index).await?;
    let of = begun(&place)?;
    let choice = body.choice.into();
    change.ask(Command::Answer { of, choice }).await
}

/// Writes a note on a task.
pub(crate) async fn patch(
    change: Change,
    dag: ThisDag,
    named: Named,
    Body(body): Body<TaskPatch>,
) -> Answer {
    let place = found(&change.frame, &dag, &named, body.index).await?;
    let index = body.index.unwrap_or(NOT_MAPPED);
    let command = Command::Note {
        run: place.run.id,
        task: Some((place.task.clone(), index)),
        text: note(Some(&body.note))?.unwrap_or_else(|| "".into()),
    };
    change.ask(command).await
}
