//! What the commands about connections, variables and keys take, and how they get at the scheduler that leads.

use clap::Args;
use reqwest::Method;

use crate::config::flags::OfCommand;
use crate::config::{Environment, Flags};
use crate::output::{INVALID, Output};
use crate::remote::{Leader, Request, is_of_user};

/// What commands that only look have in common.
#[derive(Debug, Args)]
pub(crate) struct LookArgs {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

/// What commands that change something have in common.
#[derive(Debug, Args)]
pub(crate) struct ChangeArgs {
    /// Change nothing, only say what would change.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Refuse with exit code 1 if somebody changed it since: the `edits` that you saw.
    #[arg(long, value_name = "EDITS")]
    pub(crate) seen: Option<u32>,
    #[command(flatten)]
    pub(crate) asks: ByArgs,
}

/// Who asks, and whom.
#[derive(Debug, Args)]
pub(crate) struct ByArgs {
    /// Who asks, for the audit log; without it the user's name.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

/// The scheduler, which alone opens and seals: a web server gives its API to a user's token, in other words than these commands.
fn open(settings: &Flags<OfCommand>, environment: &Environment) -> Result<Leader, Output> {
    let loaded = settings.load(environment)?;
    if is_of_user(&loaded) {
        return Err(Output::usage(
            "connections, variables and keys are not managed with a user's token",
            "give the scheduler's address and its own token, or use the web: its pages, or `/api/v1/variables` and `/api/v1/connections`",
        ));
    }
    Leader::new(loaded, None)
}

impl LookArgs {
    pub(crate) fn open(&self, environment: &Environment) -> Result<Leader, Output> {
        open(&self.settings, environment)
    }
}

impl ByArgs {
    pub(crate) fn open(&self, environment: &Environment) -> Result<Leader, Output> {
        open(&self.settings, environment)
    }

    /// Who asks.
    pub(crate) fn by(&self, environment: &Environment) -> String {
        let named = self.by.as_deref();
        named.unwrap_or_else(|| environment.user()).to_owned()
    }
}

/// A request that changes what its path names, or would; one that names nothing is answered with no.
pub(crate) const fn on<'a>(method: &'a Method, path: &'a str, changes: bool) -> Request<'a> {
    Request {
        method,
        path,
        changes,
        missing: INVALID,
    }
}

/// The path of something that is taken away.
pub(crate) fn removal(path: &str, by: &str, change: &ChangeArgs) -> String {
    let nowhere = reqwest::Url::parse("http://scheduler").map(|mut url| {
        url.set_path(path);
        let mut query = url.query_pairs_mut();
        query.append_pair("by", by);
        query.append_pair("dry_run", if change.dry_run { "true" } else { "false" });
        if let Some(seen) = change.seen {
            query.append_pair("seen", &seen.to_string());
        }
        drop(query);
        url
    });
    nowhere.map_or_else(
        |_| path.to_owned(),
        |url| format!("{}?{}", url.path(), url.query().unwrap_or_default()),
    )
}
