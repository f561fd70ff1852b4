//! Which operations there are: each with its policy, and with what it takes and gives.

mod backfills;
mod dags;
mod here;
mod kept;
mod monitor;
mod people;
mod pictures;
mod pools;
mod runs;
mod sealed;
mod tasks;

use crate::routes::Routes;

/// Every operation, and the pages that explain them.
pub(crate) fn routes(routes: Routes) -> Routes {
    let areas = [
        here::routes,
        dags::routes,
        runs::routes,
        monitor::routes,
        tasks::routes,
        backfills::routes,
        pools::routes,
        sealed::routes,
        pictures::routes,
        people::routes,
        kept::routes,
    ];
    areas.into_iter().fold(routes, |routes, of| of(routes))
}
