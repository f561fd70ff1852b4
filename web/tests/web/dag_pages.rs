//! The pages of one DAG.

use axum::http::StatusCode;
use tidemill_core::author::{Dag, TaskHandle as _};
use tidemill_core::protocol::{AttemptNo, RunNo};
use tidemill_core::spec::{Asset, Cron, DagSpec, Retry, Table};
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_store::record::{Changes, RunRow, TaskRow, Touch, VersionRow};

use crate::kit::{Kit, at, dag_row, run, run_path, task, wide};

const DAY: i64 = 86_400;

fn version(deployed: i64, write: impl FnOnce(&tidemill_core::author::DagBuilder)) -> VersionRow {
    let built = Dag::build("crm_dag", |dag| {
        dag.schedule(Cron::new("0 2 * * *").tz("Europe/Berlin"));
        dag.start("2025-01-01");
        write(dag);
    });
    let spec = built.spec().clone();
    VersionRow {
        dag: spec.id().clone(),
        version: spec.version(),
        spec: spec.into(),
        deployed_at: at(deployed),
    }
}

/// Two versions of a DAG: `load` is retried once more, `gone` went, `check` came.
fn versions() -> [VersionRow; 2] {
    let old = version(0, |dag| {
        let extract = dag.empty("extract");
        let load = dag.empty("load").after(&extract).retry(Retry::times(2));
        dag.empty("gone").after(&load);
    });
    let new = version(3 * DAY, |dag| {
        dag.doc("# The orders\n\nSee [the book](https://book.example/orders) and [this](javascript:alert(1)).\n\n- `one`\n");
        dag.owner("sales");
        dag.pause_after_failures(3);
        let extract = dag.empty("extract").inlet(&Asset::new("gs://raw/orders"));
        let load = dag
            .empty("load")
            .after(&extract)
            .retry(Retry::times(3))
            .pool("bigquery");
        let load = load.writes(Table::named("crm.orders").merge(["id"]));
        dag.empty("check").after(&load);
    });
    [old, new]
}

/// A task that began so many seconds after its run, and took so many.
pub(crate) fn took(
    of: &RunRow,
    (no, name): (u32, &str),
    (after, span): (i64, i64),
    state: TaskState,
) -> TaskRow {
    let began = of.started_at.map(|at| later(at, after));
    TaskRow {
        attempt: AttemptNo(of.id.0 * 1_000 + i64::from(no)),
        queued_at: began,
        started_at: began,
        since: later(began.unwrap_or_default(), span),
        ..task(of.id.0, (no, name), state)
    }
}

fn later(at: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_micros(at.micros() + seconds * 1_000_000)
}

/// Runs 1 to 4 cover the first four days of 2025; the second failed, the last has the new version, and so has run 5, which somebody
/// made by hand for the day of the last one, and which failed.
pub(crate) fn crm() -> (Changes, [VersionRow; 2]) {
    let [old, new] = versions();
    let runs: Vec<RunRow> = (1..=5)
        .map(|id| {
            let state = if id == 2 || id == 5 {
                RunState::Failed
            } else {
                RunState::Success
            };
            let version = if id >= 4 { &new } else { &old };
            let start = (id.min(4) - 1) * DAY + 3_600;
            let began = start + DAY + 60;
            RunRow {
                name: format!("day_{id}").into(),
                kind: if id == 5 {
                    RunType::Manual
                } else {
                    RunType::Scheduled
                },
                start: at(start),
                end: at(start + DAY),
                due_at: at(start + DAY),
                created_at: at(start + DAY),
                started_at: Some(at(began)),
                ended_at: Some(at(began + id * 100)),
                note: None,
                why: None,
                ..run(id, version, state)
            }
        })
        .collect();
    let mut changes = Changes {
        new_runs: runs.clone(),
        versions: vec![old.clone(), new.clone()],
        ..Changes::default()
    };
    for run in &runs {
        let well = if run.state == RunState::Success {
            TaskState::Success
        } else {
            TaskState::Failed
        };
        changes.new_tasks.extend([
            took(run, (0, "extract"), (5, 30), TaskState::Success),
            took(run, (1, "load"), (45, 20 + run.id.0), well),
        ]);
    }
    let mut row = dag_row(&new);
    row.last_due = Some((
        at(3 * DAY + 3_600),
        at(4 * DAY + 3_600),
        at(4 * DAY + 3_600),
    ));
    row.failures_in_row = 1;
    changes.dags = vec![row];
    (changes, [old, new])
}

pub(crate) async fn page(kit: &Kit, path: &str) -> String {
    let answer = kit.get("operator", path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    answer.body
}

pub(crate) fn has(page: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(page.contains(wanted), "{wanted} in {page}");
    }
}

#[tokio::test]
async fn the_runs_of_a_dag_are_narrowed_by_their_days_and_go_on_page_after_page() {
    let kit = Kit::holding(&wide(1, 60)).await;
    let seen = |page: &str| -> Vec<i64> {
        let seen = |id: &i64| page.contains(&format!("href=\"{}\"", run_path("wide_dag", *id)));
        (1..=60).filter(seen).collect()
    };
    let first = page(&kit, "/dags/wide_dag/runs?kind=manual").await;
    assert_eq!(seen(&first), (11..=60).collect::<Vec<_>>());
    let (_, rest) = first
        .split_once("/dags/wide_dag/runs?kind=manual&#38;after=")
        .expect("there are older ones");
    let place = rest.split('"').next().unwrap();
    let next = page(
        &kit,
        &format!("/dags/wide_dag/runs?kind=manual&after={place}"),
    )
    .await;
    assert_eq!(seen(&next), (1..=10).collect::<Vec<_>>());
    assert!(!next.contains("Older runs"));
    // A run starts each hour of the first days of 2025.
    let day = page(&kit, "/dags/wide_dag/runs?from=2025-01-02&to=2025-01-02").await;
    assert_eq!(seen(&day), (24..48).collect::<Vec<_>>());
    let none = page(&kit, "/dags/wide_dag/runs?state=running").await;
    has(&none, &["No run of this DAG is like this"]);
    let all = page(&kit, "/runs?from=2025-01-02&to=2025-01-02").await;
    assert_eq!(seen(&all), (24..48).collect::<Vec<_>>());
    for wrong in ["from=yesterday", "to=2025-13-01", "state=odd", "after=x"] {
        let answer = kit
            .get("operator", &format!("/dags/wide_dag/runs?{wrong}"))
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    // The DAG of the path counts, and no other.
    let other = page(&kit, "/dags/wide_dag/runs?dag=another").await;
    assert_eq!(seen(&other).len(), 50);
}

#[tokio::test]
async fn a_run_with_another_version_than_the_one_before_leads_to_what_changed() {
    let (changes, [old, new]) = crm();
    let kit = Kit::holding(&changes).await;
    let diff = format!(
        "/dags/crm_dag/diff?from={}&#38;to={}",
        old.version, new.version
    );
    let in_svg = diff.replace("&#38;", "&amp;");
    let runs = page(&kit, "/dags/crm_dag/runs").await;
    assert_eq!(runs.matches(&diff).count(), 1, "{runs}");
    let grid = page(&kit, "/dags/crm_dag").await;
    assert_eq!(grid.matches(&in_svg).count(), 1, "{grid}");
    let durations = page(&kit, "/dags/crm_dag/durations").await;
    assert_eq!(durations.matches(&in_svg).count(), 1, "{durations}");
    let of_run = page(&kit, "/dags/crm_dag/runs/day_4").await;
    has(&of_run, &[&in_svg, "new: what changed"]);
    let same = page(&kit, "/dags/crm_dag/runs/day_5").await;
    assert!(!same.contains("what changed") && same.contains(new.version.short()));
    // Between those that failed there were others, so nothing is said of the run before.
    let failed = page(&kit, "/dags/crm_dag/runs?state=failed").await;
    assert!(failed.contains("day_2") && !failed.contains("what changed"));
}

#[tokio::test]
async fn a_year_shows_each_day_by_its_worst_run_and_what_is_planned() {
    let (changes, _) = crm();
    let kit = Kit::holding(&changes).await;
    let year = page(&kit, "/dags/crm_dag/calendar").await;
    has(
        &year,
        &[
            "<td class=\"ok\"><a href=\"/dags/crm_dag/runs?from=2025-01-01&#38;to=2025-01-01\" title=\"Wednesday, 1 January 2025: 1 Success\"",
            "<td class=\"fail\"><a href=\"/dags/crm_dag/runs?from=2025-01-04&#38;to=2025-01-04\" title=\"Saturday, 4 January 2025: 1 Failed, 1 Success\" aria-label=\"Saturday, 4 January 2025: 1 Failed, 1 Success\">2</a>",
            "<td class=\"plan\"><span title=\"Sunday, 5 January 2025: 1 planned\">",
            "<td class=\"plan today\"><span title=\"Monday, 6 January 2025: 1 planned\">",
            "Wednesday, 31 December 2025: 1 planned",
            "<span>2 <span class=\"st fail\">Failed</span></span> <span>3 <span class=\"st ok\">Success</span></span>",
            ">Sat 4 Jan</a>",
        ],
    );
    assert!(!year.contains("style="));
    let day = page(&kit, "/dags/crm_dag/runs?from=2025-01-04&to=2025-01-04").await;
    assert!(day.contains("day_4") && day.contains("day_5") && !day.contains("day_3"));
    let later = page(&kit, "/dags/crm_dag/calendar?year=2026").await;
    has(
        &later,
        &[
            "Thursday, 1 January 2026: 1 planned",
            "31 December 2026: runs planned",
        ],
    );
    let before = page(&kit, "/dags/crm_dag/calendar?year=2024").await;
    has(&before, &["No run covers a day of 2024"]);
    assert!(!before.contains("planned"));
    for wrong in ["x", "1969", "99999999999"] {
        let answer = kit
            .get("viewer", &format!("/dags/crm_dag/calendar?year={wrong}"))
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    let (mut changes, _) = crm();
    changes.dags[0].paused = true;
    let kit = Kit::holding(&changes).await;
    let year = page(&kit, "/dags/crm_dag/calendar").await;
    has(&year, &["no runs are planned until it goes on"]);
    assert!(!year.contains("1 planned"));
}

#[tokio::test]
async fn durations_tell_running_from_waiting_and_the_slowest_task_first() {
    let (changes, _) = crm();
    let kit = Kit::holding(&changes).await;
    let shown = page(&kit, "/dags/crm_dag/durations").await;
    has(
        &shown,
        &[
            // Runs 1, 3 and 4 were well and took 100, 300 and 400 seconds; each waited a minute.
            "median 5 min 00 s</text>",
            "day_3: Success, ran 5 min 00 s, waited 1 min 00 s",
            "Failed<b>2 of 5</b>",
            // `load` takes 21, 23 and 24 seconds where it is well, and begins ten seconds after `extract` ended.
            "/dags/crm_dag/runs/day_5/tasks/extract\">extract</a></td><td class=\"n\">30.0 s</td><td class=\"n\">30.0 s</td>",
            "/dags/crm_dag/runs/day_4/tasks/load\">load</a></td><td class=\"n\">23.0 s</td><td class=\"n\">24.0 s</td><td class=\"n\">24.0 s</td><td class=\"\"></td><td class=\"n\">10.0 s</td><td class=\"n\">3</td><td class=\"n\">2</td>",
        ],
    );
    let (slow, fast) = (shown.find(">extract</a>"), shown.find(">load</a>"));
    assert!(slow < fast, "{slow:?} {fast:?}");
    // Two columns are crossed; the third cross explains what it means.
    assert_eq!(shown.matches("class=\"cross\"").count(), 3);
    let (mut changes, _) = crm();
    (changes.new_runs, changes.new_tasks) = (Vec::new(), Vec::new());
    let kit = Kit::holding(&changes).await;
    has(
        &page(&kit, "/dags/crm_dag/durations").await,
        &["No run of this DAG has begun yet"],
    );
    has(
        &page(&kit, "/dags/crm_dag/runs").await,
        &["This DAG has no runs yet"],
    );
}

#[tokio::test]
async fn a_definition_is_read_in_words_and_taken_home_as_data() {
    let (changes, [old, new]) = crm();
    let kit = Kit::holding(&changes).await;
    let shown = page(&kit, "/dags/crm_dag/definition").await;
    has(
        &shown,
        &[
            "<dt>Cron</dt><dd>0 2 * * *</dd>",
            "<dt>Time zone</dt><dd>Europe/Berlin</dd>",
            "<dt>Pauses after failed runs in a row</dt><dd>3</dd>",
            "<td>3, after 5m</td><td><p>pool bigquery</p><p>writes <code>crm.orders: merge by id</code></p></td>",
            "new runs",
        ],
    );
    assert!(!shown.contains("<b>gone</b>"));
    // Three runs have the old version, two the new one.
    let (new_at, old_at) = (
        shown.find("<td class=\"n\">2<p>"),
        shown.find("<td class=\"n\">3<p>"),
    );
    assert!(new_at.is_some() && new_at < old_at, "{shown}");
    let before = page(
        &kit,
        &format!("/dags/crm_dag/definition?version={}", old.version.short()),
    )
    .await;
    has(&before, &["<b>gone</b>", "<td>2, after 5m</td>"]);
    let found = page(&kit, "/dags/crm_dag/definition?q=CHE").await;
    assert!(found.contains("<b>check</b>") && !found.contains("<b>load</b>"));
    for (query, version) in [("", &new), (&*format!("?version={}", old.version), &old)] {
        let raw = kit
            .get("viewer", &format!("/dags/crm_dag/definition/raw{query}"))
            .await;
        assert_eq!(raw.header("content-type"), "application/json");
        let file = format!(
            "attachment; filename=\"crm_dag.{}.json\"",
            version.version.short()
        );
        assert_eq!(raw.header("content-disposition"), file);
        let spec: DagSpec = serde_json::from_str(&raw.body).unwrap();
        assert_eq!(spec, *version.spec);
    }
    for missing in [
        "definition?version=000000",
        "definition?version=a",
        "definition/raw?version=x",
        "diff?from=%3Cb%3E",
    ] {
        let answer = kit.get("viewer", &format!("/dags/crm_dag/{missing}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{missing}");
    }
}

#[tokio::test]
async fn what_changed_between_two_versions_is_said_task_by_task() {
    let (changes, [old, new]) = crm();
    let kit = Kit::holding(&changes).await;
    let wanted = [
        "<li>task `check` added</li>",
        "<li>task `gone` removed</li>",
        "<li>retries of `load`: 2 → 3</li>",
        "<li>pool of `load`: default → bigquery</li>",
        "<li>assets that are read of `extract` set to [&#34;gs://raw/orders&#34;]</li>",
        "<li>failed runs until it pauses set to 3</li>",
        "<li>table crm.orders of `load`: written now (merge by id)</li>",
        "<summary>The data side by side</summary>",
        "    &#34;times&#34;: 2,",
        "<ins>    &#34;times&#34;: 3,</ins>",
    ];
    let shown = page(&kit, "/dags/crm_dag/diff").await;
    let shown = shown.replace("<del>", "");
    has(&shown, &wanted);
    let back = format!("/dags/crm_dag/diff?from={}&to={}", new.version, old.version);
    has(
        &page(&kit, &back).await,
        &[
            "<li>retries of `load`: 3 → 2</li>",
            "<li>task `gone` added</li>",
        ],
    );
    let same = format!("/dags/crm_dag/diff?from={0}&to={0}", new.version.short());
    has(&page(&kit, &same).await, &["These are the same version"]);
    let one = Kit::new().await;
    has(
        &page(&one, "/dags/open_dag/diff").await,
        &["one version, so there is nothing to compare"],
    );
}

#[tokio::test]
async fn the_same_change_of_many_tasks_is_one_line() {
    let build = |retries: u32| {
        version(i64::from(retries), |dag| {
            dag.retry(Retry::times(retries));
            let first = dag.empty("first");
            for task in 0..20 {
                dag.empty(&format!("task_{task}")).after(&first);
            }
        })
    };
    let (old, new) = (build(1), build(4));
    let changes = Changes {
        dags: vec![dag_row(&new)],
        versions: vec![old, new],
        ..Changes::default()
    };
    let kit = Kit::holding(&changes).await;
    let shown = page(&kit, "/dags/crm_dag/diff").await;
    has(&shown, &["<li>retries of 21 tasks: 1 → 4<details>"]);
    assert_eq!(shown.matches("retries of").count(), 1, "{shown}");
}

#[tokio::test]
async fn details_say_whose_it_is_when_it_runs_and_who_paused_it() {
    let (mut changes, _) = crm();
    let kit = Kit::holding(&changes).await;
    let shown = page(&kit, "/dags/crm_dag/details").await;
    has(
        &shown,
        &[
            "<h3>The orders</h3>",
            "<a href=\"https://book.example/orders\" rel=\"noopener noreferrer\" target=\"_blank\">the book ↗</a>",
            "[this](javascript:alert(1))",
            "<li><code>one</code></li>",
            "<dt>Owner</dt><dd>sales</dd>",
            "Mon 6 Jan 02:00 CET</td>",
            "Fri 10 Jan 02:00 CET</td>",
            "<dt>Paused</dt><dd>no</dd>",
            "<dt>Failed runs in a row</dt><dd>1; it is paused at 3</dd>",
            "<td class=\"what\">crm.orders</td><td>merge by id</td><td>load</td>",
            "<td class=\"what\">gs://raw/orders</td><td>read by extract</td>",
        ],
    );
    assert!(!shown.contains("Sat 11 Jan") && !shown.contains("href=\"javascript"));
    changes.dags[0].paused = true;
    changes.dags[0].touched = Some(Touch {
        by: "ann<b>".into(),
        how: "paused".into(),
        at: at(DAY),
    });
    let kit = Kit::holding(&changes).await;
    has(
        &page(&kit, "/dags/crm_dag/details").await,
        &[
            "<dt>Paused</dt><dd>by ann&#60;b&#62;, 2 Jan 2025 00:00 UTC</dd>",
            "these begin only when it goes on",
        ],
    );
}

#[tokio::test]
async fn a_dag_that_was_removed_is_still_there_to_look_at() {
    let (mut changes, [_, new]) = crm();
    changes.dags[0].version = None;
    changes.dags[0].paused = true;
    let kit = Kit::holding(&changes).await;
    for view in [
        "",
        "/graph",
        "/runs",
        "/calendar",
        "/durations",
        "/definition",
        "/definition/raw",
        "/diff",
        "/details",
    ] {
        let shown = page(&kit, &format!("/dags/crm_dag{view}")).await;
        let is_data = view.ends_with("raw");
        assert!(is_data || shown.contains("it makes no new runs"), "{shown}");
        assert!(!shown.contains("/dags/crm_dag/trigger") && !shown.contains("planned</"));
        assert!(is_data || shown.contains(new.version.short()), "{view}");
    }
}

/// Five thousand tasks and ten thousand runs, the last ones with their tasks.
pub(crate) fn huge(tasks: u32, runs: i64) -> Changes {
    let mut changes = wide(tasks, 5);
    let last = changes.new_runs.clone();
    changes.new_runs = (1..=runs)
        .map(|id| RunRow {
            id: RunNo(id),
            name: format!("run_{id}").into(),
            start: at(id * 3_600),
            end: at(id * 3_600 + 3_600),
            ..last[0].clone()
        })
        .collect();
    for task in &mut changes.new_tasks {
        task.of.run.0 += runs - 5;
    }
    changes
}

#[tokio::test]
async fn pages_of_a_huge_dag_stay_small() {
    let kit = Kit::holding(&huge(5_000, 2_000)).await;
    for (view, kib) in [
        ("runs", 80),
        ("calendar", 120),
        ("durations", 120),
        ("definition", 200),
        ("details", 40),
        ("diff", 40),
    ] {
        let shown = page(&kit, &format!("/dags/wide_dag/{view}")).await;
        assert!(shown.len() < kib << 10, "{view}: {} bytes", shown.len());
    }
}
