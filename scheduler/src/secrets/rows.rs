//! Rows of values, values of rows. The fields of a connection that everybody may see are authenticated with its secrets:
//! whoever can write to the database, and has no key, cannot have a password sent to another host.

use std::collections::BTreeMap;
use std::sync::Arc;

use ring::rand::SecureRandom;
use tidemill_core::operator::{Connection, Secret};
use tidemill_store::record::{ConnectionRow, VariableRow};

use super::keys::{KeyRing, SealError, Subject};
use crate::engine::{SealedConnection, SealedVariable};

fn beside<'a>(kind: &'a str, fields: &'a str) -> [&'a str; 3] {
    ["secrets", kind, fields]
}

const VALUE: [&str; 1] = ["value"];

fn of_variable(name: &str) -> Subject<'_> {
    Subject {
        kind: "variable",
        name,
        beside: &VALUE,
    }
}

fn of_connection<'a>(name: &'a str, beside: &'a [&'a str]) -> Subject<'a> {
    Subject {
        kind: "connection",
        name,
        beside,
    }
}

/// Seals a connection, for [`Command::SetConnection`](crate::engine::Command::SetConnection).
///
/// # Errors
/// If there are no random bytes to be had.
pub fn seal_connection(
    keys: &KeyRing,
    connection: &Connection,
    random: &dyn SecureRandom,
) -> Result<SealedConnection, SealError> {
    let fields = text(&connection.fields);
    let secrets: BTreeMap<&str, &str> = connection
        .secrets
        .iter()
        .map(|(name, secret)| (name.as_str(), secret.reveal()))
        .collect();
    let beside = beside(&connection.kind, &fields);
    let subject = of_connection(&connection.name, &beside);
    let sealed = keys.seal(subject, &text(&secrets), random)?;
    Ok(SealedConnection {
        name: connection.name.as_str().into(),
        kind: connection.kind.as_str().into(),
        fields: fields.into(),
        sealed: sealed.into(),
    })
}

/// Maps of texts are always JSON.
fn text(map: &impl serde::Serialize) -> String {
    serde_json::to_string(map).unwrap_or_default()
}

/// Unseals a connection.
///
/// # Errors
/// If its key is not at hand, or its row is not as it was written.
pub fn open_connection(keys: &KeyRing, row: &ConnectionRow) -> Result<Connection, SealError> {
    let beside = beside(&row.kind, &row.fields);
    let subject = of_connection(&row.name, &beside);
    let secrets = keys.open(subject, &row.sealed)?;
    let unknown = |_| SealError::Unknown {
        subject: subject.to_string(),
    };
    let secrets: BTreeMap<String, String> = serde_json::from_str(&secrets).map_err(unknown)?;
    Ok(Connection {
        name: row.name.to_string(),
        kind: row.kind.to_string(),
        fields: serde_json::from_str(&row.fields).map_err(unknown)?,
        secrets: secrets
            .into_iter()
            .map(|(name, value)| (name, Secret::new(value)))
            .collect(),
    })
}

/// Seals a variable, for [`Command::SetVariable`](crate::engine::Command::SetVariable).
///
/// # Errors
/// If there are no random bytes to be had.
pub fn seal_variable(
    keys: &KeyRing,
    (name, value): (&str, &str),
    note: Option<&str>,
    random: &dyn SecureRandom,
) -> Result<SealedVariable, SealError> {
    let sealed = keys.seal(of_variable(name), value, random)?;
    Ok(SealedVariable {
        name: name.into(),
        sealed: sealed.into(),
        note: note.map(Into::into),
    })
}

/// Unseals a variable.
///
/// # Errors
/// If its key is not at hand, or its row is not as it was written.
pub fn open_variable(keys: &KeyRing, row: &VariableRow) -> Result<String, SealError> {
    keys.open(of_variable(&row.name), &row.sealed)
}

/// What was sealed again, for [`Command::Reseal`](crate::engine::Command::Reseal).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resealed {
    /// Connections that were sealed under another key.
    pub connections: Vec<ConnectionRow>,
    /// Variables likewise.
    pub variables: Vec<VariableRow>,
}

/// Seals everything under the first key that is not yet. After this the other keys can go.
///
/// # Errors
/// Names the first thing that does not unseal; then nothing should be written, or the old key is needed for ever.
pub fn reseal(
    keys: &KeyRing,
    connections: &[ConnectionRow],
    variables: &[VariableRow],
    random: &dyn SecureRandom,
) -> Result<Resealed, SealError> {
    let mut done = Resealed::default();
    for row in connections
        .iter()
        .filter(|row| !keys.is_current(&row.sealed))
    {
        let beside = beside(&row.kind, &row.fields);
        let subject = of_connection(&row.name, &beside);
        done.connections.push(ConnectionRow {
            sealed: again(keys, subject, &row.sealed, random)?,
            ..row.clone()
        });
    }
    for row in variables.iter().filter(|row| !keys.is_current(&row.sealed)) {
        done.variables.push(VariableRow {
            sealed: again(keys, of_variable(&row.name), &row.sealed, random)?,
            ..row.clone()
        });
    }
    Ok(done)
}

fn again(
    keys: &KeyRing,
    subject: Subject<'_>,
    sealed: &str,
    random: &dyn SecureRandom,
) -> Result<Arc<str>, SealError> {
    let plain = keys.open(subject, sealed)?;
    keys.seal(subject, &plain, random).map(Into::into)
}
