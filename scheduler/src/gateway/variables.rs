//! Variables by HTTP. A value is not among what everybody sees: some installations keep passwords in them. It is shown to
//! who asks for it by name, after the audit log says so.

use std::fmt;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tidemill_store::record::VariableRow;

use super::routes::{Asking, Reply, carry_out};
use super::vault::{
    Prepared, Sets, TouchView, Vault, body, missing, put, remove, set, unread, unsealed,
};
use super::{Gate, Problem};
use crate::engine::{Changed, Command};
use crate::secrets::{open_variable, seal_variable};

/// A variable, as its author writes it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariableBody {
    /// Who asks, for the audit log.
    pub by: String,
    /// The `edits` that they saw; 0 if there was none.
    #[serde(default)]
    pub seen: Option<u32>,
    /// Whether only to say what would change.
    #[serde(default)]
    pub dry_run: bool,
    /// Its value.
    pub value: String,
    /// What it is for, for people. Without it the note stays; an empty one goes.
    #[serde(default)]
    pub note: Option<String>,
}

impl fmt::Debug for VariableBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VariableBody")
            .field("by", &self.by)
            .field("note", &self.note)
            .finish_non_exhaustive()
    }
}

/// A variable, as everybody may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariableView {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub note: Option<String>,
    /// Grows with every change.
    pub edits: u32,
    /// Who changed it last.
    #[serde(default)]
    pub touched: Option<TouchView>,
    /// Why it cannot be used, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Who wants to see a value.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevealBody {
    /// Who asks, for the audit log.
    pub by: String,
}

/// A variable's value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevealReply {
    /// Its value.
    pub value: String,
    /// The `edits` that it has.
    pub edits: u32,
}

impl fmt::Debug for RevealReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevealReply")
            .field("edits", &self.edits)
            .finish_non_exhaustive()
    }
}

pub(super) fn routes() -> Router<Gate> {
    Router::new()
        .route("/api/v1/variables", get(list))
        .route(
            "/api/v1/variables/{name}",
            get(show)
                .put(put::<VariableBody>)
                .delete(remove::<VariableBody>),
        )
        .route("/api/v1/variables/{name}/reveal", post(reveal))
}

impl Vault {
    fn view_of_variable(&self, row: &VariableRow) -> VariableView {
        VariableView {
            name: row.name.to_string(),
            note: row.note.as_ref().map(ToString::to_string),
            edits: row.edits,
            touched: row.touched.as_ref().map(Into::into),
            problem: open_variable(&self.keys, row)
                .err()
                .map(|error| error.to_string()),
        }
    }

    async fn variable(&self, name: &str) -> Result<VariableRow, Problem> {
        let row = self.store.variable(name).await;
        if let Some(row) = row.map_err(|error| unread(&error))? {
            return Ok(row);
        }
        let known = self.store.variable_names().await;
        let known = known.map_err(|error| unread(&error))?;
        Err(missing("variable", name, &known))
    }
}

impl Sets for VariableBody {
    fn removal(name: Arc<str>) -> Command {
        Command::RemoveVariable { name }
    }

    fn asking(&self) -> Asking<'_> {
        Asking {
            by: &self.by,
            seen: self.seen,
            dry_run: self.dry_run,
        }
    }

    async fn prepare(&self, vault: &Vault, name: &str) -> Result<Prepared, Problem> {
        let row = vault.store.variable(name).await;
        let row = row.map_err(|error| unread(&error))?;
        let before = row.as_ref().and_then(|row| row.note.as_deref());
        let note = self.note.as_deref().or(before);
        let note = note.filter(|note| !note.is_empty());
        let value = (name, self.value.as_str());
        let sealed = seal_variable(&vault.keys, value, note, &*vault.random);
        let sealed = sealed.map_err(|error| unsealed(&error))?;
        Ok(Prepared {
            edits: row.map_or(0, |row| row.edits),
            command: Command::SetVariable(sealed),
            remarks: Vec::new(),
        })
    }
}

impl Gate {
    /// All variables, without their values.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn variables(&self) -> Result<Vec<VariableView>, Problem> {
        let vault = self.vault();
        let rows = vault.store.variables().await;
        let rows = rows.map_err(|error| unread(&error))?;
        let views = rows.iter().map(|row| vault.view_of_variable(row));
        Ok(views.collect())
    }

    /// Makes or changes a variable.
    ///
    /// # Errors
    /// Why it was not done, or that nobody knows.
    pub async fn set_variable(&self, name: &str, body: &VariableBody) -> Result<Changed, Problem> {
        set(self, name, body).await
    }

    /// The value of a variable, after the audit log says who asked.
    ///
    /// # Errors
    /// If there is none, or it cannot be unsealed, or nobody leads.
    pub async fn reveal_variable(&self, name: &str, by: &str) -> Result<RevealReply, Problem> {
        let row = self.vault().variable(name).await?;
        let value = open_variable(&self.vault().keys, &row).map_err(|error| unsealed(&error))?;
        let asking = Asking {
            by,
            seen: None,
            dry_run: false,
        };
        // The value goes out only once the line of the audit log is durable.
        carry_out(self, asking, Command::RevealVariable { name: name.into() })
            .await?
            .map_err(|refusal| Problem::refused(&refusal))?;
        Ok(RevealReply {
            value,
            edits: row.edits,
        })
    }
}

async fn list(State(gate): State<Gate>) -> Reply<Vec<VariableView>> {
    gate.variables().await.map(Json)
}

async fn show(State(gate): State<Gate>, Path(name): Path<String>) -> Reply<VariableView> {
    let row = gate.vault().variable(&name).await?;
    Ok(Json(gate.vault().view_of_variable(&row)))
}

async fn reveal(
    State(gate): State<Gate>,
    Path(name): Path<String>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let wished: RevealBody = body(bytes)?;
    let reply = gate.reveal_variable(&name, &wished.by).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}
