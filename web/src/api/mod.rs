//! The REST API, for all that pages and the command line can do. An operation is registered with its policy and with what it
//! takes and gives (`operation`); the document is made of exactly that. What is done is done by the same functions as for
//! pages: rules, reads and the door are not here.

mod act;
mod backfills;
mod browse;
mod commands;
mod dags;
mod document;
mod example;
mod find;
mod given;
mod logs;
mod once;
mod operation;
mod paging;
mod runs;
mod sealed;
mod shared;
mod tasks;
mod trigger;
pub mod views;
mod wait;

pub(crate) use document::Document;
pub(crate) use operation::Operation;

use operation::{KEY, delete, get, patch, post, put};
use views::{
    AttemptView, AuditView, BackfillView, ConnectionView, DagView, DateView, FleetView, FoundView,
    HealthView, InstancesView, LoadView, LogView, MeView, OutputView, PoolView, RevealedView,
    RunView, TaskView, TriggeredView, VariableView, VersionView, WhyView,
};

use crate::access::Policy;
use crate::routes::Routes;

/// Every operation, and the pages that explain them.
pub(crate) fn routes(routes: Routes) -> Routes {
    let areas = [
        here,
        of_dags,
        of_runs,
        of_run,
        acts,
        of_tasks,
        of_task,
        task_acts,
        of_logs,
        of_backfills,
        of_pools,
        of_sealed,
        of_many,
    ];
    areas.into_iter().fold(routes, |routes, of| of(routes))
}

fn here(routes: Routes) -> Routes {
    let see = Policy::VIEW;
    routes
        .get("/api", see, browse::page)
        .api(
            get("/api/v1/openapi.json", see)
                .says("Here", "This document")
                .streams("application/json", "The document."),
            browse::document,
        )
        .api(
            get("/api/v1/me", see)
                .says("Here", "Who you are, and what you may do")
                .gives::<MeView>(),
            shared::me,
        )
        .api(
            get("/api/v1/health", see)
                .says("Here", "How this Tidemill stands")
                .gives::<HealthView>(),
            shared::health,
        )
        .api(
            get("/api/v1/audit", Policy::AUDIT)
                .says("Here", "The audit log, the last line first")
                .query::<shared::AuditQuery>()
                .lists::<AuditView>(),
            shared::audit,
        )
        .api(
            get("/api/v1/workers", see)
                .says(
                    "Here",
                    "The workers, and what waits for one that is not there",
                )
                .gives::<FleetView>(),
            shared::workers,
        )
}

fn of_dags(routes: Routes) -> Routes {
    let (see, operate) = (Policy::VIEW_DAG, Policy::OPERATE_DAG);
    routes
        .api(
            get("/api/v1/dags", Policy::VIEW)
                .says("DAGs", "List DAGs")
                .query::<dags::DagsQuery>()
                .lists::<DagView>(),
            dags::list,
        )
        .api(
            get("/api/v1/dags/{dag}", see)
                .says("DAGs", "One DAG")
                .gives::<DagView>(),
            dags::show,
        )
        .api(
            patch("/api/v1/dags/{dag}", operate)
                .says("DAGs", "Pause a DAG, or let it go on")
                .takes::<dags::DagPatch>()
                .changes(),
            dags::change,
        )
        .api(
            get("/api/v1/dags/{dag}/versions", see)
                .says("DAGs", "Its versions, the newest first")
                .query::<dags::PageQuery>()
                .lists::<VersionView>(),
            dags::versions,
        )
        .api(
            get("/api/v1/dags/{dag}/definition", see)
                .says("DAGs", "What it is, as data")
                .query::<dags::DefinitionQuery>()
                .gives::<serde_json::Value>(),
            dags::definition,
        )
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
                .answers_with::<TriggeredView>(201, "The run; `Location` is its address."),
            trigger::trigger,
        )
        .api(
            get("/api/v1/loads", Policy::VIEW)
                .says("Runs", "What was loaded, the last first")
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
                .gives::<RunView>(),
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
                .says("Runs", "What a run loaded")
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
                .header(operation::IF_MATCH)
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

fn of_tasks(routes: Routes) -> Routes {
    let see = Policy::VIEW_DAG;
    routes
        .api(
            get("/api/v1/dags/{dag}/runs/{run}/tasks", see)
                .says("Tasks", "List the tasks of a run")
                .query::<tasks::TasksQuery>()
                .lists::<TaskView>(),
            tasks::list,
        )
        .api(
            get("/api/v1/dags/{dag}/runs/{run}/tasks/{task}", see)
                .says("Tasks", "One task, or an instance of a mapped one")
                .query::<tasks::InstanceQuery>()
                .gives::<TaskView>(),
            tasks::show,
        )
        .api(
            get("/api/v1/dags/{dag}/runs/{run}/tasks/{task}/instances", see)
                .says(
                    "Tasks",
                    "How many instances of a mapped task are in which state",
                )
                .lists::<InstancesView>(),
            tasks::instances,
        )
}

fn of_task(routes: Routes) -> Routes {
    let see = Policy::VIEW_DAG;
    routes
        .api(
            get("/api/v1/dags/{dag}/runs/{run}/tasks/{task}/attempts", see)
                .says("Tasks", "What was tried, the last first")
                .query::<tasks::InstanceQuery>()
                .lists::<AttemptView>(),
            tasks::attempts,
        )
        .api(
            get("/api/v1/dags/{dag}/runs/{run}/tasks/{task}/why", see)
                .says("Tasks", "Why a task is not running: every gate before it")
                .query::<tasks::InstanceQuery>()
                .gives::<WhyView>(),
            tasks::why,
        )
        .api(
            get("/api/v1/dags/{dag}/runs/{run}/tasks/{task}/output", see)
                .says("Tasks", "What an attempt returned")
                .query::<tasks::AttemptQuery>()
                .gives::<OutputView>(),
            tasks::output,
        )
}

fn task_acts(routes: Routes) -> Routes {
    let operate = Policy::OPERATE_DAG;
    routes
        .api(
            patch("/api/v1/dags/{dag}/runs/{run}/tasks/{task}", operate)
                .says("Tasks", "Write a note on a task")
                .takes::<tasks::TaskPatch>()
                .changes(),
            tasks::patch,
        )
        .api(
            post("/api/v1/dags/{dag}/runs/{run}/tasks/{task}/clear", operate)
                .says(
                    "Tasks",
                    "Run a task again, and what is around it if that is wanted",
                )
                .takes::<tasks::TaskClearBody>()
                .changes(),
            tasks::clear,
        )
        .api(
            post("/api/v1/dags/{dag}/runs/{run}/tasks/{task}/mark", operate)
                .says("Tasks", "Let a task count as having ended")
                .takes::<tasks::TaskMarkBody>()
                .changes(),
            tasks::mark,
        )
        .api(
            post("/api/v1/dags/{dag}/runs/{run}/tasks/{task}/cancel", operate)
                .says("Tasks", "End the attempt that is on; the task fails")
                .takes::<tasks::TaskCancelBody>()
                .changes(),
            tasks::cancel,
        )
        .api(
            post("/api/v1/dags/{dag}/runs/{run}/tasks/{task}/forget", operate)
                .says(
                    "Tasks",
                    "Wait no longer for the stop of its last attempt; what that started outside may go on",
                )
                .takes::<tasks::TaskForgetBody>()
                .changes(),
            tasks::forget,
        )
        .api(
            post("/api/v1/dags/{dag}/runs/{run}/tasks/{task}/answer", operate)
                .says("Tasks", "Answer an approval")
                .takes::<tasks::TaskAnswerBody>()
                .changes(),
            tasks::answer,
        )
}

fn of_logs(routes: Routes) -> Routes {
    let see = Policy::VIEW_DAG;
    routes
        .api(
            get("/api/v1/dags/{dag}/runs/{run}/tasks/{task}/log", see)
                .says("Logs", "A page of the log of an attempt")
                .query::<logs::LogQuery>()
                .gives::<LogView>(),
            logs::page,
        )
        .api(
            get("/api/v1/dags/{dag}/runs/{run}/tasks/{task}/log/search", see)
                .says("Logs", "The lines with a text in them")
                .query::<logs::SearchQuery>()
                .gives::<FoundView>(),
            logs::find_in,
        )
        .api(
            get("/api/v1/dags/{dag}/runs/{run}/tasks/{task}/log/raw", see)
                .says("Logs", "All of it, as text")
                .query::<tasks::AttemptQuery>()
                .streams("text/plain", "The log."),
            logs::raw,
        )
        .api(
            get("/api/v1/dags/{dag}/runs/{run}/tasks/{task}/log/follow", see)
                .says("Logs", "Lines as they come, until the attempt is over")
                .query::<logs::FollowQuery>()
                .streams(
                    "application/x-ndjson",
                    "One `LogLineView` a line, for five minutes at the most. Go on with `after`: nothing more comes of an attempt that is over.",
                ),
            logs::follow,
        )
}

fn of_backfills(routes: Routes) -> Routes {
    let (see, operate) = (Policy::VIEW_DAG, Policy::OPERATE_DAG);
    let one = "/api/v1/dags/{dag}/backfills/{backfill}";
    routes
        .api(
            get("/api/v1/backfills", Policy::VIEW)
                .says("Backfills", "List backfills of all DAGs, the newest first")
                .query::<backfills::BackfillsQuery>()
                .lists::<BackfillView>(),
            backfills::list,
        )
        .api(
            get("/api/v1/dags/{dag}/backfills", see)
                .says("Backfills", "List backfills of a DAG, the newest first")
                .query::<backfills::BackfillsQuery>()
                .lists::<BackfillView>(),
            backfills::of_dag,
        )
        .api(
            post("/api/v1/dags/{dag}/backfills", operate)
                .says("Backfills", "Make runs for dates of the past")
                .query::<given::ChangeQuery>()
                .takes::<backfills::BackfillBody>()
                .answers_with::<backfills::BackfilledView>(200, "What would be made, of a dry run.")
                .answers_with::<backfills::BackfilledView>(201, "The backfill."),
            backfills::make,
        )
        .api(
            get(one, see)
                .says("Backfills", "One backfill")
                .gives::<BackfillView>(),
            backfills::show,
        )
        .api(
            patch(one, operate)
                .says("Backfills", "Pause a backfill, or let it go on")
                .takes::<backfills::BackfillPatch>()
                .changes(),
            backfills::patch,
        )
        .api(
            get("/api/v1/dags/{dag}/backfills/{backfill}/dates", see)
                .says(
                    "Backfills",
                    "Its dates, in the order in which runs are made",
                )
                .query::<dags::PageQuery>()
                .lists::<DateView>(),
            backfills::dates,
        )
        .api(
            post("/api/v1/dags/{dag}/backfills/{backfill}/cancel", operate)
                .says("Backfills", "End a backfill, and its runs with it")
                .changes(),
            backfills::cancel,
        )
}

fn of_pools(routes: Routes) -> Routes {
    let (see, share) = (Policy::VIEW, Policy::SHARE);
    let one = "/api/v1/pools/{pool}";
    routes
        .api(
            get("/api/v1/pools", see)
                .says("Pools and assets", "List the pools that were set")
                .query::<dags::PageQuery>()
                .lists::<PoolView>(),
            shared::pools,
        )
        .api(
            get(one, see)
                .says("Pools and assets", "One pool")
                .gives::<PoolView>(),
            shared::pool,
        )
        .api(
            put(one, share)
                .says("Pools and assets", "Make a pool, or give it other slots")
                .takes::<shared::PoolBody>()
                .changes(),
            shared::set_pool,
        )
        .api(
            patch(one, share)
                .says(
                    "Pools and assets",
                    "Pause a pool, or let it give slots again",
                )
                .takes::<shared::PoolPatch>()
                .changes(),
            shared::pause_pool,
        )
        .api(
            delete(one, share)
                .says("Pools and assets", "Remove a pool")
                .changes(),
            shared::remove_pool,
        )
        .api(
            post("/api/v1/assets/changed", share)
                .says("Pools and assets", "Say that an asset was changed outside")
                .takes::<shared::AssetBody>()
                .changes(),
            shared::asset_changed,
        )
}

fn of_sealed(routes: Routes) -> Routes {
    const AREA: &str = "Variables and connections";
    let secrets = Policy::SECRETS;
    let variable = "/api/v1/variables/{variable}";
    let connection = "/api/v1/connections/{connection}";
    routes
        .api(
            get("/api/v1/variables", secrets)
                .says(AREA, "List variables, without their values")
                .query::<dags::PageQuery>()
                .lists::<VariableView>(),
            sealed::variables,
        )
        .api(
            get(variable, secrets)
                .says(AREA, "One variable, without its value")
                .gives::<VariableView>(),
            sealed::variable,
        )
        .api(
            put(variable, secrets)
                .says(AREA, "Make a variable, or give it another value")
                .takes::<sealed::VariableSet>()
                .changes(),
            sealed::set_variable,
        )
        .api(
            delete(variable, secrets)
                .says(AREA, "Remove a variable")
                .changes(),
            sealed::remove_variable,
        )
        .api(
            post("/api/v1/variables/{variable}/reveal", secrets)
                .says(
                    AREA,
                    "The value of a variable; the audit log says who asked",
                )
                .gives::<RevealedView>(),
            sealed::reveal,
        )
        .api(
            get("/api/v1/connections", secrets)
                .says(AREA, "List connections, without their secrets")
                .query::<dags::PageQuery>()
                .lists::<ConnectionView>(),
            sealed::connections,
        )
        .api(
            get(connection, secrets)
                .says(AREA, "One connection, without its secrets")
                .gives::<ConnectionView>(),
            sealed::connection,
        )
        .api(
            put(connection, secrets)
                .says(AREA, "Make a connection, or change it")
                .takes::<sealed::ConnectionSet>()
                .changes(),
            sealed::set_connection,
        )
        .api(
            delete(connection, secrets)
                .says(AREA, "Remove a connection")
                .changes(),
            sealed::remove_connection,
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
