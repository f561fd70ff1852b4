//! A sandbox in this process, on a port of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use chrono::Utc;
use reqwest::{Client, Response};
use serde_json::Value;
use tempfile::TempDir;
use tidemill_sandbox::{Sandbox, Settings};
use tokio::sync::watch;

/// A sandbox that answers until this is dropped.
pub(crate) struct Kit {
    pub(crate) client: Client,
    pub(crate) base: String,
    pub(crate) mail: SocketAddr,
    stop: watch::Sender<bool>,
    _folder: Arc<TempDir>,
}

impl Kit {
    pub(crate) async fn new() -> Self {
        Self::over(Arc::new(tempfile::tempdir().expect("it works"))).await
    }

    /// A sandbox over a folder that may have been another's.
    pub(crate) async fn over(folder: Arc<TempDir>) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the edge of the process is this test"
        )]
        let clock = Arc::new(Utc::now);
        let anywhere = ([127, 0, 0, 1], 0).into();
        let mut settings = Settings::new(folder.path().to_owned(), anywhere, clock);
        settings.mail = Some(anywhere);
        let sandbox = Sandbox::open(settings).await.expect("it works");
        // The client wants a provider even where nothing is encrypted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = format!("http://{}", sandbox.address());
        let mail = sandbox.mail_address().expect("it works");
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(sandbox.serve(stopped));
        Self {
            client: Client::new(),
            base,
            mail,
            stop,
            _folder: folder,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client
            .get(format!("{}{path}", self.base))
            .send()
            .await
            .expect("it works")
    }

    /// Posts JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.client
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .expect("it works")
    }

    /// Sets a fault.
    pub(crate) async fn fault(&self, fault: &Value) {
        let reply = self.post("/sandbox/faults", fault).await;
        assert_eq!(
            reply.status(),
            200,
            "{}",
            reply.text().await.expect("it works")
        );
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

/// The JSON of a reply.
pub(crate) async fn json(reply: Response) -> Value {
    serde_json::from_str(&reply.text().await.expect("it works")).expect("it works")
}
