//! Browsers that are signed in. How long a session lasts is not decided here: whoever opens or touches it says when it ends.

use std::time::Duration;

use serde_json::json;
use tidemill_core::time::Timestamp;

use super::{By, Line, Turn};
use crate::bind::Args;
use crate::db::Part;
use crate::record::{SessionRow, UserRow};
use crate::{Store, StoreError, sql};

/// That something was used is written at most this often.
pub(super) const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// How much is kept of what a browser calls itself.
const USER_AGENT_CHARS_MAX: usize = 300;

/// A session that goes on, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    /// The session.
    pub session: SessionRow,
    /// Whose.
    pub user: UserRow,
}

impl Store {
    /// Signs somebody in. False if there is no such user, or they are disabled.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn open_session(&self, new: &SessionRow) -> Result<bool, StoreError> {
        let user = Args::NONE.key(&new.user).time(new.created_at);
        let user_agent: String = new.user_agent.chars().take(USER_AGENT_CHARS_MAX).collect();
        let session = Args::NONE
            .key(&new.hash)
            .key(&new.user)
            .time(new.created_at)
            .time(new.seen_at)
            .time(new.ends_at)
            .text(&*new.address)
            .text(&*user_agent);
        let parts = vec![
            Part::Must((&sql::USER_SIGNED_IN, user)),
            Part::Must((&sql::SESSION_ADD, session)),
        ];
        let line = Line {
            action: "session.open",
            target: &new.user,
            details: json!({ "address": new.address, "user_agent": user_agent }),
        };
        let by = By {
            who: &new.user,
            at: new.created_at,
        };
        Ok(self.in_turn(parts, &line, by).await? == Turn::Done)
    }

    /// The session of this hash and whose it is, if it goes on at this time and they are not disabled.
    ///
    /// # Errors
    /// If the database cannot be read, or a row does not read.
    pub async fn session(
        &self,
        hash: &str,
        now: Timestamp,
    ) -> Result<Option<LiveSession>, StoreError> {
        let args = Args::NONE.key(hash).time(now);
        self.db().row(&sql::SESSION_LIVE, args).await
    }

    /// The sessions of a user that go on at this time, the newest first.
    ///
    /// # Errors
    /// If the database cannot be read, or a row does not read.
    pub async fn sessions_of(
        &self,
        user: &str,
        now: Timestamp,
    ) -> Result<Vec<SessionRow>, StoreError> {
        let args = Args::NONE.key(user).time(now);
        self.db().rows(&sql::SESSIONS_OF_USER, args).await
    }

    /// Says that a session was used, and when it ends now. Written once a minute: until then nothing happens, and this is
    /// false.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn touch_session(
        &self,
        seen: &SessionRow,
        now: Timestamp,
        ends_at: Timestamp,
    ) -> Result<bool, StoreError> {
        if now.since(seen.seen_at) < TOUCH_EVERY {
            return Ok(false);
        }
        let args = Args::NONE.key(&seen.hash).time(now).time(ends_at);
        let wrote = self.db().write(vec![(&sql::SESSION_TOUCH, args)]).await?;
        Ok(wrote.iter().sum::<u64>() > 0)
    }

    /// Ends a session. False if there is none of this hash.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn end_session(&self, session: &SessionRow, by: By<'_>) -> Result<bool, StoreError> {
        let args = Args::NONE.key(&session.hash);
        let line = Line {
            action: "session.end",
            target: &session.user,
            details: json!({ "address": session.address, "created_at": session.created_at }),
        };
        let parts = vec![Part::Must((&sql::SESSION_END, args))];
        Ok(self.in_turn(parts, &line, by).await? == Turn::Done)
    }

    /// Ends all sessions of a user but the one of this hash.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn end_sessions(
        &self,
        user: &str,
        keep: Option<&str>,
        by: By<'_>,
    ) -> Result<(), StoreError> {
        let args = Args::NONE.key(user).text(keep);
        let line = Line {
            action: "session.end_all",
            target: user,
            details: json!({ "but_one": keep.is_some() }),
        };
        let parts = vec![Part::May((&sql::SESSIONS_END, args))];
        self.in_turn(parts, &line, by).await.map(drop)
    }
}
