//! What is answered when something is wrong: RFC 9457, for programs and people.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::engine::Refusal;
use crate::lead::Standing;

/// Why a request was not answered as wished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The status.
    pub status: u16,
    /// What kind of problem it is.
    pub title: String,
    /// What exactly.
    pub detail: String,
    /// Who leads instead, if that is the problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("problem").to_owned(),
            detail: detail.into(),
            leader: None,
        }
    }

    /// This scheduler does not lead.
    pub(super) fn not_leading(standing: &Standing) -> Self {
        let (detail, leader) = match standing {
            Standing::Standby { leader } => (
                format!("this scheduler stands by; {leader} leads"),
                Some(leader.clone()),
            ),
            Standing::Starting | Standing::Leading { .. } => (
                "no scheduler leads at the moment; try again in a few seconds".to_owned(),
                None,
            ),
            Standing::Ended => ("this scheduler is ending".to_owned(), None),
        };
        Self {
            leader,
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }

    /// A command changed nothing.
    pub(super) fn refused(refusal: &Refusal) -> Self {
        let status = match refusal {
            Refusal::Unknown { .. } => StatusCode::NOT_FOUND,
            Refusal::Stale { .. } => StatusCode::CONFLICT,
            Refusal::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::Load(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refusal.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}
