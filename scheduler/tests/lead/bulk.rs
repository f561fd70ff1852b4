//! Bulk commands over runs that have to be read back first.

use tidemill_core::state::RunState;
use tidemill_scheduler::engine::{BulkAction, Command, Filter};

use crate::house::{House, dag_id};

fn clear(filter: Filter) -> Command {
    Command::Bulk {
        filter,
        action: BulkAction::Clear,
        note: None,
    }
}

#[tokio::test]
async fn a_bulk_command_says_exactly_how_many_runs_it_leaves() {
    let mut house = House::open().await;
    let made = house.cancelled(8).await;
    house.change_leaders().await;
    let filter = Filter {
        dag: Some(dag_id()),
        states: vec![RunState::Failed, RunState::Cancelled],
        runs_max: 3,
        ..Filter::default()
    };
    let shown = house.ask(clear(filter.clone()), true).await;
    assert_eq!((shown.runs.len(), shown.runs_left), (3, 5));
    // The same again is for the next ones, until none is left.
    let mut cleared = Vec::new();
    for (runs, left) in [(3, 5), (3, 2), (2, 0), (0, 0)] {
        let done = house.ask(clear(filter.clone()), false).await;
        assert_eq!((done.runs.len(), done.runs_left), (runs, left));
        cleared.extend(done.runs);
    }
    assert_eq!(cleared[..3], shown.runs);
    cleared.sort_unstable();
    assert_eq!(cleared, made);
}

#[tokio::test]
async fn runs_at_hand_and_runs_that_are_not_are_counted_once() {
    let mut house = House::open().await;
    house.cancelled(4).await;
    house.change_leaders().await;
    // These are at hand, and stored as well.
    let fresh = house.cancelled(3).await;
    for dag in [Some(dag_id()), None] {
        let filter = Filter {
            dag,
            states: vec![RunState::Cancelled],
            runs_max: 1,
            ..Filter::default()
        };
        let shown = house.ask(clear(filter), true).await;
        assert_eq!((shown.runs.len(), shown.runs_left), (1, 6), "{fresh:?}");
    }
}
