//! What the gate seals connections and variables with, where it reads them, and what setting either has in common.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use ring::rand::SecureRandom;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use tidemill_core::time::Timestamp;
use tidemill_store::record::Touch;
use tidemill_store::{Store, StoreError};

use super::routes::{Asking, CommandReply, Reply, carry_out, not_leading, replied};
use super::{Gate, Problem};
use crate::engine::{Changed, Command, Refusal};
use crate::secrets::{KeyRing, SealError};

/// How often something is sealed anew because somebody else changed it meanwhile.
const TRIES_MAX: u32 = 8;

/// The keys, the rows that are sealed with them, and random bytes to seal more. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    pub(super) store: Store,
    pub(super) keys: Arc<KeyRing>,
    pub(super) random: Arc<dyn SecureRandom + Send + Sync>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

impl Vault {
    /// Reads from this store, and seals with the first of these keys.
    #[must_use]
    pub fn new(
        store: Store,
        keys: Arc<KeyRing>,
        random: Arc<dyn SecureRandom + Send + Sync>,
    ) -> Self {
        Self {
            store,
            keys,
            random,
        }
    }
}

/// Who changed something last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TouchView {
    /// Who.
    pub by: String,
    /// What they did, for people: `set`.
    pub how: String,
    /// When.
    pub at: Timestamp,
}

impl From<&Touch> for TouchView {
    fn from(touch: &Touch) -> Self {
        Self {
            by: touch.by.to_string(),
            how: touch.how.to_string(),
            at: touch.at,
        }
    }
}

/// Who takes something away, and what they saw.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveQuery {
    /// Who asks, for the audit log.
    pub by: String,
    /// The `edits` that they saw.
    #[serde(default)]
    pub seen: Option<u32>,
    /// Whether only to say what would change.
    #[serde(default)]
    pub dry_run: bool,
}

impl RemoveQuery {
    pub(super) fn asking(&self) -> Asking<'_> {
        Asking {
            by: &self.by,
            seen: self.seen,
            dry_run: self.dry_run,
        }
    }
}

/// What is about to be written.
pub(super) struct Prepared {
    /// The `edits` of what it was made of.
    pub(super) edits: u32,
    /// What the engine is asked.
    pub(super) command: Command,
    /// What its author should know.
    pub(super) remarks: Vec<String>,
}

/// A body that sets a connection or a variable.
pub(super) trait Sets: DeserializeOwned + Send + Sync + 'static {
    /// What takes one away.
    fn removal(name: Arc<str>) -> Command;

    /// Who asks.
    fn asking(&self) -> Asking<'_>;

    /// Seals what will be there, made of this and of what is there now.
    fn prepare(
        &self,
        vault: &Vault,
        name: &str,
    ) -> impl Future<Output = Result<Prepared, Problem>> + Send;
}

/// Sets something.
pub(super) async fn put<T: Sets>(
    State(gate): State<Gate>,
    Path(name): Path<String>,
    bytes: Result<Bytes, BytesRejection>,
) -> Reply<CommandReply> {
    let body: T = body(bytes)?;
    let changed = set(&gate, &name, &body).await?;
    Ok(Json(CommandReply { changed }))
}

/// Sets something. It is made of what is there now, so it is only written if that is still there.
pub(super) async fn set<T: Sets>(gate: &Gate, name: &str, body: &T) -> Result<Changed, Problem> {
    ready_to_seal(gate)?;
    let asking = body.asking();
    for _ in 0..TRIES_MAX {
        let made = body.prepare(gate.vault(), name).await?;
        // Otherwise the author saw another one than was read just now: the engine says whether theirs is too old. If it is
        // not, the database was behind, and what was made of it must not be written.
        let same = asking.seen.is_none_or(|seen| seen == made.edits);
        let guarded = Asking {
            seen: asking.seen.or(Some(made.edits)),
            dry_run: asking.dry_run || !same,
            ..asking
        };
        match carry_out(gate, guarded, made.command).await? {
            Ok(mut changed) if same => {
                changed.remarks.extend(made.remarks);
                return Ok(changed);
            }
            Ok(_) => {}
            Err(Refusal::Stale { .. }) if asking.seen.is_none() => {}
            Err(refusal) => return Err(Problem::refused(&refusal)),
        }
    }
    let detail = format!("`{name}` is being changed by others at the same time; try again");
    Err(Problem::new(StatusCode::CONFLICT, detail))
}

/// Takes something away.
pub(super) async fn remove<T: Sets>(
    State(gate): State<Gate>,
    Path(name): Path<String>,
    query: Result<Query<RemoveQuery>, QueryRejection>,
) -> Reply<CommandReply> {
    let Query(query) = query.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    replied(carry_out(&gate, query.asking(), T::removal(name.into())).await?)
}

/// Makes sure that this scheduler leads, and has a key to seal with.
pub(super) fn ready_to_seal(gate: &Gate) -> Result<(), Problem> {
    gate.process().inbox().map_err(|_| not_leading(gate))?;
    if gate.vault().keys.ids().next().is_some() {
        return Ok(());
    }
    let detail = "this scheduler has no key to seal with; set `keys` or `keys_file` (`config new-key` makes a key) and \
        start it again";
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail))
}

/// Reads a body that may have secrets in it. What is wrong is said without quoting it: answers end up in logs.
pub(super) fn body<T: DeserializeOwned>(
    bytes: Result<Bytes, BytesRejection>,
) -> Result<T, Problem> {
    let bytes = bytes.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let (status, what) = match error.classify() {
            Category::Data => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "has something that does not belong there, or lacks something,",
            ),
            _ => (StatusCode::BAD_REQUEST, "is no JSON from"),
        };
        let (line, column) = (error.line(), error.column());
        let detail = format!(
            "the body {what} at line {line}, column {column}; it is not quoted, because it may hold secrets"
        );
        Problem::new(status, detail)
    })
}

/// What is answered if something does not seal or unseal.
pub(super) fn unsealed(error: &SealError) -> Problem {
    let status = match error {
        SealError::Broken { .. } | SealError::Unknown { .. } => StatusCode::CONFLICT,
        SealError::MissingKey { .. } | SealError::NoKey { .. } | SealError::NoRandom { .. } => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    Problem::new(status, error.to_string())
}

/// What is answered if the database does not.
pub(super) fn unread(error: &StoreError) -> Problem {
    let mut text = format!("failed to {error}");
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, text)
}

/// That there is no such thing.
pub(super) fn missing(what: &'static str, name: &str, known: &[String]) -> Problem {
    let known = known.iter().map(String::as_str);
    Problem::refused(&Refusal::Unknown {
        what,
        name: name.to_owned(),
        nearest: tidemill_core::id::nearest(name, known).map(str::to_owned),
    })
}
