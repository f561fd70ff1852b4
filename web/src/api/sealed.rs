//! Variables and connections: what is sealed at rest. Secrets come in and never go out; the value of a variable goes out once
//! the audit log says to whom.

use std::collections::BTreeMap;

use axum::Json;
use serde::Deserialize;
use tidemill_scheduler::engine::{Changed, Command};
use tidemill_scheduler::gateway;
use utoipa::ToSchema;

use super::dags::{Nothing, PageQuery};
use super::given::{Body, Change, Query};
use super::paging::{self, Listed, Tagged};
use super::views::{ChangedView, ConnectionView, RevealedView, VariableView};
use crate::door::DoorError;
use crate::frame::Frame;
use crate::input::At;
use crate::oops::Oops;

type Answer = Result<Json<ChangedView>, Oops>;

fn answer(change: &Change, changed: Result<Changed, DoorError>) -> Answer {
    let changed = changed.map_err(|error| change.refused(error))?;
    Ok(Json(ChangedView::of(changed, change.dry_run)))
}

/// A page of what has names, in their order.
fn page<T>(
    frame: &Frame,
    what: &'static str,
    all: Vec<T>,
    (query, name): (&PageQuery, impl Fn(&T) -> &str),
) -> Result<Listed<T>, Oops> {
    let limit = paging::rows(query.limit)? as usize;
    let after = paging::place(what, query.cursor.as_deref())?;
    let mut rest = all
        .into_iter()
        .filter(|one| after.as_deref().is_none_or(|after| name(one) > after));
    let items: Vec<T> = rest.by_ref().take(limit).collect();
    let next = rest.next().and(items.last());
    let next = next.map(|last| paging::cursor(what, name(last)));
    Ok(Listed::new(frame, items, next))
}

/// All variables, without their values.
pub(crate) async fn variables(
    frame: Frame,
    Query(query): Query<PageQuery>,
) -> Result<Listed<VariableView>, Oops> {
    let all = frame.web.door().variables().await?;
    let all = all.into_iter().map(VariableView::from).collect();
    page(&frame, "variables", all, (&query, |one| &one.name))
}

/// One variable, without its value.
pub(crate) async fn variable(
    frame: Frame,
    At(name): At<String>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Tagged<VariableView>, Oops> {
    let all = frame.web.door().variables().await?;
    let found = all.into_iter().find(|one| one.name == name);
    let found = found.ok_or_else(|| Oops::not_found("there is no variable of this name"))?;
    Ok(Tagged(found.edits, found.into()))
}

/// What a variable is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct VariableSet {
    /// Its value.
    value: String,
    /// What it is for; without it the note stays, an empty one goes.
    note: Option<String>,
}

/// Makes a variable, or gives it another value.
pub(crate) async fn set_variable(
    change: Change,
    At(name): At<String>,
    Body(body): Body<VariableSet>,
) -> Answer {
    let body = gateway::VariableBody {
        by: change.frame.name().to_string(),
        seen: change.seen,
        dry_run: change.dry_run,
        value: body.value,
        note: body.note,
    };
    let done = change.frame.web.door().set_variable(&name, body).await;
    answer(&change, done)
}

/// Removes a variable.
pub(crate) async fn remove_variable(change: Change, At(name): At<String>) -> Answer {
    let name = name.into();
    change.ask(Command::RemoveVariable { name }).await
}

/// The value of a variable. The audit log says who asked for it.
pub(crate) async fn reveal(
    frame: Frame,
    At(name): At<String>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<RevealedView>, Oops> {
    let shown = frame.web.door().reveal(&name, &frame.name()).await?;
    Ok(Json(RevealedView {
        value: shown.value,
        edits: shown.edits,
    }))
}

/// All connections, without their secrets.
pub(crate) async fn connections(
    frame: Frame,
    Query(query): Query<PageQuery>,
) -> Result<Listed<ConnectionView>, Oops> {
    let all = frame.web.door().connections().await?;
    let all = all.into_iter().map(ConnectionView::from).collect();
    page(&frame, "connections", all, (&query, |one| &one.name))
}

/// One connection, without its secrets.
pub(crate) async fn connection(
    frame: Frame,
    At(name): At<String>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Tagged<ConnectionView>, Oops> {
    let all = frame.web.door().connections().await?;
    let found = all.into_iter().find(|one| one.name == name);
    let found = found.ok_or_else(|| Oops::not_found("there is no connection of this name"))?;
    Ok(Tagged(found.edits, found.into()))
}

/// What a connection is. It becomes what is here; only secrets that are not named stay as they are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct ConnectionSet {
    /// What kind of system it leads to.
    kind: String,
    /// What is no secret.
    #[serde(default)]
    fields: BTreeMap<String, String>,
    /// What nobody may see. One that is null goes.
    #[serde(default)]
    secrets: BTreeMap<String, Option<String>>,
    /// Whether secrets that are not named go, too.
    #[serde(default)]
    replace: bool,
}

/// Makes a connection, or changes it.
pub(crate) async fn set_connection(
    change: Change,
    At(name): At<String>,
    Body(body): Body<ConnectionSet>,
) -> Answer {
    let body = gateway::ConnectionBody {
        by: change.frame.name().to_string(),
        seen: change.seen,
        dry_run: change.dry_run,
        kind: body.kind,
        fields: body.fields,
        secrets: body.secrets,
        replace: body.replace,
    };
    let done = change.frame.web.door().set_connection(&name, body).await;
    answer(&change, done)
}

/// Removes a connection.
pub(crate) async fn remove_connection(change: Change, At(name): At<String>) -> Answer {
    let name = name.into();
    change.ask(Command::RemoveConnection { name }).await
}
