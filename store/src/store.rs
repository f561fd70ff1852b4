//! The handle that everything starts from.

use std::sync::Arc;

use crate::db::Database;
use crate::hint::Hints;
use crate::options::Schema;
use crate::{Migration, Options, SchemaError, StoreError, migrate};

/// A database of Tidemill's. Cheap to clone; all clones share their connections.
#[derive(Debug, Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    database: Database,
    hints: Hints,
}

impl Store {
    /// Opens the database at `postgres://…` or `sqlite://path`.
    ///
    /// # Errors
    /// If it cannot be reached, or its schema is not ours to use.
    pub async fn open(url: &str, options: Options) -> Result<Self, StoreError> {
        let database = Database::open(url, &options).await?;
        match options.schema {
            Schema::Migrate => migrate::apply(&database).await?,
            Schema::Require => {
                let all = migrate::status(&database).await?;
                let count = all.iter().filter(|step| step.applied_at.is_none()).count();
                if count > 0 {
                    return Err(SchemaError::Behind { count }.into());
                }
            }
            Schema::Leave => {}
        }
        let hints = Hints::new(&database);
        let shared = Arc::new(Shared { database, hints });
        Ok(Self { shared })
    }

    /// The steps of the schema, and which of them the database has taken.
    ///
    /// # Errors
    /// If the database cannot be read, or its schema is not ours.
    pub async fn migrations(&self) -> Result<Vec<Migration>, StoreError> {
        migrate::status(self.db()).await
    }

    /// Closes all connections. What still runs is waited for.
    pub async fn close(&self) {
        self.db().close().await;
    }

    pub(crate) fn db(&self) -> &Database {
        &self.shared.database
    }

    pub(crate) fn hints(&self) -> &Hints {
        &self.shared.hints
    }
}
