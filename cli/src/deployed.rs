//! `dags pause`, `unpause`, `deploy`, `remove`: the DAGs of a running Tidemill.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use tidemill_core::author::Dags;
use tidemill_core::spec::DagSpec;
use tidemill_scheduler::engine::{Command, Pausable};

use crate::config::Environment;
use crate::output::{INVALID, Output, count};
use crate::remote::{ChangeArgs, Reads};
use crate::table::table;

#[derive(Debug, Args)]
pub(crate) struct NamedArgs {
    /// The DAG.
    dag: String,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Serialize)]
struct DeployBody<'a> {
    by: &'a str,
    specs: &'a [Arc<DagSpec>],
    pools: &'a BTreeMap<String, Option<u32>>,
}

pub(crate) fn pause(args: &NamedArgs, pause: bool, environment: &Environment) -> Output {
    let done = || {
        let changes = args.change.open(environment)?;
        let (row, _) = changes.remote.dag(&args.dag)?;
        let (done, undone) = if pause {
            ("paused", "unpaused")
        } else {
            ("unpaused", "paused")
        };
        let was = if row.paused == pause { done } else { undone };
        let what = Pausable::Dag(row.id);
        changes.send(
            &format!("{done} {} (was {was})", args.dag),
            Command::Pause { what, pause },
        )
    };
    done().unwrap_or_else(|wrong: Output| wrong)
}

pub(crate) fn remove(args: &NamedArgs, environment: &Environment) -> Output {
    let done = || {
        let changes = args.change.open(environment)?;
        let dag = changes.remote.dag(&args.dag)?.0.id;
        changes.send(&format!("removed {}", args.dag), Command::RemoveDag { dag })
    };
    done().unwrap_or_else(|wrong: Output| wrong)
}

/// What deploying makes of one DAG.
#[derive(Debug, Serialize)]
struct Fate {
    dag: String,
    what: &'static str,
    from: Option<String>,
    to: Option<String>,
}

pub(crate) fn deploy(args: &DeployArgs, dags: &Dags, environment: &Environment) -> Output {
    deployed(args, dags, environment).unwrap_or_else(|wrong| wrong)
}

fn deployed(args: &DeployArgs, dags: &Dags, environment: &Environment) -> Result<Output, Output> {
    let project = dags.validate();
    if !project.problems.is_empty() {
        let mut output = Output::default().code(INVALID);
        for problem in &project.problems {
            output = output.talk(format_args!("error: {problem}"));
        }
        let found = count(project.problems.len(), "problem");
        return Err(output.talk(format_args!("{found}; nothing was changed")));
    }
    let specs: Vec<Arc<DagSpec>> = project
        .dags
        .iter()
        .map(|dag| Arc::new(dag.spec().clone()))
        .collect();
    let changes = args.change.open(environment)?;
    let known = changes.remote.read(changes.remote.reads.dags())?;
    let mut fates: Vec<Fate> = specs
        .iter()
        .map(|spec| {
            let to = spec.version().short().to_owned();
            let row = known.iter().find(|row| row.id == *spec.id());
            let from = row.and_then(|row| row.version.as_ref());
            let what = match (row, from) {
                (None, _) => "new",
                (Some(_), None) => "back after it was removed",
                (Some(_), Some(from)) if *from == spec.version() => "unchanged",
                (Some(_), Some(_)) => "changed",
            };
            let from = from.map(|from| from.short().to_owned());
            Fate {
                dag: spec.id().to_string(),
                what,
                from,
                to: Some(to),
            }
        })
        .collect();
    let others = known
        .iter()
        .filter(|row| row.version.is_some() && !specs.iter().any(|spec| *spec.id() == row.id));
    fates.extend(others.map(|row| {
        Fate {
            dag: row.id.to_string(),
            what: "not in this binary, left as it is",
            from: row
                .version
                .as_ref()
                .map(|version| version.short().to_owned()),
            to: None,
        }
    }));
    let asking = changes.asking();
    if !asking.dry_run {
        let body = DeployBody {
            by: &asking.by,
            specs: &specs,
            pools: &project.resources.pools,
        };
        if matches!(changes.remote.reads, Reads::Web(_)) {
            return Err(Output::usage(
                "a web server takes no DAGs",
                "deploy with the address of the scheduler and its own token",
            ));
        }
        changes.remote.post::<()>("/api/v1/deploy", &body, true)?;
    }
    Ok(said(&fates, asking.dry_run, args.change.json))
}

fn said(fates: &[Fate], dry_run: bool, json: bool) -> Output {
    if json {
        let document = json!({ "dry_run": dry_run, "dags": fates });
        return Output::data(format!("{document:#}\n"));
    }
    let rows: Vec<Vec<String>> = fates
        .iter()
        .map(|fate| {
            let versions = match (&fate.from, &fate.to) {
                (Some(from), Some(to)) if from != to => format!("{from} → {to}"),
                (from, to) => to.clone().or_else(|| from.clone()).unwrap_or_default(),
            };
            vec![fate.dag.clone(), versions, fate.what.to_owned()]
        })
        .collect();
    let head = if dry_run {
        "would have deployed\n"
    } else {
        "deployed\n"
    };
    Output::data(format!(
        "{head}{}",
        table(&["DAG", "VERSION", "WHAT"], &rows)
    ))
}
