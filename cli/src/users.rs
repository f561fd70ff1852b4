//! `users`: who may come in, and what they may do. Written into the database directly, so that the first admin can be made
//! before anything runs.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tidemill_access::{Pattern, Role, password, secret};
use tidemill_store::access::{By, ChangeOutcome, NewPassword, NewUser, UserChange};
use tidemill_store::record::{GrantRow, UserRow};
use tidemill_store::{Schema, Store};

use crate::config::flags::OfDatabase;
use crate::config::{Environment, Flags, Loaded};
use crate::connections::values::Values;
use crate::db::now;
use crate::door::{self, failed};
use crate::output::{INVALID, Output, UNREACHABLE};
use crate::table::table;

#[derive(Debug, Subcommand)]
pub(crate) enum UsersCommand {
    /// List all users, and what they were given for some DAGs.
    #[command(after_help = "Example:\n  users list --json")]
    List(LookArgs),
    /// Make a user, and print a password for one use. Made without one for who signs in elsewhere.
    #[command(
        after_help = "Examples:\n  users add ann --role operator\n  users add ann@example.com --role viewer --no-password"
    )]
    Add(AddArgs),
    /// Give a user another password, and print it if it is not given. They are signed out everywhere.
    #[command(after_help = "Examples:\n  users passwd ann\n  users passwd ann --password @file")]
    Passwd(PasswdArgs),
    /// Change a user's role, or what pages call them.
    #[command(after_help = "Example:\n  users set ann --role admin")]
    Set(SetArgs),
    /// A user may not come in any more; they are signed out everywhere, and their tokens rest.
    Disable(NamedArgs),
    /// A user may come in again.
    Enable(NamedArgs),
    /// Let a user do more to some DAGs than their role says.
    #[command(
        after_help = "Examples:\n  users grant ann 'crm_*' --role operator\n  users grant ann tag:crm --role operator"
    )]
    Grant(GrantArgs),
    /// Take that away.
    #[command(after_help = "Example:\n  users ungrant ann 'crm_*'")]
    Ungrant(UngrantArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LookArgs {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) settings: Flags<OfDatabase>,
}

#[derive(Debug, Args)]
pub(crate) struct ChangeArgs {
    /// Who asks, for the audit log; without it the user's name.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    look: LookArgs,
}

#[derive(Debug, Args)]
pub(crate) struct NamedArgs {
    /// The user.
    #[arg(value_parser = user_name)]
    user: String,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    #[command(flatten)]
    named: NamedArgs,
    /// What they may do: viewer, operator or admin.
    #[arg(long, default_value = "viewer")]
    role: Role,
    /// What pages call them; without it their name.
    #[arg(long, value_name = "TEXT", value_parser = display_name)]
    display: Option<String>,
    /// They have no password: they sign in elsewhere.
    #[arg(long)]
    no_password: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PasswdArgs {
    #[command(flatten)]
    named: NamedArgs,
    /// Their password: `-` for what comes by stdin, `@file` for what is in a file. Without it one for one use is made.
    #[arg(long, value_name = "VALUE")]
    password: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    #[command(flatten)]
    named: NamedArgs,
    /// What they may do: viewer, operator or admin.
    #[arg(long, required_unless_present = "display")]
    role: Option<Role>,
    /// What pages call them.
    #[arg(long, value_name = "TEXT", value_parser = display_name)]
    display: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    #[command(flatten)]
    named: NamedArgs,
    /// Which DAGs: a name, where `*` is any letters, or `tag:` and a tag.
    dags: Pattern,
    /// What they may do to them.
    #[arg(long, default_value = "operator")]
    role: Role,
}

#[derive(Debug, Args)]
pub(crate) struct UngrantArgs {
    #[command(flatten)]
    named: NamedArgs,
    /// Which DAGs, as it was given.
    dags: Pattern,
}

pub(crate) fn user_name(text: &str) -> Result<String, String> {
    tidemill_access::user_name(text).map_err(|error| error.to_string())
}

fn display_name(text: &str) -> Result<String, String> {
    tidemill_access::display_name(text).map_err(|error| error.to_string())
}

/// Does what the command line says.
pub(crate) fn run(command: &UsersCommand, environment: &Environment) -> Output {
    match command {
        UsersCommand::List(args) => args.run(environment, async |store| list(store, args).await),
        UsersCommand::Add(args) => args
            .named
            .run(environment, async |store, by| add(store, args, by).await),
        UsersCommand::Passwd(args) => {
            let given = match args.password.as_ref().map(|text| read(text, environment)) {
                None => None,
                Some(Ok(password)) => Some(password),
                Some(Err(output)) => return output,
            };
            args.named.run(environment, async |store, by| {
                passwd(store, &args.named, given, by).await
            })
        }
        UsersCommand::Set(args) => {
            let to = UserChange {
                display: args.display.as_deref().map(Arc::from),
                role: args.role,
                ..UserChange::default()
            };
            change(&args.named, &to, "changed", environment)
        }
        UsersCommand::Disable(args) => change(args, &disabled(true), "disabled", environment),
        UsersCommand::Enable(args) => change(args, &disabled(false), "enabled", environment),
        UsersCommand::Grant(args) => args.named.run(environment, async |store, by| {
            let (user, dags) = (&args.named.user, args.dags.to_string());
            let done = store.put_grant(user, &dags, args.role, by).await;
            if !done.map_err(|error| failed(&error))? {
                return Err(unknown(user));
            }
            let says = format!("{user} is {} for {dags}", args.role);
            let facts = json!({ "user": user, "dags": dags, "role": args.role });
            Ok(args.named.change.look.said(&says, &facts))
        }),
        UsersCommand::Ungrant(args) => args.named.run(environment, async |store, by| {
            let (user, dags) = (&args.named.user, args.dags.to_string());
            let done = store.drop_grant(user, &dags, by).await;
            if !done.map_err(|error| failed(&error))? {
                let line =
                    format!("`{user}` was given nothing for `{dags}`; `users list` shows what");
                return Err(Output::failed(line, INVALID));
            }
            let says = format!("took {dags} away from {user}");
            let facts = json!({ "user": user, "dags": dags });
            Ok(args.named.change.look.said(&says, &facts))
        }),
    }
}

impl LookArgs {
    /// Opens the database and does this with it.
    pub(crate) fn run(
        &self,
        environment: &Environment,
        work: impl AsyncFnOnce(&Store) -> Result<Output, Output>,
    ) -> Output {
        let loaded: Loaded = match self.settings.load(environment) {
            Ok(loaded) => loaded,
            Err(output) => return output,
        };
        let output = door::run(async {
            let store = match door::open(&loaded, Schema::Require).await {
                Ok(store) => store,
                Err(output) => return output,
            };
            let done = work(&store).await;
            store.close().await;
            done.unwrap_or_else(|output| output)
        });
        loaded.warn(output)
    }

    /// A line for people, or facts for programs.
    pub(crate) fn said(&self, line: &str, facts: &Value) -> Output {
        Output::data(if self.json {
            format!("{facts:#}\n")
        } else {
            format!("{line}\n")
        })
    }
}

impl ChangeArgs {
    /// The same, in somebody's name.
    pub(crate) fn run(
        &self,
        environment: &Environment,
        work: impl AsyncFnOnce(&Store, By<'_>) -> Result<Output, Output>,
    ) -> Output {
        let user = ["USER", "LOGNAME"]
            .iter()
            .find_map(|name| environment.variable(name));
        let who = self.by.as_deref().or(user).unwrap_or("command line");
        let by = By { who, at: now() };
        self.look
            .run(environment, async |store| work(store, by).await)
    }

    /// What it looks at.
    pub(crate) const fn look(&self) -> &LookArgs {
        &self.look
    }
}

impl NamedArgs {
    fn run(
        &self,
        environment: &Environment,
        work: impl AsyncFnOnce(&Store, By<'_>) -> Result<Output, Output>,
    ) -> Output {
        self.change.run(environment, work)
    }
}

/// What is said of a user that there is not.
pub(crate) fn unknown(user: &str) -> Output {
    let line = format!("there is no user `{user}`; `users list` shows who there is");
    Output::failed(line, INVALID)
}

async fn find(store: &Store, user: &str) -> Result<UserRow, Output> {
    let found = store.user(user).await.map_err(|error| failed(&error))?;
    found.ok_or_else(|| unknown(user))
}

async fn list(store: &Store, args: &LookArgs) -> Result<Output, Output> {
    let users = store.users().await.map_err(|error| failed(&error))?;
    let grants = store.grants().await.map_err(|error| failed(&error))?;
    let of = |user: &UserRow| -> Vec<&GrantRow> {
        grants
            .iter()
            .filter(|grant| grant.user == user.name)
            .collect()
    };
    if args.json {
        let all: Vec<Value> = users
            .iter()
            .map(|user| {
                let grants: Vec<Value> = of(user)
                    .iter()
                    .map(|grant| json!({ "dags": grant.pattern, "role": grant.role }))
                    .collect();
                json!({
                    "name": user.name, "display": user.display, "role": user.role, "disabled": user.disabled,
                    "has_password": user.password.is_some(), "must_change_password": user.must_change,
                    "grants": grants, "created_at": user.created_at, "signed_in_at": user.signed_in_at,
                    "edits": user.edits,
                })
            })
            .collect();
        return Ok(Output::data(format!("{:#}\n", json!(all))));
    }
    if users.is_empty() {
        return Ok(
            Output::default().talk("there are no users; `users add NAME --role admin` makes one")
        );
    }
    let rows: Vec<Vec<String>> = users
        .iter()
        .map(|user| {
            let grants: Vec<String> = of(user)
                .iter()
                .map(|grant| format!("{}={}", grant.pattern, grant.role))
                .collect();
            let signed_in = user
                .signed_in_at
                .map_or("never".to_owned(), |at| at.to_string());
            let state = if user.disabled { "disabled" } else { "active" };
            vec![
                user.name.to_string(),
                user.role.to_string(),
                state.to_owned(),
                signed_in,
                grants.join(" "),
            ]
        })
        .collect();
    let head = ["USER", "ROLE", "STATE", "SIGNED IN", "DAGS"];
    Ok(Output::data(table(&head, &rows)))
}

/// A password from stdin or a file; never from the command line, which everybody on the machine can see.
fn read(text: &str, environment: &Environment) -> Result<String, Output> {
    match Values::new(environment, std::io::stdin()).meant(text)? {
        (password, false) => Ok(password),
        (_, true) => Err(Output::usage(
            "a password on the command line is seen by everybody on this machine",
            "write `--password -` for what comes by stdin, or `--password @file`",
        )),
    }
}

/// A password for one use, and its hash.
fn one_time() -> Result<(String, String), Output> {
    let made = secret::one_time_password().map_err(|error| Output::failed(error, UNREACHABLE))?;
    let hash = hashed(&made)?;
    Ok((made, hash))
}

fn hashed(password: &str) -> Result<String, Output> {
    password::hash(password).map_err(|error| Output::failed(error, UNREACHABLE))
}

async fn add(store: &Store, args: &AddArgs, by: By<'_>) -> Result<Output, Output> {
    let user = &args.named.user;
    let (shown, hash) = if args.no_password {
        (None, None)
    } else {
        let (shown, hash) = one_time()?;
        (Some(shown), Some(hash))
    };
    let new = NewUser {
        name: user.as_str().into(),
        display: args.display.as_ref().unwrap_or(user).as_str().into(),
        must_change: hash.is_some(),
        password: hash.map(Arc::from),
        sso: None,
        role: args.role,
    };
    let made = store.make_user(&new, by).await;
    if !made.map_err(|error| failed(&error))? {
        let line = format!(
            "there is a user `{user}` already; `users passwd {user}` gives them another password"
        );
        return Err(Output::failed(line, INVALID));
    }
    let says = format!("made user {user}, {}", args.role);
    Ok(with_password(&args.named.change.look, &says, user, shown))
}

/// The password goes to stdout, alone; what there is to say about it to stderr.
fn with_password(look: &LookArgs, says: &str, user: &str, shown: Option<String>) -> Output {
    if look.json {
        let facts = json!({ "user": user, "password": shown });
        return Output::data(format!("{facts:#}\n"));
    }
    match shown {
        Some(shown) => Output::data(format!("{shown}\n")).talk(format_args!(
            "{says}; the password is shown this once, and is to be changed when they sign in"
        )),
        None => Output::data(format!("{says}\n")),
    }
}

async fn passwd(
    store: &Store,
    args: &NamedArgs,
    given: Option<String>,
    by: By<'_>,
) -> Result<Output, Output> {
    let seen = find(store, &args.user).await?;
    let (shown, hash) = match given {
        Some(given) => {
            let wrong = |error| Output::usage(error, "");
            password::check(&given, &args.user).map_err(wrong)?;
            (None, hashed(&given)?)
        }
        None => {
            let (shown, hash) = one_time()?;
            (Some(shown), hash)
        }
    };
    let to = NewPassword {
        hash: Some(&hash),
        must_change: shown.is_some(),
        keep_session: None,
    };
    let done = store.set_password(&seen, &to, by).await;
    outcome(done.map_err(|error| failed(&error))?, &seen)?;
    let says = format!("{} has another password and is signed out", args.user);
    Ok(with_password(&args.change.look, &says, &args.user, shown))
}

fn disabled(disabled: bool) -> UserChange {
    UserChange {
        disabled: Some(disabled),
        ..UserChange::default()
    }
}

fn change(args: &NamedArgs, to: &UserChange, done: &str, environment: &Environment) -> Output {
    args.run(environment, async |store, by| {
        let seen = find(store, &args.user).await?;
        let changed = store.change_user(&seen, to, by).await;
        outcome(changed.map_err(|error| failed(&error))?, &seen)?;
        let now = find(store, &args.user).await?;
        let facts = json!({
            "user": now.name, "role": now.role, "display": now.display, "disabled": now.disabled, "edits": now.edits,
        });
        let says = format!("{done} {}, {}", now.name, now.role);
        Ok(args.change.look.said(&says, &facts))
    })
}

fn outcome(outcome: ChangeOutcome, seen: &UserRow) -> Result<(), Output> {
    let name = &seen.name;
    let line = match outcome {
        ChangeOutcome::Done => return Ok(()),
        ChangeOutcome::NotThere => return Err(unknown(name)),
        ChangeOutcome::Stale(now) => {
            let who = now.touched.map_or("somebody".into(), |touch| touch.by);
            format!("{who} has changed `{name}` meanwhile; look again, and repeat the command")
        }
        ChangeOutcome::LastAdmin => {
            format!("`{name}` is the last admin; make another first: `users add NAME --role admin`")
        }
        ChangeOutcome::Taken => format!("somebody else is already who `{name}` would be elsewhere"),
    };
    Err(Output::failed(line, INVALID))
}
