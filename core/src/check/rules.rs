//! Trigger rules that can never pass, and tasks that every way out of a branch skips. Both are found by working out how
//! each task can end.

use std::collections::BTreeSet;

use crate::graph::Graph;
use crate::problem::{Problem, Rule};
use crate::spec::{BranchArm, Definition, Over, Role, TaskKind, TaskSpec};
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
    for at in order {
        let task = &definition.tasks[*at];
        let up: Vec<Ends> = graph.up[*at].iter().map(|from| ends[*from]).collect();
        let passes = up.is_empty() || can_pass(task, definition, graph, &up, &ends);
        if !passes {
            problems.push(never_passes(task, definition, &graph.up[*at]));
        }
        for over in task.mapping.iter().flat_map(|mapping| &mapping.over) {
            if let Over::Output { task: from, .. } = over
                && definition
                    .position(from.as_str())
                    .is_some_and(|from| !ends[from].success)
            {
                let message = format!(
                    "it is mapped over what `{from}` returns, but `{from}` can never succeed"
                );
                problems.push(
                    Problem::new(Rule::Mapping, message, format!("mend `{from}` first"))
                        .task(&task.id),
                );
            }
        }
        // A task that is reported is taken as if it ran: one fault is not told ten times.
        ends[*at] = task_ends(task, definition, graph, *at, &up);
    }
    for (at, task) in definition.tasks.iter().enumerate() {
        if let TaskKind::Branch {
            arms,
            exclusive: true,
        } = &task.kind
        {
            always_skipped(definition, graph, at, arms, problems);
        }
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
        // An operator may find that there is nothing to do; a function cannot say so.
        _ => Ends {
            success: true,
            failed: true,
            skipped: task.operator.as_str() != "function",
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
