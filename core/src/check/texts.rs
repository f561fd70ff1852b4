//! Placeholders and arguments: whether what they name is there.

use crate::graph::Graph;
use crate::id::nearest;
use crate::params::{ParamKind, ParamSpec};
use crate::problem::{Problem, Rule};
use crate::spec::{Dedup, Definition, Input, Mapping, Over, TaskKind, TaskSpec, WriteMode};
use crate::text::{self, Placeholder};

/// Calls `see` with every text of a task that may have placeholders.
pub(crate) fn each_task_text<'a>(task: &'a TaskSpec, see: &mut impl FnMut(&'a str)) {
    text::each_text(&task.config, see);
    for input in &task.inputs {
        if let Input::Text(text) = input {
            see(text.as_str());
        }
    }
    for destination in &task.touches.writes {
        see(destination.table.as_str());
        if let WriteMode::Append(Dedup::Partition(partition)) = &destination.mode {
            see(partition.as_str());
        }
    }
    let label = task
        .mapping
        .as_ref()
        .and_then(|mapping| mapping.label.as_ref());
    for text in task.concurrency.key.iter().chain(label) {
        see(text.as_str());
    }
    if let TaskKind::Approval { question, .. } = &task.kind {
        see(question.as_str());
    }
}

pub(super) fn check(definition: &Definition, graph: &Graph, problems: &mut Vec<Problem>) {
    group_mapping_problems(definition, problems);
    for (at, task) in definition.tasks.iter().enumerate() {
        let mut texts = Vec::new();
        each_task_text(task, &mut |text| texts.push(text));
        for text in texts.into_iter().filter(|text| text.contains(['{', '}'])) {
            match text::placeholders(text) {
                Ok(placeholders) => {
                    for placeholder in &placeholders {
                        problems.extend(placeholder_problem(definition, graph, at, placeholder));
                    }
                }
                Err(error) => {
                    let shown: String = text.chars().take(60).collect();
                    let message = format!("{error} (in `{shown}`)");
                    problems.push(
                        Problem::new(Rule::Placeholder, message, error.help()).task(&task.id),
                    );
                }
            }
        }
        for input in &task.inputs {
            problems.extend(input_problem(definition, task, input));
        }
        if let Some(mapping) = &task.mapping {
            problems.extend(mapping_problems(definition, task.id.as_str(), mapping));
        }
    }
}

/// The lists of a mapped group are looked at once, not for every task in it.
fn group_mapping_problems(definition: &Definition, problems: &mut Vec<Problem>) {
    for group in &definition.groups {
        if let Some(mapping) = &group.mapping {
            problems.extend(mapping_problems(definition, group.id.as_str(), mapping));
        }
    }
}

fn group_mappings<'a>(
    definition: &'a Definition,
    task: &'a TaskSpec,
) -> impl Iterator<Item = &'a Mapping> {
    definition
        .groups_around(task.group.as_ref())
        .filter_map(|group| group.mapping.as_ref())
}

pub(super) fn is_mapped(definition: &Definition, task: &TaskSpec) -> bool {
    task.mapping.is_some() || group_mappings(definition, task).next().is_some()
}

fn placeholder_problem(
    definition: &Definition,
    graph: &Graph,
    at: usize,
    placeholder: &Placeholder,
) -> Option<Problem> {
    let task = &definition.tasks[at];
    let problem = |message: String, help: String| {
        Some(Problem::new(Rule::Placeholder, message, help).task(&task.id))
    };
    match placeholder {
        Placeholder::Param(path) => {
            let (message, help) = missing_param(&definition.params, path)?;
            problem(message, help)
        }
        Placeholder::Item(_) | Placeholder::MapIndex if !is_mapped(definition, task) => {
            let name = if *placeholder == Placeholder::MapIndex {
                "map_index"
            } else {
                "item"
            };
            let help = "map it over a list, or take the placeholder out".to_owned();
            problem(
                format!("it uses `{{{name}}}` but is not mapped over anything"),
                help,
            )
        }
        Placeholder::Out(path) => {
            let known = |name: &str| definition.position(name).is_some();
            let Some((name, _)) = text::split_output(path, known) else {
                let written = path.join(".");
                let near = nearest(
                    &written,
                    definition.tasks.iter().map(|task| task.id.as_str()),
                );
                let help = near.map_or_else(
                    || "name a task of this DAG: `{out.task}` or `{out.task.field}`".to_owned(),
                    |near| format!("did you mean `{{out.{near}}}`?"),
                );
                return problem(
                    format!("`{{out.{written}}}` names no task of the DAG"),
                    help,
                );
            };
            let from = definition.position(&name)?;
            if definition.tasks[from].kind == TaskKind::Empty {
                let help = "use the output of a task that does something".to_owned();
                return problem(
                    format!("`{{out.{name}}}` has no value: `{name}` does nothing"),
                    help,
                );
            }
            // The builder makes this edge; a definition that was made by hand may lack it.
            (!graph.up[at].contains(&from) && !graph.before(&[at])[from]).then(|| {
                let help = format!("put it after `{name}`");
                Problem::new(
                    Rule::Placeholder,
                    format!("`{{out.{name}}}` may not be there yet"),
                    help,
                )
                .task(&task.id)
            })
        }
        _ => None,
    }
}

fn input_problem(definition: &Definition, task: &TaskSpec, input: &Input) -> Option<Problem> {
    match input {
        Input::Params(path) => {
            let (message, help) = missing_param(&definition.params, path)?;
            Some(Problem::new(Rule::Params, message, help).task(&task.id))
        }
        Input::Item(_) | Input::Each(_) if !is_mapped(definition, task) => {
            let message = "it takes an element of a list but is not mapped over one";
            let help = "an `item` is only there inside its own mapped group";
            Some(Problem::new(Rule::Mapping, message, help).task(&task.id))
        }
        Input::Each(axis)
            if task
                .mapping
                .as_ref()
                .is_some_and(|mapping| *axis >= mapping.over.len()) =>
        {
            let message =
                format!("it takes an element of list {axis}, but is mapped over fewer lists");
            Some(Problem::new(Rule::Mapping, message, "build the DAG again").task(&task.id))
        }
        Input::Output { task: from, .. } if !task.upstream.iter().any(|up| up.task == *from) => {
            let message = format!("it takes what `{from}` returns, but does not come after it");
            Some(
                Problem::new(
                    Rule::UnknownUpstream,
                    message,
                    "pass the handle of an upstream task",
                )
                .task(&task.id),
            )
        }
        _ => None,
    }
}

fn mapping_problems(definition: &Definition, of: &str, mapping: &Mapping) -> Vec<Problem> {
    let problem = |message: String, help: &str| Problem::new(Rule::Mapping, message, help).task(of);
    let mut problems = Vec::new();
    if mapping.over.is_empty() {
        let help = "mark a list with `each(list)`, or add it with `dag.call`";
        problems.push(problem("it is mapped over no list".to_owned(), help));
    }
    if mapping.instances_max == 0 {
        problems.push(problem(
            "it may have no instances at all".to_owned(),
            "`.at_most(n)` takes at least 1",
        ));
    }
    let mut fixed: u64 = 1;
    for over in &mapping.over {
        match over {
            Over::Values(values) if values.is_empty() => {
                problems.push(problem(
                    "it is mapped over an empty list and would always be skipped".to_owned(),
                    "give the list elements",
                ));
            }
            Over::Values(values) => fixed = fixed.saturating_mul(values.len() as u64),
            Over::Params(path) => {
                problems.extend(
                    missing_param(&definition.params, path)
                        .map(|(message, help)| problem(message, &help)),
                );
            }
            Over::Output { task: from, .. } if definition.position(from.as_str()).is_none() => {
                problems.push(problem(
                    format!("it is mapped over `{from}`, which is not in the DAG"),
                    "map over a task of this DAG",
                ));
            }
            Over::Output { .. } => {}
        }
    }
    if !mapping.zip && fixed > u64::from(mapping.instances_max) {
        let message = format!(
            "its constant lists make {fixed} instances, the most allowed is {}",
            mapping.instances_max
        );
        problems.push(problem(
            message,
            "shorten the lists, or raise the bound with `.at_most(n)`",
        ));
    }
    problems
}

/// What is wrong with a path into the params, and how to mend it.
fn missing_param(specs: &[ParamSpec], path: &[String]) -> Option<(String, String)> {
    let (first, rest) = path.split_first()?;
    match specs.iter().find(|spec| spec.name == *first) {
        Some(ParamSpec {
            kind: ParamKind::Object(fields),
            ..
        }) => missing_param(fields, rest),
        Some(ParamSpec {
            kind: ParamKind::Json | ParamKind::List(_),
            ..
        }) => None,
        Some(_) if rest.is_empty() => None,
        Some(_) => Some((
            format!("param `{first}` has no fields"),
            format!("use `{first}` alone"),
        )),
        None => {
            let near = nearest(first, specs.iter().map(|spec| spec.name.as_str()));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if specs.is_empty() => {
                    "declare the DAG's params: `dag.params::<MyParams>()`".to_owned()
                }
                None => {
                    let known: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
                    format!("known are {}", known.join(", "))
                }
            };
            Some((format!("there is no param `{first}`"), help))
        }
    }
}
