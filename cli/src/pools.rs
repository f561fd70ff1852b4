//! `pools`: how much runs at once.

use clap::{Args, Subcommand};
use serde_json::json;
use tidemill_scheduler::engine::{Command, Pausable};

use crate::config::flags::OfCommand;
use crate::config::{Environment, Flags};
use crate::output::Output;
use crate::remote::{ChangeArgs, Remote};
use crate::table::table;

#[derive(Debug, Subcommand)]
pub(crate) enum PoolsCommand {
    /// List all pools.
    #[command(after_help = "Example:\n  pools list --json")]
    List(ListArgs),
    /// Make a pool, or give it other slots.
    #[command(
        after_help = "Examples:\n  pools set warehouse --slots 8\n  pools set notify --slots unlimited"
    )]
    Set(SetArgs),
    /// Remove a pool; what waits for it waits until it is back.
    #[command(after_help = "Example:\n  pools remove warehouse")]
    Remove(NamedArgs),
    /// Nothing gets a slot of it any more.
    #[command(after_help = "Example:\n  pools pause warehouse")]
    Pause(NamedArgs),
    /// It gives slots again.
    #[command(after_help = "Example:\n  pools unpause warehouse")]
    Unpause(NamedArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

#[derive(Debug, Args)]
pub(crate) struct NamedArgs {
    /// The pool.
    pool: String,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    #[command(flatten)]
    named: NamedArgs,
    /// How many slots it has, or `unlimited`.
    #[arg(long, value_name = "N", value_parser = slots)]
    slots: Slots,
    /// Deferred tasks keep their slots.
    #[arg(long)]
    holds_deferred: bool,
}

/// How many slots; none for any number.
#[derive(Debug, Clone, Copy)]
struct Slots(Option<u32>);

fn slots(text: &str) -> Result<Slots, String> {
    match text {
        "unlimited" => Ok(Slots(None)),
        _ => text
            .parse()
            .map(|slots| Slots(Some(slots)))
            .map_err(|_| "write a number, or `unlimited`".to_owned()),
    }
}

fn shown(slots: Option<u32>) -> String {
    slots.map_or_else(|| "unlimited".to_owned(), |slots| slots.to_string())
}

pub(crate) fn run(command: &PoolsCommand, environment: &Environment) -> Output {
    let pause = |args, pause| paused(args, pause, environment);
    let done = match command {
        PoolsCommand::List(args) => list(args, environment),
        PoolsCommand::Set(args) => set(args, environment),
        PoolsCommand::Remove(args) => remove(args, environment),
        PoolsCommand::Pause(args) => pause(args, true),
        PoolsCommand::Unpause(args) => pause(args, false),
    };
    done.unwrap_or_else(|wrong| wrong)
}

fn list(args: &ListArgs, environment: &Environment) -> Result<Output, Output> {
    let remote = Remote::open(&args.settings, environment)?;
    let pools = remote.read(remote.store.pools())?;
    if args.json {
        let all: Vec<_> = pools
            .iter()
            .map(|pool| {
                json!({
                    "name": pool.name, "slots": pool.slots, "holds_deferred": pool.holds_deferred,
                    "paused": pool.paused, "edits": pool.edits,
                })
            })
            .collect();
        return Ok(Output::data(format!("{:#}\n", json!(all))));
    }
    let yes = |flag| if flag { "yes" } else { "no" }.to_owned();
    let rows: Vec<Vec<String>> = pools
        .iter()
        .map(|pool| {
            let deferred = yes(pool.holds_deferred);
            let edits = pool.edits.to_string();
            vec![
                pool.name.to_string(),
                shown(pool.slots),
                yes(pool.paused),
                deferred,
                edits,
            ]
        })
        .collect();
    let head = ["POOL", "SLOTS", "PAUSED", "HOLDS DEFERRED", "EDITS"];
    Ok(Output::data(table(&head, &rows)))
}

fn set(args: &SetArgs, environment: &Environment) -> Result<Output, Output> {
    let changes = args.named.change.open(environment)?;
    let name = &args.named.pool;
    let pools = changes.remote.read(changes.remote.store.pools())?;
    let was = pools.iter().find(|pool| *pool.name == **name);
    let slots = args.slots.0;
    let done = match was {
        None => format!("made pool {name}: {} slots", shown(slots)),
        Some(was) => format!(
            "set pool {name}: slots {} → {}",
            shown(was.slots),
            shown(slots)
        ),
    };
    let command = Command::SetPool {
        name: name.as_str().into(),
        slots,
        holds_deferred: args.holds_deferred,
    };
    changes.send(&done, command)
}

fn remove(args: &NamedArgs, environment: &Environment) -> Result<Output, Output> {
    let changes = args.change.open(environment)?;
    let name = args.pool.as_str().into();
    changes.send(
        &format!("removed pool {}", args.pool),
        Command::RemovePool { name },
    )
}

fn paused(args: &NamedArgs, pause: bool, environment: &Environment) -> Result<Output, Output> {
    let changes = args.change.open(environment)?;
    let what = Pausable::Pool(args.pool.as_str().into());
    let done = if pause { "paused" } else { "unpaused" };
    let done = format!("{done} pool {}", args.pool);
    changes.send(&done, Command::Pause { what, pause })
}
