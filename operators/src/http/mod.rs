//! The one way to every API that is spoken over HTTP: Cloud Storage, BigQuery, Dataproc, Databricks and the rest.
//!
//! An operator names an [`Api`] and a connection, and gets a [`Client`] that knows the address, the credentials and how
//! patient to be. A request says what is being done and what it needs; what a reply means is decided in one place
//! ([`failure`]), so a missing bucket, a spent quota and a lost reply are the same kinds of error whatever the service.
//!
//! ```no_run
//! use tidemill_core::prelude::*;
//! use tidemill_operators::http::{self, Api};
//!
//! const STORAGE: Api = Api::google("storage", "https://storage.googleapis.com");
//!
//! async fn buckets(ctx: &TaskContext) -> TaskResult<serde_json::Value> {
//!     let client = http::open(ctx, "google", &STORAGE).await?;
//!     let project = client.project().await?;
//!     client
//!         .get("/storage/v1/b", &[])
//!         .query("project", &project)
//!         .doing("list the buckets")
//!         .needs("storage.buckets.list")
//!         .send_json()
//!         .await
//! }
//! ```
//!
//! # What is sent again
//!
//! A request that may be repeated without harm (`GET`, `PUT`, `DELETE`, and what is marked [`Request::repeatable`]) is sent
//! again after a 5xx, a lost or an unreadable reply, with waits that grow and are drawn by lot, until its time is over or
//! the budget of repetitions of that server is spent. Any other request is sent again only when it is certain that nothing
//! was done: no connection, 429, a token that has ended. Where that is open the error is
//! [`Ambiguous`](tidemill_core::operator::ErrorKind::Ambiguous), and the next attempt looks before it sends.

mod api;
mod client;
mod clients;
pub mod failure;
mod pace;
mod reply;
mod request;
mod retry;
mod said;
mod send;

use tidemill_core::operator::{TaskContext, TaskResult};

pub use api::{Api, Kind};
pub(crate) use api::{is_local, parsed};
pub use client::Client;
pub(crate) use client::Line;
pub use clients::{Clients, Machine};
pub use pace::Pace;
pub use reply::{Download, Reply};
pub use request::Request;
pub use reqwest::Method;
pub use said::Said;

/// The wait before try `nth` of something that consists of requests, drawn by lot.
pub(crate) fn backoff(nth: u32) -> std::time::Duration {
    retry::backoff(nth, retry::lot())
}

/// A client for this API through a connection of the deployment.
///
/// # Errors
/// There is no such connection, it leads to another kind of system, or its address is none.
pub async fn open(ctx: &TaskContext, connection: &str, api: &Api) -> TaskResult<Client> {
    let clients = ctx.service::<Clients>()?;
    let connection = ctx.connection(connection).await?;
    clients.client(&connection, api, std::sync::Arc::new(ctx.clone()))
}
