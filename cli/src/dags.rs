//! `dags list`, `dags show`, `dags graph`.

use std::fmt::Write as _;

use chrono::DateTime;
use serde_json::json;
use tidemill_core::author::{Dag, Dags};
use tidemill_core::id::nearest;
use tidemill_core::params;
use tidemill_core::span;
use tidemill_core::spec::{DagSpec, TaskSpec};
use tidemill_core::state::TriggerRule;

use tidemill_draw::Picture;

use crate::args::{GraphArgs, GraphFormat, ListArgs, ShowArgs};
use crate::clock;
use crate::output::{Output, Style};
use crate::table::table;

/// All DAGs, sorted by name.
fn built(dags: &Dags) -> Vec<Dag> {
    let mut all = dags.build();
    all.sort_by(|a, b| a.spec().id().cmp(b.spec().id()));
    all
}

fn find(dags: &Dags, id: &str) -> Result<Dag, Output> {
    let mut all = built(dags);
    match all.iter().position(|dag| *dag.spec().id() == id) {
        Some(at) => Ok(all.swap_remove(at)),
        None => {
            let help = match nearest(id, all.iter().map(|dag| dag.spec().id().as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`dags list` shows all there are".to_owned(),
            };
            Err(Output::usage(format_args!("there is no DAG `{id}`"), help))
        }
    }
}

/// Tells about a DAG with problems, which is shown all the same.
fn with_problems(output: Output, dag: &Dag, style: Style) -> Output {
    match dag.problems().len() {
        0 => output,
        count => output.talk(style.talk().yellow(format_args!(
            "{} has {}; `dags validate` shows more",
            dag.spec().id(),
            crate::output::count(count, "problem")
        ))),
    }
}

pub(crate) fn list(dags: &Dags, args: &ListArgs, style: Style) -> Output {
    let all = built(dags);
    let wanted = |dag: &&Dag| {
        args.tag
            .as_ref()
            .is_none_or(|tag| dag.spec().notes.tags.contains(tag))
    };
    let shown: Vec<&Dag> = all.iter().filter(wanted).collect();
    if args.json {
        let rows: Vec<_> = shown
            .iter()
            .map(|dag| {
                let spec = dag.spec();
                json!({
                    "id": spec.id(), "version": spec.version(), "schedule": spec.definition.schedule.to_string(),
                    "tasks": spec.definition.tasks.len(), "next_run": next_run_at(spec).map(|at| at.to_rfc3339()), "owner": spec.notes.owner,
                    "tags": spec.notes.tags, "problems": dag.problems().len(),
                })
            })
            .collect();
        return Output::data(pretty(&json!(rows)));
    }
    let rows: Vec<Vec<String>> = shown
        .iter()
        .map(|dag| {
            let spec = dag.spec();
            vec![
                spec.id().to_string(),
                short(&spec.definition.schedule.to_string()),
                spec.definition.tasks.len().to_string(),
                next_run(spec).unwrap_or_else(|| "-".to_owned()),
                spec.notes.owner.clone(),
                spec.notes.tags.join(", "),
            ]
        })
        .collect();
    let head = ["DAG", "SCHEDULE", "TASKS", "NEXT RUN", "OWNER", "TAGS"];
    let output = Output::data(table(&head, &rows));
    shown
        .iter()
        .fold(output, |output, dag| with_problems(output, dag, style))
}

/// When the timetable fires next, in the DAG's zone.
fn next_run_at(spec: &DagSpec) -> Option<DateTime<chrono_tz::Tz>> {
    let definition = &spec.definition;
    let (start, now) = (
        definition.start.unwrap_or(DateTime::UNIX_EPOCH),
        clock::now(),
    );
    let next = definition
        .schedule
        .timing()?
        .next_after(start, now.max(start))?;
    definition
        .end
        .is_none_or(|end| next <= end)
        .then(|| next.with_timezone(&definition.zone()))
}

fn next_run(spec: &DagSpec) -> Option<String> {
    next_run_at(spec).map(|at| at.format("%Y-%m-%d %H:%M %Z").to_string())
}

/// Text on one line of a table, cut where it would push the other columns away.
fn short(text: &str) -> String {
    const CHARS_MAX: usize = 56;
    if text.chars().count() <= CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(CHARS_MAX - 1).chain(['…']).collect()
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

pub(crate) fn show(dags: &Dags, args: &ShowArgs, style: Style) -> Output {
    let dag = match find(dags, &args.dag) {
        Ok(dag) => dag,
        Err(wrong) => return wrong,
    };
    let spec = dag.spec();
    if args.json {
        let mut value = serde_json::to_value(spec).unwrap_or_default();
        value["version"] = json!(spec.version());
        value["params_schema"] = params::schema(&spec.definition.params);
        return with_problems(Output::data(pretty(&value)), &dag, style);
    }
    with_problems(Output::data(described(spec, style)), &dag, style)
}

fn described(spec: &DagSpec, style: Style) -> String {
    let (definition, notes) = (&spec.definition, &spec.notes);
    let mut out = format!(
        "{}  {}\n",
        style.bold(spec.id()),
        style.dim(spec.version().short())
    );
    if let Some(line) = notes.doc.lines().next() {
        out.push_str(&format!("{line}\n"));
    }
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            // Writing into a String cannot fail.
            let _ = writeln!(out, "  {name:<10} {value}");
        }
    };
    fact("schedule", definition.schedule.to_string());
    let day = |at: chrono::DateTime<chrono::Utc>| {
        at.with_timezone(&definition.zone())
            .format("%Y-%m-%d %H:%M %Z")
            .to_string()
    };
    fact("start", definition.start.map(day).unwrap_or_default());
    fact("end", definition.end.map(day).unwrap_or_default());
    fact("next run", next_run(spec).unwrap_or_default());
    fact(
        "catch-up",
        if definition.catchup {
            "every missed interval".to_owned()
        } else {
            "newest interval only".to_owned()
        },
    );
    fact("owner", notes.owner.clone());
    fact("tags", notes.tags.join(", "));
    fact(
        "source",
        notes
            .source
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    );
    for param in &definition.params {
        let default = param.default.as_ref().map_or_else(
            || "must be given".to_owned(),
            |value| format!("default {value}"),
        );
        fact(
            "param",
            format!("{} ({default}) {}", param.name, param.description)
                .trim_end()
                .to_owned(),
        );
    }
    for rule in &definition.alerts {
        fact("alert", format!("on {} to {}", rule.on, rule.alert.route));
    }
    out.push('\n');
    let rows: Vec<Vec<String>> = definition.tasks.iter().map(row).collect();
    out.push_str(&table(&["TASK", "RUNS", "AFTER", "SETTINGS"], &rows));
    out
}

fn row(task: &TaskSpec) -> Vec<String> {
    let after: Vec<&str> = task.upstream.iter().map(|up| up.task.as_str()).collect();
    let after = match after.len() {
        0..=3 => after.join(", "),
        more => format!("{} and {} more", after[..2].join(", "), more - 2),
    };
    let mut settings = Vec::new();
    if task.rule != TriggerRule::AllSuccess {
        settings.push(task.rule.to_string());
    }
    if task.mapping.is_some() {
        settings.push("mapped".to_owned());
    }
    if task.retry.times > 0 {
        settings.push(format!("{} retries", task.retry.times));
    }
    settings.extend(
        task.timeout
            .map(|timeout| format!("timeout {}", span::text(timeout))),
    );
    if task.placement.pool != "default" {
        settings.push(format!("pool {}", task.placement.pool));
    }
    settings.extend(
        task.touches
            .writes
            .iter()
            .map(|to| format!("writes {} ({})", to.table, to.mode)),
    );
    vec![
        task.id.to_string(),
        task.what().to_owned(),
        after,
        settings.join(", "),
    ]
}

pub(crate) fn graph(dags: &Dags, args: &GraphArgs) -> Output {
    let dag = match find(dags, &args.dag) {
        Ok(dag) => dag,
        Err(wrong) => return wrong,
    };
    let picture = Picture::of(dag.spec());
    let text = match args.format {
        GraphFormat::Text => tidemill_draw::terminal(&picture, args.width.clamp(20, 10_000)),
        GraphFormat::Svg => tidemill_draw::svg(&picture),
        GraphFormat::Mermaid => tidemill_draw::mermaid(&picture),
        GraphFormat::Dot => tidemill_draw::dot(&picture),
    };
    Output::data(text).into_file(args.output.as_deref())
}
