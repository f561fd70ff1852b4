//! What helps to find one's way around: a grid around a task, notes in it, a nearer Gantt, pools that are paused, tables and jobs.

use std::sync::Arc;

use tidemill_core::author::Dag;
use tidemill_core::id::TaskId;
use tidemill_core::protocol::{InstanceRef, NOT_MAPPED, RunNo, TaskNo};
use tidemill_core::spec::{Destination, WriteMode};
use tidemill_core::state::{RunState, TaskState};
use tidemill_store::record::{
    Changes, PoolRow, RunRow, TaskDetailRow, TaskNameRow, Touch, VersionRow,
};

use crate::kit::{HOSTILE, Kit, at, dag_row, run, run_path, task};

const TASKS: [(u32, &str); 4] = [(0, "a"), (1, "b"), (2, "late.c"), (3, "aside")];

/// `a` before `b` before `c` in a group, and `aside`. `c` writes a table and waits for a pool.
fn version() -> VersionRow {
    let built = Dag::build("line_dag", |dag| {
        let first = dag.empty("a");
        let second = dag.empty("b");
        let group = dag.group("late", |late| {
            late.empty("c");
        });
        dag.empty("aside");
        dag.edge(&first, &second);
        dag.edge(&second, &group);
    });
    let mut spec = built.spec().clone();
    for task in &mut spec.definition.tasks {
        if task.id.as_str() == "late.c" {
            task.placement.pool = "night".to_owned();
            for table in ["crm.tickets", "crm.errors"] {
                task.touches.writes.push(Destination {
                    table: table.into(),
                    mode: WriteMode::Truncate,
                });
            }
        }
    }
    VersionRow {
        dag: spec.id().clone(),
        version: spec.version(),
        spec: Arc::new(spec),
        deployed_at: at(0),
    }
}

fn pool(name: &str, paused: bool) -> PoolRow {
    PoolRow {
        name: name.into(),
        slots: Some(4),
        holds_deferred: false,
        paused,
        edits: 1,
        touched: Some(Touch {
            by: "ann".into(),
            how: "paused".into(),
            at: at(3_600),
        }),
        note: None,
    }
}

/// Run 1 has ended, run 2 is on: `c` waits.
fn some(paused: bool) -> Changes {
    let version = version();
    let noted = RunRow {
        note: Some(HOSTILE.into()),
        ..run(1, &version, RunState::Success)
    };
    let mut plain = run(2, &version, RunState::Running);
    plain.note = None;
    let names = TASKS.map(|(no, name)| TaskNameRow {
        dag: version.dag.clone(),
        task: TaskNo(no),
        name: TaskId::parse(name).expect("a name"),
    });
    let mut changes = Changes {
        task_names: names.into(),
        dags: vec![dag_row(&version)],
        new_runs: vec![noted, plain],
        versions: vec![version],
        pools: vec![pool("night", paused), pool("other", false)],
        ..Changes::default()
    };
    for id in [1, 2] {
        for (no, name) in TASKS {
            let state = if id == 2 && no == 2 {
                TaskState::Scheduled
            } else {
                TaskState::Success
            };
            changes.new_tasks.push(task(id, (no, name), state));
        }
    }
    changes.task_details.push(TaskDetailRow {
        of: InstanceRef {
            run: RunNo(1),
            task: TaskNo(1),
            map_index: NOT_MAPPED,
        },
        handle: None,
        why: None,
        item: None,
        said: None,
        note: Some(HOSTILE.into()),
        touched: None,
    });
    changes
}

/// The rows of a grid, by the titles of their heads.
fn rows(page: &str) -> Vec<&str> {
    let heads = page.split("<th scope=row title=\"").skip(1);
    heads.filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test]
async fn a_grid_is_narrowed_to_what_is_around_a_task() {
    let kit = Kit::holding(&some(false)).await;
    let grid = async |query: &str| {
        kit.get("viewer", &format!("/dags/line_dag{query}"))
            .await
            .body
    };
    assert_eq!(rows(&grid("").await), ["a", "b", "late", "late.c", "aside"]);
    for (query, wanted) in [
        ("?task=b&side=upstream", &["a", "b"][..]),
        ("?task=b&side=downstream", &["b", "late", "late.c"]),
        ("?task=b&side=both", &["a", "b", "late", "late.c"]),
        ("?task=b", &["a", "b", "late", "late.c"]),
        ("?task=late.c&side=upstream", &["a", "b", "late", "late.c"]),
        ("?task=aside&side=both", &["aside"]),
        (
            "?task=&side=upstream",
            &["a", "b", "late", "late.c", "aside"],
        ),
    ] {
        assert_eq!(rows(&grid(query).await), wanted, "{query}");
    }
    let narrow = grid("?task=b&side=upstream").await;
    assert!(narrow.contains("name=\"task\" value=\"b\""), "{narrow}");
    assert!(narrow.contains("value=\"upstream\" selected"));
    assert!(narrow.contains("Show all tasks"));
    let unknown = grid("?task=nothing").await;
    assert!(unknown.contains("no task nothing") && rows(&unknown).is_empty());
    // The next page of runs is as narrow.
    let many = Kit::wide(2, 60).await;
    let page = many.get("viewer", "/dags/wide_dag?task=t0&side=both").await;
    let older = page.body.split("?before=").nth(1).expect("there are older");
    let older = older.split('"').next().expect("an address");
    assert!(older.contains("task=t0"), "{older}");
}

#[tokio::test]
async fn notes_are_marked_in_the_grid() {
    let kit = Kit::holding(&some(false)).await;
    let page = kit.get("viewer", "/dags/line_dag").await.body;
    assert_eq!(page.matches("class=\"ok noted\"").count(), 1, "{page}");
    assert!(page.contains(">Noted, Success<"), "{page}");
    assert_eq!(page.matches("<th scope=col class=noted>").count(), 1);
    assert!(page.contains("; noted: ") && !page.contains(HOSTILE));
}

#[tokio::test]
async fn the_part_of_the_gantt_that_is_drawn_is_in_its_address() {
    let kit = Kit::new().await;
    let path = format!("{}?tab=gantt", run_path("open_dag", 1));
    let page = async |more: &str| kit.get("viewer", &format!("{path}{more}")).await.body;
    let whole = page("").await;
    assert!(
        whole.contains("data-from=\"0\" data-span=\"600000\""),
        "{whole}"
    );
    assert!(whole.contains("&#38;zoom=150000-450000") || whole.contains("&amp;zoom=150000-450000"));
    let part = page("&zoom=100000-200000").await;
    assert!(
        part.contains("data-from=\"100000\" data-span=\"100000\""),
        "{part}"
    );
    // The bar of 499 seconds fills it.
    assert!(
        part.contains("x=\"230.0\" y=\"82\" width=\"900.0\""),
        "{part}"
    );
    assert!(part.contains("Whole run") && part.contains("Earlier"));
    let after = page("&zoom=550000-600000").await;
    assert!(!after.contains("<rect class=\"fail\" x"), "{after}");
    let nonsense = page("&zoom=%3Cb%3E").await;
    assert!(nonsense.contains("data-span=\"600000\""));
}

#[tokio::test]
async fn a_pool_that_is_paused_is_said_where_something_waits_for_it() {
    let kit = Kit::holding(&some(true)).await;
    let says = "<a href=\"/pools/night\">night</a> is paused";
    let (ended, on) = (run_path("line_dag", 1), run_path("line_dag", 2));
    for (path, wanted) in [
        ("/".to_owned(), true),
        ("/dags/line_dag".to_owned(), true),
        ("/dags/line_dag/graph".to_owned(), true),
        (on.clone(), true),
        (ended.clone(), false),
        (format!("{on}/tasks/late.c"), true),
        (format!("{on}/tasks/a"), false),
        (format!("{ended}/tasks/late.c"), false),
    ] {
        let page = kit.get("viewer", &path).await.body;
        assert_eq!(page.contains(says), wanted, "{path}: {page}");
        assert!(!page.contains("/pools/other"), "{path}");
    }
    let home = kit.get("viewer", "/").await.body;
    assert!(home.contains("ann paused it, 1 Jan 01:00 UTC"), "{home}");
    let kit = Kit::holding(&some(false)).await;
    assert!(!kit.get("viewer", "/").await.body.contains("is paused"));
}

#[tokio::test]
async fn the_palette_finds_tables_by_who_writes_them() {
    let kit = Kit::holding(&some(false)).await;
    let found = kit.get("viewer", "/find?q=crm.").await.body;
    for table in ["crm.tickets", "crm.errors"] {
        assert!(found.contains(&format!("\"label\":\"{table}\"")), "{found}");
    }
    assert!(found.contains("/dags/line_dag?task=late.c&side=upstream"));
    let hidden = kit.get("limited", "/find?q=crm.").await.body;
    assert!(!hidden.contains("crm."), "{hidden}");
}
