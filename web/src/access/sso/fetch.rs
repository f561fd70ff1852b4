//! How other hosts are asked. The process that serves pages brings its own client, with its own roots of trust.

use axum::http::{Request, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use tidemill_core::operator::BoxFuture;

/// A host did not answer, or with something that does not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// Asks other hosts, within a time, a size, and without being led elsewhere.
pub trait Fetch: Send + Sync + 'static {
    /// Sends this and waits for the answer, whatever its status.
    fn fetch(
        &self,
        request: Request<Vec<u8>>,
    ) -> BoxFuture<'_, Result<Response<Vec<u8>>, FetchError>>;
}

/// A document at an address.
pub(super) async fn document<T: DeserializeOwned>(
    fetch: &dyn Fetch,
    url: &str,
) -> Result<T, FetchError> {
    let request = Request::get(url).header(header::ACCEPT, "application/json");
    let request = request.body(Vec::new());
    let request = request.map_err(|error| FetchError(format!("{url} is no address: {error}")))?;
    let answer = fetch.fetch(request).await?;
    read(url, &answer)
}

/// What is in an answer.
pub(super) fn read<T: DeserializeOwned>(
    url: &str,
    answer: &Response<Vec<u8>>,
) -> Result<T, FetchError> {
    if answer.status() != StatusCode::OK {
        let status = answer.status();
        return Err(FetchError(format!("{url} answered with {status}")));
    }
    let read = serde_json::from_slice(answer.body());
    read.map_err(|error| {
        FetchError(format!(
            "{url} answered with something that does not read: {error}"
        ))
    })
}
