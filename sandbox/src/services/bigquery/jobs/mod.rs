//! Jobs: written down, run in the background, kept for who asks.
//!
//! The identifier of a job is a key: whoever sends it again is told that it is there, also when the job failed. A job that
//! was under way at a kill has a [`record::Job::prepared`] if it was about to change its table; whether it did, says the stamp
//! that the table bears. If it did not, the job runs again from its beginning.

mod copy;
mod diary;
mod extract;
mod insert;
mod load;
mod look;
mod query;
mod record;
mod results;
mod run;
mod seen;
mod select;
mod shown;
mod upload;

use axum::http::Method as Verb;

use super::method;
use crate::route::Method;

pub(super) use run::{Jobs, resume};
pub(crate) use seen::JobSeen;
pub(super) use upload::Sessions;

pub(super) fn methods() -> Vec<Method> {
    let all = at!("/{projectId}/jobs");
    let mut methods = vec![
        method("bigquery.jobs.list", Verb::GET, all, look::list),
        method("bigquery.jobs.insert", Verb::POST, all, insert::insert),
        method(
            "bigquery.jobs.get",
            Verb::GET,
            at!("/{projectId}/jobs/{jobId}"),
            look::get,
        ),
        method(
            "bigquery.jobs.cancel",
            Verb::POST,
            at!("/{projectId}/jobs/{jobId}/cancel"),
            look::cancel,
        ),
        method(
            "bigquery.jobs.delete",
            Verb::DELETE,
            at!("/{projectId}/jobs/{jobId}/delete"),
            look::delete,
        ),
        method(
            "bigquery.jobs.query",
            Verb::POST,
            at!("/{projectId}/queries"),
            query::query,
        ),
        method(
            "bigquery.jobs.getQueryResults",
            Verb::GET,
            at!("/{projectId}/queries/{jobId}"),
            results::get,
        ),
    ];
    for path in [
        "/upload/bigquery/v2/projects/{projectId}/jobs",
        "/resumable/upload/bigquery/v2/projects/{projectId}/jobs",
    ] {
        for verb in [Verb::POST, Verb::PUT] {
            methods.push(method("bigquery.jobs.insert", verb, path, upload::insert));
        }
    }
    methods
}
