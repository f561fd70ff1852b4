//! Why a task is where it is: what failed, what that means for a retry, and where else it failed like this.

use tidemill_core::operator::ErrorKind;
use tidemill_core::protocol::NOT_MAPPED;
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;
use tidemill_store::history::Cursor;
use tidemill_store::record::{LoadRow, TaskDetailRow};

use super::alike::failures;
use super::place::Place;
use super::tries::{Tries, Try};
use crate::api::views::meaning_of;
use crate::frame::Frame;
use crate::html::in_time;
use crate::oops::Oops;
use crate::paths;

/// How many of what failed before are named.
const ROOTS_MAX: usize = 8;
/// More loads of one attempt are not looked at for the links to their jobs.
const LOADS_MAX: u32 = 100;

/// A link with its words.
pub(super) struct Link {
    pub(super) words: String,
    pub(super) href: String,
    /// Whether it leads to another system.
    pub(super) away: bool,
}

/// What the card says.
pub(super) struct Cause {
    pub(super) title: &'static str,
    pub(super) message: String,
    pub(super) meaning: Vec<String>,
    pub(super) help: Option<String>,
    /// What it waits for outside, or the job that it began.
    pub(super) handle: Option<String>,
    pub(super) links: Vec<Link>,
}

/// Works it out for the attempt that is looked at. None for what is well.
pub(super) async fn read(
    frame: &Frame,
    place: &Place,
    (tries, detail): (&Tries, Option<&TaskDetailRow>),
) -> Result<Option<Cause>, Oops> {
    let one = tries.selected();
    let handle = detail.and_then(|detail| detail.handle.as_deref());
    let handle = handle.map(ToOwned::to_owned);
    let why = detail.and_then(|detail| detail.why.as_deref());
    if let Some(one) = one.filter(|one| one.failed) {
        return failed(frame, place, (tries, one), handle).await.map(Some);
    }
    if place.state() == TaskState::UpstreamFailed {
        return upstream(frame, place, why).await.map(Some);
    }
    let title = match place.state() {
        TaskState::Deferred => "What it waits for",
        TaskState::Skipped => "Why it was skipped",
        TaskState::Failed => "Why it failed",
        _ => "What is known",
    };
    let says = why.map(ToOwned::to_owned);
    let says = says.or_else(|| {
        handle
            .as_ref()
            .map(|_| "It waits for a job outside".to_owned())
    });
    let loads = loads(frame, place, one).await?;
    let links = job_links(&loads);
    if says.is_none() && links.is_empty() {
        return Ok(None);
    }
    Ok(Some(Cause {
        title,
        message: says.unwrap_or_else(|| "It began a job outside".to_owned()),
        meaning: Vec::new(),
        help: None,
        handle,
        links,
    }))
}

async fn failed(
    frame: &Frame,
    place: &Place,
    (tries, one): (&Tries, &Try),
    handle: Option<String>,
) -> Result<Cause, Oops> {
    let message = one.message.as_deref();
    let message = message.unwrap_or("It failed without a message");
    let mut meaning = vec![match one.kind {
        Some(kind) => meaning_of(kind).to_owned(),
        None => "It did not say what kind of failure it was.".to_owned(),
    }];
    let last = tries
        .all
        .last()
        .is_some_and(|last| last.number == one.number);
    if last {
        meaning.push(next(place, one, frame.now));
        meaning.extend(writes(place));
    } else {
        meaning.push("Another attempt came after this one.".to_owned());
    }
    let mut links = job_links(&loads(frame, place, Some(one)).await?);
    links.extend(others(frame, place, (one, message)).await?);
    Ok(Cause {
        title: "Why it failed",
        message: message.to_owned(),
        meaning,
        help: one.help.as_deref().map(ToOwned::to_owned),
        handle: handle.filter(|_| last),
        links,
    })
}

/// What happens next, if nobody does anything.
fn next(place: &Place, one: &Try, now: Timestamp) -> String {
    let row = place.row.as_ref();
    let at = row.and_then(|row| row.retry_at).or(one.retry_at);
    match (place.state(), at) {
        (TaskState::UpForRetry, Some(at)) => {
            format!("Attempt {} begins {}.", one.number + 1, in_time(now, at))
        }
        (TaskState::Failed, _) if one.kind.is_none_or(ErrorKind::is_retried) => {
            let tries = row.map_or(one.number, |row| row.tries.max(1));
            let word = if tries == 1 { "try was" } else { "tries were" };
            format!("Its {tries} {word} used up: it runs again when somebody retries it.")
        }
        (TaskState::Failed, _) => "It runs again when somebody retries it.".to_owned(),
        (state, _) => format!("It is {state} now."),
    }
}

/// What a retry writes.
fn writes(place: &Place) -> Option<String> {
    let writes = &place.task_spec()?.touches.writes;
    let writes = writes
        .iter()
        .map(|to| format!("{} ({})", to.table, to.mode));
    let writes: Vec<String> = writes.collect();
    (!writes.is_empty()).then(|| format!("A retry writes {}.", writes.join(", ")))
}

pub(super) async fn loads(
    frame: &Frame,
    place: &Place,
    one: Option<&Try>,
) -> Result<Vec<LoadRow>, Oops> {
    // Only what writes a table loads anything.
    let writes = place
        .task_spec()
        .is_some_and(|spec| !spec.touches.writes.is_empty());
    let Some(one) = one.filter(|_| writes) else {
        return Ok(Vec::new());
    };
    let (store, first) = (frame.web.store(), (one.attempt.0, -1));
    let mut loads = store.loads_of_run(place.run.id, first, LOADS_MAX).await?;
    loads.retain(|load| load.attempt == one.attempt);
    Ok(loads)
}

fn job_links(loads: &[LoadRow]) -> Vec<Link> {
    let links = loads.iter().filter_map(|row| {
        let href = row.load.job_url.clone()?;
        // A task said it: nothing else than a web page is a link.
        href.starts_with("https://").then(|| Link {
            words: format!("Job {}", row.load.job_id.as_deref().unwrap_or("outside")),
            href,
            away: true,
        })
    });
    links.collect()
}

/// Other runs that failed with a message like this.
async fn others(
    frame: &Frame,
    place: &Place,
    (one, message): (&Try, &str),
) -> Result<Option<Link>, Oops> {
    let found = failures(frame, place, message).await?;
    let others = found.iter().filter(|other| other.run.id != place.run.id);
    let words = match others.count() {
        0 => return Ok(None),
        1 => "1 other run failed like this".to_owned(),
        many => format!("{many} other runs failed like this"),
    };
    let joint = if place.is_instance() { '&' } else { '?' };
    Ok(Some(Link {
        words,
        href: format!("{}{joint}attempt={}", place.sub("alike"), one.number),
        away: false,
    }))
}

/// What failed before it: the first cause, not the neighbours that could not run either.
async fn upstream(frame: &Frame, place: &Place, why: Option<&str>) -> Result<Cause, Oops> {
    let at = Cursor {
        at: place.run.start,
        id: place.run.id.0.saturating_add(1),
        nth: 0,
    };
    let grid = frame.web.store().grid(&place.dag, at, 1).await?;
    let failed = |name: &str| {
        let mut cells = grid.cells.iter();
        cells.any(|cell| {
            cell.run == place.run.id && cell.name == name && cell.state == TaskState::Failed
        })
    };
    let definition = &place.spec.definition;
    let (mut open, mut seen, mut links) = (vec![place.task.clone()], Vec::new(), Vec::new());
    while let Some(id) = open.pop() {
        let before = definition.task(id.as_str()).map(|spec| &spec.upstream);
        for up in before.into_iter().flatten() {
            if seen.contains(&up.task) {
                continue;
            }
            seen.push(up.task.clone());
            if failed(up.task.as_str()) {
                links.push(Link {
                    words: up.task.to_string(),
                    href: paths::task(&place.dag, &place.run.name, up.task.as_str(), NOT_MAPPED),
                    away: false,
                });
            }
            open.push(up.task.clone());
        }
    }
    links.truncate(ROOTS_MAX);
    let message = match links.as_slice() {
        [] => why.unwrap_or("Something before it failed").to_owned(),
        [one] => format!("{} failed before it", one.words),
        many => format!("{} tasks failed before it", many.len()),
    };
    Ok(Cause {
        title: "Why it could not run",
        message,
        meaning: vec![
            "It runs by itself when what failed before it is retried with its downstream."
                .to_owned(),
        ],
        help: None,
        handle: None,
        links,
    })
}
