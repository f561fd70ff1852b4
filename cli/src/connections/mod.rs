//! `connections …`: what leads to other systems. Secrets go in and are never shown.

pub(crate) mod flags;
pub(crate) mod probe;
pub(crate) mod values;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use reqwest::Method;
use tidemill_scheduler::gateway::{CommandReply, ConnectionBody, ConnectionView, TouchView};

use crate::config::Environment;
use crate::door::run as on_runtime;
use crate::output::{INVALID, Output};
use crate::remote::Leader;
use crate::table::table;
use flags::{ChangeArgs, LookArgs, on, removal};
use values::{Pair, Values, name, pair};

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionsCommand {
    /// List the connections that are kept in the database.
    #[command(
        after_help = "Examples:\n  connections list\n  connections list --json | jq '.[].name'"
    )]
    List(LookArgs),
    /// Show one: its kind, its fields, the names of its secrets.
    Show(ShowArgs),
    /// Make or change one. What is not named stays as it is.
    #[command(
        after_help = "Examples:\n  connections set crm --kind http --field host=crm.example --secret token=-\n  connections set crm --secret token=@token.txt --unset password"
    )]
    Set(SetArgs),
    /// Take one away.
    Remove(RemoveArgs),
    /// Say whether one works, by one cheap request that changes nothing. It has to be run where the keys are, or with the
    /// connection in the environment.
    #[command(
        after_help = "Examples:\n  connections test google\n  TIDEMILL_CONN_CRM=https://me:pw@crm.example connections test crm"
    )]
    Test(probe::TestArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Its name.
    #[arg(value_parser = name)]
    name: String,
    #[command(flatten)]
    look: LookArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// Its name.
    #[arg(value_parser = name)]
    name: String,
    /// What kind of system it leads to, such as `http` or `google`.
    #[arg(long, value_parser = name)]
    kind: Option<String>,
    /// What everybody may see, as often as needed: `host=crm.example`; `@file` for what is in a file.
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = pair)]
    fields: Vec<Pair>,
    /// What nobody may see, as often as needed: `token=-` for what comes by stdin, `token=@file` for what is in a file.
    #[arg(long = "secret", value_name = "NAME=VALUE", value_parser = pair, hide_possible_values = true)]
    secrets: Vec<Pair>,
    /// A field or a secret that goes.
    #[arg(long, value_name = "NAME", value_parser = name)]
    unset: Vec<String>,
    /// Write it anew: every field and secret that is not named goes.
    #[arg(long, conflicts_with = "unset")]
    replace: bool,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Its name.
    #[arg(value_parser = name)]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// Does what the command line says.
pub(crate) fn run(command: &ConnectionsCommand, environment: &Environment) -> Output {
    on_runtime(async {
        let done = match command {
            ConnectionsCommand::List(args) => list(args, environment).await,
            ConnectionsCommand::Show(args) => show(args, environment).await,
            ConnectionsCommand::Set(args) => set(args, environment).await,
            ConnectionsCommand::Test(args) => probe::test(args, environment).await,
            ConnectionsCommand::Remove(args) => {
                remove("connection", "/api/v1/connections", args, environment).await
            }
        };
        done.unwrap_or_else(|output| output)
    })
}

type Done = Result<Output, Output>;

async fn list(args: &LookArgs, environment: &Environment) -> Done {
    let leader = args.open(environment)?;
    let all: Vec<ConnectionView> = leader
        .look("/api/v1/connections")
        .await?
        .unwrap_or_default();
    if args.json {
        return Ok(printed(&all));
    }
    if all.is_empty() {
        return Ok(Output::default().talk("there are no connections in the database"));
    }
    let rows = all.iter().map(|one| {
        let fields: Vec<&str> = one.fields.keys().map(String::as_str).collect();
        vec![
            one.name.clone(),
            one.kind.clone(),
            fields.join(" "),
            one.secrets.join(" "),
            one.edits.to_string(),
            touched(one.touched.as_ref()),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let head = ["NAME", "KIND", "FIELDS", "SECRETS", "EDITS", "CHANGED"];
    let mut output = Output::data(table(&head, &rows));
    for problem in all.iter().filter_map(|one| one.problem.as_ref()) {
        output = output.talk(format_args!("warning: {problem}"));
    }
    Ok(output)
}

async fn show(args: &ShowArgs, environment: &Environment) -> Done {
    let leader = args.look.open(environment)?;
    let Some(one) = find(&leader, &args.name).await? else {
        return Err(missing("connection", &args.name));
    };
    if args.look.json {
        return Ok(printed(&one));
    }
    let mut rows = vec![vec!["kind".to_owned(), one.kind.clone()]];
    let fields = one.fields.iter();
    rows.extend(fields.map(|(name, value)| vec![name.clone(), value.clone()]));
    let secrets = one.secrets.iter();
    rows.extend(secrets.map(|name| vec![name.clone(), "(secret)".to_owned()]));
    rows.push(vec!["edits".to_owned(), one.edits.to_string()]);
    rows.push(vec!["changed".to_owned(), touched(one.touched.as_ref())]);
    let output = Output::data(table(&["NAME", &one.name], &rows));
    Ok(match &one.problem {
        Some(problem) => output.talk(format_args!("warning: {problem}")),
        None => output,
    })
}

async fn find(leader: &Leader, name: &str) -> Result<Option<ConnectionView>, Output> {
    leader.look(&format!("/api/v1/connections/{name}")).await
}

async fn set(args: &SetArgs, environment: &Environment) -> Done {
    let mut values = Values::new(environment, std::io::stdin());
    let (mut fields, mut secrets) = (BTreeMap::new(), BTreeMap::new());
    let mut shown = Vec::new();
    for Pair { name, value } in &args.fields {
        fields.insert(name.clone(), values.meant(value)?.0);
    }
    for Pair { name, value } in &args.secrets {
        let (value, seen) = values.meant(value)?;
        if seen {
            shown.push(name.as_str());
        }
        secrets.insert(name.clone(), Some(value));
    }
    let asks = &args.change.asks;
    let leader = asks.open(environment)?;
    let before = find(&leader, &args.name).await?;
    let edits = before.as_ref().map_or(0, |before| before.edits);
    let kind = args.kind.as_ref().or(before.as_ref().map(|one| &one.kind));
    let Some(kind) = kind.cloned() else {
        let new = format_args!("there is no connection `{}` yet", args.name);
        return Err(Output::usage(
            new,
            "a new one needs `--kind`, such as `--kind http`",
        ));
    };
    if let Some(before) = before.filter(|_| !args.replace) {
        for name in &args.unset {
            if before.secrets.contains(name) {
                secrets.entry(name.clone()).or_insert(None);
            } else if !before.fields.contains_key(name) {
                let none =
                    format_args!("`{}` has neither a field nor a secret `{name}`", args.name);
                return Err(Output::usage(none, ""));
            }
        }
        for (name, value) in before.fields {
            if !args.unset.contains(&name) && !secrets.contains_key(&name) {
                fields.entry(name).or_insert(value);
            }
        }
    }
    let body = ConnectionBody {
        by: asks.by(environment),
        // What is written is made of what was seen.
        seen: Some(args.change.seen.unwrap_or(edits)),
        dry_run: args.change.dry_run,
        kind,
        fields,
        secrets,
        replace: args.replace,
    };
    let path = format!("/api/v1/connections/{}", args.name);
    let request = on(&Method::PUT, &path, !body.dry_run);
    let reply: CommandReply = leader.send(request, Some(&body)).await?;
    let mut output = done(
        &format!("set the connection `{}`", args.name),
        body.dry_run,
        &reply,
    );
    for name in shown {
        output = output.talk(format_args!(
            "warning: the secret `{name}` stood on the command line, where the shell keeps it and others on this machine \
             can see it; give `{name}=-` or `{name}=@file`"
        ));
    }
    Ok(output)
}

/// Takes a connection or a variable away.
pub(crate) async fn remove(
    what: &str,
    path: &str,
    args: &RemoveArgs,
    environment: &Environment,
) -> Done {
    let RemoveArgs { name, change } = args;
    let leader = change.asks.open(environment)?;
    let by = change.asks.by(environment);
    let path = removal(&format!("{path}/{name}"), &by, change);
    let nothing: Option<&()> = None;
    let request = on(&Method::DELETE, &path, !change.dry_run);
    let reply = leader.send(request, nothing).await?;
    let text = format!("removed the {what} `{name}`");
    Ok(done(&text, change.dry_run, &reply))
}

/// What was done, or would have been.
pub(crate) fn done(what: &str, dry_run: bool, reply: &CommandReply) -> Output {
    let would = if dry_run { "would have " } else { "" };
    let mut text = format!("{would}{what}\n");
    for remark in &reply.changed.remarks {
        text.push_str(&format!("  {remark}\n"));
    }
    Output::data(text)
}

/// That there is none of this name.
pub(crate) fn missing(what: &str, name: &str) -> Output {
    let line =
        format_args!("there is no {what} `{name}` in the database; `{what}s list` shows all");
    Output::failed(line, INVALID)
}

/// Who changed it last, and when.
pub(crate) fn touched(touch: Option<&TouchView>) -> String {
    touch.map_or_else(String::new, |touch| {
        format!("{} {} it at {}", touch.by, touch.how, touch.at)
    })
}

/// JSON, for programs.
pub(crate) fn printed(value: &impl serde::Serialize) -> Output {
    Output::data(serde_json::to_string_pretty(value).unwrap_or_default() + "\n")
}
