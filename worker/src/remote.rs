//! A connection with the scheduler over the network: a WebSocket, JSON lists of messages, one a frame.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tidemill_core::crash;
use tidemill_core::operator::BoxFuture;
use tidemill_core::wire::{FromWorker, MESSAGE_BYTES_MAX, read_to_worker};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tracing::{debug, warn};

use crate::dial::{Server, Stream};
use crate::wire::{Connect, ConnectError, Wire};

/// How long one scheduler may take to answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long a frame may take to be sent.
const SEND_WITHIN: Duration = Duration::from_secs(30);

/// How many messages wait to be sent before the session keeps them itself.
const WAITING_MAX: usize = 64;

type Socket = WebSocketStream<Box<dyn Stream>>;

/// Connects with whichever of some schedulers leads.
#[derive(Debug)]
pub struct Remote {
    servers: Vec<Server>,
    token: String,
    /// Which one the last connection was with.
    last: AtomicUsize,
}

impl Remote {
    /// Schedulers by their addresses, `http://host:port` or `https://host:port`, the token that they ask for, and whom
    /// this process trusts: it is needed for `https`.
    ///
    /// # Errors
    /// An address is none.
    pub fn new(
        servers: &[String],
        token: impl Into<String>,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Result<Self, ConnectError> {
        let servers: Vec<Server> = servers
            .iter()
            .map(|url| Server::read(url, tls))
            .collect::<Result<_, _>>()?;
        if servers.is_empty() {
            return Err(ConnectError::Never("no scheduler is named".to_owned()));
        }
        Ok(Self {
            servers,
            token: token.into(),
            last: AtomicUsize::new(0),
        })
    }

    async fn open(&self, server: &Server) -> Result<Socket, ConnectError> {
        let later = |why: String| ConnectError::Later(format!("{}: {why}", server.url));
        let stream = server.dial().await?;
        // The scheme says nothing here: what the stream is, it is.
        let url = format!("ws://{}/api/v1/worker", server.authority);
        let mut request = url
            .into_client_request()
            .map_err(|error| ConnectError::Never(error.to_string()))?;
        let bearer = HeaderValue::from_str(&format!("Bearer {}", self.token));
        let bearer = bearer.map_err(|_| {
            ConnectError::Never("the token has characters that no header can hold".to_owned())
        })?;
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        let mut config = WebSocketConfig::default();
        config.max_message_size = Some(MESSAGE_BYTES_MAX);
        config.max_frame_size = Some(MESSAGE_BYTES_MAX);
        match client_async_with_config(request, stream, Some(config)).await {
            Ok((socket, _)) => Ok(socket),
            Err(SocketError::Http(response)) if response.status() == StatusCode::UNAUTHORIZED => {
                Err(ConnectError::Never(format!(
                    "{} does not take this token; give the worker the scheduler's own",
                    server.url
                )))
            }
            Err(SocketError::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                let problem: Option<Problem> = serde_json::from_slice(body).ok();
                Err(later(problem.map_or_else(
                    || format!("it answers {}", response.status()),
                    |problem| problem.detail,
                )))
            }
            Err(error) => Err(later(error.to_string())),
        }
    }
}

/// What a scheduler says that does not let anybody in.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Connect for Remote {
    fn connect(&self) -> BoxFuture<'_, Result<Wire, ConnectError>> {
        Box::pin(async {
            let first = self.last.load(Ordering::Relaxed);
            let mut failed = None;
            for step in 0..self.servers.len() {
                let at = (first + step) % self.servers.len();
                let opening = timeout(CONNECT_WITHIN, self.open(&self.servers[at]));
                let late = || ConnectError::Later(format!("{}: no answer", self.servers[at].url));
                match opening.await.unwrap_or_else(|_| Err(late())) {
                    Ok(socket) => {
                        self.last.store(at, Ordering::Relaxed);
                        return Ok(carry(socket));
                    }
                    Err(error @ ConnectError::Never(_)) => return Err(error),
                    Err(error) => failed = Some(error),
                }
            }
            Err(failed.unwrap_or_else(|| ConnectError::Later("nobody answers".to_owned())))
        })
    }

    fn another_leads(&self) -> BoxFuture<'_, bool> {
        Box::pin(async {
            let present = self.last.load(Ordering::Relaxed);
            for (at, server) in self.servers.iter().enumerate() {
                if at != present && matches!(timeout(CONNECT_WITHIN, leads(server)).await, Ok(true))
                {
                    self.last.store(at, Ordering::Relaxed);
                    return true;
                }
            }
            false
        })
    }
}

/// Whether a scheduler says that it leads.
async fn leads(server: &Server) -> bool {
    let Ok(mut stream) = server.dial().await else {
        return false;
    };
    let request = format!(
        "GET /ready HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        server.authority
    );
    if stream.write_all(request.as_bytes()).await.is_err() {
        return false;
    }
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.is_ok() && answer.ends_with(b" 200")
}

/// Both directions of a socket, as channels.
fn carry(socket: Socket) -> Wire {
    let (mut sink, mut stream) = socket.split();
    let (say, mut outgoing) = mpsc::channel::<Vec<FromWorker>>(WAITING_MAX);
    let (incoming, hear) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(messages) = outgoing.recv().await {
            let text = match serde_json::to_string(&messages) {
                Ok(text) => text,
                Err(error) => {
                    warn!("a message cannot be written: {error}");
                    continue;
                }
            };
            let sent = timeout(SEND_WITHIN, sink.send(Message::Text(text.into()))).await;
            if !matches!(sent, Ok(Ok(()))) {
                return;
            }
            let reports = |message: &FromWorker| matches!(message, FromWorker::Reports(_));
            if messages.iter().any(reports) {
                crash::here("worker_report_said");
            }
        }
        let _ = sink.close().await;
    });
    tokio::spawn(async move {
        let mut warned = false;
        while let Some(Ok(frame)) = stream.next().await {
            let Message::Text(text) = frame else { continue };
            match read_to_worker(text.as_str()) {
                Ok((messages, unknown)) => {
                    if let Some(name) = unknown.first().filter(|_| !warned) {
                        warned = true;
                        warn!(
                            "the scheduler is newer and says `{name}`, which this build does not know: it is passed over"
                        );
                    }
                    if incoming.send(messages).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    debug!("the scheduler sent what is no message: {error}");
                    return;
                }
            }
        }
    });
    Wire { say, hear }
}
