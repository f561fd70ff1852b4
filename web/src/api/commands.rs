//! Commands as the command line sends them, and the same for many runs. What a route's policy does for one DAG is done here for
//! the DAGs that a command is about.

use axum::Json;
use serde::Deserialize;
use tidemill_access::{Action, may};
use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::RunNo;
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_scheduler::engine::{BulkAction, Command, Filter, Pausable};
use tidemill_scheduler::gateway::{CommandBody, CommandReply};
use utoipa::ToSchema;

use super::dags::Nothing;
use super::find;
use super::given::{Body, Change, Query, note};
use super::views::ChangedView;
use crate::access::{Policy, authorise};
use crate::frame::Frame;
use crate::oops::Oops;

/// What a command is about.
enum About<'a> {
    Dag(&'a DagId),
    Run(RunNo),
    Runs(&'a [RunNo]),
    Backfill(i64),
    /// Runs of any DAG.
    Every,
    /// Nothing of a DAG.
    Nothing,
}

const fn about(command: &Command) -> (Action, About<'_>) {
    let operate = Action::Operate;
    match command {
        Command::Trigger(ask) => (operate, About::Dag(&ask.dag)),
        Command::Backfill(ask) => (operate, About::Dag(&ask.dag)),
        Command::Clear { select, .. } | Command::Mark { select, .. } => {
            (operate, About::Run(select.run))
        }
        Command::CancelRun { run, .. }
        | Command::Reprioritise { run, .. }
        | Command::Note { run, .. } => (operate, About::Run(*run)),
        Command::CancelAttempt { of } | Command::Forget { of, .. } | Command::Answer { of, .. } => {
            (operate, About::Run(of.run))
        }
        Command::Pause { what, .. } => match what {
            Pausable::Dag(dag) => (operate, About::Dag(dag)),
            Pausable::Run(run) => (operate, About::Run(*run)),
            Pausable::Backfill(no) => (operate, About::Backfill(*no)),
            Pausable::Pool(_) => (Action::Share, About::Nothing),
        },
        Command::CancelBackfill { backfill } => (operate, About::Backfill(*backfill)),
        Command::Bulk { filter, .. } => match &filter.dag {
            _ if !filter.runs.is_empty() => (operate, About::Runs(filter.runs.as_slice())),
            Some(dag) => (operate, About::Dag(dag)),
            None => (operate, About::Every),
        },
        Command::SetPool { .. }
        | Command::RemovePool { .. }
        | Command::AssetChanged { .. }
        | Command::Drain { .. } => (Action::Share, About::Nothing),
        Command::RemoveDag { dag } => (Action::Deploy, About::Dag(dag)),
        Command::SetConnection(_)
        | Command::RemoveConnection { .. }
        | Command::SetVariable(_)
        | Command::RemoveVariable { .. }
        | Command::RevealVariable { .. }
        | Command::Reseal { .. } => (Action::Secrets, About::Nothing),
    }
}

/// Lets a command pass, if whoever asks may do it to every DAG that it is about. What they must not see is not there.
async fn admit(frame: &Frame, command: &Command) -> Result<(), Oops> {
    let (action, about) = about(command);
    let on = |dag: &DagId| authorise(Policy::OnDag(action), frame.who(), Some(dag));
    let dags = match about {
        About::Nothing => {
            authorise(Policy::Signed(action), frame.who(), None)?;
            return Ok(());
        }
        About::Every => {
            let who = frame.who().ok_or(Oops::SignIn)?;
            // Somebody who may do it to some DAGs only has to name one.
            return may(&who.who, action, None).map_err(|_| {
                let says = "you may change the runs of some DAGs only: name one of them";
                Oops::field("dag", says)
            });
        }
        About::Dag(dag) => {
            // The leader would tell names that are near, also those that this person must not see.
            if frame.who().is_some_and(|who| !who.sees_all()) {
                find::dag(frame, dag).await?;
            }
            vec![dag.clone()]
        }
        About::Run(run) => dags_of(frame, &[run]).await?,
        About::Runs(runs) => dags_of(frame, runs).await?,
        About::Backfill(no) => {
            let row = find::backfill_numbered(frame, no).await?;
            let gone = || Oops::not_found(format!("there is no open backfill `{no}`"));
            let row = row.filter(|row| frame.sees(&row.dag)).ok_or_else(gone)?;
            vec![row.dag]
        }
    };
    for dag in &dags {
        on(dag)?;
    }
    Ok(())
}

/// So many runs one command names at the most: the leader does nothing else meanwhile.
const RUNS_MAX: usize = 1_000;

/// The DAGs of these runs. One that is not there, and one that must not be seen, are told apart by nobody.
async fn dags_of(frame: &Frame, runs: &[RunNo]) -> Result<Vec<DagId>, Oops> {
    if runs.len() > RUNS_MAX {
        let says = format!("at most {RUNS_MAX} runs at once; send the others after them");
        return Err(Oops::field("runs", says));
    }
    let rows = frame.web.store().runs_numbered(runs).await?;
    for run in runs {
        let found = rows.iter().find(|row| row.id == *run);
        if found.is_none_or(|row| !frame.sees(&row.dag)) {
            return Err(Oops::not_found(format!("there is no run `{run}`")));
        }
    }
    let mut dags: Vec<DagId> = rows.into_iter().map(|row| row.dag).collect();
    dags.sort_unstable();
    dags.dedup();
    Ok(dags)
}

/// A command, as the scheduler takes it. `by` is not believed: the audit log has who signed in.
pub(crate) async fn command(
    frame: Frame,
    Query(Nothing {}): Query<Nothing>,
    Body(body): Body<CommandBody>,
) -> Result<Json<CommandReply>, Oops> {
    admit(&frame, &body.command).await?;
    let change = Change {
        frame,
        seen: body.seen,
        dry_run: body.dry_run,
    };
    // The command line knows one status for this, whoever answers.
    let changed = change.carry_out(body.command).await?;
    Ok(Json(CommandReply { changed }))
}

/// A command, as the document describes it.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "only its schema is used: `CommandBody` belongs to the scheduler"
)]
pub(crate) struct CommandSchema {
    /// Ignored; the name of whoever signed in is written down.
    by: String,
    /// The `edits` that were seen.
    seen: Option<u32>,
    /// Change nothing, only say what would change.
    dry_run: Option<bool>,
    /// The command in the words of the scheduler: `{"trigger": {"dag": "crm_daily"}}`.
    #[schema(value_type = Object)]
    command: serde_json::Value,
}

/// What is answered to it.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "only its schema is used: `CommandReply` belongs to the scheduler"
)]
pub(crate) struct ReplySchema {
    /// What was changed, in the words of the scheduler.
    #[schema(value_type = Object)]
    changed: serde_json::Value,
}

/// What is done to many runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BulkVerb {
    /// What failed runs again.
    Retry,
    /// Everything runs again.
    Clear,
    /// They end.
    Cancel,
    /// Their tasks count as having ended like `state` says.
    Mark,
}

/// What is done to which runs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct BulkBody {
    /// What.
    action: BulkVerb,
    /// As what their tasks count, to `mark` them: `success`, `failed` or `skipped`.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    state: Option<TaskState>,
    /// Runs of this DAG. Who may change the runs of some DAGs only has to name one.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    dag: Option<DagId>,
    /// Runs in one of these states.
    #[schema(value_type = Vec<String>)]
    #[serde(default)]
    states: Vec<RunState>,
    /// Runs that came about in one of these ways.
    #[schema(value_type = Vec<String>)]
    #[serde(default)]
    kinds: Vec<RunType>,
    /// Runs whose start is not before this.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    from: Option<Timestamp>,
    /// Runs whose start is not after this.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    to: Option<Timestamp>,
    /// Only these tasks of them.
    #[schema(value_type = Vec<String>)]
    #[serde(default)]
    tasks: Vec<TaskId>,
    /// At the most so many runs; 1,000 if nobody says.
    #[serde(default)]
    runs_max: Option<u32>,
    /// Why, for people.
    #[serde(default)]
    note: Option<String>,
}

impl BulkBody {
    fn command(self) -> Result<Command, Oops> {
        let narrow = self.dag.is_some()
            || !self.states.is_empty()
            || !self.kinds.is_empty()
            || self.from.is_some()
            || self.to.is_some();
        if !narrow {
            let says = "say which runs are meant: by `dag`, `states`, `kinds`, `from` or `to`";
            return Err(Oops::invalid(says));
        }
        let action = match (self.action, self.state) {
            (BulkVerb::Retry, None) => BulkAction::RetryFailed,
            (BulkVerb::Clear, None) => BulkAction::Clear,
            (BulkVerb::Cancel, None) => BulkAction::Cancel,
            (BulkVerb::Mark, Some(state)) => BulkAction::Mark(state),
            (BulkVerb::Mark, None) => return Err(Oops::field("state", "as what are they marked?")),
            (_, Some(_)) => return Err(Oops::field("state", "this is only for `mark`")),
        };
        Ok(Command::Bulk {
            filter: Filter {
                runs: Vec::new(),
                dag: self.dag,
                states: self.states,
                kinds: self.kinds,
                from: self.from,
                to: self.to,
                tasks: self.tasks,
                runs_max: self.runs_max.unwrap_or(1_000),
            },
            action,
            note: note(self.note.as_deref())?,
        })
    }
}

/// Does the same to many runs. Try it with `dry_run` first: it counts them.
pub(crate) async fn bulk(
    change: Change,
    Body(body): Body<BulkBody>,
) -> Result<Json<ChangedView>, Oops> {
    let command = body.command()?;
    admit(&change.frame, &command).await?;
    change.ask(command).await
}
