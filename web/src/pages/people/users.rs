//! Users: who may come in, and what they may do.

use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tidemill_access::{Pattern, Role, display_name, secret, user_name};
use tidemill_store::access::{By, NewPassword, NewUser, UserChange};
use tidemill_store::record::{GrantRow, UserRow};

use super::super::page;
use super::tokens::{TokenLine, roles};
use super::{changed, not_there, stale};
use crate::frame::Frame;
use crate::html::When;
use crate::input::{At, Sent};
use crate::oops::{Oops, finished};
use crate::paths::part;
use crate::said::Done;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct MakeForm {
    name: String,
    #[serde(default)]
    display: String,
    #[serde(default)]
    role: Role,
    /// Whether they sign in elsewhere only.
    #[serde(default)]
    elsewhere: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ChangeForm {
    role: Role,
    display: String,
    seen: u32,
}

#[derive(Debug, Deserialize)]
pub(crate) struct DisableForm {
    disabled: bool,
    seen: u32,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SeenForm {
    seen: u32,
}

#[derive(Debug, Deserialize)]
pub(crate) struct GrantForm {
    dags: String,
    #[serde(default)]
    role: Role,
}

struct UserLine {
    name: String,
    href: String,
    display: String,
    role: String,
    disabled: bool,
    signed_in: Option<When>,
    given: String,
}

/// Everybody.
#[derive(Template)]
#[template(path = "users.html")]
pub(crate) struct UsersPage {
    frame: Frame,
    users: Vec<UserLine>,
    roles: Vec<String>,
    form: MakeForm,
    wrong: Option<String>,
}

page!(UsersPage);

fn href(name: &str) -> String {
    format!("/users/{}", part(name))
}

impl UsersPage {
    async fn read(frame: Frame) -> Result<Self, Oops> {
        let store = frame.web.store();
        let (users, grants) = (store.users().await?, store.grants().await?);
        let given = |user: &UserRow| {
            let of = grants.iter().filter(|grant| grant.user == user.name);
            let all: Vec<String> = of
                .map(|grant| format!("{} of {}", grant.role, grant.pattern))
                .collect();
            all.join(", ")
        };
        let users = users.iter().map(|user| UserLine {
            href: href(&user.name),
            display: user.display.to_string(),
            role: user.role.to_string(),
            disabled: user.disabled,
            signed_in: user.signed_in_at.map(When),
            given: given(user),
            name: user.name.to_string(),
        });
        Ok(Self {
            users: users.collect(),
            roles: roles(),
            form: MakeForm::default(),
            wrong: None,
            frame,
        })
    }
}

pub(crate) async fn list(frame: Frame) -> Result<UsersPage, Oops> {
    UsersPage::read(frame).await
}

/// A user, with everything that is theirs.
#[derive(Template)]
#[template(path = "user.html")]
pub(crate) struct UserPage {
    frame: Frame,
    user: UserRow,
    href: String,
    made: When,
    signed_in: Option<When>,
    grants: Vec<GrantRow>,
    sessions: usize,
    tokens: Vec<TokenLine>,
    roles: Vec<String>,
    /// A password for one use, shown this once.
    password: Option<String>,
}

page!(UserPage);

impl UserPage {
    async fn read(frame: Frame, name: &str) -> Result<Self, Oops> {
        let store = frame.web.store();
        let user = find(&frame, name).await?;
        let tokens = store.tokens(Some(&user.name)).await?;
        let sessions = store.sessions_of(&user.name, frame.now).await?;
        Ok(Self {
            href: href(&user.name),
            made: When(user.created_at),
            signed_in: user.signed_in_at.map(When),
            grants: store.grants_of(&user.name).await?,
            sessions: sessions.len(),
            tokens: tokens
                .iter()
                .map(|token| TokenLine::new(token, frame.now))
                .collect(),
            roles: roles(),
            password: None,
            user,
            frame,
        })
    }

    fn is_role(&self, role: &str) -> bool {
        self.user.role.word() == role
    }
}

/// A user of this name, however it is written.
pub(crate) async fn find(frame: &Frame, name: &str) -> Result<UserRow, Oops> {
    let name = user_name(name).map_err(|_| not_there())?;
    let found = frame.web.store().user(&name).await?;
    found.ok_or_else(not_there)
}

/// A user as whoever changes them has seen them.
async fn seen(frame: &Frame, name: &str, edits: u32) -> Result<UserRow, Oops> {
    let user = find(frame, name).await?;
    if user.edits == edits {
        Ok(user)
    } else {
        Err(stale(&user))
    }
}

pub(crate) async fn show(frame: Frame, At(name): At<String>) -> Result<UserPage, Oops> {
    UserPage::read(frame, &name).await
}

/// A password for one use, and its hash.
pub(crate) async fn one_time(frame: &Frame) -> Result<(String, String), Oops> {
    let made = secret::one_time_password().map_err(crate::access::AccessError::from)?;
    let hash = frame.web.hasher().hash(&made).await?;
    Ok((made, hash))
}

pub(crate) async fn make(frame: Frame, Sent(form): Sent<MakeForm>) -> Result<Response, Oops> {
    let checked = user_name(&form.name).map_err(|error| error.to_string());
    let display = if form.display.trim().is_empty() {
        Ok(form.name.trim().to_owned())
    } else {
        display_name(&form.display).map_err(|error| error.to_string())
    };
    let (name, display) = match (checked, display) {
        (Ok(name), Ok(display)) => (name, display),
        (Err(wrong), _) | (_, Err(wrong)) => return again(frame, form, wrong).await,
    };
    let (shown, hash) = if form.elsewhere {
        (None, None)
    } else {
        let (shown, hash) = one_time(&frame).await?;
        (Some(shown), Some(hash))
    };
    let new = NewUser {
        name: name.as_str().into(),
        display: display.into(),
        must_change: hash.is_some(),
        password: hash.map(Arc::from),
        sso: None,
        role: form.role,
    };
    let who = frame.name();
    let by = By {
        who: &who,
        at: frame.now,
    };
    if !frame.web.store().make_user(&new, by).await? {
        let wrong = format!("there is a user {name} already");
        return again(frame, form, wrong).await;
    }
    let page = UserPage::read(frame, &name).await?;
    let page = UserPage {
        password: shown,
        ..page
    };
    Ok(page.into_response())
}

async fn again(frame: Frame, form: MakeForm, wrong: String) -> Result<Response, Oops> {
    let page = UsersPage::read(frame).await?;
    let oops = Oops::Says(StatusCode::UNPROCESSABLE_ENTITY, wrong.clone());
    let page = UsersPage {
        form,
        wrong: Some(wrong),
        ..page
    };
    Ok(finished(oops, page.into_response()))
}

pub(crate) async fn change(
    frame: Frame,
    At(name): At<String>,
    Sent(form): Sent<ChangeForm>,
) -> Result<Done, Oops> {
    let display = display_name(&form.display).map_err(|error| Oops::invalid(error.to_string()))?;
    let to = UserChange {
        display: Some(display.into()),
        role: Some(form.role),
        ..UserChange::default()
    };
    let name = apply(&frame, (&name, form.seen), &to).await?;
    Ok(Done::at(
        &href(&name),
        format!("{name} is {} now.", form.role),
    ))
}

pub(crate) async fn disable(
    frame: Frame,
    At(name): At<String>,
    Sent(form): Sent<DisableForm>,
) -> Result<Done, Oops> {
    let to = UserChange {
        disabled: Some(form.disabled),
        ..UserChange::default()
    };
    let name = apply(&frame, (&name, form.seen), &to).await?;
    let says = if form.disabled {
        format!("{name} may not come in any more, is signed out everywhere, and their tokens rest.")
    } else {
        format!("{name} may come in again.")
    };
    Ok(Done::at(&href(&name), says))
}

async fn apply(
    frame: &Frame,
    (name, edits): (&str, u32),
    to: &UserChange,
) -> Result<Arc<str>, Oops> {
    let user = seen(frame, name, edits).await?;
    let who = frame.name();
    let by = By {
        who: &who,
        at: frame.now,
    };
    let outcome = frame.web.store().change_user(&user, to, by).await?;
    changed(outcome, &user)?;
    Ok(user.name)
}

/// Gives a user a password for one use, and shows it once.
pub(crate) async fn password(
    frame: Frame,
    At(name): At<String>,
    Sent(form): Sent<SeenForm>,
) -> Result<UserPage, Oops> {
    let user = seen(&frame, &name, form.seen).await?;
    let (shown, hash) = one_time(&frame).await?;
    let to = NewPassword {
        hash: Some(&hash),
        must_change: true,
        keep_session: None,
    };
    let who = frame.name();
    let by = By {
        who: &who,
        at: frame.now,
    };
    let outcome = frame.web.store().set_password(&user, &to, by).await?;
    changed(outcome, &user)?;
    let page = UserPage::read(frame, &name).await?;
    Ok(UserPage {
        password: Some(shown),
        ..page
    })
}

pub(crate) async fn grant(
    frame: Frame,
    At(name): At<String>,
    Sent(form): Sent<GrantForm>,
) -> Result<Done, Oops> {
    let user = find(&frame, &name).await?;
    let pattern: Pattern = form.dags.trim().parse().map_err(wrong_pattern)?;
    let who = frame.name();
    let by = By {
        who: &who,
        at: frame.now,
    };
    let (pattern, role) = (pattern.to_string(), form.role);
    let put = frame.web.store().put_grant(&user.name, &pattern, role, by);
    if !put.await? {
        return Err(not_there());
    }
    Ok(Done::at(
        &href(&user.name),
        format!("{} is {role} of {pattern} now.", user.name),
    ))
}

pub(crate) async fn ungrant(
    frame: Frame,
    At(name): At<String>,
    Sent(form): Sent<GrantForm>,
) -> Result<Done, Oops> {
    let user = find(&frame, &name).await?;
    let who = frame.name();
    let by = By {
        who: &who,
        at: frame.now,
    };
    let dropped = frame.web.store().drop_grant(&user.name, &form.dags, by);
    if !dropped.await? {
        let says = format!("{} has nothing for {} any more", user.name, form.dags);
        return Err(Oops::invalid(says));
    }
    Ok(Done::at(
        &href(&user.name),
        format!("Took {} away from {}.", form.dags, user.name),
    ))
}

fn wrong_pattern(error: tidemill_access::PatternError) -> Oops {
    Oops::invalid(error.to_string())
}

pub(crate) async fn sign_out(frame: Frame, At(name): At<String>) -> Result<Done, Oops> {
    let user = find(&frame, &name).await?;
    let who = frame.name();
    let by = By {
        who: &who,
        at: frame.now,
    };
    frame.web.store().end_sessions(&user.name, None, by).await?;
    Ok(Done::at(
        &href(&user.name),
        format!("{} is signed out everywhere.", user.name),
    ))
}
