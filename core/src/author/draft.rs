//! A DAG while it is being written. Handles share it; `finish` turns it into data.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use super::handle::{GroupRef, TaskRef};
use crate::id::{DagId, TaskId, check_name};
use crate::operator::Registry;
use crate::problem::{Problem, Rule};
use crate::spec::{
    DagNotes, Definition, Mapping, Overlap, Retry, Schedule, Source, TaskNotes, TaskSpec,
};

pub(super) type Shared = Rc<RefCell<Draft>>;

/// What stands before or after in an edge, as the author gave it.
#[derive(Debug, Clone)]
pub enum End {
    /// A task.
    Task(TaskRef),
    /// All of a group.
    Group(GroupRef),
    /// The name of a task, which may be added later.
    Name(String),
}

/// The same inside the draft, where handles would keep it alive for ever.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Task(usize),
    Group(usize),
    Name(String),
    /// All tasks that were added in this range.
    Span(Range<usize>),
}

/// Edges from all of these to all of those.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) from: Vec<Node>,
    pub(super) to: Vec<Node>,
    pub(super) source: Source,
}

impl Wish {
    /// Whether one of its ends is a group, whose own ends other edges decide.
    pub(super) fn has_group(&self, draft: &Draft) -> bool {
        self.from.iter().chain(&self.to).any(|node| match node {
            Node::Task(_) => false,
            Node::Group(_) | Node::Span(_) => true,
            Node::Name(name) => draft.by_name.get(name) == Some(&usize::MAX),
        })
    }
}

/// Settings that a task inherits from its groups and its DAG.
#[derive(Debug, Clone, Default)]
pub(super) struct Inherited {
    pub(super) retry: Option<Retry>,
    pub(super) timeout: Option<Duration>,
    pub(super) pool: Option<String>,
    pub(super) queue: Option<String>,
    pub(super) priority: Option<i32>,
}

impl Inherited {
    /// Fills what is not set here from the scope around.
    pub(super) fn or(self, around: &Self) -> Self {
        Self {
            retry: self.retry.or(around.retry),
            timeout: self.timeout.or(around.timeout),
            pool: self.pool.or_else(|| around.pool.clone()),
            queue: self.queue.or_else(|| around.queue.clone()),
            priority: self.priority.or(around.priority),
        }
    }
}

#[derive(Debug)]
pub(super) struct DraftTask {
    pub(super) spec: TaskSpec,
    pub(super) notes: TaskNotes,
    pub(super) group: Option<usize>,
    pub(super) own: Inherited,
    pub(super) arms: Vec<(&'static str, Vec<Node>)>,
    pub(super) teardown_of: Vec<Node>,
    pub(super) fails_run: bool,
}

#[derive(Debug)]
pub(super) struct DraftGroup {
    pub(super) id: String,
    pub(super) parent: Option<usize>,
    pub(super) mapping: Option<Mapping>,
    pub(super) defaults: Inherited,
    /// The tasks whose lists the group is mapped over: every task in it comes after them.
    pub(super) sources: Vec<usize>,
}

/// A DAG while it is being written.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) definition: Definition,
    pub(super) notes: DagNotes,
    pub(super) defaults: Inherited,
    pub(super) tasks: Vec<DraftTask>,
    pub(super) groups: Vec<DraftGroup>,
    pub(super) wishes: Vec<Wish>,
    /// Edges that come from passing an output, and from being in a mapped group.
    pub(super) data: Vec<(usize, usize)>,
    pub(super) problems: Vec<Problem>,
    pub(super) registry: Registry,
    pub(super) by_name: HashMap<String, usize>,
    /// Starts (false) and ends (true) as they were written; which zone they are in is known at the end.
    pub(super) dates: Vec<(bool, String, Source)>,
}

impl Draft {
    pub(super) fn new(id: &str, source: Source) -> Self {
        let mut problems = Vec::new();
        let dag_id = DagId::parse(id).unwrap_or_else(|error| {
            problems.push(
                Problem::new(
                    Rule::MalformedId,
                    error.to_string(),
                    "give the DAG a name like `crm_daily`",
                )
                .at(source.clone()),
            );
            unnamed_dag()
        });
        Self {
            definition: Definition {
                id: dag_id,
                schedule: Schedule::Manual,
                zone: None,
                start: None,
                end: None,
                catchup: false,
                params: Vec::new(),
                active_runs_max: Definition::ACTIVE_RUNS_MAX_DEFAULT,
                active_tasks_max: None,
                active_tasks_per_run_max: None,
                overlap: Overlap::default(),
                fail_fast: false,
                pause_after_failures: None,
                run_timeout: None,
                deadline: None,
                alerts: Vec::new(),
                groups: Vec::new(),
                tasks: Vec::new(),
            },
            notes: DagNotes {
                source: Some(source),
                ..DagNotes::default()
            },
            defaults: Inherited::default(),
            tasks: Vec::new(),
            groups: Vec::new(),
            wishes: Vec::new(),
            data: Vec::new(),
            problems,
            registry: Registry::default(),
            by_name: HashMap::new(),
            dates: Vec::new(),
        }
    }

    /// The full name of something in a group, checked; a stand-in if it is no name or taken.
    pub(super) fn name(
        &mut self,
        name: &str,
        group: Option<usize>,
        at: usize,
        source: &Source,
    ) -> String {
        let full = match group.and_then(|group| self.groups.get(group)) {
            Some(group) => format!("{}.{name}", group.id),
            None => name.to_owned(),
        };
        let dotted = name
            .contains('.')
            .then(|| format!("the name `{name}` must not have a dot in it"));
        let wrong = dotted.or_else(|| {
            check_name(name)
                .and_then(|()| check_name(&full))
                .err()
                .map(|error| error.to_string())
        });
        if let Some(wrong) = wrong {
            let help = "use letters, digits, `-` and `_`; groups put the dots in";
            self.problems
                .push(Problem::new(Rule::MalformedId, wrong, help).at(source.clone()));
            return self.stand_in("unnamed", at);
        }
        if self.by_name.contains_key(&full) {
            let message = format!("there are two tasks or groups named `{full}`");
            let help = "names are unique within a DAG; put one of them in a group or rename it";
            self.problems.push(
                Problem::new(Rule::DuplicateId, message, help)
                    .task(&full)
                    .at(source.clone()),
            );
            return self.stand_in("duplicate", at);
        }
        full
    }

    fn stand_in(&self, word: &str, at: usize) -> String {
        let free = (at..)
            .map(|nth| format!("{word}-{nth}"))
            .find(|name| !self.by_name.contains_key(name));
        free.unwrap_or_default()
    }

    pub(super) fn push(&mut self, mut task: DraftTask, name: &str, source: &Source) -> usize {
        let at = self.tasks.len();
        let full = self.name(name, task.group, at, source);
        if let Ok(id) = TaskId::parse(&full) {
            task.spec.id = id;
        }
        self.by_name.insert(full, at);
        self.tasks.push(task);
        at
    }

    /// Keeps what belongs to this draft; a handle of another DAG is a problem.
    pub(super) fn local(this: &Shared, ends: &[End], source: &Source) -> Vec<Node> {
        let mut nodes = Vec::with_capacity(ends.len());
        for end in ends {
            let (owner, node) = match end {
                End::Task(task) => (&task.draft, Node::Task(task.at)),
                End::Group(group) => (&group.draft, Node::Group(group.at)),
                End::Name(name) => (this, Node::Name(name.clone())),
            };
            if Rc::ptr_eq(owner, this) {
                nodes.push(node);
            } else {
                this.borrow_mut().problems.push(foreign(source));
            }
        }
        nodes
    }

    pub(super) fn edges(this: &Shared, from: &[End], to: &[End], source: &Source) {
        let (from, to) = (
            Self::local(this, from, source),
            Self::local(this, to, source),
        );
        this.borrow_mut().wishes.push(Wish {
            from,
            to,
            source: source.clone(),
        });
    }

    /// The mapped group around a task or group, if any.
    pub(super) fn mapped_group(&self, group: Option<usize>) -> Option<usize> {
        let mut next = group;
        while let Some(at) = next {
            let group = self.groups.get(at)?;
            if group.mapping.is_some() {
                return Some(at);
            }
            next = group.parent;
        }
        None
    }
}

pub(super) fn foreign(source: &Source) -> Problem {
    Problem::new(
        Rule::UnknownUpstream,
        "a handle of another DAG is used here",
        "a run cannot wait for a task of another DAG; make it an asset: `.outlet(&asset)` there, a schedule on it here",
    )
    .at(source.clone())
}

/// The stand-in for a DAG whose name is none.
pub(super) fn unnamed_dag() -> DagId {
    DagId::parse("unnamed").unwrap_or_else(|_| unreachable!("`unnamed` is a name"))
}
