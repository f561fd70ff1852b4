//! A grid that shows one task with what comes before or after it.

use std::collections::{BTreeSet, HashMap, HashSet};

use tidemill_core::spec::Definition;

/// So many names are offered while somebody types one.
const OFFERED_MAX: usize = 300;

/// Which tasks around one are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Both,
    Before,
    After,
}

const SIDES: [(Side, &str, &str); 3] = [
    (Side::Both, "both", "what is before and after"),
    (Side::Before, "upstream", "what is before"),
    (Side::After, "downstream", "what is after"),
];

/// What a grid is narrowed to, and the form that narrows it.
pub(crate) struct Around {
    /// The task, as it was asked for; empty for all.
    pub(crate) task: String,
    /// The sides: the word in the address, the words on the page, whether it is this one.
    pub(crate) sides: Vec<(&'static str, &'static str, bool)>,
    /// Tasks that can be asked for.
    pub(crate) names: Vec<String>,
    side: Side,
    /// What is shown; none for all.
    kept: Option<HashSet<String>>,
}

impl Around {
    pub(super) fn new(of: &Definition, task: &str, side: &str) -> Self {
        let found = SIDES.iter().find(|(_, word, _)| *word == side);
        let side = found.map_or(Side::Both, |(side, ..)| *side);
        let task = task.trim();
        let names = of.tasks.iter().take(OFFERED_MAX);
        Self {
            sides: SIDES
                .iter()
                .map(|(one, word, says)| (*word, *says, *one == side))
                .collect(),
            names: names.map(|task| task.id.to_string()).collect(),
            kept: (!task.is_empty()).then(|| reached(of, task, side)),
            task: task.to_owned(),
            side,
        }
    }

    pub(crate) fn is_narrow(&self) -> bool {
        self.kept.is_some()
    }

    /// Whether there is no such task.
    pub(crate) fn is_unknown(&self) -> bool {
        self.kept.as_ref().is_some_and(HashSet::is_empty)
    }

    /// How many tasks of so many are shown.
    pub(super) fn shown(&self, of: usize) -> usize {
        self.kept.as_ref().map_or(of, HashSet::len)
    }

    pub(in crate::pages) fn shows(&self, task: &str) -> bool {
        self.kept.as_ref().is_none_or(|kept| kept.contains(task))
    }

    /// What an address has for it.
    pub(super) fn query(&self) -> String {
        if !self.is_narrow() {
            return String::new();
        }
        let word = SIDES.iter().find(|(side, ..)| *side == self.side);
        let word = word.map_or("", |(_, word, _)| word);
        format!("&task={}&side={word}", crate::paths::part(&self.task))
    }
}

/// A task with all that is before it, after it, or both; nothing if there is no such task.
fn reached(of: &Definition, task: &str, side: Side) -> HashSet<String> {
    if !of.tasks.iter().any(|one| one.id.as_str() == task) {
        return HashSet::new();
    }
    let (mut before, mut after) = (HashMap::new(), HashMap::new());
    for one in &of.tasks {
        for edge in &one.upstream {
            let (from, to) = (edge.task.as_str(), one.id.as_str());
            before.entry(to).or_insert_with(Vec::new).push(from);
            after.entry(from).or_insert_with(Vec::new).push(to);
        }
    }
    let mut kept = BTreeSet::from([task]);
    if side != Side::After {
        walk(&before, task, &mut kept);
    }
    if side != Side::Before {
        walk(&after, task, &mut kept);
    }
    kept.into_iter().map(str::to_owned).collect()
}

fn walk<'a>(edges: &HashMap<&'a str, Vec<&'a str>>, from: &'a str, kept: &mut BTreeSet<&'a str>) {
    let mut seen = HashSet::from([from]);
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        for next in edges.get(at).into_iter().flatten() {
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    kept.extend(seen);
}
