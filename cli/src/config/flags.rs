//! The flags of a command: one for each setting of the groups that it uses, made from the table.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

use crate::config::settings::{Group, Setting, TABLE};

/// Which groups of settings a command has flags for. The others it still reads from variables and the file.
pub(crate) trait Takes {
    /// The groups.
    const GROUPS: &'static [Group];
}

macro_rules! takes {
    ($($(#[$doc:meta])* $name:ident: $($group:ident),+;)+) => {
        $($(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name;

        impl Takes for $name {
            const GROUPS: &'static [Group] = &[$(Group::$group),+];
        })+
    };
}

takes! {
    /// A command that opens the database.
    OfDatabase: Database;
    /// A command that removes logs, too.
    OfClean: Database, Logs;
    /// A command for a running Tidemill: it reads the database, and sends what it asks for to whoever leads.
    OfCommand: Database, Gateway;
    /// A command that opens what is sealed, where the keys are.
    OfSealed: Database, Secrets;
    /// Scheduler and worker in one process.
    OfStandalone: Database, Scheduler, Gateway, Web, Worker, Secrets, Logs, Sandbox, Talk;
    /// A scheduler.
    OfScheduler: Database, Scheduler, Gateway, Secrets, Logs, Talk;
    /// The web UI.
    OfWeb: Database, Gateway, Web, Talk;
    /// The sandbox.
    OfSandbox: Sandbox, Talk;
    /// A command for a running sandbox.
    OfSandboxCommand: Sandbox;
    /// A worker.
    OfWorker: Gateway, Worker, Talk;
    /// A command that may meet anything.
    Every: Database, Scheduler, Gateway, Web, Worker, Secrets, Logs, Sandbox, Talk;
}

/// What was given on the command line.
#[derive(Debug, Clone, Default)]
pub(crate) struct GivenFlags {
    /// `--config`.
    pub(crate) config: Option<PathBuf>,
    /// The settings, by key.
    pub(crate) values: BTreeMap<&'static str, Vec<String>>,
}

/// To be flattened into the arguments of a command: `#[command(flatten)] settings: Flags<OfDatabase>`.
#[derive(Debug)]
pub(crate) struct Flags<T> {
    /// What was given.
    pub(crate) given: GivenFlags,
    of: PhantomData<T>,
}

const CONFIG: &str = "config";
const HEADING: &str = "Settings";

fn settings<T: Takes>() -> impl Iterator<Item = &'static Setting> {
    TABLE
        .iter()
        .filter(|setting| T::GROUPS.contains(&setting.group))
}

fn arg(setting: &'static Setting) -> Arg {
    let default = match setting.default {
        Some("") | None => String::new(),
        Some(text) => format!(", default {text}"),
    };
    Arg::new(setting.key)
        .long(setting.key.replace('_', "-"))
        .value_name("VALUE")
        .help(format!(
            "{} [{}{default}]",
            setting.doc.trim(),
            setting.variable()
        ))
        .action(if setting.many {
            ArgAction::Append
        } else {
            ArgAction::Set
        })
        .help_heading(HEADING)
}

impl<T: Takes> Args for Flags<T> {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("FILE")
            .help("The file of settings [TIDEMILL_CONFIG, default tidemill.toml if it is there]")
            .value_parser(value_parser!(PathBuf))
            .help_heading(HEADING);
        command.arg(config).args(settings::<T>().map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<T: Takes> FromArgMatches for Flags<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self {
            given: GivenFlags::default(),
            of: PhantomData,
        };
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.given.config = matches.get_one::<PathBuf>(CONFIG).cloned();
        for setting in settings::<T>() {
            if let Some(values) = matches.get_many::<String>(setting.key) {
                self.given
                    .values
                    .insert(setting.key, values.cloned().collect());
            }
        }
        Ok(())
    }
}
