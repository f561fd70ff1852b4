//! What is done with a run.

use axum::Json;
use axum::http::request::Parts;
use serde::Deserialize;
use serde_json::{Map, Value};
use tidemill_core::id::{GroupId, TaskId};
use tidemill_core::protocol::MapIndex;
use tidemill_core::state::TaskState;
use tidemill_core::version::Version;
use tidemill_scheduler::engine::{Around, Command, Pausable, RunVersion, Selected};
use tidemill_store::record::RunRow;
use utoipa::{IntoParams, ToSchema};

use super::given::{Body, Change, Query, if_match, note};
use super::pick::Picked;
use super::views::{ChangedView, RunView, TriggeredView};
use super::{find, wait};
use crate::frame::Frame;
use crate::input::At;
use crate::oops::{Oops, after};
use crate::routes::ThisDag;
use crate::web::Web;

type Named = At<(String, String)>;
type Answer = Result<Json<ChangedView>, Oops>;

/// A note, and nothing else.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct NoteBody {
    /// Why, for people.
    #[serde(default)]
    note: Option<String>,
}

/// Which tasks are meant, and what becomes of them.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default, expecting = "an object")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "five independent ticks of a form"
)]
pub(crate) struct ClearBody {
    /// These tasks; without them, and without a group, all.
    #[schema(value_type = Vec<String>)]
    tasks: Vec<TaskId>,
    /// All in this group and in the groups inside it.
    #[schema(value_type = Option<String>)]
    group: Option<GroupId>,
    /// And everything before them.
    upstream: bool,
    /// And everything after them.
    downstream: bool,
    /// And the same tasks in earlier runs.
    past: bool,
    /// And the same tasks in later runs.
    future: bool,
    /// Of all these only what failed, or could not run because something failed.
    only_failed: bool,
    /// The params that the run has from now on; those it has if none.
    #[schema(value_type = Option<Object>)]
    params: Option<Map<String, Value>>,
    /// The version that the run has from now on: `newest`, or one by its whole hash; the one it has if none.
    version: Option<String>,
    /// Why, for people.
    note: Option<String>,
}

/// Which tasks are meant, and as what they count.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent ticks of a form"
)]
pub(crate) struct MarkBody {
    /// How they count as having ended: `success`, `failed` or `skipped`.
    #[schema(value_type = String)]
    pub(super) state: TaskState,
    /// These tasks; without them, and without a group, all.
    #[schema(value_type = Vec<String>)]
    #[serde(default)]
    tasks: Vec<TaskId>,
    /// All in this group and in the groups inside it.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    group: Option<GroupId>,
    /// And everything before them.
    #[serde(default)]
    upstream: bool,
    /// And everything after them.
    #[serde(default)]
    downstream: bool,
    /// And the same tasks in earlier runs.
    #[serde(default)]
    past: bool,
    /// And the same tasks in later runs.
    #[serde(default)]
    future: bool,
    /// Why, for people who look later.
    note: String,
}

fn selected(tasks: &[TaskId], group: Option<&GroupId>) -> Result<Selected, Oops> {
    match (tasks, group) {
        ([], None) => Ok(Selected::All),
        ([], Some(group)) => Ok(Selected::Group(group.clone())),
        (tasks, None) => {
            let named = tasks.iter().map(|task| (task.clone(), None::<MapIndex>));
            Ok(Selected::Tasks(named.collect()))
        }
        _ => Err(Oops::field("group", "name tasks, or a group, not both")),
    }
}

/// A version that a run gets, by its word.
fn version(text: Option<&str>) -> Result<RunVersion, Oops> {
    match text {
        None => Ok(RunVersion::Keep),
        Some("newest") => Ok(RunVersion::Newest),
        Some(text) => {
            let this: Result<Version, _> = serde_json::from_value(text.into());
            this.map(RunVersion::This)
                .map_err(|error| Oops::field("version", error.to_string()))
        }
    }
}

/// A change of a run: the run, and how it is asked for.
async fn run_of(change: &Change, dag: &ThisDag, named: &Named) -> Result<RunRow, Oops> {
    find::run(&change.frame, &dag.0, &named.0.1).await
}

/// Runs again what failed. With `wait` the answer comes when the run has ended.
pub(crate) async fn retry(
    Waiting { change, span }: Waiting,
    dag: ThisDag,
    named: Named,
    Body(body): Body<NoteBody>,
) -> Result<Json<TriggeredView>, Oops> {
    let run = run_of(&change, &dag, &named).await?;
    let failed = Picked {
        run: run.id,
        tasks: Selected::All,
        around: Around {
            only_failed: true,
            ..Around::default()
        },
    };
    let command = failed.again((None, RunVersion::Keep), body.note.as_deref())?;
    let Json(changed) = change.ask(command).await?;
    let store = change.frame.web.store();
    let again = store.runs_numbered(&[run.id]).await.map_err(after)?;
    let again = again.into_iter().next();
    let again = match again.filter(|_| !change.dry_run) {
        Some(run) => {
            let ended = wait::until_ended(&change.frame, run, span).await;
            Some(ended.map_err(after)?)
        }
        None => None,
    };
    Ok(Json(TriggeredView {
        run: again.as_ref().map(RunView::from),
        changed,
    }))
}

/// How a change is wanted that can be waited for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RetryQuery {
    /// Change nothing, only say what would change.
    dry_run: Option<bool>,
    /// Answer when the run has ended, or after this time: `30s`, `60s` at the most.
    wait: Option<String>,
}

/// A change whose end can be waited for.
#[derive(Debug)]
pub(crate) struct Waiting {
    change: Change,
    span: std::time::Duration,
}

impl axum::extract::FromRequestParts<Web> for Waiting {
    type Rejection = Oops;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Oops> {
        let Query(query) = Query::<RetryQuery>::from_request_parts(parts, web).await?;
        Ok(Self {
            span: wait::span(query.wait.as_deref())?,
            change: Change {
                seen: if_match(&parts.headers)?,
                frame: Frame::from_request_parts(parts, web).await?,
                dry_run: query.dry_run.unwrap_or(false),
            },
        })
    }
}

/// Runs tasks again, all of them if none are named.
pub(crate) async fn clear(
    change: Change,
    dag: ThisDag,
    named: Named,
    Body(body): Body<ClearBody>,
) -> Answer {
    let run = run_of(&change, &dag, &named).await?;
    let picked = Picked {
        run: run.id,
        tasks: selected(&body.tasks, body.group.as_ref())?,
        around: Around {
            upstream: body.upstream,
            downstream: body.downstream,
            past: body.past,
            future: body.future,
            only_failed: body.only_failed,
        },
    };
    let anew = (
        body.params.map(Value::Object),
        version(body.version.as_deref())?,
    );
    let command = picked.again(anew, body.note.as_deref())?;
    change.ask(command).await
}

/// Marks tasks.
pub(crate) async fn mark(
    change: Change,
    dag: ThisDag,
    named: Named,
    Body(body): Body<MarkBody>,
) -> Answer {
    let run = run_of(&change, &dag, &named).await?;
    let picked = Picked {
        run: run.id,
        tasks: selected(&body.tasks, body.group.as_ref())?,
        around: Around {
            upstream: body.upstream,
            downstream: body.downstream,
            past: body.past,
            future: body.future,
            only_failed: false,
        },
    };
    change.ask(picked.count_as(body.state, &body.note)?).await
}

/// Ends a run.
pub(crate) async fn cancel(
    change: Change,
    dag: ThisDag,
    named: Named,
    Body(body): Body<NoteBody>,
) -> Answer {
    let run = run_of(&change, &dag, &named).await?.id;
    let note = note(body.note.as_deref())?;
    change.ask(Command::CancelRun { run, note }).await
}

/// What can be set about a run.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default, expecting = "an object")]
pub(crate) struct RunPatch {
    /// Whether nothing of it starts from now on.
    paused: Option<bool>,
    /// The note on it; an empty one for none.
    note: Option<String>,
    /// Added to the priority of its tasks.
    priority: Option<i32>,
    /// The pool for all of its tasks; only with `priority`, and their own without it.
    pool: Option<String>,
}

/// Sets one thing about a run: whether it is paused, its note, or its priority.
pub(crate) async fn patch(
    change: Change,
    dag: ThisDag,
    named: Named,
    Body(body): Body<RunPatch>,
) -> Answer {
    let run = run_of(&change, &dag, &named).await?.id;
    let RunPatch {
        paused,
        note: text,
        priority,
        pool,
    } = body;
    let command = match (paused, text, priority, pool) {
        (Some(pause), None, None, None) => Command::Pause {
            what: Pausable::Run(run),
            pause,
        },
        (None, Some(text), None, None) => Command::Note {
            run,
            task: None,
            text: note(Some(&text))?.unwrap_or_else(|| "".into()),
        },
        (None, None, Some(priority), pool) => Command::Reprioritise {
            run,
            priority,
            pool: pool.map(Into::into),
        },
        _ => {
            let says =
                "set exactly one of `paused`, `note`, `priority`; `pool` goes with `priority`";
            return Err(Oops::invalid(says));
        }
    };
    change.ask(command).await
}
