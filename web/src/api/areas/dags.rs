//! DAGs.

use super::super::dags;
use super::super::operation::{get, patch};
use super::super::views::{DagView, VersionView};
use crate::access::Policy;
use crate::routes::Routes;

/// All of them.
pub(super) fn routes(routes: Routes) -> Routes {
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
                .gives_tagged::<DagView>(),
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
