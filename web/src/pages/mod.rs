//! The pages. Each is a struct with a template, and a handler beside it that reads the store and returns it.

mod dag;
mod dags;
mod deed;
mod enter;
mod error;
mod field;
mod grid;
mod health;
mod home;
mod rows;
mod run;
mod runs;
mod search;
mod task;
mod trigger;
mod workers;

pub(crate) use error::ErrorPage;

use crate::access::Policy;
use crate::assets;
use crate::routes::{Routes, Site};
use crate::web::Web;

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
    Routes::new(web)
        .get("/healthz", Policy::PUBLIC, health::alive)
        .get("/readyz", Policy::PUBLIC, health::ready)
        .get("/static/{name}", Policy::PUBLIC, assets::answer)
        .get("/enter", Policy::PUBLIC, enter::enter)
        .post("/leave", Policy::VIEW, enter::leave)
        .get("/", Policy::VIEW, home::show)
        .get("/dags", Policy::VIEW, dags::show)
        .get("/dags/{dag}", Policy::VIEW_DAG, dag::grid)
        .get("/dags/{dag}/graph", Policy::VIEW_DAG, dag::graph)
        .post("/dags/{dag}/pause", Policy::OPERATE_DAG, deed::pause)
        .get(
            "/dags/{dag}/runs/{run}/tasks/{task}",
            Policy::VIEW_DAG,
            task::show,
        )
        .get(
            "/dags/{dag}/runs/{run}/tasks/{task}/log",
            Policy::VIEW_DAG,
            task::lines,
        )
        .get(
            "/dags/{dag}/runs/{run}/tasks/{task}/log/find",
            Policy::VIEW_DAG,
            task::find,
        )
        .get(
            "/dags/{dag}/runs/{run}/tasks/{task}/log/raw",
            Policy::VIEW_DAG,
            task::raw,
        )
        .get(
            "/dags/{dag}/runs/{run}/tasks/{task}/clear",
            Policy::OPERATE_DAG,
            task::preview_clear,
        )
        .post(
            "/dags/{dag}/runs/{run}/tasks/{task}/clear",
            Policy::OPERATE_DAG,
            task::clear,
        )
        .get(
            "/dags/{dag}/runs/{run}/tasks/{task}/mark",
            Policy::OPERATE_DAG,
            task::preview_mark,
        )
        .post(
            "/dags/{dag}/runs/{run}/tasks/{task}/mark",
            Policy::OPERATE_DAG,
            task::mark,
        )
        .post("/dags/{dag}/trigger", Policy::OPERATE_DAG, trigger::send)
        .get("/dags/{dag}/trigger", Policy::OPERATE_DAG, trigger::show)
        .get("/dags/{dag}/runs/{run}", Policy::VIEW_DAG, run::show)
        .get(
            "/dags/{dag}/runs/{run}/do/{deed}",
            Policy::OPERATE_DAG,
            run::preview,
        )
        .post(
            "/dags/{dag}/runs/{run}/do/{deed}",
            Policy::OPERATE_DAG,
            run::carry_out,
        )
        .get("/runs", Policy::VIEW, runs::show)
        .get("/search", Policy::VIEW, search::show)
        .get("/workers", Policy::VIEW, workers::show)
        .finish()
}
