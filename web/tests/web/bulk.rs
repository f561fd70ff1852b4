//! The same for all runs that a filter finds.

use axum::http::StatusCode;
use tidemill_core::state::TaskState;
use tidemill_scheduler::engine::{BulkAction, Changed, Command};

use crate::kit::{Kit, wide};
use crate::shared::change;

fn hidden(page: &str, name: &str) -> String {
    let field = format!("name=\"{name}\" value=\"");
    let rest = page.split(field.as_str()).nth(1).unwrap_or_default();
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// The runs of the last command.
fn last(kit: &Kit) -> (Vec<i64>, BulkAction, bool) {
    let asked = kit.door.asked.lock().expect("it works");
    let last = asked.last().expect("something was asked");
    let Command::Bulk { filter, action, .. } = &last.command else {
        panic!("it is for many")
    };
    let runs = filter.runs.iter().map(|run| run.0).collect();
    (runs, action.clone(), last.dry_run)
}

fn form(page: &str) -> String {
    ["shown", "until", "after", "done", "refused"]
        .map(|name| (name, hidden(page, name)))
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("&{name}={value}"))
        .collect()
}

#[tokio::test]
async fn only_runs_that_somebody_may_change_are_meant() {
    let kit = Kit::new().await;
    *kit.door.answers.lock().unwrap() = Changed {
        tasks: vec![change(1, "load.sales")],
        writes_again: vec!["append into crm.tickets".into()],
        ..Changed::default()
    };
    let all = kit
        .get("operator", "/runs/all/retry?state=failed")
        .await
        .body;
    assert!(
        all.contains("3 runs of 2 DAGs") && all.contains("append into crm.tickets"),
        "{all}"
    );
    assert_eq!(last(&kit), (vec![1, 2, 4], BulkAction::RetryFailed, true));
    let given = kit.get("given", "/runs/all/retry?state=failed").await.body;
    assert!(given.contains("2 runs of 1 DAG"), "{given}");
    assert!(given.contains("Left alone, because you may not change them: 1 run."));
    assert_eq!(last(&kit).0, [1, 2]);
    let go = format!("state=failed{}", form(&all));
    let refused = kit.post("given", "/runs/all/retry", &go).await;
    assert_eq!(
        refused.status,
        StatusCode::CONFLICT,
        "those were not what they were shown"
    );
    assert!(last(&kit).2, "nothing was done");
    let done = kit.post("operator", "/runs/all/retry", &go).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    assert_eq!(last(&kit), (vec![1, 2, 4], BulkAction::RetryFailed, false));
    assert_eq!(
        kit.get("viewer", "/runs/all/retry").await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn many_are_done_some_at_a_time_and_each_once() {
    let kit = Kit::holding(&wide(1, 450)).await;
    let shown = kit
        .get("operator", "/runs/all/clear?dag=wide_dag")
        .await
        .body;
    assert!(shown.contains("450 runs of 1 DAG"), "{shown}");
    let (mut seen, mut page, mut steps) = (Vec::new(), shown, Vec::new());
    loop {
        let go = format!("dag=wide_dag{}", form(&page));
        let answer = kit.post("operator", "/runs/all/clear", &go).await;
        let (runs, _, dry_run) = last(&kit);
        assert!(!dry_run);
        seen.extend(runs);
        if answer.status == StatusCode::SEE_OTHER {
            break;
        }
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        page = answer.body;
        steps.push(hidden(&page, "done"));
        assert!(page.contains("of 450 runs are done"), "{page}");
    }
    assert_eq!(steps, ["200", "400"]);
    assert_eq!(seen, (1..=450).collect::<Vec<i64>>());
}

#[tokio::test]
async fn marking_wants_a_note_and_deeds_want_what_was_shown() {
    let kit = Kit::new().await;
    let shown = kit
        .get("operator", "/runs/all/mark?mark=skipped&dag=open_dag")
        .await
        .body;
    let go = format!("mark=skipped&dag=open_dag{}", form(&shown));
    let without = kit.post("operator", "/runs/all/mark", &go).await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    let noted = format!("{go}&note=the+source+is+gone");
    let done = kit.post("operator", "/runs/all/mark", &noted).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    assert_eq!(last(&kit).1, BulkAction::Mark(TaskState::Skipped));
    let blind = kit
        .post("operator", "/runs/all/cancel", "state=failed")
        .await;
    assert_eq!(blind.status, StatusCode::UNPROCESSABLE_ENTITY);
    let nothing = kit
        .get("operator", "/runs/all/cancel?state=failed")
        .await
        .body;
    assert!(nothing.contains("No run is like this that it would change."));
    for wrong in [
        "/runs/all/eat",
        "/runs/all/clear?state=sideways",
        "/runs/all/mark?mark=eaten",
    ] {
        assert!(kit.get("operator", wrong).await.status.is_client_error());
    }
}
