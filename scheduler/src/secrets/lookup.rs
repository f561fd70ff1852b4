//! Where a connection or a variable is: in the environment, else in the store, else in another source.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidemill_core::id::nearest;
use tidemill_core::operator::{BoxFuture, Connection, Secret};
use tidemill_core::time::Timestamp;
use tidemill_store::{Store, StoreError};

use super::environment::{
    self, EnvironmentError, connection_in, connection_variable, variable_variable,
};
use super::keys::{KeyRing, SealError};
use super::rows::{open_connection, open_variable};

/// How long what another source said is kept. What is in the store is never kept: setting it there works at once.
const KEPT: Duration = Duration::from_secs(60);

/// Why there is no connection or variable to be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// Nobody has such a connection.
    #[error("there is no connection `{name}`{}; set it with `connections set {name} --kind http …`, or in the variable `{}`", did_you_mean(.nearest.as_deref()), connection_variable(.name))]
    NoConnection {
        /// Its name.
        name: String,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// Nobody has such a variable.
    #[error("there is no variable `{name}`{}; set it with `variables set {name} VALUE`, or in the variable `{}` of the environment", did_you_mean(.nearest.as_deref()), variable_variable(.name))]
    NoVariable {
        /// Its name.
        name: String,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// A variable of the environment is no connection.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// It does not unseal.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The store did not answer.
    #[error("read connections and variables")]
    Store(#[from] StoreError),
    /// Another source did not answer.
    #[error("ask {place} for `{secret}`: {why}")]
    Source {
        /// Which source.
        place: String,
        /// For what.
        secret: String,
        /// Why.
        why: String,
    },
}

impl SecretsError {
    /// Whether the same may work a moment later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_retryable(),
            Self::Source { .. } => true,
            _ => false,
        }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Another place that keeps secrets.
pub trait SecretSource: Send + Sync {
    /// What it is called, for people.
    fn place(&self) -> String;

    /// The newest version of a secret; none if it has no such secret.
    fn fetch<'a>(&'a self, secret: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>>;
}

type Kept = BTreeMap<String, (Timestamp, Secret)>;

/// Looks connections and variables up.
pub struct Secrets {
    environment: BTreeMap<String, String>,
    store: Store,
    keys: Arc<KeyRing>,
    sources: Vec<Arc<dyn SecretSource>>,
    kept: Mutex<Kept>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

impl Secrets {
    /// Looks in these variables of the environment, then in the store.
    #[must_use]
    pub fn new(environment: BTreeMap<String, String>, store: Store, keys: Arc<KeyRing>) -> Self {
        Self {
            environment,
            store,
            keys,
            sources: Vec::new(),
            kept: Mutex::default(),
        }
    }

    /// And then in this source.
    #[must_use]
    pub fn and_then(mut self, source: Arc<dyn SecretSource>) -> Self {
        self.sources.push(source);
        self
    }

    /// The keys that it unseals with.
    #[must_use]
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// A connection by its name.
    ///
    /// # Errors
    /// If there is none, it does not unseal, or whoever should know does not answer.
    pub async fn connection(&self, name: &str, now: Timestamp) -> Result<Connection, SecretsError> {
        if let Some(given) = connection_in(&self.environment, name) {
            return Ok(given?);
        }
        if let Some(row) = self.store.connection(name).await? {
            return Ok(open_connection(&self.keys, &row)?);
        }
        let secret = secret_name("connection", name);
        if let Some((place, text)) = self.elsewhere(&secret, now).await? {
            let text = text.reveal();
            let read = environment::connection(name, text);
            return read.map_err(|why| SecretsError::Source { place, secret, why });
        }
        let known = self.store.connection_names().await?;
        Err(SecretsError::NoConnection {
            nearest: nearest(name, known.iter().map(String::as_str)).map(str::to_owned),
            name: name.to_owned(),
        })
    }

    /// A variable by its name.
    ///
    /// # Errors
    /// If there is none, it does not unseal, or whoever should know does not answer.
    pub async fn variable(&self, name: &str, now: Timestamp) -> Result<String, SecretsError> {
        if let Some(text) = self.environment.get(&variable_variable(name)) {
            return Ok(text.clone());
        }
        if let Some(row) = self.store.variable(name).await? {
            return Ok(open_variable(&self.keys, &row)?);
        }
        let secret = secret_name("variable", name);
        if let Some((_, text)) = self.elsewhere(&secret, now).await? {
            return Ok(text.reveal().to_owned());
        }
        let known = self.store.variable_names().await?;
        Err(SecretsError::NoVariable {
            nearest: nearest(name, known.iter().map(String::as_str)).map(str::to_owned),
            name: name.to_owned(),
        })
    }

    /// What one of the other sources says, and which. The first that has it wins; one that does not answer is not passed
    /// over, or an outage there would look like a missing connection here.
    async fn elsewhere(
        &self,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<(String, Secret)>, SecretsError> {
        for source in &self.sources {
            let place = source.place();
            let key = format!("{place} {secret}");
            if let Some(kept) = self.kept_until(&key, now) {
                return Ok(Some((place, kept)));
            }
            match source.fetch(secret).await {
                Ok(None) => {}
                Ok(Some(text)) => {
                    let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.retain(|_, (until, _)| *until > now);
                    kept.insert(key, (now.after(KEPT), text.clone()));
                    return Ok(Some((place, text)));
                }
                Err(why) => {
                    return Err(SecretsError::Source {
                        place,
                        secret: secret.to_owned(),
                        why,
                    });
                }
            }
        }
        Ok(None)
    }

    fn kept_until(&self, key: &str, now: Timestamp) -> Option<Secret> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, text) = kept.get(key)?;
        (*until > now).then(|| text.clone())
    }
}

/// Its name in other sources: letters, digits, `-` and `_` are what all of them allow.
fn secret_name(what: &str, name: &str) -> String {
    format!("tidemill-{what}-{}", name.replace('.', "_"))
}
