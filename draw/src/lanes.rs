//! The left side of a terminal drawing: one task per row, and a lane for every edge that is still
//! on its way.

use crate::graph::{Lists, Part};
use crate::marks::letter;
use crate::{Kind, Picture};
use std::collections::BTreeSet;

/// How many waiting tasks are looked at to find one of the same group.
const LOOK: usize = 64;

/// One line of a drawing: the lanes, and the task if the line shows one, as a position in its part.
pub(super) struct Row {
    pub lanes: String,
    pub task: Option<usize>,
}

/// The order in which the tasks of a part are listed: upstreams first, branch by branch, groups in
/// one piece where that is possible.
pub(super) fn schedule(part: &Part) -> Vec<usize> {
    let count = part.nodes.len();
    let out = Lists::new(count, part.arcs.iter().map(|a| (a.from, a.to)));
    let into = Lists::new(count, part.arcs.iter().map(|a| (a.to, a.from)));
    let mut missing: Vec<usize> = (0..count).map(|n| into.of(n).len()).collect();
    let mut placed = vec![false; count];
    let mut checked = vec![0; count];
    let mut ready: Vec<usize> = Vec::new();
    let mut reached: Vec<usize> = Vec::new();
    let mut roots = (0..count).filter(|&n| into.of(n).is_empty());
    let mut order = Vec::with_capacity(count);
    while order.len() < count {
        let next = match order.last() {
            Some(&last) if !ready.is_empty() => take_nearest(part, &mut ready, last),
            _ => {
                while reached.last().is_some_and(|&n| placed[n]) {
                    reached.pop();
                }
                let needed = reached
                    .last()
                    .map(|&n| first_missing(n, &into, &placed, &mut checked));
                needed.or_else(|| roots.find(|&n| !placed[n]))
            }
        };
        let Some(next) = next.filter(|&n| !placed[n]) else {
            break;
        };
        placed[next] = true;
        order.push(next);
        for &to in out.of(next).iter().rev() {
            missing[to] -= 1;
            if missing[to] == 0 {
                ready.push(to);
            } else {
                reached.push(to);
            }
        }
    }
    order
}

/// Takes the waiting task that shares most groups with the last one; of equal ones the one that
/// came last.
fn take_nearest(part: &Part, ready: &mut Vec<usize>, last: usize) -> Option<usize> {
    let path = |node: usize| {
        let mut path: Vec<usize> =
            std::iter::successors(part.nest[node], |&g| part.groups[g].parent).collect();
        path.reverse();
        path
    };
    let here = path(last);
    if part.groups.is_empty() {
        return ready.pop();
    }
    let shared = |&index: &usize| {
        here.iter()
            .zip(path(ready[index]))
            .take_while(|(a, b)| **a == *b)
            .count()
    };
    let nearest = (ready.len().saturating_sub(LOOK)..ready.len()).max_by_key(shared)?;
    Some(ready.remove(nearest))
}

/// Goes up from a task that still waits to one that waits for nothing.
fn first_missing(start: usize, into: &Lists, placed: &[bool], checked: &mut [usize]) -> usize {
    let mut at = start;
    loop {
        let before = into.of(at);
        while before.get(checked[at]).is_some_and(|&n| placed[n]) {
            checked[at] += 1;
        }
        match before.get(checked[at]) {
            Some(&next) => at = next,
            None => return at,
        }
    }
}

/// Draws a part with lanes, or gives up if more than the given number of lanes are needed side by
/// side.
pub(super) fn rows(
    picture: &Picture,
    part: &Part,
    order: &[usize],
    most: usize,
) -> Option<Vec<Row>> {
    let count = part.nodes.len();
    let mut place = vec![0; count];
    for (index, &node) in order.iter().enumerate() {
        place[node] = index;
    }
    let mut seen = BTreeSet::new();
    let fresh: Vec<usize> = (0..part.arcs.len())
        .filter(|&a| seen.insert((part.arcs[a].from, part.arcs[a].to)))
        .collect();
    let out = Lists::new(count, fresh.iter().map(|&a| (part.arcs[a].from, a)));
    let mixed = picture.mixed_edges();
    let dotted = part
        .arcs
        .iter()
        .map(|a| mixed && !picture.edges[a.edge].data)
        .collect();
    let mut loom = Loom {
        lanes: Vec::new(),
        dotted,
        rows: Vec::new(),
    };
    for &node in order {
        let column = loom.arrive(|arc| part.arcs[arc].to == node);
        let kind = picture
            .nodes
            .get(part.nodes[node])
            .map_or(Kind::Work, |n| n.kind);
        loom.task(column, node, letter(kind));
        let mut leaving = out.of(node).to_vec();
        leaving.sort_by_key(|&arc| place[part.arcs[arc].to]);
        loom.leave(column, &leaving);
        if loom.lanes.len() > most {
            return None;
        }
    }
    Some(loom.rows)
}

struct Loom {
    /// The arc in each lane.
    lanes: Vec<Option<usize>>,
    /// Whether an arc is drawn with dots, because it only orders and others hand over data.
    dotted: Vec<bool>,
    rows: Vec<Row>,
}

impl Loom {
    /// Brings the lanes of a task's incoming arcs together and returns the column of the task.
    fn arrive(&mut self, mine: impl Fn(usize) -> bool) -> usize {
        let columns: Vec<usize> = (0..self.lanes.len())
            .filter(|&c| self.lanes[c].is_some_and(&mine))
            .collect();
        let Some(&first) = columns.first() else {
            let free = self
                .lanes
                .iter()
                .position(Option::is_none)
                .unwrap_or(self.lanes.len());
            let above = self
                .rows
                .last()
                .and_then(|row| row.lanes.chars().nth(2 * free));
            // Right below a task without downstreams a new start would look like its downstream.
            if above.is_some_and(|c| Kind::ALL.into_iter().any(|k| letter(k) == c)) {
                let lanes = self.plain();
                self.rows.push(Row { lanes, task: None });
            }
            if free == self.lanes.len() {
                self.lanes.push(None);
            }
            return free;
        };
        if columns.len() > 1 {
            self.connect(&columns, ['┴', '╯']);
            for &column in columns.iter().skip(1) {
                self.lanes[column] = None;
            }
        }
        first
    }

    /// Adds the row of a task.
    fn task(&mut self, column: usize, task: usize, mark: char) {
        self.lanes[column] = None;
        let lanes = self.draw(|c| if c == column { Some((mark, ' ')) } else { None });
        self.rows.push(Row {
            lanes,
            task: Some(task),
        });
    }

    /// Gives a lane to each arc that leaves a task: the first goes on below it, the others to its
    /// right.
    fn leave(&mut self, column: usize, arcs: &[usize]) {
        let mut columns = Vec::with_capacity(arcs.len());
        let mut at = column;
        for &arc in arcs {
            while self.lanes.get(at).is_some_and(Option::is_some) {
                at += 1;
            }
            if at == self.lanes.len() {
                self.lanes.push(None);
            }
            self.lanes[at] = Some(arc);
            columns.push(at);
        }
        if columns.len() > 1 {
            self.connect(&columns, ['┬', '╮']);
        }
        while self.lanes.last().is_some_and(Option::is_none) {
            self.lanes.pop();
        }
    }

    /// Adds a row that connects columns; the two characters are for those in the middle and the
    /// last one.
    fn connect(&mut self, columns: &[usize], [middle, last]: [char; 2]) {
        let (first, end) = (
            columns.first().copied().unwrap_or(0),
            columns.last().copied().unwrap_or(0),
        );
        let lanes = self.draw(|c| {
            let bar = if (first..end).contains(&c) {
                '─'
            } else {
                ' '
            };
            match c {
                c if c == first => Some(('├', bar)),
                c if c == end => Some((last, bar)),
                c if columns.binary_search(&c).is_ok() => Some((middle, bar)),
                c if (first..end).contains(&c) => Some((
                    if self.lanes[c].is_some() {
                        '┼'
                    } else {
                        '─'
                    },
                    bar,
                )),
                _ => None,
            }
        });
        self.rows.push(Row { lanes, task: None });
    }

    /// The lanes as they pass a row in which nothing happens.
    fn plain(&self) -> String {
        self.draw(|_| None)
    }

    /// Draws all lanes; a column for which nothing is given shows its arc, if it has one.
    fn draw(&self, special: impl Fn(usize) -> Option<(char, char)>) -> String {
        let mut row = String::new();
        for (column, lane) in self.lanes.iter().enumerate() {
            let plain = match lane {
                Some(arc) if self.dotted[*arc] => '┊',
                Some(_) => '│',
                None => ' ',
            };
            let (here, bar) = special(column).unwrap_or((plain, ' '));
            row.push(here);
            row.push(bar);
        }
        row.truncate(row.trim_end().len());
        row
    }
}

/// The lanes of a row continued straight down, for a line of text between it and the next row.
pub(super) fn continued(above: &str) -> String {
    let down = |c: char| match c {
        '│' | '├' | '┬' | '╮' | '┼' => '│',
        '┊' => '┊',
        _ => ' ',
    };
    above
        .chars()
        .map(down)
        .collect::<String>()
        .trim_end()
        .to_owned()
}
