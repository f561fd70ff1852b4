//! The tasks of a run, and their logs.

use super::super::operation::{get, patch, post};
use super::super::views::{
    AttemptView, FoundView, InstancesView, LogView, OutputView, TaskView, WhyView,
};
use super::super::{logs, tasks};
use crate::access::Policy;
use crate::routes::Routes;

/// All of them.
pub(super) fn routes(routes: Routes) -> Routes {
    let parts = [of_tasks, of_task, task_acts, of_logs];
    parts.into_iter().fold(routes, |routes, of| of(routes))
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
                .gives_tagged::<TaskView>(),
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
