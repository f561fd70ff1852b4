//! What pages show, page after page.

use tidemill_core::protocol::{InstanceRef, NOT_MAPPED, RunNo, TaskNo};
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_store::Store;
use tidemill_store::history::{
    AttemptCursor, AuditOf, Cursor, LoadFilter, RunFilter, Tasks, Tried,
};
use tidemill_store::record::{
    AttemptRow, AuditRow, BackfillRow, BackfillState, Changes, DateState, LoadRow, RunRow, TaskRow,
    VersionRow,
};

use crate::place::Place;
use crate::round_trip::{lead, put};
use crate::sample::*;

const RUNS: i64 = 25;

fn mapped(run: i64, task: u32, map_index: i32, state: TaskState) -> TaskRow {
    TaskRow {
        of: InstanceRef {
            map_index,
            ..instance(run, task)
        },
        state,
        ..task_row(run, task)
    }
}

/// Two DAGs. `crm` has 25 runs, each with a task, a mapped task of three instances, four attempts and two loads; run 7 failed.
/// `shop` has one run, made first, whose date is the last.
pub(crate) fn history() -> Changes {
    let (crm, shop) = (version_row("crm", ""), version_row("shop_eu", ""));
    let run = |id: i64| RunRow {
        state: match id {
            7 => RunState::Failed,
            RUNS => RunState::Running,
            _ => RunState::Success,
        },
        kind: if id % 10 == 0 {
            RunType::Manual
        } else {
            RunType::Scheduled
        },
        ..run_row(id, &crm)
    };
    let mut changes = Changes {
        dags: vec![dag_row(&crm), dag_row(&shop)],
        versions: vec![crm.clone(), shop.clone()],
        new_runs: (2..=RUNS).map(run).collect(),
        ..Changes::default()
    };
    changes.new_runs.push(RunRow {
        state: RunState::Success,
        start: day(99),
        ..run_row(1, &shop)
    });
    for run in 2..=RUNS {
        changes.new_tasks.extend([
            task_row(run, 0),
            mapped(run, 1, -1, TaskState::Running),
            mapped(run, 1, 0, TaskState::Success),
            mapped(run, 1, 1, TaskState::Failed),
            mapped(run, 1, 2, TaskState::Success),
        ]);
        for n in 0..4 {
            let of = instance(run, u32::from(n > 1));
            changes.attempts.push(attempt_row(run * 10 + n, of));
        }
        let mut load = load_row(run * 10, 0, instance(run, 0), "crm");
        load.load.ended_at = at(run);
        let mut other = LoadRow {
            nth: 1,
            ..load.clone()
        };
        other.load.destination = "crm.errors".to_owned();
        if run == 9 {
            other.load.status = "failed".to_owned();
        }
        changes.loads.extend([load, other]);
    }
    changes.audits = (1..=20)
        .map(|id| AuditRow {
            dag: (id % 2 == 0).then(|| dag_id("crm")),
            run: (id % 5 == 0).then_some(RunNo(3)),
            ..audit_row(id)
        })
        .collect();
    changes.asset_events = (1..=5).map(event_row).collect();
    changes.skipped_ticks = (1..=5).map(|n| skipped_row("crm", day(n))).collect();
    changes
}

async fn ids(store: &Store, of: &RunFilter, after: Cursor, rows: u32) -> (Vec<i64>, Cursor) {
    let runs = store.runs(of, after, rows).await.expect("it reads");
    let last = runs.last().map_or(after, Cursor::from);
    (runs.iter().map(|run| run.id.0).collect(), last)
}

/// All pages of two rows of a list.
async fn in_pairs(store: &Store, of: &RunFilter) -> Vec<i64> {
    let (mut all, mut at) = (Vec::new(), Cursor::START);
    loop {
        let (page, last) = ids(store, of, at, 2).await;
        if page.is_empty() {
            return all;
        }
        all.extend(page);
        at = last;
    }
}

pub(crate) async fn runs_are_listed_page_after_page(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &history()).await;
    let (store, all) = (&place.store, RunFilter::default());
    let down = |from: i64, to: i64| (to..=from).rev().collect::<Vec<_>>();
    assert_eq!(in_pairs(store, &all).await, down(RUNS, 1));
    let crm = RunFilter {
        dag: Some(dag_id("crm")),
        ..all.clone()
    };
    assert_eq!(in_pairs(store, &crm).await, down(RUNS, 2));
    let state = |state| RunFilter {
        state: Some(state),
        ..all.clone()
    };
    assert_eq!(in_pairs(store, &state(RunState::Failed)).await, [7]);
    assert_eq!(in_pairs(store, &state(RunState::Running)).await, [RUNS]);
    assert_eq!(in_pairs(store, &state(RunState::Queued)).await, [0_i64; 0]);
    assert_eq!(in_pairs(store, &state(RunState::Success)).await.len(), 23);
    let failed = RunFilter {
        state: Some(RunState::Failed),
        ..crm.clone()
    };
    assert_eq!(in_pairs(store, &failed).await, [7]);
    let by_hand = RunFilter {
        kind: Some(RunType::Manual),
        ..all.clone()
    };
    assert_eq!(in_pairs(store, &by_hand).await, [20, 10]);
    let days = RunFilter {
        start: day(5)..day(8),
        ..crm.clone()
    };
    assert_eq!(in_pairs(store, &days).await, [7, 6, 5]);
    let days = RunFilter {
        start: day(5)..day(8),
        ..all.clone()
    };
    assert_eq!(in_pairs(store, &days).await, [7, 6, 5]);
    let named = RunFilter {
        name: Some("scheduled__2".to_owned()),
        ..all.clone()
    };
    assert_eq!(in_pairs(store, &named).await, [25, 24, 23, 22, 21, 20, 2]);
    for wild in ["%", "_", HOSTILE, "\0"] {
        let named = RunFilter {
            name: Some(wild.to_owned()),
            ..crm.clone()
        };
        assert_eq!(in_pairs(store, &named).await, [0_i64; 0], "{wild}");
    }
    assert_eq!(ids(store, &all, Cursor::START, 0).await.0, [0_i64; 0]);
    assert_eq!(ids(store, &all, Cursor::START, u32::MAX).await.0.len(), 25);
}

pub(crate) async fn the_grid_sums_up_mapped_tasks(place: &Place) {
    let leader = lead(&place.store).await;
    let all = history();
    put(&leader, 1, &all).await;
    let (store, crm) = (&place.store, dag_id("crm"));
    let grid = store.grid(&crm, Cursor::START, 3).await.expect("it reads");
    let runs: Vec<_> = grid.runs.iter().map(|run| run.id.0).collect();
    assert_eq!(runs, [25, 24, 23]);
    assert_eq!(grid.runs[0], all.new_runs[23]);
    assert_eq!(grid.cells.len(), 3 * 4);
    let last: Vec<_> = grid
        .cells
        .iter()
        .filter(|cell| cell.run == RunNo(25))
        .collect();
    let seen: Vec<_> = last
        .iter()
        .map(|cell| (cell.task.0, cell.instances, cell.state, cell.count))
        .collect();
    let expected = [
        (0, false, TaskState::UpForRetry, 1),
        (1, false, TaskState::Running, 1),
        (1, true, TaskState::Failed, 1),
        (1, true, TaskState::Success, 2),
    ];
    assert_eq!(seen, expected);
    assert_eq!(last[3].name, "group.task_1");
    assert_eq!(
        (last[3].number, last[3].queued_at, last[3].since),
        (4, Some(at(21)), at(20))
    );
    let second = store
        .grid(&crm, Cursor::from(&grid.runs[2]), 2)
        .await
        .expect("it reads");
    assert_eq!(second.runs[0].id, RunNo(22));
    let none = store
        .grid(&dag_id("nobody"), Cursor::START, 3)
        .await
        .expect("it reads");
    assert!(none.runs.is_empty() && none.cells.is_empty());
    let past = store
        .task_past(&crm, (TaskNo(1), 2), Cursor::START, 4)
        .await
        .expect("it reads");
    let seen: Vec<_> = past
        .iter()
        .map(|past| (past.run.id.0, past.task.state))
        .collect();
    assert_eq!(
        seen[..2],
        [(25, TaskState::Success), (24, TaskState::Success)]
    );
    assert_eq!(past.len(), 4);
    let last = &all.new_tasks[all.new_tasks.len() - 1];
    assert_eq!(past[0].task, *last);
    let mapped = (last.of.run, last.of.task);
    let states = store.instance_states(mapped).await.expect("it reads");
    let seen: Vec<_> = states.iter().map(|one| (one.state, one.count)).collect();
    assert_eq!(seen, [(TaskState::Failed, 1), (TaskState::Success, 2)]);
    let after = store.instances(mapped, 1, 10).await.expect("it reads");
    assert_eq!(after, std::slice::from_ref(last));
}

pub(crate) async fn days_are_counted_by_state(place: &Place) {
    let leader = lead(&place.store).await;
    let mut all = history();
    // The run of day 9 failed and covers the last microsecond of day 8 on; one began before 1970.
    let last_moment = |n: i64| Timestamp::from_micros(day(n).micros() - 1);
    for run in &mut all.new_runs {
        match run.id.0 {
            9 => (run.start, run.state) = (last_moment(9), RunState::Failed),
            10 => run.start = Timestamp::from_micros(-1),
            _ => {}
        }
    }
    put(&leader, 1, &all).await;
    let (store, crm) = (&place.store, dag_id("crm"));
    let counts = async |within| {
        let days = store.run_days(&crm, within).await.expect("it reads");
        let first = day(0).micros() / 86_400_000_000;
        let seen = days.iter().map(|of| (of.day - first, of.state, of.count));
        seen.collect::<Vec<_>>()
    };
    let expected = [
        (7, RunState::Failed, 1),
        (8, RunState::Failed, 1),
        (8, RunState::Success, 1),
    ];
    assert_eq!(counts(day(7)..day(9)).await, expected);
    let long_ago = counts(Timestamp::from_micros(-5)..Timestamp::from_micros(0)).await;
    let first = day(0).micros() / 86_400_000_000;
    assert_eq!(long_ago, [(-1 - first, RunState::Success, 1)]);
    let shop = store.run_days(&dag_id("shop_eu"), day(7)..day(9)).await;
    assert_eq!(shop.expect("it reads"), []);
}

pub(crate) async fn versions_are_listed_with_how_many_runs_have_them(place: &Place) {
    let leader = lead(&place.store).await;
    let mut all = history();
    let newer = VersionRow {
        deployed_at: at(9),
        ..version_row("crm", "another")
    };
    all.versions.push(newer.clone());
    for run in all.new_runs.iter_mut().filter(|run| run.id.0 >= 23) {
        run.version = newer.version.clone();
    }
    put(&leader, 1, &all).await;
    let uses = async |dag: &str, runs| {
        let uses = place.store.version_uses(&dag_id(dag), runs).await;
        let seen = uses.expect("it reads").into_iter();
        seen.map(|of| (of.version, of.deployed_at, of.runs, of.last_start))
            .collect::<Vec<_>>()
    };
    let older = &all.versions[0].version;
    let all_of_it = [
        (newer.version.clone(), at(9), 3, Some(day(25))),
        (older.clone(), at(1), 21, Some(day(22))),
    ];
    assert_eq!(uses("crm", 1_000).await, all_of_it);
    let few = [
        (newer.version.clone(), at(9), 2, Some(day(25))),
        (older.clone(), at(1), 0, None),
    ];
    assert_eq!(uses("crm", 2).await, few);
    assert_eq!(uses("nobody", 2).await, []);
}

pub(crate) async fn attempts_are_listed_by_task_and_by_run(place: &Place) {
    let leader = lead(&place.store).await;
    let all = history();
    put(&leader, 1, &all).await;
    let store = &place.store;
    let of_task = store.attempts(instance(5, 1)).await.expect("it reads");
    assert_eq!(
        of_task,
        [
            attempt_row(53, instance(5, 1)),
            attempt_row(52, instance(5, 1))
        ]
    );
    let first = store
        .attempts_of_run(RunNo(5), AttemptCursor::START, 3)
        .await;
    let first = first.expect("it reads");
    assert_eq!(first[0], attempt_row(50, instance(5, 0)));
    let after = AttemptCursor::from(&first[2]);
    let rest = store
        .attempts_of_run(RunNo(5), after, 3)
        .await
        .expect("it reads");
    assert_eq!(rest, [attempt_row(53, instance(5, 1))]);
    let tried = store
        .tries_of_run(RunNo(5), AttemptCursor::START, 3)
        .await
        .expect("it reads");
    assert_eq!(tried, first.iter().map(tried_of).collect::<Vec<_>>());
    let rest_tried = store
        .tries_of_run(RunNo(5), AttemptCursor::from(&tried[2]), 3)
        .await;
    assert_eq!(rest_tried.expect("it reads"), [tried_of(&rest[0])]);
    let loads = store.loads_of_run(RunNo(5), (i64::MIN, -1), 9).await;
    assert_eq!(loads.expect("it reads"), all.loads[6..8]);
    let loads = store.loads_of_run(RunNo(5), (50, 0), 9).await;
    assert_eq!(loads.expect("it reads"), all.loads[7..8]);
    tasks_are_read_with_what_they_say(store).await;
}

/// What there is of an attempt without what it said.
fn tried_of(row: &AttemptRow) -> Tried {
    Tried {
        id: row.id,
        of: row.of,
        number: row.number,
        end: row.end,
        queued_at: row.queued_at,
        started_at: row.started_at,
        ended_at: row.ended_at,
        retry_at: row.retry_at,
        deferred_at: row.deferred_at,
    }
}

/// The tasks of run 5 as wholes, one a page, are those of the grid.
async fn tasks_are_read_with_what_they_say(store: &Store) {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.tasks_of_run(RunNo(5), Tasks::Whole(after), 1).await;
        let Some(row) = page.expect("it reads").pop() else {
            break;
        };
        after = Some(row.task.of.task);
        found.push(row);
    }
    let numbers: Vec<TaskNo> = found.iter().map(|row| row.task.of.task).collect();
    let asked = [&numbers[..], &[TaskNo(99)]].concat();
    let named = store.whole_tasks(RunNo(5), &asked).await;
    assert_eq!(named.expect("it reads"), found);
    let one = store.whole_tasks(RunNo(5), &numbers[1..2]).await;
    assert_eq!(one.expect("it reads"), found[1..2]);
    let found: Vec<TaskRow> = found.into_iter().map(|row| row.task).collect();
    let read = store.load_runs(&[RunNo(5)]).await.expect("it reads");
    let whole = |row: &&TaskRow| row.of.map_index == NOT_MAPPED;
    let wanted: Vec<TaskRow> = read.tasks.iter().filter(whole).cloned().collect();
    assert_eq!(found, wanted);
    for task in &wanted {
        let page = store.tasks_of_run(RunNo(5), Tasks::Of(task.of.task, NOT_MAPPED), 100);
        let page = page
            .await
            .expect("it reads")
            .into_iter()
            .map(|row| row.task);
        let instances = read.tasks.iter().filter(|row| row.of.task == task.of.task);
        let instances = instances.filter(|row| row.of.map_index != NOT_MAPPED);
        assert_eq!(
            page.collect::<Vec<_>>(),
            instances.cloned().collect::<Vec<_>>()
        );
    }
}

pub(crate) async fn loads_are_listed_page_after_page(place: &Place) {
    let leader = lead(&place.store).await;
    let written = history();
    put(&leader, 1, &written).await;
    let (store, all) = (&place.store, LoadFilter::default());
    let count = |of: LoadFilter| async move {
        let (mut found, mut at) = (Vec::new(), Cursor::START);
        loop {
            let page = store.loads(&of, at, 7).await.expect("it reads");
            let Some(last) = page.last() else {
                return found;
            };
            at = Cursor::from(last);
            found.extend(page);
        }
    };
    let mut newest_first = written.loads.clone();
    newest_first.reverse();
    assert_eq!(count(all.clone()).await, newest_first);
    let crm = LoadFilter {
        dag: Some(dag_id("crm")),
        ..all.clone()
    };
    assert_eq!(count(crm.clone()).await, newest_first);
    let into = LoadFilter {
        destination: Some("crm.errors".to_owned()),
        ..all.clone()
    };
    assert_eq!(count(into.clone()).await.len(), 24);
    let failed = LoadFilter {
        status: Some("failed".to_owned()),
        ..all.clone()
    };
    assert_eq!(count(failed).await[0].attempt.0, 90);
    let well = LoadFilter {
        status: Some("success".to_owned()),
        ..into
    };
    assert_eq!(count(well).await.len(), 23);
    let hour = LoadFilter {
        ended: at(5)..at(7),
        ..crm
    };
    assert_eq!(count(hour).await.len(), 4);
    let nobody = LoadFilter {
        dag: Some(dag_id("nobody")),
        ..all
    };
    assert_eq!(count(nobody).await, []);
}

pub(crate) async fn things_are_found_by_their_names(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &history()).await;
    let store = &place.store;
    let found = store.search("SHOP", None, 10).await.expect("it reads");
    assert_eq!(found.dags, [dag_id("shop_eu")]);
    assert_eq!(found.runs, []);
    let found = store
        .search("scheduled__2", None, 3)
        .await
        .expect("it reads");
    let runs: Vec<_> = found.runs.iter().map(|run| run.id.0).collect();
    assert_eq!(runs, [25, 24, 23]);
    for odd in ["%", "_", "'", HOSTILE, "\0", "\u{10ffff}"] {
        let found = store.search(odd, None, 10).await.expect("it reads");
        assert_eq!(found.runs, [], "{odd}");
    }
    assert_eq!(
        store
            .search("", None, 10)
            .await
            .expect("it reads")
            .dags
            .len(),
        2
    );
    only_of_some(store).await;
}

/// Lists that are narrowed to some DAGs begin with the first row of these, whatever lies on top of it.
async fn only_of_some(store: &Store) {
    let shop = [dag_id("shop_eu")];
    let found = store.search("", Some(&shop), 10).await.expect("it reads");
    assert_eq!(found.dags, shop);
    let found = store.search("scheduled__", Some(&shop), 1).await;
    let runs = found.expect("it reads").runs;
    assert_eq!(runs.iter().map(|run| run.id.0).collect::<Vec<_>>(), [1]);
    for (among, wanted) in [(shop.to_vec(), vec![1]), (Vec::new(), Vec::new())] {
        let of = RunFilter {
            among: Some(among),
            ..RunFilter::default()
        };
        let runs = store.runs(&of, Cursor::START, 1).await.expect("it reads");
        assert_eq!(runs.iter().map(|run| run.id.0).collect::<Vec<_>>(), wanted);
    }
    let ever = Timestamp::from_micros(0);
    let crm = [dag_id("crm")];
    let all = store.failures(ever, None, (9, 9)).await.expect("it reads");
    let of_crm = store.failures(ever, Some(&crm), (9, 9)).await;
    assert_eq!(of_crm.expect("it reads"), all);
    let of_shop = store.failures(ever, Some(&shop), (9, 9)).await;
    assert_eq!(of_shop.expect("it reads"), []);
    let of = LoadFilter {
        among: Some(shop.to_vec()),
        ..LoadFilter::default()
    };
    let loads = store.loads(&of, Cursor::START, 9).await.expect("it reads");
    assert_eq!(loads, []);
}

pub(crate) async fn the_logs_are_listed_page_after_page(place: &Place) {
    let leader = lead(&place.store).await;
    let all = history();
    put(&leader, 1, &all).await;
    let store = &place.store;
    let ids = |of: AuditOf, before, rows| async move {
        let found = store.audits(&of, before, rows).await.expect("it reads");
        found.iter().map(|line| line.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(AuditOf::All, i64::MAX, 3).await, [20, 19, 18]);
    assert_eq!(ids(AuditOf::All, 18, 2).await, [17, 16]);
    assert_eq!(ids(AuditOf::Dag(dag_id("crm")), 9, 9).await, [8, 6, 4, 2]);
    assert_eq!(
        ids(AuditOf::Run(RunNo(3)), i64::MAX, 9).await,
        [20, 15, 10, 5]
    );
    let first = store.audits(&AuditOf::All, 2, 1).await.expect("it reads");
    assert_eq!(first, all.audits[..1]);
    let events = store
        .asset_events("crm.tickets", 5, 2)
        .await
        .expect("it reads");
    assert_eq!(events, [event_row(4), event_row(3)]);
    let ticks = store.skipped_ticks(&dag_id("crm"), day(2)..day(4), 9).await;
    assert_eq!(
        ticks.expect("it reads"),
        [skipped_row("crm", day(3)), skipped_row("crm", day(2))]
    );
}

pub(crate) async fn what_people_set_is_listed(place: &Place) {
    let leader = lead(&place.store).await;
    let mut all = history();
    all.pools = vec![pool_row("small"), pool_row("large")];
    all.backfills = vec![
        backfill_row(1, "crm"),
        BackfillRow {
            state: BackfillState::Done,
            ..backfill_row(2, "shop_eu")
        },
        backfill_row(3, "crm"),
    ];
    let left_out = DateState::LeftOut("it exists".into());
    all.backfill_dates = (0..5).map(|n| date_row(2, n, left_out.clone())).collect();
    put(&leader, 1, &all).await;
    let store = &place.store;
    let dags = store.dags().await.expect("it reads");
    assert_eq!(dags, all.dags);
    let pools = store.pools().await.expect("it reads");
    assert_eq!(pools, [pool_row("large"), pool_row("small")]);
    let ids = |dag: Option<&'static str>, before, rows| async move {
        let dag = dag.map(dag_id);
        let found = store
            .backfills(dag.as_ref().map(std::slice::from_ref), before, rows)
            .await;
        let found = found.expect("it reads");
        found.iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, i64::MAX, 2).await, [3, 2]);
    assert_eq!(ids(None, 2, 9).await, [1]);
    assert_eq!(ids(Some("crm"), i64::MAX, 9).await, [3, 1]);
    let dates = store.backfill_dates(2, -1, 2).await.expect("it reads");
    assert_eq!(dates, all.backfill_dates[..2]);
    let dates = store.backfill_dates(2, 1, 9).await.expect("it reads");
    assert_eq!(dates, all.backfill_dates[2..]);
    assert_eq!(store.backfill_dates(1, -1, 9).await.expect("it reads"), []);
}
