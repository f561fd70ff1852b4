//! A site for pictures: an online shop's DAGs with a month behind them, and a night in which not all went well.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidemill::prelude::*;
use tidemill_core::operator::{ErrorKind, Level};
use tidemill_core::spec::DagSpec;
use tidemill_core::state::{RunType, TaskState};
use tidemill_core::time::Timestamp;

use crate::history::{Done, LogOf, Past, Writer, write_log};
use crate::ledger::left_by;

const DAY: Duration = Duration::from_secs(86_400);
const DAYS: u32 = 45;

/// A DAG as its stages: tasks that run beside each other, stage after stage.
struct Plan {
    name: &'static str,
    minute_of_day: u32,
    owner: &'static str,
    tags: &'static [&'static str],
    doc: &'static str,
    stages: &'static [(&'static str, &'static [&'static str])],
}

static PLANS: [Plan; 9] = [
    Plan {
        name: "orders_daily",
        minute_of_day: 90,
        owner: "data",
        tags: &["orders", "bigquery"],
        doc: "Yesterday's orders from the shop's API, loaded exactly once.",
        stages: &[
            ("extract", &["orders", "refunds", "customers", "vouchers"]),
            ("clean", &["orders_clean", "refunds_clean"]),
            ("check", &["totals", "duplicates", "late_rows"]),
            ("load", &["orders_table", "revenue_table"]),
            ("", &["refresh_dashboard"]),
        ],
    },
    Plan {
        name: "catalog_eu",
        minute_of_day: 150,
        owner: "catalog",
        tags: &["catalog"],
        doc: "Products and prices of the European shops.",
        stages: &[
            ("", &["list_feeds"]),
            ("feeds", &["de", "fr", "it", "nl", "es"]),
            ("", &["merge"]),
            ("", &["publish"]),
        ],
    },
    Plan {
        name: "catalog_us",
        minute_of_day: 420,
        owner: "catalog",
        tags: &["catalog"],
        doc: "Products and prices of the American shop.",
        stages: &[
            ("", &["list_feeds"]),
            ("feeds", &["us", "ca"]),
            ("", &["publish"]),
        ],
    },
    Plan {
        name: "crm_sync",
        minute_of_day: 240,
        owner: "marketing",
        tags: &["crm", "export"],
        doc: "Segments and consents to the CRM.",
        stages: &[
            ("", &["segments"]),
            ("push", &["contacts", "consents"]),
            ("", &["compare_counts"]),
        ],
    },
    Plan {
        name: "features_nightly",
        minute_of_day: 300,
        owner: "ml",
        tags: &["ml", "databricks"],
        doc: "Features of the recommendation model.",
        stages: &[
            ("sessions", &["web", "app"]),
            ("", &["join"]),
            ("", &["train"]),
            ("", &["evaluate"]),
        ],
    },
    Plan {
        name: "finance_close",
        minute_of_day: 330,
        owner: "finance",
        tags: &["finance"],
        doc: "The books of a day, for the ledger.",
        stages: &[
            ("read", &["payments", "fees", "taxes"]),
            ("", &["reconcile"]),
            ("", &["post_to_ledger"]),
        ],
    },
    Plan {
        name: "marketing_spend",
        minute_of_day: 360,
        owner: "marketing",
        tags: &["ads"],
        doc: "What was spent on ads, by campaign.",
        stages: &[
            ("read", &["search", "social", "affiliates"]),
            ("", &["attribute"]),
            ("", &["load"]),
        ],
    },
    Plan {
        name: "stock_levels",
        minute_of_day: 60,
        owner: "logistics",
        tags: &["stock"],
        doc: "What lies in the warehouses.",
        stages: &[
            ("warehouses", &["lille", "leipzig", "turin"]),
            ("", &["levels"]),
        ],
    },
    Plan {
        name: "returns_daily",
        minute_of_day: 270,
        owner: "logistics",
        tags: &["returns"],
        doc: "What was sent back, and why.",
        stages: &[("", &["scans"]), ("", &["reasons"]), ("", &["load"])],
    },
];

/// What the report is about.
#[params]
struct Report {
    /// Where it was sold.
    #[param(default = "eu", one_of = ["eu", "us", "all"])]
    market: String,
    /// How many days it covers.
    #[param(default = 7, min = 1, max = 90)]
    days: u32,
    /// Its name, in small letters.
    #[param(default = "weekly_sales", length_max = 40, pattern = "^[a-z_]+$")]
    title: String,
    /// Who gets it, an address a line.
    #[param(default = vec!["board@shop.example".to_owned()], length_max = 10)]
    recipients: Vec<String>,
}

/// Works until it may go on.
#[task]
async fn step(ctx: &TaskContext) -> TaskResult {
    let hold = Path::new("signs").join(format!("hold.{}", ctx.facts().task_id));
    while hold.exists() {
        ctx.sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// Writes the report.
#[task]
fn write_report(report: Report) -> TaskResult<String> {
    let Report {
        market,
        days,
        title,
        recipients,
    } = report;
    Ok(format!(
        "{title} of {market}, {days} days, for {}",
        recipients.len()
    ))
}

enum End {
    One(Out<()>),
    All(Group<()>),
}

fn staged(plan: &'static Plan) -> Dag {
    Dag::build(plan.name, |dag| {
        let (hour, minute) = (plan.minute_of_day / 60, plan.minute_of_day % 60);
        dag.schedule(Cron::daily_at(&format!("{hour:02}:{minute:02}")).tz("Europe/Berlin"));
        dag.start("2026-01-01").catchup(false);
        dag.owner(plan.owner)
            .doc(plan.doc)
            .retry(Retry::times(2).every(minutes(1)));
        for tag in plan.tags {
            dag.tag(*tag);
        }
        let mut before: Option<End> = None;
        for (group, tasks) in plan.stages {
            let stage = if group.is_empty() {
                End::One(dag.call(tasks[0], step, ()))
            } else {
                End::All(dag.group(group, |inside| {
                    for task in *tasks {
                        inside.call(task, step, ());
                    }
                }))
            };
            match (&before, &stage) {
                (None, _) => {}
                (Some(End::One(from)), End::One(to)) => dag.edge(from, to),
                (Some(End::One(from)), End::All(to)) => dag.edge(from, to),
                (Some(End::All(from)), End::One(to)) => dag.edge(from, to),
                (Some(End::All(from)), End::All(to)) => dag.edge(from, to),
            }
            before = Some(stage);
        }
    })
}

fn report() -> Dag {
    Dag::build("sales_report", |dag| {
        dag.owner("data")
            .tag("report")
            .doc("A report for whoever asks for one.");
        let report = dag.params::<Report>();
        let written = dag.call("write", write_report, &report);
        let sure = Approval::ask("Send it to everybody on the list?").default_to("reject");
        let sure = dag
            .approval("release", sure)
            .after(&written)
            .timeout(hours(12));
        dag.call("send", step, ()).after(&sure);
    })
}

/// Its DAGs.
pub fn dags() -> Dags {
    Dags::new()
        .family(|| PLANS.iter().map(staged).collect())
        .dag(report)
}

/// Chance that is the same each time.
fn chance(words: &str, salt: u32) -> u64 {
    let mut seed = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(salt);
    for byte in words.bytes() {
        seed = (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    seed ^ (seed >> 29)
}

/// The task that broke a run, and why.
fn broken(dag: &str, days_ago: u32) -> Option<(&'static str, ErrorKind, &'static str)> {
    let quota = "BigQuery: quota exceeded: too many table update operations for `shop.revenue`";
    match (dag, days_ago) {
        ("orders_daily", 0) => Some(("load.revenue_table", ErrorKind::Quota, quota)),
        ("crm_sync", 0) => {
            let says = "the CRM answered 401: the token of `crm_export` has expired";
            Some(("push.contacts", ErrorKind::Permanent, says))
        }
        ("marketing_spend", 0) => {
            let says = "campaigns.csv, line 218: `spend` is empty";
            Some(("read.social", ErrorKind::Data, says))
        }
        ("orders_daily", 9) => Some(("check.totals", ErrorKind::Data, "totals differ by 3.1 %")),
        ("catalog_eu", 14) => Some(("feeds.it", ErrorKind::Transient, "the feed hung up")),
        ("features_nightly", 5 | 21) => {
            Some(("train", ErrorKind::Transient, "the cluster was lost"))
        }
        ("finance_close", 27) => Some(("reconcile", ErrorKind::Data, "two payments have no order")),
        ("stock_levels", 11) => Some(("warehouses.turin", ErrorKind::Transient, "no answer")),
        _ => None,
    }
}

fn past(plan: &Plan, spec: &Arc<DagSpec>, days_ago: u32, at: Timestamp) -> Past {
    let day = i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX);
    let midnight = Timestamp::from_micros((at.micros() / day - i64::from(days_ago)) * day);
    // The winter's hour in Berlin.
    let minutes = u64::from(plan.minute_of_day) - 60;
    let due = midnight.after(Duration::from_secs(minutes * 60));
    let start = Timestamp::from_micros(due.micros() - day);
    let broken = broken(plan.name, days_ago);
    let mut tasks = Vec::new();
    let (mut after, mut is_broken) = (Duration::from_millis(300), false);
    for (group, names) in plan.stages {
        let mut longest = Duration::ZERO;
        let is_blocked = is_broken;
        for task in *names {
            let id = if group.is_empty() {
                (*task).to_owned()
            } else {
                format!("{group}.{task}")
            };
            let nth = spec
                .definition
                .tasks
                .iter()
                .position(|known| known.id.as_str() == id);
            let seconds = 20 + chance(&format!("{}.{id}", plan.name), 0) % 280;
            let wobble = chance(&id, days_ago) % (seconds / 3 + 1);
            let took = Duration::from_millis((seconds + wobble) * 1_000 + chance(&id, 7) % 1_000);
            let mut done = Done::well(nth.expect("the plan made it"), after, took);
            if is_blocked {
                (done.state, done.took) = (TaskState::UpstreamFailed, Duration::ZERO);
            } else if let Some((_, kind, says)) = broken.filter(|(broken, ..)| *broken == id) {
                (done.state, done.error, is_broken) = (TaskState::Failed, Some((kind, says)), true);
                if matches!(kind, ErrorKind::Quota | ErrorKind::Transient) {
                    done.failed_before = 2;
                    done.after += took + Duration::from_secs(120);
                }
            } else if chance(&id, days_ago) % 29 == 3 {
                done.failed_before = 1;
                done.error = Some((ErrorKind::Transient, "the other side hung up"));
                done.after += took / 2 + Duration::from_secs(60);
            }
            longest = longest.max(done.after + done.took);
            tasks.push(done);
        }
        after = longest + Duration::from_millis(400);
    }
    Past {
        name: format!("scheduled__{}", start.date().format("%Y-%m-%dT%H:%M:%SZ")),
        spec: Arc::clone(spec),
        kind: RunType::Scheduled,
        covers: (start, due),
        began: due.after(Duration::from_millis(800)),
        tasks,
    }
}

/// The log of the task that broke tonight's orders.
fn lines(done: &Done) -> Vec<(Duration, Level, &'static str)> {
    let mut lines = vec![
        (
            0,
            Level::Info,
            "launch key tm-orders-daily-load-revenue-table-7f3a91",
        ),
        (
            1,
            Level::Info,
            "reading gs://shop-orders/clean/2026-11-24/*.parquet: 48 files, 212.4 MiB",
        ),
        (
            2,
            Level::Info,
            "schema of `shop.revenue` has 31 columns; all of them are in the files",
        ),
    ];
    for at in [0, 48, 96] {
        lines.extend([
            (at + 4, Level::Info, "submitted load job tm_7f3a91 into `shop.revenue$20261124`, replacing the partition"),
            (at + 9, Level::Debug, "polling job tm_7f3a91: PENDING, 0 of 48 files"),
            (at + 21, Level::Debug, "polling job tm_7f3a91: RUNNING, 17 of 48 files"),
            (at + 34, Level::Debug, "polling job tm_7f3a91: RUNNING, 33 of 48 files"),
            (at + 46, Level::Info, "staged 1,204,511 rows; 0 rows rejected"),
        ]);
    }
    lines.extend([
        (
            151,
            Level::Warn,
            "1,498 of 1,500 table updates of today are used up for `shop.revenue`",
        ),
        (
            158,
            Level::Error,
            "BigQuery: quota exceeded: too many table update operations for `shop.revenue`",
        ),
        (
            158,
            Level::Info,
            "the partition was not changed; the same load can be made again",
        ),
        (159, Level::Info, "ended as Quota; no retries are left"),
    ]);
    let place = |(second, level, line)| (done.after + Duration::from_secs(second), level, line);
    lines.into_iter().map(place).collect()
}

/// Writes the past into a database, and the logs of tonight into a folder.
///
/// # Panics
/// If it cannot be written.
pub(crate) fn write(url: &str, logs: &Path, at: Timestamp) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut writer = Writer::open(url).await;
        let project = tidemill::testing::valid_project(&dags());
        for plan in &PLANS {
            let found = project
                .dags
                .iter()
                .find(|dag| dag.spec().id().as_str() == plan.name);
            let spec = &Arc::new(found.expect("the plan made it").spec().clone());
            let tonight = past(plan, spec, 0, at);
            writer.dag(spec, tonight.covers);
            for days_ago in (0..DAYS).rev() {
                let past = past(plan, spec, days_ago, at);
                writer.run(&past).await;
                let left = left_by(spec, &writer.ended(), i64::from(DAYS - days_ago));
                writer.left_behind(left);
                let failed = past
                    .tasks
                    .iter()
                    .filter(|done| done.state == TaskState::Failed);
                for done in failed.filter(|_| days_ago == 0) {
                    let lines = lines(done);
                    for (number, attempt) in (1..).zip(writer.attempts_of(done.nth)) {
                        let of = LogOf {
                            past: &past,
                            run: writer.last_run(),
                            nth: done.nth,
                            number,
                            attempt,
                        };
                        write_log(logs, of, lines.iter().copied()).await;
                    }
                }
            }
        }
        writer.close().await;
    });
}
