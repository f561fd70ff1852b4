//! `sandbox faults`, `sandbox journal`, `sandbox received`: a sandbox that runs, from the terminal.

mod ask;
mod faults;
mod journal;
mod received;

use clap::{Subcommand, ValueEnum};
use serde_json::Value;

use crate::config::Environment;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// Set faults, list them, take them away.
    Faults {
        #[command(subcommand)]
        command: faults::FaultsCommand,
    },
    /// Show every request that was made, and what it changed.
    #[command(
        after_help = "Examples:\n  sandbox journal\n  sandbox journal --service bigquery --effects --follow\n  sandbox journal --method 'storage.objects.insert' --json | jq '.entries[].effects'"
    )]
    Journal(journal::JournalArgs),
    /// Show what Slack, mail and the others would have got.
    #[command(
        after_help = "Examples:\n  sandbox received\n  sandbox received --channel slack --json | jq '.messages[].body'"
    )]
    Received(received::ReceivedArgs),
}

pub(crate) fn run(command: &SandboxCommand, environment: &Environment) -> Output {
    let done = match command {
        SandboxCommand::Faults { command } => faults::run(command, environment),
        SandboxCommand::Journal(args) => journal::run(args, environment),
        SandboxCommand::Received(args) => received::run(args, environment),
    };
    done.unwrap_or_else(|wrong| wrong)
}

/// A service of the sandbox, by the name that its API uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum ServiceName {
    /// Cloud Storage.
    Storage,
    /// `BigQuery`.
    Bigquery,
    /// Dataflow.
    Dataflow,
    /// Dataproc.
    Dataproc,
    /// Databricks.
    Databricks,
    /// dbt Cloud.
    DbtCloud,
    /// Airbyte.
    Airbyte,
    /// Cloud SQL.
    CloudSql,
    /// Cloud Run.
    CloudRun,
    /// Cloud Functions.
    Functions,
    /// Vertex AI.
    Vertex,
    /// Secret Manager.
    Secrets,
    /// Pub/Sub.
    Pubsub,
    /// The CRM of the included DAGs.
    Crm,
    /// Receivers of alerts.
    Receivers,
    /// Tokens.
    Tokens,
    /// The sandbox's own methods.
    Sandbox,
}

/// As a value of a command line and of the API.
fn word(value: impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

/// A text in JSON; empty if it is not there.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

/// What others wrote, for a terminal: what would move its cursor is shown as what it is.
fn plain(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c.to_string(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(shown).collect()
}

/// The same on one line.
fn on_one_line(text: &str) -> String {
    plain(&text.replace(['\r', '\n', '\t'], " "))
}

/// A moment to the second.
fn moment(value: &Value) -> String {
    let at = text(value, "at");
    let seconds = at.get(..19).unwrap_or(at);
    on_one_line(&seconds.replace('T', " "))
}

#[cfg(all(test, feature = "sandbox"))]
mod tests {
    use tidemill_sandbox::Service;

    use super::*;

    #[test]
    fn the_services_are_those_that_the_sandbox_has() {
        let names: Vec<String> = ServiceName::value_variants()
            .iter()
            .map(|name| word(*name))
            .collect();
        // Whoever asks for one that is not there is told all that are.
        let error = serde_json::from_str::<Service>("\"none\"").unwrap_err();
        let error = error.to_string();
        let known = error.split_once("expected one of ").map(|(_, list)| list);
        let known = known.and_then(|list| list.split_once(" at line"));
        let known: Vec<String> = known
            .map(|(list, _)| list.split(", "))
            .into_iter()
            .flatten()
            .map(|name| name.trim_matches('`').to_owned())
            .collect();
        assert_eq!(names, known);
    }
}
