//! The grid: tasks down, runs across, groups around tasks. Ten thousand squares are one page, so each is as short as it can be.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use tidemill_core::protocol::{RunNo, TaskNo};
use tidemill_core::spec::{DagSpec, GroupSpec};
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;
use tidemill_store::history::{Grid, GridCell, Noted};
use tidemill_store::record::RunRow;

use super::rows::lasted;
use crate::html::{
    Head, Html, RowHead, Square, head_cell, row_end, row_start, square, took, version_cell,
};
use crate::paths;

/// A grid as the template puts it in.
pub(crate) struct GridView {
    pub(crate) columns: usize,
    pub(crate) longest: String,
    pub(crate) heads: Html,
    /// Where a run has another version than the one before it, if any has.
    pub(crate) versions: Option<Html>,
    pub(crate) body: Html,
    pub(crate) older: Option<String>,
}

/// A task or a group, in the order in which people read them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) label: String,
    /// The groups around it, outermost first.
    pub(super) inside: Vec<String>,
    pub(super) is_group: bool,
    pub(super) mapped: bool,
}

/// The rows of a DAG: tasks in the order in which its author wrote them, each group where its first task is.
pub(super) fn rows(spec: &DagSpec, grid: &Grid) -> Vec<Row> {
    let definition = &spec.definition;
    let order: HashMap<&str, usize> = spec
        .notes
        .tasks
        .iter()
        .enumerate()
        .map(|(at, (id, _))| (id.as_str(), at))
        .collect();
    let mut tasks: Vec<&tidemill_core::spec::TaskSpec> = definition.tasks.iter().collect();
    tasks.sort_by_key(|task| order.get(task.id.as_str()).copied().unwrap_or(usize::MAX));
    let around = |group: Option<&tidemill_core::id::GroupId>| {
        let mut ids: Vec<String> = definition
            .groups_around(group)
            .map(|group: &GroupSpec| group.id.to_string())
            .collect();
        ids.reverse();
        ids
    };
    let inside = tasks.iter().map(|task| around(task.group.as_ref()));
    let places = in_order(inside.collect());
    let mut out: Vec<Row> = Vec::new();
    let mut open: Vec<String> = Vec::new();
    for Place {
        task: at, inside, ..
    } in places
    {
        let same = open.iter().zip(&inside).take_while(|(a, b)| a == b).count();
        for depth in same..inside.len() {
            out.push(Row {
                id: inside[depth].clone(),
                label: last(&inside[depth]).to_owned(),
                inside: inside[..depth].to_vec(),
                is_group: true,
                mapped: false,
            });
        }
        let task = tasks[at];
        out.push(Row {
            id: task.id.to_string(),
            label: last(task.id.as_str()).to_owned(),
            inside: inside.clone(),
            is_group: false,
            mapped: task.mapping.is_some(),
        });
        open = inside;
    }
    out.extend(gone(spec, grid));
    out
}

/// Where a task stands in the grid.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Where each group around it begins, and then itself.
    key: Vec<(usize, String)>,
    task: usize,
    inside: Vec<String>,
}

/// Tasks with their groups, in the order of the grid. Those of a group stay together: sorted by where the outermost group
/// begins, then the next one, then the task.
fn in_order(tasks: Vec<Vec<String>>) -> Vec<Place> {
    let mut begins: HashMap<String, usize> = HashMap::new();
    for (at, inside) in tasks.iter().enumerate() {
        for group in inside {
            begins.entry(group.clone()).or_insert(at);
        }
    }
    let place = |(at, inside): (usize, Vec<String>)| {
        let groups = inside.iter();
        let mut key: Vec<(usize, String)> = groups
            .map(|group| (begins.get(group).copied().unwrap_or(at), group.clone()))
            .collect();
        key.push((at, String::new()));
        Place {
            key,
            task: at,
            inside,
        }
    };
    let mut places: Vec<Place> = tasks.into_iter().enumerate().map(place).collect();
    places.sort();
    places
}

/// Tasks that older runs have and the DAG has no more.
fn gone(spec: &DagSpec, grid: &Grid) -> Vec<Row> {
    let missing: BTreeMap<&str, bool> = grid
        .cells
        .iter()
        .filter(|cell| spec.definition.task(cell.name.as_str()).is_none())
        .map(|cell| (cell.name.as_str(), cell.instances))
        .collect();
    missing
        .into_iter()
        .map(|(id, mapped)| Row {
            id: id.to_owned(),
            label: format!("{id} (removed)"),
            inside: Vec::new(),
            is_group: false,
            mapped,
        })
        .collect()
}

fn last(id: &str) -> &str {
    id.rsplit('.').next().unwrap_or(id)
}

/// The cells of a task by run. Of a mapped task its instances count, once there are some.
fn by_task<'a>(grid: &'a Grid, noted: &[Noted]) -> HashMap<&'a str, HashMap<RunNo, Square>> {
    let noted: HashMap<(RunNo, TaskNo), &str> = noted
        .iter()
        .map(|noted| ((noted.run, noted.task), noted.note.as_str()))
        .collect();
    let mut squares: HashMap<&str, HashMap<RunNo, (Square, Square)>> = HashMap::new();
    for cell in &grid.cells {
        let GridCell {
            run,
            name,
            state,
            count,
            ..
        } = cell;
        let runs = squares.entry(name.as_str()).or_default();
        let (whole, instances) = runs.entry(*run).or_default();
        let into = if cell.instances { instances } else { whole };
        into.states.push((*state, *count));
        let note = noted.get(&(*run, cell.task));
        into.note = note.map(|note| (*note).to_owned());
    }
    squares
        .into_iter()
        .map(|(name, runs)| {
            let runs = runs.into_iter().map(|(run, (whole, mut instances))| {
                instances.many = true;
                let square = if instances.states.is_empty() {
                    whole
                } else {
                    instances
                };
                (run, square)
            });
            (name, runs.collect())
        })
        .collect()
}

/// The tasks that are to be shown, and the groups around them.
fn shown(rows: Vec<Row>, shows: &dyn Fn(&str) -> bool) -> Vec<Row> {
    let tasks = rows.iter().filter(|row| !row.is_group && shows(&row.id));
    let around: HashSet<String> = tasks.flat_map(|row| row.inside.iter().cloned()).collect();
    let stays = |row: &Row| {
        if row.is_group {
            around.contains(&row.id)
        } else {
            shows(&row.id)
        }
    };
    rows.into_iter().filter(stays).collect()
}

/// All tasks of a group, together.
fn together<'a>(squares: impl Iterator<Item = &'a Square>) -> Square {
    let mut counts: BTreeMap<TaskState, u32> = BTreeMap::new();
    let mut note = None;
    for square in squares {
        for (state, count) in &square.states {
            *counts.entry(*state).or_default() += count;
        }
        note = note.or_else(|| square.note.clone());
    }
    Square {
        states: counts.into_iter().collect(),
        many: true,
        note,
    }
}

/// The heads of the columns, and below them where a run has another version than the one before, if any has.
fn columns(
    runs: &[&RunRow],
    (longest, selected): (Option<Duration>, Option<RunNo>),
    span: impl Fn(&RunRow) -> Option<Duration>,
) -> (Html, Option<Html>) {
    let mut heads = Html::default();
    let (mut versions, mut any) = (Html::default(), false);
    let mut version: Option<&Version> = None;
    for run in runs {
        let before = version.filter(|before| **before != run.version);
        let changed = before.is_some();
        any |= changed;
        let mark = before.map(|before| {
            let says = format!("{} → {}", before.short(), run.version.short());
            (paths::diff(&run.dag, (before, &run.version)), says)
        });
        version_cell(&mut versions, mark);
        version = Some(&run.version);
        head_cell(
            &mut heads,
            &Head {
                chip: run.state.into(),
                part: part(span(run), longest),
                took: span(run).map(took).unwrap_or_default(),
                name: &run.name,
                href: paths::run(&run.dag, &run.name),
                selected: selected == Some(run.id),
                changed,
                note: run.note.as_deref(),
            },
        );
    }
    (heads, any.then_some(versions))
}

/// Makes the grid of what was read, of the tasks that are to be shown; the newest run is on the right.
pub(crate) fn view(
    spec: &DagSpec,
    (grid, noted): (&Grid, &[Noted]),
    shows: &dyn Fn(&str) -> bool,
    (selected, now): (Option<RunNo>, Timestamp),
) -> GridView {
    let runs: Vec<&RunRow> = grid.runs.iter().rev().collect();
    let span = |run: &RunRow| lasted(run.started_at, run.ended_at, now);
    let longest = runs.iter().filter_map(|run| span(run)).max();
    let (heads, versions) = columns(&runs, (longest, selected), span);
    let rows = shown(rows(spec, grid), shows);
    let squares = by_task(grid, noted);
    let mut body = Html::default();
    let nothing = Square::default();
    for (at, row) in rows.iter().enumerate() {
        row_start(
            &mut body,
            &RowHead {
                id: &row.id,
                label: &row.label,
                inside: &row.inside,
                is_group: row.is_group,
                mapped: row.mapped,
            },
        );
        if row.is_group {
            // What is in a group stands together below its head.
            let members: Vec<&HashMap<RunNo, Square>> = rows[at + 1..]
                .iter()
                .take_while(|member| member.inside.contains(&row.id))
                .filter(|member| !member.is_group)
                .filter_map(|member| squares.get(member.id.as_str()))
                .collect();
            for run in &runs {
                let of_run = members.iter().filter_map(|member| member.get(&run.id));
                square(&mut body, &together(of_run));
            }
        } else {
            let of_task = squares.get(row.id.as_str());
            for run in &runs {
                let found = of_task.and_then(|of_task| of_task.get(&run.id));
                square(&mut body, found.unwrap_or(&nothing));
            }
        }
        row_end(&mut body);
    }
    GridView {
        columns: runs.len(),
        longest: longest.map(took).unwrap_or_default(),
        heads,
        versions,
        body,
        older: None,
    }
}

fn part(span: Option<Duration>, longest: Option<Duration>) -> f64 {
    let longest = longest.unwrap_or_default().as_secs_f64().max(0.001);
    span.unwrap_or_default().as_secs_f64() / longest
}
