//! Backfills.

use super::super::operation::{get, patch, post};
use super::super::views::{BackfillView, DateView};
use super::super::{backfills, dags, given};
use crate::access::Policy;
use crate::routes::Routes;

/// All of them.
pub(super) fn routes(routes: Routes) -> Routes {
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
                .gives_tagged::<BackfillView>(),
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
