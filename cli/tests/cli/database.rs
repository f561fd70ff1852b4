//! `db …` and `doctor`: what they print, and how they end.

use std::path::Path;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use tempfile::TempDir;
use tidemill::{Environment, Output};

use crate::project::good;

fn run(line: &[&str], variables: &[(&str, &str)], folder: &Path) -> Output {
    let line = ["tidemill"].iter().chain(line);
    let environment = Environment::new(variables.iter().copied(), folder);
    tidemill::run_in(&good(), line.map(Into::into), &environment)
}

/// A folder with a database in its data folder.
fn migrated() -> TempDir {
    let folder = tempfile::tempdir().expect("it works");
    let made = run(&["db", "migrate"], &[], folder.path());
    assert_eq!(
        (made.code, made.stdout.as_str()),
        (
            0,
            "took step 1 (0001_tables)\ntook step 2 (0002_log_left)\ntook step 3 (0003_access)\ntook step 4 (0004_pool_note)\ntook step 5 (0005_attempt_deferred)\ntook step 6 (0006_version_index)\ntook step 7 (0007_audit_chain)\ntook step 8 (0008_outbox_dag)\ntook step 9 (0009_found)\ntook step 10 (0010_check_results)\n"
        ),
        "{}",
        made.stderr
    );
    folder
}

fn by_hand(folder: &Path, sql: &str) {
    let file = folder.join("tidemill-data/tidemill.db");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("it works");
    runtime.block_on(async {
        let url = format!("sqlite://{}", file.display());
        let mut connection = SqliteConnection::connect(&url).await.expect("it works");
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql)
            .execute(&mut connection)
            .await
            .expect("it works");
    });
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout)
        .unwrap_or_else(|_| panic!("{}{}", output.stdout, output.stderr))
}

/// What `doctor` found of one thing: its mark and what it says.
fn finding(output: &Output, what: &str) -> (String, String) {
    let all = json(output);
    let found = all["findings"].as_array().expect("it works");
    let one = found.iter().find(|one| one["what"] == what);
    let one = one.unwrap_or_else(|| panic!("nothing of {what} in {found:?}"));
    let text = |field: &str| one[field].as_str().expect("it works").to_owned();
    (text("mark"), text("says"))
}

const AWAY: (&str, &str) = (
    "TIDEMILL_DATABASE",
    "postgres://me:hidden@127.0.0.1:1/nothing",
);

#[test]
fn a_database_is_made_once_and_its_status_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let status = run(&["db", "status"], &[], folder.path());
    assert_eq!(status.code, 1);
    assert!(
        status.stderr.starts_with("error: there is no database at ")
            && status.stderr.contains("`db migrate` makes it"),
        "{}",
        status.stderr
    );
    let folder = migrated();
    let again = run(&["db", "migrate"], &[], folder.path());
    assert_eq!(
        (again.code, again.stdout.as_str()),
        (0, "nothing to do: 10 steps taken before\n")
    );
    let status = run(&["db", "status"], &[], folder.path());
    assert_eq!(status.code, 0, "{}", status.stderr);
    assert!(status.stdout.contains("0001_tables"), "{}", status.stdout);
    assert!(status.stdout.contains("nobody leads"), "{}", status.stdout);
    let status = json(&run(&["db", "status", "--json"], &[], folder.path()));
    assert_eq!(status["behind"], 0);
    assert_eq!(status["steps"][0]["name"], "0001_tables");
}

#[test]
fn a_check_finds_nothing_in_a_sound_database_and_says_what_is_wrong_in_another() {
    let folder = migrated();
    let sound = run(&["db", "check"], &[], folder.path());
    assert_eq!(
        (sound.code, sound.stdout.as_str()),
        (0, "everything is as it should be\n")
    );
    by_hand(
        folder.path(),
        "INSERT INTO output (attempt, run_id, task_no, map_index, value, listed) VALUES (7, 8, 0, -1, '1', 0)",
    );
    let wrong = run(&["db", "check"], &[], folder.path());
    assert_eq!(wrong.code, 1);
    assert!(
        wrong
            .stdout
            .contains("output_without_task: Every output belongs to a task instance."),
        "{}",
        wrong.stdout
    );
    let wrong = run(&["db", "check", "--json"], &[], folder.path());
    assert_eq!(wrong.code, 1);
    assert!(
        json(&wrong)["violations"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
}

#[test]
fn cleaning_says_what_went_and_a_dry_run_takes_nothing() {
    let folder = migrated();
    by_hand(
        folder.path(),
        "INSERT INTO skipped_tick (dag, interval_start, skipped_at, why) VALUES ('a', 1, 1, 'x'), ('b', 1, 1, 'x')",
    );
    let clean = |more: &[&str]| {
        let line = [&["db", "clean", "--older-than", "90d", "--json"], more].concat();
        let output = run(&line, &[], folder.path());
        assert_eq!(output.code, 0, "{}", output.stderr);
        json(&output)["rows"].clone()
    };
    assert_eq!(clean(&["--dry-run"])["skipped_tick"], 2);
    assert_eq!(clean(&["--dag", "a"])["skipped_tick"], 1);
    assert_eq!(clean(&[])["skipped_tick"], 1);
    assert_eq!(clean(&[]), serde_json::json!({}));
    let nothing = run(&["db", "clean", "--older-than", "90d"], &[], folder.path());
    assert!(
        nothing.stdout.starts_with("nothing went: "),
        "{}",
        nothing.stdout
    );
    let wrong = run(&["db", "clean", "--older-than", "soon"], &[], folder.path());
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.stderr.contains("write it like 90s"),
        "{}",
        wrong.stderr
    );
}

/// A run that ended at this moment.
fn ended(folder: &Path, id: i64, name: &str, at: i64) {
    let sql = format!(
        "INSERT INTO run (id, dag, name, kind, state, version, interval_start, interval_end, due_at, created_at, ended_at, \
         params, paused, priority, edits) \
         VALUES ({id}, 'a', '{name}', 'manual', 'success', 'v', 1, 1, 1, 1, {at}, '{{}}', 0, 0, 0)"
    );
    by_hand(folder, &sql);
}

/// Something in the log of an attempt of each of these runs, as the default place has it.
fn logged(folder: &Path, runs: &[&str]) {
    for run in runs {
        let folder = folder
            .join("tidemill-data/logs/a")
            .join(run)
            .join("load/1-1");
        std::fs::create_dir_all(&folder).expect("it works");
        std::fs::write(folder.join("log.jsonl"), "{}\n").expect("it works");
    }
}

fn with_logs(folder: &Path) -> Vec<String> {
    let runs = std::fs::read_dir(folder.join("tidemill-data/logs/a")).expect("it works");
    let mut names: Vec<String> = runs
        .map(|run| {
            run.expect("it works")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

const YOUNG: i64 = 32_000_000_000_000_000;

#[test]
fn with_runs_go_their_logs_and_no_others() {
    let folder = migrated();
    let clean = |more: &[&str]| {
        let line = [&["db", "clean", "--older-than", "90d"], more].concat();
        let output = run(&line, &[], folder.path());
        assert_eq!(output.code, 0, "{}", output.stderr);
        output
    };
    ended(folder.path(), 1, "old", 2);
    ended(folder.path(), 2, "young", YOUNG);
    // As a clean leaves it that was cut after the rows went. One of the two was made again, and logs already.
    by_hand(
        folder.path(),
        "INSERT INTO log_left (dag, run) VALUES ('a', 'cut.7'), ('a', 'young.8')",
    );
    logged(
        folder.path(),
        &["old.1", "young.2", "young.8", "cut.7", "of_another.9"],
    );
    assert_eq!(json(&clean(&["--dry-run", "--json"]))["logs"], 0);
    assert_eq!(
        with_logs(folder.path()),
        ["cut.7", "of_another.9", "old.1", "young.2", "young.8"]
    );
    let went = json(&clean(&["--json"]));
    assert_eq!(
        (&went["rows"]["run"], &went["logs"]),
        (&1.into(), &3.into())
    );
    assert_eq!(with_logs(folder.path()), ["of_another.9", "young.2"]);
    let nothing = clean(&[]);
    assert_eq!(nothing.stderr, "");
    assert!(nothing.stdout.starts_with("nothing went: "));
}

#[test]
fn logs_that_are_not_on_this_machine_go_when_they_are_cleaned_where_they_are() {
    let folder = migrated();
    ended(folder.path(), 1, "old", 2);
    logged(folder.path(), &["old.1"]);
    let clean = |more: &[&str]| {
        let line = [&["db", "clean", "--older-than", "90d"], more].concat();
        run(&line, &[], folder.path())
    };
    let elsewhere = clean(&["--logs", "elsewhere"]);
    assert_eq!(elsewhere.code, 0);
    assert!(
        elsewhere
            .stderr
            .contains("is not on this machine; clean once more where it is")
            && elsewhere.stderr.contains("--logs"),
        "{}",
        elsewhere.stderr
    );
    assert!(!folder.path().join("elsewhere").exists());
    assert_eq!(with_logs(folder.path()), ["old.1"]);
    let here = clean(&[]);
    assert!(
        here.stderr
            .contains("the logs of 1 run went, left by a clean that was cut"),
        "{}",
        here.stderr
    );
    assert!(with_logs(folder.path()).is_empty());
    // A bucket that this build cannot open is said before anything goes.
    ended(folder.path(), 2, "old", 2);
    let wrong = clean(&["--logs", "ftp://there"]);
    assert_eq!(wrong.code, 2);
    assert_eq!(json(&clean(&["--json"]))["rows"]["run"], 1);
}

#[test]
fn a_newer_database_is_refused_in_one_line() {
    let folder = migrated();
    by_hand(
        folder.path(),
        "INSERT INTO schema_step (number, name, checksum, applied_at) VALUES (99, 'later', 'x', 1)",
    );
    for command in [&["db", "migrate"][..], &["db", "status"], &["db", "check"]] {
        let output = run(command, &[], folder.path());
        assert_eq!((output.code, output.stdout.as_str()), (1, ""));
        assert!(
            output
                .stderr
                .contains("its schema has step 99, this release knows steps up to 10"),
            "{}",
            output.stderr
        );
    }
    let doctor = run(&["doctor", "--json"], &[], folder.path());
    assert_eq!(doctor.code, 1);
    assert_eq!(finding(&doctor, "database").0, "ok");
}

#[test]
fn a_database_that_does_not_answer_is_code_3_and_says_where_its_address_is_from() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["db", "status"], &[AWAY], folder.path());
    assert_eq!((output.code, output.stdout.as_str()), (3, ""));
    assert!(
        output.stderr.contains("failed to open the database")
            && output.stderr.contains("variable TIDEMILL_DATABASE"),
        "{}",
        output.stderr
    );
    assert!(!output.stderr.contains("hidden"), "{}", output.stderr);
    let doctor = run(&["doctor", "--json"], &[AWAY], folder.path());
    assert_eq!(doctor.code, 3);
    let (mark, says) = finding(&doctor, "database");
    assert_eq!(mark, "away", "{says}");
    assert!(!doctor.stdout.contains("hidden"), "{}", doctor.stdout);
}

#[test]
fn broken_settings_are_code_2_for_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("tidemill.toml"),
        "readers_max = \"many\"\n",
    )
    .unwrap();
    for command in [&["db", "status"][..], &["doctor"]] {
        let output = run(command, &[], folder.path());
        assert_eq!(
            (output.code, output.stderr.as_str()),
            (
                2,
                "error: `readers_max` is `many` (tidemill.toml, line 1): not a number from 1 up; write `16`\n"
            )
        );
    }
}

#[test]
fn the_doctor_shows_settings_and_looks_at_database_disk_and_keys() {
    let folder = migrated();
    let key = run(&["config", "new-key"], &[], folder.path()).stdout;
    let variables = [("TIDEMILL_KEYS", key.trim()), ("TIDEMILL_TOKEN", "hidden")];
    let doctor = run(&["doctor", "--json"], &variables, folder.path());
    assert_eq!(doctor.code, 0, "{}", doctor.stdout);
    for what in [
        "data folder",
        "keys",
        "database",
        "schema",
        "secrets",
        "token",
    ] {
        let (mark, says) = finding(&doctor, what);
        assert_eq!(mark, "ok", "{what}: {says}");
    }
    assert!(finding(&doctor, "database").1.contains("journal_mode wal"));
    assert!(finding(&doctor, "disk").1.contains("median of 50"));
    assert_eq!(finding(&doctor, "leader").0, "look");
    let text = run(&["doctor"], &variables, folder.path());
    assert!(text.stdout.starts_with("SETTING"), "{}", text.stdout);
    assert!(text.stdout.contains("\nok    schema"), "{}", text.stdout);
    assert!(!text.stdout.contains("hidden") && !text.stdout.contains(key.trim()));
}

#[test]
fn the_doctor_names_a_key_that_is_missing_and_a_scheduler_that_does_not_answer() {
    let folder = migrated();
    by_hand(
        folder.path(),
        "INSERT INTO variable (name, sealed, edits) VALUES ('region', 'tm1.old.AAAA', 1)",
    );
    let key = run(&["config", "new-key"], &[], folder.path()).stdout;
    let variables = [("TIDEMILL_KEYS", key.trim())];
    let doctor = run(&["doctor", "--json"], &variables, folder.path());
    assert_eq!(doctor.code, 1);
    let (mark, says) = finding(&doctor, "secrets");
    assert_eq!(mark, "bad");
    assert!(
        says.starts_with("the variable `region` is sealed under the key `old`"),
        "{says}"
    );
    let line = ["doctor", "--json", "--server", "http://127.0.0.1:1"];
    let doctor = run(&line, &[], folder.path());
    assert_eq!(doctor.code, 3);
    let (mark, says) = finding(&doctor, "scheduler");
    assert_eq!(mark, "away");
    assert!(
        says.starts_with("http://127.0.0.1:1 (flag --server) does not answer: "),
        "{says}"
    );
}

#[test]
fn what_somebody_changed_in_the_audit_log_is_found() {
    let folder = migrated();
    let nothing = run(&["audit", "verify"], &[], folder.path());
    assert_eq!(
        (nothing.code, nothing.stdout.as_str()),
        (0, "leader: no line yet\naccess: no line yet\n")
    );
    for name in ["ann", "bob"] {
        let line = ["users", "add", name, "--role", "admin"];
        let made = run(&line, &[], folder.path());
        assert_eq!(made.code, 0, "{}", made.stderr);
    }
    let sound = run(&["audit", "verify"], &[], folder.path());
    assert_eq!(sound.code, 0, "{}", sound.stdout);
    assert!(
        sound
            .stdout
            .contains("access: 2 lines fit; the last is -2:"),
        "{}",
        sound.stdout
    );
    let all = json(&run(&["audit", "verify", "--json"], &[], folder.path()));
    let last = all["chains"][1]["last"]["hash"].as_str().expect("a hash");
    let noted = |line: &str| run(&["audit", "verify", "--noted", line], &[], folder.path());
    assert_eq!(noted(&format!("-2:{last}")).code, 0);
    assert_eq!(noted(&format!("-1:{last}")).code, 1);
    assert_eq!(noted("-2:abc").code, 2);
    by_hand(
        folder.path(),
        "UPDATE audit SET actor = 'eve' WHERE id = -2",
    );
    let spoilt = run(&["audit", "verify"], &[], folder.path());
    assert_eq!(spoilt.code, 1);
    assert!(
        spoilt.stdout.contains("access: line -2 (")
            && spoilt.stdout.contains("\"eve\") does not fit"),
        "{}",
        spoilt.stdout
    );
    let doctor = run(&["doctor", "--json"], &[], folder.path());
    let (mark, says) = finding(&doctor, "audit");
    assert_eq!(mark, "bad");
    assert!(says.starts_with("line -2 ("), "{says}");
}
