//! What is done to many DAGs at once, and in two steps.

use axum::http::StatusCode;
use tidemill_core::protocol::RunNo;
use tidemill_scheduler::engine::{Changed, Command, Pausable};
use tidemill_web::DoorError;

use crate::dag_pages::{has, page};
use crate::kit::{Kit, history};

const SURE: &str = "pause=true&sure=7+open_dag&sure=7+secret_dag";

#[tokio::test]
async fn many_dags_are_paused_when_somebody_said_yes_to_the_list() {
    let kit = Kit::new().await;
    let list = page(&kit, "/dags?choose=some").await;
    assert_eq!(list.matches("type=\"checkbox\"").count(), 2);
    assert_eq!(
        page(&kit, "/dags?choose=all")
            .await
            .matches(" checked")
            .count(),
        2
    );
    let looks = kit.get("viewer", "/dags?choose=all").await.body;
    assert!(!looks.contains("type=\"checkbox\""));
    let both = "dag=open_dag&dag=secret_dag&pause=";
    let shown = kit.post("operator", "/dags", &format!("{both}true")).await;
    assert_eq!(shown.status, StatusCode::OK);
    has(
        &shown.body,
        &[
            "Pause 2 DAGs",
            "name=\"sure\" value=\"7 open_dag\"",
            "a run is on: it starts no more tasks",
        ],
    );
    let same = kit.post("operator", "/dags", &format!("{both}false")).await;
    has(&same.body, &["2 of those chosen are on already"]);
    assert!(
        kit.door.asked.lock().unwrap().is_empty(),
        "nothing was done so far"
    );
    let done = kit.post("operator", "/dags", SURE).await;
    assert_eq!(
        (done.status, done.header("location")),
        (StatusCode::SEE_OTHER, "/dags")
    );
    let asked = std::mem::take(&mut *kit.door.asked.lock().unwrap());
    let asked: Vec<_> = asked
        .into_iter()
        .map(|asked| (asked.seen, asked.command))
        .collect();
    assert_eq!(asked.len(), 2);
    for ((seen, command), wanted) in asked.iter().zip(["open_dag", "secret_dag"]) {
        assert_eq!(*seen, Some(7));
        assert!(
            matches!(command, Command::Pause { what: Pausable::Dag(dag), pause: true } if dag.as_str() == wanted),
            "{command:?}"
        );
    }
}

#[tokio::test]
async fn of_many_dags_none_is_changed_that_somebody_may_not_change() {
    let kit = Kit::new().await;
    for form in [
        SURE,
        "pause=true&dag=secret_dag",
        "pause=true&sure=7+no_such_dag",
    ] {
        let refused = kit.post("given", "/dags", form).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{form}");
    }
    for form in [
        "pause=true",
        "pause=true&sure=open_dag",
        "pause=perhaps&dag=open_dag",
        "dag=open_dag",
        "pause=true&dag=a/b",
    ] {
        let wrong = kit.post("operator", "/dags", form).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
    }
    assert!(kit.door.asked.lock().unwrap().is_empty());
    let one = kit
        .post("given", "/dags", "pause=true&sure=7+open_dag")
        .await;
    assert_eq!(one.status, StatusCode::SEE_OTHER);
    let stale = DoorError::Stale("ann paused it a minute ago".to_owned());
    *kit.door.refuses.lock().unwrap() = Some(stale);
    let late = kit.post("operator", "/dags", SURE).await;
    has(
        &late.body,
        &[
            "0 were paused, 2 were left as they are",
            "ann paused it a minute ago",
        ],
    );
}

#[tokio::test]
async fn a_paused_dag_goes_on_and_runs_at_once() {
    let mut changes = history();
    changes.dags[0].paused = true;
    let kit = Kit::holding(&changes).await;
    for shown in ["/dags", "/dags/open_dag"] {
        has(
            &page(&kit, shown).await,
            &["action=\"/dags/open_dag/resume\""],
        );
    }
    *kit.door.answers.lock().unwrap() = Changed {
        runs_made: vec![(RunNo(9), "manual__9".into())],
        ..Changed::default()
    };
    let done = kit
        .post("operator", "/dags/open_dag/resume", "seen=7")
        .await;
    assert_eq!(
        (done.status, done.header("location")),
        (StatusCode::SEE_OTHER, "/dags/open_dag/runs/manual__9")
    );
    {
        let asked = kit.door.asked.lock().unwrap();
        let [resume, trigger] = &asked[..] else {
            panic!("two commands: {asked:?}");
        };
        assert_eq!(resume.seen, Some(7));
        assert!(matches!(
            &resume.command,
            Command::Pause { pause: false, .. }
        ));
        assert!(
            matches!(&trigger.command, Command::Trigger(trigger) if trigger.dag.as_str() == "open_dag")
        );
    }
    let stale = DoorError::Stale("ann changed it a minute ago".to_owned());
    *kit.door.refuses.lock().unwrap() = Some(stale);
    let late = kit
        .post("operator", "/dags/open_dag/resume", "seen=7")
        .await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert_eq!(
        kit.door.asked.lock().unwrap().len(),
        3,
        "no run of a DAG that does not go on"
    );
    // One that asks for params is triggered by its form.
    let asking = Kit::asking().await;
    let done = asking
        .post("operator", "/dags/asking_dag/resume", "seen=7")
        .await;
    assert_eq!(done.header("location"), "/dags/asking_dag/trigger");
    assert_eq!(asking.door.asked.lock().unwrap().len(), 1);
}
