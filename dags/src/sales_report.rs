//! `sales_report`: runs when orders and all catalogues have changed, sums up every market and writes a file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tidemill::prelude::*;

use crate::shop::{self, Market};

/// What a market sold on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sales {
    market: Market,
    orders: u64,
    cents: u64,
}

/// Sums up one market.
#[task]
fn sum_market(market: Market, day: NaiveDate) -> TaskResult<Sales> {
    let pages = 0..shop::orders_on(day).div_ceil(shop::PAGE_ORDERS);
    let orders: Vec<_> = pages
        .flat_map(|page| shop::order_page(day, page))
        .filter(|order| order.market == market)
        .collect();
    Ok(Sales {
        market,
        orders: orders.len() as u64,
        cents: orders.iter().map(|order| order.cents).sum(),
    })
}

/// One line a market.
#[task]
fn write_lines(sales: Vec<Sales>, headings: Vec<String>) -> TaskResult<String> {
    let lines = sales
        .iter()
        .map(|sales| format!("{},{},{}", sales.market, sales.orders, sales.cents));
    Ok(std::iter::once(headings.join(","))
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n"))
}

/// Writes a text into a file in one step: a reader sees the old one or the new one.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WriteFile {
    path: Text,
    text: Text,
}

impl Operator for WriteFile {
    const NAME: &'static str = "shop.write_file";
    type Output = u64;

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<u64>> {
        if self.text.as_str().trim().is_empty() {
            return Ok(Outcome::Skipped {
                why: "there is nothing to write".to_owned(),
            });
        }
        let path = Path::new(self.path.as_str());
        let folder = path
            .parent()
            .or_permanent(format!("find the folder of `{}`", path.display()))?;
        std::fs::create_dir_all(folder)
            .or_permanent(format!("make the folder `{}`", folder.display()))?;
        let half: PathBuf = path.with_extension(ctx.launch_key().as_str());
        std::fs::write(&half, self.text.as_str())?;
        std::fs::rename(&half, path)?;
        Ok(Outcome::Done(self.text.as_str().len() as u64))
    }
}

/// Tells the team that there is no report.
#[task]
async fn tell_failure(ctx: &TaskContext, run: String) -> TaskResult {
    ctx.warn(format!("{run} has made no report"));
    Ok(())
}

pub(crate) fn sales_report() -> Dag {
    Dag::build("sales_report", |dag| {
        let tables =
            std::iter::once(shop::orders_table()).chain(Market::ALL.map(shop::products_table));
        dag.schedule(AssetExpr::all(tables).or(Cron::new("0 7 1 * *").tz("Europe/Berlin").ticks()));
        dag.owner("finance")
            .tag("report")
            .doc("What each market sold, as a file.")
            .fail_fast();

        let sums = dag
            .map(
                "sum_market",
                sum_market,
                (each(Market::ALL), interval::start_date()),
            )
            .label("{item}")
            .at_most(20)
            .max_active_per_run(2);
        let report = dag.group("report", |group| {
            group.queue("reports").timeout(minutes(5));
            let lines = group.call(
                "lines",
                write_lines,
                (
                    &sums,
                    value(["market", "orders", "cents"].map(str::to_owned).to_vec()),
                ),
            );
            let file = WriteFile {
                path: "{var.report_folder}/sales_{ds}.csv".into(),
                text: "{out.report.lines}".into(),
            };
            group.add("file", file).after(&lines)
        });
        dag.call("tell_failure", tell_failure, run::id())
            .after(&report)
            .rule(TriggerRule::OneFailed);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill::testing::{TaskRun, valid};

    #[test]
    fn the_markets_add_up_to_the_day() {
        let dag = valid(sales_report());
        let sum = |market: Market| -> Sales {
            TaskRun::of(&dag, "sum_market")
                .day("2025-01-15")
                .item(market)
                .run()
                .output()
        };
        assert_eq!(
            sum(Market::Eu).orders + sum(Market::Us).orders,
            shop::orders_on("2025-01-15".parse().unwrap())
        );
    }

    #[test]
    fn the_file_is_written_where_the_deployment_wants_it_and_nothing_else_is_left() {
        let dag = valid(sales_report());
        let folder = std::env::temp_dir().join(format!("tidemill_report_{}", std::process::id()));
        let run = |text: &str| {
            TaskRun::of(&dag, "report.file")
                .day("2025-01-15")
                .variable("report_folder", &folder.display().to_string())
                .output_of("report.lines", text)
                .run()
        };
        assert_eq!(run("market,orders,cents\neu,1,2 {ds}").output::<u64>(), 31);
        let files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|file| file.unwrap().file_name())
            .collect();
        assert_eq!(files, ["sales_2025-01-15.csv"]);
        let written = std::fs::read_to_string(folder.join("sales_2025-01-15.csv")).unwrap();
        assert!(
            written.ends_with("{ds}"),
            "a value is never read for placeholders: {written}"
        );
        assert!(matches!(run(" ").result, Ok(Outcome::Skipped { .. })));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
