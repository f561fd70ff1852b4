//! `GET …/log/live`: the viewer of a log is told of new lines as they come. What it is told is how far the log goes; it reads the
//! lines the way it reads all others, so that levels and places stay right and nothing has to be allowed a second time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use tidemill_core::protocol::MapIndex;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

use super::log::{Named, of_attempt};
use crate::door::Tail;
use crate::frame::Frame;
use crate::input::{Asking, At};
use crate::oops::Oops;
use crate::routes::ThisDag;

/// A line to a browser ends after so long, and is opened again by whoever still may.
const LASTS: Duration = Duration::from_secs(300);
/// A log that grows fast is told of no more often.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a browser waits before it opens a line that was cut.
const FIRST: Bytes = Bytes::from_static(b"retry: 3000\n\n");
/// Nothing comes any more: the attempt is over.
const OVER: Bytes = Bytes::from_static(b"event: over\ndata: the attempt is over\n\n");

/// Which log, and how far it was read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TailQuery {
    index: Option<MapIndex>,
    attempt: Option<u32>,
    /// The number of the last line that is known.
    after: u64,
}

/// Lines that come.
struct Follower {
    tail: Tail,
    /// Whether something was said already.
    has_said: bool,
    is_over: bool,
    _place: OwnedSemaphorePermit,
}

impl Follower {
    /// The next bytes; none once the line ends. If the log cannot be read it ends, too, and the browser comes back.
    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        if self.has_said {
            sleep(PAUSE).await;
        }
        self.has_said = true;
        loop {
            let Some(lines) = self.tail.next().await else {
                self.is_over = true;
                return Some(OVER);
            };
            if let Some(last) = lines.ok()?.last() {
                let number = last.number;
                return Some(format!("id: {number}\nevent: lines\ndata: {number}\n\n").into());
            }
        }
    }
}

pub(crate) async fn listen(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, run, task)): Named,
    headers: HeaderMap,
    Asking(query): Asking<TailQuery>,
) -> Result<Response, Oops> {
    let which = (query.index, query.attempt);
    let of = of_attempt(&frame, &dag, (&run, &task), which).await?;
    let place = frame.web.wait().ok_or_else(|| {
        let says = "too many requests wait already; this page reads by the clock";
        Oops::Says(StatusCode::SERVICE_UNAVAILABLE, says.to_owned())
    })?;
    // A browser that comes back says what it was told last.
    let told = headers.get("last-event-id");
    let told = told.and_then(|told| told.to_str().ok()?.parse().ok());
    let after = query.after.max(told.unwrap_or(0));
    let follower = Follower {
        tail: frame.web.door().tail(&of, after),
        has_said: false,
        is_over: false,
        _place: place,
    };
    let events = stream::unfold(follower, |mut follower| async {
        let event = follower.next().await?;
        Some((event, follower))
    });
    let events = stream::iter([FIRST]).chain(events.take_until(sleep(LASTS)));
    let body = Body::from_stream(events.map(Ok::<_, std::convert::Infallible>));
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // A proxy that gathers answers would keep what is meant for now.
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    Ok((headers, body).into_response())
}
