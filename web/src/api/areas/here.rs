//! What is of no DAG: who asks, how this Tidemill stands, what people did.

use super::super::operation::get;
use super::super::views::{AuditView, FleetView, HealthView, MeView};
use super::super::{browse, shared};
use crate::access::Policy;
use crate::routes::Routes;

/// All of them.
pub(super) fn routes(routes: Routes) -> Routes {
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
