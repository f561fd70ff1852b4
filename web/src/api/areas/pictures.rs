//! What pages draw, as data.

use super::super::operation::get;
use super::super::views::{
    CauseView, ColumnView, DayView, DurationsView, PlannedView, TimelineView,
};
use super::super::{cause, dags, pictures, tasks};
use crate::access::Policy;
use crate::routes::Routes;

/// All of them.
pub(super) fn routes(routes: Routes) -> Routes {
    let parts = [of_dag, of_run];
    parts.into_iter().fold(routes, |routes, of| of(routes))
}

fn of_dag(routes: Routes) -> Routes {
    let see = Policy::VIEW_DAG;
    routes
        .api(
            get("/api/v1/dags/{dag}/grid", see)
                .says(
                    "DAGs",
                    "The grid: its runs, the newest first, and where their tasks stand",
                )
                .more("At most 50 runs come at once, and fewer of a DAG with many tasks.")
                .query::<dags::PageQuery>()
                .lists::<ColumnView>(),
            pictures::grid,
        )
        .api(
            get("/api/v1/dags/{dag}/calendar", see)
                .says(
                    "DAGs",
                    "The days of a year on which something ran or is planned",
                )
                .query::<pictures::CalendarQuery>()
                .lists::<DayView>(),
            pictures::calendar,
        )
        .api(
            get("/api/v1/dags/{dag}/durations", see)
                .says(
                    "DAGs",
                    "How long its last runs took, and which tasks made them so",
                )
                .query::<pictures::DurationsQuery>()
                .gives::<DurationsView>(),
            pictures::durations,
        )
        .api(
            get("/api/v1/dags/{dag}/planned", see)
                .says("DAGs", "The next runs that its timetable will make")
                .more("There are none of a DAG that is paused or goes by something else than time.")
                .query::<pictures::PlannedQuery>()
                .lists::<PlannedView>(),
            pictures::planned,
        )
        .api(
            get("/api/v1/dags/{dag}/diff", see)
                .says(
                    "DAGs",
                    "What changed between two versions; null if nothing did",
                )
                .query::<pictures::DiffQuery>()
                .gives::<serde_json::Value>(),
            pictures::diff,
        )
}

fn of_run(routes: Routes) -> Routes {
    let see = Policy::VIEW_DAG;
    routes
        .api(
            get("/api/v1/dags/{dag}/runs/{run}/timeline", see)
                .says("Runs", "A run over time, and which tasks decided when it ended")
                .query::<pictures::TimelineQuery>()
                .gives::<TimelineView>(),
            pictures::timeline,
        )
        .api(
            get("/api/v1/dags/{dag}/runs/{run}/tasks/{task}/cause", see)
                .says(
                    "Tasks",
                    "Why a task is where it is: what failed, what it means, where else it failed like this",
                )
                .query::<tasks::AttemptQuery>()
                .gives::<CauseView>(),
            cause::show,
        )
}
