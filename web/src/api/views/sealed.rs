//! Variables and connections, as everybody may see them who may see them at all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_scheduler::gateway;
use utoipa::ToSchema;

use super::TouchView;

/// A variable, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VariableView {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub note: Option<String>,
    /// Grows with every change; the `ETag`.
    pub edits: u32,
    /// The last change by a person.
    pub touched: Option<TouchView>,
    /// Why it cannot be used; null if it can.
    pub problem: Option<String>,
}

/// The value of a variable.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevealedView {
    /// The value.
    pub value: String,
    /// The `edits` that it has.
    pub edits: u32,
}

impl std::fmt::Debug for RevealedView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RevealedView")
            .field("edits", &self.edits)
            .finish_non_exhaustive()
    }
}

/// A connection, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectionView {
    /// Its name.
    pub name: String,
    /// What kind of system it leads to.
    pub kind: String,
    /// What is no secret.
    pub fields: BTreeMap<String, String>,
    /// The names of its secrets.
    pub secrets: Vec<String>,
    /// Grows with every change; the `ETag`.
    pub edits: u32,
    /// The last change by a person.
    pub touched: Option<TouchView>,
    /// Why it cannot be used; null if it can.
    pub problem: Option<String>,
}

fn touched(touch: gateway::TouchView) -> TouchView {
    TouchView {
        by: touch.by,
        how: touch.how,
        at: touch.at,
    }
}

impl From<gateway::VariableView> for VariableView {
    fn from(view: gateway::VariableView) -> Self {
        Self {
            name: view.name,
            note: view.note,
            edits: view.edits,
            touched: view.touched.map(touched),
            problem: view.problem,
        }
    }
}

impl From<gateway::ConnectionView> for ConnectionView {
    fn from(view: gateway::ConnectionView) -> Self {
        Self {
            name: view.name,
            kind: view.kind,
            fields: view.fields,
            secrets: view.secrets,
            edits: view.edits,
            touched: view.touched.map(touched),
            problem: view.problem,
        }
    }
}
