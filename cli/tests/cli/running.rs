//! Commands beside a running Tidemill: what they print, where, and with which exit code.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidemill::prelude::*;
use tidemill::{Environment, Output};

#[params]
struct Wanted {
    /// Which region.
    region: Option<String>,
}

#[task]
fn count(words: Vec<String>) -> TaskResult<u64> {
    Ok(words.len() as u64)
}

#[task]
fn words() -> TaskResult<Vec<String>> {
    Ok(vec!["a".to_owned(), "b".to_owned()])
}

#[task]
fn breaks() -> TaskResult<u64> {
    Err(TaskError::permanent("the source is gone"))
}

/// Two tasks that succeed.
fn fine() -> Dag {
    Dag::build("fine", |dag| {
        dag.params::<Wanted>();
        let words = dag.call("words", words, ());
        dag.call("count", count, &words)
            .writes(Table::named("shop.counts").truncate());
    })
}

/// A task that fails, and one behind it.
fn broken() -> Dag {
    Dag::build("broken", |dag| {
        let first = dag.call("first", breaks, ());
        dag.empty("second").after(&first);
    })
}

/// Somebody has to say yes.
fn asks() -> Dag {
    Dag::build("asks", |dag| {
        let sign_off = dag.approval("sign_off", Approval::ask("Publish?"));
        dag.empty("publish").after(&sign_off);
    })
}

/// Every day.
fn daily() -> Dag {
    Dag::build("daily", |dag| {
        dag.schedule(Cron::daily())
            .start("2025-01-01")
            .catchup(false);
        dag.call("words", words, ());
    })
}

pub(crate) fn dags() -> Dags {
    let dags = Dags::new().dag(fine).dag(broken).dag(asks).dag(daily);
    crate::running_monitor::with(dags.dag(crate::running_stuck::jams))
}

/// A scheduler and a worker of this process, in a folder of their own.
pub(crate) struct Running {
    pub(crate) folder: TempDir,
    standalone: Option<JoinHandle<Output>>,
}

pub(crate) fn line(words: &[&str]) -> Vec<std::ffi::OsString> {
    let begin = ["tidemill", "--color", "never"];
    begin.iter().chain(words).map(Into::into).collect()
}

fn environment(folder: &Path) -> Environment {
    let data = folder.join("data").display().to_string();
    let set = [
        ("TIDEMILL_DATA_DIR", data.as_str()),
        ("TIDEMILL_LISTEN", "127.0.0.1:0"),
        ("TIDEMILL_LOG_LEVEL", "error"),
        ("TIDEMILL_LABELS", "team=crm,zone=europe-west3"),
        ("USER", "ann"),
    ];
    Environment::new(set, folder)
}

pub(crate) fn run_in(folder: &Path, words: &[&str]) -> Output {
    tidemill::run_in(&dags(), line(words), &environment(folder))
}

impl Running {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder is made");
        let at = environment(folder.path());
        let standalone =
            std::thread::spawn(move || tidemill::run_in(&dags(), line(&["standalone"]), &at));
        let running = Self {
            folder,
            standalone: Some(standalone),
        };
        running.until(|running| {
            let found = running.run(&["workers", "list", "--json"]);
            let fleet: Value = serde_json::from_str(&found.stdout).unwrap_or_default();
            let deployed = running.run(&["runs", "list", "asks"]).code == 0;
            deployed
                && fleet["workers"]
                    .as_array()
                    .is_some_and(|all| !all.is_empty())
        });
        running
    }

    pub(crate) fn run(&self, words: &[&str]) -> Output {
        run_in(self.folder.path(), words)
    }

    /// Starts another process that stays, in a thread that ends with the tests.
    pub(crate) fn beside(&self, words: &[&str]) {
        let (words, at) = (line(words), environment(self.folder.path()));
        std::thread::spawn(move || tidemill::run_in(&dags(), words, &at));
    }

    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let output = self.run(words);
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// Looks until it is so.
    pub(crate) fn until(&self, so: impl Fn(&Self) -> bool) {
        let alive = || {
            let ended = self
                .standalone
                .as_ref()
                .is_some_and(JoinHandle::is_finished);
            assert!(!ended, "the process ended");
        };
        let wait = std::sync::mpsc::channel::<()>();
        while !so(self) {
            alive();
            let _ = wait.1.recv_timeout(Duration::from_millis(50));
        }
    }
}

pub(crate) fn said(output: &Output) -> (u8, &str, &str) {
    (output.code, &output.stdout, &output.stderr)
}

#[test]
fn without_a_scheduler_nothing_is_changed_and_the_code_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let none = run_in(folder.path(), &["runs", "trigger", "fine"]);
    assert_eq!(none.code, 3);
    assert!(
        none.stderr.contains("no scheduler is running"),
        "{}",
        none.stderr
    );
    assert_eq!(run_in(folder.path(), &["db", "migrate"]).code, 0);
    let none = run_in(folder.path(), &["pools", "set", "p", "--slots", "3"]);
    assert_eq!(
        said(&none),
        (
            3,
            "",
            "error: no scheduler is running; start one with `standalone` or `scheduler`. Nothing was changed\n"
        )
    );
    std::fs::create_dir_all(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/token"), "t").unwrap();
    let away = [
        "pools",
        "set",
        "p",
        "--slots",
        "3",
        "--server",
        "http://127.0.0.1:1",
    ];
    let away = run_in(folder.path(), &away);
    assert_eq!(away.code, 3);
    assert!(
        away.stderr
            .starts_with("error: cannot reach the scheduler at http://127.0.0.1:1")
            && away.stderr.ends_with("Nothing was changed\n"),
        "{}",
        away.stderr
    );
    let unreachable = [
        "runs",
        "list",
        "--database",
        "postgres://127.0.0.1:1/nothing",
    ];
    assert_eq!(run_in(folder.path(), &unreachable).code, 3);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told to its end")]
fn runs_are_made_followed_shown_and_run_again() {
    let running = Running::start();
    let dry = running.run(&["runs", "trigger", "fine", "--dry-run", "--name", "one"]);
    assert_eq!(dry.code, 0);
    assert!(
        dry.stdout.starts_with("would have triggered fine\n  run "),
        "{}",
        dry.stdout
    );
    assert_eq!(running.json(&["runs", "list", "fine", "--json"]), json!([]));

    let words = "runs trigger fine --name one --param region=eu --note try --wait --json";
    let words: Vec<&str> = words.split(' ').collect();
    let made = running.run(&words);
    assert_eq!((made.code, made.stderr.as_str()), (0, ""));
    let run: Value = serde_json::from_str(&made.stdout).unwrap();
    assert_eq!(run["state"], "success");
    assert_eq!(run["params"], json!({ "region": "eu" }));
    assert_eq!(run["note"], "try");
    let number = run["no"].to_string();
    for name in ["one", "latest", number.as_str()] {
        let shown = running.run(&["runs", "show", "fine", name]);
        assert_eq!(shown.code, 0, "{name}: {}", shown.stderr);
        assert!(
            shown.stdout.starts_with("fine  one  success\n"),
            "{}",
            shown.stdout
        );
        assert!(
            shown.stdout.contains("\ncount  success  1 "),
            "{}",
            shown.stdout
        );
    }

    let clear = [
        "tasks",
        "clear",
        "fine",
        "one",
        "words",
        "--downstream",
        "--dry-run",
    ];
    let clear = running.run(&clear);
    let expected = format!(
        "would have cleared tasks of fine\nRUN     TASK   STATE\n{number}  one  count  success → none\n\
         {number}  one  words  success → none\n  writes again: truncate shop.counts\n"
    );
    let (head, _) = expected.split_once("  writes again").unwrap();
    assert!(clear.stdout.starts_with(head), "{}", clear.stdout);
    assert!(
        clear.stdout.contains("writes again: ") && clear.stdout.contains("shop.counts"),
        "{}",
        clear.stdout
    );

    let failed = running.run(&["runs", "trigger", "broken", "--wait"]);
    assert_eq!(failed.code, 1);
    assert!(
        failed.stdout.contains("the source is gone"),
        "{}",
        failed.stdout
    );
    let why = running.run(&["tasks", "why", "broken", "latest", "first"]);
    assert!(
        why.stdout.contains("first is failed since")
            && why.stdout.contains("the run ended failed at"),
        "{}",
        why.stdout
    );
    let retry = ["runs", "retry", "--dag", "broken", "--state", "failed"];
    let counted = running.run(&retry);
    assert_eq!(counted.code, 2);
    assert!(
        counted
            .stderr
            .contains("this is 1 run with 2 tasks; nothing was changed"),
        "{}",
        counted.stderr
    );
    let sure = ["--yes", "--note", "the source is back"];
    let retried = running.run(&[&retry[..], &sure].concat());
    assert_eq!(retried.code, 0);
    assert!(
        retried.stdout.contains("first   failed → none"),
        "{}",
        retried.stdout
    );
    let again = running.run(&["runs", "show", "broken", "latest", "--watch", "--json"]);
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(again["tasks"][0]["attempt"], 2);
    assert_eq!(again["note"], "the source is back");

    let marked = running.run(&[
        "tasks", "mark", "broken", "latest", "first", "--as", "success",
    ]);
    assert_eq!(marked.code, 0, "{}", marked.stderr);
    let stale = ["runs", "clear", "broken", "latest", "--seen", "0"];
    let stale = running.run(&stale);
    assert_eq!((stale.code, stale.stdout.as_str()), (1, ""));
    assert!(
        stale.stderr.contains("Look again before you change it"),
        "{}",
        stale.stderr
    );
}

#[test]
fn what_waits_says_why_and_can_be_answered_and_cancelled() {
    let running = Running::start();
    for _ in 0..2 {
        assert_eq!(running.run(&["runs", "trigger", "asks"]).code, 0);
        running.until(|running| {
            let tasks = running.json(&["tasks", "list", "asks", "latest", "--json"]);
            tasks
                .as_array()
                .is_some_and(|all| all.iter().any(|task| task["state"] == "deferred"))
        });
    }
    let why = running.run(&["tasks", "why", "asks", "latest", "publish"]);
    assert_eq!(why.code, 0, "{}", why.stderr);
    assert!(
        why.stdout.starts_with("publish is none since")
            && why.stdout.contains("sign_off of this run: deferred"),
        "{}",
        why.stdout
    );
    let wrong = running.run(&["tasks", "answer", "asks", "latest", "sign_off", "maybe"]);
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.stderr.contains("`maybe` is none of the answers"),
        "{}",
        wrong.stderr
    );
    let answered = running.run(&["tasks", "answer", "asks", "latest", "sign_off", "approve"]);
    assert_eq!(answered.code, 0, "{}", answered.stderr);
    assert!(
        answered.stdout.contains("sign_off  deferred → success"),
        "{}",
        answered.stdout
    );
    assert_eq!(
        running
            .run(&["runs", "show", "asks", "latest", "--watch"])
            .code,
        0
    );

    let open = running.json(&["runs", "list", "asks", "--state", "running", "--json"]);
    let number = open[0]["no"].to_string();
    let noted = running.run(&["runs", "note", "asks", &number, "late"]);
    assert_eq!(noted.code, 0, "{}", noted.stderr);
    assert_eq!(
        running
            .run(&["runs", "priority", "asks", &number, "7"])
            .code,
        0
    );
    let cancelled = running.run(&["runs", "cancel", "asks", &number]);
    assert_eq!(cancelled.code, 0, "{}", cancelled.stderr);
    let shown = running.run(&["runs", "show", "asks", &number, "--watch"]);
    assert_eq!(shown.code, 1);
    for part in [
        "cancelled\n",
        "note       late",
        "priority   7",
        "ann cancelled",
    ] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told to its end")]
fn backfills_pools_and_dags_are_shown_and_set() {
    let running = Running::start();
    let create = [
        "backfill",
        "create",
        "daily",
        "--from",
        "2025-01-01",
        "--to",
        "2025-01-03",
    ];
    let preview = running.run(&create);
    assert_eq!(preview.code, 2);
    assert!(
        preview
            .stdout
            .contains("2025-01-03 00:00:00Z  2025-01-04 00:00:00Z  a run"),
        "{}",
        preview.stdout
    );
    assert!(
        preview
            .stderr
            .contains("this is 3 runs of 3 dates; nothing was changed"),
        "{}",
        preview.stderr
    );
    assert_eq!(running.json(&["backfill", "list", "--json"]), json!([]));
    let made = running.run(&[&create[..], &["--yes"]].concat());
    assert_eq!(made.code, 0, "{}", made.stderr);
    running.until(|running| running.json(&["backfill", "show", "1", "--json"])["state"] == "done");
    let shown = running.run(&["backfill", "show", "1"]).stdout;
    assert!(
        shown.contains("2025-01-01 00:00:00Z  2025-01-02 00:00:00Z  made   run"),
        "{shown}"
    );

    let set = running.run(&["pools", "set", "warehouse", "--slots", "8"]);
    assert_eq!(said(&set), (0, "made pool warehouse: 8 slots\n", ""));
    let set = running.run(&[
        "pools",
        "set",
        "warehouse",
        "--slots",
        "unlimited",
        "--dry-run",
    ]);
    assert_eq!(
        set.stdout,
        "would have set pool warehouse: slots 8 → unlimited\n"
    );
    assert_eq!(running.run(&["pools", "pause", "warehouse"]).code, 0);
    let pools = running.json(&["pools", "list", "--json"]);
    let pools = pools.as_array().unwrap();
    let pool = pools.iter().find(|pool| pool["name"] == "warehouse");
    let pool = pool.unwrap();
    assert_eq!((&pool["paused"], &pool["slots"]), (&json!(true), &json!(8)));
    assert_eq!(running.run(&["pools", "remove", "warehouse"]).code, 0);

    let paused = running.run(&["dags", "pause", "fine"]);
    assert_eq!(said(&paused), (0, "paused fine (was unpaused)\n", ""));
    let deployed = running.run(&["dags", "deploy"]);
    assert_eq!(deployed.code, 0, "{}", deployed.stderr);
    assert_eq!(
        deployed.stdout.matches("unchanged").count(),
        6,
        "{}",
        deployed.stdout
    );
    assert_eq!(running.run(&["dags", "remove", "asks"]).code, 0);
    let back = running.run(&["dags", "deploy", "--dry-run"]);
    assert!(
        back.stdout.contains("back after it was removed"),
        "{}",
        back.stdout
    );
    let changed = running.run(&["assets", "changed", "gs://shop/orders"]);
    assert_eq!(
        said(&changed),
        (0, "noted that gs://shop/orders changed\n", "")
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told to its end")]
fn what_is_wrong_is_said_in_one_line_and_changes_nothing() {
    let running = Running::start();
    let big = format!("region={}", "x".repeat(70_000));
    let wrong: [(&[&str], u8, &str); 12] = [
        (&["runs", "trigger", "finee"], 2, "there is no DAG `finee`"),
        (
            &["runs", "show", "fine", "nope"],
            2,
            "`fine` has no run `nope`",
        ),
        (
            &["runs", "show", "fine", "latest"],
            2,
            "`fine` has no run `latest`",
        ),
        (
            &["runs", "trigger", "fine", "--param", "regoin=eu"],
            2,
            "regoin",
        ),
        (
            &["runs", "trigger", "fine", "--param", "region=1"],
            2,
            "region",
        ),
        (
            &["runs", "trigger", "fine", "--param", &big],
            2,
            "the most allowed is 65536",
        ),
        (
            &["runs", "trigger", "fine", "--param", "region"],
            2,
            "has no value",
        ),
        (
            &[
                "runs",
                "trigger",
                "fine",
                "--token",
                "0123456789abcdef0123456789abcdef",
            ],
            2,
            "the token is wrong",
        ),
        (
            &["runs", "trigger", "fine", "--name", "../x"],
            2,
            "cannot be a run's name",
        ),
        (&["pools", "pause", "defautl"], 2, "did you mean `default`?"),
        (&["backfill", "show", "9"], 2, "there is no backfill 9"),
        (&["runs", "retry"], 2, "which runs are meant is not said"),
    ];
    for (words, code, part) in wrong {
        let output = running.run(words);
        assert_eq!(output.code, code, "{words:?}: {output:?}");
        assert!(
            output.stderr.starts_with("error: ") && output.stderr.contains(part),
            "{part}: {}",
            output.stderr
        );
        assert_eq!(output.stdout, "", "{part}");
    }
    let second = running.run(&["standalone", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.stdout, "");
    assert_ne!(second.code, 0);
    assert_eq!(running.json(&["runs", "list", "fine", "--json"]), json!([]));
    let unknown = running.run(&["runs", "trigger", "fine", "--wait"]);
    assert_eq!(unknown.code, 0);
    let task = running.run(&["tasks", "why", "fine", "latest", "cuont"]);
    assert_eq!(
        said(&task),
        (
            2,
            "",
            "error: there is no task `cuont`\n  help: did you mean `count`?\n"
        )
    );
}

#[test]
fn a_dag_is_tried_out_in_this_process() {
    let folder = tempfile::tempdir().unwrap();
    let test = |words: &[&str]| run_in(folder.path(), &[&["dags", "test"], words].concat());
    let fine = test(&["fine", "--json", "--param", "region=eu"]);
    assert_eq!(fine.code, 0, "{}", fine.stderr);
    let run: Value = serde_json::from_str(&fine.stdout).unwrap();
    assert_eq!(
        (&run["state"], run["tasks"].as_array().map(Vec::len)),
        (&json!("success"), Some(2))
    );
    let part: Value =
        serde_json::from_str(&test(&["fine", "--task", "words", "--json"]).stdout).unwrap();
    assert_eq!(part["tasks"].as_array().map(Vec::len), Some(1));
    let dated = test(&["daily", "--date", "2025-03-05", "--json"]);
    let dated: Value = serde_json::from_str(&dated.stdout).unwrap();
    assert_eq!(dated["start"], "2025-03-05T00:00:00Z");
    assert_eq!(dated["end"], "2025-03-06T00:00:00Z");
    let failed = test(&["broken"]);
    assert_eq!(failed.code, 1);
    assert!(
        failed.stdout.contains("the source is gone"),
        "{}",
        failed.stdout
    );
    let answered = test(&["asks", "--answer", "sign_off=approve"]);
    assert_eq!(answered.code, 0, "{}", answered.stderr);
    let wrong = test(&["asks", "--answer", "sign_off=maybe"]);
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.stderr.contains("`maybe` is none of the answers"),
        "{}",
        wrong.stderr
    );
    let unknown = test(&["fien"]);
    assert_eq!(
        said(&unknown),
        (
            2,
            "",
            "error: there is no DAG `fien`\n  help: did you mean `fine`?\n"
        )
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}
