//! `BigQuery`: its REST API v2 over a warehouse of Parquet.
//!
//! [`datasets`], [`tables`] and [`data`] answer at once; [`jobs`] keeps what runs in the background. Whatever touches rows
//! goes through `tidemill-warehouse`, which changes a table as a whole or not at all.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::Method as Verb;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tidemill_warehouse::Located;
use tidemill_warehouse::sql::Engine;
use tidemill_warehouse::tables::Warehouse;

use crate::call::{Answer, Call, Refusal, Reply};
use crate::route::Method;
use crate::services::Service;
use crate::services::storage::Storage;
use crate::state::{Clock, State};

/// What all paths begin with.
macro_rules! at {
    ($path:literal) => {
        concat!("/bigquery/v2/projects", $path)
    };
}

mod data;
mod datasets;
mod jobs;
mod json;
mod objects;
mod paging;
mod parameters;
mod program;
mod refusal;
mod schema;
pub(crate) mod seen;
mod shape;
mod tables;

/// All of `BigQuery`.
pub(crate) struct Bigquery {
    warehouse: Warehouse,
    engine: Engine,
    clock: Clock,
    public: String,
    /// Files that were uploaded for jobs.
    uploads: PathBuf,
    /// What jobs write down for when they are run again.
    scripts: PathBuf,
    jobs: jobs::Jobs,
    sessions: jobs::Sessions,
    seen: data::Seen,
    moments: paging::Moments,
    numbers: AtomicU64,
}

impl Bigquery {
    /// Opens the folder, and goes on with what was under way.
    pub(crate) fn open(
        folder: &Path,
        storage: Arc<Storage>,
        clock: Clock,
        public: &str,
    ) -> io::Result<Arc<Self>> {
        let stored = objects::Stored {
            storage,
            clock: Arc::clone(&clock),
        };
        let tables = folder.join("tables");
        let warehouse = Warehouse::open(&tables, Arc::new(stored), Arc::clone(&clock))
            .map_err(io::Error::other)?;
        let spill = folder.join("spill");
        std::fs::create_dir_all(&spill)?;
        let engine = Engine::new(Arc::new(Located::anywhere(warehouse.clone())), &spill)
            .map_err(io::Error::other)?;
        let uploads = folder.join("uploads");
        std::fs::create_dir_all(&uploads)?;
        let scripts = folder.join("scripts");
        std::fs::create_dir_all(&scripts)?;
        // Names that are given never come again, also not after a restart.
        let first = u64::try_from(clock().timestamp_micros()).unwrap_or(0);
        let bigquery = Arc::new(Self {
            warehouse,
            engine,
            clock,
            public: public.to_owned(),
            uploads,
            scripts,
            jobs: jobs::Jobs::open(&folder.join("jobs.jsonl"))?,
            sessions: jobs::Sessions::default(),
            seen: data::Seen::default(),
            moments: paging::Moments::default(),
            numbers: AtomicU64::new(first),
        });
        jobs::resume(&bigquery);
        Ok(bigquery)
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// The tables.
    pub(crate) fn warehouse(&self) -> &Warehouse {
        &self.warehouse
    }

    /// A number that was never given before.
    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::SeqCst)
    }

    /// Stops the jobs that run; they begin anew when the folder is opened again.
    pub(crate) async fn stop(&self) {
        self.jobs.stop().await;
    }
}

pub(crate) fn methods() -> Vec<Method> {
    let mut methods = vec![
        method(
            "bigquery.projects.list",
            Verb::GET,
            "/bigquery/v2/projects",
            projects,
        ),
        method(
            "bigquery.projects.getServiceAccount",
            Verb::GET,
            at!("/{projectId}/serviceAccount"),
            service_account,
        ),
    ];
    methods.extend(of_datasets());
    methods.extend(of_tables());
    methods.extend(jobs::methods());
    for (id, path) in [
        (
            "bigquery.routines.list",
            at!("/{projectId}/datasets/{datasetId}/routines"),
        ),
        (
            "bigquery.models.list",
            at!("/{projectId}/datasets/{datasetId}/models"),
        ),
        (
            "bigquery.rowAccessPolicies.list",
            at!("/{projectId}/datasets/{datasetId}/tables/{tableId}/rowAccessPolicies"),
        ),
    ] {
        methods.push(method(id, Verb::GET, path, nothing));
    }
    for verb in [Verb::GET, Verb::POST, Verb::PUT, Verb::PATCH, Verb::DELETE] {
        methods.push(method(
            "bigquery.other",
            verb,
            "/bigquery/v2/{+rest}",
            other,
        ));
    }
    methods
}

fn of_datasets() -> Vec<Method> {
    let all = at!("/{projectId}/datasets");
    let one = at!("/{projectId}/datasets/{datasetId}");
    vec![
        method("bigquery.datasets.list", Verb::GET, all, datasets::list),
        method(
            "bigquery.datasets.insert",
            Verb::POST,
            all,
            datasets::insert,
        ),
        method("bigquery.datasets.get", Verb::GET, one, datasets::get),
        method("bigquery.datasets.patch", Verb::PATCH, one, datasets::patch),
        method("bigquery.datasets.update", Verb::PUT, one, datasets::update),
        method(
            "bigquery.datasets.delete",
            Verb::DELETE,
            one,
            datasets::delete,
        ),
    ]
}

fn of_tables() -> Vec<Method> {
    let all = at!("/{projectId}/datasets/{datasetId}/tables");
    let one = at!("/{projectId}/datasets/{datasetId}/tables/{tableId}");
    vec![
        method("bigquery.tables.list", Verb::GET, all, tables::list),
        method("bigquery.tables.insert", Verb::POST, all, tables::insert),
        method("bigquery.tables.get", Verb::GET, one, tables::get),
        method("bigquery.tables.patch", Verb::PATCH, one, tables::patch),
        method("bigquery.tables.update", Verb::PUT, one, tables::update),
        method("bigquery.tables.delete", Verb::DELETE, one, tables::delete),
        method(
            "bigquery.tabledata.list",
            Verb::GET,
            at!("/{projectId}/datasets/{datasetId}/tables/{tableId}/data"),
            data::list,
        ),
        method(
            "bigquery.tabledata.insertAll",
            Verb::POST,
            at!("/{projectId}/datasets/{datasetId}/tables/{tableId}/insertAll"),
            data::insert_all,
        ),
    ]
}

fn method<F, R>(id: &'static str, verb: Verb, path: &'static str, handler: F) -> Method
where
    F: Fn(Arc<State>, Call) -> R + Send + Sync + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    Method::new(Service::Bigquery, id, verb, path, handler)
}

/// `GET …/projects`
async fn projects(state: Arc<State>, call: Call) -> Answer {
    let found = state.bigquery.warehouse.projects();
    let total = found.len();
    let (page, next) = paging::listed(&call, found)?;
    let projects: Vec<Value> = page
        .iter()
        .map(|project| {
            json!({
                "kind": "bigquery#project",
                "id": project,
                "numericId": "1",
                "projectReference": { "projectId": project },
                "friendlyName": project,
            })
        })
        .collect();
    Ok(Reply::json(&Value::Object(json::object(json!({
        "kind": "bigquery#projectList",
        "etag": format!("l{total}"),
        "projects": projects,
        "totalItems": total,
        "nextPageToken": next,
    })))))
}

/// `GET …/serviceAccount`
async fn service_account(_: Arc<State>, call: Call) -> Answer {
    Ok(Reply::json(&json!({
        "kind": "bigquery#getServiceAccountResponse",
        "email": format!("bq-sandbox@{}.iam.gserviceaccount.com", call.part("projectId")),
    })))
}

/// Lists of what the sandbox has none of.
async fn nothing(state: Arc<State>, call: Call) -> Answer {
    let id =
        tidemill_warehouse::tables::DatasetId::new(call.part("projectId"), call.part("datasetId"));
    state
        .bigquery
        .warehouse
        .dataset(&id)
        .map_err(|error| refusal::of_table(&error))?;
    let name = match call.method {
        "bigquery.routines.list" => "routines",
        "bigquery.models.list" => "models",
        _ => "rowAccessPolicies",
    };
    Ok(Reply::json(&json!({ name: [] })))
}

/// What is none of the methods: one that the sandbox does not do, or none at all.
async fn other(_: Arc<State>, call: Call) -> Answer {
    let rest = call.part("rest");
    let known = [
        "routines",
        "models",
        "rowAccessPolicies",
        "undelete",
        "getIamPolicy",
        "setIamPolicy",
        "testIamPermissions",
    ];
    let mut words = rest.split(['/', ':']);
    match words.find(|word| known.contains(word)) {
        Some(word) => Err(Refusal::unsupported(&format!("{word} of BigQuery"))),
        None => Err(Refusal::not_found(format!(
            "BigQuery has no method at /bigquery/v2/{rest}"
        ))),
    }
}
