//! What requests of all tasks of a process share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tidemill_core::operator::{Connection, TaskError, TaskResult};

use super::api::is_local;
use super::client::{Client, Inner, Line};
use super::failure::causes;
use super::retry::Budget;
use super::{Api, Kind, Pace};
use crate::credentials::{Fingerprint, Tokens};

/// A server that does not take a connection in this time does not take it at all.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// A connection that nobody uses is closed before servers do it.
const IDLE: Duration = Duration::from_secs(50);

/// What credentials are taken from the machine that a worker runs on, where a connection asks for `application_default`. Only
/// the command line reads the environment, so it fills this in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// `GOOGLE_APPLICATION_CREDENTIALS`: a file of credentials.
    pub key_file: Option<PathBuf>,
    /// Where `gcloud auth application-default login` leaves its file; taken if it is there.
    pub gcloud_file: Option<PathBuf>,
    /// `GCE_METADATA_HOST`: another metadata server than the usual one.
    pub metadata_host: Option<String>,
    /// `GOOGLE_CLOUD_PROJECT`.
    pub project: Option<String>,
}

/// Whether requests stay on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Here,
    Elsewhere,
}

/// What tokens were made of, and the tokens.
type Known = (Fingerprint, Arc<Tokens>);

/// Clients for APIs: open connections, tokens and budgets of repetitions, shared by all tasks of a process. A worker and the
/// testing kit provide it as a service, and [`http::open`](super::open) finds it.
pub struct Clients {
    machine: Arc<Machine>,
    http: OnceLock<reqwest::Client>,
    budgets: Mutex<HashMap<String, Arc<Budget>>>,
    /// By connection.
    tokens: Mutex<HashMap<(String, Place), Known>>,
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clients")
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Clients {
    /// Those of a machine. Nothing is opened before the first request.
    #[must_use]
    pub fn new(machine: Machine) -> Self {
        Self {
            machine: Arc::new(machine),
            http: OnceLock::new(),
            budgets: Mutex::default(),
            tokens: Mutex::default(),
        }
    }

    /// A client for this API through this connection.
    ///
    /// # Errors
    /// The connection leads to another kind of system, its address is none, or its credentials are incomplete.
    pub fn client(
        &self,
        connection: &Connection,
        api: &Api,
        pace: Arc<dyn Pace>,
    ) -> TaskResult<Client> {
        let base = api.address(connection)?;
        let host = format!(
            "{}:{}",
            base.host_str().unwrap_or_default(),
            base.port_or_known_default().unwrap_or_default()
        );
        let budget = Arc::clone(locked(&self.budgets).entry(host).or_default());
        let line = Line {
            http: self.http()?,
            budget,
            pace,
        };
        let project = match api.kind {
            Kind::Google => connection.fields.get("project").cloned(),
            _ => None,
        };
        let tokens = self.tokens(connection, is_local(&base))?;
        Ok(Client(Arc::new(Inner {
            api: api.name,
            base,
            connection: connection.name.clone(),
            project,
            line,
            tokens: Some(tokens),
        })))
    }

    /// The tokens of a connection, as long as it stays as it is. One that was changed gets new ones, and the old are dropped.
    fn tokens(&self, connection: &Connection, local: bool) -> TaskResult<Arc<Tokens>> {
        let print = Fingerprint::of(connection);
        let place = if local { Place::Here } else { Place::Elsewhere };
        let key = (connection.name.clone(), place);
        let mut all = locked(&self.tokens);
        if let Some((known, tokens)) = all.get(&key)
            && *known == print
        {
            return Ok(Arc::clone(tokens));
        }
        let tokens = Arc::new(Tokens::of(connection, local, &self.machine)?);
        all.insert(key, (print, Arc::clone(&tokens)));
        Ok(tokens)
    }

    fn http(&self) -> TaskResult<reqwest::Client> {
        if let Some(http) = self.http.get() {
            return Ok(http.clone());
        }
        // Somebody may have installed it before us; there is only this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let built = reqwest::Client::builder()
            .user_agent(concat!("tidemill/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_WITHIN)
            .pool_idle_timeout(IDLE)
            // Content comes faster over connections of its own, and what one download holds in memory is known.
            .http1_only()
            // A redirection could lead a token elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build();
        let built = built.map_err(|error| {
            TaskError::permanent(format!("TLS cannot be set up: {}", causes(&error)))
                .help("install the machine's package of authorities (`ca-certificates`)")
        })?;
        Ok(self.http.get_or_init(|| built).clone())
    }
}
