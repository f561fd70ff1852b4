//! Connections and variables, as they are kept: sealed. Who unseals them is none of the store's business.

use crate::bind::Args;
use crate::record::{ConnectionRow, VariableRow};
use crate::{Store, StoreError, sql};

impl Store {
    /// A connection by its name.
    ///
    /// # Errors
    /// If the database cannot be read, or the row does not read.
    pub async fn connection(&self, name: &str) -> Result<Option<ConnectionRow>, StoreError> {
        let args = Args::NONE.text(name);
        self.db().row(&sql::CONNECTION_NAMED, args).await
    }

    /// All connections, by name.
    ///
    /// # Errors
    /// If the database cannot be read, or a row does not read.
    pub async fn connections(&self) -> Result<Vec<ConnectionRow>, StoreError> {
        self.db().rows(&sql::CONNECTIONS, Args::NONE).await
    }

    /// The names of all connections.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn connection_names(&self) -> Result<Vec<String>, StoreError> {
        self.db().rows(&sql::CONNECTION_NAMES, Args::NONE).await
    }

    /// A variable by its name.
    ///
    /// # Errors
    /// If the database cannot be read, or the row does not read.
    pub async fn variable(&self, name: &str) -> Result<Option<VariableRow>, StoreError> {
        let args = Args::NONE.text(name);
        self.db().row(&sql::VARIABLE_NAMED, args).await
    }

    /// All variables, by name.
    ///
    /// # Errors
    /// If the database cannot be read, or a row does not read.
    pub async fn variables(&self) -> Result<Vec<VariableRow>, StoreError> {
        self.db().rows(&sql::VARIABLES, Args::NONE).await
    }

    /// The names of all variables.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn variable_names(&self) -> Result<Vec<String>, StoreError> {
        self.db().rows(&sql::VARIABLE_NAMES, Args::NONE).await
    }
}
