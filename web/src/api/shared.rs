//! What runs share: pools, workers, assets. And who asks, how this Tidemill stands, what people did.

use axum::Json;
use serde::Deserialize;
use tidemill_access::Action;
use tidemill_core::id::DagId;
use tidemill_scheduler::engine::{Command, Pausable};
use tidemill_store::history::AuditOf;
use utoipa::{IntoParams, ToSchema};

use super::dags::{Nothing, PageQuery};
use super::given::{Body, Change, Query};
use super::paging::{self, Listed, Tagged};
use super::runs;
use super::views::{AuditView, ChangedView, FleetView, HealthView, MeView, PoolView};
use crate::door::DoorError;
use crate::frame::Frame;
use crate::input::At;
use crate::oops::Oops;

type Answer = Result<Json<ChangedView>, Oops>;

/// Who asks, and what they may do.
pub(crate) async fn me(
    frame: Frame,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<MeView>, Oops> {
    let who = frame.who().ok_or(Oops::SignIn)?;
    let may = Action::ALL
        .iter()
        .filter(|action| who.may(**action).is_ok());
    Ok(Json(MeView {
        name: who.name.to_string(),
        display: who.display.to_string(),
        role: who.who.role.to_string(),
        may: may.map(|action| action.words().to_owned()).collect(),
        token_role: who.who.limit.as_ref().map(|limit| limit.role.to_string()),
    }))
}

/// How this Tidemill stands.
pub(crate) async fn health(
    frame: Frame,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<HealthView>, Oops> {
    let holder = frame.web.store().holder().await?;
    let leads = !holder.name.is_empty() && !holder.rest.is_zero();
    Ok(Json(HealthView {
        deployment: frame.web.config().deployment.to_string(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        now: frame.now,
        leader: leads.then_some(holder.name),
        term: holder.term,
        lease_seconds: holder.rest.as_secs(),
    }))
}

/// The workers, and what waits for one that is not there.
pub(crate) async fn workers(
    frame: Frame,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<FleetView>, Oops> {
    let fleet = frame.web.door().fleet().await?;
    let waiting = fleet.waiting.into_iter().filter(|one| frame.sees(&one.dag));
    Ok(Json(FleetView {
        workers: fleet.workers.into_iter().map(Into::into).collect(),
        waiting: waiting.map(Into::into).collect(),
    }))
}

/// What can be changed about a worker.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct WorkerPatch {
    /// Whether it takes nothing new from now on.
    draining: bool,
}

/// Sends a worker to rest, or calls it back.
pub(crate) async fn change_worker(
    change: Change,
    At(worker): At<String>,
    Body(body): Body<WorkerPatch>,
) -> Answer {
    let (worker, drain) = (worker.as_str().into(), body.draining);
    change.ask(Command::Drain { worker, drain }).await
}

/// The pools by name, with what is taken of them as long as somebody leads.
async fn all_pools(frame: &Frame) -> Result<Vec<PoolView>, Oops> {
    let rows = frame.web.store().pools().await?;
    let mut all: Vec<PoolView> = match frame.web.door().pools().await {
        Ok(pools) => {
            let row = |name: &str| rows.iter().find(|row| *row.name == *name);
            let pools = pools.into_iter().map(|pool| {
                let row = row(&pool.name);
                PoolView::of(pool, row, |dag| frame.sees(dag))
            });
            pools.collect()
        }
        Err(DoorError::Away(_)) => rows.into_iter().map(Into::into).collect(),
        Err(error) => return Err(error.into()),
    };
    all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// The pools, by name.
pub(crate) async fn pools(
    frame: Frame,
    Query(query): Query<PageQuery>,
) -> Result<Listed<PoolView>, Oops> {
    let limit = paging::rows(query.limit)? as usize;
    let after = paging::place("pools", query.cursor.as_deref())?;
    let all = all_pools(&frame).await?.into_iter();
    let mut rows = all.filter(|row| after.as_deref().is_none_or(|after| &*row.name > after));
    let items: Vec<PoolView> = rows.by_ref().take(limit).collect();
    let next = rows.next().and(items.last());
    let next = next.map(|last| paging::cursor("pools", &last.name));
    Ok(Listed::new(&frame, items, next))
}

/// One pool.
pub(crate) async fn pool(
    frame: Frame,
    At(name): At<String>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Tagged<PoolView>, Oops> {
    let all = all_pools(&frame).await?;
    let view = all.into_iter().find(|pool| pool.name == name);
    let view = view.ok_or_else(|| Oops::not_found("no pool of this name was set"))?;
    Ok(Tagged(view.edits, view))
}

/// What a pool is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct PoolBody {
    /// How many slots it has; null for any number.
    slots: Option<u32>,
    /// Whether deferred tasks keep their slots.
    #[serde(default)]
    holds_deferred: bool,
    /// What it is for; without it the note stays, an empty one goes.
    note: Option<String>,
}

/// Makes a pool, or gives it other slots.
pub(crate) async fn set_pool(
    change: Change,
    At(name): At<String>,
    Body(body): Body<PoolBody>,
) -> Answer {
    let command = Command::SetPool {
        name: name.into(),
        slots: body.slots,
        holds_deferred: body.holds_deferred,
        note: body.note.map(Into::into),
    };
    change.ask(command).await
}

/// What can be changed about a pool.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct PoolPatch {
    /// Whether it gives no slots from now on.
    paused: bool,
}

/// Pauses a pool, or lets it give slots again.
pub(crate) async fn pause_pool(
    change: Change,
    At(name): At<String>,
    Body(body): Body<PoolPatch>,
) -> Answer {
    let what = Pausable::Pool(name.into());
    let pause = body.paused;
    change.ask(Command::Pause { what, pause }).await
}

/// Removes a pool; what waits for it waits until it is back.
pub(crate) async fn remove_pool(change: Change, At(name): At<String>) -> Answer {
    change.ask(Command::RemovePool { name: name.into() }).await
}

/// What changed outside.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct AssetBody {
    /// The address of the asset.
    asset: String,
}

/// Says that an asset was changed by something that Tidemill does not run: DAGs that wait for it may begin.
pub(crate) async fn asset_changed(change: Change, Body(body): Body<AssetBody>) -> Answer {
    if body.asset.is_empty() || body.asset.len() > 2_000 {
        return Err(Oops::field("asset", "an asset has 1 to 2,000 characters"));
    }
    let asset = body.asset.into();
    change.ask(Command::AssetChanged { asset }).await
}

/// What the audit log is narrowed to.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Only what is about this DAG, with its runs and tasks.
    dag: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many rows: 1 to 1,000, 50 if nobody says.
    limit: Option<u32>,
}

/// The audit log, the last line first.
pub(crate) async fn audit(
    frame: Frame,
    Query(query): Query<AuditQuery>,
) -> Result<Listed<AuditView>, Oops> {
    let dag = query.dag.as_deref().map(DagId::parse).transpose();
    let dag = dag.map_err(|error| Oops::field("dag", error.to_string()))?;
    let of = dag.map_or(AuditOf::All, AuditOf::Dag);
    let page = PageQuery {
        cursor: query.cursor,
        limit: query.limit,
    };
    runs::audits(&frame, &of, &page).await
}
