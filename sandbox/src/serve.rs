//! The server: takes a request, finds its method, puts in the faults that are set, and notes what happened.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use url::form_urlencoded;

use crate::call::{Answer, Call, Refusal, Reply};
use crate::faults::{FaultKind, Faults};
use crate::journal::{Entry, Journal};
use crate::pages::{self, Pages};
use crate::route::{Found, Method, Routes};
use crate::services::receivers::smtp;
use crate::services::{self, Service};
use crate::state::{OpenError, Settings, State};

/// Connections at once; those beyond wait in the system's queue.
const CONNECTIONS: usize = 1_024;
/// How long a connection may take for its headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// After an error of the system the next connection is taken no sooner.
const REST: Duration = Duration::from_millis(100);

/// Why the server ended.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox's server ended: {0}")]
pub struct ServeError(#[from] io::Error);

/// A sandbox that listens, not yet answering.
pub struct Sandbox {
    listener: TcpListener,
    address: SocketAddr,
    mail: Option<TcpListener>,
    state: Arc<State>,
    routes: Arc<Routes>,
    pages: Arc<Pages>,
}

/// The reply is taken away: the connection is closed.
#[derive(Debug, thiserror::Error)]
#[error("a fault took the reply away")]
struct Lost;

impl Sandbox {
    /// Opens the folder and the address.
    ///
    /// # Errors
    /// The folder cannot be used, or the address is taken.
    pub async fn open(settings: Settings) -> Result<Self, OpenError> {
        let listen = |source| OpenError::Listen {
            address: settings.listen,
            source,
        };
        let listener = TcpListener::bind(settings.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let mail = match settings.mail {
            Some(address) => {
                let listen = |source| OpenError::Listen { address, source };
                Some(TcpListener::bind(address).await.map_err(listen)?)
            }
            None => None,
        };
        let public = match &settings.public {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{address}"),
        };
        let routes = Arc::new(Routes::new(services::methods()));
        let own = (address, public.as_str());
        let pages = Arc::new(Pages::new(&settings.dress, own, Arc::clone(&routes)));
        let state = Arc::new(State::open(&settings, public)?);
        Ok(Self {
            listener,
            address,
            mail,
            state,
            routes,
            pages,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it takes mail.
    #[must_use]
    pub fn mail_address(&self) -> Option<SocketAddr> {
        self.mail
            .as_ref()
            .and_then(|listener| listener.local_addr().ok())
    }

    /// The faults that are set.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.state.faults
    }

    /// What was asked.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.state.journal
    }

    /// Answers until `stop` says so.
    pub async fn serve(self, mut stop: watch::Receiver<bool>) {
        if let Some(mail) = self.mail {
            tokio::spawn(smtp::serve(mail, Arc::clone(&self.state), stop.clone()));
        }
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEADERS_WITHIN)
            .max_buf_size(256 << 10);
        let stopped = stop.wait_for(|stop| *stop);
        tokio::pin!(stopped);
        loop {
            let accepted = tokio::select! {
                _ = &mut stopped => break,
                accepted = self.listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(REST).await;
                continue;
            };
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let _ = stream.set_nodelay(true);
            let (state, routes, pages, http) = (
                Arc::clone(&self.state),
                Arc::clone(&self.routes),
                Arc::clone(&self.pages),
                http.clone(),
            );
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let (state, routes) = (Arc::clone(&state), Arc::clone(&routes));
                    let pages = Arc::clone(&pages);
                    async move { answer(state, &routes, &pages, request).await }
                });
                if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
                    tracing::debug!("a connection ended: {error}");
                }
                drop(place);
            });
        }
        self.state.jobs.stop().await;
        self.state.bigquery.stop().await;
    }
}

async fn answer(
    state: Arc<State>,
    routes: &Routes,
    pages: &Arc<Pages>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Lost> {
    let (head, body) = request.into_parts();
    if pages::wants(&head) {
        return Ok(pages.answer(&state, head, Body::new(body)).await);
    }
    let asked = format!(
        "{} {}",
        head.method,
        head.uri.path_and_query().map_or("/", |path| path.as_str())
    );
    let (method, path) = match routes.find(&head.method, head.uri.path()) {
        Found::Method(method, path) => (method, path),
        Found::OtherVerb(service) => {
            let refusal = Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "methodNotAllowed",
                format!("{} is not for {}", head.method, head.uri.path()),
            );
            return Ok(sent(service.refuse(&refusal)));
        }
        Found::Nothing => {
            let refusal =
                Refusal::not_found(format!("{asked}: no service of the sandbox has this path"));
            return Ok(sent(Service::Sandbox.refuse(&refusal)));
        }
    };
    let query = head.uri.query().unwrap_or("");
    let call = Call {
        method: method.id,
        path,
        query: form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers: head.headers,
        body: Body::new(body),
    };
    noted(&state, method, call, asked)
        .await
        .map(sent)
        .ok_or(Lost)
}

/// Answers a request with the faults that are set for it, and notes it. None: a fault took the reply away.
pub(crate) async fn noted(
    state: &Arc<State>,
    method: &Method,
    call: Call,
    asked: String,
) -> Option<Reply> {
    let faults = state.faults.of_request(method.service, method.id);
    let fault = faults.first().map(FaultKind::name);
    let done = with_faults(state, method, call, &faults).await;
    if method.service != Service::Sandbox {
        state.journal.note(Entry {
            number: 0,
            at: state.now(),
            service: method.service,
            method: method.id.into(),
            request: asked,
            status: done.reply.as_ref().map(|reply| reply.status.as_u16()),
            effects: done.effects,
            fault,
        });
    }
    done.reply
}

/// What came of a request.
pub(crate) struct Done {
    /// None: a fault took it away.
    pub(crate) reply: Option<Reply>,
    pub(crate) effects: Vec<String>,
}

/// Answers a request with the faults that are set for it.
pub(crate) async fn with_faults(
    state: &Arc<State>,
    method: &Method,
    call: Call,
    faults: &[FaultKind],
) -> Done {
    let service = method.service;
    if let Some(reply) = stale_token(state, service, &call) {
        return Done {
            reply: Some(reply),
            effects: Vec::new(),
        };
    }
    for fault in faults {
        if matches!(fault, FaultKind::ExpiredToken) {
            state.tokens.expire(&call);
        }
        match fault {
            FaultKind::Latency { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            FaultKind::LostBefore => {
                return Done {
                    reply: None,
                    effects: Vec::new(),
                };
            }
            _ => {
                if let Some(refusal) = refused(fault) {
                    let mut reply = service.refuse(&refusal);
                    if let FaultKind::Status {
                        retry_after: Some(seconds),
                        ..
                    } = fault
                    {
                        reply
                            .headers
                            .insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
                    }
                    return Done {
                        reply: Some(reply),
                        effects: Vec::new(),
                    };
                }
            }
        }
    }
    let mut reply = in_format(service, method.answer(Arc::clone(state), call).await);
    let effects = std::mem::take(&mut reply.effects);
    for fault in faults {
        match fault {
            FaultKind::LostAfter => {
                return Done {
                    reply: None,
                    effects,
                };
            }
            FaultKind::Truncated => reply = truncated(reply).await,
            FaultKind::Html => {
                let page = "<!doctype html><html><head><title>502</title></head><body>Bad gateway</body></html>";
                reply = Reply::new(StatusCode::OK, "text/html; charset=UTF-8", page);
            }
            _ => {}
        }
    }
    Done {
        reply: Some(reply),
        effects,
    }
}

/// The refusal of a token that has ended, if the request comes with one.
fn stale_token(state: &State, service: Service, call: &Call) -> Option<Reply> {
    if matches!(service, Service::Tokens | Service::Sandbox) {
        return None;
    }
    let checked = state.tokens.check(call, state.now());
    checked.err().map(|refusal| service.refuse(&refusal))
}

fn in_format(service: Service, answer: Answer) -> Reply {
    answer.unwrap_or_else(|refusal| service.refuse(&refusal))
}

/// The refusal that a fault is, if it is one.
fn refused(fault: &FaultKind) -> Option<Refusal> {
    Some(match fault {
        FaultKind::Status { status, .. } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let reason = match status.as_u16() {
                429 => "rateLimitExceeded",
                503 => "backendError",
                500 => "internalError",
                _ => "fault",
            };
            Refusal::new(status, reason, format!("a fault of the sandbox: {status}"))
        }
        FaultKind::ExpiredToken => Refusal::new(
            StatusCode::UNAUTHORIZED,
            "authError",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
        ),
        FaultKind::Forbidden { permission } => Refusal::new(
            StatusCode::FORBIDDEN,
            "accessDenied",
            format!("Access Denied: the caller does not have permission {permission}"),
        ),
        FaultKind::Quota => Refusal::new(
            StatusCode::FORBIDDEN,
            "quotaExceeded",
            "Quota exceeded: your project exceeded quota for this kind of request.",
        ),
        _ => return None,
    })
}

/// The first half of the body: JSON that ends in its middle, with a length that is true.
async fn truncated(mut reply: Reply) -> Reply {
    let whole = std::mem::take(&mut reply.body)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    reply.body = Body::from(whole.slice(..whole.len() / 2));
    reply.headers.remove(header::CONTENT_LENGTH);
    reply
}

/// Objects are served from where the pages are: in a browser none of them is a page that could run scripts there.
fn sent(reply: Reply) -> Response<Body> {
    let mut response = Response::new(reply.body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, "sandbox"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        let headers = response.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
