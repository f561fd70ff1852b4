//! `audit verify`: whether the audit log is as it was written.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tidemill_store::{Fault, Known, Schema, Verified};

use crate::config::flags::OfDatabase;
use crate::config::{Environment, Flags, Loaded};
use crate::door::{self, failed};
use crate::output::{INVALID, OK, Output, count};

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Look whether each line of the audit log fits the one before it: exit code 1 if one does not.
    ///
    /// Prints the last line of each chain with its hash. Whoever may write the whole database could write a chain anew, so
    /// note the hashes elsewhere now and then, and give them back with `--noted`.
    #[command(
        after_help = "Examples:\n  audit verify\n  audit verify --json | jq '.chains[].last'\n  audit verify --noted 812:5f0c… --noted -44:9a31…"
    )]
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A line with the hash that it had when it was noted; as often as there are such lines.
    #[arg(long, value_name = "LINE:HASH", value_parser = noted, allow_hyphen_values = true)]
    noted: Vec<Known>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfDatabase>,
}

fn noted(text: &str) -> Result<Known, String> {
    let parts = text.split_once(':');
    let read = parts.and_then(|(line, hash)| Some((line.parse::<i64>().ok()?, hash.trim())));
    match read {
        Some((line, hash)) if line != 0 && hash.len() == 64 => Ok(Known {
            line,
            hash: hash.to_ascii_lowercase(),
        }),
        _ => Err("it is the number of a line, a colon, and the 64 letters of its hash".to_owned()),
    }
}

/// Does what the command line says.
pub(crate) fn run(command: &AuditCommand, environment: &Environment) -> Output {
    let AuditCommand::Verify(args) = command;
    let loaded = match args.settings.load(environment) {
        Ok(loaded) => loaded,
        Err(output) => return output,
    };
    let output = door::run(async { verify(&loaded, args).await.unwrap_or_else(|output| output) });
    loaded.warn(output)
}

async fn verify(loaded: &Loaded, args: &VerifyArgs) -> Result<Output, Output> {
    let store = door::open(loaded, Schema::Require).await?;
    let verified = store.verify_audit(&args.noted, None).await;
    let verified = verified.map_err(|error| failed(&error))?;
    store.close().await;
    let fits = verified.iter().all(|one| one.fault.is_none());
    let code = if fits { OK } else { INVALID };
    if args.json {
        let chains: Vec<Value> = verified.iter().map(as_json).collect();
        let all = json!({ "fits": fits, "chains": chains });
        let text = serde_json::to_string_pretty(&all).unwrap_or_default();
        return Ok(Output::data(text + "\n").code(code));
    }
    let mut text = String::new();
    for one in &verified {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{}: {}", one.chain.word(), in_words(one));
    }
    Ok(Output::data(text).code(code))
}

fn as_json(one: &Verified) -> Value {
    let fault = one.fault.as_ref().map(|fault| {
        let (at, actor) = fault.by.clone().unzip();
        json!({ "line": fault.line, "at": at, "actor": actor, "why": fault.found.to_string() })
    });
    json!({
        "chain": one.chain.word(),
        "lines": one.lines,
        "older": one.older,
        "last": { "line": one.last.line, "hash": one.last.hash },
        "fault": fault,
    })
}

fn in_words(one: &Verified) -> String {
    let older = if one.older == 0 {
        String::new()
    } else {
        let lines = count(usize::try_from(one.older).unwrap_or(usize::MAX), "line");
        format!("; {lines} before them are older than the chain, and not checked")
    };
    let lines = count(usize::try_from(one.lines).unwrap_or(usize::MAX), "line");
    match &one.fault {
        Some(fault) => format!("{}; {lines} before it fit{older}", misfit(fault)),
        None if one.last.hash.is_empty() => format!("no line yet{older}"),
        None => {
            let Known { line, hash } = &one.last;
            format!("{lines} fit{older}; the last is {line}:{hash}")
        }
    }
}

/// Which line does not fit, whose it is, and why.
pub(crate) fn misfit(fault: &Fault) -> String {
    let Fault { line, by, found } = fault;
    match by {
        Some((at, actor)) => format!("line {line} ({at}, {actor:?}) {found}"),
        None => format!("line {line} {found}"),
    }
}
