//! A PostgreSQL server of a test's own, which can be stopped and started. It is gone when the process is, however that
//! ends.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The servers refuse to run as root, so one of these runs them.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// How it stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Connections are cut, and everything is written.
    Fast,
    /// As if the power were cut: it recovers when it starts.
    Immediate,
}

/// A server.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    bin: PathBuf,
    user: Option<&'static str>,
    port: u16,
    settings: &'static str,
    up: bool,
    /// Waits for the end of its input, which is at the latest the end of this process, and clears everything away.
    keeper: Child,
}

impl Cluster {
    /// A new one, which runs with these settings, such as `-c fsync=off`. It always listens at a socket in its own folder;
    /// the port is for TCP, too, if the settings say at which addresses.
    ///
    /// # Panics
    /// If there is no PostgreSQL, or it does not start.
    #[must_use]
    pub fn start(port: u16, settings: &'static str) -> Self {
        Self::try_start(port, settings).unwrap_or_else(|why| {
            panic!("these tests need PostgreSQL (initdb, pg_ctl, postgres), and it did not start: {why}")
        })
    }

    /// The address of a database, by the socket in its folder.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let (dir, port) = (self.dir.display(), self.port);
        format!("postgres://tidemill@localhost:{port}/{database}?host={dir}")
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Stops it.
    ///
    /// # Panics
    /// If it does not.
    pub fn stop(&mut self, how: How) {
        let mode = match how {
            How::Fast => "fast",
            How::Immediate => "immediate",
        };
        let mut command = self.control("stop");
        run(command.args(["--mode", mode])).expect("it stops");
        self.up = false;
    }

    /// Starts it again, unless it runs. It answers when this returns.
    ///
    /// # Panics
    /// If it does not start.
    pub fn go_on(&mut self) {
        self.try_go_on().expect("it starts");
    }

    fn try_go_on(&mut self) -> io::Result<()> {
        if self.up {
            return Ok(());
        }
        // What comes first holds unless the settings say otherwise.
        let options = format!(
            "-c listen_addresses= -k {} -p {} {}",
            self.dir.display(),
            self.port,
            self.settings
        );
        let log = self.dir.join("log");
        let mut command = self.control("start");
        run(command.args(["--options", &options]).arg("--log").arg(log))?;
        self.up = true;
        Ok(())
    }

    fn control(&self, what: &str) -> Command {
        let mut command = server_command(self.user, &self.bin.join("pg_ctl"));
        command.args([what, "--wait", "--silent", "--pgdata"]);
        command.arg(self.dir.join("data"));
        command
    }

    fn try_start(port: u16, settings: &'static str) -> io::Result<Self> {
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
        run(server_command(user, &bin.join("initdb"))
            .args([
                "--username=tidemill",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ])
            .arg("--pgdata")
            .arg(&data))?;
        let keeper = keep(user, &bin, &dir, &data)?;
        let mut cluster = Self {
            dir,
            bin,
            user,
            port,
            settings,
            up: false,
            keeper,
        };
        cluster.try_go_on()?;
        Ok(cluster)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
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
