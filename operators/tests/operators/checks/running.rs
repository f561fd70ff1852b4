//! Checks as a task, and write–audit–publish.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tidemill::prelude::*;
use tidemill::testing::{TaskRun, valid};
use tidemill_operators::checks::{
    Background, CheckReport, Checks, Databases, Severity, Staging, column, write_audit_publish,
};

use super::kit::{Both, Table, noon};

fn orders() -> Both {
    Both::new(&[Table::new(
        "orders",
        "id:INT64|customer_id:INT64|day:DATE\n1|1|2025-01-31\n2|\\N|2025-01-31\n3|\\N|2025-02-01",
    )])
}

#[test]
fn checks_survive_being_stored() {
    let checks = Checks::on("t_{ds}")
        .only(column("day").equals(Text::new("{ds}")))
        .between("a", 0, 1e6)
        .mostly(0.9)
        .severity(Severity::Warn)
        .matches("b", "^x{2}$");
    let json = serde_json::to_string(&checks).expect("JSON");
    assert_eq!(
        serde_json::from_str::<Checks>(&json).expect("checks"),
        checks
    );
}

#[test]
fn a_setting_that_a_check_does_not_have_is_said() {
    let checks = Checks::on("t")
        .mostly(0.5)
        .row_count_equals(1)
        .mostly(0.5)
        .strictly();
    assert_eq!(checks.problems().len(), 3);
}

#[test]
fn the_first_line_is_the_cause() {
    let both = orders();
    let report = both.ask(
        &Checks::on("shop.orders")
            .unique("id")
            .row_count_equals(9)
            .warn()
            .not_null("customer_id"),
    );
    assert_eq!(
        report.message().lines().next(),
        Some("shop.orders: 2 of 3 rows have no customer_id (not_null, blocking)")
    );
    let error = report.error().expect("it blocks");
    assert_eq!(error.kind, ErrorKind::Data);
    assert!(error.help.contains("IS NULL"), "{}", error.help);
}

#[test]
fn a_task_fails_with_what_blocks_and_fills_in_its_day() {
    let both = orders();
    let run = |checks: Checks| {
        let dag = valid(Dag::build("checks", |dag| {
            dag.schedule(Cron::daily());
            dag.add("check", checks);
        }));
        let databases = Arc::new(Databases::new(both.farm.clone()));
        TaskRun::of(&dag, "check")
            .day("2025-01-31")
            .service(databases)
            .run()
    };
    let today = || Checks::on("shop.orders").only(column("day").equals(Text::new("{ds}")));
    let ran = run(today().row_count_equals(2));
    assert!(ran.logged("all 1 checks passed"), "{:?}", ran.log);
    let ran = run(today().not_null("customer_id"));
    assert!(
        ran.logged("1 of 2 rows have no customer_id"),
        "{:?}",
        ran.log
    );
    let [result] = &ran.checks[..] else {
        panic!("on record though the task failed: {:?}", ran.checks);
    };
    assert_eq!(result.table, "shop.orders");
    assert_eq!(
        (&*result.name, &*result.status, result.blocking),
        ("not_null(customer_id)", "failed", true)
    );
    assert_eq!((result.rows, result.rows_failed), (Some(2), Some(1)));
    assert_eq!(result.sample[0]["customer_id"], None);
    assert!(result.rows_sql.is_some(), "how to see the rows");
}

/// Whether it was published, and the tables whose checks it was told of.
struct Copy(AtomicBool, Mutex<Vec<String>>);

impl Staging for Copy {
    fn staging(&self) -> String {
        "shop.orders".to_owned()
    }

    async fn write(&self) -> TaskResult<()> {
        Ok(())
    }

    fn checked(&self, report: &CheckReport) {
        let mut told = self.1.lock().expect("no panic");
        told.push(format!("{} {}", report.table, report.blocks()));
    }

    async fn publish(&self) -> TaskResult<()> {
        self.0.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn discard(&self) -> TaskResult<()> {
        Ok(())
    }
}

#[test]
fn only_what_was_checked_is_published() {
    let both = orders();
    let ends = |checks: Checks| {
        let staging = Copy(AtomicBool::new(false), Mutex::default());
        let background = Background::at(noon());
        let done = write_audit_publish(&staging, &checks, both.farm.as_ref(), &background);
        let done = both.runtime.block_on(done);
        (
            done.map(|report| report.table),
            staging.0.load(Ordering::SeqCst),
            staging.1.into_inner().expect("no panic"),
        )
    };
    let (done, published, told) = ends(
        Checks::on("shop.final")
            .unique("id")
            .not_null("customer_id")
            .warn(),
    );
    assert_eq!((done.as_deref(), published), (Ok("shop.final"), true));
    assert_eq!(told, ["shop.final false"]);
    let (done, published, told) = ends(Checks::on("shop.final").not_null("customer_id"));
    let error = done.expect_err("it blocks");
    assert!(
        error.message.starts_with("shop.final: 2 of 3 rows"),
        "{}",
        error.message
    );
    assert!(!published);
    assert_eq!(
        told,
        ["shop.final true"],
        "it is on record though it blocks"
    );
}
