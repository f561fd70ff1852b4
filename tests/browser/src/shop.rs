//! The DAGs of the site under test. Tasks look at signs, files in the folder `signs`, so that a story decides what they do:
//! `mended.<run>` lets a task succeed that fails without it, `go.<run>` lets one end that holds on, `speak.<run>` makes it say
//! something before.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tidemill::Environment;
use tidemill::operator::Level;

use crate::{demo, large, tickets};
use tidemill::prelude::*;

/// How many lines the longest log has.
pub const LINES: u32 = 100_000;
/// The line of it that stories look for.
pub const NEEDLE: u32 = 61_803;
/// What is wrong with the orders.
pub const CAUSE: &str = "line 17 of orders_0300.csv has no order id";

fn is_up(sign: &str, ctx: &TaskContext) -> bool {
    let sign = format!("{sign}.{}", ctx.facts().run_id);
    Path::new("signs").join(sign).exists()
}

/// Says something.
#[task]
async fn say(ctx: &TaskContext, words: String) -> TaskResult<String> {
    ctx.info(&words);
    Ok(words)
}

/// Reads three hundred files, the last of which is wrong until somebody mended it.
#[task]
async fn load_orders(ctx: &TaskContext) -> TaskResult<u32> {
    for file in 1..300 {
        ctx.info(format!("orders_{file:04}.csv: 1,000 rows"));
    }
    if !is_up("mended", ctx) {
        ctx.log(Level::Error, format!("orders_0300.csv: {CAUSE}"));
        for file in 301..340 {
            ctx.info(format!("orders_{file:04}.csv was not read"));
        }
        return Err(TaskError::data(CAUSE).help("ask the shop to mend its export"));
    }
    Ok(300_000)
}

/// Counts one shop; the third cannot be reached until somebody mended it.
#[task]
async fn count_stock(ctx: &TaskContext, shop: String) -> TaskResult<u64> {
    if shop == "lyon" && !is_up("mended", ctx) {
        return Err(TaskError::permanent("the till of lyon does not answer"));
    }
    Ok(shop.len() as u64)
}

/// Holds on until it may go.
#[task]
async fn hold_on(ctx: &TaskContext) -> TaskResult {
    let mut is_said = false;
    while !is_up("go", ctx) {
        if !is_said && is_up("speak", ctx) {
            ctx.info("half of it is packed");
            is_said = true;
        }
        ctx.sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Talks a lot.
#[task]
async fn talk(ctx: &TaskContext) -> TaskResult {
    for line in 1..=LINES {
        if line == NEEDLE {
            ctx.warn("here is the needle in the haystack");
        } else {
            ctx.info(format!(
                "row {line} of the export was written to the table of rows"
            ));
        }
        if line % 1_000 == 0 {
            ctx.sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(())
}

/// Reads prices in groups of lines, the second of which fails.
#[task]
async fn import_prices(ctx: &TaskContext) -> TaskResult {
    ctx.info("::group::Read the files");
    for file in 1..=20 {
        ctx.info(format!("file {file} was read"));
    }
    ctx.info("::endgroup::");
    ctx.info("::group::Check the prices");
    ctx.info("apples cost 3");
    ctx.log(Level::Error, "pears have no price");
    ctx.info("::endgroup::");
    ctx.info("::group::Tidy up");
    ctx.info("removed the copies");
    ctx.info("::endgroup::");
    Err(TaskError::data("pears have no price"))
}

/// A report to be made.
#[params]
struct Report {
    /// Where it was sold.
    #[param(default = "eu", one_of = ["eu", "us"])]
    market: String,
    /// How many days it covers.
    #[param(default = 7, min = 1, max = 90)]
    days: u32,
    /// Its name, in small letters.
    #[param(default = "sales", length_max = 20, pattern = "^[a-z_]+$")]
    title: String,
}

/// What the report would be.
#[task]
fn describe(report: Report) -> TaskResult<String> {
    let Report {
        market,
        days,
        title,
    } = report;
    Ok(format!("{title} of {market} over {days} days"))
}

fn about(dag: &DagBuilder, doc: &str) {
    dag.owner("shop").doc(doc).max_active_runs(50);
}

fn orders() -> Dag {
    Dag::build("orders_daily", |dag| {
        about(dag, "The orders of a day, from files to the warehouse.");
        dag.tag("sales");
        let fetched = dag.call("fetch", say, "340 files");
        let loaded = dag.call("load", load_orders, ()).after(&fetched);
        dag.call("report", say, "all is in").after(&loaded);
    })
}

fn stock() -> Dag {
    Dag::build("stock_count", |dag| {
        about(dag, "What lies in the shops.");
        let counted = dag
            .map("count", count_stock, ["paris", "nice", "lyon", "lille"])
            .label("{item}");
        dag.empty("counted").after(&counted);
    })
}

fn long_log() -> Dag {
    Dag::build("export_rows", |dag| {
        about(dag, "A task that writes a line for each row.");
        dag.call("export", talk, ());
    })
}

fn held() -> Dag {
    Dag::build("move_warehouse", |dag| {
        about(dag, "It takes until it is told to go on.");
        let packed = dag.call("pack", hold_on, ());
        dag.call("unpack", say, "it is there").after(&packed);
    })
}

fn report() -> Dag {
    Dag::build("sales_report", |dag| {
        about(dag, "A report with a form.");
        let report = dag.params::<Report>();
        let described = dag.call("describe", describe, &report);
        dag.call("send", say, "{out.describe}").after(&described);
    })
}

fn prices() -> Dag {
    Dag::build("prices_weekly", |dag| {
        about(dag, "Prices by group.");
        let read = dag.group("read", |read| {
            read.call("list", say, "the list");
            read.call("rates", say, "the rates");
        });
        dag.call("publish", say, "out").after(&read);
    })
}

fn import() -> Dag {
    Dag::build("fruit_import", |dag| {
        about(dag, "New prices, as the shop sends them.");
        dag.call("import", import_prices, ());
    })
}

fn spend() -> Dag {
    Dag::build("spend_budget", |dag| {
        about(dag, "Somebody is asked before money is spent.");
        let cost = dag.call("cost", say, "120 euros");
        let ask = Approval::ask("Spend {out.cost}?").default_to("reject");
        let asked = dag.approval("approve", ask).after(&cost).timeout(hours(4));
        dag.call("spend", say, "spent").after(&asked);
    })
}

fn nightly() -> Dag {
    Dag::build("nightly_backup", |dag| {
        about(dag, "A copy of everything, each night.");
        dag.schedule("0 2 * * *").start("2100-01-01");
        dag.call("copy", say, "copied");
    })
}

fn sales() -> Dag {
    Dag::build("sales_by_day", |dag| {
        about(dag, "What was sold, a day a run. Its days are over.");
        dag.schedule(Cron::daily())
            .start("2024-01-01")
            .end("2024-02-01")
            .catchup(false);
        dag.call("sum", say, "summed up");
    })
}

/// The project.
pub fn dags() -> Dags {
    Dags::new()
        .dag(orders)
        .dag(stock)
        .dag(long_log)
        .dag(held)
        .dag(report)
        .dag(prices)
        .dag(import)
        .dag(spend)
        .dag(nightly)
        .dag(sales)
        .dag(tickets::tickets)
}

/// A project's binary: which DAGs, and a command line of tidemill's.
#[must_use]
pub fn run(line: &[OsString]) -> ExitCode {
    let Some((which, line)) = line.split_first() else {
        return ExitCode::from(2);
    };
    let which = which.to_str().unwrap_or_default();
    let dags = match which.split_once(':') {
        Some((_, count)) => large::dags(count.parse().unwrap_or_default()),
        None if which == "demo" => demo::dags(),
        None => dags(),
    };
    let words = std::iter::once("site".into()).chain(line.iter().cloned());
    let output = tidemill::run_in(&dags, words, &Environment::of_process());
    let _ = std::io::stdout().write_all(output.stdout.as_bytes());
    let _ = std::io::stderr().write_all(output.stderr.as_bytes());
    ExitCode::from(output.code)
}
