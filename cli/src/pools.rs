//! `pools`: how much runs at once.

use clap::{Args, Subcommand};
use serde_json::json;
use tidemill_scheduler::engine::{Command, Pausable, PoolView};

use crate::config::flags::OfCommand;
use crate::config::{Environment, Flags};
use crate::output::Output;
use crate::remote::{ChangeArgs, Remote, unasked};
use crate::table::table;

#[derive(Debug, Subcommand)]
pub(crate) enum PoolsCommand {
    /// List all pools.
    #[command(after_help = "Example:\n  pools list --json")]
    List(ListArgs),
    /// Make a pool, or give it other slots.
    #[command(
        after_help = "Examples:\n  pools set warehouse --slots 8 --note \"what the warehouse takes at once\"\n  pools set notify --slots unlimited"
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
    /// What it is for, for people. It stays as it is without this; an empty one takes it away.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
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
    // The scheduler knows those that nobody set, and what is taken; without one there is still what was set.
    let asked: Option<Vec<PoolView>> = remote.pools().ok().flatten();
    let known = asked.is_some();
    let pools = match asked {
        Some(pools) => pools,
        None => stored(&remote)?,
    };
    let output = if args.json {
        Output::data(format!("{:#}\n", json!(pools)))
    } else {
        Output::data(listed(&pools))
    };
    if known {
        return Ok(output);
    }
    Ok(output.talk(
        "no scheduler answers: these are the pools that were set, and what is taken is not known",
    ))
}

/// Pools as they were set.
fn stored(remote: &Remote) -> Result<Vec<PoolView>, Output> {
    let pools = remote.read(remote.reads.pools())?;
    Ok(pools.into_iter().map(unasked).collect())
}

fn listed(pools: &[PoolView]) -> String {
    let yes = |flag| if flag { "yes" } else { "no" }.to_owned();
    let rows: Vec<Vec<String>> = pools
        .iter()
        .map(|pool| {
            vec![
                pool.name.to_string(),
                shown(pool.slots),
                pool.used
                    .map_or_else(|| "?".to_owned(), |used| used.to_string()),
                yes(pool.paused),
                yes(pool.holds_deferred),
                pool.edits.to_string(),
                pool.note.as_deref().unwrap_or_default().replace('\n', " "),
            ]
        })
        .collect();
    let head = [
        "POOL",
        "SLOTS",
        "USED",
        "PAUSED",
        "HOLDS DEFERRED",
        "EDITS",
        "NOTE",
    ];
    table(&head, &rows)
}

fn set(args: &SetArgs, environment: &Environment) -> Result<Output, Output> {
    let changes = args.named.change.open(environment)?;
    let name = &args.named.pool;
    let pools = changes.remote.read(changes.remote.reads.pools())?;
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
        note: args.note.as_deref().map(Into::into),
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
