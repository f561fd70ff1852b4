//! A scheduler that speaks TLS, its worker, and the commands for it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tidemill::prelude::*;
use tidemill::{Environment, Output};

#[task]
fn fetch() -> TaskResult<u64> {
    Ok(7)
}

fn dags() -> Dags {
    Dags::new().dag(|| {
        Dag::build("secure", |dag| {
            dag.call("fetch", fetch, ());
        })
    })
}

/// A file of `tests/tls`.
fn file(name: &str) -> String {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tls");
    root.join(name).display().to_string()
}

fn run_in(folder: &Path, words: &[&str]) -> Output {
    let data = folder.join("data").display().to_string();
    let set = [
        ("TIDEMILL_DATA_DIR", data.as_str()),
        ("TIDEMILL_TOKEN", "right"),
        ("TIDEMILL_LOG_LEVEL", "error"),
        ("USER", "ann"),
    ];
    let begin = ["tidemill", "--color", "never"].iter();
    let line = begin.chain(words).map(Into::into);
    tidemill::run_in(&dags(), line, &Environment::new(set, folder))
}

/// A scheduler in a folder of its own, which shows the certificate of the tests.
struct Secure {
    folder: TempDir,
    authority: String,
    address: String,
    scheduler: JoinHandle<Output>,
}

impl Secure {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("it works");
        let free = TcpListener::bind("127.0.0.1:0").expect("it works");
        let address = free.local_addr().expect("it works").to_string();
        drop(free);
        let (at, listen) = (folder.path().to_owned(), address.clone());
        let scheduler = std::thread::spawn(move || {
            let (cert, key) = (file("server.pem"), file("server.key"));
            let shows = ["--tls-cert", &cert, "--tls-key", &key];
            run_in(
                &at,
                &[&["scheduler", "--listen", &listen], &shows[..]].concat(),
            )
        });
        let secure = Self {
            folder,
            authority: file("authority.pem"),
            address,
            scheduler,
        };
        secure.until(|secure| secure.trusting(&["workers", "list"]).code == 0);
        secure
    }

    fn https(&self) -> String {
        format!("https://{}", self.address)
    }

    fn run(&self, words: &[&str]) -> Output {
        run_in(self.folder.path(), words)
    }

    /// A command that knows the authority, and finds the scheduler in the database.
    fn trusting(&self, words: &[&str]) -> Output {
        self.run(&[words, &["--tls-ca", &self.authority]].concat())
    }

    fn until(&self, so: impl Fn(&Self) -> bool) {
        let wait = std::sync::mpsc::channel::<()>();
        while !so(self) {
            assert!(!self.scheduler.is_finished(), "the scheduler ended");
            let _ = wait.1.recv_timeout(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_worker_and_commands_that_know_the_authority_work_over_tls() {
    let secure = Secure::start();
    let (at, server) = (secure.folder.path().to_owned(), secure.https());
    let authority = secure.authority.clone();
    std::thread::spawn(move || {
        run_in(
            &at,
            &["worker", "--server", &server, "--tls-ca", &authority],
        )
    });
    secure.until(|secure| {
        let found = secure.trusting(&["workers", "list", "--json"]);
        let fleet: Value = serde_json::from_str(&found.stdout).unwrap_or_default();
        let workers = fleet["workers"].as_array();
        workers.is_some_and(|all| !all.is_empty())
            && secure.run(&["runs", "list", "secure"]).code == 0
    });
    let done = secure.trusting(&["runs", "trigger", "secure", "--wait"]);
    assert_eq!(done.code, 0, "{done:?}");
    let doctor = ["doctor", "--server", &secure.https()];
    let doctor = secure.trusting(&doctor).stdout;
    assert!(
        doctor.contains(&format!("{} leads", secure.https())),
        "{doctor}"
    );
}

#[test]
fn who_does_not_know_the_authority_or_speaks_without_tls_is_told_what_to_set() {
    let secure = Secure::start();
    let worker = secure.run(&["worker", "--server", &secure.https()]);
    assert_eq!(
        (worker.code, worker.stderr.as_str()),
        (
            2,
            &*format!(
                "error: no connection with the scheduler: {}: its certificate is signed by nobody whom this machine trusts; \
                 set `tls_ca` to a PEM file with the certificate of the authority that signed it\n",
                secure.https()
            )
        )
    );
    let command = secure.run(&["workers", "list"]);
    assert_eq!(command.code, 3);
    assert!(command.stderr.contains("set `tls_ca`"), "{command:?}");
    let doctor = secure.run(&["doctor", "--server", &secure.https()]);
    assert!(doctor.stdout.contains("set `tls_ca`"), "{doctor:?}");
    let plain = format!("http://{}", secure.address);
    let plain = secure.run(&["workers", "list", "--server", &plain]);
    assert_eq!(plain.code, 2);
    assert!(
        plain.stderr.contains("write it with `https://`"),
        "{plain:?}"
    );
}

#[test]
fn files_that_do_not_do_are_one_line_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, other) = (file("server.pem"), file("server.key"), file("renewed.key"));
    let nowhere = folder.path().join("nowhere.pem").display().to_string();
    let (of_cert, of_key) = ("--tls-cert".to_owned(), "--tls-key".to_owned());
    for (flags, says) in [
        (vec![&of_cert, &cert], "`tls_key` is not"),
        (vec![&of_key, &key], "`tls_cert` is not"),
        (
            vec![&of_cert, &cert, &of_key, &other],
            "do not fit each other",
        ),
        (
            vec![&of_cert, &key, &of_key, &key],
            "holds no certificate in PEM",
        ),
        (
            vec![&of_cert, &cert, &of_key, &cert],
            "holds no private key in PEM",
        ),
        (vec![&of_cert, &nowhere, &of_key, &key], "cannot read"),
    ] {
        let flags: Vec<&str> = flags.into_iter().map(String::as_str).collect();
        let wrong = run_in(folder.path(), &[&["scheduler"], &flags[..]].concat());
        assert_eq!(wrong.code, 2, "{wrong:?}");
        assert!(wrong.stderr.contains(says), "{wrong:?}");
        assert_eq!(wrong.stderr.lines().count(), 1, "{wrong:?}");
        let doctor = run_in(folder.path(), &[&["doctor"], &flags[..]].concat());
        assert!(doctor.stdout.contains(says), "{doctor:?}");
    }
    assert!(!folder.path().join("data").exists());
    let shown = run_in(folder.path(), &["config", "show", "--tls-ca", &key]);
    let line = shown.stdout.lines().find(|line| line.starts_with("tls_ca"));
    assert!(
        line.is_some_and(|line| line.contains("flag --tls-ca")),
        "{shown:?}"
    );
    let ca = [
        "worker",
        "--server",
        "https://127.0.0.1:1",
        "--tls-ca",
        &key,
    ];
    let worker = run_in(folder.path(), &ca);
    assert_eq!(worker.code, 2);
    assert!(
        worker.stderr.contains("`tls_ca`, flag --tls-ca"),
        "{worker:?}"
    );
}
