//! An attempt beside another one: the last run in which the task went well, or another attempt of the same run. What it was, what
//! it was given, and what it wrote to its log.

use std::collections::BTreeSet;

use askama::Template;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::operator::Level;
use tidemill_core::protocol::{MapIndex, NOT_MAPPED};
use tidemill_core::state::TaskState;
use tidemill_logs::{Start, Wanted};
use tidemill_store::history::Cursor;
use tidemill_store::record::LoadRow;

use super::super::home::alike;
use super::super::page;
use super::cause::loads;
use super::data;
use super::lines::{Step, compare};
use super::log::Named;
use super::place::Place;
use super::tries::{Tries, Try};
use crate::frame::Frame;
use crate::html::{Chip, Html};
use crate::input::{Asking, At};
use crate::oops::Oops;
use crate::paths;
use crate::routes::ThisDag;

/// So many lines of each log are compared.
const LINES: usize = 2_000;
/// So many lines around what differs are shown.
const AROUND: usize = 3;
/// So many lines of a comparison are shown.
const SHOWN_MAX: usize = 600;
/// The last success is looked for in so many runs.
const PAST_RUNS: u32 = 200;

/// What a line is compared by, and the line.
type Keyed = (String, String);

/// Which attempts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CompareQuery {
    index: Option<MapIndex>,
    /// The number of the attempt; the last if none.
    attempt: Option<u32>,
    /// The run that it is compared with. Without one, and without an attempt: the last in which it went well.
    with: String,
    /// The attempt of that run, or of the same one.
    with_attempt: Option<u32>,
}

/// An attempt, with where it is.
struct Side {
    place: Place,
    tries: Tries,
}

impl Side {
    fn one(&self) -> Option<&Try> {
        self.tries.selected()
    }

    fn name(&self) -> String {
        let number = self.one().map_or(0, |one| one.number);
        format!("{}, attempt {number}", self.place.run.name)
    }

    fn href(&self) -> String {
        let number = self.one().map_or(0, |one| one.number);
        self.place.with(&format!("attempt={number}#log"))
    }
}

/// Something that both have.
struct Fact {
    word: String,
    before: Html,
    now: Html,
    differs: bool,
}

/// A line of a comparison.
struct DiffLine {
    class: &'static str,
    sign: &'static str,
    number: String,
    text: String,
}

/// Two texts, compared.
struct Diff {
    title: &'static str,
    lines: Vec<DiffLine>,
    left_out: usize,
    /// What is to be known of it.
    remark: String,
}

#[derive(Template)]
#[template(path = "compare.html")]
pub(crate) struct ComparePage {
    frame: Frame,
    place: Place,
    /// None if there is nothing to compare it with.
    before: Option<(String, String, Chip)>,
    now: (String, String, Chip),
    facts: Vec<Fact>,
    diffs: Vec<Diff>,
    /// What else it can be compared with.
    others: Vec<(String, String)>,
}

page!(ComparePage);

pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, run, task)): Named,
    Asking(query): Asking<CompareQuery>,
) -> Result<ComparePage, Oops> {
    let index = query.index.unwrap_or(NOT_MAPPED);
    let side = async |run: &str, attempt: Option<u32>| {
        let place = Place::find(&frame, &dag, (run, &task, index)).await?;
        let tries = Tries::read(&frame, &place, attempt).await?;
        if tries.selected().is_none() {
            return Err(Oops::not_found("this task was not tried yet"));
        }
        Ok(Side { place, tries })
    };
    let now = side(&run, query.attempt).await?;
    let number = now.one().map_or(0, |one| one.number);
    let well = last_success(&frame, &now.place).await?;
    let with = match (query.with.as_str(), query.with_attempt, &well) {
        ("", Some(attempt), _) => Some((run.clone(), Some(attempt))),
        ("", None, Some(well)) => Some((well.clone(), None)),
        ("", None, None) => (number > 1).then(|| (run.clone(), Some(number - 1))),
        (with, attempt, _) => Some((with.to_owned(), attempt)),
    };
    let before = match with {
        Some((with, attempt)) => Some(side(&with, attempt).await?),
        None => None,
    };
    let (mut known, mut diffs) = (Vec::new(), Vec::new());
    if let Some(before) = &before {
        known = facts(&frame, (before, &now)).await?;
        diffs = given(&frame, (before, &now)).await?;
        diffs.push(logs(&frame, (before, &now)).await);
    }
    let head = |side: &Side| {
        let chip = side
            .one()
            .map_or_else(|| side.place.state().into(), |one| one.chip);
        (side.name(), side.href(), chip)
    };
    Ok(ComparePage {
        others: others(&now, well.as_deref()),
        facts: known,
        before: before.as_ref().map(head),
        now: head(&now),
        diffs,
        place: now.place,
        frame,
    })
}

/// The newest other run in which the task went well.
pub(super) async fn last_success(frame: &Frame, place: &Place) -> Result<Option<String>, Oops> {
    let Some(of) = place.of() else {
        return Ok(None);
    };
    let which = (of.task, of.map_index);
    let store = frame.web.store();
    let past = store.task_past(&place.dag, which, Cursor::START, PAST_RUNS);
    let well = past
        .await?
        .into_iter()
        .find(|past| past.task.state == TaskState::Success && past.run.id != place.run.id);
    Ok(well.map(|past| past.run.name.to_string()))
}

fn others(now: &Side, well: Option<&str>) -> Vec<(String, String)> {
    let number = now.one().map_or(0, |one| one.number);
    let sub = now.place.sub("compare");
    let joint = if sub.contains('?') { '&' } else { '?' };
    let with = |rest: String| format!("{sub}{joint}attempt={number}&{rest}");
    let well = well.map(|well| {
        let href = with(format!("with={}", paths::part(well)));
        ("the last success".to_owned(), href)
    });
    let attempts = now.tries.all.iter().filter(|one| one.number != number);
    let attempts = attempts.map(|one| {
        let href = with(format!("with_attempt={}", one.number));
        (format!("attempt {}", one.number), href)
    });
    well.into_iter().chain(attempts).collect()
}

async fn facts(frame: &Frame, (before, now): (&Side, &Side)) -> Result<Vec<Fact>, Oops> {
    let mut facts = Vec::new();
    let mut plain = |word: &str, of: &dyn Fn(&Side) -> String| {
        let (was, is) = (of(before), of(now));
        if !(was.is_empty() && is.is_empty()) {
            facts.push(Fact {
                word: word.to_owned(),
                differs: was != is,
                before: Html::text(&was),
                now: Html::text(&is),
            });
        }
    };
    let one = |side: &Side, of: &dyn Fn(&Try) -> String| side.one().map(of).unwrap_or_default();
    plain("Version", &|side| side.place.run.version.short().to_owned());
    plain("Took", &|side| one(side, &|one| one.took.clone()));
    plain("Worker", &|side| {
        one(side, &|one| {
            one.worker.as_deref().unwrap_or_default().to_owned()
        })
    });
    plain("Message", &|side| {
        one(side, &|one| {
            one.message.as_deref().unwrap_or_default().to_owned()
        })
    });
    let (was, is) = (
        loads(frame, &before.place, before.one()).await?,
        loads(frame, &now.place, now.one()).await?,
    );
    if !(was.is_empty() && is.is_empty()) {
        type Sum = fn(&LoadRow) -> i64;
        let sums: [(&str, Sum); 2] = [
            ("Rows loaded", |row| row.load.rows_loaded),
            ("Bytes billed", |row| row.load.bytes_billed.unwrap_or(0)),
        ];
        for (word, of) in sums {
            let sum = |loads: &[LoadRow]| loads.iter().map(of).sum::<i64>();
            let (was, is) = (sum(&was), sum(&is));
            facts.push(Fact {
                word: word.to_owned(),
                differs: was != is,
                before: Html::text(&was.to_string()),
                now: Html::text(&is.to_string()),
            });
        }
    }
    let (old, new) = (&before.place.run.version, &now.place.run.version);
    if let Some(version) = facts.first_mut().filter(|_| old != new) {
        let diff = Html::link(&paths::diff(&now.place.dag, (old, new)), "what changed");
        let short = Html::text(&format!("{}, ", new.short()));
        version.now = short.and(&diff);
    }
    facts.extend(params(before, now));
    Ok(facts)
}

/// The params, those that differ first.
fn params(before: &Side, now: &Side) -> Vec<Fact> {
    let read =
        |side: &Side| -> Value { serde_json::from_str(&side.place.run.params).unwrap_or_default() };
    let (was, is) = (read(before), read(now));
    let keys = |value: &Value| -> BTreeSet<String> {
        value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    };
    let names: BTreeSet<String> = keys(&was).union(&keys(&is)).cloned().collect();
    let text = |value: &Value, name: &str| match value.get(name) {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let mut facts: Vec<Fact> = names
        .into_iter()
        .map(|name| Fact {
            differs: was.get(&name) != is.get(&name),
            before: Html::text(&text(&was, &name)),
            now: Html::text(&text(&is, &name)),
            word: format!("Param {name}"),
        })
        .collect();
    facts.sort_by_key(|fact| !fact.differs);
    facts
}

/// What the task was given, where it differs.
async fn given(frame: &Frame, (before, now): (&Side, &Side)) -> Result<Vec<Diff>, Oops> {
    let store = frame.web.store();
    let mut read = Vec::new();
    for side in [before, now] {
        let detail = match side.place.of() {
            Some(of) => store.task_detail(of).await?,
            None => None,
        };
        let data = data::read(frame, &side.place, (side.one(), detail.as_ref())).await?;
        let inputs = data.inputs.iter();
        let inputs: Vec<String> = inputs
            .map(|input| format!("{}: {}", input.from, input.value))
            .collect();
        let output = data.output.unwrap_or_default();
        read.push((data.config.unwrap_or_default(), inputs.join("\n"), output));
    }
    let [(was, was_inputs, was_output), (is, is_inputs, is_output)] = &read[..] else {
        return Ok(Vec::new());
    };
    let texts = [
        ("Configuration", was, is),
        ("Inputs", was_inputs, is_inputs),
        ("Output", was_output, is_output),
    ];
    let differ = texts.into_iter().filter(|(_, was, is)| was != is);
    Ok(differ
        .map(|(title, was, is)| {
            let lines = |text: &str| -> Vec<Keyed> {
                let lines = text.lines();
                lines
                    .map(|line| (line.to_owned(), line.to_owned()))
                    .collect()
            };
            diff(title, (&lines(was), &lines(is)))
        })
        .collect())
}

/// The logs. Lines that differ in their numbers only count as the same.
async fn logs(frame: &Frame, (before, now): (&Side, &Side)) -> Diff {
    let mut read = Vec::new();
    let mut total = 0;
    for side in [before, now] {
        let Some(one) = side.one() else { continue };
        let of = side.place.log(one.number, one.attempt);
        let wanted = Wanted {
            start: Start::At(0),
            lines: LINES,
            level: Level::Debug,
        };
        match frame.web.door().log(&of, wanted).await {
            Ok(page) => {
                total = total.max(page.total);
                let lines = page.lines.into_iter();
                let lines = lines.map(|one| (alike(&one.line.text), one.line.text));
                read.push(lines.collect::<Vec<_>>());
            }
            Err(error) => {
                return Diff {
                    title: "Logs",
                    lines: Vec::new(),
                    left_out: 0,
                    remark: format!("The logs cannot be read at the moment: {error}."),
                };
            }
        }
    }
    let [was, is] = &read[..] else {
        return diff("Logs", (&[], &[]));
    };
    let mut found = diff("Logs", (was, is));
    found.remark = "Lines that differ in numbers only count as the same.".to_owned();
    if total > LINES as u64 {
        found.remark.push_str(&format!(
            " Only the first {LINES} lines of each are compared."
        ));
    }
    found
}

/// Compares lines by their keys, and keeps what differs with a little around it.
fn diff(title: &'static str, (was, is): (&[Keyed], &[Keyed])) -> Diff {
    let keys =
        |lines: &[Keyed]| -> Vec<String> { lines.iter().map(|(key, _)| key.clone()).collect() };
    let steps = compare(&keys(was), &keys(is));
    let differs: Vec<usize> = steps
        .iter()
        .enumerate()
        .filter(|(_, step)| !matches!(step, Step::Same(..)))
        .map(|(at, _)| at)
        .collect();
    let near = |at: usize| {
        let next = differs.partition_point(|other| *other + AROUND < at);
        differs.get(next).is_some_and(|other| *other <= at + AROUND)
    };
    let mut lines = Vec::new();
    let mut hidden = 0;
    for (at, step) in steps.iter().enumerate() {
        if !near(at) {
            hidden += 1;
            continue;
        }
        if hidden > 0 {
            lines.push(gap(hidden));
            hidden = 0;
        }
        lines.push(line(*step, (was, is)));
    }
    if hidden > 0 && !lines.is_empty() {
        lines.push(gap(hidden));
    }
    let left_out = lines.len().saturating_sub(SHOWN_MAX);
    lines.truncate(SHOWN_MAX);
    Diff {
        title,
        lines,
        left_out,
        remark: String::new(),
    }
}

fn gap(hidden: usize) -> DiffLine {
    let word = if hidden == 1 { "line" } else { "lines" };
    DiffLine {
        class: "gap",
        sign: "",
        number: String::new(),
        text: format!("{hidden} {word} alike"),
    }
}

fn line(step: Step, (was, is): (&[Keyed], &[Keyed])) -> DiffLine {
    let (class, sign, number, text) = match step {
        Step::Same(_, at) => ("same", " ", at, &is[at].1),
        Step::Gone(at) => ("gone", "−", at, &was[at].1),
        Step::Came(at) => ("came", "+", at, &is[at].1),
    };
    DiffLine {
        class,
        sign,
        number: (number + 1).to_string(),
        text: text.clone(),
    }
}
