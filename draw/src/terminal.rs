//! The picture as text for a terminal.

use crate::graph::{self, Part};
use crate::lanes::{Row, continued, rows, schedule};
use crate::marks::letter;
use crate::text::{cells, clean, counted, cut_cells};
use crate::{Kind, Picture, fold_siblings};

/// The widest that lanes may get; beyond that the eye does not follow them any more.
const MOST_LANES: usize = 24;

/// Draws a picture from top to bottom for a terminal of the given width: one task per line, with a
/// lane to its left for every edge on its way down.
///
/// If there are more edges side by side than lanes fit, tasks are numbered instead and each line
/// says which tasks it comes after. No line is longer than `width`.
pub fn terminal(picture: &Picture, width: usize) -> String {
    let drawn = fold_siblings(picture);
    let mut lines = Vec::new();
    let title = clean(&picture.title);
    let tasks = counted(picture.nodes.len(), "task");
    lines.push(if title.is_empty() {
        tasks
    } else {
        format!("{title}  {tasks}")
    });
    let lanes = (width.saturating_sub(20) / 2)
        .clamp(1, MOST_LANES)
        .min((width * 9 / 40).max(1));
    let mut numbered = 0;
    // Tasks without any edge follow each other; an empty line sets connected ones apart from what
    // is around them.
    let mut alone = false;
    for part in graph::parts(&drawn) {
        let single = part.nodes.len() == 1 && part.nest.first().is_some_and(Option::is_none);
        if !(alone && single) {
            lines.push(String::new());
        }
        alone = single;
        let order = schedule(&part);
        let entries = match rows(&drawn, &part, &order, lanes) {
            Some(rows) => entries(&drawn, &part, &rows),
            None => listed(&drawn, &part, &order, &mut numbered),
        };
        lines.extend(set(&entries, width));
    }
    let legend = legend(&drawn);
    if !legend.is_empty() {
        lines.push(String::new());
        lines.push(legend);
    }
    let mut out = String::new();
    for line in lines {
        out.push_str(cut_cells(&line, width).trim_end());
        out.push('\n');
    }
    out
}

/// One line before its columns are lined up.
#[derive(Default)]
struct Entry {
    lanes: String,
    name: String,
    detail: String,
}

/// Puts names and group headings next to the rows of lanes.
fn entries(picture: &Picture, part: &Part, rows: &[Row]) -> Vec<Entry> {
    let notes = Notes::new(picture, part);
    let mut headings = Headings::new(picture, part);
    let mut entries: Vec<Entry> = Vec::new();
    for row in rows {
        let Some(task) = row.task else {
            entries.push(Entry {
                lanes: row.lanes.clone(),
                ..Entry::default()
            });
            continue;
        };
        for heading in headings.before(task) {
            // A row that only connects lanes has room for the heading.
            match entries.last_mut() {
                Some(last) if last.name.is_empty() => last.name = heading,
                last => {
                    let lanes = last.map_or(String::new(), |l| {
                        continued_below_task(&l.lanes, &row.lanes)
                    });
                    entries.push(Entry {
                        lanes,
                        name: heading,
                        detail: String::new(),
                    });
                }
            }
        }
        let name = format!("{}{}", headings.indent(), notes.name(task));
        entries.push(Entry {
            lanes: row.lanes.clone(),
            name,
            detail: notes.detail(task),
        });
    }
    entries
}

/// The lanes between two rows: those that the upper one sends down, and the one that leads to the
/// lower one's task.
fn continued_below_task(above: &str, below: &str) -> String {
    let down = continued(above);
    let is_mark = |c: char| Kind::ALL.into_iter().any(|k| letter(k) == c);
    let columns = above.chars().count().min(below.chars().count());
    let upper: Vec<char> = above.chars().collect();
    let lower: Vec<char> = below.chars().collect();
    let mut lanes: Vec<char> = down.chars().collect();
    lanes.resize(lanes.len().max(columns), ' ');
    for (column, lane) in lanes.iter_mut().enumerate().take(columns) {
        let goes_on = matches!(lower.get(column), Some('│' | '┊'))
            || lower.get(column).is_some_and(|&c| is_mark(c));
        if upper.get(column).is_some_and(|&c| is_mark(c)) && goes_on {
            *lane = '│';
        }
    }
    lanes.into_iter().collect()
}

/// Lists the tasks of a part by number, for when lanes would be too many.
fn listed(picture: &Picture, part: &Part, order: &[usize], numbered: &mut usize) -> Vec<Entry> {
    let notes = Notes::new(picture, part);
    let mut headings = Headings::new(picture, part);
    let mut number = vec![0; part.nodes.len()];
    for &task in order {
        *numbered += 1;
        number[task] = *numbered;
    }
    let digits = numbered.to_string().len();
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); part.nodes.len()];
    for arc in &part.arcs {
        before[arc.to].push(number[arc.from]);
    }
    let mut entries = Vec::new();
    for &task in order {
        for heading in headings.before(task) {
            entries.push(Entry {
                name: heading,
                ..Entry::default()
            });
        }
        let kind = picture
            .nodes
            .get(part.nodes[task])
            .map_or(Kind::Work, |n| n.kind);
        let lanes = format!("{:digits$} {}", number[task], letter(kind));
        let name = format!("{}{}", headings.indent(), notes.name(task));
        let mut detail = notes.detail(task);
        if !before[task].is_empty() {
            let gap = if detail.is_empty() { "" } else { "  " };
            detail = format!("{detail}{gap}after {}", ranges(&mut before[task]));
        }
        entries.push(Entry {
            lanes,
            name,
            detail,
        });
    }
    entries
}

/// Numbers in short: `1, 3–5`.
fn ranges(numbers: &mut Vec<usize>) -> String {
    numbers.sort_unstable();
    numbers.dedup();
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &number in numbers.iter() {
        match runs.last_mut() {
            Some(run) if run.1 + 1 == number => run.1 = number,
            _ => runs.push((number, number)),
        }
    }
    let text = |&(first, last): &(usize, usize)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first}–{last}"),
    };
    runs.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// Lines the columns of a part up.
fn set(entries: &[Entry], width: usize) -> Vec<String> {
    let lanes = entries.iter().map(|e| cells(&e.lanes)).max().unwrap_or(0);
    let room = width.saturating_sub(lanes + 2);
    // A few long names do not push the operators of all others out of sight.
    let names = entries
        .iter()
        .filter(|e| !e.detail.is_empty())
        .map(|e| cells(&e.name));
    let names = names.filter(|&n| n <= room * 2 / 3).max().unwrap_or(0);
    let line = |entry: &Entry| {
        let after_lanes = " ".repeat(lanes.saturating_sub(cells(&entry.lanes)) + 2);
        let after_name = " ".repeat(names.saturating_sub(cells(&entry.name)) + 2);
        format!(
            "{}{after_lanes}{}{after_name}{}",
            entry.lanes, entry.name, entry.detail
        )
        .trim_end()
        .to_owned()
    };
    entries.iter().map(line).collect()
}

/// What is said about each task of a part.
struct Notes<'a> {
    picture: &'a Picture,
    part: &'a Part,
    /// For each task the labels of the edges to it, and where those come from.
    labels: Vec<Vec<(usize, String)>>,
    /// For each task the tasks to which an edge leads back against the order.
    back: Vec<Vec<usize>>,
}

impl<'a> Notes<'a> {
    fn new(picture: &'a Picture, part: &'a Part) -> Self {
        let mut labels = vec![Vec::new(); part.nodes.len()];
        let mut back = vec![Vec::new(); part.nodes.len()];
        for &task in &part.loops {
            back[task].push(task);
        }
        for arc in &part.arcs {
            if let Some(label) = picture.edges.get(arc.edge).and_then(|e| e.label.as_ref()) {
                labels[arc.to].push((arc.from, clean(label)));
            }
            if arc.flipped {
                back[arc.to].push(arc.from);
            }
        }
        Self {
            picture,
            part,
            labels,
            back,
        }
    }

    fn label(&self, task: usize) -> String {
        self.picture
            .nodes
            .get(self.part.nodes[task])
            .map_or(String::new(), |n| clean(&n.label))
    }

    /// The name of a task with the label of the edge to it.
    fn name(&self, task: usize) -> String {
        let mut name = self.label(task);
        if self
            .picture
            .nodes
            .get(self.part.nodes[task])
            .is_some_and(|n| n.mapped)
        {
            name.push_str(" ×n");
        }
        let labels: Vec<String> = match self.labels[task].as_slice() {
            [(_, label)] => vec![label.clone()],
            several => several
                .iter()
                .map(|(from, label)| format!("{}: {label}", self.label(*from)))
                .collect(),
        };
        if !labels.is_empty() {
            name = format!("{name}  ‹{}›", labels.join(", "));
        }
        name
    }

    fn detail(&self, task: usize) -> String {
        let mut detail = self
            .picture
            .nodes
            .get(self.part.nodes[task])
            .map_or(String::new(), |n| clean(&n.detail));
        let back: Vec<String> = self.back[task].iter().map(|&to| self.label(to)).collect();
        if !back.is_empty() {
            let gap = if detail.is_empty() { "" } else { "  " };
            detail = format!("{detail}{gap}↺ back to {}", back.join(", "));
        }
        detail
    }
}

/// Says when a group begins, or goes on after something else.
struct Headings<'a> {
    picture: &'a Picture,
    part: &'a Part,
    open: Vec<usize>,
    seen: Vec<bool>,
}

impl<'a> Headings<'a> {
    fn new(picture: &'a Picture, part: &'a Part) -> Self {
        Self {
            picture,
            part,
            open: Vec::new(),
            seen: vec![false; part.groups.len()],
        }
    }

    /// The headings that go before a task.
    fn before(&mut self, task: usize) -> Vec<String> {
        let up = |&g: &usize| self.part.groups[g].parent;
        let mut path: Vec<usize> = std::iter::successors(self.part.nest[task], up).collect();
        path.reverse();
        let same = self
            .open
            .iter()
            .zip(&path)
            .take_while(|(a, b)| a == b)
            .count();
        let mut headings = Vec::new();
        for (depth, &group) in path.iter().enumerate().skip(same) {
            let again = std::mem::replace(&mut self.seen[group], true);
            let label =
                self.picture
                    .groups
                    .get(self.part.groups[group].id)
                    .map_or(String::new(), |g| {
                        let many = if g.mapped { " ×n" } else { "" };
                        format!("{}{many}", clean(&g.label))
                    });
            let more = if again { " (more)" } else { "" };
            headings.push(format!("{}▾ {label}{more}", "  ".repeat(depth)));
        }
        self.open = path;
        headings
    }

    /// How far the tasks of the current group are indented.
    fn indent(&self) -> String {
        "  ".repeat(self.open.len())
    }
}

/// Explains the marks and lines in use that are not plain.
fn legend(picture: &Picture) -> String {
    let used = |kind: &Kind| *kind != Kind::Work && picture.nodes.iter().any(|n| n.kind == *kind);
    let mut words: Vec<String> = Kind::ALL
        .into_iter()
        .filter(used)
        .map(|kind| format!("{} {}", letter(kind), kind.word()))
        .collect();
    if picture.mixed_edges() {
        words.extend(["│ hands over data".to_owned(), "┊ order only".to_owned()]);
    }
    words.join("   ")
}
