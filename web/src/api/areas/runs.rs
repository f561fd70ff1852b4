//! Runs, and what is done with one or with many of them.

use super::super::operation::{IF_MATCH, KEY, get, patch, post};
use super::super::views::{AuditView, LoadView, RunView, TriggeredView, WhyView};
use super::super::{act, commands, dags, runs, trigger};
use crate::access::Policy;
use crate::routes::Routes;

/// All of them.
pub(super) fn routes(routes: Routes) -> Routes {
    let parts = [of_runs, of_run, acts, of_many];
    parts.into_iter().fold(routes, |routes, of| of(routes))
}

fn of_runs(routes: Routes) -> Routes {
    let (see, operate) = (Policy::VIEW_DAG, Policy::OPERATE_DAG);
    routes
        .api(
            get("/api/v1/runs", Policy::VIEW)
                .says("Runs", "List runs of all DAGs, the newest first")
                .query::<runs::RunsQuery>()
                .lists::<RunView>(),
            runs::list,
        )
        .api(
            get("/api/v1/dags/{dag}/runs", see)
                .says("Runs", "List runs of a DAG, the newest start first")
                .query::<runs::RunsQuery>()
                .lists::<RunView>(),
            runs::of_dag,
        )
        .api(
            post("/api/v1/dags/{dag}/runs", operate)
                .says("Runs", "Trigger a run")
                .more("With an `Idempotency-Key` the name of the run is made of the key, and the same request makes no second run.")
                .query::<trigger::TriggerQuery>()
                .header(KEY)
                .takes::<trigger::TriggerBody>()
                .answers_with::<TriggeredView>(200, "What would be made, of a dry run.")
                .answers_with::<TriggeredView>(201, "The run.")
                .with("Location"),
            trigger::trigger,
        )
        .api(
            get("/api/v1/loads", Policy::VIEW)
                .says("Loads", "What was loaded, the last first")
                .query::<runs::LoadsQuery>()
                .lists::<LoadView>(),
            runs::loads,
        )
}

fn of_run(routes: Routes) -> Routes {
    let see = Policy::VIEW_DAG;
    routes
        .api(
            get("/api/v1/dags/{dag}/runs/{run}", see)
                .says("Runs", "One run")
                .more("With `wait` the answer comes when it has ended.")
                .query::<runs::WaitQuery>()
                .gives_tagged::<RunView>(),
            runs::show,
        )
        .api(
            get("/api/v1/dags/{dag}/runs/{run}/why", see)
                .says("Runs", "What holds a run as a whole")
                .gives::<WhyView>(),
            runs::why,
        )
        .api(
            get("/api/v1/dags/{dag}/runs/{run}/audit", see)
                .says("Runs", "What people did with a run, the last first")
                .query::<dags::PageQuery>()
                .lists::<AuditView>(),
            runs::audit,
        )
        .api(
            get("/api/v1/dags/{dag}/runs/{run}/loads", see)
                .says("Loads", "What a run loaded")
                .query::<dags::PageQuery>()
                .lists::<LoadView>(),
            runs::loads_of_run,
        )
}

fn acts(routes: Routes) -> Routes {
    let operate = Policy::OPERATE_DAG;
    routes
        .api(
            patch("/api/v1/dags/{dag}/runs/{run}", operate)
                .says(
                    "Runs",
                    "Pause a run, write a note on it, or set its priority",
                )
                .takes::<act::RunPatch>()
                .changes(),
            act::patch,
        )
        .api(
            post("/api/v1/dags/{dag}/runs/{run}/retry", operate)
                .says("Runs", "Run again what failed")
                .query::<act::RetryQuery>()
                .header(IF_MATCH)
                .takes::<act::NoteBody>()
                .answers_with::<TriggeredView>(200, "The run, and what was changed or would be."),
            act::retry,
        )
        .api(
            post("/api/v1/dags/{dag}/runs/{run}/clear", operate)
                .says("Runs", "Run tasks again, all of them if none are named")
                .takes::<act::ClearBody>()
                .changes(),
            act::clear,
        )
        .api(
            post("/api/v1/dags/{dag}/runs/{run}/mark", operate)
                .says("Runs", "Let tasks count as having ended")
                .takes::<act::MarkBody>()
                .changes(),
            act::mark,
        )
        .api(
            post("/api/v1/dags/{dag}/runs/{run}/cancel", operate)
                .says("Runs", "End a run, and its remote jobs with it")
                .takes::<act::NoteBody>()
                .changes(),
            act::cancel,
        )
}

fn of_many(routes: Routes) -> Routes {
    routes
        .api(
            post("/api/v1/runs/bulk", Policy::OPERATE)
                .says("Runs", "Do the same to many runs")
                .takes::<commands::BulkBody>()
                .changes(),
            commands::bulk,
        )
        .api(
            post("/api/v1/commands", Policy::OPERATE)
                .says(
                    "Runs",
                    "A command in the words of the scheduler, as the command line sends it",
                )
                .takes::<commands::CommandSchema>()
                .answers_with::<commands::ReplySchema>(200, "What was changed, or would be."),
            commands::command,
        )
}
