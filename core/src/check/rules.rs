//! Trigger rules that can never pass, and tasks that every way out of a branch skips. Both are found by working out how
//! each task can end.

use std::collections::BTreeSet;

use super::project::text_outputs;
use crate::graph::Graph;
use crate::id::TaskId;
use crate::problem::{Problem, Rule};
use crate::spec::{BranchArm, Definition, Input, Over, Role, TaskKind, TaskSpec};
use crate::state::TriggerRule;

/// The ways in which a task can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a set of four")]
struct Ends {
    success: bool,
    failed: bool,
    skipped: bool,
    upstream_failed: bool,
}

impl Ends {
    const fn fails(self) -> bool {
        self.failed || self.upstream_failed
    }

    const fn ends_unskipped(self) -> bool {
        self.success || self.fails()
    }
}

pub(super) fn check(
    definition: &Definition,
    graph: &Graph,
    order: &[usize],
    problems: &mut Vec<Problem>,
) {
    let mut ends = vec![Ends::default(); definition.tasks.len()];
    let gates: Vec<usize> = (0..definition.tasks.len())
        .filter(|at| definition.tasks[*at].kind == TaskKind::ShortCircuit { everything: true })
        .collect();
    let gated = graph.after(&gates);
    let setups = setup_scopes(definition, graph);
    for at in order {
        let task = &definition.tasks[*at];
        let up: Vec<Ends> = graph.up[*at].iter().map(|from| ends[*from]).collect();
        let passes = up.is_empty() || can_pass(task, definition, graph, &up, &ends);
        if passes {
            missing_outputs(definition, graph, *at, &ends, problems);
        } else {
            problems.push(never_passes(task, definition, &graph.up[*at]));
        }
        // A task that is reported is taken as if it ran: one fault is not told ten times.
        ends[*at] = task_ends(task, definition, graph, *at, &up);
        ends[*at].skipped |= gated[*at];
        // The setup of a scope is waited for before the rule is: its end can be the task's.
        let around: Vec<Ends> = setups
            .iter()
            .filter(|(_, inside)| inside[*at])
            .map(|(setup, _)| ends[*setup])
            .collect();
        for setup in around {
            ends[*at].skipped |= setup.skipped;
            ends[*at].upstream_failed |= setup.fails();
        }
    }
    for (at, task) in definition.tasks.iter().enumerate() {
        if let TaskKind::Branch { arms, exclusive } = &task.kind {
            unnamed_ways(definition, graph, at, arms, problems);
            if *exclusive {
                always_skipped(definition, graph, at, arms, problems);
            }
        }
    }
}

/// The tasks between each setup and its teardowns.
fn setup_scopes(definition: &Definition, graph: &Graph) -> Vec<(usize, Vec<bool>)> {
    let mut scopes = Vec::new();
    for (teardown, task) in definition.tasks.iter().enumerate() {
        let Role::Teardown { setups, .. } = &task.role else {
            continue;
        };
        let before = graph.before(&[teardown]);
        for setup in setups
            .iter()
            .filter_map(|setup| definition.position(setup.as_str()))
        {
            let after = graph.after(&[setup]);
            scopes.push((
                setup,
                after
                    .iter()
                    .zip(&before)
                    .map(|(after, before)| *after && *before)
                    .collect(),
            ));
        }
    }
    scopes
}

/// Outputs that are taken although the task they come from need not have succeeded: the run would fail where its rule
/// says that it may go on.
fn missing_outputs(
    definition: &Definition,
    graph: &Graph,
    at: usize,
    ends: &[Ends],
    problems: &mut Vec<Problem>,
) {
    let task = &definition.tasks[at];
    if task.rule == TriggerRule::AllSuccess {
        return;
    }
    let single_setup = graph.up[at]
        .iter()
        .filter(|from| definition.tasks[**from].role == Role::Setup)
        .count()
        == 1;
    let taken = task.inputs.iter().filter_map(|input| match input {
        Input::Output {
            task,
            optional: false,
            ..
        } => Some(task),
        _ => None,
    });
    let lists = task
        .mapping
        .iter()
        .flat_map(|mapping| &mapping.over)
        .filter_map(|over| match over {
            Over::Output { task, .. } => Some(task),
            _ => None,
        });
    let from: BTreeSet<&TaskId> = taken
        .chain(lists)
        .chain(text_outputs(definition, task))
        .collect();
    for from in from {
        let Some(at) = definition.position(from.as_str()) else {
            continue;
        };
        let source = &definition.tasks[at];
        // Of a mapped task the list of what succeeded is taken, which may be shorter but is there.
        let is_list = source.mapping.is_some()
            || definition
                .groups_around(source.group.as_ref())
                .any(|group| group.mapping.is_some());
        let only_success = Ends {
            success: true,
            ..Ends::default()
        };
        let certain = source.role == Role::Setup
            && task.rule == TriggerRule::AllDoneSetupSuccess
            && single_setup;
        if !is_list && !certain && ends[at] != only_success {
            let message = format!(
                "it takes what `{from}` returns, but its rule {} lets it run without that",
                task.rule
            );
            let help = "make the argument an `Option`, or use the rule all_success";
            problems.push(Problem::new(Rule::MissingOutput, message, help).task(&task.id));
        }
    }
}

/// Tasks directly behind a branch that no way leads to: Airflow skips them, which nobody means.
fn unnamed_ways(
    definition: &Definition,
    graph: &Graph,
    branch: usize,
    arms: &[BranchArm],
    problems: &mut Vec<Problem>,
) {
    let named: Vec<usize> = arms
        .iter()
        .flat_map(|arm| &arm.tasks)
        .filter_map(|task| definition.position(task.as_str()))
        .collect();
    let after = graph.after(&named);
    for at in graph.down[branch]
        .iter()
        .filter(|at| !named.contains(at) && !after[**at])
    {
        let message = format!(
            "it comes directly after the branch `{}`, but no way leads to it",
            definition.tasks[branch].id
        );
        let help = "name it in a way: `.when(way, &task)`; what does not depend on the choice goes before the branch";
        problems.push(
            Problem::new(Rule::Branch, message, help).task(&definition.tasks[at.to_owned()].id),
        );
    }
}

fn can_pass(
    task: &TaskSpec,
    definition: &Definition,
    graph: &Graph,
    up: &[Ends],
    ends: &[Ends],
) -> bool {
    match task.rule {
        TriggerRule::AllSuccess => up.iter().all(|up| up.success),
        TriggerRule::AllFailed => up.iter().all(|up| up.fails()),
        TriggerRule::AllSkipped => up.iter().all(|up| up.skipped),
        TriggerRule::OneSuccess => up.iter().any(|up| up.success),
        TriggerRule::OneFailed => up.iter().any(|up| up.fails()),
        TriggerRule::OneDone => up.iter().any(|up| up.success || up.failed),
        TriggerRule::NoneFailed => up.iter().all(|up| up.success || up.skipped),
        TriggerRule::NoneFailedMinOneSuccess => {
            up.iter().all(|up| up.success || up.skipped) && up.iter().any(|up| up.success)
        }
        TriggerRule::NoneSkipped => up.iter().all(|up| up.ends_unskipped()),
        TriggerRule::AllDoneMinOneSuccess => {
            up.iter().all(|up| up.ends_unskipped()) && up.iter().any(|up| up.success)
        }
        TriggerRule::AllDoneSetupSuccess => {
            let at = definition.position(task.id.as_str());
            let setups = at.into_iter().flat_map(|at| &graph.up[at]);
            let mut setups = setups
                .filter(|from| definition.tasks[**from].role == Role::Setup)
                .peekable();
            setups.peek().is_none() || setups.any(|from| ends[*from].success)
        }
        TriggerRule::AllDone | TriggerRule::Always => true,
    }
}

fn task_ends(
    task: &TaskSpec,
    definition: &Definition,
    graph: &Graph,
    at: usize,
    up: &[Ends],
) -> Ends {
    let runs = match task.kind {
        TaskKind::Empty => Ends {
            success: true,
            ..Ends::default()
        },
        // Any task may find that there is nothing to do, and a mapped one that its list is empty.
        _ => Ends {
            success: true,
            failed: true,
            skipped: true,
            ..Ends::default()
        },
    };
    let any = |test: fn(Ends) -> bool| up.iter().any(|up| test(*up));
    let all = |test: fn(Ends) -> bool| !up.is_empty() && up.iter().all(|up| test(*up));
    let (skipped, upstream_failed) = match task.rule {
        TriggerRule::AllSuccess => (any(|up| up.skipped), any(Ends::fails)),
        TriggerRule::AllFailed => (any(|up| up.success || up.skipped), false),
        TriggerRule::AllSkipped => (any(Ends::ends_unskipped), false),
        TriggerRule::OneSuccess => (
            all(|up| up.skipped),
            all(|up| up.skipped || up.fails()) && any(Ends::fails),
        ),
        TriggerRule::OneFailed => (all(|up| up.success || up.skipped), false),
        TriggerRule::OneDone => (all(|up| up.skipped || up.upstream_failed), false),
        TriggerRule::NoneFailed => (false, any(Ends::fails)),
        TriggerRule::NoneFailedMinOneSuccess => (all(|up| up.skipped), any(Ends::fails)),
        TriggerRule::NoneSkipped => (any(|up| up.skipped), false),
        TriggerRule::AllDoneMinOneSuccess => (any(|up| up.skipped), all(Ends::fails)),
        TriggerRule::AllDoneSetupSuccess => (any(|up| up.skipped), any(Ends::fails)),
        TriggerRule::AllDone | TriggerRule::Always => (false, false),
    };
    let steered = graph.up[at]
        .iter()
        .any(|from| match &definition.tasks[*from].kind {
            TaskKind::ShortCircuit { .. } => true,
            TaskKind::Branch { arms, .. } => arms.iter().any(|arm| arm.tasks.contains(&task.id)),
            _ => false,
        });
    Ends {
        success: runs.success,
        failed: runs.failed,
        skipped: runs.skipped || skipped || steered,
        upstream_failed,
    }
}

fn never_passes(task: &TaskSpec, definition: &Definition, up: &[usize]) -> Problem {
    let names: Vec<String> = up
        .iter()
        .take(4)
        .map(|from| format!("`{}`", definition.tasks[*from].id))
        .collect();
    let why = match task.rule {
        TriggerRule::AllFailed | TriggerRule::OneFailed => "cannot fail",
        TriggerRule::AllSkipped => "cannot be skipped",
        _ => "cannot end in the way it asks for",
    };
    let message = format!(
        "its rule {} can never pass: {} {why}",
        task.rule,
        names.join(", ")
    );
    let help = "choose another rule, or put it after a task that can end that way";
    Problem::new(Rule::RuleNeverPasses, message, help).task(&task.id)
}

/// With every way out, something before the task is skipped and its rule passes the skip on: it never runs. This is
/// what happens to a join after a branch that keeps the default rule.
fn always_skipped(
    definition: &Definition,
    graph: &Graph,
    branch: usize,
    arms: &[BranchArm],
    problems: &mut Vec<Problem>,
) {
    let positions = |arm: &BranchArm| -> BTreeSet<usize> {
        arm.tasks
            .iter()
            .filter_map(|task| definition.position(task.as_str()))
            .collect()
    };
    let targets: Vec<BTreeSet<usize>> = arms.iter().map(positions).collect();
    let mut always: Option<BTreeSet<usize>> = None;
    for chosen in &targets {
        let after_chosen = graph.after(&chosen.iter().copied().collect::<Vec<_>>());
        let left: BTreeSet<usize> = targets
            .iter()
            .flatten()
            .copied()
            .filter(|at| !chosen.contains(at) && !after_chosen[*at])
            .collect();
        let skipped = spread(definition, graph, left);
        always = Some(match always {
            Some(always) => always.intersection(&skipped).copied().collect(),
            None => skipped,
        });
    }
    let always = always.unwrap_or_default();
    for at in always
        .iter()
        .filter(|at| !graph.up[**at].iter().any(|from| always.contains(from)))
    {
        let task = &definition.tasks[*at];
        let branch = &definition.tasks[branch].id;
        let message = format!(
            "whichever way `{branch}` takes, it is skipped: its rule is {}",
            task.rule
        );
        let help = "a join after a branch needs `.rule(TriggerRule::NoneFailedMinOneSuccess)`";
        problems.push(Problem::new(Rule::AlwaysSkipped, message, help).task(&task.id));
    }
}

/// The tasks that are skipped for certain when these are.
fn spread(definition: &Definition, graph: &Graph, start: BTreeSet<usize>) -> BTreeSet<usize> {
    let mut skipped = start.clone();
    let mut open: Vec<usize> = start.into_iter().collect();
    while let Some(at) = open.pop() {
        for next in &graph.down[at] {
            let all = || graph.up[*next].iter().all(|from| skipped.contains(from));
            let passes_on = match definition.tasks[*next].rule {
                TriggerRule::AllSuccess
                | TriggerRule::AllFailed
                | TriggerRule::NoneSkipped
                | TriggerRule::AllDoneMinOneSuccess => true,
                TriggerRule::OneSuccess
                | TriggerRule::OneFailed
                | TriggerRule::OneDone
                | TriggerRule::NoneFailedMinOneSuccess => all(),
                TriggerRule::AllSkipped
                | TriggerRule::AllDone
                | TriggerRule::NoneFailed
                | TriggerRule::AllDoneSetupSuccess
                | TriggerRule::Always => false,
            };
            if passes_on && skipped.insert(*next) {
                open.push(*next);
            }
        }
    }
    skipped
}
