//! Connections by HTTP: set, looked at, taken away, sealed again. A secret comes in and never goes out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tidemill_core::id::check_name;
use tidemill_core::operator::{Connection, Secret};
use tidemill_store::record::ConnectionRow;

use super::routes::{Asking, Reply, carry_out};
use super::vault::{
    Prepared, Sets, TouchView, Vault, body, missing, put, ready_to_seal, remove, set, unread,
    unsealed,
};
use super::{Gate, Problem};
use crate::engine::{Changed, Command};
use crate::secrets::{open_connection, reseal, seal_connection};

/// A connection, as its author writes it. It becomes what is here; only secrets that are not named stay as they are.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionBody {
    /// Who asks, for the audit log.
    pub by: String,
    /// The `edits` that they saw; 0 if there was none.
    #[serde(default)]
    pub seen: Option<u32>,
    /// Whether only to say what would change.
    #[serde(default)]
    pub dry_run: bool,
    /// What kind of system it leads to.
    pub kind: String,
    /// What everybody may see.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// What nobody may see. One that is null goes.
    #[serde(default)]
    pub secrets: BTreeMap<String, Option<String>>,
    /// Whether secrets that are not named go, too. Then what is there is not read: it may not unseal any more.
    #[serde(default)]
    pub replace: bool,
}

impl fmt::Debug for ConnectionBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionBody")
            .field("by", &self.by)
            .field("kind", &self.kind)
            .field("fields", &self.fields)
            .field("secrets", &self.secrets.keys())
            .finish_non_exhaustive()
    }
}

/// A connection, as everybody may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionView {
    /// Its name.
    pub name: String,
    /// What kind of system it leads to.
    pub kind: String,
    /// What everybody may see.
    pub fields: BTreeMap<String, String>,
    /// The names of its secrets.
    pub secrets: Vec<String>,
    /// Grows with every change.
    pub edits: u32,
    /// Who changed it last.
    #[serde(default)]
    pub touched: Option<TouchView>,
    /// Why it cannot be used, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Who has everything sealed again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResealBody {
    /// Who asks, for the audit log.
    pub by: String,
    /// Whether only to say what would change.
    #[serde(default)]
    pub dry_run: bool,
}

/// What was sealed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResealReply {
    /// The key that seals everything now.
    pub key: String,
    /// Connections that were sealed under another key.
    pub connections: Vec<String>,
    /// Variables likewise.
    pub variables: Vec<String>,
    /// What the command changed.
    pub changed: Changed,
}

pub(super) fn routes() -> Router<Gate> {
    Router::new()
        .route("/api/v1/connections", get(list))
        .route(
            "/api/v1/connections/{name}",
            get(show)
                .put(put::<ConnectionBody>)
                .delete(remove::<ConnectionBody>),
        )
        .route("/api/v1/reseal", post(again))
}

impl Vault {
    fn view(&self, row: &ConnectionRow) -> ConnectionView {
        let opened = open_connection(&self.keys, row);
        let (secrets, problem) = match opened {
            Ok(connection) => (connection.secrets.into_keys().collect(), None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        ConnectionView {
            name: row.name.to_string(),
            kind: row.kind.to_string(),
            fields: serde_json::from_str(&row.fields).unwrap_or_default(),
            secrets,
            edits: row.edits,
            touched: row.touched.as_ref().map(Into::into),
            problem,
        }
    }
}

impl Sets for ConnectionBody {
    fn removal(name: Arc<str>) -> Command {
        Command::RemoveConnection { name }
    }

    fn asking(&self) -> Asking<'_> {
        Asking {
            by: &self.by,
            seen: self.seen,
            dry_run: self.dry_run,
        }
    }

    async fn prepare(&self, vault: &Vault, name: &str) -> Result<Prepared, Problem> {
        self.check()?;
        let row = vault.store.connection(name).await;
        let row = row.map_err(|error| unread(&error))?;
        let mut connection = Connection::new(name, self.kind.as_str());
        connection.fields.clone_from(&self.fields);
        let mut remarks = Vec::new();
        if let Some(row) = row.as_ref().filter(|_| !self.replace) {
            let before = open_connection(&vault.keys, row).map_err(|error| {
                let mut problem = unsealed(&error);
                problem
                    .detail
                    .push_str("; or write it anew with all of its secrets and `replace`");
                problem
            })?;
            connection.secrets = before.secrets;
            connection.secrets.retain(|name, _| {
                !self.secrets.contains_key(name) && !self.fields.contains_key(name)
            });
            remarks.extend(
                connection
                    .secrets
                    .keys()
                    .map(|name| format!("kept the secret `{name}`")),
            );
        }
        for (name, secret) in &self.secrets {
            if let Some(secret) = secret {
                connection.secrets.insert(name.clone(), Secret::new(secret));
            }
        }
        let sealed = seal_connection(&vault.keys, &connection, &*vault.random);
        let sealed = sealed.map_err(|error| unsealed(&error))?;
        Ok(Prepared {
            edits: row.map_or(0, |row| row.edits),
            command: Command::SetConnection(sealed),
            remarks,
        })
    }
}

impl ConnectionBody {
    fn check(&self) -> Result<(), Problem> {
        let wrong = |detail| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
        check_name(&self.kind).map_err(|error| wrong(format!("kind: {error}")))?;
        for name in self.fields.keys() {
            check_name(name).map_err(|error| wrong(format!("a field: {error}")))?;
        }
        for (name, secret) in &self.secrets {
            check_name(name).map_err(|error| wrong(format!("a secret: {error}")))?;
            if secret.is_some() && self.fields.contains_key(name) {
                return Err(wrong(format!(
                    "`{name}` is a field and a secret; make it one of both"
                )));
            }
        }
        Ok(())
    }
}

impl Gate {
    /// All connections, without their secrets.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn connections(&self) -> Result<Vec<ConnectionView>, Problem> {
        let vault = self.vault();
        let rows = vault.store.connections().await;
        let rows = rows.map_err(|error| unread(&error))?;
        Ok(rows.iter().map(|row| vault.view(row)).collect())
    }

    /// Makes or changes a connection.
    ///
    /// # Errors
    /// Why it was not done, or that nobody knows.
    pub async fn set_connection(
        &self,
        name: &str,
        body: &ConnectionBody,
    ) -> Result<Changed, Problem> {
        set(self, name, body).await
    }
}

async fn list(State(gate): State<Gate>) -> Reply<Vec<ConnectionView>> {
    gate.connections().await.map(Json)
}

async fn show(State(gate): State<Gate>, Path(name): Path<String>) -> Reply<ConnectionView> {
    let vault = gate.vault();
    let row = vault.store.connection(&name).await;
    if let Some(row) = row.map_err(|error| unread(&error))? {
        return Ok(Json(vault.view(&row)));
    }
    let known = vault.store.connection_names().await;
    let known = known.map_err(|error| unread(&error))?;
    Err(missing("connection", &name, &known))
}

async fn again(
    State(gate): State<Gate>,
    bytes: Result<Bytes, BytesRejection>,
) -> Reply<ResealReply> {
    let wished: ResealBody = body(bytes)?;
    ready_to_seal(&gate)?;
    let vault = gate.vault();
    let connections = vault.store.connections().await;
    let connections = connections.map_err(|error| unread(&error))?;
    let variables = vault.store.variables().await;
    let variables = variables.map_err(|error| unread(&error))?;
    let done = reseal(&vault.keys, &connections, &variables, &*vault.random);
    let done = done.map_err(|error| unsealed(&error))?;
    let names = |name: &Arc<str>| name.to_string();
    let (connections, variables) = (done.connections, done.variables);
    let mut reply = ResealReply {
        key: vault.keys.first().to_owned(),
        connections: connections.iter().map(|row| names(&row.name)).collect(),
        variables: variables.iter().map(|row| names(&row.name)).collect(),
        changed: Changed::default(),
    };
    if connections.is_empty() && variables.is_empty() {
        return Ok(Json(reply));
    }
    let command = Command::Reseal {
        connections,
        variables,
    };
    let asking = Asking {
        by: &wished.by,
        seen: None,
        dry_run: wished.dry_run,
    };
    reply.changed = carry_out(&gate, asking, command)
        .await?
        .map_err(|refusal| Problem::refused(&refusal))?;
    Ok(Json(reply))
}
