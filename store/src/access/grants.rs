//! What people may do to some DAGs, beyond their role.

use serde_json::json;
use tidemill_core::role::Role;

use super::{By, Line, Turn};
use crate::bind::Args;
use crate::db::Part;
use crate::record::GrantRow;
use crate::{Store, StoreError, sql};

impl Store {
    /// What a user may do beyond their role, by pattern.
    ///
    /// # Errors
    /// If the database cannot be read, or a row does not read.
    pub async fn grants_of(&self, user: &str) -> Result<Vec<GrantRow>, StoreError> {
        let args = Args::NONE.key(user);
        self.db().rows(&sql::GRANTS_OF_USER, args).await
    }

    /// What anybody may do beyond their role, by user and pattern.
    ///
    /// # Errors
    /// If the database cannot be read, or a row does not read.
    pub async fn grants(&self) -> Result<Vec<GrantRow>, StoreError> {
        self.db().rows(&sql::GRANTS, Args::NONE).await
    }

    /// Lets a user do more to the DAGs of a pattern; what they were given for it before is replaced. False if there is no
    /// such user.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn put_grant(
        &self,
        user: &str,
        pattern: &str,
        role: Role,
        by: By<'_>,
    ) -> Result<bool, StoreError> {
        let args = Args::NONE
            .key(user)
            .key(pattern)
            .text(role.word())
            .text(by.who)
            .time(by.at);
        let line = Line {
            action: "grant.put",
            target: user,
            details: json!({ "pattern": pattern, "role": role }),
        };
        let parts = vec![Part::Must((&sql::GRANT_PUT, args))];
        Ok(self.in_turn(parts, &line, by).await? == Turn::Done)
    }

    /// Takes away what a user was given for a pattern. False if they had nothing.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn drop_grant(
        &self,
        user: &str,
        pattern: &str,
        by: By<'_>,
    ) -> Result<bool, StoreError> {
        let args = Args::NONE.key(user).key(pattern);
        let line = Line {
            action: "grant.drop",
            target: user,
            details: json!({ "pattern": pattern }),
        };
        let parts = vec![Part::Must((&sql::GRANT_DROP, args))];
        Ok(self.in_turn(parts, &line, by).await? == Turn::Done)
    }
}
