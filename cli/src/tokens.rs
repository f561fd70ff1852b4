//! `tokens`: what programs come in with, in the name of a user.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tidemill_access::{Pattern, Role, Secret};
use tidemill_core::span;
use tidemill_core::time::Timestamp;
use tidemill_store::Store;
use tidemill_store::access::By;
use tidemill_store::record::TokenRow;

use crate::config::Environment;
use crate::db::now;
use crate::door::failed;
use crate::output::{INVALID, Output, UNREACHABLE};
use crate::table::table;
use crate::users::{ChangeArgs, LookArgs, unknown, user_name};

#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// List tokens: whose, what they may do, when they end, when they were used. Their secrets are kept nowhere.
    #[command(after_help = "Examples:\n  tokens list\n  tokens list --user ann --json")]
    List(ListArgs),
    /// Make a token, and print it once.
    #[command(
        after_help = "Examples:\n  tokens make ci --user ann --role operator --ends-in 90d\n  tokens make crm --user ann --dag 'crm_*'"
    )]
    Make(MakeArgs),
    /// A token is good for nothing any more.
    #[command(after_help = "Example:\n  tokens revoke 66687aadf862")]
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those of this user.
    #[arg(long, value_name = "NAME", value_parser = user_name)]
    user: Option<String>,
    #[command(flatten)]
    look: LookArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MakeArgs {
    /// What it is for.
    name: String,
    /// In whose name it acts.
    #[arg(long, value_name = "NAME", value_parser = user_name)]
    user: String,
    /// The most that it may do: viewer, operator or admin.
    #[arg(long, default_value = "viewer")]
    role: Role,
    /// Only these DAGs, as often as needed: a name, where `*` is any letters, or `tag:` and a tag.
    #[arg(long = "dag", value_name = "DAGS")]
    dags: Vec<Pattern>,
    /// How long it is good: 90d, 12h.
    #[arg(long, value_name = "SPAN", default_value = "90d", value_parser = span::parse)]
    ends_in: Duration,
    /// It does not end by itself.
    #[arg(long, conflicts_with = "ends_in")]
    endless: bool,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// Its id, as `tokens list` shows it.
    id: String,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Does what the command line says.
pub(crate) fn run(command: &TokensCommand, environment: &Environment) -> Output {
    match command {
        TokensCommand::List(args) => {
            let look = &args.look;
            look.run(environment, async |store| list(store, args).await)
        }
        TokensCommand::Make(args) => {
            let work = async |store: &Store, by: By<'_>| make(store, args, by).await;
            args.change.run(environment, work)
        }
        TokensCommand::Revoke(args) => {
            let work = async |store: &Store, by: By<'_>| revoke(store, args, by).await;
            args.change.run(environment, work)
        }
    }
}

/// Where a token stands.
fn state(token: &TokenRow, at: Timestamp) -> &'static str {
    match (&token.revoked, token.ends_at) {
        (Some(_), _) => "revoked",
        (None, Some(ends)) if ends <= at => "over",
        _ => "active",
    }
}

async fn list(store: &Store, args: &ListArgs) -> Result<Output, Output> {
    let tokens = store.tokens(args.user.as_deref()).await;
    let (tokens, at) = (tokens.map_err(|error| failed(&error))?, now());
    if args.look.json {
        let all: Vec<Value> = tokens
            .iter()
            .map(|token| {
                json!({
                    "id": token.id, "name": token.name, "user": token.user, "role": token.role, "dags": token.dags,
                    "state": state(token, at), "created_at": token.created_at, "ends_at": token.ends_at,
                    "used_at": token.used_at,
                })
            })
            .collect();
        return Ok(Output::data(format!("{:#}\n", json!(all))));
    }
    if tokens.is_empty() {
        return Ok(Output::default().talk("there are no tokens; `tokens make` makes one"));
    }
    let when = |at: Option<Timestamp>| at.map_or("never".to_owned(), |at| at.to_string());
    let rows: Vec<Vec<String>> = tokens
        .iter()
        .map(|token| {
            let dags = if token.dags.is_empty() {
                "all".to_owned()
            } else {
                token.dags.join(" ")
            };
            vec![
                token.id.to_string(),
                token.name.to_string(),
                token.user.to_string(),
                token.role.to_string(),
                dags,
                state(token, at).to_owned(),
                when(token.ends_at),
                when(token.used_at),
            ]
        })
        .collect();
    let head = [
        "ID", "NAME", "USER", "ROLE", "DAGS", "STATE", "ENDS", "USED",
    ];
    Ok(Output::data(table(&head, &rows)))
}

async fn make(store: &Store, args: &MakeArgs, by: By<'_>) -> Result<Output, Output> {
    let secret = Secret::new().map_err(|error| Output::failed(error, UNREACHABLE))?;
    let new = TokenRow {
        id: secret.id().into(),
        hash: secret.hash().into(),
        name: args.name.as_str().into(),
        user: args.user.as_str().into(),
        role: args.role,
        dags: args
            .dags
            .iter()
            .map(|dags| Arc::from(dags.to_string()))
            .collect(),
        created_at: by.at,
        ends_at: (!args.endless).then(|| by.at.after(args.ends_in)),
        used_at: None,
        revoked: None,
    };
    let made = store.make_token(&new, by).await;
    if !made.map_err(|error| failed(&error))? {
        let user = store
            .user(&args.user)
            .await
            .map_err(|error| failed(&error))?;
        return Err(match user {
            None => unknown(&args.user),
            Some(_) => {
                let line = format!(
                    "`{0}` is disabled; `users enable {0}` lets them in",
                    args.user
                );
                Output::failed(line, INVALID)
            }
        });
    }
    let token = secret.token();
    if args.change.look().json {
        let facts = json!({ "id": new.id, "token": token, "user": new.user, "role": new.role, "ends_at": new.ends_at });
        return Ok(Output::data(format!("{facts:#}\n")));
    }
    let ends = new
        .ends_at
        .map_or("does not end by itself".to_owned(), |at| {
            format!("ends at {at}")
        });
    Ok(Output::data(format!("{token}\n")).talk(format_args!(
        "made token {} of {}, {}; it {ends} and is shown this once",
        new.id, new.user, new.role
    )))
}

async fn revoke(store: &Store, args: &RevokeArgs, by: By<'_>) -> Result<Output, Output> {
    let no = |line: String| Err(Output::failed(line, INVALID));
    let found = store
        .token_of_id(&args.id)
        .await
        .map_err(|error| failed(&error))?;
    let Some(token) = found else {
        return no("there is no token of this id; `tokens list` shows them".to_owned());
    };
    if !store
        .revoke_token(&token, by)
        .await
        .map_err(|error| failed(&error))?
    {
        return no(format!("token {} was revoked before", token.id));
    }
    let says = format!("revoked token {} of {}", token.id, token.user);
    let facts = json!({ "id": token.id, "user": token.user });
    Ok(args.change.look().said(&says, &facts))
}
