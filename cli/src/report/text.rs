//! The report for people.

use tidemill_core::author::Project;

use crate::output::{Style, count};

pub(super) fn report(project: &Project, style: Style) -> String {
    let mut out = String::new();
    for problem in &project.problems {
        out.push_str(&format!(
            "{} {}: {}\n",
            style.red(format_args!("error[{}]", problem.rule)),
            style.bold(problem.subject()),
            problem.message
        ));
        if let Some(source) = &problem.source {
            out.push_str(&format!("  {} {source}\n", style.dim("-->")));
        }
        if !problem.help.is_empty() {
            out.push_str(&format!("  {} {}\n", style.green("help:"), problem.help));
        }
        out.push('\n');
    }
    out + &verdict(project, style) + "\n"
}

pub(super) fn verdict(project: &Project, style: Style) -> String {
    let dags = count(project.dags.len(), "DAG");
    let tasks = project
        .dags
        .iter()
        .map(|dag| dag.spec().definition.tasks.len())
        .sum();
    match project.problems.len() {
        0 => {
            let are = if project.dags.len() == 1 { "is" } else { "are" };
            style.green(format_args!(
                "{dags} with {} {are} valid",
                count(tasks, "task")
            ))
        }
        problems => style.red(format_args!("{} in {dags}", count(problems, "problem"))),
    }
}
