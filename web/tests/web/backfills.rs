//! Backfills: how far they are, and making one of exactly what was shown.

use axum::http::StatusCode;
use tidemill_core::protocol::RunNo;
use tidemill_core::time::Timestamp;
use tidemill_scheduler::engine::{Changed, Command, DatePlan, Pausable};
use tidemill_store::record::Reprocess;
use tidemill_web::DoorError;

use crate::kit::{Kit, at};

#[tokio::test]
async fn progress_is_counted_over_dates_and_their_runs() {
    let kit = Kit::new().await;
    let list = kit.get("viewer", "/backfills").await.body;
    // Run 1 failed, one date waits, one is left out.
    assert!(list.contains("<progress max=\"3\" value=\"2\">"), "{list}");
    assert!(list.contains("open_dag") && list.contains("secret_dag"));
    let one = kit.get("viewer", "/backfills/1").await.body;
    for word in ["Failed", "Not made yet", "Left out", "Active"] {
        assert!(one.contains(word), "{word}");
    }
    assert!(one.contains("/dags/open_dag/runs/run_1"), "{one}");
    assert!(
        !one.contains("/backfills/1/cancel"),
        "a viewer has no buttons"
    );
}

#[tokio::test]
async fn a_backfill_of_a_hidden_dag_is_not_there() {
    let kit = Kit::new().await;
    assert!(
        !kit.get("limited", "/backfills")
            .await
            .body
            .contains("secret_dag")
    );
    let hidden = kit.get("limited", "/backfills/2").await;
    assert_eq!(hidden.status, StatusCode::NOT_FOUND);
    let missing = kit.get("limited", "/backfills/77").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    // Who operates one DAG only may look at the other's and not change it.
    assert_eq!(
        kit.get("given", "/backfills/2").await.status,
        StatusCode::OK
    );
    for path in ["/backfills/2/pause", "/backfills/2/cancel"] {
        let refused = kit.post("given", path, "pause=true&seen=7").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert!(kit.door.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn it_is_paused_and_cancelled_as_it_was_seen() {
    let kit = Kit::new().await;
    let done = kit
        .post("operator", "/backfills/1/pause", "pause=true&seen=7")
        .await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    *kit.door.answers.lock().unwrap() = Changed {
        runs: vec![RunNo(3)],
        ..Changed::default()
    };
    let sure = kit.get("operator", "/backfills/1/cancel").await.body;
    assert!(
        sure.contains("Runs that are cancelled with it: 1. Dates that get no run: 1."),
        "{sure}"
    );
    let done = kit.post("operator", "/backfills/1/cancel", "seen=7").await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    let asked = kit.door.asked.lock().unwrap();
    assert!(matches!(
        asked[0].command,
        Command::Pause {
            what: Pausable::Backfill(1),
            pause: true
        }
    ));
    let last = asked.last().unwrap();
    assert!(matches!(
        last.command,
        Command::CancelBackfill { backfill: 1 }
    ));
    assert_eq!((last.seen, last.dry_run), (Some(7), false));
}

pub(crate) fn date(day: i64, again: Option<i64>, left_out: Option<&str>) -> DatePlan {
    DatePlan {
        start: at(day * 86_400),
        end: at((day + 1) * 86_400),
        left_out: left_out.map(Into::into),
        again: again.map(RunNo),
    }
}

fn planned(kit: &Kit, dates: Vec<DatePlan>) {
    *kit.door.answers.lock().expect("it works") = Changed {
        dates,
        remarks: vec!["backfill 9".to_owned()],
        ..Changed::default()
    };
}

const FORM: &str = "from=2025-01-01&to=2025-01-03&reprocess=failed&active=2&backwards=1";
const PATH: &str = "/dags/open_dag/backfill";

#[tokio::test]
async fn exactly_what_was_shown_is_made() {
    let kit = Kit::new().await;
    planned(
        &kit,
        vec![
            date(2, None, None),
            date(1, Some(1), None),
            date(0, None, Some("it has a run")),
        ],
    );
    let shown = kit.post("operator", PATH, FORM).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.body);
    let body = &shown.body;
    assert!(
        body.contains("<b>1</b> run would be made, <b>1</b> would run again; 1 date is left out"),
        "{body}"
    );
    assert!(body.contains("run 1 runs again") && body.contains("left out: it has a run"));
    let hash = body.split("name=\"shown\" value=\"").nth(1).unwrap();
    let hash = hash.split('"').next().unwrap().to_owned();
    assert!(
        kit.door
            .asked
            .lock()
            .unwrap()
            .iter()
            .all(|asked| asked.dry_run)
    );
    let go = format!("{FORM}&step=make&shown={hash}");
    let done = kit.post("operator", PATH, &go).await;
    assert_eq!(done.header("location"), "/backfills/9", "{}", done.body);
    {
        let asked = kit.door.asked.lock().unwrap();
        let last = asked.last().unwrap();
        let Command::Backfill(ask) = &last.command else {
            panic!("it is a backfill")
        };
        assert!(!last.dry_run && ask.backwards);
        assert_eq!((ask.reprocess, ask.active_runs_max), (Reprocess::Failed, 2));
        assert_eq!(ask.from, at(0));
        // The third day with all its hours.
        assert_eq!(ask.to, Timestamp::from_micros(at(3 * 86_400).micros() - 1));
    }
    planned(&kit, vec![date(2, None, None)]);
    let late = kit.post("operator", PATH, &go).await;
    assert_eq!(
        late.status,
        StatusCode::CONFLICT,
        "it would make others by now"
    );
    let other = format!(
        "{}&step=make&shown={hash}",
        FORM.replace("active=2", "active=9")
    );
    let other = kit.post("operator", PATH, &other).await;
    assert_eq!(
        other.status,
        StatusCode::CONFLICT,
        "it is not what was shown"
    );
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field() {
    let kit = Kit::new().await;
    let wrong = kit
        .post("operator", PATH, "from=soon&to=2025-01-03&active=0")
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("write a day, as 2025-01-31"));
    assert!(wrong.body.contains("a whole number from 1 on"));
    let busy = DoorError::Invalid("backfill 1 of this DAG is not over yet".to_owned());
    *kit.door.refuses.lock().unwrap() = Some(busy);
    let refused = kit.post("operator", PATH, FORM).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused
            .body
            .contains("backfill 1 of this DAG is not over yet")
    );
}
