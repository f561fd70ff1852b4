//! Users.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tidemill_core::role::Role;

use super::{By, Line, Turn};
use crate::bind::Args;
use crate::db::Part;
use crate::record::UserRow;
use crate::{Store, StoreError, sql};

/// Somebody who is to be made.
#[derive(Clone)]
pub struct NewUser {
    /// Their name.
    pub name: Arc<str>,
    /// What pages call them.
    pub display: Arc<str>,
    /// The hash of their password; none for who signs in elsewhere.
    pub password: Option<Arc<str>>,
    /// Who this is elsewhere.
    pub sso: Option<Arc<str>>,
    /// What they may do.
    pub role: Role,
    /// Whether they are to change their password first.
    pub must_change: bool,
}

/// What is to be different about a user; none for what stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// What pages call them.
    pub display: Option<Arc<str>>,
    /// What they may do.
    pub role: Option<Role>,
    /// Whether they may not come in. Who is disabled is signed out everywhere.
    pub disabled: Option<bool>,
    /// Who this is elsewhere; `Some(None)` for nobody.
    pub sso: Option<Option<Arc<str>>>,
}

/// Another password.
pub struct NewPassword<'a> {
    /// Its hash; none for who signs in elsewhere only.
    pub hash: Option<&'a str>,
    /// Whether they are to change it first, because somebody else has seen it.
    pub must_change: bool,
    /// The hash of the session that goes on; all others end.
    pub keep_session: Option<&'a str>,
}

/// What became of a change of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum ChangeOutcome {
    /// It was done.
    Done,
    /// Somebody has changed this user meanwhile; this is how they are now.
    Stale(Box<UserRow>),
    /// There is no such user.
    NotThere,
    /// Nobody would be left who may change access.
    LastAdmin,
    /// Somebody else is already who this would be elsewhere.
    Taken,
}

impl Store {
    /// Makes a user. False if the name, or who they are elsewhere, is taken.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn make_user(&self, user: &NewUser, by: By<'_>) -> Result<bool, StoreError> {
        let made = self.in_turn(vec![add(user, by)], &made(user), by).await?;
        Ok(made == Turn::Done)
    }

    /// Makes the first user, unless there is one. Of several who do so at once, one succeeds.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn make_first_user(&self, user: &NewUser, by: By<'_>) -> Result<bool, StoreError> {
        let nobody = Part::Must((&sql::IF_NO_USERS, Args::NONE));
        let parts = vec![nobody, add(user, by)];
        Ok(self.in_turn(parts, &made(user), by).await? == Turn::Done)
    }

    /// A user by name.
    ///
    /// # Errors
    /// If the database cannot be read, or the row does not read.
    pub async fn user(&self, name: &str) -> Result<Option<UserRow>, StoreError> {
        let args = Args::NONE.key(name);
        self.db().row(&sql::USER_NAMED, args).await
    }

    /// The user who is this elsewhere.
    ///
    /// # Errors
    /// If the database cannot be read, or the row does not read.
    pub async fn user_of_sso(&self, sso: &str) -> Result<Option<UserRow>, StoreError> {
        let args = Args::NONE.text(sso);
        self.db().row(&sql::USER_OF_SSO, args).await
    }

    /// All users by name, those who are disabled included.
    ///
    /// # Errors
    /// If the database cannot be read, or a row does not read.
    pub async fn users(&self) -> Result<Vec<UserRow>, StoreError> {
        self.db().rows(&sql::USERS, Args::NONE).await
    }

    /// Changes a user as somebody has seen them. Refused if they are not as they were seen, and if nobody would be left who
    /// may change access.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn change_user(
        &self,
        seen: &UserRow,
        to: &UserChange,
        by: By<'_>,
    ) -> Result<ChangeOutcome, StoreError> {
        let role = to.role.unwrap_or(seen.role);
        let disabled = to.disabled.unwrap_or(seen.disabled);
        let sso = to.sso.as_ref().unwrap_or(&seen.sso).as_deref();
        let (how, details) = differences(seen, to);
        let args = Args::NONE
            .key(&seen.name)
            .int(i64::from(seen.edits))
            .text(to.display.as_deref().unwrap_or(&seen.display))
            .text(role.word())
            .flag(disabled)
            .text(sso)
            .text(by.who)
            .text(how)
            .time(by.at);
        let mut parts = vec![Part::Must((&sql::USER_CHANGE, args))];
        if seen.role == Role::Admin && !seen.disabled && (role != Role::Admin || disabled) {
            parts.push(Part::Must((&sql::IF_ADMIN_LEFT, Args::NONE)));
        }
        if disabled {
            let all = Args::NONE.key(&seen.name).text(None);
            parts.push(Part::May((&sql::SESSIONS_END, all)));
        }
        let line = Line {
            action: "user.change",
            target: &seen.name,
            details,
        };
        let turn = match self.in_turn(parts, &line, by).await {
            Err(error) if error.broke(crate::Constraint::UserSso) => {
                return Ok(ChangeOutcome::Taken);
            }
            turn => turn?,
        };
        self.outcome(turn, seen).await
    }

    /// Gives a user another password. They are signed out everywhere but in the session that is to be kept.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn set_password(
        &self,
        seen: &UserRow,
        to: &NewPassword<'_>,
        by: By<'_>,
    ) -> Result<ChangeOutcome, StoreError> {
        let how = if to.hash.is_some() {
            "set the password"
        } else {
            "took the password away"
        };
        let args = Args::NONE
            .key(&seen.name)
            .int(i64::from(seen.edits))
            .text(to.hash)
            .flag(to.must_change)
            .text(by.who)
            .text(how)
            .time(by.at);
        let others = Args::NONE.key(&seen.name).text(to.keep_session);
        let parts = vec![
            Part::Must((&sql::USER_PASSWORD, args)),
            Part::May((&sql::SESSIONS_END, others)),
        ];
        let line = Line {
            action: "user.password",
            target: &seen.name,
            details: json!({ "has_password": to.hash.is_some(), "must_change": to.must_change }),
        };
        let turn = self.in_turn(parts, &line, by).await?;
        self.outcome(turn, seen).await
    }

    /// Keeps the same password under a hash with other parameters. Nobody notices, so nothing is in the audit log.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn rehash_password(&self, seen: &UserRow, hash: &str) -> Result<(), StoreError> {
        let args = Args::NONE
            .key(&seen.name)
            .text(seen.password.as_deref())
            .text(hash);
        self.db()
            .write(vec![(&sql::USER_REHASH, args)])
            .await
            .map(drop)
    }

    async fn outcome(&self, turn: Turn, seen: &UserRow) -> Result<ChangeOutcome, StoreError> {
        Ok(match turn {
            Turn::Done => ChangeOutcome::Done,
            Turn::Refused(0) => match self.user(&seen.name).await? {
                Some(now) => ChangeOutcome::Stale(Box::new(now)),
                None => ChangeOutcome::NotThere,
            },
            Turn::Refused(_) => ChangeOutcome::LastAdmin,
        })
    }
}

fn add(user: &NewUser, by: By<'_>) -> Part {
    let args = Args::NONE
        .key(&user.name)
        .text(&*user.display)
        .text(user.password.as_deref())
        .text(user.sso.as_deref())
        .text(user.role.word())
        .flag(false)
        .flag(user.must_change)
        .time(by.at)
        .text(by.who)
        .text("made");
    Part::Must((&sql::USER_ADD, args))
}

fn made(user: &NewUser) -> Line<'_> {
    Line {
        action: "user.make",
        target: &user.name,
        details: json!({
            "role": user.role,
            "display": user.display,
            "has_password": user.password.is_some(),
            "sso": user.sso,
        }),
    }
}

/// What a change is called, and what is different after it.
fn differences(seen: &UserRow, to: &UserChange) -> (&'static str, Value) {
    let mut all = Map::new();
    let mut note = |what: &str, was: Value, is: Value| {
        if was != is {
            all.insert(what.to_owned(), json!({ "from": was, "to": is }));
        }
    };
    if let Some(display) = &to.display {
        note("display", json!(seen.display), json!(display));
    }
    if let Some(role) = to.role {
        note("role", json!(seen.role), json!(role));
    }
    if let Some(sso) = &to.sso {
        note("sso", json!(seen.sso), json!(sso));
    }
    if let Some(disabled) = to.disabled {
        note("disabled", json!(seen.disabled), json!(disabled));
    }
    let how = match to.disabled {
        Some(true) if !seen.disabled => "disabled",
        Some(false) if seen.disabled => "enabled",
        _ => "changed",
    };
    (how, Value::Object(all))
}
