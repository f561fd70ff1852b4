//! A PostgreSQL of our own: made when the first test asks, stopped and removed when the process ends, however it ends.

use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// The servers refuse to run as root, so one of these runs them.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// A running server.
#[derive(Debug)]
pub(crate) struct Cluster {
    dir: PathBuf,
    /// Where it listens for TCP on the loopback.
    pub(crate) port: u16,
    /// Waits for the end of its input, which is the end of this process, and clears everything away.
    _keeper: Child,
}

impl Cluster {
    /// The one server of this process.
    pub(crate) fn here() -> &'static Self {
        static HERE: OnceLock<Cluster> = OnceLock::new();
        HERE.get_or_init(|| {
            Self::start().unwrap_or_else(|why| {
                panic!("these tests need PostgreSQL (initdb, pg_ctl, postgres), and it did not start: {why}")
            })
        })
    }

    /// The address of a database, by the socket in our folder.
    pub(crate) fn url(&self, database: &str) -> String {
        let (dir, port) = (self.dir.display(), self.port);
        format!("postgres://tidemill@localhost:{port}/{database}?host={dir}")
    }

    fn start() -> io::Result<Self> {
        let bin = binaries()?;
        let user = server_user()?;
        let dir = tempfile::Builder::new()
            .prefix("tidemill-pg-")
            .tempdir()?
            .keep();
        if let Some(user) = user {
            run(Command::new("chown").arg(user).arg(&dir))?;
        }
        let data = dir.join("data");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        run(server_command(user, &bin.join("initdb"))
            .args([
                "--username=tidemill",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ])
            .arg("--pgdata")
            .arg(&data))?;
        let settings = format!(
            "-k {} -p {port} -c listen_addresses=127.0.0.1 -c max_connections=200 -c shared_buffers=256MB \
             -c max_wal_size=4GB -c fsync=on -c synchronous_commit=on",
            dir.display()
        );
        let keeper = keep(user, &bin, &dir, &data)?;
        run(server_command(user, &bin.join("pg_ctl"))
            .args(["start", "--wait", "--silent", "--options", &settings])
            .arg("--pgdata")
            .arg(&data)
            .arg("--log")
            .arg(dir.join("log")))?;
        Ok(Self {
            dir,
            port,
            _keeper: keeper,
        })
    }
}

/// A shell that outlives us by a moment. It has a process group of its own, so that Ctrl-C does not end it with us.
fn keep(user: Option<&str>, bin: &Path, dir: &Path, data: &Path) -> io::Result<Child> {
    const WAIT_AND_CLEAR: &str =
        r#"read -r _; "$1" stop --silent --mode immediate --pgdata "$2"; rm -rf "$3""#;
    server_command(user, Path::new("sh"))
        .args(["-c", WAIT_AND_CLEAR, "sh"])
        .args([&bin.join("pg_ctl"), data, dir])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

fn server_command(user: Option<&str>, program: &Path) -> Command {
    let mut command;
    if let Some(user) = user {
        command = Command::new("setpriv");
        command
            .args([&format!("--reuid={user}"), "--clear-groups", "--"])
            .arg(program);
    } else {
        command = Command::new(program);
    }
    command.current_dir("/");
    command
}

fn server_user() -> io::Result<Option<&'static str>> {
    let id = |args: &[&str]| Command::new("id").args(args).output();
    if id(&["-u"])?.stdout.trim_ascii() != b"0" {
        return Ok(None);
    }
    let known = |user: &&str| id(&["-u", user]).is_ok_and(|found| found.status.success());
    let user = USERS.into_iter().find(known);
    user.map(Some)
        .ok_or_else(|| io::Error::other("this is root, and there is no user to run a server as"))
}

fn binaries() -> io::Result<PathBuf> {
    let mut places: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| {
            versions
                .flatten()
                .map(|dir| dir.path().join("bin"))
                .collect()
        })
        .unwrap_or_default();
    places.sort();
    if let Ok(said) = Command::new("pg_config").arg("--bindir").output() {
        let dir = String::from_utf8_lossy(&said.stdout).trim().to_owned();
        places.push(dir.into());
    }
    let found = places
        .into_iter()
        .rev()
        .find(|dir| dir.join("initdb").exists());
    found.ok_or_else(|| io::Error::other("no initdb was found"))
}

fn run(command: &mut Command) -> io::Result<()> {
    // A server inherits these: a pipe would stay open for as long as it runs, and whoever reads it would wait.
    let log = tempfile::tempfile()?;
    let status = command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        .status()?;
    if status.success() {
        return Ok(());
    }
    let said = io::read_to_string({
        let mut log = log;
        io::Seek::rewind(&mut log)?;
        log
    })?;
    Err(io::Error::other(format!(
        "{command:?} ended with {status}: {said}"
    )))
}
