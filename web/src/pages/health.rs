//! Whether this process lives, and whether it can answer.

use axum::extract::State;

use crate::oops::Oops;
use crate::web::Web;

pub(crate) async fn alive() -> &'static str {
    "alive\n"
}

/// Ready is who reaches the database: pages are read from there, also while nobody leads.
pub(crate) async fn ready(State(web): State<Web>) -> Result<&'static str, Oops> {
    web.store().holder().await.map_err(|error| {
        tracing::warn!("not ready: {error}");
        Oops::Away
    })?;
    Ok("ready\n")
}
