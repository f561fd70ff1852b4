//! Processes that never outlive whoever started them. Between us and each there is a keeper, whose standard input is a pipe
//! from us: when that ends, in whatever way we do, the keeper ends everything that descends from it and removes its folder.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{getpid, set_child_subreaper};
use tidemill_process::end_own_descendants;

use crate::wait::until;

/// A process and its folder. Both go with this.
#[derive(Debug)]
pub struct Kept {
    keeper: Child,
    folder: PathBuf,
}

impl Kept {
    /// Starts a command in a new folder. `keeper` is a binary whose word `keep` is [`keep`].
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(keeper: &Path, command: &Command) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let folder = folder.keep();
        let open = |name: &str| File::create(folder.join(name)).expect("a file opens");
        let mut kept = Command::new(keeper);
        kept.arg("keep")
            .arg(&folder)
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                kept.env(name, value);
            }
        }
        let keeper = kept
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(open("stdout"))
            .stderr(open("stderr"))
            .spawn();
        Self {
            keeper: keeper.expect("the keeper starts"),
            folder,
        }
    }

    /// Its folder, which is where it works.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The memory that it has, in megabytes.
    #[must_use]
    pub fn memory(&self) -> f64 {
        let keeper = self.keeper.id();
        let read = |path: String| std::fs::read_to_string(path).unwrap_or_default();
        let children = read(format!("/proc/{keeper}/task/{keeper}/children"));
        let kept = children.split_whitespace().next().unwrap_or_default();
        let status = read(format!("/proc/{kept}/status"));
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim_end_matches(" kB").trim().parse::<f64>().ok());
        kib.unwrap_or_default() / 1024.0
    }

    /// All that it has said.
    #[must_use]
    pub fn said(&self) -> String {
        let read = |name| std::fs::read(self.folder.join(name)).unwrap_or_default();
        let said = [read("stdout"), read("stderr")].concat();
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Waits until it has said something of which `find` makes what is wanted.
    ///
    /// # Panics
    /// When it ends, or does not say it.
    pub fn says<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        until(what, || {
            let said = self.said();
            let ended = self.keeper.try_wait().expect("it is ours to ask for");
            let found = find(&said);
            assert!(
                ended.is_none() || found.is_some(),
                "{what}: it ended: {said}"
            );
            found
        })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Keeps a command: `<folder> <program> <args>`.
#[must_use]
pub fn keep(line: &[OsString]) -> ExitCode {
    let [folder, program, args @ ..] = line else {
        return ExitCode::from(2);
    };
    // What leaves its parents becomes ours.
    let _ = set_child_subreaper(Some(getpid()));
    let started = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .spawn();
    let Ok(mut child) = started else {
        return ExitCode::from(127);
    };
    let folder = PathBuf::from(folder);
    let is_over = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_over);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        told.store(true, Ordering::SeqCst);
        end_own_descendants();
        // Those that are about to die may still write.
        until("its folder to be removed", || {
            let _ = std::fs::remove_dir_all(&folder);
            (!folder.exists()).then_some(())
        });
        std::process::exit(0);
    });
    let ended = child.wait();
    while is_over.load(Ordering::SeqCst) {
        // The thread ends the process when all is cleared away.
        std::thread::park();
    }
    // Whoever started it is told, and reads what it said.
    let code = ended.ok().and_then(|status| status.code());
    let code = code.and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(1))
}
