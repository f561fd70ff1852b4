//! What handlers are given, checked. What cannot be read is an [`Oops`] that says why.

use axum::extract::rejection::{FormRejection, PathRejection, QueryRejection};
use axum::extract::{Form, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::oops::Oops;
use crate::routes::ThisDag;
use crate::web::Web;

impl FromRequestParts<Web> for ThisDag {
    type Rejection = Oops;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Oops> {
        let dag = parts.extensions.get::<Self>().cloned();
        dag.ok_or_else(|| Oops::broken("a handler wants a DAG that its path does not name"))
    }
}

/// The query of a page.
#[derive(Debug)]
pub(crate) struct Asking<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Web> for Asking<T> {
    type Rejection = Oops;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Oops> {
        let query = Query::<T>::from_request_parts(parts, &()).await;
        let query =
            query.map_err(|error: QueryRejection| Oops::Says(error.status(), error.body_text()));
        query.map(|Query(value)| Self(value))
    }
}

/// The parts of a path.
#[derive(Debug)]
pub(crate) struct At<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Web> for At<T> {
    type Rejection = Oops;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Oops> {
        let path = Path::<T>::from_request_parts(parts, &()).await;
        let path = path.map_err(|error: PathRejection| Oops::not_found(error.body_text()));
        path.map(|Path(value)| Self(value))
    }
}

/// A form.
#[derive(Debug)]
pub(crate) struct Sent<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Web> for Sent<T> {
    type Rejection = Oops;

    async fn from_request(request: Request, _: &Web) -> Result<Self, Oops> {
        let form = Form::<T>::from_request(request, &()).await;
        let form =
            form.map_err(|error: FormRejection| Oops::Says(error.status(), error.body_text()));
        form.map(|Form(value)| Self(value))
    }
}
