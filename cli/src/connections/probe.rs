//! `connections test`: whether a connection works, said in words.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::json;
use tidemill_core::operator::{BoxFuture, Connection};
use tidemill_operators::http::{Clients, Pace};
use tidemill_operators::probe::{Finding, probe};
use tidemill_scheduler::secrets::connection_in;
use tidemill_store::Schema;

use super::Done;
use super::values::name;
use crate::clock;
use crate::config::flags::OfSealed;
use crate::config::{Environment, Flags};
use crate::door;
use crate::output::{INVALID, OK, Output};
use crate::serve;

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Its name.
    #[arg(value_parser = name)]
    name: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfSealed>,
}

/// The clock of this process, and where it says that something takes longer. Nobody tells a command to stop: it is ended.
pub(crate) struct Now(pub(crate) Option<fn(&str)>);

impl Pace for Now {
    fn now(&self) -> DateTime<Utc> {
        clock::now()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(span))
    }

    fn is_cancelled(&self) -> bool {
        false
    }

    fn warn(&self, line: &str) {
        if let Some(say) = self.0 {
            say(line);
        }
    }
}

/// Asks the other side for something cheap.
pub(super) async fn test(args: &TestArgs, environment: &Environment) -> Done {
    let connection = find(&args.name, &args.settings, environment).await?;
    let clients = Clients::new(serve::machine::of(environment));
    let found = probe(&clients, &connection, Arc::new(Now(environment.says()))).await;
    let works = found.iter().all(|one| one.works);
    let code = if works { OK } else { INVALID };
    if args.json {
        return Ok(as_json(&connection, &found).code(code));
    }
    let mut output = Output::data(as_lines(&found)).code(code);
    let name = &connection.name;
    output = output.and(if works {
        format!("`{name}` works from this machine")
    } else {
        format!("`{name}` does not work from this machine")
    });
    Ok(output)
}

/// The connection with its secrets. They are opened here and leave this process only towards the other side, so this has to
/// be where the keys are; a variable of the environment goes first, as everywhere.
pub(crate) async fn find(
    name: &str,
    settings: &Flags<OfSealed>,
    environment: &Environment,
) -> Result<Connection, Output> {
    let variables = environment.beginning("TIDEMILL_CONN_");
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let failed = |error: &dyn std::error::Error| Output::failed(door::chain(error), INVALID);
    if let Some(given) = connection_in(&variables.collect(), name) {
        return given.map_err(|error| failed(&error));
    }
    let loaded = settings.load(environment)?;
    let store = door::open(&loaded, Schema::Require).await?;
    let keys = serve::keys(&loaded)?;
    let secrets = serve::secrets(&loaded, &store, &keys, environment)?;
    let found = secrets.connection(name, clock::now().into()).await;
    store.close().await;
    found.map_err(|error| failed(&error))
}

fn as_json(connection: &Connection, found: &[Finding]) -> Output {
    let findings: Vec<_> = found
        .iter()
        .map(|one| json!({ "what": one.what, "works": one.works, "says": one.says, "help": one.help }))
        .collect();
    super::printed(
        &json!({ "name": connection.name, "kind": connection.kind, "findings": findings }),
    )
}

fn as_lines(found: &[Finding]) -> String {
    let width = found.iter().map(|one| one.what.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding {
        works,
        what,
        says,
        help,
    } in found
    {
        let mark = if *works { "ok " } else { "bad" };
        text.push_str(&format!("{mark}  {what:width$}  {says}\n"));
        if !help.is_empty() {
            text.push_str(&format!("{:5}{:width$}  help: {help}\n", "", ""));
        }
    }
    text
}
