//! Adding tasks: to a DAG or to a group inside it.

use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::arg::{Arg, In, Inputs};
use super::draft::{Draft, DraftGroup, DraftTask, End, Inherited, Node, Shared, Wish, foreign};
use super::handle::{Ends, Group, GroupRef, Mapped, Out, TaskRef};
use super::map::{List, MapArg, MapInputs};
use super::special::{Answer, Approval, Branch, Gate, Sensor};
use crate::id::{GroupId, TaskId};
use crate::operator::{
    Choice, Choose, IntoTask, MarkedAsTask, Registry, RegistryError, Sense, TaskFn,
};
use crate::problem::{Problem, Rule};
use crate::span::minutes;
use crate::spec::{BranchArm, Input, Mapping, Over, Retry, Source, TaskKind, TaskNotes, TaskSpec};

/// The ways out of a branch that a task chooses between.
type WayOf<T> = <<<T as MarkedAsTask>::Task as TaskFn>::Output as Choose>::Choice;

/// A DAG or a group that tasks are added to.
#[derive(Debug)]
pub struct Scope {
    pub(super) draft: Shared,
    pub(super) group: Option<usize>,
}

impl Scope {
    /// Adds a function. Passing it what another task returned makes the edge.
    #[track_caller]
    pub fn call<T: MarkedAsTask>(
        &self,
        name: &str,
        _: T,
        inputs: impl Inputs<<T::Task as TaskFn>::Args>,
    ) -> Out<<T::Task as TaskFn>::Output> {
        let task = self.function::<T::Task>("function", name, inputs.into_args(), TaskKind::Work);
        self.enter(&task, Registry::enter_function::<T::Task>);
        Out::new(task)
    }

    /// Adds an operator.
    #[track_caller]
    pub fn add<M, O: IntoTask<M>>(&self, name: &str, operator: O) -> Out<O::Output> {
        Out::new(self.operator(name, &operator))
    }

    /// Adds a task that does nothing: a place where edges meet. No worker runs it.
    #[track_caller]
    pub fn empty(&self, name: &str) -> Out<()> {
        let mut spec = new_spec("tidemill.empty", Value::Null);
        spec.kind = TaskKind::Empty;
        Out::new(self.push(name, spec, ""))
    }

    /// Adds a question to a person. Nothing runs while it waits.
    #[track_caller]
    pub fn approval(&self, name: &str, approval: Approval) -> Out<Answer> {
        let mut spec = new_spec("tidemill.approval", Value::Null);
        spec.kind = approval.into_kind();
        Out::new(self.push(name, spec, ""))
    }

    /// Adds a function that looks whether something is there, again and again until it is.
    #[track_caller]
    pub fn sensor<T, O>(
        &self,
        name: &str,
        _: T,
        inputs: impl Inputs<<T::Task as TaskFn>::Args>,
    ) -> Sensor<O>
    where
        T: MarkedAsTask<Task: TaskFn<Output = Sense<O>>>,
        O: Serialize + Send + 'static,
    {
        let kind = TaskKind::Sensor {
            every: minutes(1),
            skip_on_timeout: false,
        };
        let task = self.function::<T::Task>("sensor", name, inputs.into_args(), kind);
        self.enter(&task, Registry::enter_sensor::<T::Task, O>);
        Sensor {
            task,
            of: PhantomData,
        }
    }

    /// Adds a function that chooses which of its downstream tasks run: `.when(Route::Full, &full_load)`.
    #[track_caller]
    pub fn branch<T: MarkedAsTask<Task: TaskFn<Output: Choose>>>(
        &self,
        name: &str,
        _: T,
        inputs: impl Inputs<<T::Task as TaskFn>::Args>,
    ) -> Branch<WayOf<T>> {
        let labels = <WayOf<T> as Choice>::LABELS;
        let arms = labels
            .iter()
            .map(|label| BranchArm {
                label: (*label).to_owned(),
                tasks: Vec::new(),
            })
            .collect();
        let kind = TaskKind::Branch {
            arms,
            exclusive: <<T::Task as TaskFn>::Output as Choose>::EXCLUSIVE,
        };
        let task = self.function::<T::Task>("branch", name, inputs.into_args(), kind);
        self.enter(&task, Registry::enter_branch::<T::Task>);
        Branch {
            task,
            of: PhantomData,
        }
    }

    /// Adds a function that lets the rest of the DAG run, or skips it.
    #[track_caller]
    pub fn short_circuit<T: MarkedAsTask<Task: TaskFn<Output = bool>>>(
        &self,
        name: &str,
        _: T,
        inputs: impl Inputs<<T::Task as TaskFn>::Args>,
    ) -> Gate {
        let kind = TaskKind::ShortCircuit { everything: true };
        let task = self.function::<T::Task>("short_circuit", name, inputs.into_args(), kind);
        self.enter(&task, Registry::enter_function::<T::Task>);
        Gate {
            task,
            of: PhantomData,
        }
    }

    /// Adds a function that becomes many tasks, one for each element of a list. With several arguments, `each(list)`
    /// marks the lists (every combination is an instance) and `zip(a, b)` walks two together.
    #[track_caller]
    pub fn map<T: MarkedAsTask>(
        &self,
        name: &str,
        _: T,
        inputs: impl MapInputs<<T::Task as TaskFn>::Args>,
    ) -> Mapped<<T::Task as TaskFn>::Output> {
        let (args, zip) = inputs.into_map_args();
        let task = self.function::<T::Task>("function", name, Vec::new(), TaskKind::Work);
        let mut over = Vec::new();
        let mut inputs = Vec::new();
        for arg in args {
            match arg {
                MapArg::Same(arg) => inputs.push(self.wire(&task, arg)),
                MapArg::Each(list) => {
                    inputs.push(Input::Each(over.len()));
                    over.push(self.wire_list(&task, list));
                }
            }
        }
        // With one list the instance's item is the element itself.
        if over.len() == 1 {
            for input in inputs
                .iter_mut()
                .filter(|input| matches!(input, Input::Each(_)))
            {
                *input = Input::Item(Vec::new());
            }
        }
        self.map_over(&task, over, |mapping, draft| {
            mapping.zip = zip;
            draft.spec.inputs = inputs;
        });
        self.enter(&task, Registry::enter_function::<T::Task>);
        Mapped::new(task)
    }

    /// Adds an operator that becomes many tasks, one for each element of a list; `{item}` and `{item.field}` in its
    /// texts are the element.
    #[track_caller]
    pub fn add_each<M, O: IntoTask<M>, A>(
        &self,
        name: &str,
        operator: O,
        list: impl List<A>,
    ) -> Mapped<O::Output> {
        let task = self.operator(name, &operator);
        let over = self.wire_list(&task, list.into_list());
        self.map_over(&task, vec![over], |_, _| ());
        Mapped::new(task)
    }

    /// Adds a group: its tasks' names begin with the group's, and edges to it go to all of it.
    #[track_caller]
    pub fn group<R>(&self, name: &str, tasks: impl FnOnce(&Self) -> R) -> Group<R> {
        let inner = self.inner(name, None, Vec::new());
        let out = tasks(&inner);
        Group {
            group: inner.group_ref(),
            out,
        }
    }

    /// Adds a group that becomes many, one for each element of a list: instance 3 of a task in it waits for instance
    /// 3 of the tasks before it in the group, and a task outside waits for all of them. The closure gets the element.
    /// What it returns is the list of what the instances returned.
    #[track_caller]
    pub fn map_group<A, T>(
        &self,
        name: &str,
        list: impl List<A>,
        tasks: impl FnOnce(&Self, In<A>) -> Out<T>,
    ) -> Group<Mapped<T>> {
        let source = Source::caller();
        let (over, from) = self.list(list.into_list(), &source).unzip();
        let inner = self.inner(
            name,
            over.map(|over| Mapping::over(vec![over])),
            from.unwrap_or_default(),
        );
        let last = tasks(&inner, In::new(Arg::Item(Vec::new())));
        inner.must_be_inside(&last.task, &source);
        Group {
            group: inner.group_ref(),
            out: Mapped::new(last.task),
        }
    }

    /// Adds tasks between a setup and its teardown: all of them run after the one and before the other.
    #[track_caller]
    pub fn between<R>(
        &self,
        setup: &impl Ends,
        teardown: &impl Ends,
        tasks: impl FnOnce(&Self) -> R,
    ) -> R {
        let source = Source::caller();
        let first = self.draft.borrow().tasks.len();
        let result = tasks(self);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        setup.ends(&mut before);
        teardown.ends(&mut after);
        let before = Draft::local(&self.draft, &before, &source);
        let after = Draft::local(&self.draft, &after, &source);
        let mut draft = self.draft.borrow_mut();
        let span = || vec![Node::Span(first..draft.tasks.len())];
        let wishes = [
            Wish {
                from: before,
                to: span(),
                source: source.clone(),
            },
            Wish {
                from: span(),
                to: after,
                source,
            },
        ];
        draft.wishes.extend(wishes);
        result
    }

    /// Makes an edge. Handles cannot make a cycle by themselves; an edge can, and `Dag::build` reports it.
    #[track_caller]
    pub fn edge(&self, before: impl Ends, after: impl Ends) {
        let (mut from, mut to) = (Vec::new(), Vec::new());
        before.ends(&mut from);
        after.ends(&mut to);
        Draft::edges(&self.draft, &from, &to, &Source::caller());
    }

    /// How often failed attempts are tried again, unless a task or an inner group says otherwise.
    pub fn retry(&self, retry: Retry) -> &Self {
        self.inherit(|defaults| defaults.retry = Some(retry))
    }

    /// Attempts that take longer fail, unless a task or an inner group says otherwise.
    pub fn timeout(&self, timeout: Duration) -> &Self {
        self.inherit(|defaults| defaults.timeout = Some(timeout))
    }

    /// The pool of tasks that name none.
    pub fn pool(&self, pool: impl Into<String>) -> &Self {
        self.inherit(|defaults| defaults.pool = Some(pool.into()))
    }

    /// The queue of tasks that name none.
    pub fn queue(&self, queue: impl Into<String>) -> &Self {
        self.inherit(|defaults| defaults.queue = Some(queue.into()))
    }

    /// The priority of tasks that have none.
    pub fn priority(&self, priority: i32) -> &Self {
        self.inherit(|defaults| defaults.priority = Some(priority))
    }

    pub(super) fn inherit(&self, change: impl FnOnce(&mut Inherited)) -> &Self {
        let mut draft = self.draft.borrow_mut();
        match self.group.and_then(|group| draft.groups.get_mut(group)) {
            Some(group) => change(&mut group.defaults),
            None => change(&mut draft.defaults),
        }
        drop(draft);
        self
    }

    #[track_caller]
    fn inner(&self, name: &str, mapping: Option<Mapping>, sources: Vec<usize>) -> Self {
        let source = Source::caller();
        let mut draft = self.draft.borrow_mut();
        if mapping.is_some() && draft.mapped_group(self.group).is_some() {
            draft.problems.push(nested(name, &source));
        }
        let at = draft.groups.len();
        let id = draft.name(name, self.group, at, &source);
        // A group's name is taken for tasks, too; the number is never followed for a group.
        draft.by_name.insert(id.clone(), usize::MAX);
        let defaults = Inherited::default();
        draft.groups.push(DraftGroup {
            id,
            parent: self.group,
            mapping,
            defaults,
            sources,
        });
        Self {
            draft: Rc::clone(&self.draft),
            group: Some(at),
        }
    }

    /// What a mapped group returns is one of its own tasks, or the list of its instances would be a single value.
    fn must_be_inside(&self, task: &TaskRef, source: &Source) {
        let mut draft = self.draft.borrow_mut();
        let group = draft.tasks.get(task.at).and_then(|task| task.group);
        if !Rc::ptr_eq(&task.draft, &self.draft) || draft.mapped_group(group) != self.group {
            let help = "return the handle of a task that was added to the group";
            let problem = Problem::new(
                Rule::Mapping,
                "the mapped group returns a task from outside it",
                help,
            );
            draft.problems.push(problem.at(source.clone()));
        }
    }

    fn group_ref(&self) -> GroupRef {
        GroupRef {
            draft: Rc::clone(&self.draft),
            at: self.group.unwrap_or_default(),
        }
    }

    #[track_caller]
    fn function<F: TaskFn>(
        &self,
        operator: &str,
        name: &str,
        args: Vec<Arg>,
        kind: TaskKind,
    ) -> TaskRef {
        let mut spec = new_spec(operator, json!({ "function": F::NAME }));
        spec.kind = kind;
        let task = self.push(name, spec, F::DOC);
        let inputs: Vec<Input> = args.into_iter().map(|arg| self.wire(&task, arg)).collect();
        self.edit(&task, |draft| draft.spec.inputs = inputs);
        task
    }

    #[track_caller]
    fn operator<M, O: IntoTask<M>>(&self, name: &str, operator: &O) -> TaskRef {
        let config = serde_json::to_value(operator);
        let wrong = config.as_ref().err().map(ToString::to_string);
        let mut spec = new_spec(O::OPERATOR, config.unwrap_or_default());
        spec.touches = operator.needs();
        let task = self.push(name, spec, "");
        if let Some(wrong) = wrong {
            self.problem(
                &task,
                Rule::Value,
                format!("the operator cannot be written as JSON: {wrong}"),
                "use maps with text keys and finite numbers",
            );
        }
        self.enter(&task, O::enter);
        task
    }

    #[track_caller]
    fn push(&self, name: &str, spec: TaskSpec, doc: &str) -> TaskRef {
        let source = Source::caller();
        let notes = TaskNotes {
            doc: doc.to_owned(),
            source: Some(source.clone()),
            ..TaskNotes::default()
        };
        let mut draft = self.draft.borrow_mut();
        let mut task = DraftTask {
            spec,
            notes,
            group: self.group,
            own: Inherited::default(),
            arms: Vec::new(),
            teardown_of: Vec::new(),
            fails_run: false,
        };
        task.spec.group = self
            .group
            .and_then(|group| GroupId::parse(&draft.groups.get(group)?.id).ok());
        let at = draft.push(task, name, &source);
        TaskRef {
            draft: Rc::clone(&self.draft),
            at,
        }
    }

    fn edit(&self, task: &TaskRef, change: impl FnOnce(&mut DraftTask)) {
        if let Some(task) = self.draft.borrow_mut().tasks.get_mut(task.at) {
            change(task);
        }
    }

    fn enter(
        &self,
        task: &TaskRef,
        enter: impl FnOnce(&mut Registry) -> Result<(), RegistryError>,
    ) {
        let entered = enter(&mut self.draft.borrow_mut().registry);
        if let Err(clash) = entered {
            self.problem(
                task,
                Rule::OperatorName,
                clash.to_string(),
                "give one of them another name; the name is how a worker finds the code",
            );
        }
    }

    fn problem(&self, task: &TaskRef, rule: Rule, message: impl Into<String>, help: &str) {
        let mut draft = self.draft.borrow_mut();
        let Some(known) = draft.tasks.get(task.at) else {
            return;
        };
        let mut problem = Problem::new(rule, message, help).task(&known.spec.id);
        problem.source.clone_from(&known.notes.source);
        draft.problems.push(problem);
    }

    fn wire(&self, task: &TaskRef, arg: Arg) -> Input {
        match arg {
            Arg::Value(Ok(value)) => Input::Value(value),
            Arg::Value(Err(wrong)) => {
                self.problem(
                    task,
                    Rule::Value,
                    format!("an argument cannot be written as JSON: {wrong}"),
                    "use maps with text keys and finite numbers",
                );
                Input::Value(Value::Null)
            }
            Arg::Text(text) => Input::Text(text),
            Arg::Params(path) => Input::Params(path),
            Arg::Item(path) => Input::Item(path),
            Arg::Task {
                task: from,
                path,
                collected,
                optional,
            } => match self.upstream(task, &from, collected) {
                Some(id) => Input::Output {
                    task: id,
                    path,
                    optional,
                },
                None => Input::Value(Value::Null),
            },
        }
    }

    /// Makes the data edge and gives the upstream task's name, unless it cannot be used here.
    fn upstream(&self, task: &TaskRef, from: &TaskRef, collected: bool) -> Option<TaskId> {
        if !Rc::ptr_eq(&from.draft, &self.draft) {
            let mut draft = self.draft.borrow_mut();
            let source = draft
                .tasks
                .get(task.at)
                .and_then(|task| task.notes.source.clone())?;
            draft.problems.push(foreign(&source));
            return None;
        }
        let mut draft = self.draft.borrow_mut();
        let here = draft.mapped_group(draft.tasks.get(task.at)?.group);
        let there = draft.mapped_group(draft.tasks.get(from.at)?.group);
        let id = draft.tasks.get(from.at)?.spec.id.clone();
        draft.data.push((from.at, task.at));
        drop(draft);
        if there.is_some() && there != here && !collected {
            let message = format!(
                "it takes what one instance of `{id}` returned, from outside its mapped group"
            );
            self.problem(task, Rule::Mapping, message, "return that handle from the group's closure and use the group's `.out`, which is the list of all instances");
        }
        Some(id)
    }

    /// Makes a task mapped; one whose lists are no lists has been reported and stays as it is.
    fn map_over(
        &self,
        task: &TaskRef,
        over: Vec<Option<Over>>,
        change: impl FnOnce(&mut Mapping, &mut DraftTask),
    ) {
        let Some(over) = over.into_iter().collect::<Option<Vec<Over>>>() else {
            return;
        };
        self.edit(task, |draft| {
            let mut mapping = Mapping::over(over);
            change(&mut mapping, draft);
            draft.spec.mapping = Some(mapping);
        });
    }

    fn wire_list(&self, task: &TaskRef, list: Arg) -> Option<Over> {
        let mut draft = self.draft.borrow_mut();
        let known = draft.tasks.get(task.at)?;
        let (name, source) = (known.spec.id.to_string(), known.notes.source.clone()?);
        if draft.mapped_group(self.group).is_some() {
            draft.problems.push(nested(&name, &source));
        }
        drop(draft);
        let (over, from) = self.list(list, &source)?;
        self.draft
            .borrow_mut()
            .data
            .extend(from.into_iter().map(|from| (from, task.at)));
        Some(over)
    }

    /// The list, and the tasks it comes from.
    fn list(&self, list: Arg, source: &Source) -> Option<(Over, Vec<usize>)> {
        let wrong = |problem: Problem| {
            self.draft
                .borrow_mut()
                .problems
                .push(problem.at(source.clone()));
            None
        };
        let unusable =
            |message: &str, help: &str| wrong(Problem::new(Rule::Mapping, message, help));
        match list {
            Arg::Value(Ok(Value::Array(values))) => Some((Over::Values(values), Vec::new())),
            Arg::Params(path) => Some((Over::Params(path), Vec::new())),
            Arg::Task { task, path, .. } if Rc::ptr_eq(&task.draft, &self.draft) => {
                let id = self.draft.borrow().tasks.get(task.at)?.spec.id.clone();
                Some((Over::Output { task: id, path }, vec![task.at]))
            }
            Arg::Task { .. } => wrong(foreign(source)),
            Arg::Value(Err(why)) => unusable(
                &format!("the list cannot be written as JSON: {why}"),
                "use maps with text keys and finite numbers",
            ),
            Arg::Value(Ok(_)) | Arg::Text(_) => unusable(
                "this is no list to map over",
                "map over what an upstream task returned, a list of constants or a param",
            ),
            Arg::Item(_) => unusable(
                "a list inside the element of a mapped group cannot be mapped over again",
                "flatten the list in the task before the group",
            ),
        }
    }
}

fn nested(name: &str, source: &Source) -> Problem {
    Problem::new(
        Rule::Mapping,
        format!("`{name}` is mapped inside a mapped group"),
        "flatten the list in a task before the group, so that one mapping covers it",
    )
    .task(name)
    .at(source.clone())
}

fn new_spec(operator: &str, config: Value) -> TaskSpec {
    // The name is replaced as soon as the draft has checked it.
    let id = TaskId::parse("unnamed").unwrap_or_else(|_| unreachable!("`unnamed` is a name"));
    TaskSpec::new(id, operator, config)
}

impl Ends for End {
    fn ends(&self, into: &mut Vec<End>) {
        into.push(self.clone());
    }
}
