//! Loads and checks: what was loaded where, and whether the data is as it should be.

mod attempt;
mod check;
mod checks;
mod lines;
mod load;
mod loads;

pub(crate) use attempt::OfAttempt;
pub(crate) use loads::Today;

use super::page;
use crate::access::Policy;
use crate::routes::Routes;

/// All of them.
pub(super) fn routes(routes: Routes) -> Routes {
    let (view, see) = (Policy::VIEW, Policy::VIEW_DAG);
    routes
        .get("/loads", view, loads::show)
        .get("/checks", view, checks::show)
        .get("/dags/{dag}/loads/{load}", see, load::show)
        .get("/dags/{dag}/checks/{check}", see, check::show)
}
