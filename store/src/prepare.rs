//! Whether this database understands all that will ever be said to it.

use crate::{Store, StoreError, sql};

impl Store {
    /// Has the database prepare every statement there is, and says how many that are: for the tests of this crate, and for
    /// `tidemill doctor` on a database whose tables somebody has changed by hand.
    ///
    /// # Errors
    /// Names the first statement that it does not understand.
    pub async fn prepare_all(&self) -> Result<usize, StoreError> {
        self.db().prepare(sql::ALL).await?;
        Ok(sql::ALL.len())
    }
}
