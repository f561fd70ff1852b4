//! Alerts, settings, and finding things by a text.

use super::super::operation::{get, patch, post};
use super::super::views::{AlertView, SearchView, SettingsView};
use super::super::{alerts, search, settings, shared};
use crate::access::Policy;
use crate::routes::Routes;

/// All of them.
pub(super) fn routes(routes: Routes) -> Routes {
    let (see, share) = (Policy::VIEW, Policy::SHARE);
    routes
        .api(
            get("/api/v1/search", see)
                .says("Here", "Find DAGs and runs by a text")
                .query::<search::SearchQuery>()
                .gives::<SearchView>(),
            search::search,
        )
        .api(
            get("/api/v1/settings", Policy::SETTINGS)
                .says("Here", "What this Tidemill runs with, secrets masked")
                .query::<settings::SettingsQuery>()
                .gives::<SettingsView>(),
            settings::show,
        )
        .api(
            patch("/api/v1/workers/{worker}", share)
                .says("Here", "Send a worker to rest, or call it back")
                .takes::<shared::WorkerPatch>()
                .changes(),
            shared::change_worker,
        )
        .api(
            get("/api/v1/alerts", see)
                .says("Alerts", "List alerts, the newest first")
                .query::<alerts::AlertsQuery>()
                .lists::<AlertView>(),
            alerts::list,
        )
        .api(
            post("/api/v1/alerts/{alert}/again", share)
                .says(
                    "Alerts",
                    "Have an alert delivered once more that could not be",
                )
                .gives::<AlertView>(),
            alerts::again,
        )
}
