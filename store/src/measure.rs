//! What this database costs: for `bench` and `doctor`.

use std::time::Duration;

use tokio::time::Instant;

use crate::bind::Args;
use crate::{Store, StoreError, sql};

impl Store {
    /// How long one committed update of one row takes, this often in a row. It changes nothing, but waits for whoever
    /// commits at the same time.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn commit_times(&self, times: usize) -> Result<Vec<Duration>, StoreError> {
        let mut took = Vec::with_capacity(times);
        for _ in 0..times {
            let began = Instant::now();
            self.db()
                .write(vec![(&sql::COMMIT_ONE, Args::NONE)])
                .await?;
            took.push(began.elapsed());
        }
        Ok(took)
    }

    /// What a commit waits for, in the words of the database.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn durability(&self) -> Result<String, StoreError> {
        let words: Option<String> = self.db().row(&sql::DURABILITY, Args::NONE).await?;
        Ok(words.unwrap_or_default())
    }

    /// How many bytes were ever written to the write-ahead log, where the database counts them.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn log_bytes(&self) -> Result<Option<i64>, StoreError> {
        let bytes: Option<i64> = self.db().row(&sql::LOG_BYTES, Args::NONE).await?;
        Ok(bytes.filter(|bytes| *bytes >= 0))
    }

    /// How many batches the present leader committed.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn batches(&self) -> Result<i64, StoreError> {
        let batches: Option<i64> = self.db().row(&sql::BATCHES, Args::NONE).await?;
        Ok(batches.unwrap_or(0))
    }
}
