//! `sandbox faults`: what is to go wrong.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::ask::Asked;
use super::{ServiceName, on_one_line, text, word};
use crate::config::flags::OfSandboxCommand;
use crate::config::{Environment, Flags};
use crate::output::{Output, count};
use crate::table::table;

#[derive(Debug, Subcommand)]
pub(crate) enum FaultsCommand {
    /// List the faults that are set.
    #[command(after_help = "Examples:\n  sandbox faults list\n  sandbox faults list --json")]
    List(LookArgs),
    /// Set a fault.
    #[command(
        after_help = "Examples:\n  sandbox faults add storage status --status 503 --retry-after 7 --count 2\n  sandbox faults add dataproc lost_after --method 'dataproc.projects.regions.jobs.submit' --count 1\n  sandbox faults add dataflow job_fails --message 'worker lost' --count 1 --after 2"
    )]
    Add(AddArgs),
    /// Take one fault away.
    #[command(after_help = "Example:\n  sandbox faults remove 3")]
    Remove(RemoveArgs),
    /// Take all faults away.
    #[command(after_help = "Example:\n  sandbox faults clear")]
    Clear(ClearArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LookArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfSandboxCommand>,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum KindName {
    /// Nothing is done; it answers with `--status`.
    Status,
    /// The answer waits `--ms`.
    Latency,
    /// Nothing is done and the connection is closed.
    LostBefore,
    /// It is done, and the connection is closed without a word.
    LostAfter,
    /// It is done; the body ends in its middle.
    Truncated,
    /// It is done; the body is a page of HTML.
    Html,
    /// 401: the token has expired.
    ExpiredToken,
    /// 403 that names `--permission`.
    Forbidden,
    /// The quota is spent.
    Quota,
    /// Jobs that are started fail with `--message`.
    JobFails,
    /// Jobs that are started never end.
    JobStuck,
    /// Jobs that are started cannot be found any more.
    JobVanishes,
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Where.
    #[arg(value_enum)]
    service: ServiceName,
    /// What happens.
    #[arg(value_enum)]
    kind: KindName,
    /// Only this method, or those that begin like it if it ends in `*`.
    #[arg(long)]
    method: Option<String>,
    /// So many times; if it is not given, until the fault is taken away.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// So many requests go by first.
    #[arg(long, value_name = "N", default_value_t = 0)]
    after: u32,
    /// Of `status`: which.
    #[arg(long, default_value_t = 503, value_parser = clap::value_parser!(u16).range(400..=599))]
    status: u16,
    /// Of `status`: the seconds of a header `Retry-After`.
    #[arg(long, value_name = "SECONDS")]
    retry_after: Option<u64>,
    /// Of `latency`: milliseconds.
    #[arg(long, default_value_t = 1_000)]
    ms: u64,
    /// Of `forbidden`: which permission is missing.
    #[arg(long, default_value = "bigquery.jobs.create")]
    permission: String,
    /// Of `job_fails`: what the job says.
    #[arg(long, default_value = "a fault of the sandbox")]
    message: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfSandboxCommand>,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Its number, as `list` shows it.
    id: u64,
    #[command(flatten)]
    settings: Flags<OfSandboxCommand>,
}

#[derive(Debug, Args)]
pub(crate) struct ClearArgs {
    #[command(flatten)]
    settings: Flags<OfSandboxCommand>,
}

pub(super) fn run(command: &FaultsCommand, environment: &Environment) -> Result<Output, Output> {
    match command {
        FaultsCommand::List(args) => list(args, environment),
        FaultsCommand::Add(args) => add(args, environment),
        FaultsCommand::Remove(args) => {
            let asked = Asked::open(&args.settings, environment)?;
            asked.delete(&format!("/sandbox/faults/{}", args.id))?;
            Ok(Output::data(format!("fault {} is gone\n", args.id)))
        }
        FaultsCommand::Clear(args) => {
            let asked = Asked::open(&args.settings, environment)?;
            let done = asked.delete("/sandbox/faults")?;
            let gone = done.get("removed").and_then(Value::as_u64).unwrap_or(0);
            let gone = usize::try_from(gone).unwrap_or(usize::MAX);
            Ok(Output::data(format!("{} gone\n", count(gone, "fault"))))
        }
    }
}

fn list(args: &LookArgs, environment: &Environment) -> Result<Output, Output> {
    let asked = Asked::open(&args.settings, environment)?;
    let found = asked.get("/sandbox/faults", &[])?;
    if args.json {
        return Ok(Output::data(format!("{found:#}\n")));
    }
    let faults = found.get("faults").and_then(Value::as_array);
    let rows: Vec<Vec<String>> = faults.into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        return Ok(Output::default().talk("no fault is set"));
    }
    let head = [
        "ID",
        "SERVICE",
        "METHOD",
        "WHAT HAPPENS",
        "TIMES LEFT",
        "AFTER",
    ];
    Ok(Output::data(table(&head, &rows)))
}

fn row(fault: &Value) -> Vec<String> {
    let number = |name: &str| fault.get(name).and_then(Value::as_u64);
    let method = Some(text(fault, "method")).filter(|method| !method.is_empty());
    vec![
        number("id").unwrap_or(0).to_string(),
        on_one_line(text(fault, "service")),
        on_one_line(method.unwrap_or("every")),
        on_one_line(&happens(fault.get("kind").unwrap_or(&Value::Null))),
        number("count").map_or_else(|| "any".to_owned(), |count| count.to_string()),
        number("after").unwrap_or(0).to_string(),
    ]
}

/// `status status=503 retry_after=7`
fn happens(kind: &Value) -> String {
    match kind {
        Value::String(name) => name.clone(),
        Value::Object(map) => {
            let mut words = Vec::new();
            for (name, values) in map {
                words.push(name.clone());
                for (key, value) in values.as_object().into_iter().flatten() {
                    match value {
                        Value::Null => {}
                        Value::String(text) => words.push(format!("{key}={text}")),
                        other => words.push(format!("{key}={other}")),
                    }
                }
            }
            words.join(" ")
        }
        _ => String::new(),
    }
}

fn add(args: &AddArgs, environment: &Environment) -> Result<Output, Output> {
    let asked = Asked::open(&args.settings, environment)?;
    let name = word(args.kind);
    let values = match args.kind {
        KindName::Status => Some(json!({ "status": args.status, "retry_after": args.retry_after })),
        KindName::Latency => Some(json!({ "ms": args.ms })),
        KindName::Forbidden => Some(json!({ "permission": args.permission })),
        KindName::JobFails => Some(json!({ "message": args.message })),
        _ => None,
    };
    let kind = match values {
        None => Value::String(name),
        Some(values) => Value::Object(Map::from_iter([(name, values)])),
    };
    let fault = json!({
        "service": word(args.service), "method": args.method, "count": args.count, "after": args.after, "kind": kind,
    });
    let done = asked.post("/sandbox/faults", &fault)?;
    if args.json {
        return Ok(Output::data(format!("{done:#}\n")));
    }
    let id = done.get("id").and_then(Value::as_u64).unwrap_or(0);
    Ok(Output::data(format!(
        "fault {id} is set; `sandbox faults remove {id}` takes it away\n"
    )))
}
