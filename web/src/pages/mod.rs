//! The pages. Each is a struct with a template, and a handler beside it that reads the store and returns it.

mod alerts;
mod audit;
mod backfills;
mod bulk;
mod connections;
mod dag;
mod dags;
mod deed;
mod enter;
mod error;
mod field;
mod find;
mod grid;
mod health;
mod home;
mod many;
mod monitor;
mod paused;
pub(crate) mod people;
mod pools;
pub(crate) mod rows;
mod run;
mod runs;
mod search;
mod settings;
mod sure;
mod task;
mod trigger;
mod usual;
mod variables;
mod workers;

pub(crate) use alerts::sees as sees_alert;
pub(crate) use dag::told as told_of_dag;
pub(crate) use error::ErrorPage;
pub(crate) use run::told as told_of_run;
pub(crate) use task::{Place, Tries, level, search, told as told_of_task};

use crate::access::Policy;
use crate::live::listen;
use crate::routes::{Routes, Site};
use crate::web::Web;
use crate::{api, assets};

/// Makes a struct with a template an answer.
macro_rules! page {
    ($name:ty) => {
        impl axum::response::IntoResponse for $name {
            fn into_response(self) -> axum::response::Response {
                match askama::Template::render(&self) {
                    Ok(page) => axum::response::Html(page).into_response(),
                    Err(error) => $crate::oops::Oops::from(error).into_response(),
                }
            }
        }
    };
}
use page;

/// The whole site: every page, action and API route there is, each with its policy.
#[must_use]
pub fn site(web: Web) -> Site {
    let areas = [
        overview,
        people::routes,
        of_dag,
        of_run,
        of_task,
        monitor::routes,
        shared,
        secret,
        kept,
        api::routes,
    ];
    let routes = Routes::new(web);
    areas
        .into_iter()
        .fold(routes, |routes, of| of(routes))
        .finish()
}

/// What is there before anybody signed in, and what is not of one DAG.
fn overview(routes: Routes) -> Routes {
    routes
        .get("/healthz", Policy::PUBLIC, health::alive)
        .get("/readyz", Policy::PUBLIC, health::ready)
        .get("/static/{name}", Policy::PUBLIC, assets::answer)
        .get("/enter", Policy::PUBLIC, enter::enter)
        .post("/leave", Policy::OWN, enter::leave)
        .get("/", Policy::VIEW, home::show)
        .get("/dags", Policy::VIEW, dags::show)
        .post("/dags", Policy::OPERATE, many::send)
        .get("/runs", Policy::VIEW, runs::show)
        .get("/search", Policy::VIEW, search::show)
        .get("/find", Policy::VIEW, find::answer)
        .get("/live", Policy::VIEW, listen)
        .get("/workers", Policy::VIEW, workers::show)
}

fn of_dag(routes: Routes) -> Routes {
    let operate = Policy::OPERATE_DAG;
    dag::routes(routes)
        .post("/dags/{dag}/pause", operate, deed::pause)
        .post("/dags/{dag}/resume", operate, deed::resume_and_run)
        .get("/dags/{dag}/trigger", operate, trigger::show)
        .post("/dags/{dag}/trigger", operate, trigger::send)
}

fn of_run(routes: Routes) -> Routes {
    const PRIORITY: &str = "/dags/{dag}/runs/{run}/priority";
    const DEED: &str = "/dags/{dag}/runs/{run}/do/{deed}";
    routes
        .get("/dags/{dag}/runs/{run}", Policy::VIEW_DAG, run::show)
        .get(PRIORITY, Policy::OPERATE_DAG, run::priority)
        .post(PRIORITY, Policy::OPERATE_DAG, run::set_priority)
        .get(DEED, Policy::OPERATE_DAG, run::preview)
        .post(DEED, Policy::OPERATE_DAG, run::carry_out)
}

fn of_task(routes: Routes) -> Routes {
    const TASK: &str = "/dags/{dag}/runs/{run}/tasks/{task}";
    const LOG: &str = "/dags/{dag}/runs/{run}/tasks/{task}/log";
    const FIND: &str = "/dags/{dag}/runs/{run}/tasks/{task}/log/find";
    const LIVE: &str = "/dags/{dag}/runs/{run}/tasks/{task}/log/live";
    const RAW: &str = "/dags/{dag}/runs/{run}/tasks/{task}/log/raw";
    const COMPARE: &str = "/dags/{dag}/runs/{run}/tasks/{task}/compare";
    const ALIKE: &str = "/dags/{dag}/runs/{run}/tasks/{task}/alike";
    const CLEAR: &str = "/dags/{dag}/runs/{run}/tasks/{task}/clear";
    const MARK: &str = "/dags/{dag}/runs/{run}/tasks/{task}/mark";
    let (see, operate) = (Policy::VIEW_DAG, Policy::OPERATE_DAG);
    routes
        .get(TASK, see, task::show)
        .get(LOG, see, task::lines)
        .get(FIND, see, task::find)
        .get(LIVE, see, task::listen_to_log)
        .get(RAW, see, task::raw)
        .get(COMPARE, see, task::compare)
        .get(ALIKE, see, task::alike)
        .get(CLEAR, operate, task::preview_clear)
        .post(CLEAR, operate, task::clear)
        .get(MARK, operate, task::preview_mark)
        .post(MARK, operate, task::mark)
}

/// What runs share: backfills, pools, workers, and what is done to many runs at once.
fn shared(routes: Routes) -> Routes {
    const BACKFILL: &str = "/dags/{dag}/backfill";
    const RESTART: &str = "/dags/{dag}/runs/{run}/restart";
    let (see, share) = (Policy::VIEW, Policy::SHARE);
    routes
        .get("/backfills", see, backfills::show)
        .get("/backfills/{backfill}", see, backfills::show_one)
        .post(
            "/backfills/{backfill}/pause",
            Policy::OPERATE,
            backfills::pause,
        )
        .get(
            "/backfills/{backfill}/cancel",
            Policy::OPERATE,
            backfills::ask_cancel,
        )
        .post(
            "/backfills/{backfill}/cancel",
            Policy::OPERATE,
            backfills::cancel,
        )
        .get(BACKFILL, Policy::OPERATE_DAG, backfills::form)
        .post(BACKFILL, Policy::OPERATE_DAG, backfills::send)
        .get(RESTART, Policy::OPERATE_DAG, run::restart)
        .post(RESTART, Policy::OPERATE_DAG, run::send_restart)
        .get("/runs/all/{deed}", Policy::OPERATE, bulk::preview)
        .post("/runs/all/{deed}", Policy::OPERATE, bulk::carry_out)
        .get("/pools", see, pools::show)
        .post("/pools", share, pools::make)
        .get("/pools/{pool}", see, pools::show_one)
        .post("/pools/{pool}", share, pools::change)
        .post("/pools/{pool}/pause", share, pools::pause)
        .get("/pools/{pool}/remove", share, pools::ask_remove)
        .post("/pools/{pool}/remove", share, pools::remove)
        .post("/workers/{worker}/drain", share, workers::drain)
        .get("/alerts", see, alerts::show)
        .post("/alerts/{alert}/again", share, alerts::again)
}

/// Variables and connections.
fn secret(routes: Routes) -> Routes {
    let secrets = Policy::SECRETS;
    routes
        .get("/variables", secrets, variables::show)
        .post("/variables", secrets, variables::make)
        .get("/variables/{variable}", secrets, variables::show_one)
        .post("/variables/{variable}", secrets, variables::change)
        .post("/variables/{variable}/reveal", secrets, variables::reveal)
        .get(
            "/variables/{variable}/remove",
            secrets,
            variables::ask_remove,
        )
        .post("/variables/{variable}/remove", secrets, variables::remove)
        .get("/connections", secrets, connections::show)
        .post("/connections", secrets, connections::make)
        .get("/connections/{connection}", secrets, connections::show_one)
        .post("/connections/{connection}", secrets, connections::change)
        .get(
            "/connections/{connection}/remove",
            secrets,
            connections::ask_remove,
        )
        .post(
            "/connections/{connection}/remove",
            secrets,
            connections::remove,
        )
}

/// What is on record, and how all of it is set up.
fn kept(routes: Routes) -> Routes {
    routes
        .get("/audit", Policy::AUDIT, audit::show)
        .get("/dags/{dag}/audit", Policy::VIEW_DAG, audit::of_dag)
        .get("/settings", Policy::SETTINGS, settings::show)
}
