//! `db migrate`, `db status`, `db check` and `db clean`.

mod clean;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tidemill_core::span;
use tidemill_core::time::Timestamp;
use tidemill_store::{Holder, Migration, Schema, StoreError};

use crate::clock;
use crate::config::flags::OfDatabase;
use crate::config::{Environment, Flags, Loaded};
use crate::door::{self, failed};
use crate::output::{INVALID, Output, count};
use crate::table::table;

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Make the tables, or bring them up to this release.
    #[command(after_help = "Example:\n  db migrate --database postgres://tidemill@db/tidemill")]
    Migrate(Common),
    /// Show the schema and who leads: exit code 1 if the schema is behind.
    Status(Common),
    /// Look for what should not be: exit code 1 if something was found.
    Check(Common),
    /// Take old history away: ended runs with all that belongs to them, their logs, too. Safe beside a running scheduler.
    #[command(
        after_help = "Logs in a folder go where that folder is: clean on its machine.\n\nExamples:\n  db clean --older-than 90d --dry-run\n  db clean --older-than 30d --dag crm_daily --keep-loads"
    )]
    Clean(clean::CleanArgs),
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfDatabase>,
}

/// Does what the command line says.
pub(crate) fn run(command: &DbCommand, environment: &Environment) -> Output {
    let loaded = match command {
        DbCommand::Migrate(common) | DbCommand::Status(common) | DbCommand::Check(common) => {
            common.settings.load(environment)
        }
        DbCommand::Clean(args) => args.load(environment),
    };
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(output) => return output,
    };
    let output = door::run(async {
        let done = match command {
            DbCommand::Migrate(args) => migrate(&loaded, args.json).await,
            DbCommand::Status(args) => status(&loaded, args.json).await,
            DbCommand::Check(args) => check(&loaded, args.json).await,
            DbCommand::Clean(args) => clean::clean(&loaded, args, environment).await,
        };
        done.unwrap_or_else(|output| output)
    });
    loaded.warn(output)
}

type Done = Result<Output, Output>;

fn or_failed<T>(done: Result<T, StoreError>) -> Result<T, Output> {
    done.map_err(|error| failed(&error))
}

async fn migrate(loaded: &Loaded, json: bool) -> Done {
    let is_new = |file: &std::path::Path| !file.exists();
    let before = if loaded.settings.database.file().is_some_and(is_new) {
        Vec::new()
    } else {
        let looked = door::open(loaded, Schema::Leave).await?;
        let before = or_failed(looked.migrations().await)?;
        looked.close().await;
        before
    };
    let store = door::open(loaded, Schema::Migrate).await?;
    let after = or_failed(store.migrations().await)?;
    store.close().await;
    let had = |number: i64| {
        before
            .iter()
            .any(|step| step.number == number && step.applied_at.is_some())
    };
    let taken: Vec<&Migration> = after.iter().filter(|step| !had(step.number)).collect();
    if json {
        let taken: Vec<i64> = taken.iter().map(|step| step.number).collect();
        return Ok(printed(&json!({ "taken": taken, "steps": steps(&after) })));
    }
    let lines: Vec<String> = taken
        .iter()
        .map(|step| format!("took step {} ({})\n", step.number, step.name))
        .collect();
    Ok(Output::data(if lines.is_empty() {
        format!(
            "nothing to do: {} taken before\n",
            count(after.len(), "step")
        )
    } else {
        lines.concat()
    }))
}

async fn status(loaded: &Loaded, json: bool) -> Done {
    let store = door::open(loaded, Schema::Leave).await?;
    let all = or_failed(store.migrations().await)?;
    let behind = all.iter().filter(|step| step.applied_at.is_none()).count();
    let holder = if behind == 0 {
        Some(or_failed(store.holder().await)?)
    } else {
        None
    };
    store.close().await;
    let code = if behind == 0 { 0 } else { INVALID };
    if json {
        let leader = holder.as_ref().map(|holder| {
            json!({
                "name": holder.name, "term": holder.term, "rest": span::text(holder.rest),
            })
        });
        let all = json!({ "behind": behind, "steps": steps(&all), "leader": leader });
        return Ok(printed(&all).code(code));
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|step| {
            let taken = step
                .applied_at
                .map_or("not yet".to_owned(), |at| at.to_string());
            vec![step.number.to_string(), step.name.clone(), taken]
        })
        .collect();
    let mut text = table(&["STEP", "NAME", "TAKEN"], &rows);
    if let Some(holder) = &holder {
        text.push_str(&format!("\n{}\n", leads(holder)));
    }
    let output = Output::data(text).code(code);
    Ok(if behind == 0 {
        output
    } else {
        output.talk(format_args!(
            "{} to take: run `db migrate`",
            count(behind, "step")
        ))
    })
}

/// Who leads, in a sentence.
pub(crate) fn leads(holder: &Holder) -> String {
    if holder.name.is_empty() {
        return format!("nobody leads; the last term was {}", holder.term);
    }
    let (name, term) = (&holder.name, holder.term);
    if holder.rest.is_zero() {
        format!("nobody leads; `{name}` did in term {term}, and its lease is over")
    } else {
        let rest = span::text(holder.rest);
        format!("`{name}` leads in term {term}; its lease lasts another {rest} unless renewed")
    }
}

async fn check(loaded: &Loaded, json: bool) -> Done {
    let store = door::open(loaded, Schema::Require).await?;
    let found = or_failed(store.check(now()).await)?;
    store.close().await;
    let code = if found.is_empty() { 0 } else { INVALID };
    if json {
        let all: Vec<Value> = found
            .iter()
            .map(|one| json!({ "check": one.check, "rule": one.sentence, "subject": one.subject }))
            .collect();
        return Ok(printed(&json!({ "violations": all })).code(code));
    }
    if found.is_empty() {
        return Ok(Output::data("everything is as it should be\n"));
    }
    let mut by_rule: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for one in &found {
        let subjects = by_rule.entry((one.check, one.sentence)).or_default();
        subjects.push(&one.subject);
    }
    let mut text = String::new();
    for ((check, sentence), subjects) in by_rule {
        text.push_str(&format!("{check}: {sentence} It is not so for:\n"));
        for subject in subjects {
            text.push_str(&format!("  {subject}\n"));
        }
    }
    let says = format!("{} found", count(found.len(), "violation"));
    Ok(Output::data(text).talk(says).code(code))
}

fn steps(all: &[Migration]) -> Vec<Value> {
    let steps = all
        .iter()
        .map(|step| json!({ "number": step.number, "name": step.name, "taken": step.applied_at }));
    steps.collect()
}

fn printed(value: &Value) -> Output {
    Output::data(serde_json::to_string_pretty(value).unwrap_or_default() + "\n")
}

/// What time it is, as stored.
pub(crate) fn now() -> Timestamp {
    clock::now().into()
}
