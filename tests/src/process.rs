//! One process under test.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// One process under test. It does not outlive this.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    paused: bool,
    armed: bool,
}

impl Process {
    /// Starts it; what it says goes to the end of a file.
    #[must_use]
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let open = || -> File {
            let mut options = OpenOptions::new();
            let file = options.append(true).create(true).open(log);
            file.expect("the log opens")
        };
        // Its input is a pipe that ends with this process, whatever becomes of us.
        let child = command
            .stdin(Stdio::piped())
            .stdout(open())
            .stderr(open())
            .spawn();
        Self {
            child: child.expect("it starts"),
            log: log.to_owned(),
            paused: false,
            armed: false,
        }
    }

    /// It is started in a way of its own, for this once.
    #[must_use]
    pub fn armed(mut self, armed: bool) -> Self {
        self.armed = armed;
        self
    }

    /// Whether it is.
    #[must_use]
    pub const fn is_armed(&self) -> bool {
        self.armed
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal. One that is gone gets none.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_some() {
            return;
        }
        self.paused = match signal {
            Signal::STOP => true,
            Signal::CONT => false,
            _ => self.paused,
        };
        kill_process(Pid::from_child(&self.child), signal).expect("it can be sent a signal");
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is ours to ask for")
    }

    /// Whether it is paused.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().expect("it is ours to wait for");
    }

    /// All that it and those before it have said.
    #[must_use]
    pub fn said(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
