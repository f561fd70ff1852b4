//! The shell operator: what the command is given, and what its end means.

use std::sync::Arc;

use serde_json::{Value, json};
use tidemill::prelude::*;
use tidemill::testing::{Ran, TaskRun, ValidDag, valid};
use tidemill_operators::{Shell, ShellOutput};
use tidemill_process::BaseEnv;

#[params]
struct Words {
    #[param(default = "none")]
    word: String,
}

fn dag_of(shell: Shell) -> ValidDag {
    valid(Dag::build("machines", |dag| {
        dag.schedule(Cron::daily().tz("Europe/Berlin"));
        dag.params::<Words>();
        dag.add("command", shell);
    }))
}

fn ran(shell: Shell) -> Ran {
    TaskRun::of(&dag_of(shell), "command")
        .day("2025-01-31")
        .run()
}

fn lines(ran: &Ran) -> Vec<&str> {
    ran.log.iter().map(|line| line.text.as_str()).collect()
}

#[test]
fn arguments_are_what_the_author_wrote_whatever_a_value_holds() {
    let shell = Shell::run(["printf", "%s\\n", "{ds}", "{params.word}", "{{literal}}"])
        .output(ShellOutput::All);
    let dag = dag_of(shell);
    for hostile in [
        "; id", "$(id)", "`id`", "a b", "--flag", "'\"", "{ds}", "*", "a\nb", "\\",
    ] {
        let ran = TaskRun::of(&dag, "command")
            .day("2025-01-31")
            .param("word", hostile)
            .run();
        assert_eq!(
            ran.output::<String>(),
            format!("2025-01-31\n{hostile}\n{{literal}}\n")
        );
    }
}

#[test]
fn a_script_gets_values_by_its_environment_only() {
    let script = r#"printf '%s|%s' "$WORD" '{ds}'"#;
    let dag = dag_of(Shell::script(script).env("WORD", "{params.word}"));
    let ran = TaskRun::of(&dag, "command")
        .param("word", "$(id); {ds}")
        .run();
    assert_eq!(ran.output::<String>(), "$(id); {ds}|{ds}");
    assert!(
        ran.logged("`{ds}` in it, which stays as it is"),
        "{:?}",
        ran.log
    );
    assert!(!self::ran(Shell::script("ds=1; echo ${ds}")).logged("stays as it is"));
}

#[test]
fn the_command_sees_a_clean_environment() {
    let base = BaseEnv::of([
        ("PATH", "/usr/bin:/bin"),
        ("LC_ALL", "C"),
        ("TIDEMILL_DATABASE_URL", "postgres://secret"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ]);
    let shell = Shell::run(["env"])
        .env("DAY", "{ds}")
        .output(ShellOutput::All);
    let ran = TaskRun::of(&dag_of(shell), "command")
        .day("2025-01-31")
        .attempt(2)
        .service(Arc::new(base))
        .run();
    let output: String = ran.output();
    let mut seen: Vec<&str> = output.lines().collect();
    seen.sort_unstable();
    let key = seen
        .iter()
        .find(|line| line.starts_with("TIDEMILL_LAUNCH_KEY=t"));
    let key = (*key.expect("the launch key")).to_owned();
    assert_eq!(
        seen,
        [
            "DAY=2025-01-31",
            "LC_ALL=C",
            "PATH=/usr/bin:/bin",
            "TIDEMILL_ATTEMPT=2",
            "TIDEMILL_DAG_ID=machines",
            "TIDEMILL_DS=2025-01-31",
            "TIDEMILL_INTERVAL_END=2025-02-01T00:00:00+01:00",
            "TIDEMILL_INTERVAL_START=2025-01-31T00:00:00+01:00",
            &key,
            "TIDEMILL_RUN_ID=test__2025-01-30T23:00:00Z",
            "TIDEMILL_TASK_ID=command",
        ]
    );
}

#[test]
fn a_secret_is_fetched_declared_and_hidden() {
    let shell = Shell::script(r#"echo "token: $TOKEN"; echo "bad $TOKEN" >&2; exit 1"#)
        .secret_env("TOKEN", "crm", "token");
    assert_eq!(shell.touches().connections, ["crm"]);
    let crm = Connection::new("crm", "http").with_secret("token", "s3cret-value");
    let ran = TaskRun::of(&dag_of(shell), "command").connection(crm).run();
    let mut lines = lines(&ran);
    lines.sort_unstable();
    assert_eq!(lines, ["bad ***", "token: ***"]);
    assert_eq!(
        ran.error().message,
        "the command exited with code 1\nbad ***"
    );
}

#[test]
fn input_and_directory_are_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().canonicalize().expect("its path");
    let shell = Shell::script("pwd; cat")
        .cwd(folder.to_str().expect("text"))
        .stdin("for {ds}\n")
        .output(ShellOutput::All);
    assert_eq!(
        ran(shell).output::<String>(),
        format!("{}\nfor 2025-01-31\n", folder.display())
    );
    // More than a pipe holds, and nobody reads it.
    let unread = Shell::run(["true"]).stdin("x".repeat(300_000));
    assert_eq!(ran(unread).output::<Value>(), Value::Null);
}

#[test]
fn what_it_prints_is_logged_line_by_line_with_its_level() {
    let ran = ran(Shell::script(
        r"printf 'one\ntwo\377\nend'; printf 'odd\n' >&2",
    ));
    let of = |level: tidemill::operator::Level| -> Vec<&str> {
        let lines = ran.log.iter().filter(|line| line.level == level);
        lines.map(|line| line.text.as_str()).collect()
    };
    assert_eq!(
        of(tidemill::operator::Level::Info),
        ["one", "two\u{fffd}", "end"]
    );
    assert_eq!(of(tidemill::operator::Level::Warn), ["odd"]);
}

#[test]
fn it_returns_what_the_author_chose() {
    let printed = r#"echo first; printf '{"rows": 7}\n\n'"#;
    let with = |output| ran(Shell::script(printed).output(output));
    assert_eq!(with(ShellOutput::None).output::<Value>(), Value::Null);
    assert_eq!(
        with(ShellOutput::LastLine).output::<Value>(),
        json!("{\"rows\": 7}")
    );
    assert_eq!(
        with(ShellOutput::All).output::<Value>(),
        json!("first\n{\"rows\": 7}\n\n")
    );
    assert_eq!(with(ShellOutput::Json).error().kind, ErrorKind::Data);
    let json = Shell::script(r#"echo '{"rows": 7}'"#).output(ShellOutput::Json);
    assert_eq!(ran(json).output::<Value>(), json!({ "rows": 7 }));

    let long = "head -c 1048577 /dev/zero | tr '\\0' x";
    for output in [ShellOutput::All, ShellOutput::LastLine] {
        let ran = ran(Shell::script(long).output(output));
        assert!(
            ran.error().message.contains("longer than 1048576 bytes"),
            "{output:?}"
        );
    }
    let short_end = Shell::script(format!("{long}; echo; echo end"));
    assert_eq!(ran(short_end).output::<String>(), "end");
}

#[test]
fn exit_codes_mean_what_the_author_said() {
    let exits = |code: i32| Shell::script(format!("exit {code}"));
    assert!(matches!(ran(exits(99)).result, Ok(Outcome::Skipped { .. })));
    assert!(matches!(
        ran(exits(7).skip_on(7)).result,
        Ok(Outcome::Skipped { .. })
    ));
    assert_eq!(
        ran(exits(99).never_skip()).error().kind,
        ErrorKind::Transient
    );
    assert_eq!(
        ran(exits(3).ok_codes([0, 3])).output::<Value>(),
        Value::Null
    );
    assert_eq!(ran(exits(3)).error().kind, ErrorKind::Transient);
}

#[test]
fn a_failure_says_what_happened_with_the_last_words() {
    let failed = ran(Shell::script("echo one >&2; echo two >&2; exit 3"));
    assert_eq!(
        failed.error().message,
        "the command exited with code 3\none\ntwo"
    );
    let killed = ran(Shell::script("kill -9 $$"));
    assert_eq!(killed.error().message, "the command was killed by SIGKILL");
    assert!(
        killed.error().help.contains("memory"),
        "{}",
        killed.error().help
    );
    let inner = ran(Shell::script("sh -c 'kill -9 $$'; exit $?"));
    let message = &inner.error().message;
    assert!(
        message.starts_with(
            "the command exited with code 137: something that it ran was killed by SIGKILL"
        ),
        "{message}"
    );
}

#[test]
fn what_cannot_start_is_permanent_and_says_what_to_do() {
    for (shell, words) in [
        (
            Shell::run(["no-such-program-here"]),
            "there is no program `no-such-program-here`",
        ),
        (
            Shell::script("no-such-program-here"),
            "exited with code 127",
        ),
        (
            Shell::run(["true"]).cwd("/no/such/directory"),
            "there is no directory `/no/such/directory`",
        ),
        (Shell::run(["/etc/passwd"]), "start `/etc/passwd`"),
        (Shell::run(["true", "a\0b"]), "start `true`"),
        (
            Shell::run(Vec::<String>::new()),
            "run a command without arguments",
        ),
        (
            Shell::run(["true"]).env("A=B", "1"),
            "`A=B` cannot be the name",
        ),
    ] {
        let ran = ran(shell);
        let error = ran.error();
        assert_eq!(error.kind, ErrorKind::Permanent, "{words}");
        assert!(error.message.contains(words), "{words}: {}", error.message);
    }
}

#[test]
fn it_is_stored_as_data_with_its_placeholders_marked() {
    let shell = Shell::run(["dbt", "build", "{ds}"]).secret_env("T", "crm", "token");
    let stored = serde_json::to_value(&shell).expect("JSON");
    assert_eq!(
        stored,
        json!({
            "command": { "argv": ["dbt", "build", { "$text": "{ds}" }] },
            "secret_env": { "T": { "connection": "crm", "secret": "token" } },
            "ok_codes": [0],
            "skip_on": 99,
            "output": "last_line",
        })
    );
    assert_eq!(serde_json::from_value::<Shell>(stored).ok(), Some(shell));
}
