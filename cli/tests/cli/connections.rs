//! `connections …`, `variables …` and `keys reseal` against a scheduler that leads.

use std::path::Path;
use std::sync::Arc;

use ring::rand::SystemRandom;
use serde_json::Value;
use tempfile::TempDir;
use tidemill::{Environment, Output};
use tidemill_core::operator::{BoxFuture, TaskError, TaskResult};
use tidemill_core::time::Timestamp;
use tidemill_core::wire::{Asked, Given};
use tidemill_logs::LogKeeper;
use tidemill_scheduler::engine::Config;
use tidemill_scheduler::gateway::{Gate, Gives, Limits, Vault, router, serve};
use tidemill_scheduler::lead::{Process, Settings};
use tidemill_scheduler::relay::{Log, Sinks};
use tidemill_scheduler::secrets::KeyRing;
use tidemill_store::{Options, Store};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::project::good;

const OLD: &str = "old:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const BOTH: &str = "new:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=,\
    old:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// No task asks here.
struct Nothing;

impl Gives for Nothing {
    fn give<'a>(&'a self, _: &'a Asked) -> BoxFuture<'a, TaskResult<Given>> {
        Box::pin(async { Err(TaskError::permanent("nothing")) })
    }
}

/// A scheduler on the database of a folder, and commands for it.
struct Running {
    folder: TempDir,
    runtime: Runtime,
    process: Process,
    store: Store,
    stop: watch::Sender<bool>,
}

impl Running {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("it works");
        let data = folder.path().join("tidemill-data");
        std::fs::create_dir(&data).expect("it works");
        let runtime = Runtime::new().expect("it works");
        let (stop, stops) = watch::channel(false);
        let (process, store, server) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("it works");
            let address = listener.local_addr().expect("it works");
            let url = format!("sqlite://{}", data.join("tidemill.db").display());
            let store = Store::open(&url, Options::default()).await;
            let store = store.expect("it works");
            let settings = Settings {
                holder: format!("http://{address}"),
                lead_lease: Settings::LEAD_LEASE,
                commit_within: Settings::COMMIT_WITHIN,
                engine: Config::default(),
                wall: || Timestamp::from_micros(1_735_689_600_000_000),
                sinks: Sinks::new(Arc::new(Log)),
            };
            let (process, _) = Process::start(store.clone(), settings, stops);
            process.leading().await.expect("it works");
            (process, store, (listener, address.to_string()))
        });
        let mut running = Self {
            folder,
            runtime,
            process,
            store,
            stop,
        };
        running.answer(server.0, OLD);
        running
    }

    fn answer(&mut self, listener: TcpListener, keys: &str) {
        let keys = Arc::new(KeyRing::parse(keys).expect("it works"));
        let vault = Vault::new(self.store.clone(), keys, Arc::new(SystemRandom::new()));
        let logs = LogKeeper::folder(self.folder.path()).expect("it works");
        let gate = Gate::new(
            self.process.clone(),
            "right",
            Arc::new(Nothing),
            logs,
            vault,
        );
        let serving = serve(
            listener,
            None,
            router(gate),
            Limits::default(),
            self.stop.subscribe(),
        );
        self.runtime.spawn(serving);
    }

    /// Another door to the same scheduler, with other keys.
    fn with_keys(&mut self, keys: &str) -> String {
        let bound = TcpListener::bind("127.0.0.1:0");
        let listener = self.runtime.block_on(bound).expect("it works");
        let address = listener.local_addr().expect("it works");
        self.answer(listener, keys);
        format!("http://{address}")
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, line: &[&str]) -> Output {
        let variables = [("TIDEMILL_TOKEN", "right"), ("USER", "ada")];
        let environment = Environment::new(variables, self.folder());
        let line = ["tidemill"].iter().chain(line);
        let output = tidemill::run_in(&good(), line.map(Into::into), &environment);
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(!said.contains("hunter2"), "{said}");
        output
    }

    fn works(&self, line: &[&str]) -> Output {
        let output = self.run(line);
        assert_eq!(output.code, 0, "{line:?}: {}", output.stderr);
        output
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.stdout))
}

#[test]
fn a_connection_is_set_changed_shown_and_removed_and_its_secrets_stay_unseen() {
    let it = Running::start();
    std::fs::write(it.folder().join("pw"), "hunter2\n").unwrap();
    let new = ["connections", "set", "crm", "--secret", "password=@pw"];
    let output = it.run(&new);
    assert_eq!(output.code, 2);
    assert!(
        output.stderr.contains("needs `--kind`"),
        "{}",
        output.stderr
    );
    let kind = ["--kind", "http", "--field", "host=crm.example"];
    let dry = it.works(&[&new[..], &kind, &["--dry-run"]].concat());
    assert_eq!(dry.stdout, "would have set the connection `crm`\n");
    let set = it.works(&[&new[..], &kind].concat());
    assert_eq!(
        (set.stdout.as_str(), set.stderr.as_str()),
        ("set the connection `crm`\n", "")
    );
    let line = [
        "connections",
        "set",
        "crm",
        "--field",
        "port=1",
        "--secret",
        "token=t",
    ];
    let set = it.works(&line);
    assert!(
        set.stdout.contains("kept the secret `password`"),
        "{}",
        set.stdout
    );
    assert!(
        set.stderr
            .starts_with("warning: the secret `token` stood on the"),
        "{}",
        set.stderr
    );
    let shown = json(&it.works(&["connections", "show", "crm", "--json"]));
    assert_eq!(
        shown["fields"],
        serde_json::json!({ "host": "crm.example", "port": "1" })
    );
    assert_eq!(shown["secrets"], serde_json::json!(["password", "token"]));
    assert_eq!(shown["touched"]["by"], "ada");
    let _ = it.works(&[
        "connections",
        "set",
        "crm",
        "--unset",
        "token",
        "--unset",
        "port",
    ]);
    let list = it.works(&["connections", "list"]);
    assert!(
        list.stdout.contains("crm   http  host    password  3"),
        "{}",
        list.stdout
    );
    let stale = it.run(&["connections", "remove", "crm", "--seen", "1"]);
    assert_eq!(stale.code, 1);
    assert!(stale.stderr.contains("ada set it at"), "{}", stale.stderr);
    let _ = it.works(&["connections", "remove", "crm"]);
    assert_eq!(it.run(&["connections", "show", "crm"]).code, 1);
}

#[test]
fn a_variable_is_printed_to_who_asks_for_it() {
    let it = Running::start();
    let _ = it.works(&["variables", "set", "region", "eu", "--note", "where we are"]);
    let list = it.works(&["variables", "list"]);
    assert!(list.stdout.contains("where we are"), "{}", list.stdout);
    assert!(!list.stdout.contains("eu\n"), "{}", list.stdout);
    assert_eq!(it.works(&["variables", "get", "region"]).stdout, "eu\n");
    let none = it.run(&["variables", "get", "regoin"]);
    assert_eq!(none.code, 1);
    assert!(
        none.stderr.contains("did you mean `region`?"),
        "{}",
        none.stderr
    );
    let _ = it.works(&["variables", "remove", "region"]);
}

#[test]
fn everything_is_sealed_again() {
    let mut it = Running::start();
    let _ = it.works(&["variables", "set", "region", "eu"]);
    let server = it.with_keys(BOTH);
    let line = ["keys", "reseal", "--server", &server];
    let text = "sealed 0 connections and 1 variable under the key `new`\n";
    assert_eq!(it.works(&line).stdout, text);
    let again = it.works(&line).stdout;
    assert!(again.starts_with("nothing to do"), "{again}");
}

#[test]
fn nobody_who_leads_and_a_wrong_token_are_said() {
    let it = Running::start();
    let wrong = it.run(&["connections", "list", "--token", "wrong"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(
        wrong.stderr.contains("the token is wrong"),
        "{}",
        wrong.stderr
    );
    let away = it.run(&[
        "variables",
        "set",
        "a",
        "b",
        "--server",
        "http://127.0.0.1:1",
    ]);
    assert_eq!(away.code, 3);
    assert!(
        away.stderr.contains("Nothing was changed"),
        "{}",
        away.stderr
    );
}

#[test]
fn a_connection_is_tested_whether_it_is_sealed_or_in_the_environment() {
    let it = Running::start();
    // It takes a connection and says nothing HTTP-like; a database is asked for no more than that it listens.
    let there = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("port={}", there.local_addr().unwrap().port());
    let kind = ["--kind", "postgres", "--field", "host=127.0.0.1"];
    let set = ["connections", "set", "shop", "--field", &port];
    let _ = it.works(&[&set[..], &kind].concat());
    let test = |variables: &[(&str, &str)], name: &str| {
        let environment = Environment::new(variables.iter().copied(), it.folder());
        let line = ["tidemill", "connections", "test", name];
        tidemill::run_in(&good(), line.map(Into::into), &environment)
    };
    let output = test(&[("TIDEMILL_KEYS", OLD)], "shop");
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(
        output.stdout.contains("takes connections"),
        "{}",
        output.stdout
    );
    assert!(
        output.stdout.ends_with("`shop` works from this machine\n"),
        "{}",
        output.stdout
    );
    let none = test(&[("TIDEMILL_KEYS", OLD)], "shpo");
    assert_eq!(none.code, 1);
    assert!(
        none.stderr.contains("did you mean `shop`?"),
        "{}",
        none.stderr
    );
    // What is in the environment goes first, and needs neither keys nor a database.
    let nowhere = r#"{"kind": "databricks", "fields": {"host": "http://127.0.0.1:1"}}"#;
    let nowhere = [
        ("TIDEMILL_CONN_SHOP", nowhere),
        ("TIDEMILL_DATA_DIR", "elsewhere"),
    ];
    let output = test(&nowhere, "shop");
    assert_eq!(output.code, 1, "{}", output.stdout);
    assert!(
        output.stdout.contains("127.0.0.1 cannot be reached"),
        "{}",
        output.stdout
    );
    assert!(
        output.stdout.contains("`shop` does not work"),
        "{}",
        output.stdout
    );
}
