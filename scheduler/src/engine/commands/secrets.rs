//! Commands for connections and variables. They come sealed, and the engine passes them on: it keeps in mind which there
//! are and who changed them last, and can read none.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_core::id::{check_name, nearest};
use tidemill_store::record::{ConnectionRow, SecretHead, Touch, VariableRow};

use super::{Answer, Asking, stale};
use crate::engine::effect::{Changed, Refusal};
use crate::engine::input::{SealedConnection, SealedVariable};
use crate::engine::machine::Engine;

/// Connections or variables that there are.
#[derive(Debug, Default)]
pub(in crate::engine) struct Heads(BTreeMap<Arc<str>, SecretHead>);

impl Heads {
    pub(in crate::engine) fn recover(rows: &[SecretHead]) -> Self {
        let rows = rows.iter().map(|row| (Arc::clone(&row.name), row.clone()));
        Self(rows.collect())
    }

    /// Each as a line, for comparing engines.
    pub(in crate::engine) fn lines(&self) -> impl Iterator<Item = String> {
        let heads = self.0.values();
        heads.map(|head| format!("{} edits {} {:?}", head.name, head.edits, head.touched))
    }

    /// Refuses a name that is none, and what was written against an older state. One that is not there is new, unless its
    /// author saw it.
    fn check_set(&self, name: &str, asking: Asking<'_>) -> Result<(), Refusal> {
        check_name(name).map_err(|error| Refusal::invalid(error.to_string()))?;
        let head = self.0.get(name);
        let touched = head.and_then(|head| head.touched.as_ref());
        stale(head.map_or(0, |head| head.edits), touched, asking.seen)
    }

    /// Refuses what is not there, and what was written against an older state.
    fn check_there(
        &self,
        what: &'static str,
        name: &str,
        asking: Asking<'_>,
    ) -> Result<(), Refusal> {
        let Some(head) = self.0.get(name) else {
            return Err(Refusal::Unknown {
                what,
                name: name.to_owned(),
                nearest: nearest(name, self.0.keys().map(|name| &**name)).map(str::to_owned),
            });
        };
        stale(head.edits, head.touched.as_ref(), asking.seen)
    }

    fn set(&mut self, name: &Arc<str>, touch: Touch) -> SecretHead {
        let head = SecretHead {
            name: Arc::clone(name),
            edits: self.0.get(name).map_or(0, |head| head.edits) + 1,
            touched: Some(touch),
        };
        self.0.insert(Arc::clone(name), head.clone());
        head
    }

    /// Whether nobody has changed it since it had so many edits.
    fn is_at(&self, name: &str, edits: u32) -> bool {
        self.0.get(name).is_some_and(|head| head.edits == edits)
    }
}

impl Engine {
    pub(super) fn set_connection(&mut self, set: &SealedConnection, asking: Asking<'_>) -> Answer {
        self.world.connections.check_set(&set.name, asking)?;
        if !asking.dry_run {
            let touch = self.world.touch(asking.by, "set");
            let head = self.world.connections.set(&set.name, touch);
            self.write_connection(ConnectionRow {
                name: head.name,
                kind: Arc::clone(&set.kind),
                fields: Arc::clone(&set.fields),
                sealed: Arc::clone(&set.sealed),
                edits: head.edits,
                touched: head.touched,
            });
        }
        Ok(Changed::default())
    }

    pub(super) fn remove_connection(&mut self, name: &Arc<str>, asking: Asking<'_>) -> Answer {
        let heads = &mut self.world.connections;
        heads.check_there("connection", name, asking)?;
        if !asking.dry_run {
            heads.0.remove(name);
            let changes = &mut self.world.changes;
            changes.connections.retain(|row| row.name != *name);
            changes.connections_gone.push(Arc::clone(name));
        }
        Ok(Changed::default())
    }

    pub(super) fn set_variable(&mut self, set: &SealedVariable, asking: Asking<'_>) -> Answer {
        self.world.variables.check_set(&set.name, asking)?;
        if !asking.dry_run {
            let touch = self.world.touch(asking.by, "set");
            let head = self.world.variables.set(&set.name, touch);
            self.write_variable(VariableRow {
                name: head.name,
                sealed: Arc::clone(&set.sealed),
                note: set.note.clone(),
                edits: head.edits,
                touched: head.touched,
            });
        }
        Ok(Changed::default())
    }

    pub(super) fn remove_variable(&mut self, name: &Arc<str>, asking: Asking<'_>) -> Answer {
        let heads = &mut self.world.variables;
        heads.check_there("variable", name, asking)?;
        if !asking.dry_run {
            heads.0.remove(name);
            let changes = &mut self.world.changes;
            changes.variables.retain(|row| row.name != *name);
            changes.variables_gone.push(Arc::clone(name));
        }
        Ok(Changed::default())
    }

    /// Changes nothing. What is asked for stands in the audit log before the value is shown.
    pub(super) fn reveal_variable(&self, name: &Arc<str>, asking: Asking<'_>) -> Answer {
        self.world.variables.check_there("variable", name, asking)?;
        Ok(Changed::default())
    }

    /// Writes what was sealed under another key. Nobody's form grows old by it: what is in the rows stays as it was. What
    /// somebody changed meanwhile is left as they wrote it.
    pub(super) fn reseal(
        &mut self,
        connections: &[ConnectionRow],
        variables: &[VariableRow],
        asking: Asking<'_>,
    ) -> Answer {
        let mut remarks = Vec::new();
        for row in connections {
            if !self.world.connections.is_at(&row.name, row.edits) {
                remarks.push(format!(
                    "the connection `{}` was changed meanwhile",
                    row.name
                ));
            } else if !asking.dry_run {
                self.write_connection(row.clone());
            }
        }
        for row in variables {
            if !self.world.variables.is_at(&row.name, row.edits) {
                remarks.push(format!("the variable `{}` was changed meanwhile", row.name));
            } else if !asking.dry_run {
                self.write_variable(row.clone());
            }
        }
        Ok(Changed {
            remarks,
            ..Changed::default()
        })
    }

    /// Each row comes once in a commit.
    fn write_connection(&mut self, row: ConnectionRow) {
        let rows = &mut self.world.changes.connections;
        rows.retain(|other| other.name != row.name);
        rows.push(row);
    }

    fn write_variable(&mut self, row: VariableRow) {
        let rows = &mut self.world.changes.variables;
        rows.retain(|other| other.name != row.name);
        rows.push(row);
    }
}
