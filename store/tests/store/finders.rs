//! What a scheduler looks up.

use tidemill_core::protocol::{AttemptNo, RunNo};
use tidemill_core::state::{RunState, RunType};
use tidemill_store::record::{Changes, Recovered, RunRow};
use tidemill_store::{Before, Matching};

use crate::place::Place;
use crate::round_trip::{everything, lead, put};
use crate::sample::*;

/// Runs of one DAG on days 10 to 19: every third by hand, the rest scheduled.
fn ten_days() -> Changes {
    let crm = version_row("crm", "x");
    let run = |n: i64| RunRow {
        kind: if n % 3 == 0 {
            RunType::Manual
        } else {
            RunType::Scheduled
        },
        state: RunState::Success,
        ..run_row(10 + n, &crm)
    };
    Changes {
        new_runs: (0..10).map(run).collect(),
        ..Changes::default()
    }
}

pub(crate) async fn runs_are_found_by_their_dates(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &everything()).await;
    put(&leader, 2, &ten_days()).await;
    let (store, crm) = (&place.store, dag_id("crm"));
    let heads = store
        .run_heads(&crm, day(12)..day(15))
        .await
        .expect("it reads");
    let ids: Vec<_> = heads.iter().map(|head| head.id.0).collect();
    assert_eq!(ids, [12, 13, 14]);
    assert_eq!(heads[1].kind, RunType::Manual);
    assert_eq!(heads[1].start, day(13));
    let dates = store
        .dates_taken(&crm, day(0)..day(15))
        .await
        .expect("it reads");
    assert_eq!(dates, [day(1), day(11), day(12), day(14)]);
    let before = |start, which| async move {
        let found = store.run_before(&dag_id("crm"), start, which).await;
        found.expect("it reads").map(|head| head.id.0)
    };
    assert_eq!(before(day(14), Before::Any).await, Some(13));
    assert_eq!(before(day(14), Before::Dated).await, Some(12));
    assert_eq!(before(day(1), Before::Any).await, None);
    let named = store
        .run_named(&crm, "scheduled__12")
        .await
        .expect("it reads");
    assert_eq!(named, Some(ten_days().new_runs[2].clone()));
    assert_eq!(
        store.run_named(&crm, "'; --").await.expect("it reads"),
        None
    );
    let versions = store.versions(&crm).await.expect("it reads");
    assert_eq!(versions.len(), 2);
}

pub(crate) async fn the_numbers_of_all_runs_that_match_are_found(place: &Place) {
    let leader = lead(&place.store).await;
    let (crm, shop) = (version_row("crm", "x"), version_row("shop", "x"));
    let mut changes = ten_days();
    changes.new_runs[4].state = RunState::Failed;
    changes.new_runs[7].state = RunState::Cancelled;
    changes.new_runs.push(RunRow {
        state: RunState::Failed,
        ..run_row(5, &shop)
    });
    changes.dags = vec![dag_row(&crm), dag_row(&shop)];
    changes.versions = vec![crm, shop];
    put(&leader, 1, &changes).await;
    let all = Matching {
        dag: None,
        states: Vec::new(),
        kinds: Vec::new(),
        start: day(0)..day(99),
    };
    let found = |of: Matching| async move {
        let found = place.store.run_numbers(&of).await.expect("it reads");
        found.into_iter().map(|run| run.0).collect::<Vec<_>>()
    };
    assert_eq!(
        found(all.clone()).await,
        [19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 5]
    );
    let bad = Matching {
        states: vec![RunState::Failed, RunState::Cancelled],
        ..all.clone()
    };
    assert_eq!(found(bad.clone()).await, [17, 14, 5]);
    let one = Matching {
        states: vec![RunState::Cancelled],
        ..all.clone()
    };
    assert_eq!(found(one).await, [17]);
    let mixed = Matching {
        states: vec![RunState::Success, RunState::Failed],
        kinds: vec![RunType::Manual, RunType::Backfill],
        ..all.clone()
    };
    assert_eq!(found(mixed).await, [19, 16, 13, 10]);
    let of_dag = Matching {
        dag: Some(dag_id("crm")),
        ..bad
    };
    assert_eq!(found(of_dag).await, [17, 14]);
    let days = Matching {
        dag: Some(dag_id("crm")),
        start: day(12)..day(15),
        ..all
    };
    assert_eq!(found(days).await, [14, 13, 12]);
}

pub(crate) async fn runs_that_have_ended_are_read_back_when_asked_for(place: &Place) {
    let leader = lead(&place.store).await;
    let all = everything();
    put(&leader, 1, &all).await;
    put(&leader, 2, &ten_days()).await;
    let (one, twelve) = (RunNo(1), RunNo(12));
    let found = place.store.load_runs(&[twelve, one, one, RunNo(404)]).await;
    let crm = |row: &&tidemill_store::record::VersionRow| row.dag == "crm";
    let mut versions: Vec<_> = all.versions.iter().filter(crm).cloned().collect();
    versions.sort_by(|a, b| a.version.as_str().cmp(b.version.as_str()));
    let expected = Recovered {
        versions,
        runs: vec![all.new_runs[0].clone(), ten_days().new_runs[2].clone()],
        tasks: all.new_tasks[..2].to_vec(),
        task_details: all.task_details[..1].to_vec(),
        outputs: all.outputs[..1].to_vec(),
        ..Recovered::default()
    };
    assert_eq!(found.expect("it reads"), expected);
    assert_eq!(
        place.store.load_runs(&[]).await.expect("it reads"),
        Recovered::default()
    );
}

pub(crate) async fn outputs_are_found_by_their_attempts(place: &Place) {
    let leader = lead(&place.store).await;
    let outputs = vec![
        output_row(300, instance(1, 0)),
        output_row(301, instance(1, 1)),
        output_row(302, instance(2, 0)),
    ];
    let changes = Changes {
        outputs: outputs.clone(),
        ..everything()
    };
    put(&leader, 1, &changes).await;
    let found = |attempts: Vec<AttemptNo>| async move { place.store.outputs(&attempts).await };
    assert_eq!(found(vec![]).await.expect("it reads"), []);
    let two = vec![AttemptNo(302), AttemptNo(300), AttemptNo(999)];
    let expected = [outputs[0].clone(), outputs[2].clone()];
    assert_eq!(found(two).await.expect("it reads"), expected);
}

pub(crate) async fn a_row_that_somebody_spoilt_is_named(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &everything()).await;
    place
        .by_hand("UPDATE run SET state = 'dreaming' WHERE id = 1")
        .await;
    let error = place
        .store
        .load_runs(&[RunNo(1)])
        .await
        .expect_err("no such state");
    let text = error.to_string();
    assert!(
        text.starts_with("read row id = 1 of table run: column state"),
        "{text}"
    );
    assert!(text.contains("`dreaming`"), "{text}");
    place
        .by_hand("UPDATE run SET state = 'running' WHERE id = 1")
        .await;
    place
        .by_hand("UPDATE dag_version SET spec = '{' WHERE dag = 'crm'")
        .await;
    let error = place
        .store
        .recover()
        .await
        .expect_err("no JSON")
        .to_string();
    assert!(error.contains("table dag_version: column spec"), "{error}");
}
