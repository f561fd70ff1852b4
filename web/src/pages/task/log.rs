//! The log of an attempt: a page of it for readers without scripts, and the same pages as JSON for the viewer.

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_core::operator::Level;
use tidemill_core::protocol::{LogPlace, MapIndex, NOT_MAPPED};
use tidemill_logs::{Found, Numbered, Page, Search, Start, Wanted};

use super::TaskQuery;
use super::place::Place;
use super::tries::{Tries, Try};
use crate::frame::Frame;
use crate::input::{Asking, At};
use crate::oops::Oops;
use crate::paths;
use crate::routes::ThisDag;

/// How many lines a page without scripts has.
const LINES: usize = 200;
/// How many lines the viewer may ask for at once.
const LINES_MAX: usize = 1_000;
/// How many lines are shown before the line that a page opens at.
const BEFORE: u64 = 5;
/// How many lines a search finds at once.
const HITS: usize = 200;
/// A text to look for is no longer.
const TEXT_BYTES_MAX: usize = 1_000;

/// A line.
pub(super) struct LogLine {
    pub(super) number: u64,
    pub(super) href: String,
    pub(super) time: String,
    pub(super) level: &'static str,
    pub(super) text: String,
    pub(super) source: Option<String>,
    pub(super) fields: String,
    /// Whether the address names it.
    pub(super) on: bool,
}

/// What a search found.
pub(super) struct Hits {
    pub(super) lines: Vec<LogLine>,
    pub(super) more: Option<String>,
}

/// A page of a log.
pub(super) struct LogView {
    pub(super) lines: Vec<LogLine>,
    pub(super) from: u64,
    pub(super) total: u64,
    pub(super) total_of_all: u64,
    pub(super) first_error: Option<u64>,
    pub(super) is_over: bool,
    pub(super) level: &'static str,
    pub(super) find: String,
    pub(super) line: String,
    pub(super) opened: String,
    pub(super) earlier: Option<String>,
    pub(super) later: Option<String>,
    pub(super) to_error: Option<String>,
    pub(super) to_start: String,
    pub(super) to_end: String,
    pub(super) raw: String,
    /// Where the viewer asks, and what it adds to every question.
    pub(super) pages: String,
    /// Where it is told of new lines.
    pub(super) live: String,
    pub(super) attempt: u32,
    pub(super) hits: Option<Hits>,
    /// Why it cannot be read.
    pub(super) wrong: Option<String>,
}

/// The page of the log that the address asks for: at the line it names, else at the first error, else at the end.
pub(super) async fn view(
    frame: &Frame,
    place: &Place,
    one: &Try,
    query: &TaskQuery,
) -> Result<LogView, Oops> {
    let level = level(&query.level)?;
    let range = range(&query.line)?;
    let of = place.log(one.number, one.attempt);
    let mut view = empty(place, one, query, level);
    let start = match (query.from, range) {
        (Some(from), _) => Start::At(from),
        (None, Some((first, _))) => Start::Line(first),
        (None, None) => Start::Trouble,
    };
    let page = match read(frame, &of, (start, LINES, level)).await {
        Ok(page) => page,
        // The rest of the page is of use all the same.
        Err(error) => {
            view.wrong = Some(error);
            return Ok(view);
        }
    };
    let with = |rest: &str| view_href(place, one, level, rest);
    view.opened = match (start, page.first_error) {
        (Start::Trouble, Some(_)) => "opened at the first error".to_owned(),
        (Start::Trouble, None) => "opened at the end".to_owned(),
        _ => format!(
            "from line {}",
            page.lines.first().map_or(0, |line| line.number)
        ),
    };
    let count = LINES as u64;
    let end = page.from + page.lines.len() as u64;
    view.earlier =
        (page.from > 0).then(|| with(&format!("from={}", page.from.saturating_sub(count))));
    view.later = (end < page.total).then(|| with(&format!("from={end}")));
    view.to_error = page.first_error.map(|line| with(&format!("line={line}")));
    view.to_start = with("from=0");
    view.to_end = with(&format!("from={}", page.total.saturating_sub(count)));
    view.is_over = page.finished || one.is_over;
    (view.from, view.total) = (page.from, page.total);
    (view.total_of_all, view.first_error) = (page.total_of_all, page.first_error);
    let is_on = |number| range.is_some_and(|(first, last)| (first..=last).contains(&number));
    let lines = page.lines.into_iter();
    view.lines = lines
        .map(|line| {
            let href = with(&format!("line={}", line.number));
            let on = is_on(line.number);
            log_line(line, href, on)
        })
        .collect();
    if !query.find.is_empty() {
        view.hits = Some(hits(frame, &of, (place, one, level), query).await?);
    }
    Ok(view)
}

fn empty(place: &Place, one: &Try, query: &TaskQuery, level: Level) -> LogView {
    LogView {
        lines: Vec::new(),
        from: 0,
        total: 0,
        total_of_all: 0,
        first_error: None,
        is_over: one.is_over,
        level: word(level),
        find: query.find.clone(),
        line: query.line.clone(),
        opened: String::new(),
        earlier: None,
        later: None,
        to_error: None,
        to_start: String::new(),
        to_end: String::new(),
        raw: with_attempt(&place.sub("log/raw"), one.number),
        pages: with_attempt(&place.sub("log"), one.number),
        live: with_attempt(&place.sub("log/live"), one.number),
        attempt: one.number,
        hits: None,
        wrong: None,
    }
}

async fn hits(
    frame: &Frame,
    of: &LogPlace,
    (place, one, level): (&Place, &Try, Level),
    query: &TaskQuery,
) -> Result<Hits, Oops> {
    let search = search(&query.find, level, query.after)?;
    let found = frame.web.door().search(of, search).await?;
    let with = |rest: &str| view_href(place, one, level, rest);
    let text = paths::part(&query.find);
    let more = found
        .next
        .map(|after| with(&format!("find={text}&after={after}")));
    let lines = found.lines.into_iter().map(|line| {
        let href = with(&format!("line={}", line.number));
        log_line(line, href, false)
    });
    Ok(Hits {
        lines: lines.collect(),
        more,
    })
}

/// Reads a page. One that opens somewhere begins a few lines before, so that it is seen how it came to that.
async fn read(
    frame: &Frame,
    of: &LogPlace,
    (start, lines, level): (Start, usize, Level),
) -> Result<Page, String> {
    let door = frame.web.door();
    let wanted = |start| Wanted {
        start,
        lines,
        level,
    };
    let says = |error: crate::door::DoorError| error.to_string();
    let page = door.log(of, wanted(start)).await.map_err(says)?;
    let opens = match start {
        Start::At(_) => false,
        Start::Line(_) => true,
        Start::Trouble => page.first_error.is_some(),
    };
    if !opens || page.from == 0 {
        return Ok(page);
    }
    let before = Start::At(page.from.saturating_sub(BEFORE));
    door.log(of, wanted(before)).await.map_err(says)
}

fn log_line(line: Numbered, href: String, on: bool) -> LogLine {
    let Numbered { number, line } = line;
    LogLine {
        number,
        href,
        time: line.at.date().format("%H:%M:%S%.3f").to_string(),
        level: word(line.level),
        text: line.text,
        source: line.source,
        fields: if line.fields.is_empty() {
            String::new()
        } else {
            serde_json::Value::Object(line.fields).to_string()
        },
        on,
    }
}

fn with_attempt(href: &str, number: u32) -> String {
    let joint = if href.contains('?') { '&' } else { '?' };
    format!("{href}{joint}attempt={number}")
}

fn view_href(place: &Place, one: &Try, level: Level, rest: &str) -> String {
    let narrow = match level {
        Level::Debug => String::new(),
        level => format!("&level={}", word(level)),
    };
    place.with(&format!("attempt={}{narrow}&{rest}#log", one.number))
}

const fn word(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

/// A level, as an address has it.
pub(crate) fn level(text: &str) -> Result<Level, Oops> {
    match text {
        "" | "debug" => Ok(Level::Debug),
        "info" => Ok(Level::Info),
        "warn" => Ok(Level::Warn),
        "error" => Ok(Level::Error),
        _ => Err(Oops::invalid("a level is debug, info, warn or error")),
    }
}

/// Lines from and to, as an address has them.
fn range(text: &str) -> Result<Option<(u64, u64)>, Oops> {
    if text.is_empty() {
        return Ok(None);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first >= 1 && first <= last => Ok(Some((first, last))),
        _ => Err(Oops::invalid("lines are given as `7` or `7-12`, from 1")),
    }
}

/// What to look for, from after a line on.
pub(crate) fn search(text: &str, level: Level, after: u64) -> Result<Search, Oops> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Oops::invalid(
            "this is too long to look for: at most 1,000 bytes",
        ));
    }
    Ok(Search {
        text: text.to_owned(),
        level,
        after,
        hits: HITS,
    })
}

/// What the viewer asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LogQuery {
    index: Option<MapIndex>,
    attempt: Option<u32>,
    /// The position of the first line among those of the level, from 0.
    from: Option<u64>,
    /// The number of the first line, instead.
    line: Option<u64>,
    lines: Option<usize>,
    level: String,
    text: String,
    after: u64,
}

pub(super) type Named = At<(String, String, String)>;

/// The log of an attempt, the last if none is named.
pub(super) async fn of_attempt(
    frame: &Frame,
    dag: &DagId,
    (run, task): (&str, &str),
    (index, attempt): (Option<MapIndex>, Option<u32>),
) -> Result<LogPlace, Oops> {
    let index = index.unwrap_or(NOT_MAPPED);
    let place = Place::find(frame, dag, (run, task, index)).await?;
    let tries = Tries::read(frame, &place, attempt).await?;
    let one = tries.selected();
    one.map(|one| place.log(one.number, one.attempt))
        .ok_or_else(|| Oops::not_found("there is no log before the first attempt"))
}

/// A page of lines, as JSON.
pub(crate) async fn lines(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, run, task)): Named,
    Asking(query): Asking<LogQuery>,
) -> Result<Json<Page>, Oops> {
    let start = match (query.from, query.line) {
        (Some(from), _) => Start::At(from),
        (None, Some(line)) => Start::Line(line),
        (None, None) => Start::Trouble,
    };
    let wanted = Wanted {
        start,
        lines: query.lines.unwrap_or(LINES).clamp(1, LINES_MAX),
        level: level(&query.level)?,
    };
    let which = (query.index, query.attempt);
    let of = of_attempt(&frame, &dag, (&run, &task), which).await?;
    Ok(Json(frame.web.door().log(&of, wanted).await?))
}

/// The lines with a text in them, as JSON.
pub(crate) async fn find(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, run, task)): Named,
    Asking(query): Asking<LogQuery>,
) -> Result<Json<Found>, Oops> {
    let search = search(&query.text, level(&query.level)?, query.after)?;
    let which = (query.index, query.attempt);
    let of = of_attempt(&frame, &dag, (&run, &task), which).await?;
    if search.text.is_empty() {
        return Ok(Json(Found {
            lines: Vec::new(),
            next: None,
        }));
    }
    Ok(Json(frame.web.door().search(&of, search).await?))
}

/// All of it, as a file.
pub(crate) async fn raw(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, run, task)): Named,
    Asking(query): Asking<LogQuery>,
) -> Result<Response, Oops> {
    let which = (query.index, query.attempt);
    let of = of_attempt(&frame, &dag, (&run, &task), which).await?;
    let body: Body = frame.web.door().download(&of).await?;
    // Names of DAGs and tasks have nothing in them that a header could misread.
    let file = format!(
        "attachment; filename=\"{dag}.{}.{}.log\"",
        of.task, of.number
    );
    let file = HeaderValue::from_str(&file);
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        ),
        (
            header::CONTENT_DISPOSITION,
            file.unwrap_or(HeaderValue::from_static("attachment")),
        ),
    ];
    Ok((headers, body).into_response())
}
