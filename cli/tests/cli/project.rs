//! A project that the tests give command lines to.

use tidemill::Output;
use tidemill::prelude::*;

#[task]
pub(crate) fn extract(day: NaiveDate) -> TaskResult<Vec<String>> {
    Ok(vec![day.to_string()])
}

#[task]
pub(crate) fn load(page: String) -> TaskResult<u64> {
    Ok(page.len() as u64)
}

pub(crate) fn orders() -> Dag {
    Dag::build("orders", |dag| {
        dag.schedule(Cron::daily_at("03:15").tz("Europe/Berlin"))
            .start("2025-01-01")
            .owner("data")
            .tag("shop");
        let pages = dag.call("extract", extract, interval::start_date());
        dag.map("load", load, &pages)
            .writes(Table::named("shop.orders").append(Dedup::key(["id"])));
    })
}

pub(crate) fn changed_orders() -> Dag {
    Dag::build("orders", |dag| {
        dag.schedule(Cron::daily_at("04:00").tz("Europe/Berlin"))
            .start("2025-01-01");
        let pages = dag
            .call("extract", extract, interval::start_date())
            .timeout(minutes(5));
        let loaded = dag
            .map("load", load, &pages)
            .writes(Table::named("shop.orders").truncate());
        dag.empty("done").after(&loaded);
    })
}

pub(crate) fn report() -> Dag {
    Dag::build("report", |dag| {
        dag.empty("only");
    })
}

pub(crate) fn broken() -> Dag {
    Dag::build("broken", |dag| {
        let a = dag.empty("a");
        let b = dag.empty("b").after(&a).pool("bigqery");
        dag.edge(&b, &a);
    })
}

pub(crate) fn good() -> Dags {
    Dags::new().dag(orders).dag(report)
}

pub(crate) fn bad() -> Dags {
    Dags::new().pool("bigquery", 4).dag(orders).dag(broken)
}

/// What a command line prints.
pub(crate) fn run(dags: &Dags, line: &[&str]) -> Output {
    let line = ["tidemill", "--color", "never"]
        .iter()
        .chain(line)
        .map(Into::into);
    tidemill::run(dags, line)
}
