//! Alerts: what the world was to be told, whether it was, and once more.

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use tidemill_store::access::By;
use tidemill_store::outbox::{Letter, OutboxState};
use utoipa::IntoParams;

use super::dags::Nothing;
use super::given::Query;
use super::paging::{self, Listed};
use super::views::AlertView;
use crate::frame::Frame;
use crate::input::At;
use crate::oops::Oops;
use crate::pages::sees_alert;

/// What a list of alerts is narrowed to.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertsQuery {
    /// Only those in this state: `pending`, `sent`, `dead`.
    state: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many rows: 1 to 1,000, 50 if nobody says.
    limit: Option<u32>,
}

/// Alerts, the newest first.
pub(crate) async fn list(
    frame: Frame,
    Query(query): Query<AlertsQuery>,
) -> Result<Listed<AlertView>, Oops> {
    let limit = paging::rows(query.limit)?;
    let state = query.state.as_deref().map(str::parse::<OutboxState>);
    let state = state
        .transpose()
        .map_err(|error| Oops::field("state", error))?;
    let before = paging::number("alerts", query.cursor.as_deref(), i64::MAX)?;
    let among = frame.among().await?;
    let store = frame.web.store();
    let letters = store.letters(state, among.as_deref(), before, limit);
    let letters = letters.await?;
    let last = letters.last().filter(|_| letters.len() == limit as usize);
    let next = last.map(|last| paging::cursor("alerts", last.due.row.id));
    let seen = letters
        .into_iter()
        .filter(|letter| sees_alert(&frame, letter));
    let items = seen.map(AlertView::from).collect();
    Ok(Listed::new(&frame, items, next))
}

async fn find(frame: &Frame, id: &str) -> Result<Letter, Oops> {
    let gone = || Oops::not_found("there is no such alert, or you may not see it");
    let id: i64 = id.parse().map_err(|_| gone())?;
    let store = frame.web.store();
    let found = store.letters(None, None, id.saturating_add(1), 1).await?;
    let found = found.into_iter().find(|letter| letter.due.row.id == id);
    found
        .filter(|letter| sees_alert(frame, letter))
        .ok_or_else(gone)
}

/// Has one delivered once more that could not be.
pub(crate) async fn again(
    frame: Frame,
    At(id): At<String>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<AlertView>, Oops> {
    let letter = find(&frame, &id).await?;
    let (who, at) = (frame.name(), frame.now);
    let by = By { who: &who, at };
    let store = frame.web.store();
    if letter.state != OutboxState::Dead || !store.outbox_again(&letter.due, by).await? {
        let says = "this alert was delivered, or is about to be; nothing was changed";
        return Err(Oops::Says(StatusCode::CONFLICT, says.to_owned()));
    }
    Ok(Json(AlertView::from(find(&frame, &id).await?)))
}
