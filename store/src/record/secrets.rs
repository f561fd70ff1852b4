//! Connections and variables. What is secret in them comes here encrypted and leaves encrypted.

use std::sync::Arc;

use super::Touch;

/// Table `connection`, key `name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionRow {
    /// Its name.
    pub name: Arc<str>,
    /// What kind of system it leads to.
    pub kind: Arc<str>,
    /// What everybody may see; JSON.
    pub fields: Arc<str>,
    /// What nobody may see, encrypted.
    pub sealed: Arc<str>,
    /// Grows with every change.
    pub edits: u32,
    /// The last change by a person.
    pub touched: Option<Touch>,
}

/// Table `variable`, key `name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableRow {
    /// Its name.
    pub name: Arc<str>,
    /// Its value, encrypted.
    pub sealed: Arc<str>,
    /// What it is for, for people.
    pub note: Option<Arc<str>>,
    /// Grows with every change.
    pub edits: u32,
    /// The last change by a person.
    pub touched: Option<Touch>,
}

/// A connection or variable without what is in it: all that the engine keeps in mind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretHead {
    /// Its name.
    pub name: Arc<str>,
    /// Grows with every change.
    pub edits: u32,
    /// The last change by a person.
    pub touched: Option<Touch>,
}
