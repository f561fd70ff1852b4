//! The database as checks see it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tidemill_core::operator::{BoxFuture, TaskError, TaskResult};

use super::dialect::{Column, Dialect};

/// A row of a result: each value as text, none for null.
pub type Row = Vec<Option<String>>;

/// A database that answers checks. It only has to return text: every statement of the checks casts what it selects.
pub trait Query: Send + Sync {
    /// The SQL it speaks.
    fn dialect(&self) -> Dialect;

    /// The columns of a table in their order. A database that has no cheaper way runs
    /// [`Dialect::columns_of`].
    fn columns<'a>(&'a self, table: &'a str) -> BoxFuture<'a, TaskResult<Vec<Column>>>;

    /// Runs a statement and returns all of its rows. What is wrong with the statement is a
    /// [permanent](TaskError::permanent) error: checks then look for the one among them that is wrong. Anything else
    /// ends
    /// the attempt.
    fn rows<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, TaskResult<Vec<Row>>>;
}

/// The databases that checks of this project run on, by the name of their connection: a service that the worker
/// provides.
#[derive(Clone, Default)]
pub struct Databases {
    own: Option<Arc<dyn Query>>,
    named: BTreeMap<String, Arc<dyn Query>>,
}

impl fmt::Debug for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Databases")
            .field("named", &self.named.keys())
            .finish_non_exhaustive()
    }
}

impl Databases {
    /// This database, for checks that name no connection.
    #[must_use]
    pub fn new(own: Arc<dyn Query>) -> Self {
        Self {
            own: Some(own),
            named: BTreeMap::new(),
        }
    }

    /// Another one, for checks that name this connection.
    #[must_use]
    pub fn with(mut self, connection: impl Into<String>, database: Arc<dyn Query>) -> Self {
        self.named.insert(connection.into(), database);
        self
    }

    /// That of a connection, or the project's own.
    ///
    /// # Errors
    /// There is none.
    pub fn of(&self, connection: Option<&str>) -> TaskResult<Arc<dyn Query>> {
        let found = match connection {
            Some(name) => self.named.get(name),
            None => self.own.as_ref(),
        };
        found.cloned().ok_or_else(|| {
            let what = connection.map_or_else(
                || "checks that name no connection".to_owned(),
                |name| format!("connection `{name}`"),
            );
            TaskError::permanent(format!("no database is provided for {what}"))
                .help("give the project `Databases`, or the checks `.connection(…)`")
        })
    }
}
