//! `dags snapshot` and `dags plan`: what a pull request changes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use tidemill_core::Rule;
use tidemill_core::author::{Dag, Dags};
use tidemill_core::diff::{self, DagDiff, Plan, TableChange, TaskChange};
use tidemill_core::snapshot::Snapshot;

use crate::args::{PlanArgs, PlanFormat, SnapshotArgs};
use crate::output::{INVALID, OK, Output, Style, count};

pub(crate) fn snapshot(dags: &Dags, args: &SnapshotArgs) -> Output {
    let all = dags.build();
    let json = Snapshot::of(all.iter().map(Dag::spec)).to_json();
    let broken = all.iter().filter(|dag| !dag.problems().is_empty()).count();
    let output = Output::data(json).into_file(args.output.as_deref());
    if broken == 0 {
        output
    } else {
        output.talk(format_args!(
            "{} with problems; `dags validate` shows them",
            count(broken, "DAG")
        ))
    }
}

pub(crate) fn plan(dags: &Dags, args: &PlanArgs, style: Style) -> Output {
    let before = match read(&args.against) {
        Ok(snapshot) => snapshot,
        Err(wrong) => return wrong,
    };
    let all = dags.build();
    if let Some(broken) = all.iter().find(|dag| {
        dag.problems()
            .iter()
            .any(|problem| problem.rule == Rule::Panicked)
    }) {
        let message = format_args!(
            "the builder of `{}` panicked, so there is nothing to compare",
            broken.spec().id()
        );
        return Output::usage(message, "`dags validate` shows where").code(INVALID);
    }
    let plan = diff::plan(
        before.dags.iter().map(|entry| &entry.dag),
        all.iter().map(Dag::spec),
    );
    let text = match args.format {
        PlanFormat::Json => serde_json::to_string_pretty(&plan).unwrap_or_default() + "\n",
        PlanFormat::Text => Writer { style: Some(style) }.plan(&plan),
        PlanFormat::Markdown => Writer { style: None }.plan(&plan),
    };
    let code = if args.exit_code && !plan.is_empty() {
        INVALID
    } else {
        OK
    };
    Output::data(text).code(code)
}

fn read(file: &Path) -> Result<Snapshot, Output> {
    let help = "make one with `dags snapshot --output FILE`, for example from the main branch";
    let shown = file.display();
    let bytes = std::fs::read(file)
        .map_err(|error| Output::usage(format_args!("cannot read `{shown}`: {error}"), help))?;
    Snapshot::parse(&bytes)
        .map_err(|error| Output::usage(format_args!("cannot use `{shown}`: {error}"), help))
}

/// Writes a plan for the terminal, or as Markdown where there is no style.
struct Writer {
    style: Option<Style>,
}

impl Writer {
    fn plan(&self, plan: &Plan) -> String {
        let mut out = String::new();
        if self.style.is_none() {
            out.push_str("## DAG changes\n\n");
        }
        if plan.is_empty() {
            // Writing into a String cannot fail.
            let _ = writeln!(out, "No DAG changes ({} unchanged).", plan.unchanged);
            return out;
        }
        let counts = [
            (plan.added.len(), "added"),
            (plan.changed.len(), "changed"),
            (plan.removed.len(), "removed"),
            (plan.unchanged, "unchanged"),
        ];
        let counts: Vec<String> = counts
            .iter()
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        let _ = writeln!(out, "{}\n", counts.join(", "));
        for dag in &plan.added {
            self.head(&mut out, '+', dag, "new");
            self.tables(&mut out, "writes", dag.tables.iter());
        }
        for dag in &plan.removed {
            self.head(&mut out, '-', dag, "gone; runs in flight and history stay");
        }
        for dag in &plan.changed {
            self.changed(&mut out, dag);
        }
        out.push_str("Runs in flight keep their version; new runs take the new one. Nothing runs again by itself.\nA plan sees what a DAG is, not the code of its functions.\n");
        out
    }

    fn head(&self, out: &mut String, sign: char, dag: &DagDiff, what: &str) {
        let tasks = count(dag.tasks.len(), "task");
        // Of a DAG that stays, the number is of the tasks that do not.
        let what = match (sign, dag.tasks.len()) {
            ('~', 0) => what.to_owned(),
            ('~', _) => format!("{tasks} {what}"),
            _ => format!("{what}, {tasks}"),
        };
        let line = match self.style {
            Some(style) => {
                let name = match sign {
                    '+' => style.green(format_args!("+ {}", dag.dag)),
                    '-' => style.red(format_args!("- {}", dag.dag)),
                    _ => style.yellow(format_args!("~ {}", dag.dag)),
                };
                format!("{name} ({what})")
            }
            None => format!("### `{}` ({what})", dag.dag),
        };
        let _ = writeln!(out, "{line}\n");
    }

    fn item(&self, out: &mut String, line: impl std::fmt::Display) {
        let mark = if self.style.is_some() { "    " } else { "- " };
        let _ = writeln!(out, "{mark}{line}");
    }

    fn code(&self, text: impl std::fmt::Display) -> String {
        if self.style.is_some() {
            text.to_string()
        } else {
            format!("`{}`", text.to_string().replace('`', "'"))
        }
    }

    fn changed(&self, out: &mut String, dag: &DagDiff) {
        self.head(out, '~', dag, "changed");
        let said = dag
            .schedule
            .as_ref()
            .filter(|(before, after)| before != after);
        if let Some((before, after)) = said {
            self.item(out, format_args!("schedule: {before} → {after}"));
        }
        let told = |field: &str| said.is_some() && field.starts_with("schedule");
        for change in dag.settings.iter().filter(|change| !told(&change.field)) {
            self.item(out, self.code(change));
        }
        // A setting of the whole DAG changes every task in the same way: that is one line.
        let mut alike: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (task, change) in &dag.tasks {
            match change {
                TaskChange::Added => self.item(out, format_args!("task {} added", self.code(task))),
                TaskChange::Removed => {
                    self.item(out, format_args!("task {} removed", self.code(task)))
                }
                TaskChange::Changed(fields) => {
                    for field in fields {
                        alike
                            .entry(field.to_string())
                            .or_default()
                            .push(self.code(task));
                    }
                }
            }
        }
        for (field, tasks) in &alike {
            let names = match tasks.len() {
                1 => format!("task {}", tasks[0]),
                2..=4 => format!("tasks {}", tasks.join(", ")),
                more => format!("{more} tasks"),
            };
            self.item(out, format_args!("{names} changed: {}", self.code(field)));
        }
        self.tables(out, "table", dag.tables.iter());
        if !dag.reruns.is_empty() {
            let names: Vec<String> = dag.reruns.iter().map(|task| self.code(task)).collect();
            let line = format!(
                "for history to match, these would have to run again: {}",
                names.join(", ")
            );
            self.item(out, line);
        }
        for table in &dag.rewrites {
            let how = table.after.as_deref().unwrap_or_default();
            self.item(
                out,
                format_args!("a rerun writes {} again ({how})", self.code(&table.table)),
            );
        }
        out.push('\n');
    }

    fn tables<'a>(
        &self,
        out: &mut String,
        word: &str,
        tables: impl Iterator<Item = &'a TableChange>,
    ) {
        let mut any = false;
        for table in tables {
            any = true;
            let mode = match (&table.before, &table.after) {
                (Some(before), Some(after)) => format!("{before} → {after}"),
                (None, Some(after)) => after.clone(),
                (Some(before), None) => format!("no longer written (was {before})"),
                (None, None) => String::new(),
            };
            self.item(
                out,
                format_args!("{word} {}: {mode}", self.code(&table.table)),
            );
        }
        if any && word == "writes" {
            out.push('\n');
        }
    }
}
