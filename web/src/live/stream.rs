//! `GET /live`: what a page listens to, as server-sent events.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Deserialize;
use tidemill_core::id::DagId;
use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Deaf, Said, Topic};
use crate::access::{Policy, Principal, authorise};
use crate::frame::Frame;
use crate::input::Asking;
use crate::oops::Oops;
use crate::routes::who_asks;
use crate::web::Web;

/// How long a browser waits before it opens a line that was cut.
const FIRST: Bytes = Bytes::from_static(b"retry: 3000\n\n");
/// Says nothing, and shows both sides that the other is there.
const BEAT: Bytes = Bytes::from_static(b":\n\n");

/// What a page is about: a DAG, a run of it, or neither.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LiveQuery {
    dag: String,
    run: String,
}

impl LiveQuery {
    /// What is listened for. Who may not see the DAG is told what they would be told if there was none.
    async fn topic(&self, frame: &Frame) -> Result<(Topic, Option<DagId>), Oops> {
        if self.dag.is_empty() {
            return Ok((Topic::Home, None));
        }
        let none = || Oops::not_found("there is no such DAG, or you may not see it");
        let dag = DagId::parse(&self.dag).map_err(|_| none())?;
        if !frame.sees(&dag) {
            return Err(none());
        }
        if self.run.is_empty() {
            return Ok((Topic::Dag(dag.clone()), Some(dag)));
        }
        let run = frame.web.store().run_named(&dag, &self.run).await?;
        let run = run.ok_or_else(|| Oops::not_found("there is no run of this name"))?;
        Ok((Topic::Run(run.id), Some(dag)))
    }
}

/// Somebody who listens.
struct Listener {
    web: Web,
    /// What they came with: whether it still counts is asked again and again.
    came_with: HeaderMap,
    who: Principal,
    dag: Option<DagId>,
    said: watch::Receiver<Said>,
    /// The number of what they heard last.
    heard: u64,
    check_at: Instant,
    ends_at: Instant,
}

pub(crate) async fn listen(
    frame: Frame,
    State(web): State<Web>,
    headers: HeaderMap,
    Asking(query): Asking<LiveQuery>,
) -> Result<Response, Oops> {
    let (topic, dag) = query.topic(&frame).await?;
    let who = frame.who().ok_or(Oops::SignIn)?.clone();
    let said = web.live().subscribe(topic).map_err(|deaf| {
        let says = match deaf {
            Deaf::Full => "too many pages listen already; this one reads by the clock",
            Deaf::Closed => "this process stops",
        };
        Oops::Says(StatusCode::SERVICE_UNAVAILABLE, says.to_owned())
    })?;
    let (settings, now) = (web.live().settings(), Instant::now());
    let listener = Listener {
        came_with: headers,
        who,
        dag,
        heard: 0,
        said,
        check_at: now + settings.check_every,
        ends_at: now + settings.lasts,
        web,
    };
    let first = stream::iter([Ok::<_, Infallible>(FIRST)]);
    let events = stream::unfold(listener, |mut listener| async {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    let body = Body::from_stream(futures_util::StreamExt::chain(first, events));
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // A proxy that gathers answers would keep what is meant for now.
        (
            header::HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    Ok((headers, body).into_response())
}

impl Listener {
    /// The next bytes; none once the line ends.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            select! {
                changed = self.said.changed() => {
                    // The process stops.
                    changed.ok()?;
                    let said = self.said.borrow_and_update().clone();
                    let is_mine = said.is_for(&self.who, self.heard);
                    self.heard = said.nth;
                    if is_mine {
                        return Some(said.event);
                    }
                }
                () = sleep_until(self.check_at.min(self.ends_at)) => {
                    let now = Instant::now();
                    if now >= self.ends_at || !self.still_may().await {
                        return None;
                    }
                    self.check_at = now + self.web.live().settings().check_every;
                    return Some(BEAT);
                }
            }
        }
    }

    /// Whether they are still who they were and may still look at this. If that cannot be found out the line ends, too: the
    /// page comes back, and is told why.
    async fn still_may(&mut self) -> bool {
        let Ok(Some(who)) = who_asks(&self.web, &self.came_with).await else {
            return false;
        };
        let policy = if self.dag.is_some() {
            Policy::VIEW_DAG
        } else {
            Policy::VIEW
        };
        let may = authorise(policy, Some(&who), self.dag.as_ref()).is_ok();
        self.who = who;
        may
    }
}
