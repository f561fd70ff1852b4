//! dbt: how it is called, what it says, and what its end means. A script stands for dbt and writes what dbt 1.11 writes;
//! the real one is run by `tests/run.sh --real`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use tidemill::operator::{Connection, ErrorKind};
use tidemill::prelude::*;
use tidemill::testing::{Ran, TaskRun, valid};
use tidemill_operators::{Dbt, DbtProfile, DbtReport};

/// A project with a program that stands for dbt.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    /// The program runs `script`, which finds in `$T` the folder that dbt writes to, and notes how it was called.
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().expect("it works");
        let project = Self { folder };
        let yml = "name: shop\nversion: '1'\nprofile: shop_profile\n";
        fs::write(project.path("dbt_project.yml"), yml).expect("it works");
        let manifest = json!({
            "parent_map": { "model.shop.days": ["seed.shop.orders"] },
            "nodes": {
                "model.shop.days": { "name": "days", "relation_name": "`proj`.`shop`.`days`" },
                "test.shop.unique_days_day": {
                    "name": "unique_days_day", "attached_node": "model.shop.days", "column_name": "day",
                    "test_metadata": { "name": "unique" }, "config": { "severity": "ERROR" },
                },
            },
        });
        fs::write(project.path("manifest"), manifest.to_string()).expect("it works");
        let program = format!(
            r#"#!/bin/sh
printf '%s\n' "$*" >> "{calls}"
all="$*"
while [ $# -gt 0 ]; do case "$1" in --target-path) T="$2";; --state) S="$2";; esac; shift; done
results() {{ printf '{{"results": [%s], "elapsed_time": 2.5}}' "$1" > "$T/run_results.json"; cp "{manifest}" "$T/manifest.json"; }}
{script}
"#,
            calls = project.path("calls").display(),
            manifest = project.path("manifest").display(),
        );
        let path = project.path("dbt");
        fs::write(&path, program).expect("it works");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it works");
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("calls")).expect("it was called");
        text.lines().map(str::to_owned).collect()
    }

    fn build(&self) -> Dbt {
        Dbt::build(self.folder.path().display().to_string())
            .program(self.path("dbt").display().to_string())
    }

    /// The folder that dbt was told to write to.
    fn target(&self) -> PathBuf {
        let call = self.calls().remove(0);
        let (_, behind) = call.split_once("--target-path ").expect("it is said");
        Path::new(behind.split(' ').next().expect("it is there")).to_owned()
    }
}

fn run(dbt: Dbt, attempt: u32) -> Ran {
    let dag = valid(Dag::build("shop", |dag| {
        dag.schedule(Cron::daily());
        dag.add("models", dbt);
    }));
    let google = Connection::new("google", "google")
        .with("project", "proj")
        .with("endpoint", "http://127.0.0.1:1")
        .with_secret("token", "very-secret-token");
    TaskRun::of(&dag, "models")
        .day("2025-01-31")
        .attempt(attempt)
        .connection(google)
        .run()
}

const DAYS: &str = r#"{"unique_id": "model.shop.days", "status": "success", "execution_time": 0.5, "relation_name": "`proj`.`shop`.`days`", "adapter_response": {"rows_affected": 3, "bytes_processed": 128}}"#;
const BROKEN: &str = r#"{"unique_id": "model.shop.sums", "status": "error", "message": "Database Error in model sums: Unrecognized name: nope at [3:8]"}"#;
const LEFT: &str = r#"{"unique_id": "model.shop.after", "status": "skipped"}"#;
const WRONG: &str = r#"{"unique_id": "test.shop.unique_days_day", "status": "fail", "failures": 2, "message": "Got 2 results, configured to fail if != 0"}"#;

#[test]
fn every_node_is_in_the_log_as_it_ends_and_in_what_the_task_returns() {
    let said = r#"{"info": {"level": "info", "msg": "1 of 2 OK created sql table model shop.days ... [CREATE TABLE (3 rows) in 0.50s]", "name": "LogModelResult"}, "data": {"index": 1, "total": 2, "execution_time": 0.5, "node_info": {"node_name": "days", "node_finished_at": "2025-01-31T00:00:00"}}}"#;
    let project = Project::new(&format!(
        "echo '{said}'\necho 'not of dbt'\nresults '{DAYS}'"
    ));
    let dbt = project
        .build()
        .select("tag:daily")
        .select("+days")
        .exclude("old")
        .var("day", "{ds}")
        .var_json("whole", true)
        .threads(8)
        .full_refresh()
        .flags(["--empty"]);
    let ran = run(dbt, 1);
    assert!(
        ran.logged("1 of 2 OK created sql table model shop.days"),
        "{:?}",
        ran.log
    );
    assert!(ran.logged("not of dbt"));
    assert_eq!(ran.progress, [(0.5, "1 of 2: days".to_owned())]);
    let report: DbtReport = ran.output();
    assert_eq!(
        (report.nodes.len(), report.seconds.to_string().as_str()),
        (1, "2.5")
    );
    let node = &report.nodes[0];
    assert_eq!(
        (node.rows, node.bytes, node.kind()),
        (Some(3), Some(128), "model")
    );
    assert_eq!(node.parents, ["seed.shop.orders"]);
    let call = &project.calls()[0];
    assert!(call.starts_with("build --log-format json"), "{call}");
    assert!(
        call.contains(r#"--vars {"day":"2025-01-31","whole":true}"#),
        "{call}"
    );
    assert!(call.contains("--threads 8"), "{call}");
    assert!(
        call.ends_with("--select tag:daily +days --exclude old --full-refresh --empty"),
        "{call}"
    );
    assert!(!project.target().exists(), "what is done leaves nothing");
}

#[test]
fn a_failed_test_is_the_data_and_a_failed_model_is_tried_again() {
    let wrong = run(
        Project::new(&format!("results '{DAYS}, {WRONG}'; exit 1")).build(),
        1,
    );
    let error = wrong.error();
    assert_eq!(error.kind, ErrorKind::Data);
    let [check] = wrong.checks.as_slice() else {
        panic!("one test is one check: {:?}", wrong.checks);
    };
    assert_eq!(
        (check.table.as_str(), check.kind.as_str()),
        ("proj.shop.days", "unique")
    );
    assert_eq!(
        (check.status.as_str(), check.blocking, check.rows_failed),
        ("failed", true, Some(2))
    );
    assert_eq!(check.columns, ["day"]);
    assert!(
        error
            .message
            .contains("test.shop.unique_days_day (fail): Got 2 results"),
        "{error}"
    );

    let both = Project::new(&format!(
        "results '{DAYS}, {BROKEN}, {LEFT}, {WRONG}'; exit 1"
    ));
    let error = run(both.build(), 1).error().clone();
    assert_eq!(error.kind, ErrorKind::Transient);
    assert!(
        error
            .message
            .starts_with("2 of 4 failed, first model.shop.sums (error): Database Error"),
        "{error}"
    );
    assert!(
        error.message.contains("1 were left out because of it"),
        "{error}"
    );
}

#[test]
fn another_attempt_does_only_what_failed_if_it_is_where_the_last_one_was() {
    let script = format!(
        r#"case "$all" in retry*) grep -q model.shop.sums "$S/run_results.json" && test -f "$S/manifest.json" && results '{DAYS}';; *) results '{DAYS}, {BROKEN}'; exit 1;; esac"#
    );
    let project = Project::new(&script);
    let dbt = project.build().select("tag:daily").var("day", "{ds}");
    assert_eq!(run(dbt.clone(), 1).error().kind, ErrorKind::Transient);
    let again = run(dbt.clone(), 2);
    assert_eq!(again.output::<DbtReport>().nodes.len(), 1);
    assert!(again.logged("only what failed in the last attempt"));
    let call = &project.calls()[1];
    assert!(
        call.starts_with("retry --state ") && !call.contains("--select"),
        "{call}"
    );
    assert!(call.contains(r#"--vars {"day":"2025-01-31"}"#), "{call}");
    // It has succeeded: who runs it again wants all of it.
    assert_eq!(run(dbt.clone(), 3).error().kind, ErrorKind::Transient);
    assert!(project.calls()[2].starts_with("build "));
    let whole = run(dbt.always_whole(), 4);
    assert_eq!(whole.error().kind, ErrorKind::Transient);
    assert!(project.calls()[3].starts_with("build "));
}

#[test]
fn a_selection_of_nothing_is_no_success() {
    for script in ["results ''", "true", "echo '{' > \"$T/run_results.json\""] {
        let ran = run(Project::new(script).build().select("tag:dayly"), 1);
        let error = ran.error();
        assert_eq!(error.kind, ErrorKind::Permanent, "{script}");
        assert!(
            error.message.contains("nothing is selected by `tag:dayly`"),
            "{error}"
        );
    }
}

#[test]
fn what_dbt_cannot_make_sense_of_is_permanent_and_what_stops_it_is_not() {
    let said = r#"{"info": {"level": "error", "msg": "Compilation Error\n  depends on a node named nope"}, "data": {}}"#;
    let project = Project::new(&format!("echo '{said}'; exit 2"));
    let error = run(project.build(), 1).error().clone();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(
        error.message.contains("depends on a node named nope"),
        "{error}"
    );
    let error = run(Project::new("echo 'no connection' >&2; exit 1").build(), 1)
        .error()
        .clone();
    assert_eq!(error.kind, ErrorKind::Transient);
    assert!(error.message.contains("no connection"), "{error}");
    let error = run(Dbt::build("/nowhere"), 1).error().clone();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(
        error.message.contains("no dbt project in `/nowhere`"),
        "{error}"
    );
}

#[test]
fn a_profile_is_made_out_of_a_connection_and_has_no_secret_in_it() {
    let script = r#"P=$(cat "$T/profiles.yml"); printf '{"info": {"level": "info", "msg": "secret %s"}}\n' "$DBT_ENV_SECRET_TIDEMILL" > "$T/../../../seen"; echo "$P" > "$T/../../../profile"; results '{"unique_id": "seed.shop.orders", "status": "success"}'"#;
    let project = Project::new(script);
    let profile = DbtProfile::bigquery("google", "shop").location("EU");
    let ran = run(project.build().profile(profile).target("prod"), 1);
    assert!(ran.result.is_ok(), "{:?}", ran.result);
    let text = fs::read_to_string(project.path("profile")).unwrap();
    assert!(!text.contains("very-secret-token"), "{text}");
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    let output = json!({
        "type": "bigquery", "dataset": "shop", "project": "proj", "location": "EU", "threads": 4,
        "api_endpoint": "http://127.0.0.1:1", "method": "oauth-secrets",
        "token": "{{ env_var('DBT_ENV_SECRET_TIDEMILL') }}",
    });
    assert_eq!(
        found,
        json!({ "shop_profile": { "target": "prod", "outputs": { "prod": output } } })
    );
    assert!(project.calls()[0].contains("--profiles-dir"));
    assert!(
        fs::read_to_string(project.path("seen"))
            .unwrap()
            .contains("very-secret-token")
    );
}
