//! What programs come in with.

use serde_json::json;
use tidemill_core::time::Timestamp;

use super::sessions::TOUCH_EVERY;
use super::{By, Line, Turn};
use crate::bind::Args;
use crate::db::Part;
use crate::record::{TokenRow, UserRow};
use crate::{Store, StoreError, sql};

/// A token that goes on, and in whose name it acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveToken {
    /// The token.
    pub token: TokenRow,
    /// In whose name it acts.
    pub user: UserRow,
}

impl Store {
    /// Makes a token. False if there is no such user, or they are disabled.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn make_token(&self, new: &TokenRow, by: By<'_>) -> Result<bool, StoreError> {
        let args = Args::NONE
            .key(&new.id)
            .key(&new.hash)
            .text(&*new.name)
            .key(&new.user)
            .text(new.role.word())
            .text(&*json!(new.dags).to_string())
            .time(new.created_at)
            .time(new.ends_at);
        let target = format!("{} / {}", new.user, new.id);
        let line = Line {
            action: "token.make",
            target: &target,
            details: json!({
                "name": new.name, "role": new.role, "dags": new.dags, "ends_at": new.ends_at,
            }),
        };
        let parts = vec![Part::Must((&sql::TOKEN_ADD, args))];
        Ok(self.in_turn(parts, &line, by).await? == Turn::Done)
    }

    /// The token of this hash and in whose name it acts, if it is neither over at this time nor revoked, and they are not
    /// disabled.
    ///
    /// # Errors
    /// If the database cannot be read, or a row does not read.
    pub async fn token(&self, hash: &str, now: Timestamp) -> Result<Option<LiveToken>, StoreError> {
        let args = Args::NONE.key(hash).time(now);
        self.db().row(&sql::TOKEN_LIVE, args).await
    }

    /// The token of this id, whatever became of it.
    ///
    /// # Errors
    /// If the database cannot be read, or the row does not read.
    pub async fn token_of_id(&self, id: &str) -> Result<Option<TokenRow>, StoreError> {
        let args = Args::NONE.key(id);
        self.db().row(&sql::TOKEN_OF_ID, args).await
    }

    /// The tokens of a user, or of everybody, the newest first; those that are over and revoked included.
    ///
    /// # Errors
    /// If the database cannot be read, or a row does not read.
    pub async fn tokens(&self, user: Option<&str>) -> Result<Vec<TokenRow>, StoreError> {
        match user {
            Some(user) => {
                let args = Args::NONE.key(user);
                self.db().rows(&sql::TOKENS_OF_USER, args).await
            }
            None => self.db().rows(&sql::TOKENS, Args::NONE).await,
        }
    }

    /// Says that a token was used. Written once a minute: until then nothing happens, and this is false.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn touch_token(&self, seen: &TokenRow, now: Timestamp) -> Result<bool, StoreError> {
        if seen.used_at.is_some_and(|at| now.since(at) < TOUCH_EVERY) {
            return Ok(false);
        }
        let args = Args::NONE.key(&seen.id).time(now);
        let wrote = self.db().write(vec![(&sql::TOKEN_TOUCH, args)]).await?;
        Ok(wrote.iter().sum::<u64>() > 0)
    }

    /// Revokes a token. False if it was revoked before, or there is none.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn revoke_token(&self, token: &TokenRow, by: By<'_>) -> Result<bool, StoreError> {
        let args = Args::NONE.key(&token.id).time(by.at).text(by.who);
        let target = format!("{} / {}", token.user, token.id);
        let line = Line {
            action: "token.revoke",
            target: &target,
            details: json!({ "name": token.name }),
        };
        let parts = vec![Part::Must((&sql::TOKEN_REVOKE, args))];
        Ok(self.in_turn(parts, &line, by).await? == Turn::Done)
    }
}
