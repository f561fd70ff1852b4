//! `variables …`, and `keys …`: what else is sealed, and sealing it again.

use clap::{Args, Subcommand};
use reqwest::Method;
use tidemill_scheduler::gateway::{
    CommandReply, ResealBody, ResealReply, RevealBody, RevealReply, VariableBody, VariableView,
};

use crate::config::Environment;
use crate::connections::flags::{ByArgs, ChangeArgs, LookArgs, on};
use crate::connections::values::{Values, name};
use crate::connections::{RemoveArgs, done, printed, remove, touched};
use crate::door::run as on_runtime;
use crate::output::{Output, count};
use crate::table::table;

#[derive(Debug, Subcommand)]
pub(crate) enum VariablesCommand {
    /// List the variables that are kept in the database, without their values.
    List(LookArgs),
    /// Print the value of one. The audit log says that you asked.
    #[command(after_help = "Example:\n  variables get region")]
    Get(GetArgs),
    /// Make or change one.
    #[command(
        after_help = "Examples:\n  variables set region eu --note \"where we are\"\n  pass show crm | variables set crm_code -"
    )]
    Set(SetArgs),
    /// Take one away.
    Remove(RemoveArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Seal all connections and variables under the first key: after this the other keys can go.
    #[command(after_help = "Examples:\n  keys reseal --dry-run\n  keys reseal")]
    Reseal(ResealArgs),
}

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// Its name.
    #[arg(value_parser = name)]
    name: String,
    #[command(flatten)]
    asks: ByArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// Its name.
    #[arg(value_parser = name)]
    name: String,
    /// Its value: `-` for what comes by stdin, `@file` for what is in a file.
    #[arg(allow_hyphen_values = true)]
    value: String,
    /// What it is for, for people. Without it the note stays; an empty one goes.
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ResealArgs {
    /// Change nothing, only say what would change.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    asks: ByArgs,
}

type Done = Result<Output, Output>;

/// Does what the command line says.
pub(crate) fn run(command: &VariablesCommand, environment: &Environment) -> Output {
    on_runtime(async {
        let done = match command {
            VariablesCommand::List(args) => list(args, environment).await,
            VariablesCommand::Get(args) => get(args, environment).await,
            VariablesCommand::Set(args) => set(args, environment).await,
            VariablesCommand::Remove(args) => {
                remove("variable", "/api/v1/variables", args, environment).await
            }
        };
        done.unwrap_or_else(|output| output)
    })
}

/// Does what the command line says of keys.
pub(crate) fn run_keys(command: &KeysCommand, environment: &Environment) -> Output {
    let KeysCommand::Reseal(args) = command;
    on_runtime(async {
        let done = reseal(args, environment).await;
        done.unwrap_or_else(|output| output)
    })
}

async fn list(args: &LookArgs, environment: &Environment) -> Done {
    let leader = args.open(environment)?;
    let all: Vec<VariableView> = leader.look("/api/v1/variables").await?.unwrap_or_default();
    if args.json {
        return Ok(printed(&all));
    }
    if all.is_empty() {
        return Ok(Output::default().talk("there are no variables in the database"));
    }
    let rows = all.iter().map(|one| {
        let note = one.note.clone().unwrap_or_default();
        let edits = one.edits.to_string();
        vec![one.name.clone(), edits, touched(one.touched.as_ref()), note]
    });
    let rows: Vec<_> = rows.collect();
    let mut output = Output::data(table(&["NAME", "EDITS", "CHANGED", "NOTE"], &rows));
    for problem in all.iter().filter_map(|one| one.problem.as_ref()) {
        output = output.talk(format_args!("warning: {problem}"));
    }
    Ok(output)
}

async fn get(args: &GetArgs, environment: &Environment) -> Done {
    let leader = args.asks.open(environment)?;
    let body = RevealBody {
        by: args.asks.by(environment),
    };
    let path = format!("/api/v1/variables/{}/reveal", args.name);
    let request = on(&Method::POST, &path, false);
    let reply: RevealReply = leader.send(request, Some(&body)).await?;
    Ok(Output::data(reply.value + "\n"))
}

async fn set(args: &SetArgs, environment: &Environment) -> Done {
    let (value, _) = Values::new(environment, std::io::stdin()).meant(&args.value)?;
    let asks = &args.change.asks;
    let leader = asks.open(environment)?;
    let body = VariableBody {
        by: asks.by(environment),
        seen: args.change.seen,
        dry_run: args.change.dry_run,
        value,
        note: args.note.clone(),
    };
    let path = format!("/api/v1/variables/{}", args.name);
    let request = on(&Method::PUT, &path, !body.dry_run);
    let reply: CommandReply = leader.send(request, Some(&body)).await?;
    let text = format!("set the variable `{}`", args.name);
    Ok(done(&text, body.dry_run, &reply))
}

async fn reseal(args: &ResealArgs, environment: &Environment) -> Done {
    let leader = args.asks.open(environment)?;
    let body = ResealBody {
        by: args.asks.by(environment),
        dry_run: args.dry_run,
    };
    let request = on(&Method::POST, "/api/v1/reseal", !args.dry_run);
    let reply: ResealReply = leader.send(request, Some(&body)).await?;
    if args.json {
        return Ok(printed(&reply));
    }
    let key = &reply.key;
    if reply.connections.is_empty() && reply.variables.is_empty() {
        let text = format!("nothing to do: everything is sealed under the key `{key}`\n");
        return Ok(Output::data(text));
    }
    let text = format!(
        "sealed {} and {} under the key `{key}`",
        count(reply.connections.len(), "connection"),
        count(reply.variables.len(), "variable"),
    );
    let reply = CommandReply {
        changed: reply.changed,
    };
    let again = !reply.changed.remarks.is_empty();
    let output = done(&text, args.dry_run, &reply);
    Ok(if again {
        output.talk("run it once more for what was changed meanwhile")
    } else {
        output
    })
}
