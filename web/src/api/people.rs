//! Who may come in, what they may do, and what programs come in with. A token is made by its owner, on their account page or by
//! the command line: a program must not make itself another.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tidemill_access::{Pattern, Role, display_name, user_name};
use tidemill_store::access::{By, NewPassword, NewUser, UserChange};
use tidemill_store::record::UserRow;
use utoipa::{IntoParams, ToSchema};

use super::dags::Nothing;
use super::given::{Body, Query, if_match};
use super::paging::{Listed, Tagged};
use super::views::{TokenView, UserMadeView, UserView};
use crate::frame::Frame;
use crate::input::At;
use crate::oops::Oops;
use crate::pages::people::{changed, find_user, not_there, one_time, stale};

/// Everybody, by name.
pub(crate) async fn list(
    frame: Frame,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Listed<UserView>, Oops> {
    let store = frame.web.store();
    let (users, grants) = (store.users().await?, store.grants().await?);
    let views = users.iter().map(|user| UserView::of(user, &grants));
    Ok(Listed::new(&frame, views.collect(), None))
}

async fn view(frame: &Frame, name: &str) -> Result<UserView, Oops> {
    let user = find_user(frame, name).await?;
    let grants = frame.web.store().grants_of(&user.name).await?;
    Ok(UserView::of(&user, &grants))
}

/// One of them.
pub(crate) async fn show(
    frame: Frame,
    At(name): At<String>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Tagged<UserView>, Oops> {
    let view = view(&frame, &name).await?;
    Ok(Tagged(view.edits, view))
}

/// A user as whoever changes them has seen them.
async fn seen(frame: &Frame, name: &str, headers: &HeaderMap) -> Result<UserRow, Oops> {
    let edits = if_match(headers)?;
    let user = find_user(frame, name).await?;
    match edits {
        Some(edits) if edits != user.edits => Err(match stale(&user) {
            Oops::Says(_, says) => Oops::Says(StatusCode::PRECONDITION_FAILED, says),
            oops => oops,
        }),
        _ => Ok(user),
    }
}

/// Somebody new.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct UserBody {
    /// Their name, with which they sign in.
    name: String,
    /// What pages call them; their name without it.
    display: Option<String>,
    /// What they may do to all DAGs.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    role: Role,
    /// Whether they sign in elsewhere only, and have no password here.
    #[serde(default)]
    elsewhere: bool,
}

/// Makes a user. The password for one use is in the answer, and nowhere else.
pub(crate) async fn make(
    frame: Frame,
    Query(Nothing {}): Query<Nothing>,
    Body(body): Body<UserBody>,
) -> Result<Response, Oops> {
    let name = user_name(&body.name).map_err(|error| Oops::field("name", error.to_string()))?;
    let display = body.display.as_deref().unwrap_or(body.name.trim());
    let display =
        display_name(display).map_err(|error| Oops::field("display", error.to_string()))?;
    let (password, hash) = if body.elsewhere {
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
        role: body.role,
    };
    let who = frame.name();
    let by = By {
        who: &who,
        at: frame.now,
    };
    if !frame.web.store().make_user(&new, by).await? {
        let says = format!("there is a user {name} already");
        return Err(Oops::Says(StatusCode::CONFLICT, says));
    }
    let user = view(&frame, &name).await?;
    Ok((StatusCode::CREATED, Json(UserMadeView { user, password })).into_response())
}

/// What can be changed about a user.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default, expecting = "an object")]
pub(crate) struct UserPatch {
    /// What they may do to all DAGs.
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    /// What pages call them.
    display: Option<String>,
    /// Whether they may not come in: they are signed out everywhere, and their tokens rest.
    disabled: Option<bool>,
}

/// Changes a user.
pub(crate) async fn patch(
    frame: Frame,
    At(name): At<String>,
    headers: HeaderMap,
    Query(Nothing {}): Query<Nothing>,
    Body(body): Body<UserPatch>,
) -> Result<Tagged<UserView>, Oops> {
    let display = body.display.as_deref().map(display_name).transpose();
    let display = display.map_err(|error| Oops::field("display", error.to_string()))?;
    if body.role.is_none() && display.is_none() && body.disabled.is_none() {
        return Err(Oops::invalid("set one of `role`, `display`, `disabled`"));
    }
    let user = seen(&frame, &name, &headers).await?;
    let to = UserChange {
        display: display.map(Into::into),
        role: body.role,
        disabled: body.disabled,
        ..UserChange::default()
    };
    let who = frame.name();
    let by = By {
        who: &who,
        at: frame.now,
    };
    let outcome = frame.web.store().change_user(&user, &to, by).await?;
    changed(outcome, &user)?;
    let view = view(&frame, &user.name).await?;
    Ok(Tagged(view.edits, view))
}

/// Gives a user a password for one use, and signs them out everywhere.
pub(crate) async fn password(
    frame: Frame,
    At(name): At<String>,
    headers: HeaderMap,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<UserMadeView>, Oops> {
    let user = seen(&frame, &name, &headers).await?;
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
    Ok(Json(UserMadeView {
        user: view(&frame, &user.name).await?,
        password: Some(shown),
    }))
}

/// Signs a user out everywhere.
pub(crate) async fn sign_out(
    frame: Frame,
    At(name): At<String>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<UserView>, Oops> {
    let user = find_user(&frame, &name).await?;
    let who = frame.name();
    let by = By {
        who: &who,
        at: frame.now,
    };
    frame.web.store().end_sessions(&user.name, None, by).await?;
    view(&frame, &user.name).await.map(Json)
}

/// What somebody may do to some DAGs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct GrantBody {
    /// Which DAGs: a name with `*`, or `tag:` and a tag.
    dags: String,
    /// What they may do to them.
    #[schema(value_type = String)]
    role: Role,
}

/// Lets a user do something to some DAGs.
pub(crate) async fn grant(
    frame: Frame,
    At(name): At<String>,
    Query(Nothing {}): Query<Nothing>,
    Body(body): Body<GrantBody>,
) -> Result<Json<UserView>, Oops> {
    let user = find_user(&frame, &name).await?;
    let pattern: Result<Pattern, _> = body.dags.trim().parse();
    let pattern = pattern.map_err(|error| Oops::field("dags", error.to_string()))?;
    let who = frame.name();
    let by = By {
        who: &who,
        at: frame.now,
    };
    let pattern = pattern.to_string();
    let store = frame.web.store();
    if !store.put_grant(&user.name, &pattern, body.role, by).await? {
        return Err(not_there());
    }
    view(&frame, &user.name).await.map(Json)
}

/// Which grant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct GrantQuery {
    /// Its DAGs, as they were given.
    dags: String,
}

/// Takes away what a user may do to some DAGs.
pub(crate) async fn ungrant(
    frame: Frame,
    At(name): At<String>,
    Query(query): Query<GrantQuery>,
) -> Result<Json<UserView>, Oops> {
    let user = find_user(&frame, &name).await?;
    let who = frame.name();
    let by = By {
        who: &who,
        at: frame.now,
    };
    let store = frame.web.store();
    if !store.drop_grant(&user.name, &query.dags, by).await? {
        let says = format!("{} has nothing for {}", user.name, query.dags);
        return Err(Oops::not_found(says));
    }
    view(&frame, &user.name).await.map(Json)
}

/// Whose tokens.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TokensQuery {
    /// Only those of this user.
    user: Option<String>,
}

/// Tokens, without what they are made of.
pub(crate) async fn tokens(
    frame: Frame,
    Query(query): Query<TokensQuery>,
) -> Result<Listed<TokenView>, Oops> {
    let tokens = frame.web.store().tokens(query.user.as_deref()).await?;
    let views = tokens.iter().map(Into::into);
    Ok(Listed::new(&frame, views.collect(), None))
}

/// Lets a token be good for nothing any more.
pub(crate) async fn revoke(
    frame: Frame,
    At(id): At<String>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<TokenView>, Oops> {
    let gone = || Oops::not_found("there is no such token");
    let store = frame.web.store();
    let token = store.token_of_id(&id).await?.ok_or_else(gone)?;
    let who = frame.name();
    let by = By {
        who: &who,
        at: frame.now,
    };
    if !store.revoke_token(&token, by).await? {
        let says = "this token was revoked before".to_owned();
        return Err(Oops::Says(StatusCode::CONFLICT, says));
    }
    let token = store.token_of_id(&id).await?.ok_or_else(gone)?;
    Ok(Json(TokenView::from(&token)))
}
