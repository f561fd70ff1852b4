//! The ledger of loads against what BigQuery has.

use serde_json::json;
use tidemill::operator::ErrorKind;
use tidemill_core::protocol::Load;
use tidemill_operators::count::{BigQueryCounts, Compared, Counts as _, compare};
use tidemill_operators::http::{Clients, Machine};

use crate::bigquery;
use crate::kit::{Kit, Waits};

/// The table `crm.tickets` with three rows in it.
fn kit() -> Kit {
    let kit = bigquery::kit();
    let text = "CREATE TABLE crm.tickets AS SELECT n FROM UNNEST([1, 2, 3]) AS n";
    bigquery::sql(&kit, text);
    kit
}

fn counts(kit: &Kit) -> BigQueryCounts {
    let clients = Clients::new(Machine::default());
    BigQueryCounts::new(&clients, &kit.google(), Waits::new()).expect("it works")
}

#[test]
fn the_last_load_is_compared_with_the_rows_that_are_there() {
    let kit = kit();
    let counts = counts(&kit);
    let of = |table: &str, rows_after| {
        let load = Load {
            destination: table.to_owned(),
            rows_after,
            ..Load::default()
        };
        kit.run(compare(&load, &counts)).expect("it counts")
    };
    assert_eq!(of("crm.tickets", Some(3)), Compared::Fits(3));
    assert_eq!(of("shop.crm.tickets", Some(3)), Compared::Fits(3));
    assert_eq!(of("`shop:crm.tickets`", Some(3)), Compared::Fits(3));
    let differs = Compared::Differs {
        ledger: 6,
        there: 3,
    };
    assert_eq!(of("crm.tickets", Some(6)), differs);
    assert_eq!(of("crm.nothing", Some(1)), Compared::Gone);
    assert_eq!(of("crm.tickets", None), Compared::Unsaid);
    let wrong = kit
        .run(counts.rows("tickets", None))
        .expect_err("no dataset");
    assert_eq!(wrong.kind, ErrorKind::Permanent);
}

#[test]
fn a_busy_server_is_asked_again() {
    let kit = kit();
    kit.fault_of(
        "bigquery",
        "bigquery.tables.get",
        (0, 2),
        json!({"status": {"status": 503}}),
    );
    let rows = kit.run(counts(&kit).rows("crm.tickets", None));
    assert_eq!(rows.expect("it counts"), Some(3));
}
