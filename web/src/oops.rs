//! What can go wrong with a request. Handlers return it; the outermost layer makes a page or a problem of it.

use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ring::rand::{SecureRandom as _, SystemRandom};
use tidemill_store::StoreError;
use tracing::error;

use crate::access::{AccessError, Refused};
use crate::door::DoorError;
use tidemill_access::Denied;

/// Why a request was not answered as wished.
#[derive(Debug)]
pub(crate) enum Oops {
    /// Something that people are told, with its status.
    Says(StatusCode, String),
    /// The same for programs, with its kind and, where it is about fields, each of them.
    Told(Box<Told>),
    /// They have to sign in first.
    SignIn,
    /// They have to change their password first.
    MustChange,
    /// They change more than anybody could mean; after this time they may go on.
    TooFast(Duration),
    /// Something of ours, which only the log is told.
    Broken(String),
    /// The database is out of reach for now.
    Away,
}

/// What the outermost layer finds in a response that went wrong.
#[derive(Debug, Clone)]
pub(crate) struct Detail(pub(crate) String);

/// Where people are led instead of being told what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// To where they sign in.
    SignIn,
    /// To where they change their password.
    Password,
}

/// What a program is told, beyond a status and a sentence.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// The status.
    pub(crate) status: StatusCode,
    /// What went wrong.
    pub(crate) says: String,
    /// What is wrong with which field.
    pub(crate) errors: Vec<FieldError>,
    /// Where in a body it is: line and column.
    pub(crate) at: Option<(usize, usize)>,
}

/// What is wrong with a field.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct FieldError {
    /// The field: of a body, of a query, or a header.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) detail: String,
}

/// That a page already says what went wrong, beside what it is about: people see it as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finished;

/// A page that says itself what went wrong, with the status of that.
pub(crate) fn finished(oops: Oops, page: Response) -> Response {
    let (mut said, _) = oops.into_response().into_parts();
    let (parts, body) = page.into_parts();
    said.headers = parts.headers;
    said.extensions.insert(Finished);
    Response::from_parts(said, body)
}

impl Oops {
    /// There is no such thing, or nobody may know.
    #[must_use]
    pub(crate) fn not_found(says: impl Into<String>) -> Self {
        Self::Says(StatusCode::NOT_FOUND, says.into())
    }

    /// What was sent makes no sense.
    #[must_use]
    pub(crate) fn invalid(says: impl Into<String>) -> Self {
        Self::Says(StatusCode::UNPROCESSABLE_ENTITY, says.into())
    }

    /// What was sent makes no sense, because of this field.
    #[must_use]
    pub(crate) fn field(field: &str, says: impl Into<String>) -> Self {
        let detail = says.into();
        let says = format!("{field}: {detail}");
        let errors = vec![FieldError {
            field: field.to_owned(),
            detail,
        }];
        Self::Told(Box::new(Told {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            says,
            errors,
            at: None,
        }))
    }

    /// Something of ours went wrong: people are told no more than that.
    #[must_use]
    pub(crate) fn broken(why: impl Into<String>) -> Self {
        Self::Broken(why.into())
    }
}

/// What went wrong with reading how something stands that was done: it must not be taken for not done.
pub(crate) fn after<E: Into<Oops>>(error: E) -> Oops {
    match error.into() {
        Oops::Away | Oops::Broken(_) => Oops::Says(
            StatusCode::GATEWAY_TIMEOUT,
            "this was done, and how it stands now could not be read: look before you send it again"
                .to_owned(),
        ),
        oops => oops,
    }
}

impl From<StoreError> for Oops {
    fn from(error: StoreError) -> Self {
        let mut says = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            says = format!("{says}: {cause}");
            source = cause.source();
        }
        if error.is_retryable() {
            error!("failed to {says}");
            Self::Away
        } else {
            Self::Broken(format!("failed to {says}"))
        }
    }
}

impl From<AccessError> for Oops {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Store(error) => error.into(),
            error => Self::Broken(format!("failed to find out who asks: {error}")),
        }
    }
}

impl From<askama::Error> for Oops {
    fn from(error: askama::Error) -> Self {
        Self::Broken(format!("failed to write a page: {error}"))
    }
}

impl From<DoorError> for Oops {
    fn from(error: DoorError) -> Self {
        let status = match &error {
            DoorError::Unknown(_) => StatusCode::NOT_FOUND,
            DoorError::Stale(_) => StatusCode::CONFLICT,
            DoorError::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            DoorError::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
            DoorError::Open(_) => StatusCode::GATEWAY_TIMEOUT,
        };
        Self::Says(status, error.to_string())
    }
}

impl From<Refused> for Oops {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::SignIn => Self::SignIn,
            Refused::Hidden => Self::not_found("there is no such DAG, or you may not see it"),
            Refused::Denied(Denied::MustChange) => Self::MustChange,
            Refused::Denied(denied) => Self::Says(StatusCode::FORBIDDEN, denied.to_string()),
        }
    }
}

/// By which somebody finds in the log what they were not told.
fn fault_id() -> String {
    let mut bytes = [0; 4];
    // Without randomness there is still a line in the log.
    let _filled = SystemRandom::new().fill(&mut bytes);
    crate::html::hex(&bytes)
}

impl IntoResponse for Oops {
    fn into_response(self) -> Response {
        let way = match self {
            Self::SignIn => Some(Way::SignIn),
            Self::MustChange => Some(Way::Password),
            _ => None,
        };
        let (status, says) = match self {
            Self::Says(status, says) => (status, says),
            Self::Told(told) => {
                let mut response = told.status.into_response();
                response.extensions_mut().insert(Detail(told.says.clone()));
                response.extensions_mut().insert(*told);
                return response;
            }
            Self::SignIn => (
                StatusCode::UNAUTHORIZED,
                "you are not signed in, or your session has ended".to_owned(),
            ),
            Self::MustChange => (StatusCode::FORBIDDEN, Denied::MustChange.to_string()),
            Self::TooFast(wait) => {
                let wait = wait.as_secs() + 1;
                let says = format!(
                    "you change more than fifty things a second; go on in {wait} s, or change many at once"
                );
                let status = StatusCode::TOO_MANY_REQUESTS;
                let mut response =
                    (status, [(header::RETRY_AFTER, wait.to_string())]).into_response();
                response.extensions_mut().insert(Detail(says));
                return response;
            }
            Self::Away => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer at the moment; try again in a few seconds".to_owned(),
            ),
            Self::Broken(why) => {
                let id = fault_id();
                error!(id, "{why}");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    format!(
                        "something went wrong on our side; the log of this process says what, under the id {id}"
                    ),
                )
            }
        };
        let mut response = status.into_response();
        if let Some(way) = way {
            response.extensions_mut().insert(way);
        }
        response.extensions_mut().insert(Detail(says));
        response
    }
}
