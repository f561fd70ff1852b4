//! What programs come in with.

use std::time::Duration;

use askama::Template;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tidemill_access::{Pattern, Role, Secret};
use tidemill_core::time::Timestamp;
use tidemill_store::access::By;
use tidemill_store::record::TokenRow;

use super::super::page;
use super::account::{AccountPage, mine};
use super::{no_account, not_there};
use crate::frame::Frame;
use crate::html::When;
use crate::input::Sent;
use crate::oops::Oops;
use crate::said::Done;

const NAME_CHARS_MAX: usize = 100;
const DAYS_MAX: u32 = 3_650;
const DAGS_MAX: usize = 100;

#[derive(Debug, Deserialize)]
pub(crate) struct MakeForm {
    name: String,
    role: Role,
    /// Patterns, apart by spaces or commas.
    #[serde(default)]
    dags: String,
    /// How many days it is good.
    days: u32,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RevokeForm {
    id: String,
    #[serde(default)]
    to: String,
}

/// A token in a list.
pub(super) struct TokenLine {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) user: String,
    pub(super) role: String,
    pub(super) dags: String,
    pub(super) state: &'static str,
    pub(super) ends: Option<When>,
    pub(super) used: Option<When>,
}

impl TokenLine {
    pub(super) fn new(token: &TokenRow, now: Timestamp) -> Self {
        let state = match (&token.revoked, token.ends_at) {
            (Some(_), _) => "Revoked",
            (None, Some(ends)) if ends <= now => "Over",
            _ => "Good",
        };
        let dags: Vec<&str> = token.dags.iter().map(AsRef::as_ref).collect();
        Self {
            id: token.id.to_string(),
            name: token.name.to_string(),
            user: token.user.to_string(),
            role: token.role.to_string(),
            dags: if dags.is_empty() {
                "all DAGs".to_owned()
            } else {
                dags.join(" ")
            },
            state,
            ends: token.ends_at.map(When),
            used: token.used_at.map(When),
        }
    }

    pub(super) fn good(&self) -> bool {
        self.state == "Good"
    }
}

/// The roles that a token can have.
pub(super) fn roles() -> Vec<String> {
    Role::ALL.iter().map(ToString::to_string).collect()
}

/// Everybody's tokens.
#[derive(Template)]
#[template(path = "tokens.html")]
pub(crate) struct TokensPage {
    frame: Frame,
    tokens: Vec<TokenLine>,
}

page!(TokensPage);

pub(crate) async fn show(frame: Frame) -> Result<TokensPage, Oops> {
    let tokens = frame.web.store().tokens(None).await?;
    let tokens = tokens.iter().map(|token| TokenLine::new(token, frame.now));
    Ok(TokensPage {
        tokens: tokens.collect(),
        frame,
    })
}

/// Makes a token of one's own, and shows it once.
pub(crate) async fn make(
    frame: Frame,
    headers: HeaderMap,
    Sent(form): Sent<MakeForm>,
) -> Result<Response, Oops> {
    let user = mine(&frame).await?.ok_or_else(no_account)?;
    // Whoever has seen a password for one use must not make more of it than a new password.
    if user.must_change {
        return Err(Oops::MustChange);
    }
    let name = form.name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        let says = format!("say what the token is for, in at most {NAME_CHARS_MAX} characters");
        return Err(Oops::invalid(says));
    }
    if !(1..=DAYS_MAX).contains(&form.days) {
        let says = format!("a token is good for 1 to {DAYS_MAX} days");
        return Err(Oops::invalid(says));
    }
    let dags = form.dags.split([' ', ',', '\n', '\r', '\t']);
    let dags: Result<Vec<Pattern>, _> =
        dags.filter(|one| !one.is_empty()).map(str::parse).collect();
    let dags = dags.map_err(|error| Oops::invalid(format!("DAGs of the token: {error}")))?;
    if dags.len() > DAGS_MAX {
        return Err(Oops::invalid(format!(
            "at most {DAGS_MAX} patterns, please"
        )));
    }
    let secret = Secret::new().map_err(crate::access::AccessError::from)?;
    let ends_in = Duration::from_secs(u64::from(form.days) * 86_400);
    let row = TokenRow {
        id: secret.id().into(),
        hash: secret.hash().into(),
        name: name.into(),
        user: user.name.clone(),
        role: form.role,
        dags: dags.iter().map(|one| one.to_string().into()).collect(),
        created_at: frame.now,
        ends_at: Some(frame.now.after(ends_in)),
        used_at: None,
        revoked: None,
    };
    let by = By {
        who: &user.name,
        at: frame.now,
    };
    if !frame.web.store().make_token(&row, by).await? {
        return Err(not_there());
    }
    let page = AccountPage::read(frame, &headers).await?;
    Ok(page.with_token(secret.token()).into_response())
}

pub(crate) async fn revoke_own(frame: Frame, Sent(form): Sent<RevokeForm>) -> Result<Done, Oops> {
    let user = mine(&frame).await?.ok_or_else(no_account)?;
    end(&frame, &form, Some(&user.name)).await?;
    Ok(Done::at(
        "/account",
        format!("Token {} is good for nothing any more.", form.id),
    ))
}

pub(crate) async fn revoke(frame: Frame, Sent(form): Sent<RevokeForm>) -> Result<Done, Oops> {
    end(&frame, &form, None).await?;
    let to = if form.to.is_empty() {
        "/tokens"
    } else {
        &form.to
    };
    Ok(Done::at(
        to,
        format!("Token {} is good for nothing any more.", form.id),
    ))
}

async fn end(frame: &Frame, form: &RevokeForm, of: Option<&str>) -> Result<(), Oops> {
    let none = || Oops::not_found("there is no such token");
    let store = frame.web.store();
    let token = store.token_of_id(&form.id).await?;
    let token = token.filter(|token| of.is_none_or(|user| *token.user == *user));
    let token = token.ok_or_else(none)?;
    let name = frame.name();
    let by = By {
        who: &name,
        at: frame.now,
    };
    if store.revoke_token(&token, by).await? {
        Ok(())
    } else {
        Err(Oops::invalid("this token was revoked before"))
    }
}
