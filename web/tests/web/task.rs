//! The page of a task: its cause, its log, why it waits, and what people do with it.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use tidemill_core::id::TaskId;
use tidemill_core::operator::Level;
use tidemill_core::protocol::{AttemptNo, InstanceRef, NOT_MAPPED, RunNo, TaskNo};
use tidemill_core::spec::{Dedup, Table};
use tidemill_core::state::TaskState;
use tidemill_logs::{Line, Numbered};
use tidemill_scheduler::engine::{Changed, Command, Gate, Held, Holder, Selected, TaskChange, Why};
use tidemill_store::record::{AttemptEnd, Changes, OutputRow, Said, TaskDetailRow};
use tidemill_web::DoorError;

use crate::kit::{HOSTILE, Kit, at, attempt, history, run_name, task};

fn page(run: i64, task: &str) -> String {
    format!("/dags/open_dag/runs/{}/tasks/{task}", run_name(run))
}

/// Three hundred lines; the error is in line 212.
fn lines(kit: &Kit) {
    let line = |number: u64| Numbered {
        number,
        line: Line {
            at: at(0),
            level: match number {
                212 => Level::Error,
                n if n % 10 == 0 => Level::Warn,
                _ => Level::Info,
            },
            text: format!("line {number} {HOSTILE}"),
            source: Some(HOSTILE.to_owned()),
            fields: Map::from_iter([("k".to_owned(), json!(HOSTILE))]),
        },
    };
    *kit.door.lines.lock().expect("it works") = (1..=300).map(line).collect();
}

fn instance(run: i64, no: u32, map_index: i32) -> InstanceRef {
    InstanceRef {
        run: RunNo(run),
        task: TaskNo(no),
        map_index,
    }
}

/// What `history` has, with more said of `load.sales`: it writes a table, it has a configuration and an output. In run 3 it
/// waits for something outside, and `extract` has instances.
fn more() -> Changes {
    let mut changes = history();
    let version = &mut changes.versions[0];
    let mut spec = (*version.spec).clone();
    let sales = &mut spec.definition.tasks[1];
    assert_eq!(sales.id, "load.sales");
    let table = Table::named("dw.sales").append(Dedup::partition("{ds}"));
    sales.touches.writes.push(table);
    sales.config = json!({"sql": {"$text": "load {ds} of {out.extract.rows} {params.text}"},
        "key": {"$text": "{var.secret}"}});
    let (old, new) = (version.version.clone(), spec.version());
    version.version = new.clone();
    version.spec = Arc::new(spec);
    for run in changes.new_runs.iter_mut().filter(|run| run.version == old) {
        run.version = new.clone();
        run.params = json!({ "text": HOSTILE }).to_string().into();
    }
    for dag in &mut changes.dags {
        dag.version = dag
            .version
            .take()
            .map(|v| if v == old { new.clone() } else { v });
    }
    let row = changes.new_tasks.iter_mut();
    for row in row.filter(|row| row.of == instance(3, 1, NOT_MAPPED)) {
        row.state = TaskState::Deferred;
        row.ended_attempt = AttemptNo(0);
        row.worker = Some(HOSTILE.into());
    }
    for (index, state) in [TaskState::Success, TaskState::Failed, TaskState::Failed]
        .iter()
        .enumerate()
    {
        let mut row = task(3, (0, "extract"), *state);
        row.of.map_index = i32::try_from(index).expect("it works");
        row.attempt = AttemptNo(9_000 + i64::try_from(index).expect("it works"));
        row.ended_attempt = row.attempt;
        changes.new_tasks.push(row);
    }
    changes.task_details.push(TaskDetailRow {
        of: instance(3, 1, NOT_MAPPED),
        handle: Some(json!({ "job": HOSTILE }).to_string().into()),
        why: Some(format!("the job runs {HOSTILE}").into()),
        item: None,
        said: Some(Said::Pass(true)),
        note: Some(HOSTILE.into()),
        touched: None,
    });
    let output = |run, no: u32, value: Value| OutputRow {
        attempt: AttemptNo(run * 1_000 + i64::from(no)),
        of: instance(run, no, NOT_MAPPED),
        value: value.to_string().into(),
        listed: false,
    };
    changes.outputs = vec![
        output(1, 0, json!({"rows": 77})),
        output(1, 1, json!({ "said": HOSTILE })),
    ];
    // A first attempt of run 1 was lost; the second failed.
    let first = changes
        .attempts
        .iter_mut()
        .find(|one| one.of.run == RunNo(1));
    first.expect("it works").number = 2;
    let mut lost = attempt(1, 1);
    lost.id = AttemptNo(500);
    lost.end = AttemptEnd::Lost;
    lost.ended_at = at(4 * 86_400 - 100);
    lost.queued_at = at(4 * 86_400 - 300);
    lost.started_at = Some(at(4 * 86_400 - 200));
    changes.attempts.push(lost);
    changes
}

#[tokio::test]
async fn a_failed_task_says_what_failed_and_what_a_retry_means() {
    let kit = Kit::holding(&more()).await;
    lines(&kit);
    let shown = kit.get("operator", &page(1, "load.sales")).await.body;
    for says in [
        "Why it failed",
        "clash in 1 files",
        "Quota: too much was asked for",
        "1 try was used up",
        "A retry writes dw.sales (append, replacing partition {ds})",
        "1 other run failed like this",
        "opened at the first error",
        "id=\"L207\"",
        "load 2025-01-01 of 77",
        "{var.secret}",
        "data-key=\"r\"",
        "Its last runs",
    ] {
        assert!(shown.contains(says), "{says} is missing in {shown}");
    }
    assert!(!shown.contains("id=\"L206\"") && shown.contains("id=\"L212\""));
    let viewer = kit.get("viewer", &page(1, "load.sales")).await.body;
    assert!(
        !viewer.contains("data-key=\"r\""),
        "a viewer has no buttons"
    );
    let first = kit
        .get("viewer", &format!("{}?attempt=1", page(1, "load.sales")))
        .await
        .body;
    assert!(
        first.contains("Another attempt came after this one") && first.contains("with a worker"),
        "{first}"
    );
    let asked = kit.door.read.lock().unwrap();
    let last = asked.last().unwrap();
    assert_eq!((last.number, last.attempt), (1, AttemptNo(500)));
}

#[tokio::test]
async fn a_retry_of_what_failed_takes_along_what_could_not_run_because_of_it() {
    let kit = Kit::holding(&more()).await;
    lines(&kit);
    let failed = kit.get("operator", &page(1, "load.sales")).await.body;
    assert!(failed.contains("/clear?scope=blocked\""), "{failed}");
    let well = kit.get("operator", &page(1, "extract")).await.body;
    assert!(well.contains("/clear?scope=this\""), "{well}");
    let preview = format!("{}/clear?scope=blocked", page(1, "load.sales"));
    kit.get("operator", &preview).await;
    let asked = kit.door.asked.lock().unwrap();
    let around = asked.last().map(|asked| asked.command.clone());
    let Some(Command::Clear { around, .. }) = around else {
        panic!("{asked:?}");
    };
    assert!(around.downstream && around.only_failed, "{around:?}");
}

#[tokio::test]
async fn every_state_has_its_page_and_hostile_text_stays_text() {
    let kit = Kit::holding(&more()).await;
    lines(&kit);
    let mut pages = vec![
        format!("{}?index=1", page(3, "extract")),
        format!(
            "{}?line=200-210&find=line%201&level=warn",
            page(1, "load.sales")
        ),
        format!("{}/clear", page(1, "load.sales")),
        format!("{}/mark?note=%3Cscript%3Ealert(1)", page(1, "load.sales")),
    ];
    for run in 1..=3 {
        pages.extend(["extract", "load.sales", "load.stock"].map(|task| page(run, task)));
    }
    *kit.door.answers.lock().unwrap() = Changed {
        writes_again: vec![HOSTILE.into()],
        remarks: vec![HOSTILE.to_owned()],
        ..changes("load.sales")
    };
    *kit.door.why.lock().unwrap() = Some(held());
    for page in pages {
        let answer = kit.get("operator", &page).await;
        assert_eq!(answer.status, StatusCode::OK, "{page} {}", answer.body);
        for wrong in [
            "<script>alert",
            "<img src=x",
            "</title>javascript",
            "style=\"",
            " onclick=",
            "href=\"javascript",
            "href=\"//",
        ] {
            assert!(!answer.body.contains(wrong), "{page} has {wrong}");
        }
        assert!(answer.body.contains("&#60;script&#62;alert(1)"), "{page}");
    }
    let waits = kit.get("operator", &page(3, "load.sales")).await.body;
    assert!(waits.contains("What it waits for") && waits.contains("the job runs"));
    assert!(waits.contains("deferred"), "{waits}");
    let mapped = kit.get("operator", &page(3, "extract")).await.body;
    assert!(
        mapped.contains("3 instances") && mapped.contains("?index=2\">2</a>"),
        "{mapped}"
    );
    let root = kit.get("operator", &page(1, "load.stock")).await.body;
    assert!(root.contains("Why it could not run"), "{root}");
}

fn held() -> Why {
    let holder = |run: i64, task: &str| Holder {
        run: RunNo(run),
        run_name: format!("run_{run}{HOSTILE}").into(),
        task: Some((TaskId::parse(task).expect("it works"), NOT_MAPPED)),
        state: TaskState::Running,
        since: Some(at(0)),
    };
    let gate = |gate, open, says: &str, holders| Held {
        gate,
        open,
        limit: Some(2),
        used: 2,
        holders,
        says: says.to_owned(),
    };
    Why {
        state: TaskState::Scheduled,
        gates: vec![
            gate(Gate::DagPaused, true, "the DAG is not paused", Vec::new()),
            gate(
                Gate::Pool,
                false,
                "the pool `bigquery` has no free slot",
                vec![holder(2, "load.sales"), holder(4, "of_a_secret")],
            ),
        ],
        ahead: 3,
    }
}

#[tokio::test]
async fn what_waits_says_every_gate_and_names_nobody_that_is_secret() {
    let kit = Kit::holding(&more()).await;
    *kit.door.why.lock().unwrap() = Some(held());
    let shown = kit.get("limited", &page(3, "load.sales")).await.body;
    for says in [
        "The pool `bigquery` has no free slot.",
        "3 tasks are before it in the line.",
        "The DAG is not paused.",
        "2 of 2 used.",
        "a run of another DAG",
        "load.sales\">run_2",
    ] {
        let plain = shown.replace("&#96;", "`");
        assert!(plain.contains(says), "{says} is missing in {plain}");
    }
    assert!(!shown.contains("of_a_secret") && !shown.contains("run_4"));
    let admin = kit.get("admin", &page(3, "load.sales")).await.body;
    assert!(admin.contains("of_a_secret"));
    let away = DoorError::Away("nobody leads".to_owned());
    *kit.door.refuses.lock().unwrap() = Some(away);
    let shown = kit.get("viewer", &page(3, "load.sales")).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert!(
        shown
            .body
            .contains("This cannot be said at the moment: nobody leads.")
    );
    assert!(
        shown
            .body
            .contains("The log cannot be read at the moment: nobody leads.")
    );
}

#[tokio::test]
async fn a_log_is_read_a_page_at_a_time_and_searched() {
    let kit = Kit::new().await;
    lines(&kit);
    let task = page(1, "load.sales");
    let read = async |rest: &str| {
        let answer = kit.get("viewer", &format!("{task}/{rest}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{rest} {}", answer.body);
        serde_json::from_str::<Value>(&answer.body).unwrap()
    };
    let numbers = |page: &Value| -> Vec<u64> {
        let lines = page["lines"].as_array().unwrap().iter();
        lines.map(|line| line["number"].as_u64().unwrap()).collect()
    };
    let part = read("log?attempt=1&from=100&lines=3").await;
    assert_eq!(numbers(&part), [101, 102, 103]);
    assert_eq!(
        (&part["total"], &part["first_error"]),
        (&json!(300), &json!(212))
    );
    let warn = read("log?line=195&lines=2&level=warn").await;
    assert_eq!(
        (numbers(&warn), &warn["from"]),
        (vec![200, 210], &json!(19))
    );
    assert_eq!(numbers(&read("log?lines=1").await), [212]);
    let found = read("log/find?text=line%2029&after=290").await;
    assert_eq!(numbers(&found), (291..=299).collect::<Vec<_>>());
    let raw = kit.get("viewer", &format!("{task}/log/raw")).await;
    assert_eq!(raw.header("content-type"), "text/plain; charset=utf-8");
    assert!(
        raw.header("content-disposition")
            .contains("open_dag.load.sales.1.log")
    );
    assert_eq!(raw.body.lines().count(), 300);

    let first = kit.get("viewer", &format!("{task}?from=0")).await.body;
    assert!(
        first.contains("id=\"L1\"")
            && first.contains("id=\"L200\"")
            && !first.contains("id=\"L201\"")
    );
    assert!(first.contains("from=200#log\">Later"), "{first}");
    let rest = kit.get("viewer", &format!("{task}?from=200")).await.body;
    assert!(rest.contains("id=\"L300\"") && rest.contains("from=0#log\">Earlier"));
    let range = kit.get("viewer", &format!("{task}?line=50-51")).await.body;
    assert_eq!(range.matches(" on\" id=\"L").count(), 2);
    let hits = kit
        .get("viewer", &format!("{task}?find=line%20299"))
        .await
        .body;
    assert!(hits.contains("line=299#log"), "{hits}");
}

#[tokio::test]
async fn wrong_addresses_of_tasks_and_logs_are_told_so() {
    let kit = Kit::new().await;
    let task = page(1, "load.sales");
    for (path, status) in [
        (page(1, "nothing"), 404),
        (page(1, "%3Cb%3E"), 404),
        (page(4, "load.sales"), 404),
        (format!("{task}?index=5"), 404),
        (format!("{task}?index=-7"), 404),
        (format!("{task}?index=x"), 400),
        (format!("{task}?attempt=9"), 404),
        (format!("{task}?line=9-2"), 422),
        (format!("{task}?line=0"), 422),
        (format!("{task}?level=loud"), 422),
        (format!("{task}/log?level=loud"), 422),
        (format!("{task}/log?from=-1"), 400),
        (format!("{task}/log?attempt=7"), 404),
        (format!("{task}/log/find?text={}", "x".repeat(1_001)), 422),
        (format!("{task}/clear?scope=universe"), 422),
        (format!("{task}/clear?code=older"), 422),
        (format!("{task}/mark?state=running"), 422),
    ] {
        let answer = kit.get("admin", &path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
    }
    let note = kit
        .post("admin", &format!("{task}/mark"), "state=success&note=%20")
        .await;
    assert_eq!(note.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(note.body.contains("say why"), "{}", note.body);
    assert!(kit.door.asked.lock().unwrap().is_empty());
}

fn changes(task: &str) -> Changed {
    let change = |name: &str, no, from| TaskChange {
        of: instance(1, no, NOT_MAPPED),
        name: TaskId::parse(name).expect("it works"),
        from,
        to: TaskState::None,
    };
    Changed {
        runs: vec![RunNo(1)],
        tasks: vec![
            change(task, 1, TaskState::Failed),
            change("load.stock", 2, TaskState::Success),
        ],
        writes_again: vec!["truncate dw.stock".into()],
        remarks: vec!["a remark".to_owned()],
        ..Changed::default()
    }
}

fn field(page: &str, name: &str) -> String {
    let value = page
        .split(&format!("name=\"{name}\" value=\""))
        .nth(1)
        .expect("it works");
    value.split('"').next().expect("it works").to_owned()
}

#[tokio::test]
async fn a_retry_is_shown_first_and_then_done_exactly_so() {
    let kit = Kit::holding(&more()).await;
    *kit.door.answers.lock().unwrap() = changes("load.sales");
    let clear = format!("{}/clear", page(1, "load.sales"));
    let shown = kit
        .get("operator", &format!("{clear}?scope=downstream&code=newest"))
        .await
        .body;
    for says in [
        "load.sales</a>",
        "load.stock</a>",
        "truncate dw.stock",
        "append, replacing partition {ds} dw.sales",
        "a remark",
        "Run 2 tasks again",
    ] {
        assert!(shown.contains(says), "{says} is missing in {shown}");
    }
    let (seen, hash) = (field(&shown, "seen"), field(&shown, "shown"));
    assert_eq!(seen, "1");
    let form = format!("scope=downstream&code=newest&seen={seen}&shown={hash}&note=because");
    let done = kit.post("operator", &clear, &form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert!(done.header("location").ends_with("/tasks/load.sales"));
    {
        let asked = kit.door.asked.lock().unwrap();
        let dry: Vec<_> = asked.iter().map(|one| (one.dry_run, one.seen)).collect();
        assert_eq!(dry, [(true, None), (true, Some(1)), (false, Some(1))]);
        let Command::Clear {
            select,
            around,
            note,
            ..
        } = &asked[2].command
        else {
            panic!("{asked:?}");
        };
        assert_eq!(select.run, RunNo(1));
        let sales = TaskId::parse("load.sales").unwrap();
        assert_eq!(select.tasks, Selected::Tasks(vec![(sales, None)]));
        assert!(around.downstream && !around.upstream && !around.only_failed);
        assert_eq!(note.as_deref(), Some("because"));
    }
    // By now it would change something else.
    kit.door.answers.lock().unwrap().tasks.pop();
    let late = kit.post("operator", &clear, &form).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.body.contains("look again"), "{}", late.body);
    let last = kit.door.asked.lock().unwrap().last().unwrap().dry_run;
    assert!(last, "nothing was done");
}

#[tokio::test]
async fn whoever_is_late_is_told_who_was_first() {
    let kit = Kit::new().await;
    let stale = DoorError::Stale("ann cleared it a minute ago".to_owned());
    *kit.door.refuses.lock().unwrap() = Some(stale);
    for (what, form) in [
        ("clear", "seen=1"),
        ("mark", "seen=1&state=skipped&note=not+needed"),
    ] {
        let late = kit
            .post(
                "operator",
                &format!("{}/{what}", page(1, "load.sales")),
                form,
            )
            .await;
        assert_eq!(late.status, StatusCode::CONFLICT, "{what}");
        assert!(
            late.body.contains("Ann cleared it a minute ago"),
            "{}",
            late.body
        );
    }
}

#[tokio::test]
async fn a_mark_carries_its_note() {
    let kit = Kit::new().await;
    let mark = format!("{}/mark", page(1, "load.sales"));
    let form = kit.get("operator", &mark).await.body;
    assert!(form.contains("value=\"downstream\""), "{form}");
    assert!(!form.contains("value=\"blocked\""), "that is of retries");
    kit.door.asked.lock().unwrap().clear();
    let done = kit
        .post(
            "operator",
            &mark,
            "state=skipped&scope=this&seen=1&note=not+needed",
        )
        .await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    let asked = kit.door.asked.lock().unwrap();
    assert!(
        matches!(&asked[0].command, Command::Mark { state: TaskState::Skipped, note: Some(note), .. } if &**note == "not needed"),
        "{asked:?}"
    );
    assert_eq!(asked[0].seen, Some(1));
}

#[tokio::test]
async fn what_failed_in_the_whole_run_is_cleared_against_the_run() {
    let kit = Kit::new().await;
    let clear = format!("{}/clear", page(2, "load.sales"));
    *kit.door.answers.lock().unwrap() = changes("load.sales");
    let shown = kit
        .get("operator", &format!("{clear}?scope=failed"))
        .await
        .body;
    assert_eq!(field(&shown, "seen"), "0", "the edits of the run");
    let asked = kit.door.asked.lock().unwrap();
    let Command::Clear { select, around, .. } = &asked[0].command else {
        panic!("{asked:?}");
    };
    assert!(select.tasks == Selected::All && around.only_failed);
}

#[tokio::test]
async fn a_task_that_is_over_says_that_its_job_could_not_be_stopped() {
    let kit = Kit::new().await;
    let path = format!("/dags/open_dag/runs/{}/tasks/load.sales", run_name(1));
    let over = kit.get("viewer", &path).await.body;
    let stopping = "being stopped by worker w1, which cannot cancel what it started";
    assert!(!over.contains(stopping));
    *kit.door.why.lock().unwrap() = Some(Why {
        state: TaskState::Failed,
        gates: vec![Held {
            gate: Gate::Stopping,
            open: false,
            limit: None,
            used: 0,
            holders: Vec::new(),
            says: stopping.to_owned(),
        }],
        ahead: 0,
    });
    let stuck = kit.get("viewer", &path).await.body;
    assert!(stuck.to_lowercase().contains(stopping), "{stuck}");
}
