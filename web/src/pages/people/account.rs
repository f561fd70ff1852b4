//! One's own account: password, browsers that are signed in, tokens.

use askama::Template;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tidemill_access::{Counted, Limits, Secret, Subjects, password};
use tidemill_store::access::{By, NewPassword};
use tidemill_store::record::{SessionRow, UserRow};

use super::super::page;
use super::tokens::TokenLine;
use super::{changed, no_account};
use crate::browser::Caller;
use crate::frame::Frame;
use crate::html::When;
use crate::input::{Asking, Sent};
use crate::oops::{Oops, finished};
use crate::said::{Done, own_path};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AccountQuery {
    to: String,
}

#[derive(Deserialize)]
pub(crate) struct PasswordForm {
    current: String,
    new: String,
    again: String,
    #[serde(default)]
    to: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SignOutForm {
    /// The session that ends, by the start of its hash; all others but this one if empty.
    #[serde(default)]
    session: String,
}

/// A browser that is signed in.
struct SessionLine {
    id: String,
    since: When,
    seen: When,
    ends: When,
    address: String,
    agent: String,
    this: bool,
}

/// What somebody was given beyond their role.
struct Given {
    role: String,
    dags: String,
}

/// The account of whoever looks.
#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct AccountPage {
    frame: Frame,
    /// None for the local user, who has no account.
    name: Option<String>,
    role: String,
    has_password: bool,
    must_change: bool,
    given: Vec<Given>,
    sessions: Vec<SessionLine>,
    tokens: Vec<TokenLine>,
    roles: Vec<String>,
    to: String,
    wrong: Option<String>,
    /// A token that was just made, shown this once.
    made: Option<String>,
}

page!(AccountPage);

/// The account of whoever is signed in; none for the local user.
pub(super) async fn mine(frame: &Frame) -> Result<Option<UserRow>, Oops> {
    if !frame.web.access().ways().page() {
        return Ok(None);
    }
    Ok(frame.web.store().user(&frame.name()).await?)
}

/// The hash of the session of a request.
fn this_session(frame: &Frame, headers: &HeaderMap) -> Option<String> {
    let secret = frame.web.cookie().read(headers)?;
    Secret::read(secret).map(|secret| secret.hash())
}

/// Sessions are named by the start of their hash, of which nobody finds the secret.
fn short(session: &SessionRow) -> &str {
    session.hash.get(..12).unwrap_or(&session.hash)
}

impl AccountPage {
    pub(super) async fn read(frame: Frame, headers: &HeaderMap) -> Result<Self, Oops> {
        let user = mine(&frame).await?;
        let (store, this) = (frame.web.store(), this_session(&frame, headers));
        let role = frame
            .who()
            .map_or_else(String::new, |who| who.who.role.to_string());
        let mut page = Self {
            name: None,
            role,
            has_password: false,
            must_change: false,
            given: Vec::new(),
            sessions: Vec::new(),
            tokens: Vec::new(),
            roles: Vec::new(),
            to: String::new(),
            wrong: None,
            made: None,
            frame: frame.clone(),
        };
        let Some(user) = user else {
            return Ok(page);
        };
        for session in store.sessions_of(&user.name, frame.now).await? {
            page.sessions.push(SessionLine {
                id: short(&session).to_owned(),
                since: When(session.created_at),
                seen: When(session.seen_at),
                ends: When(session.ends_at),
                address: session.address.to_string(),
                agent: session.user_agent.to_string(),
                this: this.as_deref() == Some(&*session.hash),
            });
        }
        for grant in store.grants_of(&user.name).await? {
            page.given.push(Given {
                role: grant.role.to_string(),
                dags: grant.pattern.to_string(),
            });
        }
        for token in store.tokens(Some(&user.name)).await? {
            page.tokens.push(TokenLine::new(&token, frame.now));
        }
        page.roles = super::tokens::roles();
        page.has_password = user.password.is_some();
        page.must_change = user.must_change;
        page.name = Some(user.name.to_string());
        Ok(page)
    }

    fn wrong(mut self, status: StatusCode, says: String) -> Response {
        self.wrong = Some(says.clone());
        finished(Oops::Says(status, says), self.into_response())
    }

    /// With a token that is shown this once.
    pub(super) fn with_token(self, token: String) -> Self {
        let made = Some(token);
        Self { made, ..self }
    }
}

pub(crate) async fn show(
    frame: Frame,
    headers: HeaderMap,
    Asking(query): Asking<AccountQuery>,
) -> Result<AccountPage, Oops> {
    let to = own_path(&query.to).to_owned();
    let page = AccountPage::read(frame, &headers).await?;
    Ok(AccountPage { to, ..page })
}

pub(crate) async fn password(
    frame: Frame,
    caller: Caller,
    headers: HeaderMap,
    Sent(form): Sent<PasswordForm>,
) -> Result<Response, Oops> {
    let user = mine(&frame).await?.ok_or_else(no_account)?;
    let page = AccountPage::read(frame.clone(), &headers).await?;
    let page = AccountPage {
        to: own_path(&form.to).to_owned(),
        ..page
    };
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    if user.password.is_none() {
        let says = "this account has no password: you sign in elsewhere";
        return Ok(page.wrong(unprocessable, says.to_owned()));
    }
    if form.new != form.again {
        let says = "the new password is not the same in both fields";
        return Ok(page.wrong(unprocessable, says.to_owned()));
    }
    if form.new == form.current {
        let says = "the new password is the old one; take another";
        return Ok(page.wrong(unprocessable, says.to_owned()));
    }
    if let Err(error) = password::check(&form.new, &user.name) {
        return Ok(page.wrong(unprocessable, error.to_string()));
    }
    if let Some(refused) = not_theirs(&frame, &caller, &user, &form.current).await? {
        return Ok(page.wrong(refused.0, refused.1));
    }
    let hash = frame.web.hasher().hash(&form.new).await?;
    let keep = this_session(&frame, &headers);
    let to = NewPassword {
        hash: Some(&hash),
        must_change: false,
        keep_session: keep.as_deref(),
    };
    let by = By {
        who: &user.name,
        at: frame.now,
    };
    let outcome = frame.web.store().set_password(&user, &to, by).await?;
    changed(outcome, &user)?;
    let says = "Your password is changed. You are signed out everywhere else.";
    let to = if form.to.is_empty() {
        "/account"
    } else {
        &form.to
    };
    Ok(Done::at(to, says).into_response())
}

/// Whoever has found an open browser must not be able to guess: tries count as tries to sign in.
async fn not_theirs(
    frame: &Frame,
    caller: &Caller,
    user: &UserRow,
    current: &str,
) -> Result<Option<(StatusCode, String)>, Oops> {
    let (store, limits) = (frame.web.store(), Limits::default());
    let browser = caller.browser(&frame.web);
    let subjects = Subjects::of(&user.name, browser.address);
    let all = subjects.all();
    let counted = store.count_attempt(&all, frame.now, limits.window);
    let counted = counted.await?;
    let counted = counted.iter().map(|row| Counted {
        subject: &row.subject,
        attempts: row.attempts,
        since: row.since,
    });
    if let Err(wait) = limits.check(counted, frame.now) {
        return Ok(Some((StatusCode::TOO_MANY_REQUESTS, wait.to_string())));
    }
    let compared = frame.web.hasher().compare(current, user.password.clone());
    if !compared.await?.is_right() {
        let says = "this is not your present password".to_owned();
        return Ok(Some((StatusCode::FORBIDDEN, says)));
    }
    let good = store.attempt_was_good(&subjects.forget, &subjects.take_back);
    good.await?;
    Ok(None)
}

pub(crate) async fn sign_out(
    frame: Frame,
    headers: HeaderMap,
    Sent(form): Sent<SignOutForm>,
) -> Result<Done, Oops> {
    let user = mine(&frame).await?.ok_or_else(no_account)?;
    let by = By {
        who: &user.name,
        at: frame.now,
    };
    let store = frame.web.store();
    if form.session.is_empty() {
        let keep = this_session(&frame, &headers);
        store.end_sessions(&user.name, keep.as_deref(), by).await?;
        return Ok(Done::at("/account", "You are signed out everywhere else."));
    }
    let sessions = store.sessions_of(&user.name, frame.now).await?;
    let session = sessions.iter().find(|one| short(one) == form.session);
    let session = session.ok_or_else(|| Oops::not_found("this session has ended already"))?;
    store.end_session(session, by).await?;
    Ok(Done::at("/account", "That browser is signed out."))
}
