//! The accept loop. It is our own because every connection has to have limits: of time for TLS and for its headers, and of
//! how many there are.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{StatusCode, header};
use axum::{Extension, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

use super::Problem;
use super::unread::Unread;

/// What is allowed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many connections there may be at once. Those beyond wait in the system's own queue.
    pub connections: usize,
    /// How long a connection may take to send the headers of a request, the first and each after it; and before that to set
    /// up TLS.
    pub headers_within: Duration,
    /// How long a connection may take nothing of what it is sent before it is cut off.
    pub read_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            headers_within: Duration::from_secs(10),
            read_within: Duration::from_secs(60),
        }
    }
}

/// After an error of the system, such as too many open files, the next connection is taken no sooner.
const REST: Duration = Duration::from_millis(100);

/// Answers connections until `stop` says so, by TLS alone if it is set up. Those that are open then are let go.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.headers_within)
        .max_buf_size(64 << 10);
    let tls = tls.map(TlsAcceptor::from);
    let stopped = stop.wait_for(|stop| *stop);
    tokio::pin!(stopped);
    loop {
        let accepted = tokio::select! {
            _ = &mut stopped => return,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, peer, place)) = accepted else {
            return;
        };
        // Hand-offs are small messages; none waits for another to fill a packet.
        if let Err(error) = stream.set_nodelay(true) {
            debug!("cannot set up a connection: {error}");
            continue;
        }
        // From where they come, for whoever counts how often.
        let router = router.clone().layer(Extension(ConnectInfo(peer)));
        let (http, tls) = (http.clone(), tls.clone());
        let unread = limits.read_within;
        tokio::spawn(async move {
            match tls {
                None => answer(&http, router, Unread::new(stream, unread)).await,
                Some(tls) => {
                    let greeted = timeout(limits.headers_within, greet(&tls, stream)).await;
                    match greeted {
                        Ok(Ok(Greeted::Tls(stream))) => {
                            answer(&http, router, Unread::new(*stream, unread)).await;
                        }
                        Ok(Ok(Greeted::Plain(stream))) => {
                            answer(&http, refusal(), Unread::new(stream, unread)).await;
                        }
                        Ok(Err(error)) => debug!("a connection speaks no TLS that fits: {error}"),
                        Err(_) => debug!("a connection took too long to set up TLS"),
                    }
                }
            }
            drop(place);
        });
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Some((stream, peer, place)),
            Err(error) => {
                warn!("cannot take a connection: {error}");
                sleep(REST).await;
            }
        }
    }
}

/// The first byte of a client that speaks TLS: the type of a record of a handshake.
const HANDSHAKE: u8 = 0x16;

/// What a connection turns out to be.
enum Greeted {
    Tls(Box<TlsStream<TcpStream>>),
    /// Somebody speaks without TLS. Nothing is taken from the stream yet.
    Plain(TcpStream),
}

async fn greet(tls: &TlsAcceptor, stream: TcpStream) -> io::Result<Greeted> {
    let mut first = [0];
    let there = stream.peek(&mut first).await?;
    if there == 1 && first[0] != HANDSHAKE {
        return Ok(Greeted::Plain(stream));
    }
    let stream = tls.accept(stream).await?;
    Ok(Greeted::Tls(Box::new(stream)))
}

/// What is answered without TLS: nothing but what is wrong.
fn refusal() -> Router {
    let says = || async {
        let detail = "this address speaks TLS: write it with `https://`";
        let close = [(header::CONNECTION, "close")];
        (close, Problem::new(StatusCode::BAD_REQUEST, detail))
    };
    Router::new().fallback(says)
}

async fn answer(
    http: &http1::Builder,
    router: Router,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) {
    let service = tower_service(router);
    let served = http
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        debug!("a connection ended badly: {error}");
    }
}

fn tower_service(
    router: Router,
) -> impl hyper::service::Service<
    hyper::Request<Incoming>,
    Response = hyper::Response<Body>,
    Error = Infallible,
    Future: Send,
> {
    TowerToHyperService::new(router)
}
