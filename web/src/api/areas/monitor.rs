//! Loads and checks: the monitoring table, and what came of checks of data.

use super::super::operation::get;
use super::super::views::{CheckHeadView, CheckResultView, LoadDayView, LoadView};
use super::super::{dags, monitor};
use crate::access::Policy;
use crate::routes::Routes;

/// All of them.
pub(super) fn routes(routes: Routes) -> Routes {
    let see = Policy::VIEW_DAG;
    routes
        .api(
            get("/api/v1/loads/days", Policy::VIEW)
                .says("Loads", "What was loaded day by day")
                .query::<monitor::DaysQuery>()
                .lists::<LoadDayView>(),
            monitor::days,
        )
        .api(
            get("/api/v1/dags/{dag}/loads/{load}", see)
                .says(
                    "Loads",
                    "One load, by its attempt and which of its loads it is",
                )
                .more("`1001.0` is the first load of attempt 1001.")
                .gives::<LoadView>(),
            monitor::load,
        )
        .api(
            get("/api/v1/checks", Policy::VIEW)
                .says("Checks", "What came of checks of data, the last first")
                .query::<monitor::ChecksQuery>()
                .lists::<CheckResultView>(),
            monitor::checks,
        )
        .api(
            get("/api/v1/checks/last", Policy::VIEW)
                .says("Checks", "Each check once, with what came of it lately")
                .query::<monitor::LastQuery>()
                .lists::<CheckHeadView>(),
            monitor::last,
        )
        .api(
            get("/api/v1/dags/{dag}/checks/{check}", see)
                .says(
                    "Checks",
                    "What came of one check, by its attempt and which of its checks it is",
                )
                .gives::<CheckResultView>(),
            monitor::check,
        )
        .api(
            get("/api/v1/dags/{dag}/runs/{run}/checks", see)
                .says("Checks", "What came of the checks of a run")
                .query::<dags::PageQuery>()
                .lists::<CheckResultView>(),
            monitor::checks_of_run,
        )
}
