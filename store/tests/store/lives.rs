//! What whoever shows something live looks at.

use tidemill_core::protocol::RunNo;
use tidemill_core::state::{RunState, TaskState};
use tidemill_store::Store;
use tidemill_store::live::{DagMark, RunMark, TasksMark};
use tidemill_store::record::{Changes, DagRow, RunRow, TaskRow};

use crate::place::Place;
use crate::round_trip::{everything, lead, put};
use crate::sample::*;

/// All marks, run 2 watched although it has ended, in order.
async fn marks(store: &Store) -> (Vec<DagMark>, Vec<RunMark>, Vec<TasksMark>) {
    let watched = [RunNo(2)];
    let mut dags = store.dag_marks().await.expect("it reads");
    let mut runs = store.run_marks(&watched, RunNo(2)).await.expect("it reads");
    let numbers: Vec<RunNo> = runs.iter().map(|run| run.run).collect();
    let mut tasks = store.tasks_marks(&numbers).await.expect("it reads");
    dags.sort_by(|a, b| a.dag.cmp(&b.dag));
    runs.sort_by_key(|run| run.run);
    tasks.sort_by_key(|tasks| tasks.run);
    (dags, runs, tasks)
}

pub(crate) async fn each_commit_is_one_beat_and_looking_is_none(place: &Place) {
    let (store, leader) = (&place.store, lead(&place.store).await);
    let before = store.pulse().await.expect("it reads");
    put(&leader, 1, &everything()).await;
    let after = store.pulse().await.expect("it reads");
    assert_eq!((before.batch, after.batch), (0, 1));
    assert_eq!(after.newest, RunNo(2));
    leader.renew().await.expect("it works");
    let _ = marks(store).await;
    assert_eq!(store.pulse().await.expect("it reads"), after);
}

pub(crate) async fn marks_change_with_what_they_stand_for_and_nothing_else(place: &Place) {
    let (store, leader) = (&place.store, lead(&place.store).await);
    put(&leader, 1, &everything()).await;
    let first = marks(store).await;
    let ids: Vec<i64> = first.1.iter().map(|run| run.run.0).collect();
    assert_eq!(ids, [1, 2], "an active one, and one that is watched");
    assert!(first.1[0].is_active() && !first.1[1].is_active());

    // A task comes into another state.
    let task = TaskRow {
        state: TaskState::Running,
        since: at(21),
        ..task_row(1, 1)
    };
    let changes = Changes {
        tasks: vec![task],
        ..Changes::default()
    };
    put(&leader, 2, &changes).await;
    let second = marks(store).await;
    assert_eq!((&second.0, &second.1), (&first.0, &first.1));
    assert_ne!(second.2[0], first.2[0]);
    assert_eq!(second.2[1], first.2[1]);

    // Somebody does something with a run that has ended.
    let (old, shop) = (version_row("crm", ""), version_row("shop", ""));
    let edited = RunRow {
        state: RunState::Failed,
        edits: 13,
        ..run_row(2, &shop)
    };
    let changes = Changes {
        runs: vec![edited],
        ..Changes::default()
    };
    put(&leader, 3, &changes).await;
    let third = marks(store).await;
    assert_eq!((&third.0, &third.2), (&second.0, &second.2));
    assert_eq!(third.1[0], second.1[0]);
    assert_ne!(third.1[1], second.1[1]);

    // A run is over as soon as it has begun, and a DAG goes on.
    let quick = RunRow {
        state: RunState::Success,
        ..run_row(3, &old)
    };
    let goes_on = DagRow {
        paused: false,
        ..dag_row(&shop)
    };
    let changes = Changes {
        new_runs: vec![quick],
        dags: vec![goes_on],
        ..Changes::default()
    };
    put(&leader, 4, &changes).await;
    let fourth = marks(store).await;
    let ids: Vec<i64> = fourth.1.iter().map(|run| run.run.0).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert_eq!(fourth.0[0], third.0[0]);
    assert_ne!(fourth.0[1], third.0[1]);
}
