//! A run over time: what each task waited for, when it ran, and which tasks decided when the run would end.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tidemill_core::protocol::{AttemptNo, InstanceRef, MapIndex, NOT_MAPPED, TaskNo};
use tidemill_core::spec::TaskKind;
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;
use tidemill_store::history::{AttemptCursor, GridCell, PAGE_ROWS_MAX, Tried};
use tidemill_store::record::AttemptEnd;

use super::read::{Of, Reasons, Rows};
use super::zoom::{Step, Zoom};
use crate::frame::Frame;
use crate::html::{Chip, Doing, Html, Lane, Stretch, Tone, gantt, took};
use crate::oops::Oops;
use crate::pages::grid;

/// More lines nobody reads: the tasks that took longest are drawn then, and those that mattered.
const LANES_MAX: usize = 300;
/// No more attempts are read: tasks with thousands of them are drawn by their last ones.
const ATTEMPTS_MAX: usize = 20_000;
/// Of so many waiting tasks the leader is asked why.
const ASKED_MAX: usize = 25;

/// The picture, and what it says in words.
pub(super) struct GanttView {
    pub(super) drawn: Option<Html>,
    /// Nearer, farther, earlier, later.
    pub(super) steps: Vec<Step>,
    /// The tasks that decided when the run ended, and what each did.
    pub(super) critical: Vec<(String, String, String)>,
    pub(super) critical_took: String,
    /// What all tasks did together.
    pub(super) totals: Vec<(&'static str, &'static str, String)>,
    pub(super) left_out: usize,
    /// Where what was tried before the last start is drawn, too.
    pub(super) all: Option<String>,
}

/// A task over time.
pub(super) struct Course {
    pub(super) spans: Vec<Stretch>,
    chip: Chip,
}

impl Course {
    fn end(&self) -> Option<Timestamp> {
        self.spans.iter().map(|span| span.to).max()
    }

    fn sum(&self, of: impl Fn(Doing) -> bool) -> Duration {
        let spans = self.spans.iter().filter(|span| of(span.doing));
        spans.map(|span| span.to.since(span.from)).sum()
    }
}

/// The tasks over time, by name.
type Courses<'a> = HashMap<&'a str, Course>;

const fn ran(doing: Doing) -> bool {
    matches!(doing, Doing::Ran(_))
}

/// A run over time, as it was read.
pub(super) struct Timed<'a> {
    /// By the names of tasks.
    pub(super) courses: Courses<'a>,
    pub(super) critical: Vec<String>,
    pub(super) begin: Timestamp,
    pub(super) end: Timestamp,
    /// Whether something was tried before the last start.
    earlier: bool,
}

/// Reads what each task did. `all`: also what was tried before the last start of the run.
pub(super) async fn read<'a>(
    frame: &Frame,
    of: &Of,
    rows: &'a Rows,
    all: bool,
) -> Result<Timed<'a>, Oops> {
    let attempts = attempts(frame, of).await?;
    let begin = of.run.started_at.unwrap_or(of.run.created_at);
    let first = attempts
        .values()
        .flatten()
        .map(|attempt| attempt.queued_at)
        .min();
    let earlier = first.is_some_and(|first| first < begin);
    let begin = if all {
        first.map_or(begin, |first| first.min(begin))
    } else {
        begin
    };
    let mut courses = courses(of, rows, &attempts, (begin, frame.now));
    name_reasons(frame, rows, &mut courses).await;
    let end = courses.values().filter_map(Course::end).max();
    let end = end
        .into_iter()
        .chain(of.run.ended_at)
        .max()
        .unwrap_or(frame.now);
    Ok(Timed {
        critical: critical(of, &courses),
        courses,
        begin,
        end,
        earlier,
    })
}

pub(super) async fn view(
    frame: &Frame,
    of: &Of,
    rows: &Rows,
    (all, zoom): (bool, &str),
) -> Result<GanttView, Oops> {
    let Timed {
        courses,
        critical,
        begin,
        end,
        earlier,
    } = read(frame, of, rows, all).await?;
    let (lanes, left_out) = lanes(of, rows, &courses, &critical);
    let href = format!("{}?tab=gantt&all=true", of.href());
    let here = if all {
        href.clone()
    } else {
        format!("{}?tab=gantt", of.href())
    };
    let Zoom { from, to, steps } = Zoom::new(zoom, (begin, end.max(begin)), &here);
    let is_drawn = !lanes.is_empty();
    Ok(GanttView {
        drawn: is_drawn.then(|| gantt(&lanes, (from, to), begin)),
        steps: if is_drawn { steps } else { Vec::new() },
        critical_took: took(end.since(begin)),
        critical: critical
            .iter()
            .map(|name| in_words(name, &courses))
            .collect(),
        totals: totals(&courses),
        left_out,
        all: (earlier && !all).then_some(href),
    })
}

/// The attempts of tasks that are not mapped. Those of instances are passed over.
async fn attempts(frame: &Frame, of: &Of) -> Result<HashMap<TaskNo, Vec<Tried>>, Oops> {
    let mut found: HashMap<TaskNo, Vec<Tried>> = HashMap::new();
    let (mut after, mut seen) = (AttemptCursor::START, 0);
    while seen < ATTEMPTS_MAX {
        let store = frame.web.store();
        let page = store.tries_of_run(of.run.id, after, PAGE_ROWS_MAX).await?;
        let Some(last) = page.last() else { break };
        after = AttemptCursor::from(last);
        if last.of.map_index != NOT_MAPPED {
            after.map_index = MapIndex::MAX;
            after.id = AttemptNo(i64::MAX);
        }
        seen += page.len();
        let full = page.len() == PAGE_ROWS_MAX as usize;
        for attempt in page
            .into_iter()
            .filter(|row| row.of.map_index == NOT_MAPPED)
        {
            found.entry(attempt.of.task).or_default().push(attempt);
        }
        if !full {
            break;
        }
    }
    Ok(found)
}

fn courses<'a>(
    of: &Of,
    rows: &'a Rows,
    attempts: &HashMap<TaskNo, Vec<Tried>>,
    (begin, now): (Timestamp, Timestamp),
) -> Courses<'a> {
    let (whole, instances) = (rows.whole(), rows.instances());
    let ends = |name: &str| {
        let cell = whole.get(name)?;
        cell.state.is_final().then_some(cell.since)
    };
    let course = |(name, cell): (&&'a str, &&GridCell)| {
        let upstream = of.task(name).into_iter().flat_map(|task| &task.upstream);
        let ready = upstream
            .filter_map(|before| ends(before.task.as_str()))
            .max();
        let ready = ready.unwrap_or(begin).max(begin);
        let waits = of
            .task(name)
            .is_some_and(|task| matches!(task.kind, TaskKind::Approval { .. }));
        let tried = attempts.get(&cell.task).map_or(&[][..], Vec::as_slice);
        let mut spans = match instances.get(name) {
            Some(cells) => many(cells, now),
            None => one(cell, tried, (ready, waits), now),
        };
        spans.retain(|span| span.to >= begin);
        for span in &mut spans {
            span.from = span.from.max(begin);
        }
        let chip = cell.state.into();
        (*name, Course { spans, chip })
    };
    whole.iter().map(course).collect()
}

/// All instances of a mapped task as one bar.
fn many(cells: &[&GridCell], now: Timestamp) -> Vec<Stretch> {
    let queued = cells.iter().filter_map(|cell| cell.queued_at).min();
    let started = cells.iter().filter_map(|cell| cell.started_at).min();
    let Some(started) = started else {
        return Vec::new();
    };
    let done = cells.iter().all(|cell| cell.state.is_final());
    let last = cells.iter().map(|cell| cell.since).max();
    let to = last.filter(|_| done).unwrap_or(now);
    let count: u32 = cells.iter().map(|cell| cell.count).sum();
    let worst = cells.iter().map(|cell| Tone::from(cell.state)).min();
    let states = cells.iter().map(|cell| {
        let word = Chip::from(cell.state).word();
        format!("{} {word}", cell.count)
    });
    let states: Vec<String> = states.collect();
    let begin = queued.map(|queued| span(Doing::Begin, queued, started, "first with a worker"));
    let says = format!("{count} instances: {}", states.join(", "));
    let tone = worst.unwrap_or(Tone::None);
    let ran = span(Doing::Ran(tone), started, to, &says);
    begin.into_iter().chain([ran]).collect()
}

fn span(doing: Doing, from: Timestamp, to: Timestamp, says: &str) -> Stretch {
    Stretch {
        doing,
        from,
        to: to.max(from),
        says: says.to_owned(),
    }
}

const fn tone(end: AttemptEnd) -> Tone {
    match end {
        AttemptEnd::Success => Tone::Ok,
        AttemptEnd::Failed | AttemptEnd::TimedOut => Tone::Fail,
        AttemptEnd::Lost => Tone::Retry,
        AttemptEnd::Skipped | AttemptEnd::Cancelled => Tone::Skip,
    }
}

/// What happened between two attempts, or before the first: nothing that is called waiting after one that was the last, until a
/// person wanted more.
fn gap(spans: &mut Vec<Stretch>, (from, to): (Timestamp, Timestamp), before: Option<&Tried>) {
    let retry = match before {
        None => from,
        Some(Tried {
            retry_at: Some(at), ..
        }) => (*at).clamp(from, to.max(from)),
        Some(_) => return,
    };
    if retry > from {
        spans.push(span(Doing::Retry, from, retry, "waited to be tried again"));
    }
    if to > retry {
        spans.push(span(Doing::Place, retry, to, "waited for a place"));
    }
}

/// A task that is not mapped. `waits`: it asks people, so while it is on it waits for them.
fn one(
    task: &GridCell,
    tried: &[Tried],
    (ready, waits): (Timestamp, bool),
    now: Timestamp,
) -> Vec<Stretch> {
    let mut spans = Vec::new();
    let mut before: Option<&Tried> = None;
    for attempt in tried {
        let from = before.map_or(ready, |before| before.ended_at);
        gap(&mut spans, (from, attempt.queued_at), before);
        let started = attempt.started_at.unwrap_or(attempt.ended_at);
        spans.push(span(
            Doing::Begin,
            attempt.queued_at,
            started,
            "with a worker",
        ));
        if attempt.started_at.is_some() {
            let doing = if waits {
                Doing::Outside
            } else {
                Doing::Ran(tone(attempt.end))
            };
            let says = format!("attempt {}: {}", attempt.number, attempt.end.word());
            let deferred = attempt.deferred_at.filter(|_| !waits);
            let left =
                deferred.map_or(attempt.ended_at, |at| at.min(attempt.ended_at).max(started));
            spans.push(span(doing, started, left, &says));
            if deferred.is_some() {
                spans.push(span(
                    Doing::Outside,
                    left,
                    attempt.ended_at,
                    "waited for something outside",
                ));
                // How it ended is seen where it did.
                spans.push(span(doing, attempt.ended_at, attempt.ended_at, &says));
            }
        }
        before = Some(attempt);
    }
    let from = before.map_or(ready, |before| before.ended_at);
    at_present(&mut spans, task, (from, before), now);
    spans
}

/// The attempt that is on, or what it waits for.
fn at_present(
    spans: &mut Vec<Stretch>,
    task: &GridCell,
    (from, before): (Timestamp, Option<&Tried>),
    now: Timestamp,
) {
    let queued = task.queued_at.unwrap_or(task.since);
    let says = format!("attempt {}", task.number);
    match task.state {
        TaskState::Scheduled => {
            spans.push(span(Doing::Place, task.since, now, "waits for a place"))
        }
        TaskState::UpForRetry => {
            spans.push(span(
                Doing::Retry,
                task.since,
                now,
                "waits to be tried again",
            ));
        }
        TaskState::Queued => {
            gap(spans, (from, queued), before);
            spans.push(span(
                Doing::Begin,
                queued,
                now,
                "with a worker that has not begun it",
            ));
        }
        TaskState::Running | TaskState::Deferred => {
            gap(spans, (from, queued), before);
            let started = task.started_at.unwrap_or(queued);
            spans.push(span(Doing::Begin, queued, started, "with a worker"));
            let waits = task.state == TaskState::Deferred;
            let to = if waits { task.since } else { now };
            spans.push(span(Doing::Ran(Tone::Run), started, to, &says));
            if waits {
                spans.push(span(
                    Doing::Outside,
                    task.since,
                    now,
                    "waits for something outside",
                ));
            }
        }
        // Nothing is on record of what it tried, as of a task that does nothing.
        TaskState::Success | TaskState::Failed if before.is_none() => {
            let started = task.started_at.unwrap_or(task.since);
            let to = task.since;
            if task.queued_at.is_some() {
                gap(spans, (from, queued), None);
                spans.push(span(Doing::Begin, queued, started, "with a worker"));
            }
            spans.push(span(Doing::Ran(task.state.into()), started, to, &says));
        }
        _ => {}
    }
}

/// What waiting tasks wait for, in the leader's words.
async fn name_reasons(frame: &Frame, rows: &Rows, courses: &mut Courses<'_>) {
    let waiting = |cell: &&GridCell| {
        matches!(
            cell.state,
            TaskState::Scheduled | TaskState::Queued | TaskState::Deferred
        )
    };
    let whole = rows.whole();
    let mut waiting: Vec<&GridCell> = whole.into_values().filter(waiting).collect();
    // The same ones each time the page is read.
    waiting.sort_unstable_by_key(|cell| cell.task);
    let mut reasons = Reasons::at_most(ASKED_MAX);
    for cell in waiting {
        let of = InstanceRef {
            run: cell.run,
            task: cell.task,
            map_index: NOT_MAPPED,
        };
        let Some(says) = reasons.of(frame, (of, cell.state)).await else {
            continue;
        };
        let course = courses.get_mut(cell.name.as_str());
        if let Some(last) = course.and_then(|course| course.spans.last_mut()) {
            last.says = says;
        }
    }
}

/// From the task that ended last back, each time to the one before it that ended last.
fn critical(of: &Of, courses: &Courses<'_>) -> Vec<String> {
    let end = |name: &str| {
        let course = courses.get(name)?;
        course.end().filter(|_| !course.spans.is_empty())
    };
    let latest = |names: &mut dyn Iterator<Item = &str>| {
        let ended = names.filter_map(|name| Some((end(name)?, name)));
        ended.max().map(|(_, name)| name.to_owned())
    };
    let mut path = Vec::new();
    let mut seen = HashSet::new();
    let mut next = latest(&mut courses.keys().copied());
    while let Some(name) = next {
        if !seen.insert(name.clone()) {
            break;
        }
        let upstream = of
            .task(&name)
            .map_or(&[][..], |task| task.upstream.as_slice());
        next = latest(&mut upstream.iter().map(|before| before.task.as_str()));
        path.push(name);
    }
    path.reverse();
    path
}

fn in_words(name: &str, courses: &Courses<'_>) -> (String, String, String) {
    let course = courses.get(name);
    let sum = |of: fn(Doing) -> bool| course.map(|course| course.sum(of)).unwrap_or_default();
    (
        name.to_owned(),
        took(sum(ran)),
        some(sum(|doing| !ran(doing))).unwrap_or_default(),
    )
}

/// A length of time, if there was any to speak of.
fn some(span: Duration) -> Option<String> {
    (span >= Duration::from_millis(1)).then(|| took(span))
}

fn totals(courses: &Courses<'_>) -> Vec<(&'static str, &'static str, String)> {
    type Kind = (&'static str, &'static str, fn(Doing) -> bool);
    let kinds: [Kind; 5] = [
        ("ok", "ran", ran),
        ("place", "waited for a place", |doing| doing == Doing::Place),
        ("begin", "waited for a worker to begin", |doing| {
            doing == Doing::Begin
        }),
        ("again", "waited to be tried again", |doing| {
            doing == Doing::Retry
        }),
        ("outside", "waited for something outside", |doing| {
            doing == Doing::Outside
        }),
    ];
    let total = |(class, word, of): Kind| {
        let sum: Duration = courses.values().map(|course| course.sum(of)).sum();
        some(sum).map(|sum| (class, word, sum))
    };
    kinds.into_iter().filter_map(total).collect()
}

/// The lines, in the order of the list; of too many the ones that matter. And how many are left out.
fn lanes(of: &Of, rows: &Rows, courses: &Courses<'_>, critical: &[String]) -> (Vec<Lane>, usize) {
    let all = grid::rows(&of.spec, &rows.grid);
    let on_path: HashSet<&str> = critical.iter().map(String::as_str).collect();
    let drawn = |id: &str| {
        courses
            .get(id)
            .is_some_and(|course| !course.spans.is_empty())
    };
    let mut tasks: Vec<&grid::Row> = all.iter().filter(|row| drawn(&row.id)).collect();
    let left_out = tasks.len().saturating_sub(LANES_MAX);
    tasks.sort_by_cached_key(|row| {
        let sum = courses
            .get(row.id.as_str())
            .map(|course| course.sum(|_| true));
        std::cmp::Reverse((on_path.contains(row.id.as_str()), sum))
    });
    tasks.truncate(LANES_MAX);
    let kept: HashSet<&str> = tasks.iter().map(|row| row.id.as_str()).collect();
    let around: HashSet<&str> = tasks
        .iter()
        .flat_map(|row| row.inside.iter().map(String::as_str))
        .collect();
    let lane = |row: &grid::Row| {
        let id = row.id.as_str();
        let course = courses.get(id).filter(|_| kept.contains(id));
        let is_head = row.is_group && around.contains(id);
        (is_head || course.is_some()).then(|| Lane {
            label: row.label.clone(),
            depth: row.inside.len(),
            href: (!row.is_group).then(|| of.task_href(id, NOT_MAPPED)),
            chip: course.map(|course| course.chip),
            spans: course
                .map(|course| course.spans.clone())
                .unwrap_or_default(),
            critical: on_path.contains(id),
        })
    };
    (all.iter().filter_map(lane).collect(), left_out)
}
