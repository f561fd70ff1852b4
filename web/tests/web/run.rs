//! The page of a run, what is done from it, and the form that triggers one.

use axum::http::StatusCode;
use serde_json::json;
use tidemill_core::id::TaskId;
use tidemill_core::protocol::{InstanceRef, NOT_MAPPED, RunNo, TaskNo};
use tidemill_core::state::TaskState;
use tidemill_scheduler::engine::{Changed, Command, Pausable, Selected, TaskChange};
use tidemill_web::DoorError;

use crate::kit::{Kit, run_path};

const TABS: [&str; 6] = [
    "",
    "?tab=tasks&only=failed",
    "?tab=graph",
    "?tab=gantt&all=true",
    "?tab=params",
    "?tab=events",
];

#[tokio::test]
async fn every_tab_shows_hostile_text_as_text() {
    let kit = Kit::new().await;
    for tab in TABS {
        let page = format!("{}{tab}", run_path("open_dag", 1));
        let answer = kit.get("operator", &page).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}");
        for tag in [
            "<script>alert",
            "<img src=x",
            "</title>javascript",
            "style=\"",
        ] {
            assert!(!answer.body.contains(tag), "{page} has {tag}");
        }
        assert!(answer.body.contains("&#60;script&#62;alert(1)"), "{page}");
    }
    let wrong = kit
        .get(
            "viewer",
            &format!("{}?tab=nothing", run_path("open_dag", 1)),
        )
        .await;
    assert_eq!(wrong.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_run_is_found_only_within_its_own_dag() {
    let kit = Kit::new().await;
    let of_other = run_path("secret_dag", 4).replace("secret_dag", "open_dag");
    assert_eq!(
        kit.get("viewer", &of_other).await.status,
        StatusCode::NOT_FOUND
    );
    let hidden = kit.get("limited", &run_path("secret_dag", 4)).await;
    assert_eq!(hidden.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_list_says_why_and_leads_to_each_task() {
    let kit = Kit::new().await;
    let page = kit.get("viewer", &run_path("open_dag", 1)).await.body;
    let task = format!("href=\"{}/tasks/load.sales\"", run_path("open_dag", 1));
    assert!(page.contains(&task), "{page}");
    assert!(
        page.contains("clash in 1 files"),
        "what the last attempt said"
    );
    assert!(
        page.contains("Upstream failed</span> 1"),
        "states are counted"
    );
    assert!(!page.contains("/do/retry"), "a viewer has no buttons");
    let failed = kit
        .get(
            "viewer",
            &format!("{}?only=failed", run_path("open_dag", 1)),
        )
        .await
        .body;
    assert!(failed.contains("load.stock") && !failed.contains("tasks/extract"));
    let running = kit.get("operator", &run_path("open_dag", 3)).await.body;
    assert!(running.contains("/do/cancel") && running.contains("/do/pause"));
}

#[tokio::test]
async fn the_gantt_has_a_bar_where_its_time_is_and_marks_the_path() {
    let kit = Kit::new().await;
    let page = kit
        .get("viewer", &format!("{}?tab=gantt", run_path("open_dag", 1)))
        .await
        .body;
    // Run 1 lasts from second 1 to 601; its attempts from 0 to 500, so the bar is 499 of 600 seconds.
    assert!(
        page.contains("<rect class=\"fail\" x=\"230.0\" y=\"82\" width=\"748.5\""),
        "{page}"
    );
    assert!(page.contains("attempt 1: failed: 8 min 19 s"));
    assert!(page.contains("lane critical"));
    assert!(page.contains("The critical path: 10 min 00 s"));
}

fn change(task: u32, name: &str) -> TaskChange {
    TaskChange {
        of: InstanceRef {
            run: RunNo(1),
            task: TaskNo(task),
            map_index: NOT_MAPPED,
        },
        name: TaskId::parse(name).expect("it is a name"),
        from: TaskState::Failed,
        to: TaskState::None,
    }
}

#[tokio::test]
async fn what_is_previewed_is_what_is_done() {
    let kit = Kit::new().await;
    *kit.door.answers.lock().unwrap() = Changed {
        tasks: vec![change(1, "load.sales")],
        writes_again: vec!["append into <b>sales".into()],
        ..Changed::default()
    };
    for deed in ["retry", "clear", "cancel", "pause", "resume", "note"] {
        kit.door.asked.lock().unwrap().clear();
        let at = format!("{}/do/{deed}", run_path("open_dag", 1));
        let preview = kit.get("operator", &at).await;
        assert_eq!(preview.status, StatusCode::OK, "{deed}");
        assert!(
            preview.body.contains("append into &#60;b&#62;sales"),
            "{}",
            preview.body
        );
        assert!(preview.body.contains("load.sales"));
        let done = kit.post("operator", &at, "seen=0&note=").await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{deed}: {}", done.body);
        let asked = kit.door.asked.lock().unwrap();
        let [dry, wet] = asked.as_slice() else {
            panic!("{asked:?}")
        };
        assert!(dry.dry_run && !wet.dry_run);
        assert_eq!((dry.seen, wet.seen), (None, Some(0)));
        if deed != "note" {
            assert_eq!(json!(dry.command), json!(wet.command), "{deed}");
        }
    }
    let asked = |deed: &str| format!("{}/do/{deed}", run_path("open_dag", 3));
    kit.door.asked.lock().unwrap().clear();
    kit.post("operator", &asked("retry"), "seen=0&note=again")
        .await;
    kit.post("operator", &asked("pause"), "seen=0").await;
    let asked = kit.door.asked.lock().unwrap();
    assert!(
        matches!(&asked[0].command, Command::Clear { select, around, note, .. }
        if select.tasks == Selected::All && select.run == RunNo(3) && around.only_failed && note.as_deref() == Some("again"))
    );
    assert!(matches!(
        &asked[1].command,
        Command::Pause {
            what: Pausable::Run(RunNo(3)),
            pause: true
        }
    ));
}

#[tokio::test]
async fn what_would_run_again_has_to_be_what_was_shown() {
    let kit = Kit::new().await;
    let shows = |names: &[&str]| Changed {
        tasks: names.iter().map(|name| change(1, name)).collect(),
        ..Changed::default()
    };
    *kit.door.answers.lock().unwrap() = shows(&["load.sales"]);
    let at = format!("{}/do/clear", run_path("open_dag", 1));
    let preview = kit.get("operator", &at).await.body;
    let (_, rest) = preview
        .split_once("name=\"shown\" value=\"")
        .expect("a hash");
    let form = format!("seen=0&shown={}", rest.split('"').next().unwrap());
    // Another one fails before the click.
    *kit.door.answers.lock().unwrap() = shows(&["load.sales", "extract"]);
    kit.door.asked.lock().unwrap().clear();
    let late = kit.post("operator", &at, &form).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.body);
    assert!(
        late.body.contains("change something else by now"),
        "{}",
        late.body
    );
    assert!(late.body.contains("extract"), "what it would do now");
    assert!(
        kit.door
            .asked
            .lock()
            .unwrap()
            .iter()
            .all(|asked| asked.dry_run)
    );
    *kit.door.answers.lock().unwrap() = shows(&["load.sales"]);
    let done = kit.post("operator", &at, &form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
}

#[tokio::test]
async fn whoever_comes_second_is_told_who_changed_what() {
    let kit = Kit::new().await;
    let at = format!("{}/do/cancel", run_path("open_dag", 3));
    let stale = DoorError::Stale("ann cleared it a minute ago".to_owned());
    *kit.door.refuses.lock().unwrap() = Some(stale);
    let late = kit.post("operator", &at, "seen=0").await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(
        late.body
            .contains("Nothing was changed: ann cleared it a minute ago"),
        "{}",
        late.body
    );
    let blind = kit.post("operator", &at, "").await;
    assert_eq!(blind.status, StatusCode::UNPROCESSABLE_ENTITY);
    for (who, status) in [
        ("viewer", StatusCode::FORBIDDEN),
        ("limited", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(kit.get(who, &at).await.status, status);
        assert_eq!(kit.post(who, &at, "seen=0").await.status, status);
    }
    let unknown = kit.get("operator", &at.replace("cancel", "explode")).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_task_that_asks_gets_an_answer() {
    let kit = Kit::asking().await;
    let page = kit.get("operator", "/dags/asking_dag/runs/one").await.body;
    assert!(
        page.contains("Load &#60;b&#62;all of 2025-01-01?"),
        "{page}"
    );
    let at = "/dags/asking_dag/runs/one/do/answer";
    assert!(
        page.contains(&format!("{at}?task=sure&index=-1&choice=reject").replace('&', "&#38;")),
        "{page}"
    );
    let preview = kit
        .get(
            "operator",
            &format!("{at}?task=sure&index=-1&choice=reject"),
        )
        .await
        .body;
    assert!(
        preview.contains("the task counts as failed then"),
        "{preview}"
    );
    let done = kit
        .post("operator", at, "seen=1&task=sure&index=-1&choice=reject")
        .await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    let asked = kit.door.asked.lock().unwrap();
    assert!(
        matches!(&asked.last().unwrap().command, Command::Answer { of, choice }
        if of.task == TaskNo(1) && &**choice == "reject")
    );
}

#[tokio::test]
async fn the_form_of_a_trigger_is_made_of_the_params() {
    let kit = Kit::asking().await;
    let list = kit.get("operator", "/dags").await.body;
    let link = "<a class=\"btn\" href=\"/dags/asking_dag/trigger\">";
    assert!(list.contains(link), "it asks first");
    let form = kit.get("operator", "/dags/asking_dag/trigger").await.body;
    for wanted in [
        "name=\"p.days\" type=\"number\" value=\"3\" min=\"1\" max=\"30\"",
        "<option value=\"slow\" selected>",
        "name=\"p.since\" type=\"date\"",
        "at least 1, at most 30",
        "must be given",
    ] {
        assert!(form.contains(wanted), "{wanted} in {form}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_beside_its_field_and_what_is_right_makes_a_run() {
    let kit = Kit::asking().await;
    let send = |form: &'static str| kit.post("operator", "/dags/asking_dag/trigger", form);
    for (wrong, says) in [
        (
            "form=1&p.days=31&p.pace=slow&p.since=2025-01-01",
            "is 31, the most is 30",
        ),
        (
            "form=1&p.days=soon&p.pace=slow&p.since=2025-01-01",
            "it must be a whole number",
        ),
        ("form=1&p.days=3&p.pace=warp&p.since=2025-01-01", "warp"),
        ("form=1&p.days=3&p.pace=slow&p.since=", "it must be given"),
        (
            "form=1&p.days=3&p.pace=slow&p.since=2025-02-30",
            "must be a date",
        ),
        (
            "form=1&p.days=3&p.pace=slow&p.since=2025-01-01&p.other=1",
            "there is no param `other`",
        ),
        (
            "form=1&p.days=3&p.pace=slow&p.since=2025-01-01&start=2025-01-01",
            "give both ends, or neither",
        ),
        (
            "form=1&p.days=3&p.pace=slow&p.since=2025-01-01&start=now&end=then",
            "this is no time",
        ),
        (
            "form=1&p.days=3&p.pace=slow&p.since=2025-01-01&start=2025-01-02&end=2025-01-01",
            "it ends before it begins",
        ),
    ] {
        let answer = send(wrong).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        let shown = answer.body.replace("&#96;", "`");
        assert!(shown.contains(says), "{says} in {shown}");
        assert!(shown.contains("<form"), "the form is still there");
    }
    assert!(kit.door.asked.lock().unwrap().is_empty());
    let done = send("form=1&name=mine&note=why&p.days=4&p.pace=slow&p.since=2025-01-01&start=2025-01-01&end=2025-01-02T00:00").await;
    assert_eq!(
        (done.status, done.header("location")),
        (StatusCode::SEE_OTHER, "/dags/asking_dag/runs/mine")
    );
    let asked = kit.door.asked.lock().unwrap();
    let Command::Trigger(trigger) = &asked[0].command else {
        panic!("{asked:?}")
    };
    assert_eq!(
        trigger.params,
        json!({"days": 4, "pace": "slow", "since": "2025-01-01"})
    );
    assert_eq!(
        (trigger.name.as_deref(), trigger.note.as_deref()),
        (Some("mine"), Some("why"))
    );
    let (start, end) = trigger.covers.unwrap();
    assert_eq!(
        (start.to_string().as_str(), end.to_string().as_str()),
        ("2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z")
    );
}

#[tokio::test]
async fn what_the_leader_refuses_is_said_on_the_form() {
    let kit = Kit::asking().await;
    let taken = DoorError::Invalid("there is a run of this name already".to_owned());
    *kit.door.refuses.lock().unwrap() = Some(taken);
    let form = "form=1&name=one&p.days=4&p.pace=slow&p.since=2025-01-01";
    let answer = kit.post("operator", "/dags/asking_dag/trigger", form).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer.body.contains("there is a run of this name already"),
        "{}",
        answer.body
    );
    assert!(
        answer.body.contains("value=\"4\""),
        "what was typed is still there"
    );
}

#[tokio::test]
async fn a_run_of_five_thousand_tasks_is_paged_and_its_instances_unfold() {
    let kit = Kit::wide(5_000, 1).await;
    let page = kit.get("viewer", &run_path("wide_dag", 1)).await.body;
    assert!(page.contains("1 to 100 of 5000"), "it is paged");
    assert!(page.len() < 200_000, "{} bytes", page.len());
    let last = kit
        .get("viewer", &format!("{}?from=4950", run_path("wide_dag", 1)))
        .await
        .body;
    assert!(last.contains("4951 to 5000 of 5000") && !last.contains("More tasks"));
    let mapped = Kit::mapped(5_000).await;
    let page = mapped.get("viewer", "/dags/mapped_dag/runs/one").await.body;
    assert!(
        page.contains("4990 <span class=\"st ok\">Success</span>"),
        "{page}"
    );
    assert!(page.contains("10 <span class=\"st fail\">Failed</span>"));
    assert!(!page.contains("?index=3"), "instances are folded");
    let open = mapped
        .get("viewer", "/dags/mapped_dag/runs/one?open=each")
        .await
        .body;
    assert!(open.contains("/tasks/each?index=99\"") && !open.contains("/tasks/each?index=100\""));
    assert!(open.contains("The next instances"));
    let failed = mapped
        .get("viewer", "/dags/mapped_dag/runs/one?open=each&only=failed")
        .await
        .body;
    assert_eq!(
        failed.matches("/tasks/each?index=").count(),
        10,
        "of all of them those that failed"
    );
    let gantt = mapped
        .get("viewer", "/dags/mapped_dag/runs/one?tab=gantt")
        .await
        .body;
    assert!(gantt.contains("5000 instances: "), "they are one bar");
}
