//! Users, grants, sessions, tokens. They are written by statements of their own, not in batches.

use crate::access::{LiveSession, LiveToken};
use crate::read::{BadCell, Read, Reader};
use crate::record::{AttemptsRow, GrantRow, SessionRow, TokenRow, UserRow};

impl Read for UserRow {
    const TABLE: &'static str = "user_account";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            name: from.text()?,
            display: from.text()?,
            password: from.opt_text()?,
            sso: from.opt_text()?,
            role: from.word()?,
            disabled: from.flag()?,
            must_change: from.flag()?,
            created_at: from.time()?,
            signed_in_at: from.opt_time()?,
            edits: from.count()?,
            touched: from.touch()?,
        })
    }
}

impl Read for GrantRow {
    const TABLE: &'static str = "dag_grant";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            user: from.text()?,
            pattern: from.text()?,
            role: from.word()?,
            given_by: from.text()?,
            given_at: from.time()?,
        })
    }
}

impl Read for SessionRow {
    const TABLE: &'static str = "session";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            hash: from.text()?,
            user: from.text()?,
            created_at: from.time()?,
            seen_at: from.time()?,
            ends_at: from.time()?,
            address: from.text()?,
            user_agent: from.text()?,
        })
    }
}

impl Read for TokenRow {
    const TABLE: &'static str = "api_token";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            id: from.text()?,
            hash: from.text()?,
            name: from.text()?,
            user: from.text()?,
            role: from.word()?,
            dags: from.json()?,
            created_at: from.time()?,
            ends_at: from.opt_time()?,
            used_at: from.opt_time()?,
            revoked: match (from.opt_time()?, from.opt_text()?) {
                (Some(at), by) => Some((at, by.unwrap_or_default())),
                (None, _) => None,
            },
        })
    }
}

impl Read for AttemptsRow {
    const TABLE: &'static str = "login_attempt";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            subject: from.text()?,
            attempts: from.count()?,
            since: from.time()?,
        })
    }
}

impl Read for LiveSession {
    const TABLE: &'static str = "session";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            session: SessionRow::read(from)?,
            user: UserRow::read(from)?,
        })
    }
}

impl Read for LiveToken {
    const TABLE: &'static str = "api_token";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            token: TokenRow::read(from)?,
            user: UserRow::read(from)?,
        })
    }
}
