//! The table of settings.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use tidemill_core::role::Role;

use crate::config::ConfigError;
use crate::config::kinds::{
    Bytes, Database, Isolation, KeyList, Line, LogFormat, LogLevel, Name, Place, Rates, Readable,
    Secret, Server, SignIn,
};
use crate::config::load::Values;

/// What belongs together: in the guide, and in the flags of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// Where things are kept.
    Database,
    /// What the scheduler does.
    Scheduler,
    /// How to reach the scheduler.
    Gateway,
    /// The web UI.
    Web,
    /// What a worker does.
    Worker,
    /// Connections, variables and the keys they are sealed with.
    Secrets,
    /// The logs of attempts.
    Logs,
    /// Google Cloud and Databricks on this machine.
    Sandbox,
    /// What a process says about itself.
    Talk,
}

impl Group {
    /// All of them, in the order of the guide, with their headings.
    pub(crate) const ALL: [(Self, &'static str); 9] = [
        (Self::Database, "Where things are kept"),
        (Self::Scheduler, "The scheduler"),
        (Self::Gateway, "Reaching the scheduler"),
        (Self::Web, "The web UI"),
        (Self::Worker, "A worker"),
        (Self::Secrets, "Connections and variables"),
        (Self::Logs, "Logs of attempts"),
        (Self::Sandbox, "The sandbox"),
        (Self::Talk, "What a process says about itself"),
    ];
}

/// What there is to know about a setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its key in the file.
    pub(crate) key: &'static str,
    /// What it belongs to.
    pub(crate) group: Group,
    /// What it does.
    pub(crate) doc: &'static str,
    /// What its value is.
    pub(crate) kind: &'static str,
    /// Whether it has several items.
    pub(crate) many: bool,
    /// Whether its value must not be shown.
    pub(crate) secret: bool,
    /// What it is if nobody says; `{data_dir}` is the folder of that name.
    pub(crate) default: Option<&'static str>,
}

impl Setting {
    /// Its flag.
    pub(crate) fn flag(&self) -> String {
        format!("--{}", self.key.replace('_', "-"))
    }

    /// Its variable.
    pub(crate) fn variable(&self) -> String {
        format!("TIDEMILL_{}", self.key.to_uppercase())
    }
}

macro_rules! default {
    () => {
        None
    };
    ($text:literal) => {
        Some($text)
    };
}

macro_rules! settings {
    ($($group:ident { $($(#[doc = $doc:literal])+ $key:ident: $type:ty $(= $default:literal)?;)+ })+) => {
        /// All settings in force.
        #[derive(Debug, Clone)]
        pub(crate) struct Settings { $($($(#[doc = $doc])+ pub(crate) $key: $type,)+)+ }

        /// All settings there are, in the order of the guide.
        pub(crate) const TABLE: &[Setting] = &[$($(Setting {
            key: stringify!($key),
            group: Group::$group,
            doc: concat!($($doc),+),
            kind: <$type as Readable>::KIND,
            many: <$type as Readable>::MANY,
            secret: <$type as Readable>::SECRET,
            default: default!($($default)?),
        },)+)+];

        impl Settings {
            /// Reads every value, and says what is wrong with each that is wrong.
            pub(crate) fn read(values: &Values<'_>, errors: &mut Vec<ConfigError>) -> Option<Self> {
                $($(let $key = values.read::<$type>(stringify!($key), errors);)+)+
                Some(Self { $($($key: $key?,)+)+ })
            }

            /// Every setting's key and value, secrets masked.
            pub(crate) fn shown(&self) -> Vec<(&'static str, String)> {
                vec![$($((stringify!($key), Readable::shown(&self.$key)),)+)+]
            }
        }
    };
}

settings! {
    Database {
        /// The database: `postgres://user:password@host/name`, or `sqlite://path` for one process on one machine.
        database: Database = "sqlite://{data_dir}/tidemill.db";
        /// The folder for what is kept on this machine: the SQLite file, logs, the key file.
        data_dir: PathBuf = "tidemill-data";
        /// The name of this installation. Part of the names of remote jobs: two installations that share a cloud project need two names.
        deployment: Name = "tidemill";
        /// How many connections read from the database at once.
        readers_max: NonZeroU32 = "8";
    }
    Scheduler {
        /// Where the scheduler listens for workers, people and programs.
        listen: SocketAddr = "127.0.0.1:8790";
        /// A PEM file with the certificate that the scheduler shows, and those between it and its authority behind it: then it speaks TLS. It is read again when it is renewed.
        tls_cert: Option<PathBuf>;
        /// A PEM file with the key of that certificate.
        tls_key: Option<PathBuf>;
        /// How long a worker may be silent before its attempts count as lost.
        lease: Duration = "30s";
        /// How long the lead lasts if whoever has it falls silent: then another scheduler takes over.
        lead_lease: Duration = "10s";
        /// How many slots the pool `default` begins with.
        default_pool_slots: NonZeroU32 = "128";
    }
    Gateway {
        /// Where the schedulers are, for workers and commands: whichever leads is used.
        server: Vec<Server> = "http://127.0.0.1:8790";
        /// The token that workers and commands show to the scheduler.
        token: Option<Secret>;
        /// A file with that token in it.
        token_file: Option<PathBuf>;
        /// A PEM file with authorities that may have signed the schedulers' certificates, besides those that this machine trusts.
        tls_ca: Option<PathBuf>;
    }
    Web {
        /// Where the web UI listens. If nobody says and the port is taken, any free one is used.
        web_listen: SocketAddr = "127.0.0.1:8791";
        /// The address that browsers use, if it is another one: `https://tidemill.example.com` of a proxy that ends TLS.
        web_url: Option<Server>;
        /// How people sign in: by a `link` on the terminal, which is for one person on their own machine, or as `users`, with a password or an account elsewhere. Without it, `link` in a standalone process that listens on this machine only, else `users`.
        web_sign_in: Option<SignIn>;
        /// How many proxies of yours are in front of the web UI: so many entries of `X-Forwarded-For`, from the right, are believed.
        web_proxies: Option<NonZeroU32>;
        /// How often pages are told of changes at the most; the database is looked at no more often.
        live_every: Duration = "1s";
        /// How many pages may listen for changes at once. Those that come then read by the clock.
        live_listeners: NonZeroU32 = "3000";
        /// After how long a page that listens opens another line, as proxies in front end long ones.
        live_lasts: Duration = "1h";
        /// The OIDC provider where people have accounts: `https://accounts.google.com`. It is told that they come back to `/sign-in/back`.
        oidc_issuer: Option<Server>;
        /// Who this Tidemill is there.
        oidc_client_id: Option<Line>;
        /// How it shows that it is.
        oidc_client_secret: Option<Secret>;
        /// What the button says.
        oidc_name: Line = "single sign-on";
        /// Google's Identity-Aware Proxy is in front, for this audience: `/projects/NUMBER/global/backendServices/ID`. Nobody signs in otherwise then.
        iap_audience: Option<Line>;
        /// What whoever comes from there may do who has no account yet. Without it only those come in for whom `users add` made one.
        newcomer_role: Option<Role>;
        /// Only if their address is of one of these domains.
        newcomer_domains: Option<Vec<Name>>;
    }
    Worker {
        /// The name of this worker, unique among those that are up. Without one it is made of the machine's name.
        worker_name: Option<Name>;
        /// How many attempts run at once.
        slots: NonZeroU32 = "256";
        /// The queues that are served.
        queues: Vec<Name> = "default";
        /// Labels of this worker, for people.
        labels: BTreeMap<String, String> = "";
        /// How many looks a second at what one operator waits for, such as `bigquery.load=50`; no limit for those not named.
        looks_per_second: Rates = "";
        /// How long running attempts have to end when the process is told to stop.
        grace: Duration = "30s";
        /// What keeps functions apart from each other: nothing, or a process each.
        isolation: Isolation = "none";
        /// How much memory a process of an attempt may take.
        memory_max: Option<Bytes>;
    }
    Secrets {
        /// The keys that connections and variables are sealed with: `id:base64` of 32 bytes each, the first one seals, all unseal.
        keys: Option<KeyList>;
        /// A file with these keys in it.
        keys_file: Option<PathBuf>;
        /// The Google Cloud project whose Secret Manager is asked for what is not in the database.
        secrets_project: Option<Name>;
        /// Where Secret Manager is.
        secrets_endpoint: Server = "https://secretmanager.googleapis.com";
        /// Where a token for Secret Manager comes from: the machine's metadata server.
        secrets_metadata: Server = "http://metadata.google.internal";
    }
    Logs {
        /// Where the logs of attempts are kept.
        logs: Place = "{data_dir}/logs";
    }
    Sandbox {
        /// Where the sandbox listens: Google Cloud and Databricks on this machine.
        sandbox_listen: SocketAddr = "127.0.0.1:8792";
        /// Where it takes mail.
        sandbox_mail: SocketAddr = "127.0.0.1:8793";
        /// The folder for its buckets, tables and jobs.
        sandbox_dir: PathBuf = "{data_dir}/sandbox";
        /// The address that its clients use, if it is another one.
        sandbox_url: Option<Server>;
        /// Folders with the programs that its jobs run: files `X.sandbox.sql` and `X.sandbox.json`, looked for whenever a job starts.
        sandbox_programs: Vec<PathBuf> = "dags";
    }
    Talk {
        /// How much a process says about itself.
        log_level: LogLevel = "info";
        /// How it writes that.
        log_format: LogFormat = "text";
    }
}
