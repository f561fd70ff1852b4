//! `new`: a user's first minute. The project is really built and its tests are really run.

use std::path::Path;
use std::process::Command;

use crate::project::{good, run};

fn cargo(folder: &Path, arguments: &[&str]) -> (bool, String) {
    // The workspace's own target folder and lock file: what is built already is not built again, and nothing is
    // fetched. Settings of the outer test run must not leak into the inner one.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", root.join("target/scaffold"))
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
fn a_new_project_builds_and_passes_its_own_tests() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("shop_dags");
    let made = run(&good(), &["new", project.to_str().unwrap()]);
    assert_eq!((made.code, made.stdout.as_str()), (0, ""));
    assert!(made.stderr.contains("cargo test"), "{}", made.stderr);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::copy(root.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();

    let (passed, text) = cargo(&project, &["test", "--offline"]);
    assert!(passed && text.contains("4 passed"), "{text}");
    let (valid, text) = cargo(
        &project,
        &["run", "--offline", "--quiet", "--", "dags", "validate"],
    );
    assert!(
        valid && text.contains("1 DAG with 3 tasks is valid"),
        "{text}"
    );

    // A mistake is found by the project's own checks.
    let dag = project.join("src/daily_orders.rs");
    let source = std::fs::read_to_string(&dag).unwrap();
    std::fs::write(
        &dag,
        source.replace("Alert::to(\"oncall\")", "Alert::to(\"oncal\")"),
    )
    .unwrap();
    let (valid, text) = cargo(
        &project,
        &["run", "--offline", "--quiet", "--", "dags", "validate"],
    );
    assert!(!valid && text.contains("did you mean `oncall`?"), "{text}");
}

#[test]
fn a_project_is_never_written_over_and_names_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("taken");
    std::fs::create_dir(&there).unwrap();
    let taken = run(&good(), &["new", there.to_str().unwrap()]);
    assert_eq!(taken.code, 2);
    assert!(
        taken.stderr.contains("is there already"),
        "{}",
        taken.stderr
    );
    for bad in ["a b", "1dags", "a.b", "serde", ""] {
        let path = folder.path().join(bad);
        let wrong = run(&good(), &["new", path.to_str().unwrap()]);
        assert_eq!(wrong.code, 2, "{bad}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let nowhere = folder.path().join("dags");
    let wrong = run(
        &good(),
        &["new", nowhere.to_str().unwrap(), "--tidemill", "/nowhere"],
    );
    assert!(
        wrong.stderr.contains("no source of Tidemill in `/nowhere`"),
        "{}",
        wrong.stderr
    );
    assert!(!nowhere.exists());
}
