//! Loads on record: the monitoring page shows each, in the commit that ends its task.

use tidemill::prelude::*;

use super::about;

/// A table and how many rows came.
#[task]
async fn load(ctx: &TaskContext, table: String, rows: i64, day: NaiveDate) -> TaskResult<i64> {
    let before = 1_000;
    ctx.record_load(Load {
        sources: vec![format!("gs://example/{table}/{day}.parquet")],
        files: 1,
        bytes_read: rows * 80,
        rows_read: rows,
        destination: format!("example.{table}"),
        partition: Some(day.format("%Y%m%d").to_string()),
        mode: "append".to_owned(),
        rows_before: Some(before),
        rows_loaded: rows,
        rows_after: Some(before + rows),
        job_id: Some(ctx.launch_key().to_string()),
        ..Load::default()
    });
    Ok(rows)
}

/// Two tables, one partition a day.
pub(super) fn loads() -> Dag {
    Dag::build("example_loads", |dag| {
        about(dag, "Two loads, each on record with its numbers.");
        for (table, rows) in [("orders", 420_i64), ("tickets", 17)] {
            let into = Table::named(format!("example.{table}"));
            dag.call(table, load, (table, rows, interval::start_date()))
                .writes(into.append(Dedup::partition("{ds}")));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill::testing::{DagRun, valid};

    #[test]
    fn every_load_is_on_record() {
        let ran = DagRun::of(&valid(loads())).day("2025-01-31").run();
        let [orders, tickets] = ran.loads() else {
            panic!("{:?}", ran.loads());
        };
        assert_eq!(
            (orders.task.as_str(), orders.load.rows_loaded),
            ("orders", 420)
        );
        assert_eq!(orders.load.status, "success");
        assert_eq!(tickets.load.partition.as_deref(), Some("20250131"));
    }
}
