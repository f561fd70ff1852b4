//! Errors in `BigQuery`'s words as refusals.

use axum::http::StatusCode;
use tidemill_warehouse::tables::TableError;

use crate::call::Refusal;

/// The status that belongs to a reason, as `BigQuery`'s table of errors has it.
pub(super) fn status(reason: &str) -> StatusCode {
    match reason {
        "notFound" => StatusCode::NOT_FOUND,
        "duplicate" => StatusCode::CONFLICT,
        "accessDenied" | "quotaExceeded" | "rateLimitExceeded" | "responseTooLarge" => {
            StatusCode::FORBIDDEN
        }
        "conditionNotMet" => StatusCode::PRECONDITION_FAILED,
        "notImplemented" => StatusCode::NOT_IMPLEMENTED,
        "backendError" => StatusCode::SERVICE_UNAVAILABLE,
        "internalError" | "jobInternalError" => StatusCode::INTERNAL_SERVER_ERROR,
        // What a client of gRPC calls CANCELLED.
        "stopped" => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        _ => StatusCode::BAD_REQUEST,
    }
}

pub(super) fn of_reason(reason: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(status(reason), reason, message)
}

pub(super) fn of_table(error: &TableError) -> Refusal {
    match error {
        TableError::Disk { .. } | TableError::Broken { .. } => Refusal::internal(error),
        _ => of_reason(error.reason(), error.to_string()),
    }
}

/// 412.
pub(super) fn not_met() -> Refusal {
    of_reason("conditionNotMet", "Precondition check failed.")
}

/// A parameter or field that has to be there.
pub(super) fn missing(name: &str) -> Refusal {
    let mut refusal = of_reason("required", format!("Required parameter is missing: {name}"));
    refusal.location = Some(name.to_owned());
    refusal
}

/// Does what may wait for the disk.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Refusal::internal(&error))
}
