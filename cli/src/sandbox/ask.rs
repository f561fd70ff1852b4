//! Asking a sandbox.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::config::flags::OfSandboxCommand;
use crate::config::{Environment, Flags, Loaded};
use crate::google_secrets::told;
use crate::output::{INVALID, Output, UNREACHABLE, USAGE};
use crate::{door, serve, tls};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A journal may be long.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A sandbox that may be running.
pub(super) struct Asked {
    loaded: Loaded,
    runtime: Runtime,
    client: Client,
    address: String,
    /// The setting that names the address.
    key: &'static str,
}

impl Asked {
    /// Prepares to ask. Nobody is asked yet.
    pub(super) fn open(
        flags: &Flags<OfSandboxCommand>,
        environment: &Environment,
    ) -> Result<Self, Output> {
        let loaded = flags.load(environment)?;
        let trust = tls::trust(&loaded).map_err(|error| Output::failed(error, USAGE))?;
        let client = Client::builder()
            .tls_backend_preconfigured(trust)
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .build()
            .map_err(|error| Output::failed(door::chain(&error), UNREACHABLE))?;
        let (address, key) = match &loaded.settings.sandbox_url {
            Some(url) => (url.as_str().to_owned(), "sandbox_url"),
            None => (reached_at(loaded.settings.sandbox_listen), "sandbox_listen"),
        };
        Ok(Self {
            runtime: serve::runtime("tidemill")?,
            loaded,
            client,
            address,
            key,
        })
    }

    pub(super) fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Output> {
        self.ask(&Method::GET, path, query, None)
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Output> {
        self.ask(&Method::POST, path, &[], Some(body))
    }

    pub(super) fn delete(&self, path: &str) -> Result<Value, Output> {
        self.ask(&Method::DELETE, path, &[], None)
    }

    /// Waits.
    pub(super) fn rest(&self, span: Duration) {
        self.runtime
            .block_on(async { tokio::time::sleep(span).await });
    }

    fn ask(
        &self,
        method: &Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Value, Output> {
        let mut url = format!("{}{path}", self.address);
        if !query.is_empty() {
            let mut pairs = url::form_urlencoded::Serializer::new(String::new());
            url = format!("{url}?{}", pairs.extend_pairs(query).finish());
        }
        let mut request = self.client.request(method.clone(), url);
        if let Some(body) = body {
            request = request.header("content-type", "application/json");
            request = request.body(body.to_string());
        }
        let answered = self.runtime.block_on(async {
            let answer = request.send().await?;
            let status = answer.status();
            answer.bytes().await.map(|bytes| (status, bytes))
        });
        let (status, bytes) = answered.map_err(|error| self.silent(&error))?;
        let value = serde_json::from_slice::<Value>(&bytes).ok();
        let value = value.filter(Value::is_object);
        let Some(value) = value else {
            let address = &self.address;
            let message = format_args!("what answers at {address} is no sandbox ({status})");
            return Err(Output::failed(message, UNREACHABLE));
        };
        if status.is_success() {
            return Ok(value);
        }
        let message = value.pointer("/error/message").and_then(Value::as_str);
        let message = message.unwrap_or("it does not say why");
        let message = format!("the sandbox refused: {}", super::on_one_line(message));
        Err(match status.as_u16() {
            404 => Output::failed(message, INVALID),
            400..=499 => Output::usage(message, ""),
            _ => Output::failed(message, UNREACHABLE),
        })
    }

    /// Nobody is there: says how to have somebody.
    fn silent(&self, error: &reqwest::Error) -> Output {
        let (address, key) = (&self.address, self.key);
        let origin = self.loaded.origin(key);
        let why = told(error);
        let help = "start it with `sandbox`, or with `standalone --sandbox`; if it runs elsewhere, give `--sandbox-url`";
        let message = format!("no sandbox answers at {address} ({key}: {origin}): {why}");
        let output = Output::usage(message, help);
        output.code(UNREACHABLE)
    }
}

/// Where a sandbox on this machine is found: an address that means all networks is none that one could open.
fn reached_at(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}
