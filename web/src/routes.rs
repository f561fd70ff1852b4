//! Routes and their policies. There is no other way to register a handler, so there is no route without a policy.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts as _, RawPathParams, Request, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, get, on, post};
use axum::{Extension, Router};
use std::sync::Arc;
use tidemill_core::id::DagId;
use tokio::time::timeout;

use crate::access::{Policy, Principal, Refused, authorise, csrf_token, guard};
use crate::api::{Document, Operation, without_key};
use crate::dress::dress;
use crate::oops::Oops;
use crate::seat::{Seat, Signed};
use crate::web::Web;

/// How long a body may be.
const BODY_BYTES_MAX: usize = 256 << 10;
/// How long it may take to come.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// How many parameters an address may have.
const PARAMS_MAX: usize = 100;

/// A route, as tests and the documentation list it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{names}`.
    pub path: &'static str,
    /// Who may use it.
    pub policy: Policy,
}

/// A router, and what is in it.
#[derive(Debug)]
pub struct Site {
    /// Answers requests.
    pub router: Router,
    /// Every route.
    pub routes: Vec<Route>,
}

/// Routes that are being registered.
#[derive(Debug)]
pub(crate) struct Routes {
    web: Web,
    router: Router<Web>,
    routes: Vec<Route>,
    operations: Vec<Operation>,
}

/// The DAG that the path names. There is none before its policy was decided.
#[derive(Debug, Clone)]
pub(crate) struct ThisDag(pub(crate) DagId);

impl Routes {
    /// None yet.
    #[must_use]
    pub(crate) fn new(web: Web) -> Self {
        Self {
            web,
            router: Router::new(),
            routes: Vec::new(),
            operations: Vec::new(),
        }
    }

    /// Looks at something.
    #[must_use]
    pub(crate) fn get<H, T>(self, path: &'static str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, Web>,
        T: 'static,
    {
        self.add(Method::GET, path, policy, get(handler))
    }

    /// Does something.
    #[must_use]
    pub(crate) fn post<H, T>(self, path: &'static str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, Web>,
        T: 'static,
    {
        self.add(Method::POST, path, policy, post(handler))
    }

    /// An operation of the API. There is no other way to register one, so there is none that the document does not have.
    #[must_use]
    pub(crate) fn api<H, T>(mut self, operation: Operation, handler: H) -> Self
    where
        H: Handler<T, Web>,
        T: 'static,
    {
        let (method, path, policy) = (operation.method(), operation.path, operation.policy);
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        let mut handler = on(filter, handler);
        if !method.is_safe() && !operation.takes_key() {
            handler = handler.route_layer(from_fn(without_key));
        }
        self.operations.push(operation);
        self.add(method, path, policy, handler)
    }

    fn add(
        mut self,
        method: Method,
        path: &'static str,
        policy: Policy,
        handler: MethodRouter<Web>,
    ) -> Self {
        let state = (self.web.clone(), policy);
        let handler = handler.route_layer(from_fn_with_state(state, admit));
        self.router = self.router.route(path, handler);
        self.routes.push(Route {
            method,
            path,
            policy,
        });
        self
    }

    /// All of it as one service.
    #[must_use]
    pub(crate) fn finish(self) -> Site {
        let nothing = || async { StatusCode::NOT_FOUND };
        let document = Arc::new(Document::of(&self.operations));
        let router = self
            .router
            .fallback(nothing)
            .layer(Extension(document))
            .layer(from_fn_with_state(self.web.clone(), dress))
            .with_state(self.web);
        Site {
            router,
            routes: self.routes,
        }
    }
}

/// Lets a request in, or not: who asks, what the policy wants, and for changes where they come from.
async fn admit(
    State((web, policy)): State<(Web, Policy)>,
    request: Request,
    next: Next,
) -> Result<Response, Oops> {
    let (mut parts, body) = request.into_parts();
    // No database keeps this character, and no name or text of a person has it.
    if parts.uri.to_string().contains("%00") {
        return Err(Oops::invalid(
            "there is a character in the address that no name has",
        ));
    }
    let query = parts.uri.query().unwrap_or_default();
    if query.split('&').count() > PARAMS_MAX {
        let says = format!("there are more than {PARAMS_MAX} parameters in the address");
        return Err(Oops::Says(StatusCode::BAD_REQUEST, says));
    }
    let secret = web.cookie().read(&parts.headers).map(ToOwned::to_owned);
    let (who, by_cookie) = find(&web, &parts.headers, secret.as_deref()).await?;
    let dag = match RawPathParams::from_request_parts(&mut parts, &()).await {
        Ok(params) => {
            let named = params.iter().find(|(name, _)| *name == "dag");
            let named = named.map(|(_, dag)| DagId::parse(dag));
            let hidden = |_| Oops::not_found("this is not the name of a DAG");
            named.transpose().map_err(hidden)?
        }
        Err(_) => return Err(Oops::not_found("this path cannot be read")),
    };
    authorise(policy, who.as_ref(), dag.as_ref())?;
    if let Some(who) = who.as_ref().filter(|_| !parts.method.is_safe()) {
        let counted = web.pace().change(&who.name, web.now());
        counted.map_err(Oops::TooFast)?;
    }
    // Whoever is told "did you mean …" of a name that is not there is told names that are.
    if let (Some(who), Some(dag)) = (&who, &dag)
        && !who.sees_all()
        && !web.store().dags().await?.iter().any(|row| row.id == *dag)
    {
        return Err(Refused::Hidden.into());
    }
    let body = if parts.method.is_safe() {
        body
    } else {
        let bytes = read(body).await?;
        if bytes.contains(&0) || bytes.windows(3).any(|three| three == b"%00") {
            return Err(Oops::invalid(
                "there is a character in what was sent that no text has",
            ));
        }
        if by_cookie || who.is_none() {
            let secret = secret.as_deref().filter(|_| by_cookie);
            guard(&parts.headers, secret, &bytes)
                .map_err(|why| Oops::Says(StatusCode::FORBIDDEN, why.to_owned()))?;
        }
        Body::from(bytes)
    };
    if let (Some(who), Some(seat)) = (who, parts.extensions.get::<Arc<Seat>>()) {
        let csrf = secret.as_deref().filter(|_| by_cookie).map(csrf_token);
        seat.sit(Signed { who, csrf });
    }
    if let Some(dag) = dag {
        parts.extensions.insert(ThisDag(dag));
    }
    Ok(next.run(Request::from_parts(parts, body)).await)
}

/// Who asks, and whether their cookie says so. A token goes first: programs send nothing else.
async fn find(
    web: &Web,
    headers: &HeaderMap,
    secret: Option<&str>,
) -> Result<(Option<Principal>, bool), Oops> {
    if let Some(given) = headers.get(header::AUTHORIZATION) {
        let given = given.to_str().ok();
        let Some(token) = given.and_then(|value| value.strip_prefix("Bearer ")) else {
            return Ok((None, false));
        };
        return Ok((web.access().token(token, web.now()).await?, false));
    }
    let Some(secret) = secret else {
        return Ok((None, false));
    };
    let mut who = web.access().session(secret, web.now()).await?;
    if let Some(found) = &who
        && !web.access().vouched(found, headers, web.now()).await?
    {
        who = None;
    }
    let by_cookie = who.is_some();
    Ok((who, by_cookie))
}

/// Who is behind these headers, once more.
pub(crate) async fn who_asks(web: &Web, headers: &HeaderMap) -> Result<Option<Principal>, Oops> {
    let (who, _) = find(web, headers, web.cookie().read(headers)).await?;
    Ok(who)
}

async fn read(body: Body) -> Result<axum::body::Bytes, Oops> {
    let says = |status, says: &str| Oops::Says(status, says.to_owned());
    let bytes = timeout(BODY_WITHIN, to_bytes(body, BODY_BYTES_MAX)).await;
    let bytes = bytes.map_err(|_| {
        says(
            StatusCode::REQUEST_TIMEOUT,
            "this took too long to arrive; send it again",
        )
    })?;
    bytes.map_err(|_| {
        says(
            StatusCode::PAYLOAD_TOO_LARGE,
            "this is too large: at most 256 KiB are taken",
        )
    })
}
