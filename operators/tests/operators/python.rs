//! Environments of Python. A script stands for Python: it makes the folders that `venv` makes and notes what `pip` was told.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use tidemill::operator::ErrorKind;
use tidemill::prelude::*;
use tidemill::testing::{Ran, TaskRun, valid};
use tidemill_operators::{PythonEnv, Shell, ShellOutput};

struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    /// `pip` runs this.
    fn new(pip: &str) -> Self {
        let folder = tempfile::tempdir().expect("it works");
        let machine = Self { folder };
        let made = machine.path("made");
        let python = format!(
            r#"#!/bin/sh
if [ "$2" = venv ]; then
  echo "$3" >> "{made}"
  mkdir -p "$3/bin" && cp "$0" "$3/bin/python"
elif [ "$2" = pip ]; then
  {pip}
else
  echo "python of $VIRTUAL_ENV ran $*"
fi
"#,
            made = made.display()
        );
        let path = machine.path("python3");
        fs::write(&path, python).expect("it works");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it works");
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn env(&self, packages: &[&str]) -> PythonEnv {
        PythonEnv::packages(packages.iter().copied())
            .python(self.path("python3").display().to_string())
            .cache(self.path("cache").display().to_string())
    }

    /// The folders of the environments that were made.
    fn made(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("made")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

fn run(env: PythonEnv) -> Ran {
    let shell = Shell::python(env, ["job.py", "--day", "{ds}"]).output(ShellOutput::LastLine);
    let dag = valid(Dag::build("scores", |dag| {
        dag.schedule(Cron::daily());
        dag.add("score", shell);
    }));
    TaskRun::of(&dag, "score").day("2025-01-31").run()
}

#[test]
fn an_environment_is_made_once_for_each_list_of_packages() {
    let machine = Machine::new(r#"echo "$*" >> "$(dirname "$0")/../packages""#);
    let first = run(machine.env(&["pandas==3.0.1"]));
    let folder = machine.made().remove(0);
    let said = format!("python of {folder} ran -u job.py --day 2025-01-31");
    assert_eq!(first.output::<String>(), said);
    assert!(
        first.logged("making a Python environment"),
        "{:?}",
        first.log
    );
    let packages = fs::read_to_string(format!("{folder}/packages")).unwrap();
    assert!(
        packages.contains("--no-input --quiet pandas==3.0.1"),
        "{packages}"
    );
    let again = run(machine.env(&["pandas==3.0.1"]));
    assert!(!again.logged("making a Python environment"));
    assert_eq!(again.output::<String>(), said);
    let other = run(machine.env(&["pandas==3.0.2"]));
    assert_ne!(other.output::<String>(), said);
    assert_eq!(machine.made().len(), 2);
}

#[test]
fn those_who_need_it_at_once_make_it_once() {
    let machine = Machine::new("true");
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| assert!(run(machine.env(&["a==1"])).result.is_ok()));
        }
    });
    assert_eq!(machine.made().len(), 1);
}

#[test]
fn what_was_not_finished_is_made_anew_and_what_pip_said_is_the_error() {
    let machine = Machine::new(
        r#"[ -f "$(dirname "$0")/../../../there" ] || { echo "no matching distribution for nope==9" >&2; exit 1; }"#,
    );
    let failed = run(machine.env(&["nope==9"]));
    let error = failed.error();
    assert_eq!(error.kind, ErrorKind::Transient);
    assert!(error.message.contains("install the packages"), "{error}");
    assert!(
        error
            .message
            .contains("no matching distribution for nope==9"),
        "{error}"
    );
    fs::write(machine.path("there"), "").unwrap();
    assert!(run(machine.env(&["nope==9"])).result.is_ok());
    assert_eq!(machine.made().len(), 2);
}
