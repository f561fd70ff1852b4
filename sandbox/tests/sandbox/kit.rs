//! A sandbox in this process, on a port of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use reqwest::{Client, Response};
use serde_json::Value;
use tempfile::TempDir;
use tidemill_sandbox::{JobSettings, Programs, Sandbox, Settings};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A sandbox that answers until this is dropped.
pub(crate) struct Kit {
    pub(crate) client: Client,
    pub(crate) base: String,
    pub(crate) mail: SocketAddr,
    stop: watch::Sender<bool>,
    served: Option<JoinHandle<()>>,
    folder: Arc<TempDir>,
}

impl Kit {
    pub(crate) async fn new() -> Self {
        Self::over(Arc::new(tempfile::tempdir().expect("it works"))).await
    }

    /// A sandbox over a folder that may have been another's.
    pub(crate) async fn over(folder: Arc<TempDir>) -> Self {
        Self::with(folder, Programs::default()).await
    }

    /// A sandbox whose jobs run these programs, as fast as they can.
    pub(crate) async fn with(folder: Arc<TempDir>, programs: Programs) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the edge of the process is this test"
        )]
        let clock = Arc::new(Utc::now);
        let anywhere = ([127, 0, 0, 1], 0).into();
        let mut settings = Settings::new(folder.path().to_owned(), anywhere, clock);
        settings.mail = Some(anywhere);
        settings.jobs = JobSettings {
            time: Duration::from_millis(10),
            programs,
        };
        let sandbox = Sandbox::open(settings).await.expect("it works");
        // The client wants a provider even where nothing is encrypted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = format!("http://{}", sandbox.address());
        let mail = sandbox.mail_address().expect("it works");
        let (stop, stopped) = watch::channel(false);
        let served = Some(tokio::spawn(sandbox.serve(stopped)));
        Self {
            client: Client::new(),
            base,
            mail,
            stop,
            served,
            folder,
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

    /// Sends JSON with any verb, and gives the status and the JSON of the reply.
    pub(crate) async fn ask(&self, verb: &str, path: &str, body: Value) -> (u16, Value) {
        let reply = self
            .client
            .request(
                verb.parse().expect("it works"),
                format!("{}{path}", self.base),
            )
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .expect("it works");
        (reply.status().as_u16(), json(reply).await)
    }

    /// The same for what has to be answered with 200.
    pub(crate) async fn good(&self, verb: &str, path: &str, body: Value) -> Value {
        let (status, reply) = self.ask(verb, path, body).await;
        assert_eq!(status, 200, "{verb} {path}: {reply}");
        reply
    }

    /// Asks until the reply is as wanted.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..6_000 {
            let reply = self.good("GET", path, Value::Null).await;
            if wanted(&reply) {
                return reply;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{path} did not become what was wanted within a minute");
    }

    /// Ends the sandbox, and gives its folder when nothing of it runs any more.
    pub(crate) async fn end(mut self) -> Arc<TempDir> {
        let _ = self.stop.send(true);
        if let Some(served) = self.served.take() {
            served.await.expect("it works");
        }
        Arc::clone(&self.folder)
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
