//! The logs of attempts: a page of lines, lines with a text in them, all of it, and lines as they come.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use serde::Deserialize;
use tidemill_core::protocol::{LogPlace, MapIndex};
use tidemill_logs::{Start, Wanted};
use tokio::time::{sleep, timeout};
use utoipa::IntoParams;

use super::given::Query;
use super::views::{FoundView, LogLineView, LogView};
use super::{find, wait};
use crate::frame::Frame;
use crate::input::At;
use crate::oops::Oops;
use crate::pages::{Tries, level, search};
use crate::routes::ThisDag;

type Named = At<(String, String, String)>;

/// How many lines a page has if nobody says, and at the most.
const LINES: usize = 1_000;
const LINES_MAX: usize = 5_000;

/// Which log, and which part of it.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogQuery {
    /// Which instance of a mapped task, from 0.
    index: Option<MapIndex>,
    /// The number of the attempt within the task; the last without it.
    attempt: Option<u32>,
    /// The position of the first line among those of the level, from 0; `line-7` for the line with that number; `error` for the
    /// first error, or the end if there is none.
    from: Option<String>,
    /// How many lines: 1 to 5,000, 1,000 if nobody says.
    lines: Option<usize>,
    /// Only lines of this level and above: `debug`, `info`, `warn`, `error`.
    level: Option<String>,
    /// If there is nothing yet, answer as soon as there is, or after this time: `20s`, `60s` at the most.
    wait: Option<String>,
}

/// The log of an attempt; none before the first.
async fn named(
    frame: &Frame,
    (ThisDag(dag), At((_, run, task))): (&ThisDag, &Named),
    (index, attempt): (Option<MapIndex>, Option<u32>),
) -> Result<LogPlace, Oops> {
    let place = find::place(frame, dag, (run, task), index).await?;
    let tries = Tries::read(frame, &place, attempt).await?;
    let one = tries.selected();
    one.map(|one| place.log(one.number, one.attempt))
        .ok_or_else(|| Oops::not_found("there is no log before the first attempt"))
}

fn start(from: Option<&str>) -> Result<Start, Oops> {
    let Some(from) = from else {
        return Ok(Start::At(0));
    };
    if from == "error" {
        return Ok(Start::Trouble);
    }
    let line = from.strip_prefix("line-");
    let number = line.unwrap_or(from).parse();
    let number = number
        .map_err(|_| Oops::field("from", "write a number, `line-` with a number, or `error`"))?;
    Ok(line.map_or(Start::At(number), |_| Start::Line(number)))
}

/// A page of a log. With `wait` it is answered as soon as there is something, or the attempt is over.
pub(crate) async fn page(
    frame: Frame,
    dag: ThisDag,
    path: Named,
    Query(query): Query<LogQuery>,
) -> Result<Json<LogView>, Oops> {
    let lines = query.lines.unwrap_or(LINES);
    if !(1..=LINES_MAX).contains(&lines) {
        return Err(Oops::field("lines", "a page has 1 to 5,000 lines"));
    }
    let wanted = Wanted {
        start: start(query.from.as_deref())?,
        lines,
        level: level(query.level.as_deref().unwrap_or_default())?,
    };
    let span = wait::span(query.wait.as_deref())?;
    let of = named(&frame, (&dag, &path), (query.index, query.attempt)).await?;
    let door = frame.web.door();
    let mut page = door.log(&of, wanted).await?;
    if page.lines.is_empty() && !page.finished && !span.is_zero() {
        wait_for_lines(&frame, &of, page.total_of_all, span).await;
        page = door.log(&of, wanted).await?;
    }
    Ok(Json(LogView::of(of.number, page)))
}

/// Whatever wakes it up, or nothing: what is read after that says what there is.
async fn wait_for_lines(frame: &Frame, of: &LogPlace, after: u64, span: Duration) {
    if let Some(_place) = frame.web.wait() {
        let mut tail = frame.web.door().tail(of, after);
        let _ = timeout(span, tail.next()).await;
    }
}

/// What to look for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchQuery {
    /// Which instance of a mapped task, from 0.
    index: Option<MapIndex>,
    /// The number of the attempt within the task; the last without it.
    attempt: Option<u32>,
    /// The text to look for.
    text: String,
    /// Only lines of this level and above.
    level: Option<String>,
    /// Go on after the line with this number: `next` of the answer before.
    after: Option<u64>,
}

/// The lines with a text in them.
pub(crate) async fn find_in(
    frame: Frame,
    dag: ThisDag,
    path: Named,
    Query(query): Query<SearchQuery>,
) -> Result<Json<FoundView>, Oops> {
    if query.text.is_empty() {
        return Err(Oops::field("text", "there is nothing to look for"));
    }
    let level = level(query.level.as_deref().unwrap_or_default())?;
    let search = search(&query.text, level, query.after.unwrap_or(0))?;
    let of = named(&frame, (&dag, &path), (query.index, query.attempt)).await?;
    let found = frame.web.door().search(&of, search).await?;
    Ok(Json(found.into()))
}

/// All of a log, as text.
pub(crate) async fn raw(
    frame: Frame,
    dag: ThisDag,
    path: Named,
    Query(query): Query<super::tasks::AttemptQuery>,
) -> Result<Response, Oops> {
    let of = named(&frame, (&dag, &path), (query.index, query.attempt)).await?;
    let body = frame.web.door().download(&of).await?;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

/// After which line.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FollowQuery {
    /// Which instance of a mapped task, from 0.
    index: Option<MapIndex>,
    /// The number of the attempt within the task; the last without it.
    attempt: Option<u32>,
    /// Begin after the line with this number; with the first line without it.
    after: Option<u64>,
}

/// So long lines are followed at the most; whoever wants more asks again, and is asked again who they are.
const FOLLOWED: Duration = Duration::from_secs(300);

/// Lines as they come, one JSON object a line, until the attempt is over.
pub(crate) async fn follow(
    frame: Frame,
    dag: ThisDag,
    path: Named,
    Query(query): Query<FollowQuery>,
) -> Result<Response, Oops> {
    let of = named(&frame, (&dag, &path), (query.index, query.attempt)).await?;
    let place = frame.web.wait().ok_or_else(|| {
        let says = "too many requests wait already; try again in a minute, or read page by page";
        Oops::Says(StatusCode::SERVICE_UNAVAILABLE, says.to_owned())
    })?;
    let tail = frame.web.door().tail(&of, query.after.unwrap_or(0));
    let tail = tail.take_until(sleep(FOLLOWED));
    let lines = tail.map(move |lines| {
        let _held = &place;
        let lines = lines?.into_iter().map(|line| {
            let view = LogLineView::from(line);
            serde_json::to_string(&view).unwrap_or_default() + "\n"
        });
        // An error ends the stream short of its end, so that nobody takes it for all.
        Ok::<_, crate::door::DoorError>(Bytes::from(lines.collect::<String>()))
    });
    let kind = HeaderValue::from_static("application/x-ndjson");
    Ok(([(header::CONTENT_TYPE, kind)], Body::from_stream(lines)).into_response())
}
