//! `sandbox journal`: every request, and what it changed.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::ask::Asked;
use super::{ServiceName, moment, on_one_line, text, word};
use crate::config::flags::OfSandboxCommand;
use crate::config::{Environment, Flags};
use crate::output::{Output, print};

/// Between two looks of somebody who follows.
const EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(crate) struct JournalArgs {
    /// Only requests to this service.
    #[arg(long, value_enum)]
    service: Option<ServiceName>,
    /// Only this method, such as `bigquery.jobs.insert`.
    #[arg(long)]
    method: Option<String>,
    /// Only requests that changed something.
    #[arg(long)]
    effects: bool,
    /// Only what came after the line with this number.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: u64,
    /// Only so many lines, the newest.
    #[arg(long, value_name = "N", default_value_t = 50)]
    last: usize,
    /// Go on with what comes; Ctrl-C ends it.
    #[arg(long, short)]
    follow: bool,
    /// Print JSON; with `--follow` a line each.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfSandboxCommand>,
}

pub(super) fn run(args: &JournalArgs, environment: &Environment) -> Result<Output, Output> {
    let asked = Asked::open(&args.settings, environment)?;
    let mut found = entries(&asked, args, args.after)?;
    let skip = found.len().saturating_sub(args.last);
    found.drain(..skip);
    // Where nobody reads the terminal there is nobody to follow for.
    if !args.follow || !environment.is_own() {
        return Ok(whole(args, &found));
    }
    let mut after = args.after;
    loop {
        for entry in &found {
            after = after.max(number(entry));
            let line = if args.json {
                entry.to_string()
            } else {
                in_words(entry)
            };
            if !print(&line) {
                return Ok(Output::default());
            }
        }
        asked.rest(EVERY);
        found = entries(&asked, args, after)?;
    }
}

fn number(entry: &Value) -> u64 {
    entry.get("number").and_then(Value::as_u64).unwrap_or(0)
}

fn entries(asked: &Asked, args: &JournalArgs, after: u64) -> Result<Vec<Value>, Output> {
    let mut query = vec![("after", after.to_string())];
    if let Some(service) = args.service {
        query.push(("service", word(service)));
    }
    if let Some(method) = &args.method {
        query.push(("method", method.clone()));
    }
    if args.effects {
        query.push(("effects", "true".to_owned()));
    }
    let mut found = asked.get("/sandbox/journal", &query)?;
    match found.get_mut("entries").map(Value::take) {
        Some(Value::Array(entries)) => Ok(entries),
        _ => Ok(Vec::new()),
    }
}

fn whole(args: &JournalArgs, found: &[Value]) -> Output {
    if args.json {
        let found = serde_json::json!({ "entries": found });
        return Output::data(format!("{found:#}\n"));
    }
    if found.is_empty() {
        return Output::default().talk("no request is like this");
    }
    let lines: Vec<String> = found.iter().map(|entry| in_words(entry) + "\n").collect();
    Output::data(lines.concat())
}

/// A line for people, and one more for each effect.
fn in_words(entry: &Value) -> String {
    let status = entry.get("status").and_then(Value::as_u64);
    let status = status.map_or_else(|| "lost".to_owned(), |status| status.to_string());
    let fault = Some(text(entry, "fault")).filter(|fault| !fault.is_empty());
    let fault = fault.map_or_else(String::new, |fault| format!(" [{}]", on_one_line(fault)));
    let mut line = format!(
        "{} {:>6} {status:<4} {}  {}{fault}",
        moment(entry),
        number(entry),
        on_one_line(text(entry, "method")),
        on_one_line(text(entry, "request")),
    );
    let effects = entry.get("effects").and_then(Value::as_array);
    for effect in effects.into_iter().flatten().filter_map(Value::as_str) {
        line.push_str(&format!("\n    {}", on_one_line(effect)));
    }
    line
}
