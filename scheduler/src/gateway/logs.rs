//! The logs of attempts, page by page.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use tidemill_core::id::{DagId, TaskId};
use tidemill_core::operator::Level;
use tidemill_core::protocol::{AttemptNo, LogPlace, MapIndex, NOT_MAPPED, RunNo};
use tidemill_logs::{Form, Found, LogError, Page, Search, Start, Wanted};
use tokio::time::timeout;

use super::{Gate, Problem};

/// How many lines a page has if nobody says.
const LINES: usize = 1_000;

/// How long a request may wait for lines.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Which log, and which part of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogsQuery {
    /// The DAG.
    pub dag: String,
    /// The run's name.
    pub run: String,
    /// The run's number.
    pub run_no: i64,
    /// The task.
    pub task: String,
    /// Which instance of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<MapIndex>,
    /// The number of the attempt within its task.
    pub number: u32,
    /// Its number over all tasks.
    pub attempt: i64,
    /// The position of the first line, from 0; `line-7` for the line with that number; `error` for the first error, or the
    /// end if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How many lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<usize>,
    /// Only lines of this level and above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// A text to look for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// If there is nothing there yet, how many seconds to wait for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<u64>,
}

impl LogsQuery {
    fn place(&self) -> Result<LogPlace, Problem> {
        let wrong = |what: &str, why: String| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{what}: {why}"))
        };
        Ok(LogPlace {
            dag: DagId::parse(&self.dag).map_err(|error| wrong("dag", error.to_string()))?,
            run: self.run.as_str().into(),
            run_no: RunNo(self.run_no),
            task: TaskId::parse(&self.task).map_err(|error| wrong("task", error.to_string()))?,
            map_index: self.index.unwrap_or(NOT_MAPPED),
            number: self.number,
            attempt: AttemptNo(self.attempt),
        })
    }

    fn wanted(&self) -> Result<Wanted, Problem> {
        let wrong = |from: &str| {
            let detail =
                format!("from: `{from}` is none of a number, `line-` with a number, `error`");
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
        };
        let start = match self.from.as_deref() {
            None => Start::At(0),
            Some("error") => Start::Trouble,
            Some(from) => {
                let line = from.strip_prefix("line-");
                let number = line.unwrap_or(from).parse().map_err(|_| wrong(from))?;
                line.map_or(Start::At(number), |_| Start::Line(number))
            }
        };
        Ok(Wanted {
            start,
            lines: self.lines.unwrap_or(LINES),
            level: self.level.unwrap_or(Level::Debug),
        })
    }
}

type Asked = Result<Query<LogsQuery>, QueryRejection>;

fn asked(query: Asked) -> Result<LogsQuery, Problem> {
    let Query(query) = query.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    Ok(query)
}

fn unreadable(error: LogError) -> Problem {
    let mut detail = error.to_string();
    if let Some(cause) = std::error::Error::source(&error) {
        detail = format!("{detail}: {cause}");
    }
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
}

/// A part of a log. With `wait` it is answered as soon as there is something, or the attempt is over.
pub(super) async fn page(State(gate): State<Gate>, query: Asked) -> Result<Json<Page>, Problem> {
    let query = asked(query)?;
    let (place, wanted) = (query.place()?, query.wanted()?);
    let page = gate.logs().read(&place, wanted).await.map_err(unreadable)?;
    let Some(wait) = query
        .wait
        .filter(|_| page.lines.is_empty() && !page.finished)
    else {
        return Ok(Json(page));
    };
    let mut tail = gate.logs().tail(&place, page.total_of_all);
    let wait = Duration::from_secs(wait).min(WAIT_MAX);
    // Whatever woke it up, or nothing: the page says what there is now.
    let _ = timeout(wait, tail.next()).await;
    let page = gate.logs().read(&place, wanted).await;
    page.map(Json).map_err(unreadable)
}

/// The lines with a text in them.
pub(super) async fn search(State(gate): State<Gate>, query: Asked) -> Result<Json<Found>, Problem> {
    let query = asked(query)?;
    let place = query.place()?;
    let after = query.from.as_deref().and_then(|from| from.parse().ok());
    let search = Search {
        text: query.text.unwrap_or_default(),
        level: query.level.unwrap_or(Level::Debug),
        after: after.unwrap_or(0),
        hits: query.lines.unwrap_or(LINES),
    };
    let found = gate.logs().search(&place, search).await;
    found.map(Json).map_err(unreadable)
}

/// All of a log, as text.
pub(super) async fn download(State(gate): State<Gate>, query: Asked) -> Result<Response, Problem> {
    let query = asked(query)?;
    let place = query.place()?;
    let body = Body::from_stream(gate.logs().download(&place, Form::Text));
    let kind = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
    Ok(([kind], body).into_response())
}
